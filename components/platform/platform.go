// Package platform is the contract between the cloud-neutral components and whatever provides machines. A platform turns a
// NetworkSpec, plain data, into hosts; everything above sees hosts only.
package platform

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"github.com/insight-icon/pulumi-icon/hardening"
	"github.com/insight-icon/pulumi-icon/internal/remote"
)

// Role is what a host is for. It decides the machine's size and what may reach it.
type Role string

// The roles of a host.
const (
	PRep    Role = "prep"
	Citizen Role = "citizen"
	Sentry  Role = "sentry"
	// Bastion is the jump host that SSH goes through.
	Bastion Role = "bastion"
)

// NetworkSpec is what is wanted of a platform: which hosts, and who may talk to whom.
type NetworkSpec struct {
	Hosts []HostSpec
	// Edges are the only connections that may be opened. A platform with a firewall of its own makes its rules from them; the hosts'
	// own firewalls are made from the same list.
	Edges []Edge
	// Administrators are the networks (CIDR) that SSH is answered to.
	Administrators []string
}

// HostSpec is what is wanted of one machine.
type HostSpec struct {
	// Name, unique in the stack.
	Name string
	Role Role
	// Variant of a sentry (SentryLayerArgs.Variant): its software is installed along with what the hardening needs.
	Variant string
	// SSHPorts are where its sshd listens. Default: 22.
	SSHPorts []int
	// Behind is the host of the plan that SSH comes through, a bastion. Empty: administrators reach it themselves.
	Behind string
	// Arch is "amd64" or "arm64", where the role's software exists for that alone; empty: either.
	Arch string
	// Ports are the TCP ports that the role listens on; they must be free.
	Ports []int
	// Data is the node's data directory, nil for hosts without a node.
	Data *Data
	// Hardening is what the host is hardened by, nil for its role's profile as it is.
	Hardening *hardening.Selection
	// Generation of its public address: another number gives the host another address, where the platform makes addresses, and the old one
	// is given up once the new one is in use. Default 0.
	Generation int
}

// Data is where a node keeps its chain.
type Data struct {
	// Dir on the host.
	Dir string
	// MinDiskGB is the least size of its file system, in 10^9 bytes.
	MinDiskGB int
	// CID is the chain that it may hold ("0x…"); another network's is never overwritten.
	CID string
	// Runtime is what the node runs in: "binary", "podman" or "docker".
	Runtime string
	// Keep says that the data outlives the machine and the stack: a disk that the platform makes for it is never deleted.
	Keep bool
}

// Edge is one kind of connection that may be opened.
type Edge struct {
	From, To Party
	// Protocol is "tcp" or "udp"; Ports are destination ports.
	Protocol string
	Ports    []int
	// ExceptNode keeps goloop itself, where it runs as a user of its own, from using the edge: for a hidden node's way to package mirrors
	// and the like, since goloop dials whatever address another node announces.
	ExceptNode bool
	// Untracked says that the hosts at To keep no record of these connections, so that no flood of them fills it: sentries with a table of
	// their own in the kernel.
	Untracked bool
	// Why is the reason, in a few words.
	Why string
}

// Party is one end of an edge: hosts of the plan, networks outside it, or a front of the platform's.
type Party struct {
	Hosts    []string
	Networks []string
	// Front is a load balancer of the platform's, by its name there ("nlb", "alb"). Networks are then the addresses that hosts see its
	// connections come from: the clients' own, or those of its subnets.
	Front string
}

// HostParty are hosts of the plan.
func HostParty(names ...string) Party { return Party{Hosts: names} }

// NetworkParty are networks outside the plan (CIDR).
func NetworkParty(networks ...string) Party { return Party{Networks: networks} }

// FrontParty is a load balancer of the platform's, whose connections hosts see come from networks.
func FrontParty(name string, networks ...string) Party { return Party{Front: name, Networks: networks} }

// Anywhere is the whole internet.
func Anywhere() Party { return NetworkParty("0.0.0.0/0") }

// String shows a party as a reader expects it.
func (p Party) String() string {
	switch {
	case p.Front != "":
		return p.Front
	case len(p.Hosts) > 0:
		return strings.Join(p.Hosts, " ")
	case slices.Contains(p.Networks, "0.0.0.0/0"):
		return "anywhere"
	default:
		return strings.Join(p.Networks, " ")
	}
}

