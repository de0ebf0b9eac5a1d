package reach

import (
	"fmt"
	"slices"
	"strings"

	"github.com/insight-icon/pulumi-icon/tests/graph"
)

// maker remembers what has been made of which resource.
type maker struct {
	*reader
	vpcs       map[*graph.Resource]*vpc
	gateways   map[*graph.Resource]*gateway
	subnets    map[*graph.Resource]*subnet
	nats       map[*graph.Resource]*nat
	peerings   map[*graph.Resource]*peering
	tables     map[*graph.Resource]*table
	acls       map[*graph.Resource]*acl
	groups     map[*graph.Resource]*group
	services   map[*graph.Resource]*outside
	interfaces map[*graph.Resource]*iface // primary ones by instance, others by network interface
	balancers  map[*graph.Resource]*balancer
	targets    map[*graph.Resource]*targets
	listeners  map[*graph.Resource]*listener
}

func newMaker(g *graph.Graph) *maker {
	m := &maker{
		reader: &reader{w: &world{}, byURN: map[string]*graph.Resource{}, byID: map[string][]*graph.Resource{}},
		vpcs:   map[*graph.Resource]*vpc{}, gateways: map[*graph.Resource]*gateway{}, subnets: map[*graph.Resource]*subnet{},
		nats: map[*graph.Resource]*nat{}, peerings: map[*graph.Resource]*peering{}, tables: map[*graph.Resource]*table{},
		acls: map[*graph.Resource]*acl{}, groups: map[*graph.Resource]*group{}, services: map[*graph.Resource]*outside{},
		interfaces: map[*graph.Resource]*iface{}, balancers: map[*graph.Resource]*balancer{}, targets: map[*graph.Resource]*targets{},
		listeners: map[*graph.Resource]*listener{},
	}
	for _, r := range g.Resources {
		if !r.Custom {
			continue
		}
		m.byURN[r.URN] = r
		id := r.Name + "_id"
		if slices.ContainsFunc(m.byID[id], func(o *graph.Resource) bool { return o.Type == r.Type }) && strings.HasPrefix(r.Type, "aws:") {
			m.problem(r, "there are two of this name, which the recorder cannot tell apart")
		}
		m.byID[id] = append(m.byID[id], r)
	}
	return m
}

func (m *maker) readVPC(i input) {
	i.refuse("assignGeneratedIpv6CidrBlock", "ipv6CidrBlock", "ipv6IpamPoolId", "ipv4IpamPoolId")
	v := &vpc{name: i.r.Name}
	v.main = &table{name: "main route table of " + v.name, vpc: v}
	v.group = &group{name: "default group of " + v.name}
	v.group.in = []rule{{name: "that its members may reach each other", t: everything, group: v.group}}
	v.group.out = []rule{{name: "that its members may reach anything", t: everything, area: anywhere}}
	if c := i.cidr("cidrBlock", true); c.IsValid() {
		v.cidrs = append(v.cidrs, c)
	}
	m.vpcs[i.r] = v
	m.w.vpcs = append(m.w.vpcs, v)
}

func (m *maker) readVPCRange(i input) {
	i.refuse("ipv4IpamPoolId")
	if v, c := m.vpcs[i.owner("vpcId", vpcType)], i.cidr("cidrBlock", true); v != nil && c.IsValid() {
		v.cidrs = append(v.cidrs, c)
	}
}

func (m *maker) readGateway(i input) {
	g := &gateway{name: i.r.Name}
	m.gateways[i.r] = g
	if v := m.vpcs[i.ref("vpcId", vpcType)]; v != nil {
		g.vpc = v
	}
}

func (m *maker) readGatewayAttachment(i input) {
	g, v := m.gateways[i.owner("internetGatewayId", gatewayType)], m.vpcs[i.owner("vpcId", vpcType)]
	if g != nil && v != nil {
		g.vpc = v
	}
}

func (m *maker) readSubnet(i input) {
	i.refuse("ipv6CidrBlock", "ipv6Native", "assignIpv6AddressOnCreation", "outpostArn", "mapCustomerOwnedIpOnLaunch")
	v, c := m.vpcs[i.owner("vpcId", vpcType)], i.cidr("cidrBlock", true)
	if v == nil || !c.IsValid() {
		return
	}
	m.subnets[i.r] = &subnet{name: i.r.Name, vpc: v, cidr: c, public: i.flag("mapPublicIpOnLaunch", false)}
}

