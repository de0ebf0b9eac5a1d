// Package reach tells from a recorded graph of pulumi-aws resources who can open a connection to what. It is pure: nothing is asked of AWS.
//
// Parties are the internet, other networks outside the graph that a rule or route names by CIDR or prefix list, the instances (by their
// tag Host, else Name, else their resource's name), load balancers, interface endpoints, and the services behind gateway endpoints.
//
// A connection is there if everything on its way lets it pass: routes both ways, a public address where the internet comes in, NAT or a
// public address where it goes out to the internet, the security groups of both ends, and the network ACLs of all subnets that it enters
// or leaves, in both directions, since they remember no connection. Answers go to client ports 1024-65535; a connection counts as soon
// as some of these are open, and its path names them if not all are.
//
// An application load balancer speaks to its targets for itself: "balancer -> target" carries the listener's port and conditions. So does a
// network load balancer that does not keep client addresses. If it keeps them, which is AWS's default for instances, the connection is one
// of the client to the target, with the condition "through <balancer> <port>": the target's group must let in the client's address, or
// the balancer's group. The balancer's own connections to such targets are health checks.
//
// What the analysis is unsure of counts as open: an address that AWS picks may be any of its subnet, and a rule for part of an ICMP type
// is one for all of it. What it does not know is an error: kinds of resources, inputs that change reachability, identifiers of what is
// not in the graph, and unknown inputs of previews. IPv6 is refused as soon as a VPC or subnet has it; rules about it then count for
// nothing. Not told are link-local services (DNS, time, metadata), which no group or ACL filters, and what hosts do themselves: their
// own firewalls, forwarding, and SSM. Zones do not matter to load balancers here.
package reach

import (
	"cmp"
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"strings"

	"github.com/insight-icon/pulumi-icon/tests/graph"
)

// Reach is who can open a connection to what.
type Reach struct {
	w       *world
	classes []*class
	rows    []row
}

// Connection is one kind of connection that one party can open to another.
type Connection struct {
	// From and To are parties: "internet", a network ("192.0.2.0/24"), a host, a load balancer, an endpoint, a service. A network is
	// named where it can do more than the network around it, and "internet except 192.0.2.0/24" where it can do less.
	From, To string
	// Protocol is "tcp", "udp", "icmp", a protocol's number, "all", or "all but tcp udp" and the like.
	Protocol string
	// Ports at To.
	Ports PortRange
	// Condition is empty for a direct connection. From a load balancer it is the listener's port and what a request must meet, "443 /api/v3
	// /api/v3/*", or "health checks"; through one that keeps client addresses it is "through <balancer> <port>".
	Condition string
	// Path is the way of the connection's first port, in words, from From to To.
	Path []string
}

// Analyse tells who can reach what in a graph that was recorded as a deploy. Its error names everything that stands in the way of an
// answer. Kinds ("aws:ec2/fleet:Fleet") or services ("rds") that the caller knows to make no way into a network, and nothing within one,
// can be named as harmless.
func Analyse(g *graph.Graph, harmless ...string) (*Reach, error) {
	m := newMaker(g)
	known, fine := map[string]bool{}, set(harmless...)
	byType := map[string][]*graph.Resource{}
	for _, k := range kinds {
		known[k.token] = true
	}
	for _, r := range g.Resources {
		if !r.Custom {
			continue
		}
		if byType[r.Type] = append(byType[r.Type], r); !known[r.Type] {
			m.checkKind(r, fine)
		}
	}
	for _, k := range kinds {
		for _, r := range byType[k.token] {
			k.read(m, input{a: m.reader, r: r, m: r.Inputs})
		}
	}
	for _, b := range m.w.balancers {
		m.w.parties = append(m.w.parties, b.party)
	}
	m.checkNames()
	if err := m.err(); err != nil {
		return nil, err
	}
	m.w.finishOutsides()
	r := &Reach{w: m.w}
	r.classify()
	r.measure()
	return r, nil
}

func (m *maker) checkNames() {
	seen := map[string]bool{}
	for _, p := range m.w.parties {
		if seen[p.name] {
			m.problems = append(m.problems, fmt.Sprintf("two parties are named %s: give instances a tag Host", p.name))
		}
		seen[p.name] = true
	}
}

// class are parties that no rule tells apart.
type class struct {
	parties []*party
	id      int
}

func (c *class) host() bool { return c.parties[0].balancer == nil && !c.parties[0].endpoint }