// Platform provides machines.
type Platform interface {
	// Name is the configuration's word for it: "hosts", "aws", …
	Name() string
	// LoginUser is who the deploy logs in as on a host of that name, who must never be kept from it.
	LoginUser(host string) string
	// Validate refuses by name what this platform cannot do, all at once, before anything exists.
	Validate(spec NetworkSpec) error
	// Network makes the hosts, and opens the edges where the platform itself can close them. Children belong to parent.
	Network(ctx *pulumi.Context, name string, spec NetworkSpec, parent pulumi.Resource) (map[string]*Host, error)
}

// HostType is the type token of a Host.
const HostType = "icon:platform:Host"

// Host is a machine that SSH reaches with a known host key. Hardening, nodes and sentries see nothing else of a platform.
type Host struct {
	pulumi.ResourceState
	// Spec is what was asked for.
	Spec HostSpec
	// Address is where SSH reaches it, PrivateAddress where other hosts of the plan reach it, and PublicAddress where the internet
	// reaches it if it serves the internet.
	Address, PrivateAddress, PublicAddress pulumi.StringOutput
	// SSHFrom is where its SSH connections to hosts behind it come from.
	SSHFrom pulumi.StringOutput
	// Protected says that the stack protects the host: its last steps are protected, too. The engine deletes what others do not depend on
	// first, and without a preview finds out that a machine is protected only when its node has been stopped.
	Protected bool
	// Session is its chain of steps.
	Session *remote.Session
	// Zone, OS ("debian-12") and Arch ("amd64", "arm64") are known at plan time where the platform makes the machine; else empty.
	Zone, OS, Arch string
	// DataDevice is the block device for Spec.Data, "/dev/disk/by-id/…": made by the platform, formatted and mounted by the step "disk".
	// Nil where the data directory is on a file system of the operator's. DataRestored says that it was made from a snapshot, DataGiB how
	// large it is.
	DataDevice   pulumi.StringInput
	DataRestored bool
	DataGiB      int
}

// HostArgs are the inputs of NewHost, which platforms call.
type HostArgs struct {
	Spec                                   HostSpec
	Address, PrivateAddress, PublicAddress pulumi.StringInput
	Login                                  remote.Login
	// SSHFrom, of a bastion, is the network (CIDR) that its connections to hosts behind it come from. Default: PrivateAddress. Where a new
	// machine has another address it must be wide enough for that: the firewalls of the hosts behind would lock the new bastion out, and
	// nothing else reaches them.
	SSHFrom pulumi.StringInput
	// Protected as in Host.
	Protected bool
	// DeletedWith is the machine's own resource, nil for machines that exist anyway. See remote.SessionArgs.
	DeletedWith pulumi.Resource
	// Zone, OS, Arch, DataDevice, DataRestored and DataGiB as in Host.
	Zone, OS, Arch string
	DataDevice     pulumi.StringInput
	DataRestored   bool
	DataGiB        int
}

// NewHost registers a host.
func NewHost(ctx *pulumi.Context, name string, args *HostArgs, opts ...pulumi.ResourceOption) (*Host, error) {
	if args == nil || args.Spec.Name == "" || args.Address == nil || args.PrivateAddress == nil || args.PublicAddress == nil {
		return nil, errors.New("host " + name + ": Spec.Name, Address, PrivateAddress and PublicAddress are required")
	}
	session, err := remote.NewSession(remote.SessionArgs{Host: args.Spec.Name, Login: args.Login, DeletedWith: args.DeletedWith})
	if err != nil {
		return nil, err
	}
	h := &Host{
		Spec: args.Spec, Session: session, Zone: args.Zone, OS: args.OS, Arch: args.Arch, DataDevice: args.DataDevice,
		DataRestored: args.DataRestored, DataGiB: args.DataGiB, Protected: args.Protected,
	}
	if err := ctx.RegisterComponentResource(HostType, name, h, opts...); err != nil {
		return nil, fmt.Errorf("register host %q: %w", name, err)
	}
	h.Address = args.Address.ToStringOutput()
	h.PrivateAddress = args.PrivateAddress.ToStringOutput()
	h.PublicAddress = args.PublicAddress.ToStringOutput()
	h.SSHFrom = h.PrivateAddress
	if args.SSHFrom != nil {
		h.SSHFrom = args.SSHFrom.ToStringOutput()
	}
	return h, ctx.RegisterResourceOutputs(h, pulumi.Map{
		"name": pulumi.String(args.Spec.Name), "address": h.Address, "privateAddress": h.PrivateAddress, "publicAddress": h.PublicAddress,
	})
}
