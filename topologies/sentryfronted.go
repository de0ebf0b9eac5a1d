package topologies

import (
	"maps"
	"net/netip"
	"net/url"
	"slices"
	"strconv"

	"github.com/insight-icon/pulumi-icon/components"
	"github.com/insight-icon/pulumi-icon/components/platform"
	"github.com/insight-icon/pulumi-icon/internal/goloop"
	"github.com/insight-icon/pulumi-icon/internal/sentry"
	"github.com/insight-icon/pulumi-icon/stacks"
)

// sentryFronted hides the P-Rep: other validators reach the sentries only, which are TCP proxies under one announced name. A node that
// talked to the network through citizens of its own would miss every block (measured), a proxied one misses none.
//
// Sealed, the default, the P-Rep's and the citizens' own connections lead to the sentries only, whose relays lead to the network's
// seeds; other validators dial in. Routed, they dial the network themselves by a route of the operator's.
func sentryFronted(c *stacks.Config) *Plan {
	p := newPlan(c)
	prep, sealed := c.PRep.Host, c.PRep.Egress != "routed"
	p.addNode(c, prep, Node{Role: platform.PRep, Announce: c.Sentries.Announce, ThroughSentries: sealed}, goloop.P2PPort, goloop.RPCPort)
	s := sentriesOf(c, sealed)
	p.Sentries = s
	p.knowBalancer(c)
	ports := append([]int{sentry.P2PPort}, s.apiPorts()...)
	if s.TLS != nil && s.TLS.ACME != nil {
		ports = append(ports, sentry.ChallengePort)
	}
	if sealed {
		ports = append(ports, goloop.RelayPorts(len(p.Network.Seeds))...)
	}
	for _, host := range s.Hosts {
		h := platform.HostSpec{Name: host, Role: platform.Sentry, Ports: ports, Variant: s.Variant, Generation: c.Sentries.Rotate[host]}
		if c.Hosts != nil && s.Agent == "" {
			h.Arch = c.Node.Arch // which the agent is built for: what existing machines are, nobody here knows
		}
		p.addHost(c, h)
	}
	if c.Citizens != nil {
		for _, host := range sorted(c.Citizens.Hosts) {
			node := Node{Role: platform.Citizen, Announce: p.announced(c, host), ThroughSentries: sealed, WebSockets: s.webSockets()}
			p.addNode(c, host, node, goloop.P2PPort, goloop.RPCPort)
		}
	}
	p.sentryEdges(c)
	p.publishAPI(c)
	return p.finish(c)
}

// sentriesOf is what the configuration says of the sentries.
func sentriesOf(c *stacks.Config, sealed bool) *Sentries {
	from := c.Sentries
	s := &Sentries{
		Hosts: sorted(from.Hosts), PRep: c.PRep.Host, Relay: sealed, Limits: from.Limits,
		Variant: from.Variant, Agent: from.Agent, Users: sorted(from.Users), Peers: from.Peers, TLS: from.TLS, CORS: from.CORS,
		KeysOnly: from.APIKeysOnly, Draining: sorted(from.Draining),
	}
	if len(from.APIKeys) > 0 {
		s.Keys = make(map[string]components.SentryKey, len(from.APIKeys))
	}
	for name, key := range from.APIKeys {
		s.Keys[name] = components.SentryKey{SHA256: key.SHA256, Requests: key.RequestsPer10s, Expensive: key.ExpensivePer10s}
	}
	if c.Citizens != nil && (from.API == nil || *from.API) {
		s.Citizens = sorted(c.Citizens.Hosts)
	}
	// The P-Rep is asked for nothing: its API answers on its own host alone.
	if c.Citizens != nil && s.Peers.Mode != sentry.PeersOff {
		s.Observed = sorted(c.Citizens.Hosts)
	}
	return s
}

// knowBalancer makes peers of the network load balancer's own subnets: it looks every five seconds whether 7100 takes a connection, and
// says nothing. As a stranger it would be banned for that, or refused where peers alone are let in, and then take all sentries for dead.
// Others come with their own addresses.
func (p *Plan) knowBalancer(c *stacks.Config) {
	if c.AWS == nil || c.AWS.Front.Kind != frontNLB || p.design == nil {
		return
	}
	peers := &p.Sentries.Peers
	peers.Static = slices.Concat(peers.Static, p.design.BalancerCIDRs)
}

// webSockets is how many a citizen has to take: all that the sentries let through, since any citizen may be the only one that is up. It is
// rounded up, so that another sentry does not restart the citizens.
func (s *Sentries) webSockets() int {
	const enough = 10_000
	if len(s.Citizens) == 0 {
		return 0
	}
	return max(enough, len(s.Hosts)*s.Limits.WebSockets+goloop.WebSockets)
}

// sentryEdges lists who may talk to whom around the sentries: nothing but them reaches the P-Rep.
func (p *Plan) sentryEdges(c *stacks.Config) {
	s := p.Sentries
	sentries, citizens := platform.HostParty(s.Hosts...), platform.HostParty(p.hostsOf(platform.Citizen)...)
	nodes := append([]string{s.PRep}, citizens.Hosts...)
	p.allowIn(c, sentries, "other validators", sentry.P2PPort)
	p.allow(sentries, platform.HostParty(s.PRep), "tcp", "other validators, proxied", goloop.P2PPort)
	if ports := s.apiPorts(); len(ports) > 0 {
		p.allowIn(c, sentries, "API users", ports...)
		p.allow(sentries, citizens, "tcp", "API users, proxied", goloop.RPCPort)
	} else {
		p.allow(sentries, platform.HostParty(s.Observed...), "tcp", "peers that the citizens know", goloop.RPCPort)
	}
	p.allowAsking(sentries, "asking for the list of P-Reps", s.Peers.Endpoints...)
	if s.TLS != nil && s.TLS.ACME != nil {
		p.allowAsking(sentries, "asking the certificate authority", s.TLS.ACME.Directory)
		p.allow(sentries, sentries, "tcp", "answers to the certificate authority", sentry.ChallengePort)
	}
	if c.Citizens != nil {
		p.allow(platform.NetworkParty(c.Citizens.APIFrom...), citizens, "tcp", "API users of the operator", goloop.RPCPort)
	}
	if s.Relay {
		p.allow(platform.HostParty(nodes...), sentries, "tcp", "the network's seeds, relayed", goloop.RelayPorts(len(p.Network.Seeds))...)
		p.allow(sentries, platform.Anywhere(), "tcp", "the network's seeds", p.networkPorts()...)
	} else {
		p.allowDialling(nodes...)
	}
}

// allowAsking opens the way to what answers at addresses that begin with https:// or http://. Where names lead is not known before they are
// asked.
func (p *Plan) allowAsking(from platform.Party, why string, addresses ...string) {
	ports := map[string][]int{}
	for _, text := range addresses {
		u, err := url.Parse(text)
		if err != nil {
			continue // the configuration has been found valid
		}
		port, err := strconv.Atoi(u.Port())
		switch {
		case err == nil:
		case u.Scheme == "http":
			port = 80
		default:
			port = 443
		}
		network := "0.0.0.0/0"
		if address, err := netip.ParseAddr(u.Hostname()); err == nil {
			network = netip.PrefixFrom(address, address.BitLen()).String()
		}
		ports[network] = append(ports[network], port)
	}
	for _, network := range slices.Sorted(maps.Keys(ports)) {
		slices.Sort(ports[network])
		p.allow(from, platform.NetworkParty(network), "tcp", why, slices.Compact(ports[network])...)
	}
}