// end stands for all parties of the class.
func (c *class) end() end { return end{party: c.parties[0]} }

// side is one side of a row: a class, or an outside network, whose name may have exceptions.
type side struct {
	class *class
	o     *outside
	name  string
}

// row is what parties of one side may open to each of the other.
type row struct {
	from, to  side
	condition string
	t         traffic
}

// classify puts parties that have the same groups, subnet, exposure and load balancers into one class.
func (r *Reach) classify() {
	registered := map[*party][]string{}
	for _, b := range r.w.balancers {
		for _, l := range b.listeners {
			for _, f := range l.forwards {
				for _, m := range f.to.members {
					registered[m.host] = append(registered[m.host], fmt.Sprint(l.name, f.condition, f.to.name, m.port))
				}
			}
		}
	}
	byKey := map[string]*class{}
	for _, p := range r.w.parties {
		key := p.name
		if p.balancer == nil && !p.endpoint {
			key = fmt.Sprint("role ", p.role, registered[p])
			for _, i := range p.interfaces {
				key += " | " + r.w.kindOf(i)
			}
		}
		if byKey[key] == nil {
			byKey[key] = &class{id: len(r.classes)}
			r.classes = append(r.classes, byKey[key])
		}
		byKey[key].parties = append(byKey[key].parties, p)
	}
}

// kindOf is the same for interfaces that no rule tells apart.
func (w *world) kindOf(i *iface) string {
	groups := make([]string, len(i.groups))
	for n, g := range i.groups {
		groups[n] = fmt.Sprintf("%p", g)
	}
	slices.Sort(groups)
	var narrowest netip.Prefix
	for _, area := range w.rules {
		if i.addr.IsValid() && area.Contains(i.addr) && area.Bits() > narrowest.Bits() {
			narrowest = area
		}
	}
	return fmt.Sprintf("%p %v %v %v %v", i.subnet, groups, i.open, i.public != "", narrowest)
}

// byCondition sums up ways.
func byCondition(ways []way) map[string]traffic {
	m := map[string]traffic{}
	for _, w := range ways {
		if t := w.traffic(); !t.empty() {
			m[w.condition] = m[w.condition].with(t, union)
		}
	}
	return m
}

// measure fills in the rows.
func (r *Reach) measure() {
	for _, c := range r.classes {
		in, out := map[*outside]map[string]traffic{}, map[*outside]map[string]traffic{}
		for _, o := range r.w.outsides {
			in[o] = byCondition(r.w.ways(end{outside: o}, c.end()))
			out[o] = byCondition(r.w.ways(c.end(), end{outside: o}))
		}
		r.outsideRows(in, func(s side, condition string, t traffic) row { return row{s, side{class: c}, condition, t} })
		r.outsideRows(out, func(s side, condition string, t traffic) row { return row{side{class: c}, s, condition, t} })
		for _, d := range r.classes {
			if c == d && len(c.parties) == 1 {
				continue
			}
			for condition, t := range byCondition(r.w.ways(c.end(), d.end())) {
				r.rows = append(r.rows, row{side{class: c}, side{class: d}, condition, t})
			}
		}
	}
}

func (r *Reach) outsideRows(found map[*outside]map[string]traffic, rowOf func(side, string, traffic) row) {
	conditions := map[string]bool{}
	for _, m := range found {
		for condition := range m {
			conditions[condition] = true
		}
	}
	for condition := range conditions {
		for _, n := range say(r.w.outsides, func(o *outside) traffic { return found[o][condition] }) {
			r.rows = append(r.rows, rowOf(side{o: n.o, name: n.name}, condition, n.t))
		}
	}
}

// Connections lists every connection from party to party, with its path. Between many hosts that is a long list: Table and Compare sum up.
func (r *Reach) Connections() []Connection {
	var list []Connection
	for _, row := range r.rows {
		for _, f := range row.t.flows() {
			list = row.spell(list, f, func(from, to end) []string {
				words, _ := r.explain(from, to, row.condition, f)
				return words
			})
		}
	}
	rank := ranks(list)
	slices.SortFunc(list, func(a, b Connection) int {
		return cmp.Or(cmp.Compare(rank[a.From], rank[b.From]), cmp.Compare(rank[a.To], rank[b.To]),
			strings.Compare(a.Condition, b.Condition), strings.Compare(a.Protocol, b.Protocol), cmp.Compare(a.Ports.From, b.Ports.From))
	})
	return list
}

