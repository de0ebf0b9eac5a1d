// Package stacks holds what an operator can wish for: the stack files and the one place that reads them. Nothing else in this module
// reads Pulumi configuration.
//
// An empty value (a list without items, "" or 0) is never taken for "the default": it is an error, and leaving the key out gives the
// default.
package stacks

import (
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"github.com/insight-icon/pulumi-icon/internal/awsplan"
	"github.com/insight-icon/pulumi-icon/internal/sentry"
)

// Config is one stack's wishes, as written in stacks/Pulumi.<stack>.yaml under the namespace "icon:". Each field's comment names its
// configuration key, its unit and its default.
type Config struct {
	// Topology is the reference architecture: "single-node", "sentry-fronted" or "citizens". Key icon:topology, required.
	Topology string `json:"topology"`
	// Platform says who provides the machines: "hosts" (machines that already exist) or "aws" (machines that are made there). Key
	// icon:platform, required.
	Platform string `json:"platform"`
	// Network is the goloop network to join. Key icon:network, required.
	Network Network `json:"network"`
	// Administrators are the IPv4 networks (CIDR) from which SSH is answered. Key icon:administrators, required, at least one;
	// 0.0.0.0/0 is refused. The machine that runs `pulumi up` must be inside one of them; bastions are let in besides. On aws they are
	// let in to the bastion, and other hosts answer the bastion alone.
	Administrators []string `json:"administrators"`
	// Maintenance says where hosts may connect to for packages, images, names and time. Key icon:maintenance.
	Maintenance Maintenance `json:"maintenance"`
	// Node says how goloop runs on every node host. Key icon:node.
	Node Node `json:"node"`
	// PRep is the validator. Key icon:prep; required by single-node and sentry-fronted, refused by citizens.
	PRep *PRep `json:"prep"`
	// Citizens are the nodes that follow the chain and answer the API. Key icon:citizens; required by the topology citizens, else
	// optional.
	Citizens *Citizens `json:"citizens"`
	// Sentries are the reverse proxies in front of the P-Rep. Key icon:sentries; required by sentry-fronted, refused by any other.
	Sentries *Sentries `json:"sentries"`
	// ImportedKeys maps a node host to the address ("hx" and 40 hexadecimal digits) of the node key to import there, out of the
	// secret icon:keystores. Hosts that are not named have their key born on the host. Key icon:importedKeys, optional.
	ImportedKeys map[string]string `json:"importedKeys"`
	// Hosts describes the machines of the platform "hosts". Key icon:hosts; required by that platform, refused by any other.
	Hosts *Hosts `json:"hosts"`
	// AWS describes what the platform "aws" makes there. Key icon:aws; required by that platform, refused by any other.
	AWS *awsplan.Settings `json:"aws"`
	// Hardening says what differs from the profiles that hosts are hardened by. Key icon:hardening, optional: without it every host is
	// hardened by its role's profile as it is.
	Hardening Hardening `json:"hardening"`
	// SSHAgent uses the SSH agent at $SSH_AUTH_SOCK in place of icon:sshPrivateKey. Key icon:sshAgent, default false.
	SSHAgent bool `json:"sshAgent"`
	// Secrets are only ever read through Pulumi's secret getters.
	Secrets Secrets `json:"-"`
}

// Secrets are the values that must be set with `pulumi config set --secret`. A key that is set in the clear is an error. A field is
// nil when its key is not set; otherwise it is an output that the engine keeps secret.
type Secrets struct {
	// SSHPrivateKey logs in to the hosts (PEM or OpenSSH text). Key icon:sshPrivateKey; required unless icon:sshAgent is true.
	SSHPrivateKey pulumi.StringPtrInput
	// SSHPrivateKeyPassphrase opens SSHPrivateKey. Key icon:sshPrivateKeyPassphrase, optional.
	SSHPrivateKeyPassphrase pulumi.StringPtrInput
	// Keystores holds, as JSON text, {"<host>": {"keystore": {…}, "password": "…"}} for each host of ImportedKeys. Key icon:keystores.
	Keystores pulumi.StringPtrInput
	// SentryCertificate is the certificate for sentries.tls.names: its chain, the server's own first, and its key, PEM in one text. Key
	// icon:sentryCertificate; required by sentries.tls without acme, refused otherwise.
	SentryCertificate pulumi.StringPtrInput
}

