// Package topologies holds the reference architectures: from a stack's wishes to a plan, which is pure data, and from a plan to
// components.
package topologies

import (
	"fmt"
	"slices"
	"strings"

	"github.com/insight-icon/pulumi-icon/components"
	"github.com/insight-icon/pulumi-icon/components/platform"
	"github.com/insight-icon/pulumi-icon/hardening"
	"github.com/insight-icon/pulumi-icon/internal/awsplan"
	"github.com/insight-icon/pulumi-icon/internal/cost"
	"github.com/insight-icon/pulumi-icon/internal/sentry"
	"github.com/insight-icon/pulumi-icon/stacks"
)

// Plan is what will exist, as pure data. It can be made and printed with no engine and no cloud.
type Plan struct {
	// Topology and Platform, by their names in the configuration.
	Topology, Platform string
	// Network that the nodes join.
	Network stacks.Profile
	// Hosts, the P-Rep's first, then sentries, then citizens, each by name; last the bastion, where the platform makes one.
	Hosts []platform.HostSpec
	// Hardening by host name: what each host is hardened by.
	Hardening map[string]*hardening.Selection
	// Nodes by host name: those hosts that run goloop.
	Nodes map[string]Node
	// Sentries is nil for a plan without.
	Sentries *Sentries
	// Edges are the only connections that will be open, but for SSH from Administrators.
	Edges []platform.Edge
	// Administrators are the networks that SSH is answered to; bastions are among them.
	Administrators []string
	// Software and settings that all nodes share.
	Software components.Software
	Wipe     bool
	LogLevel string
	// SyncTimeout is in seconds.
	SyncTimeout int
	// Cost is what the installation costs a month, nil where the platform has no prices: the machines are the operator's own.
	Cost *Cost
	// design is what AWS is asked for, nil on other platforms.
	design *awsplan.Design
}

// Cost is what an installation costs a month, at list prices.
type Cost = cost.Cost

// Node is one goloop node.
type Node struct {
	Role platform.Role
	// Announce is what other nodes are told, "host:port". Empty: the public address that the platform gives the host, and port 7100.
	Announce string
	// ThroughSentries says that the node finds the network by the sentries' relays; otherwise by the network's seeds directly.
	ThroughSentries bool
	// ImportAddress is the address of the key to import; empty: the key is born on the host.
	ImportAddress string
	// WebSockets is how many the node has at once; 0: goloop's own number.
	WebSockets int
}

// Sentries is the layer in front of the P-Rep.
type Sentries struct {
	Hosts []string
	PRep  string
	// Citizens whose API the sentries publish.
	Citizens []string
	// Relay says that sentries lead the plan's nodes to the network's seeds.
	Relay  bool
	Limits components.SentryLimits
	// Variant is what stands on a sentry, by its name in the configuration. Agent is the path of its agent, empty for one that is built.
	Variant, Agent string
	// Users are the networks of known users of the API.
	Users []string
	// Peers says where the list of known peers comes from; Observed are the hosts of the nodes that are asked for it, too.
	Peers    stacks.Peers
	Observed []string
	// TLS is nil where the API is in the clear.
	TLS  *stacks.TLS
	CORS []string
	// Keys of the API by their holders; KeysOnly refuses requests without one.
	Keys     map[string]components.SentryKey
	KeysOnly bool
	// Draining are those hosts that leave: nobody is led to them any more.
	Draining []string
}

// apiPorts are where the sentries publish the API; none if they do not.
func (s *Sentries) apiPorts() []int {
	switch {
	case len(s.Citizens) == 0:
		return nil
	case s.TLS == nil:
		return []int{sentry.APIPort}
	case s.TLS.ACME == nil:
		return []int{sentry.TLSPort}
	default:
		return []int{sentry.ACMEPort, sentry.TLSPort}
	}
}

// kernel says that the sentries have a table of their own in the kernel, which keeps no record of connections to the public ports.
func (s *Sentries) kernel() bool { return s.Variant == string(sentry.HAProxyNftables) }

// String is how the sentries stand, for a reader of the plan.
func (s *Sentries) String() string {
	words := []string{s.Variant, "list of peers: " + s.Peers.Mode}
	switch {
	case len(s.Citizens) == 0:
		words = append(words, "no API")
	case s.TLS == nil:
		words = append(words, "API in the clear")
	case s.TLS.ACME != nil:
		words = append(words, "API encrypted for "+strings.Join(s.TLS.Names, " ")+", certificates by ACME")
	default:
		words = append(words, "API encrypted for "+strings.Join(s.TLS.Names, " ")+", certificate of the operator's")
	}
	if s.KeysOnly {
		words = append(words, "API keys required")
	} else if len(s.Keys) > 0 {
		words = append(words, fmt.Sprintf("API keys: %d", len(s.Keys)))
	}
	if len(s.Draining) > 0 {
		words = append(words, "draining: "+strings.Join(s.Draining, " "))
	}
	return strings.Join(words, "; ")
}