func (m *maker) readNAT(i input) {
	if s := m.subnets[i.owner("subnetId", subnetType)]; s != nil {
		m.nats[i.r] = &nat{name: i.r.Name, subnet: s, public: i.str("connectivityType") != "private"}
	}
}

func (m *maker) readPeering(i input) {
	p := &peering{name: i.r.Name}
	for _, key := range []string{"vpcId", "peerVpcId"} {
		if v := m.vpcs[m.find(i.str(key), vpcType)]; v != nil {
			p.vpcs = append(p.vpcs, v)
		}
	}
	m.peerings[i.r] = p
	m.w.peerings = append(m.w.peerings, p)
}

func (m *maker) readTable(i input) {
	if v := m.vpcs[i.owner("vpcId", vpcType)]; v != nil {
		m.tables[i.r] = &table{name: i.r.Name, vpc: v}
		m.inlineRoutes(i, m.tables[i.r])
	}
}

func (m *maker) readMainTable(i input) {
	if v := m.vpcs[i.owner("defaultRouteTableId", vpcType)]; v != nil {
		v.main = &table{name: i.r.Name, vpc: v}
		m.tables[i.r] = v.main
		m.inlineRoutes(i, v.main)
	}
}

func (m *maker) inlineRoutes(i input, t *table) {
	i.refuse("propagatingVgws")
	for _, r := range i.blocks("routes") {
		m.addRoute(r, t, "cidrBlock", "ipv6CidrBlock")
	}
}

func (m *maker) readRoute(i input) {
	if t := m.tableOf(i, "routeTableId", i.str("routeTableId")); t != nil {
		m.addRoute(i, t, "destinationCidrBlock", "destinationIpv6CidrBlock")
	}
}

// tableOf is the route table with an identifier: one of the graph, or a VPC's own main one.
func (m *maker) tableOf(i input, key, id string) *table {
	if t := m.tables[m.find(id, tableType, mainTableType)]; t != nil {
		return t
	}
	for r, v := range m.vpcs {
		if id == r.Name+"-main-routes" {
			return v.main
		}
	}
	i.problem(key, "is %q, which names no route table of the graph", id)
	return nil
}

// addRoute reads a route. The provider ignores none: a route that leads to what is not analysed is refused.
func (m *maker) addRoute(i input, t *table, cidr, ipv6 string) {
	i.refuse("carrierGatewayId", "coreNetworkArn", "destinationPrefixListId", "localGatewayId", "networkInterfaceId", "transitGatewayId",
		"vpcEndpointId")
	to := i.cidr(cidr, i.str(ipv6) == "")
	if i.str("gatewayId") == "local" || !to.IsValid() {
		return // the VPC's own route, or IPv6, which no VPC here has
	}
	r := route{to: to}
	if g := i.ref("gatewayId", gatewayType); g != nil {
		r.gateway = m.gateways[g]
	}
	if n := i.ref("natGatewayId", natType); n != nil {
		r.nat = m.nats[n]
	}
	if p := i.ref("vpcPeeringConnectionId", peeringType); p != nil {
		r.peering = m.peerings[p]
		if to.Bits() == 0 {
			i.problem("vpcPeeringConnectionId", "is where a route for all addresses leads, which is not analysed: name the peer's networks")
		}
	}
	if t.vpc.holds(to) {
		i.problem(cidr, "is %s, within the VPC: only routes out of it are analysed", to)
	}
	if r.gateway == nil && r.nat == nil && r.peering == nil {
		i.problem(cidr, "%s is routed to nothing that the analysis knows", to)
		return
	}
	t.routes = append(t.routes, r)
	m.w.rules = append(m.w.rules, to)
}

func (m *maker) readMainTableAssociation(i input) {
	v, t := m.vpcs[i.owner("vpcId", vpcType)], m.tableOf(i, "routeTableId", i.str("routeTableId"))
	if v != nil && t != nil {
		v.main = t
	}
}

