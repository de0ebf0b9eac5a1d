package reach

import (
	"cmp"
	"fmt"
	"net/netip"
	"strings"

	"github.com/insight-icon/pulumi-icon/tests/graph"
)

func (m *maker) readInstance(i input) {
	i.refuse("ipv6AddressCount", "ipv6Addresses", "enablePrimaryIpv6", "launchTemplate", "securityGroups", "secondaryPrivateIps")
	host := &party{name: cmp.Or(i.tag("Host"), i.tag("Name"), strings.TrimSuffix(i.r.Name, "-instance")), role: i.tag("Role")}
	if strings.ContainsAny(host.name, " \t\n") || strings.Contains(host.name, "..") {
		i.problem("tags", "give it the name %q: a host's name has neither spaces nor two dots", host.name)
	}
	m.w.parties = append(m.w.parties, host)
	if cards := i.blocks("networkInterfaces"); len(cards) > 0 {
		i.problem("networkInterfaces", "is not analysed: attach network interfaces by resources of their own")
		return
	}
	s := m.subnets[i.owner("subnetId", subnetType)]
	if s == nil {
		return
	}
	card := &iface{party: host, subnet: s, addr: m.address(i, "privateIp", i.str("privateIp"))}
	card.groups = m.groupsOf(i, "vpcSecurityGroupIds", s)
	if i.flag("associatePublicIpAddress", s.public) {
		card.public = "public address of " + host.name
	}
	host.interfaces = []*iface{card}
	m.interfaces[i.r] = card
}

// groupsOf are the groups that an input lists; none means the VPC's default group.
func (m *maker) groupsOf(i input, key string, s *subnet) []*group {
	var groups []*group
	ids := i.strs(key)
	for n, id := range ids {
		if g := m.groupOf(i, fmt.Sprintf("%s[%d]", key, n), id); g != nil {
			groups = append(groups, g)
		}
	}
	if len(ids) == 0 {
		groups = append(groups, s.vpc.group)
	}
	return groups
}

func (m *maker) address(i input, key, s string) netip.Addr {
	if s == "" {
		return netip.Addr{}
	}
	a, err := netip.ParseAddr(s)
	if err != nil || !a.Is4() {
		i.problem(key, "is %q, no IPv4 address", s)
		return netip.Addr{}
	}
	return a
}

// readInterface reads a network interface. One that no instance has is a party of its own.
func (m *maker) readInterface(i input) {
	i.refuse("ipv6AddressCount", "ipv6Addresses", "ipv6AddressLists", "ipv6PrefixCount", "ipv6Prefixes", "ipv4PrefixCount", "ipv4Prefixes",
		"privateIpLists", "privateIpsCount")
	s := m.subnets[i.owner("subnetId", subnetType)]
	if s == nil {
		return
	}
	card := &iface{subnet: s, groups: m.groupsOf(i, "securityGroups", s), party: &party{name: i.r.Name}}
	addresses := i.strs("privateIps")
	if len(addresses) > 1 {
		i.problem("privateIps", "are several, which is not analysed")
	}
	if len(addresses) == 1 {
		card.addr = m.address(i, "privateIps[0]", addresses[0])
	}
	card.party.interfaces = []*iface{card}
	m.interfaces[i.r] = card
	attached := false
	for _, b := range i.blocks("attachments") {
		m.attach(b, "instance", card)
		attached = true
	}
	if !attached {
		m.w.parties = append(m.w.parties, card.party)
	}
}

func (m *maker) readInterfaceAttachment(i input) {
	card := m.interfaces[i.owner("networkInterfaceId", interfaceType)]
	if card == nil {
		return
	}
	lone := card.party
	m.attach(i, "instanceId", card)
	for n, p := range m.w.parties {
		if p == lone {
			m.w.parties = append(m.w.parties[:n:n], m.w.parties[n+1:]...)
			return
		}
	}
}

func (m *maker) attach(i input, key string, card *iface) {
	if first := m.interfaces[i.owner(key, instanceType)]; first != nil {
		card.party = first.party
		first.party.interfaces = append(first.party.interfaces, card)
	}
}

func (m *maker) readEIP(i input) {
	m.setPublic(i, i.r.Name, "instance", "networkInterface")
}

func (m *maker) readEIPAssociation(i input) {
	if e := i.owner("allocationId", eipType); e != nil {
		m.setPublic(i, e.Name, "instanceId", "networkInterfaceId")
	}
}

// setPublic gives an interface an elastic address, which takes the place of any other public address.
func (m *maker) setPublic(i input, address, instance, card string) {
	r := i.ref(instance, instanceType)
	if r == nil && i.str(card) != "" {
		if r = m.primary(i.str(card)); r == nil {
			r = i.ref(card, interfaceType)
		}
	}
	if c := m.interfaces[r]; c != nil {
		c.public = "elastic address " + address
	}
}

// primary is the instance with a primary network interface as the recorder names it.
func (m *maker) primary(id string) *graph.Resource {
	name, ok := strings.CutPrefix(id, "eni-")
	if !ok {
		return nil
	}
	return m.find(name+"_id", instanceType)
}

func (m *maker) readEndpoint(i input) {
	v := m.vpcs[i.owner("vpcId", vpcType)]
	if v == nil {
		return
	}
	switch kind := cmp.Or(i.str("vpcEndpointType"), "Gateway"); kind {
	case "Gateway":
		service := i.str("serviceName")
		o := &outside{view: view{name: service, area: anywhere, list: "service " + i.r.Name}, endpoint: i.r.Name}
		m.services[i.r] = o
		m.addOutside(o)
		for n, id := range i.strs("routeTableIds") {
			if t := m.tableOf(i, fmt.Sprintf("routeTableIds[%d]", n), id); t != nil {
				t.services = append(t.services, o)
			}
		}
	case "Interface":
		m.readInterfaceEndpoint(i)
	default:
		i.problem("vpcEndpointType", "is %q, which is not analysed", kind)
	}
}

func (m *maker) readEndpointAssociation(i input) {
	e := i.owner("vpcEndpointId", endpointType)
	if o, t := m.services[e], m.tableOf(i, "routeTableId", i.str("routeTableId")); o != nil && t != nil {
		t.services = append(t.services, o)
	}
}

func (m *maker) readInterfaceEndpoint(i input) {
	i.refuse("subnetConfigurations")
	p := &party{name: i.r.Name, endpoint: true}
	for n, id := range i.strs("subnetIds") {
		if s := m.subnets[i.resolve(fmt.Sprintf("subnetIds[%d]", n), id, subnetType)]; s != nil {
			p.interfaces = append(p.interfaces, &iface{party: p, subnet: s, groups: m.groupsOf(i, "securityGroupIds", s)})
		}
	}
	m.w.parties = append(m.w.parties, p)
}
