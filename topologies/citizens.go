package topologies

import (
	"github.com/insight-icon/pulumi-icon/components/platform"
	"github.com/insight-icon/pulumi-icon/internal/goloop"
	"github.com/insight-icon/pulumi-icon/stacks"
)

// citizens are nodes without a validator: they follow the chain, keep it whole and answer the API, on a network that has stopped as well.
// They dial the network themselves; nobody dials them.
func citizens(c *stacks.Config) *Plan {
	p := newPlan(c)
	for _, host := range sorted(c.Citizens.Hosts) {
		p.addNode(c, host, Node{Role: platform.Citizen, Announce: p.announced(c, host)}, goloop.P2PPort, goloop.RPCPort)
	}
	all := p.hostsOf(platform.Citizen)
	p.allow(platform.NetworkParty(c.Citizens.APIFrom...), platform.HostParty(all...), "tcp", "API users", goloop.RPCPort)
	p.allowDialling(all...)
	p.publishAPI(c)
	return p.finish(c)
}