// ranks number the names of parties in their order.
func ranks(list []Connection) map[string]int {
	rank := map[string]int{}
	for _, c := range list {
		rank[c.From], rank[c.To] = 0, 0
	}
	for n, name := range slices.SortedFunc(maps.Keys(rank), natural) {
		rank[name] = n
	}
	return rank
}

// spell adds the connections of a row to a list. The ways between the parties of two classes have the same words, unless these name the
// address of one.
func (w row) spell(list []Connection, f flow, words func(from, to end) []string) []Connection {
	var shared []string
	for _, from := range w.from.ends() {
		for _, to := range w.to.ends() {
			if from.party != nil && from.party == to.party {
				continue
			}
			c := Connection{From: w.from.nameOf(from), To: w.to.nameOf(to), Protocol: f.protocol, Ports: f.ports, Condition: w.condition}
			way := shared
			if way == nil {
				if way = words(from, to); !from.namedIn(way) && !to.namedIn(way) {
					shared = way
				}
			}
			c.Path = slices.Concat([]string{c.From}, way, []string{c.To})
			list = append(list, c)
		}
	}
	return list
}

// namedIn says whether words name an address of the party.
func (e end) namedIn(words []string) bool {
	return e.party != nil && slices.ContainsFunc(e.party.interfaces, func(i *iface) bool {
		return i.public != "" && slices.ContainsFunc(words, func(w string) bool { return strings.Contains(w, i.public) })
	})
}

func (s side) ends() []end {
	if s.class == nil {
		return []end{{outside: s.o}}
	}
	ends := make([]end, len(s.class.parties))
	for i, p := range s.class.parties {
		ends[i] = end{party: p}
	}
	return ends
}

func (s side) nameOf(e end) string {
	if s.class == nil {
		return s.name
	}
	return e.party.name
}

// explain is the way of a flow in words or, if it has none, what blocks it first.
func (r *Reach) explain(from, to end, condition string, f flow) (words []string, blocked string) {
	protocol, port := f.sample()
	for _, w := range r.w.ways(from, to) {
		if w.condition != condition {
			continue
		}
		words, why := w.path(protocol, port)
		if why == "" {
			return words, ""
		}
		blocked = cmp.Or(blocked, why)
	}
	return nil, cmp.Or(blocked, "nothing leads from "+from.name()+" to "+to.name()+suffix(condition))
}

func suffix(condition string) string {
	if condition == "" {
		return ""
	}
	return " (" + condition + ")"
}

// Why tells the way of a connection in words, or "blocked: " and what blocks it first. From and to are parties as Connection names them,
// or any network or address outside; protocol is "tcp", "udp", "icmp" or a number.
func (r *Reach) Why(from, to, protocol string, port int) string {
	a, err := r.endOf(from)
	if err != nil {
		return err.Error()
	}
	b, err := r.endOf(to)
	if err != nil {
		return err.Error()
	}
	if a.party != nil && a.party == b.party {
		return from + " and " + to + " are one party"
	}
	f := flow{protocol, PortRange{port, port}}
	_, why := r.explain(a, b, "", f)
	for _, w := range r.w.ways(a, b) {
		if words, blocked := w.path(protocol, port); blocked == "" {
			return strings.Join(slices.Concat([]string{from}, words, []string{to}), " -> ") + suffix(w.condition)
		}
	}
	return "blocked: " + why
}

// endOf is the party with a name or address.
func (r *Reach) endOf(name string) (end, error) {
	name, _, _ = strings.Cut(name, " except ")
	for _, p := range r.w.parties {
		if p.name == name {
			return end{party: p}, nil
		}
	}
	for _, o := range r.w.outsides {
		if o.name == name {
			return end{outside: o}, nil
		}
	}
	area, err := netip.ParsePrefix(name)
	if addr, errAddr := netip.ParseAddr(name); err != nil && errAddr == nil && addr.Is4() {
		area, err = netip.PrefixFrom(addr, 32), nil
	}
	if err != nil {
		return end{}, fmt.Errorf("there is no party named %s", name)
	}
	if slices.ContainsFunc(r.w.vpcs, func(v *vpc) bool { return v.holds(area.Masked()) }) {
		return end{}, fmt.Errorf("%s is within a VPC of the graph: name the host", name)
	}
	return end{outside: r.w.outsideOf(area.Masked())}, nil
}
