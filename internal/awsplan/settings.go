// Package awsplan decides, as pure data, what an installation on AWS consists of: networks, machines, quotas and cost. It knows neither
// Pulumi nor AWS's SDK, so that a mistake in a stack is found, and a plan printed, with no engine and no cloud.
package awsplan

// Settings are an operator's wishes for AWS. A zero value stands for the default. Keys are below icon:aws in a stack file.
type Settings struct {
	// Region such as "eu-central-1". Required.
	Region string `json:"region"`
	// Zones of the region, "eu-central-1a" and so on, that the network spans: one for single-node, two or more otherwise. Required. A
	// zone can be added later: subnets have reserved places, and nothing moves.
	Zones []string `json:"zones"`
	// Account is the number of the AWS account that is meant: credentials for any other are refused. Optional.
	Account string `json:"account,omitempty"`
	// AdministratorKeys are the public SSH keys ("ssh-ed25519 AAAA…") that a new machine lets in. The one of icon:sshPrivateKey must be
	// among them. Required. Existing machines are not touched by a change.
	AdministratorKeys []string `json:"administratorKeys"`
	// VPC is the network, the stack's own or an existing one.
	VPC VPC `json:"vpc,omitempty"`
	// Machines by host name: what differs from the defaults, and, with two or more zones, each machine's zone. "bastion" is the jump host.
	Machines map[string]Machine `json:"machines,omitempty"`
	// Front is how the internet is led to the sentries.
	Front Front `json:"front,omitempty"`
	// API publishes the citizens' /api/v3 by HTTPS, on an application load balancer with a web firewall. Optional; sentries then publish
	// none.
	API *API `json:"api,omitempty"`
	// Snapshots of the chain-data volumes.
	Snapshots Snapshots `json:"snapshots,omitempty"`
	// KMSKey is the ARN of the operator's own key for volumes, their snapshots and log groups. Default: a key of the stack's, rotated
	// yearly.
	KMSKey string `json:"kmsKey,omitempty"`
	// LogDays is how many days flow logs and access logs are kept. Default 365, which is also the least; what CloudWatch knows above it
	// is 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288 and 3653.
	LogDays int `json:"logDays,omitempty"`
	// Tags for everything that takes tags, at most 40, beside the library's own (Name, Project, Stack, ManagedBy, Role, Host, Tier,
	// Snapshots).
	Tags map[string]string `json:"tags,omitempty"`
	// Protect keeps machines, volumes, elastic addresses, keys and buckets from being deleted, by Pulumi and in the console. Default true.
	// To take a stack down: set it to false, pulumi up, pulumi destroy.
	Protect *bool `json:"protect,omitempty"`
	// ElasticIPQuota is how many elastic addresses the account may have in the region. Default 5, AWS's own; raise it after AWS has.
	ElasticIPQuota int `json:"elasticIPQuota,omitempty"`
}

// VPC is the network.
type VPC struct {
	// CIDR is the network's address range, private (RFC 1918 or 100.64.0.0/10), from /16 to /22, with api to /21. Default 10.20.0.0/16; with
	// existing there is none: it is that VPC's range, and required.
	CIDR string `json:"cidr,omitempty"`
	// Peers are the networks that will be routed to this one (peered VPCs, VPNs, offices): its range must not overlap them.
	Peers []string `json:"peers,omitempty"`
	// NAT says how private machines get out: "one" (default), a gateway for all zones, in the first of the list, or "per-zone",
	// which outlives a zone and costs a gateway more for each with private machines. No private machine, no gateway.
	NAT string `json:"nat,omitempty"`
	// Existing is a VPC of the operator's to be used in place of a new one. Its routes, gateways and flow logs are the operator's own.
	Existing *ExistingVPC `json:"existing,omitempty"`
}

// ExistingVPC names a VPC and its subnets, by zone.
type ExistingVPC struct {
	// ID is "vpc-…". Required.
	ID string `json:"id"`
	// Public subnets ("subnet-…") route to an internet gateway, Private ones to a NAT gateway. Each zone in use needs those of its machines.
	Public  map[string]string `json:"public,omitempty"`
	Private map[string]string `json:"private,omitempty"`
	// Balancer subnets are for load balancers alone; needed by front.kind nlb and by api. BalancerCIDRs are their ranges.
	Balancer      map[string]string `json:"balancer,omitempty"`
	BalancerCIDRs []string          `json:"balancerCIDRs,omitempty"`
}

// Machine is what an operator wishes of one machine.
type Machine struct {
	// Zone where it stands. Required with two or more zones: a default that followed the list would move machines when the list grows.
	Zone string `json:"zone,omitempty"`
	// InstanceType such as "m7i.2xlarge", of AWS's Nitro generations. Default: by role and network. On mainnet neither the P-Rep nor
	// sentries may be of a burstable type.
	InstanceType string `json:"instanceType,omitempty"`
	// Image is an AMI ("ami-…"). Default: the newest official Debian 12 image on the day when the machine was made; a newer one never
	// replaces it. Naming another image replaces the machine, not its chain data.
	Image string `json:"image,omitempty"`
	// RootGB is the root volume's size in GiB, at least 8. Default 20.
	RootGB int `json:"rootGB,omitempty"`
	// DataGB is the chain-data volume's size in GiB; default: the least that holds a file system of icon:node.minDiskGB. DataIOPS (3000 to
	// 80000) and DataThroughput (MiB/s, 125 to 1000) are its speed; default: 6000 and 250 on mainnet, else 3000 and 125. Node hosts only.
	DataGB         int `json:"dataGB,omitempty"`
	DataIOPS       int `json:"dataIOPS,omitempty"`
	DataThroughput int `json:"dataThroughput,omitempty"`
	// RestoreFrom is the snapshot ("snap-…") that the chain-data volume is made from. Node hosts only. A node key in it that is another
	// host's is removed before the node starts. Changing it makes a new volume.
	RestoreFrom string `json:"restoreFrom,omitempty"`
}