// Network names the goloop network. The public profiles carry their own data; "custom" is the operator's own network.
type Network struct {
	// Profile is "mainnet", "lisbon", "berlin" or "custom". Required.
	Profile string `json:"profile"`
	// Name is the custom network's name: lower-case letters, digits and "-". Custom only, required there.
	Name string `json:"name,omitempty"`
	// CID is the custom network's chain id, hexadecimal ("0x…"). Custom only, required there (`goloop gs info -c genesis.zip`).
	CID string `json:"cid,omitempty"`
	// NID is the custom network's network id, hexadecimal ("0x…"). Custom only, required there.
	NID string `json:"nid,omitempty"`
	// Genesis is the path of the custom network's genesis storage (zip), relative to the Pulumi project. Custom only, required there.
	Genesis string `json:"genesis,omitempty"`
	// Seeds are the addresses ("host:port") where a node finds the network, at most 32. Required for custom; for a public profile they
	// replace the profile's own. Citizens need a pure seed among them, since validators refuse them; a sealed P-Rep (prep.egress) needs a
	// validator among them, since validators do not ask the seeds that hang on them for other validators.
	Seeds []string `json:"seeds,omitempty"`
	// Platform is goloop's service platform of the custom network: "basic" (default) or "icon". Custom only.
	Platform string `json:"platform,omitempty"`
	// Channel is the custom network's channel name. Custom only, default "icon_dex".
	Channel string `json:"channel,omitempty"`
}

// Maintenance bounds the hosts' own connections to the outside: package mirrors and image registries (TCP), names (53), time (UDP 123).
type Maintenance struct {
	// To lists IPv4 networks (CIDR). Default: 0.0.0.0/0. Narrow it to a package proxy, a resolver and a time server where there are.
	To []string `json:"to,omitempty"`
	// Ports are the TCP ports for packages and images. Default: 80, 443.
	Ports []int `json:"ports,omitempty"`
}

// Node says how goloop runs.
type Node struct {
	// Runtime is "container" (default: the official image, needed wherever contracts are executed) or "binary" (a goloop binary
	// under systemd, for private networks of the basic platform).
	Runtime string `json:"runtime,omitempty"`
	// Binary is for the runtime "binary", required there.
	Binary *Binary `json:"binary,omitempty"`
	// Container is for the runtime "container", required there.
	Container *Container `json:"container,omitempty"`
	// Arch is the architecture of the nodes' machines, image and binary: "amd64" (default) or "arm64". The official image exists for amd64
	// alone, so public networks want that.
	Arch string `json:"arch,omitempty"`
	// DataDir is where chain data and the node key live on the host. Default "/var/lib/icon-node".
	DataDir string `json:"dataDir,omitempty"`
	// MinDiskGB is the least size in GB (10^9 bytes) of the file system that holds DataDir. Default: by network profile
	// (mainnet 2500, lisbon and berlin 500, custom 1).
	MinDiskGB int `json:"minDiskGB,omitempty"`
	// OnDestroy says what becomes of chain data and node key when the node is removed: "keep" (default) or "wipe".
	OnDestroy string `json:"onDestroy,omitempty"`
	// LogLevel is goloop's log level: trace, debug, info (default), warn or error.
	LogLevel string `json:"logLevel,omitempty"`
	// SyncTimeout is how long, in seconds, a deploy waits for a node to answer, join and rise. Default 300.
	SyncTimeout int `json:"syncTimeout,omitempty"`
}

// Binary is a goloop executable on the machine that runs Pulumi. goloop publishes no binaries: build one with `make tools`.
type Binary struct {
	// Path of the executable, relative to the Pulumi project. Required. It is copied to each node host.
	Path string `json:"path"`
}

// Container is goloop's official image.
type Container struct {
	// Image is the reference pinned by digest, "registry/name@sha256:…" (a tag before the "@" is allowed). Required.
	Image string `json:"image"`
	// Engine is "podman" (default) or "docker", both from the distribution's packages.
	Engine string `json:"engine,omitempty"`
	// ConfigURL is where the image looks for the network's settings and genesis at every start. Default: the network operator's
	// https://networkinfo.solidwallet.io/node_info. Point it at a mirror where that has gone, or for a custom network.
	ConfigURL string `json:"configURL,omitempty"`
	// Archive is the path, relative to the Pulumi project, of an image archive (docker-archive or oci-archive tar) to be copied to
	// the hosts and loaded instead of being pulled: for hosts that reach no registry. Its digest must be that of Image. Optional.
	Archive string `json:"archive,omitempty"`
}

