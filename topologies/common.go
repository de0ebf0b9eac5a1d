package topologies

import (
	"net"
	"slices"
	"strconv"

	"github.com/insight-icon/pulumi-icon/components"
	"github.com/insight-icon/pulumi-icon/components/platform"
	"github.com/insight-icon/pulumi-icon/internal/goloop"
	"github.com/insight-icon/pulumi-icon/stacks"
)

// newPlan is what every topology begins with.
func newPlan(c *stacks.Config) *Plan {
	p := &Plan{
		Topology: c.Topology, Platform: c.Platform, Network: c.Network.Resolve(),
		Nodes: map[string]Node{}, Administrators: administrators(c), Hardening: c.Selections(),
		Wipe: c.Node.OnDestroy == "wipe", LogLevel: c.Node.LogLevel, SyncTimeout: c.Node.SyncTimeout,
	}
	if c.AWS != nil {
		design, _ := c.AWS.Complete(c.AWSNeed()) // the configuration has been found valid
		cost := design.Cost()
		p.Cost, p.design = &cost, design
	}
	if b := c.Node.Binary; b != nil {
		p.Software.Binary = b.Path
	}
	if i := c.Node.Container; i != nil {
		p.Software.Container = &components.Container{Image: i.Image, Engine: i.Engine, ConfigURL: i.ConfigURL, Archive: i.Archive}
	}
	return p
}

// addNode adds a host that runs goloop.
func (p *Plan) addNode(c *stacks.Config, host string, n Node, ports ...int) {
	n.ImportAddress = c.ImportedKeys[host]
	p.Nodes[host] = n
	p.addHost(c, platform.HostSpec{
		Name: host, Role: n.Role, Ports: ports, Arch: c.Node.Arch,
		Data: &platform.Data{Dir: c.Node.DataDir, MinDiskGB: c.Node.MinDiskGB, CID: p.Network.CID, Runtime: c.NodeRuntime(), Keep: !p.Wipe},
	})
}

func (p *Plan) addHost(c *stacks.Config, h platform.HostSpec) {
	h.SSHPorts, h.Hardening = []int{22}, p.Hardening[h.Name]
	switch {
	case c.Hosts != nil:
		// The port that the deploy uses is sshd's own, or leads to 22 by a redirection in front of the machine.
		if port := c.Hosts.Machines[h.Name].Port; port != 0 && port != 22 {
			h.SSHPorts = append(h.SSHPorts, port)
		}
	case h.Role != platform.Bastion:
		h.Behind = bastionName
	}
	p.Hosts = append(p.Hosts, h)
}

// bastionName is the jump host of a plan on a cloud.
const bastionName = string(platform.Bastion)

// finish adds what every plan ends with: the jump host, where the platform makes machines, and what every host needs of the outside.
func (p *Plan) finish(c *stacks.Config) *Plan {
	if c.Hosts == nil {
		p.addHost(c, platform.HostSpec{Name: bastionName, Role: platform.Bastion})
	}
	p.allowMaintenance(c)
	return p
}

// publishAPI opens the way to the citizens' API by the cloud's load balancer, if the stack has one. Hosts see its connections come from
// its own subnets.
func (p *Plan) publishAPI(c *stacks.Config) {
	if c.AWS == nil || c.AWS.API == nil {
		return
	}
	p.allow(platform.Anywhere(), platform.FrontParty(frontALB), "tcp", "API users", 443)
	citizens := platform.HostParty(p.hostsOf(platform.Citizen)...)
	p.allow(platform.FrontParty(frontALB, p.design.BalancerCIDRs...), citizens, "tcp", "API users, balanced", goloop.RPCPort)
}

// Names of the load balancers of AWS in a plan's edges.
const (
	frontNLB = "nlb"
	frontALB = "alb"
)

