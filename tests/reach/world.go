package reach

import (
	"net/netip"
	"slices"
	"strings"
)

// world is what a graph says of a network.
type world struct {
	vpcs      []*vpc
	parties   []*party
	balancers []*balancer
	peerings  []*peering
	outsides  []*outside // the internet first
	rules     []netip.Prefix
}

type vpc struct {
	name  string
	cidrs []netip.Prefix
	main  *table
	acl   *acl // the default one; nil: AWS's own, which lets everything pass
	group *group
}

func (v *vpc) holds(p netip.Prefix) bool {
	return slices.ContainsFunc(v.cidrs, func(c netip.Prefix) bool { return covers(c, p) })
}

type subnet struct {
	name   string
	vpc    *vpc
	cidr   netip.Prefix
	table  *table // nil: the VPC's main one
	acl    *acl   // nil: the VPC's default one
	public bool   // instances get a public address unless they say otherwise
}

func (s *subnet) routes() *table {
	if s.table != nil {
		return s.table
	}
	return s.vpc.main
}

func (s *subnet) filter() *acl {
	if s.acl != nil {
		return s.acl
	}
	return s.vpc.acl
}

type table struct {
	name     string
	vpc      *vpc
	routes   []route
	services []*outside
}

// to is the route that an address of the area takes, nil if there is none.
func (t *table) to(area netip.Prefix) *route {
	var best *route
	for i, r := range t.routes {
		if covers(r.to, area) && (best == nil || r.to.Bits() > best.to.Bits()) {
			best = &t.routes[i]
		}
	}
	return best
}

// route leads to an internet gateway, a NAT gateway or a peering connection: just one of them is set.
type route struct {
	to      netip.Prefix
	gateway *gateway
	nat     *nat
	peering *peering
}

type gateway struct {
	name string
	vpc  *vpc
}

type nat struct {
	name   string
	subnet *subnet
	public bool
}

type peering struct {
	name string
	vpcs []*vpc // those of the graph
}

// acl is a network ACL: rules in the order of their numbers, the first that fits decides, and none denies.
type acl struct {
	name    string
	in, out []aclRule
}

type aclRule struct {
	name   string
	number int
	allow  bool
	t      traffic
	area   netip.Prefix
}

// group is a security group.
type group struct {
	name    string
	in, out []rule
}

// rule lets traffic pass between the members of its group and one of: an area, the members of a group, a prefix list.
type rule struct {
	name  string
	t     traffic
	area  netip.Prefix
	group *group
	list  string
}

// party is a host, a load balancer or an endpoint: something with network interfaces.
type party struct {
	name, role string
	interfaces []*iface
	balancer   *balancer // nil for others
	endpoint   bool      // answers and never asks
}

// iface is one network interface.
type iface struct {
	party  *party
	subnet *subnet
	groups []*group
	// open interfaces have no security group at all: a network load balancer may.
	open bool
	// addr is its private address; not valid if AWS picks one.
	addr netip.Addr
	// public is its public address, in words; empty if it has none.
	public string
}

type balancer struct {
	*party
	network   bool
	listeners []*listener
}

type listener struct {
	name      string
	port      int
	protocols []string
	forwards  []forward
}

// forward sends what meets a condition to a target group.
type forward struct {
	condition string
	to        *targets
}

type targets struct {
	name      string
	port      int
	protocols []string
	// preserve says that targets see the client's address.
	preserve bool
	// health is the port of health checks; 0: that of the target, -1: none.
	health  int
	members []member
}

type member struct {
	host *party
	port int
}

// view is what rules of one end know of the other end of a connection.
type view struct {
	name   string
	area   netip.Prefix // where its address is
	exact  bool         // no rule tells the addresses of the area apart
	groups []*group
	list   string
}

// outside is a network that is not of the graph: the internet, a network that a rule or route names, a prefix list, or an AWS service
// behind a gateway endpoint.
type outside struct {
	view
	parent   *outside
	children []*outside
	private  bool
	endpoint string // name of the gateway endpoint
}

var anywhere = netip.MustParsePrefix("0.0.0.0/0")

// unrouted are the networks that the internet does not carry.
var unrouted = []netip.Prefix{
	netip.MustParsePrefix("10.0.0.0/8"), netip.MustParsePrefix("172.16.0.0/12"), netip.MustParsePrefix("192.168.0.0/16"),
	netip.MustParsePrefix("100.64.0.0/10"), netip.MustParsePrefix("169.254.0.0/16"), netip.MustParsePrefix("127.0.0.0/8"),
	netip.MustParsePrefix("0.0.0.0/8"), netip.MustParsePrefix("224.0.0.0/3"),
}

func private(p netip.Prefix) bool {
	return slices.ContainsFunc(unrouted, func(u netip.Prefix) bool { return covers(u, p) })
}

// covers says whether all of b is in a.
func covers(a, b netip.Prefix) bool {
	return a.IsValid() && a.Bits() <= b.Bits() && a.Contains(b.Addr())
}

// unread says that it is a prefix list of which the graph does not tell the networks: any rule that lets some in may let it in.
func (v view) unread() bool { return strings.HasPrefix(v.list, "pl-") }

// widest is how wide a public network must be for an AWS service to be expected in it: a narrower one is meant for something else.
const widest = 8

// within says whether all of what is seen, or at least some of it, is in an area.
func (v view) within(area netip.Prefix) (all, some bool) {
	switch {
	case covers(area, v.area):
		return true, true
	case v.exact || !area.IsValid():
		return false, false
	case v.list != "":
		return false, area.Bits() <= widest && !private(area)
	}
	return false, covers(v.area, area) && !reserved(v.area, area)
}

// reserved says whether AWS keeps all of an area within a subnet to itself: the first four addresses and the last.
func reserved(subnet, area netip.Prefix) bool {
	if area.Bits() < 30 {
		return false
	}
	first := netip.PrefixFrom(subnet.Addr(), 30)
	last := netip.PrefixFrom(lastOf(subnet), 32)
	return covers(first, area) || covers(last, area)
}

func lastOf(p netip.Prefix) netip.Addr {
	a := p.Addr().As4()
	for bit := p.Bits(); bit < 32; bit++ {
		a[bit/8] |= 1 << (7 - bit%8)
	}
	return netip.AddrFrom4(a)
}

// fits says whether a security group's rule is about what is seen. Where just a part of it may be meant, it is: rather a connection too
// many than one too few.
func (r rule) fits(v view) bool {
	if r.group != nil {
		return slices.Contains(v.groups, r.group)
	}
	if r.list != "" {
		return r.list == v.list
	}
	_, some := v.within(r.area)
	return some
}

// private is how other interfaces of the VPC see this one.
func (i *iface) private() view {
	v := view{name: i.party.name, area: i.subnet.cidr, groups: i.groups}
	if i.addr.IsValid() {
		v.area, v.exact = netip.PrefixFrom(i.addr, 32), true
	}
	return v
}