// PRep is the validator node.
type PRep struct {
	// Host is the machine's name: on the platform hosts one of icon:hosts.machines; on aws it is made under that name. Required.
	Host string `json:"host"`
	// Announce is the address ("host:port") under which other validators reach this node. Single-node only; default: the host's
	// public address (on aws its elastic address) and port 7100. With sentries, sentries.announce is used.
	Announce string `json:"announce,omitempty"`
	// Egress says how the P-Rep's own connections to the network leave. Sentry-fronted only. "sealed" (default): only to the
	// sentries, which relay to the seeds. "routed": to any validator, by a route that hides the address: on aws the NAT gateway, on
	// hosts the operator's own; the host's own address shows if there is no such route.
	Egress string `json:"egress,omitempty"`
}

// Citizens are nodes without a vote.
type Citizens struct {
	// Hosts are the machines' names, one citizen each. Required, at least one. A host carries one node only.
	Hosts []string `json:"hosts"`
	// APIFrom lists the IPv4 networks (CIDR) that may reach the citizens' port 9000 directly. goloop answers /admin and /metrics
	// there without a key, so 0.0.0.0/0 is refused. Default: none (with sentries, the sentries).
	APIFrom []string `json:"apiFrom,omitempty"`
}

// Sentries are the reverse proxies that the internet sees.
type Sentries struct {
	// Hosts are the machines' names. Required, at least two: one alone is a single point of failure.
	Hosts []string `json:"hosts"`
	// Announce is what the P-Rep tells other validators: "name:7100", where the name resolves to every sentry's public address, or
	// one sentry's (or a load balancer's) address. Required. IPv4 only, since goloop is.
	Announce string `json:"announce"`
	// API says whether the sentries publish the citizens' /api/v3 on port 9000, with tls on 443. Default: true when there are citizens, but
	// false with icon:aws.api, whose load balancer then publishes it.
	API *bool `json:"api,omitempty"`
	// Variant is what stands on a sentry: "haproxy+nftables" (default), "haproxy" alone, or "nginx", which has no list of peers, no API keys
	// and no bans.
	Variant string `json:"variant,omitempty"`
	// Agent is the path of the sentries' agent, built for their architecture, relative to the Pulumi project. Default: it is built from this
	// module with the Go on the PATH of the machine that runs Pulumi, on the platform hosts for node.arch.
	Agent string `json:"agent,omitempty"`
	// Users are the IPv4 networks (CIDR) of known users of the API: they have a share of their own and wider limits, and are never banned.
	Users []string `json:"users,omitempty"`
	// Peers is the list of the validators that are known to belong to the network.
	Peers Peers `json:"peers,omitempty"`
	// TLS has the API on port 443, encrypted, in place of 9000. Optional.
	TLS *TLS `json:"tls,omitempty"`
	// CORS are the origins ("https://app.example.org") whose pages may ask the API from a browser; "*" alone is any. Default: none.
	CORS []string `json:"cors,omitempty"`
	// APIKeys by the name of who holds them. A request with one ("X-API-Key: …") has that one's limits wherever it comes from. Optional.
	APIKeys map[string]APIKey `json:"apiKeys,omitempty"`
	// APIKeysOnly refuses requests without a key. Default false.
	APIKeysOnly bool `json:"apiKeysOnly,omitempty"`
	// Draining are the hosts that are being taken out of service: each waits until the announced name no longer leads to it, then until its
	// connections have moved. One that is taken off this list serves again. Optional.
	Draining []string `json:"draining,omitempty"`
	// AnnounceCheck says what a deploy does when announce is a name that leads elsewhere, or nowhere: "require" is an error before anything
	// is changed, "warn" a warning. That it leads to some of the sentries only is a warning, since a new one is published once it is
	// deployed. Default: require on the platform hosts; on aws, where addresses are made by the deploy, warn, and require is refused.
	AnnounceCheck string `json:"announceCheck,omitempty"`
	// Rotate maps a sentry to a number: another number than before gives it a new public address while the others serve, and gives the old
	// one up. Platform aws only, with front.kind dns. Optional.
	Rotate map[string]int `json:"rotate,omitempty"`
	// Limits of each sentry.
	Limits sentry.Limits `json:"limits,omitempty"`
}