// allowIn opens ports of the sentries to the internet, through the network load balancer if there is one: it keeps the clients' addresses.
func (p *Plan) allowIn(c *stacks.Config, sentries platform.Party, why string, ports ...int) {
	if c.AWS == nil || c.AWS.Front.Kind != frontNLB {
		p.allow(platform.Anywhere(), sentries, "tcp", why, ports...)
	} else {
		p.allow(platform.Anywhere(), platform.FrontParty(frontNLB), "tcp", why, ports...)
		p.allow(platform.FrontParty(frontNLB, "0.0.0.0/0"), sentries, "tcp", why+", balanced", ports...)
	}
	p.Edges[len(p.Edges)-1].Untracked = p.Sentries.kernel()
}

// allow adds an edge; a party that is nobody adds none.
func (p *Plan) allow(from, to platform.Party, protocol, why string, ports ...int) {
	nobody := func(p platform.Party) bool { return len(p.Hosts)+len(p.Networks) == 0 && p.Front == "" }
	if nobody(from) || nobody(to) {
		return
	}
	p.Edges = append(p.Edges, platform.Edge{From: from, To: to, Protocol: protocol, Ports: ports, Why: why})
}

// allowMaintenance opens what every host needs of the outside: packages, names and time.
func (p *Plan) allowMaintenance(c *stacks.Config) {
	var all []string
	for _, h := range p.Hosts {
		all = append(all, h.Name)
	}
	hosts, outside := platform.HostParty(all...), platform.NetworkParty(c.Maintenance.To...)
	first := len(p.Edges)
	p.allow(hosts, outside, "tcp", "packages and images", c.Maintenance.Ports...)
	p.allow(hosts, outside, "udp", "names and time", 53, 123)
	p.allow(hosts, outside, "tcp", "names", 53)
	p.allow(hosts, outside, "tcp", "keys for time that is authenticated (NTS)", 4460)
	if c.AWS != nil {
		p.allow(hosts, platform.NetworkParty(stacks.AWSTime+"/32"), "udp", "AWS's own time", 123)
	}
	// Behind relays, goloop has no business outside: a node that announced a port of these would have it show the host's address.
	if p.Sentries != nil && p.Sentries.Relay {
		for i := range p.Edges[first:] {
			p.Edges[first+i].ExceptNode = true
		}
	}
}

// allowDialling opens the way from hosts to every node of the network. Nodes use ICON's usual port, and the seeds theirs.
func (p *Plan) allowDialling(hosts ...string) {
	p.allow(platform.HostParty(hosts...), platform.Anywhere(), "tcp", "the network's nodes", p.networkPorts()...)
}

// networkPorts are ICON's usual P2P port and those of the network's seeds.
func (p *Plan) networkPorts() []int {
	ports := []int{goloop.P2PPort}
	for _, s := range p.Network.Seeds {
		if _, port, err := net.SplitHostPort(s); err == nil {
			if n, err := strconv.Atoi(port); err == nil {
				ports = append(ports, n)
			}
		}
	}
	slices.Sort(ports)
	return slices.Compact(ports)
}

// administrators are the configured networks and the bastions, from which SSH comes where there are any.
func administrators(c *stacks.Config) []string {
	list := slices.Clone(c.Administrators)
	add := func(b *stacks.Bastion) {
		if b != nil {
			address := b.PrivateAddress
			if address == "" {
				address = b.Address
			}
			list = append(list, address+"/32")
		}
	}
	if c.Hosts != nil {
		add(c.Hosts.Bastion)
		for _, name := range sortedMachines(c) {
			add(c.Hosts.Machines[name].Bastion)
		}
	}
	slices.Sort(list)
	return slices.Compact(list)
}

func sortedMachines(c *stacks.Config) []string {
	names := make([]string, 0, len(c.Hosts.Machines))
	for n := range c.Hosts.Machines {
		names = append(names, n)
	}
	return sorted(names)
}

// announced is what a node of its own name tells others, where that is known before anything exists; else it is the public address that
// the platform gives its host.
func (p *Plan) announced(c *stacks.Config, host string) string {
	if c.Hosts == nil {
		return ""
	}
	m := c.Hosts.Machines[host]
	address := m.PublicAddress
	if address == "" {
		address = m.Address
	}
	return net.JoinHostPort(address, strconv.Itoa(goloop.P2PPort))
}