// hostsOf are the names of the hosts with a role, in the plan's order.
func (p *Plan) hostsOf(role platform.Role) []string {
	var names []string
	for _, h := range p.Hosts {
		if h.Role == role {
			names = append(names, h.Name)
		}
	}
	return names
}

// fronted says whether a load balancer is part of the plan.
func (p *Plan) fronted(name string) bool {
	return slices.ContainsFunc(p.Edges, func(e platform.Edge) bool { return e.To.Front == name })
}

// String is the plan for a reader: the hosts, who may talk to whom, and what hosts are hardened by.
func (p *Plan) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s on %s, network %s (cid %s, nid %s)\n", p.Topology, p.Platform, p.Network.Name, p.Network.CID, p.Network.NID)
	fmt.Fprintf(&b, "\nhosts\n")
	for _, h := range p.Hosts {
		b.WriteString(strings.TrimRight(fmt.Sprintf("  %-20s %-8s %s", h.Name, h.Role, p.detail(h.Name)), " ") + "\n")
	}
	if p.Sentries != nil {
		fmt.Fprintf(&b, "\nsentries: %s\n", p.Sentries)
	}
	fmt.Fprintf(&b, "\nconnections that are open; every other one is refused\n")
	p.writeSSH(&b)
	for _, e := range p.Edges {
		ports := make([]string, len(e.Ports))
		for i, port := range e.Ports {
			ports[i] = fmt.Sprint(port)
		}
		why := e.Why
		if e.ExceptNode {
			why += ", not goloop itself"
		}
		if e.Untracked {
			why += ", not tracked by the kernel"
		}
		fmt.Fprintf(&b, "  %s -> %s %s/%s: %s\n", e.From, e.To, e.Protocol, strings.Join(ports, ","), why)
	}
	p.writeHardening(&b)
	if p.design != nil {
		p.writeQuotas(&b)
	}
	if p.Cost != nil {
		fmt.Fprintf(&b, "\n%s", p.Cost)
	}
	return b.String()
}

func (p *Plan) writeSSH(b *strings.Builder) {
	to := "every host"
	if jump := p.hostsOf(platform.Bastion); len(jump) > 0 {
		to = strings.Join(jump, " ")
		fmt.Fprintf(b, "  %s -> every other host tcp/ssh: administrators\n", to)
	}
	fmt.Fprintf(b, "  %s -> %s tcp/ssh: administrators\n", strings.Join(p.Administrators, " "), to)
}

// writeQuotas says what the account must be allowed. That of elastic addresses was checked; that of processors differs from account to
// account.
func (p *Plan) writeQuotas(b *strings.Builder) {
	d := p.design
	least := ""
	vCPUs, exactly := d.VCPUs()
	if !exactly {
		least = "more than "
	}
	fmt.Fprintf(b, "\nquotas of the account in %s (AWS: Service Quotas, EC2)\n", d.Settings.Region)
	fmt.Fprintf(b, "  elastic addresses: %d of %d\n", len(d.ElasticIPs), d.Settings.ElasticIPQuota)
	fmt.Fprintf(b, "  vCPUs of on-demand standard instances: %s%d; not checked, and 5 in a new account\n", least, vCPUs)
}

func (p *Plan) detail(host string) string {
	var words []string
	if p.design != nil {
		words = append(words, machine(p.design, host)...)
	}
	n, ok := p.Nodes[host]
	if !ok {
		return strings.Join(words, ", ")
	}
	announces := n.Announce
	if announces == "" {
		announces = "its own address"
	}
	words = append(words, "announces "+announces)
	if n.ThroughSentries {
		words = append(words, "finds the network through the sentries")
	}
	if n.ImportAddress != "" {
		words = append(words, "imports the key "+n.ImportAddress)
	}
	return strings.Join(words, ", ")
}

// machine is what AWS is asked for by a host's name.
func machine(design *awsplan.Design, host string) []string {
	i := slices.IndexFunc(design.Hosts, func(h awsplan.HostDesign) bool { return h.Name == host })
	if i < 0 {
		return nil
	}
	m := design.Hosts[i]
	words := []string{m.InstanceType + " in " + m.Zone}
	if m.Data != nil {
		words = append(words, fmt.Sprintf("%d GiB of chain data", m.Data.GB))
	}
	return words
}

// sorted is a sorted copy.
func sorted(names []string) []string { return slices.Sorted(slices.Values(names)) }