// Peers is the list of known validators: they have a share of the connections on 7100 that strangers cannot take, and are never banned. The
// sentries keep it from the chain's own list of P-Reps, what the stack's nodes see, and static.
type Peers struct {
	// Mode is "prefer" (default: a share is kept for the list, strangers have the rest), "enforce" (once there is a list, nobody else is let
	// in) or "off", which is the variant nginx's only one and its default.
	Mode string `json:"mode,omitempty"`
	// Static are IPv4 addresses, networks (CIDR) or names that are always on the list. Default: none.
	Static []string `json:"static,omitempty"`
	// Endpoints are API addresses ("https://…/api/v3") that are asked for the P-Reps, in this order, before the stack's own nodes are. They
	// are believed. Default: the network's own for a public profile, none for custom.
	Endpoints []string `json:"endpoints,omitempty"`
	// RefreshSeconds is how long after one refresh the next begins, from 10 to 86400. Default 120.
	RefreshSeconds int `json:"refreshSeconds,omitempty"`
	// MaxShrinkPercent is by how much of itself a list may shrink at once, from 1 to 100; one that shrinks more is taken only if it is still
	// the same an hour later. Default 20.
	MaxShrinkPercent int `json:"maxShrinkPercent,omitempty"`
}

// TLS encrypts the API. The certificate is the operator's own, in the secret icon:sentryCertificate, or got by ACME.
type TLS struct {
	// Names are the host names that users call, all on one certificate. Required. With acme each must lead to the sentries.
	Names []string `json:"names"`
	// ACME has each sentry get a certificate and renew it; the authority asks on port 80. Giving it, even empty ({}), accepts the
	// authority's terms of service.
	ACME *ACME `json:"acme,omitempty"`
}

// ACME is how a certificate is got.
type ACME struct {
	// Directory is the authority's ACME address. Default: "https://acme-v02.api.letsencrypt.org/directory".
	Directory string `json:"directory,omitempty"`
	// Email is where the authority may warn of trouble. Optional.
	Email string `json:"email,omitempty"`
}

// APIKey is what the holder of an API key may do.
type APIKey struct {
	// SHA256 is the key's SHA-256, 64 hexadecimal digits: printf %s KEY | sha256sum. Make the key itself by: openssl rand -hex 32. Required.
	SHA256 string `json:"sha256"`
	// RequestsPer10s is how many requests it has on each sentry in 10 seconds. Default: ten times limits.apiRequestsPerSource.
	RequestsPer10s int `json:"requestsPer10s,omitempty"`
	// ExpensivePer10s is how many of these may be expensive. Default: ten times limits.apiExpensivePerSource, at most requestsPer10s.
	ExpensivePer10s int `json:"expensivePer10s,omitempty"`
}

// Hosts are machines that already exist.
type Hosts struct {
	// User is the login for every machine that names none. Default "root"; another user needs sudo without a password.
	User string `json:"user,omitempty"`
	// Port is the SSH port for every machine that names none. Default 22.
	Port int `json:"port,omitempty"`
	// ConnectTimeout is how long, in seconds, a host may take to answer before the deploy gives up on it. Default 60.
	ConnectTimeout int `json:"connectTimeout,omitempty"`
	// Bastion is the jump host for every machine that names none. Optional.
	Bastion *Bastion `json:"bastion,omitempty"`
	// Machines by name: lower-case letters, digits and "-". Required. A machine that no role uses is left alone.
	Machines map[string]Machine `json:"machines"`
}

// Machine is one existing machine.
type Machine struct {
	// Address is where SSH reaches it: IPv4 address or name. Required.
	Address string `json:"address"`
	// PrivateAddress is its IPv4 address among the hosts of the plan. Default: Address, if that is an IPv4 address.
	PrivateAddress string `json:"privateAddress,omitempty"`
	// PublicAddress is its IPv4 address on the internet, for hosts that serve it. Default: Address, if that is an IPv4 address.
	PublicAddress string `json:"publicAddress,omitempty"`
	// User and Port override those of Hosts.
	User string `json:"user,omitempty"`
	Port int    `json:"port,omitempty"`
	// HostKey is the machine's SSH host key as in known_hosts, "ssh-ed25519 AAAA…". Required: a host is never trusted on first sight.
	HostKey string `json:"hostKey"`
	// Bastion overrides that of Hosts.
	Bastion *Bastion `json:"bastion,omitempty"`
}

// Bastion is a jump host. The same key logs in there.
type Bastion struct {
	// Address is where SSH reaches it: IPv4 address or name. Required.
	Address string `json:"address"`
	// PrivateAddress is the IPv4 address from which it reaches the hosts. Default: Address, if that is an IPv4 address.
	PrivateAddress string `json:"privateAddress,omitempty"`
	// User, default "root", and Port, default 22.
	User string `json:"user,omitempty"`
	Port int    `json:"port,omitempty"`
	// HostKey as in Machine. Required.
	HostKey string `json:"hostKey"`
}
