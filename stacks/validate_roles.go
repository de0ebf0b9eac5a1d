package stacks

import (
	"net/netip"
	"strings"

	"github.com/insight-icon/pulumi-icon/internal/awsplan"
	"github.com/insight-icon/pulumi-icon/internal/wording"
)

func (c *Config) validateRoles(p *collector) {
	switch {
	case c.Topology == TopologyCitizens && c.PRep != nil:
		p.add("prep", "contradicts icon:topology, which is citizens; remove it or set icon:topology to single-node or sentry-fronted")
	case c.Topology != TopologyCitizens:
		c.validatePRep(p)
	}
	c.validateCitizens(p)
	switch {
	case c.Sentries != nil && (c.Topology == TopologySingleNode || c.Topology == TopologyCitizens):
		p.add("sentries", "contradicts icon:topology, which is %s; remove it or set icon:topology to sentry-fronted", c.Topology)
	case c.Topology == TopologySentryFronted && c.Sentries == nil:
		p.missing("sentries", "the reverse proxies in front of the P-Rep, with the keys hosts and announce")
	case c.Sentries != nil:
		c.validateSentries(p)
	}
	c.validateCertificate(p)
	c.validatePlaces(p)
}

func (c *Config) validatePRep(p *collector) {
	prep := c.PRep
	if prep == nil {
		p.missing("prep", "the validator, with the key host")
		return
	}
	if prep.Host == "" {
		p.missing("prep.host", "the name of the P-Rep's machine (on the platform hosts one of icon:hosts.machines)")
	}
	switch c.Topology {
	case TopologySingleNode:
		if prep.Egress != "" {
			p.add("prep.egress", "contradicts icon:topology: a single node has no sentries to leave through; remove it")
		}
		if prep.Announce != "" {
			host, port, ok := p.endpoint("prep.announce", prep.Announce)
			if ok && port != p2pPort && c.Platform == PlatformAWS {
				p.add("prep.announce", "announces port %d; wanted %d, where the P-Rep listens: on aws nothing forwards another", port, p2pPort)
			}
			if ok {
				c.validatePublic(p, "prep.announce", host)
			}
		} else if _, known := c.machine(prep.Host); known && p.readable(wording.Under("hosts.machines", prep.Host)) {
			p.missing("prep.announce", "\"host:port\" under which validators reach the P-Rep, since its machine has no publicAddress")
		}
	case TopologySentryFronted:
		p.oneOf("prep.egress", prep.Egress, "sealed", "routed")
		if _, public := publicProfiles()[c.Network.Profile]; public && prep.Egress == "sealed" && len(c.Network.Seeds) == 0 {
			p.missing("network.seeds", "the network's seed and at least one validator (\"host:port\" of a P-Rep, as in its p2pEndpoint), since "+
				"icon:prep.egress is sealed: validators find a P-Rep that dials nobody only through another validator. Or set "+
				"icon:prep.egress to routed, if a route of yours hides the P-Rep's address")
		}
		if prep.Announce != "" {
			p.add("prep.announce", "would show the P-Rep that the sentries hide; remove it: icon:sentries.announce is what validators are told")
		}
	}
}

func (c *Config) validateCitizens(p *collector) {
	if c.Citizens == nil {
		if c.Topology == TopologyCitizens {
			p.missing("citizens", "the nodes that icon:topology asks for, with the key hosts")
		}
		return
	}
	if len(c.Citizens.Hosts) == 0 {
		p.missing("citizens.hosts", "at least one machine's name (leave icon:citizens out if there are none)")
	}
	p.closedNetworks("citizens.apiFrom", c.Citizens.APIFrom, "goloop answers /admin and /metrics on port 9000 without a key")
}