func (m *maker) readTableAssociation(i input) {
	i.refuse("gatewayId")
	s, t := m.subnets[i.owner("subnetId", subnetType)], m.tableOf(i, "routeTableId", i.str("routeTableId"))
	if s == nil || t == nil {
		return
	}
	if s.table != nil && s.table != t {
		i.problem("subnetId", "is a subnet that has another route table already, %s", s.table.name)
	}
	s.table = t
}

func (m *maker) readACL(i input) {
	if m.vpcs[i.owner("vpcId", vpcType)] == nil {
		return
	}
	a := m.inlineACL(i)
	for n, id := range i.strs("subnetIds") {
		m.setACL(i, "subnetIds", m.subnets[i.resolve(fmt.Sprintf("subnetIds[%d]", n), id, subnetType)], a)
	}
}

func (m *maker) readMainACL(i input) {
	if v := m.vpcs[i.owner("defaultNetworkAclId", vpcType)]; v != nil {
		v.acl = m.inlineACL(i)
	}
}

func (m *maker) readACLAssociation(i input) {
	a := m.acls[i.owner("networkAclId", aclType, mainACLType)]
	m.setACL(i, "subnetId", m.subnets[i.owner("subnetId", subnetType)], a)
}

func (m *maker) setACL(i input, key string, s *subnet, a *acl) {
	if s == nil || a == nil {
		return
	}
	if s.acl != nil && s.acl != a {
		i.problem(key, "is a subnet that has another network ACL already, %s", s.acl.name)
	}
	s.acl = a
}

func (m *maker) inlineACL(i input) *acl {
	a := &acl{name: i.r.Name}
	m.acls[i.r] = a
	for _, b := range i.blocks("ingress") {
		m.addACLRule(b, &a.in, "action", "ruleNo")
	}
	for _, b := range i.blocks("egress") {
		m.addACLRule(b, &a.out, "action", "ruleNo")
	}
	return a
}

func (m *maker) readACLRule(i input) {
	a := m.acls[i.owner("networkAclId", aclType, mainACLType)]
	if a == nil {
		return
	}
	side := &a.in
	if i.flag("egress", false) {
		side = &a.out
	}
	m.addACLRule(i, side, "ruleAction", "ruleNumber")
}

func (m *maker) addACLRule(i input, side *[]aclRule, action, number string) {
	area := i.cidr("cidrBlock", i.str("ipv6CidrBlock") == "")
	if !area.IsValid() {
		return
	}
	r := aclRule{number: i.num(number, -1), area: area, name: "rule " + i.str(number)}
	switch a := strings.ToLower(i.str(action)); a {
	case "allow", "deny":
		r.allow = a == "allow"
	default:
		i.problem(action, "is %q: wanted is allow or deny", a)
	}
	if slices.ContainsFunc(*side, func(o aclRule) bool { return o.number == r.number }) {
		i.problem(number, "is %d, which another rule of the same ACL and direction has", r.number)
	}
	t, wholly := i.traffic("protocol", "icmpType", "icmpCode")
	if r.t = t; !wholly && !r.allow {
		return // a part of a message type is denied: that the type may pass is what counts
	}
	*side = append(*side, r)
	slices.SortStableFunc(*side, func(x, y aclRule) int { return x.number - y.number })
	m.w.rules = append(m.w.rules, area)
}

// traffic reads protocol and ports. Not wholly: just some codes of an ICMP type are meant.
func (i input) traffic(protocol, icmpType, icmpCode string) (t traffic, wholly bool) {
	p, ok := protocolOf(i.str(protocol))
	if !ok {
		i.problem(protocol, "is %q, no protocol that is known", i.str(protocol))
		return traffic{}, true
	}
	from, to := i.num("fromPort", -1), i.num("toPort", -1)
	switch p {
	case others:
		return everything, true
	case "icmp":
		kind, code := i.num(icmpType, -1), i.num(icmpCode, -1)
		if kind < 0 {
			return traffic{p: allPorts}, true
		}
		return traffic{p: {{kind, kind}}}, code < 0
	case "tcp", "udp":
		if from < 0 && to < 0 {
			return traffic{p: allPorts}, true
		}
		if from < 0 || to > wholeRange.To || from > to {
			i.problem("fromPort", "and toPort are %d and %d, no range of ports", from, to)
			return traffic{}, true
		}
		return traffic{p: {{from, to}}}, true
	}
	return traffic{p: allPorts}, true
}
