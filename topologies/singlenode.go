package topologies

import (
	"github.com/insight-icon/pulumi-icon/components/platform"
	"github.com/insight-icon/pulumi-icon/internal/goloop"
	"github.com/insight-icon/pulumi-icon/stacks"
)

// singleNode is a P-Rep that other validators reach directly, the cheapest layout: anybody can reach its P2P port and so try to exhaust
// it. Citizens stand beside it.
func singleNode(c *stacks.Config) *Plan {
	p := newPlan(c)
	prep := c.PRep.Host
	announce := c.PRep.Announce
	if announce == "" {
		announce = p.announced(c, prep)
	}
	p.addNode(c, prep, Node{Role: platform.PRep, Announce: announce}, goloop.P2PPort, goloop.RPCPort)
	dialling := []string{prep}
	if c.Citizens != nil {
		for _, host := range sorted(c.Citizens.Hosts) {
			p.addNode(c, host, Node{Role: platform.Citizen, Announce: p.announced(c, host)}, goloop.P2PPort, goloop.RPCPort)
			dialling = append(dialling, host)
		}
		citizens := platform.HostParty(p.hostsOf(platform.Citizen)...)
		p.allow(platform.NetworkParty(c.Citizens.APIFrom...), citizens, "tcp", "API users", goloop.RPCPort)
	}
	p.allow(platform.Anywhere(), platform.HostParty(prep), "tcp", "other validators", goloop.P2PPort)
	p.allowDialling(dialling...)
	p.publishAPI(c)
	return p.finish(c)
}
