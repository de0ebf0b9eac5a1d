package topologies

import (
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
	s := &Sentries{Hosts: sorted(c.Sentries.Hosts), PRep: prep, Relay: sealed, Limits: limits(c.Sentries.Limits)}
	p.Sentries = s
	publishAPI := c.Citizens != nil && (c.Sentries.API == nil || *c.Sentries.API)
	ports := []int{sentry.P2PPort}
	if sealed {
		ports = append(ports, goloop.RelayPorts(len(p.Network.Seeds))...)
	}
	if publishAPI {
		ports = append(ports, sentry.APIPort)
	}
	for _, host := range s.Hosts {
		p.addHost(c, platform.HostSpec{Name: host, Role: platform.Sentry, Ports: ports})
	}
	if c.Citizens != nil {
		for _, host := range sorted(c.Citizens.Hosts) {
			p.addNode(c, host, Node{Role: platform.Citizen, Announce: p.announced(c, host), ThroughSentries: sealed}, goloop.P2PPort, goloop.RPCPort)
		}
	}
	if publishAPI {
		s.Citizens = p.hostsOf(platform.Citizen)
	}
	p.sentryEdges(c, publishAPI)
	p.publishAPI(c)
	return p.finish(c)
}

// sentryEdges lists who may talk to whom around the sentries: nothing but them reaches the P-Rep.
func (p *Plan) sentryEdges(c *stacks.Config, publishAPI bool) {
	s := p.Sentries
	sentries, citizens := platform.HostParty(s.Hosts...), platform.HostParty(p.hostsOf(platform.Citizen)...)
	nodes := append([]string{s.PRep}, citizens.Hosts...)
	p.allowIn(c, sentries, "other validators", sentry.P2PPort)
	p.allow(sentries, platform.HostParty(s.PRep), "tcp", "other validators, proxied", goloop.P2PPort)
	if publishAPI {
		p.allowIn(c, sentries, "API users", sentry.APIPort)
		p.allow(sentries, citizens, "tcp", "API users, proxied", goloop.RPCPort)
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

func limits(l stacks.Limits) components.SentryLimits {
	return components.SentryLimits{
		P2PConnections: l.P2PConnections, P2PPerSource: l.P2PPerSource, P2PNewPerSource: l.P2PNewPerSource,
		APIConnections: l.APIConnections, APIPerSource: l.APIPerSource, APIRequestsPerSource: l.APIRequestsPerSource, APIBodyKiB: l.APIBodyKiB,
	}
}