// Front is how the internet is led to the sentries.
type Front struct {
	// Kind is "dns" (default: an elastic address for each sentry, all under one name) or "nlb" (a network load balancer with an elastic
	// address in each zone; sentries have no public address). Sentry-fronted only.
	Kind string `json:"kind,omitempty"`
	// HostedZone is the Route 53 zone ("Z…") that holds the announced name: records, and with dns their health checks, are made there.
	// Optional: without it, publish the output sentryAddresses yourself.
	HostedZone string `json:"hostedZone,omitempty"`
	// ShieldAdvanced puts the elastic addresses under AWS Shield Advanced. The account must have subscribed (3,000 USD a month, for a
	// year at least); this library never subscribes.
	ShieldAdvanced bool `json:"shieldAdvanced,omitempty"`
}

// API publishes the citizens' API.
type API struct {
	// Name is the API's host name, "api.example.org". Required.
	Name string `json:"name"`
	// HostedZone is the Route 53 zone ("Z…") for Name: its record is made there, and the certificate too. Required unless certificate is
	// given.
	HostedZone string `json:"hostedZone,omitempty"`
	// Certificate is the ARN of an ACM certificate for Name in the region. Default: one is made and validated in hostedZone.
	Certificate string `json:"certificate,omitempty"`
	// RequestsPerSource is how many requests one address may send in five minutes. Default 2000; AWS WAF's least is 10.
	RequestsPerSource int `json:"requestsPerSource,omitempty"`
	// WithoutWAF leaves the web firewall out: nothing then limits what one address may ask.
	WithoutWAF bool `json:"withoutWAF,omitempty"`
}

// Snapshots are daily copies of the chain-data volumes.
type Snapshots struct {
	// Keep is how many are kept of each volume, at most 1000. Default 7.
	Keep int `json:"keep,omitempty"`
	// At is when, "hh:mm" UTC. Default "03:00".
	At string `json:"at,omitempty"`
	// Off makes none.
	Off bool `json:"off,omitempty"`
}

// Roles, as components/platform names them.
const (
	PRep    = "prep"
	Citizen = "citizen"
	Sentry  = "sentry"
	Bastion = "bastion"
)

// Tiers are the kinds of subnets.
const (
	Public     = "public"     // routes to the internet gateway: sentries, NAT gateways, the bastion
	Private    = "private"    // routes to a NAT gateway: P-Rep and citizens
	Monitoring = "monitoring" // reserved for the monitoring cluster
	Balancer   = "balancer"   // load balancers alone
)

// Kinds of Front.
const (
	FrontDNS = "dns"
	FrontNLB = "nlb"
)

// Ways of NAT.
const (
	NATOne     = "one"
	NATPerZone = "per-zone"
)

// Need is what a plan wants of AWS.
type Need struct {
	Hosts []Host
	// Network is the goloop network's profile: "mainnet", "lisbon", "berlin" or "custom".
	Network string
	// Announce is what the sentries are announced as, "name:7100"; empty without sentries.
	Announce string
	// Administrators are the networks (CIDR) that the bastion lets in.
	Administrators []string
}

// Host is one machine wanted.
type Host struct {
	Name, Role string
	// Exposed says that the internet reaches it directly: it needs an elastic address.
	Exposed bool
	// Arch is "amd64" or "arm64", where its software exists for that alone; empty: either.
	Arch string
	// MinDiskGB is the least size of its chain-data volume in 10^9 bytes; 0: it has none.
	MinDiskGB int
	// Generation of its elastic address: another number exchanges it, which takes a spare one for the while. 0: it never was.
	Generation int
}

// Problem is one mistake in Settings.
type Problem struct {
	// Key below icon:aws, for instance "machines.prep-1.zone".
	Key string
	// Message says what is wrong, what is wanted and what to do; Rule is the message before its values were filled in.
	Message, Rule string
}

// Design is what will be made: settings with their defaults filled in, and what follows from them.
type Design struct {
	// Settings with their defaults. Machines are as they were written; what each machine is in full is in Hosts.
	Settings Settings
	Hosts    []HostDesign
	// Subnets of the stack's own VPC that exist now. Empty with an existing VPC.
	Subnets []Subnet
	// NATZones are the zones with a NAT gateway.
	NATZones []string
	// BalancerCIDRs are the ranges that load balancers speak from.
	BalancerCIDRs []string
	// ElasticIPs by what they are for: a host's name, "nat-<zone>" or "nlb-<zone>".
	ElasticIPs []string
}

// HostDesign is one machine.
type HostDesign struct {
	Host
	Zone, Tier, InstanceType, Arch, Image string
	RootGB                                int
	// Data is nil for hosts without a node.
	Data *Volume
}

// Volume is a chain-data volume (gp3): GiB, IOPS, MiB/s.
type Volume struct {
	GB, IOPS, Throughput int
	RestoreFrom          string
}

// Subnet is one subnet of the stack's own VPC.
type Subnet struct {
	// Name is tier and zone letter, "public-a". It is the identity of the subnet: its CIDR follows from it and the VPC's alone.
	Name, Tier, Zone, CIDR string
}