// validateAnnounced keeps the network from being led past the sentries.
func (c *Config) validateAnnounced(p *collector, host string, port int) {
	const key = "sentries.announce"
	if port != p2pPort {
		p.add(key, "announces port %d; wanted %d, where the sentries listen", port, p2pPort)
	}
	c.validatePublic(p, key, host)
	for _, name := range c.nodeHosts() {
		m, known := c.machine(name)
		if known && (strings.EqualFold(host, m.Address) || host == m.PrivateAddress || host == m.PublicAddress) {
			p.add(key, "is an address of %s, which the sentries are to hide; wanted a name or address that leads to the sentries",
				wording.Quote(name))
		}
	}
	for _, name := range c.Sentries.Hosts {
		if m, _ := c.machine(name); host == m.PrivateAddress && m.PublicAddress != m.PrivateAddress {
			p.add(key, "is the private address of %s, which validators cannot reach; wanted a public one", wording.Quote(name))
		}
	}
}

// validatePublic wants what validators anywhere can find and reach, where the machines are on a cloud. Machines that exist may be in a
// network of their own, with all validators.
func (c *Config) validatePublic(p *collector, key, host string) {
	if c.Platform != PlatformAWS {
		return
	}
	address, err := netip.ParseAddr(host)
	switch {
	case err != nil && !strings.Contains(host, "."):
		p.add(key, "is %s, a name that only its own network knows; wanted one that validators can look up, such as prep.example.org",
			wording.Quote(host))
	case err == nil && (address.IsPrivate() || carrierRange.Contains(address)):
		p.add(key, "is the private address %s, which validators cannot reach; wanted a name or a public address", host)
	case err == nil && !address.IsGlobalUnicast():
		p.add(key, "is %s, which is not an address that other hosts can reach; wanted a name or a public address", host)
	}
}

// carrierRange is private, too: what providers and VPCs have between them and the internet (RFC 6598).
var carrierRange = netip.MustParsePrefix("100.64.0.0/10")

// validatePlaces wants every role on a machine of its own.
func (c *Config) validatePlaces(p *collector) {
	taken := map[string]string{}
	for _, place := range c.places() {
		if !p.readable(place.path) || place.host == "" {
			continue
		}
		_, known := c.machine(place.host)
		switch {
		case c.Platform == PlatformAWS && place.host == awsplan.Bastion:
			p.add(place.path, "is \"bastion\", the name of the jump host that every AWS stack has; wanted another name")
		case c.Platform == PlatformAWS && takenNames.MatchString(place.host):
			p.add(place.path, "is %s, which a load balancer, certificate or NAT gateway of AWS stacks is named; wanted another name",
				wording.Quote(place.host))
		case c.Platform == PlatformAWS:
			p.matches(place.path, place.host, machinePattern, machineForm)
		case !known && c.Hosts != nil && len(c.Hosts.Machines) > 0:
			p.add(place.path, "names %s, which is not in icon:hosts.machines (%s)",
				wording.Quote(place.host), wording.DidYouMean(place.host, sortedKeys(c.Hosts.Machines)))
		}
		if other, twice := taken[place.host]; twice {
			p.add(place.path, "names %s, which %s uses already; each role wants a machine of its own", wording.Quote(place.host), at(other))
			continue
		}
		taken[place.host] = place.path
	}
}

// place is a machine's name together with the key that gives it a role.
type place struct{ path, host string }

func (c *Config) places() []place {
	places := []place{}
	if prep := c.wantedPRep(); prep != nil {
		places = append(places, place{"prep.host", prep.Host})
	}
	if c.Citizens != nil {
		for i, host := range c.Citizens.Hosts {
			places = append(places, place{wording.Item("citizens.hosts", i), host})
		}
	}
	if sentries := c.wantedSentries(); sentries != nil {
		for i, host := range sentries.Hosts {
			places = append(places, place{wording.Item("sentries.hosts", i), host})
		}
	}
	return places
}

// wantedPRep is the P-Rep, nil where the topology has none.
func (c *Config) wantedPRep() *PRep {
	if c.Topology == TopologyCitizens {
		return nil
	}
	return c.PRep
}

// wantedSentries are the sentries, nil where the topology has none.
func (c *Config) wantedSentries() *Sentries {
	if c.Topology == TopologySingleNode || c.Topology == TopologyCitizens {
		return nil
	}
	return c.Sentries
}

// machine is an existing machine.
func (c *Config) machine(name string) (Machine, bool) {
	if c.Hosts == nil || c.Platform == PlatformAWS {
		return Machine{}, false
	}
	m, known := c.Hosts.Machines[name]
	return m, known
}
