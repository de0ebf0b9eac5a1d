package reach

import (
	"fmt"
	"slices"
	"strings"
)

// inbound is how an outside network gets to an interface.
func inbound(o *outside, i *iface) way {
	w := way{seen: o.view}
	add := func(g ...gate) { w.gates = append(w.gates, g...) }
	r := i.subnet.routes().to(o.area)
	switch {
	case o.endpoint != "":
		add(shut(o.name + " opens no connections"))
	case r == nil:
		add(shut(noRoute(i.subnet, o)))
	case r.gateway != nil:
		add(gatewayGate(r.gateway, i.subnet, o), publicGate(i))
	case r.nat != nil:
		add(shut(fmt.Sprintf("route table %s sends what is for %s to NAT gateway %s, which lets no connection in",
			i.subnet.routes().name, o.name, r.nat.name)))
	default:
		add(free("peering connection " + r.peering.name))
	}
	add(crossing(i.subnet, false, o.view)...)
	add(groupGate(i, false, o.view))
	return w
}

// outbound are the ways from an interface to an outside network.
func outbound(i *iface, o *outside) []way {
	begin := slices.Concat([]gate{groupGate(i, true, o.view)}, crossing(i.subnet, true, o.view))
	var ways []way
	add := func(g ...gate) { ways = append(ways, way{gates: slices.Concat(begin, g)}) }
	for _, s := range i.subnet.routes().services {
		if s == o || o.list != "" && o.endpoint == "" {
			add(free("endpoint " + s.endpoint))
		}
	}
	if o.endpoint != "" && len(ways) > 0 {
		return ways
	}
	switch r := i.subnet.routes().to(o.area); {
	case r == nil:
		add(shut(noRoute(i.subnet, o)))
	case r.gateway != nil:
		add(publicGate(i), gatewayGate(r.gateway, i.subnet, o))
	case r.nat != nil:
		add(natGates(r.nat, i, o)...)
	default:
		add(free("peering connection " + r.peering.name))
	}
	return ways
}

func noRoute(s *subnet, o *outside) string {
	return fmt.Sprintf("route table %s of %s has no route to %s", s.routes().name, s.name, o.name)
}

func publicGate(i *iface) gate {
	if i.public == "" {
		return shut(i.party.name + " has no public address")
	}
	return free(i.public)
}

func gatewayGate(g *gateway, s *subnet, o *outside) gate {
	switch {
	case g.vpc != s.vpc:
		return shut("internet gateway " + g.name + " is not attached to " + s.vpc.name)
	case o.private:
		return shut(o.name + " is private, which internet gateway " + g.name + " does not carry")
	}
	return free("internet gateway " + g.name)
}

// natGates are those on the way through the subnet of a NAT gateway.
func natGates(n *nat, i *iface, o *outside) []gate {
	r := n.subnet.routes().to(o.area)
	switch {
	case !n.public:
		return []gate{shut("NAT gateway " + n.name + " has no public address")}
	case n.subnet == i.subnet:
		return []gate{shut("NAT gateway " + n.name + " is in the subnet that it is to serve, " + n.subnet.name)}
	case r == nil || r.gateway == nil:
		return []gate{shut(fmt.Sprintf("NAT gateway %s: route table %s sends what is for %s to no internet gateway",
			n.name, n.subnet.routes().name, o.name))}
	}
	gates := crossing(n.subnet, false, i.private())
	gates = append(gates, free("NAT gateway "+n.name))
	gates = append(gates, crossing(n.subnet, true, o.view)...)
	return append(gates, gatewayGate(r.gateway, n.subnet, o))
}

// between are the ways from one interface to another: within the VPC, through a peering connection, and through the internet.
func (w *world) between(from, to *iface) []way {
	gates := []gate{groupGate(from, true, to.private())}
	if from.subnet != to.subnet { // within a subnet no ACL is asked
		gates = append(gates, crossing(from.subnet, true, to.private())...)
		if from.subnet.vpc != to.subnet.vpc {
			gates = append(gates, w.peered(from.subnet, to.subnet))
		}
		gates = append(gates, crossing(to.subnet, false, from.private())...)
	}
	gates = append(gates, groupGate(to, false, from.private()))
	ways := []way{{gates: gates, seen: from.private()}}
	if to.public == "" {
		return ways
	}
	for _, out := range outbound(from, w.outsides[0]) {
		in := inbound(w.outsides[0], to)
		in.gates = slices.Concat(out.gates, in.gates)
		ways = append(ways, in)
	}
	return ways
}

// peered leads from a subnet of one VPC to one of another.
func (w *world) peered(a, b *subnet) gate {
	there, back := a.routes().to(b.cidr), b.routes().to(a.cidr)
	for _, p := range w.peerings {
		if slices.Contains(p.vpcs, a.vpc) && slices.Contains(p.vpcs, b.vpc) &&
			there != nil && there.peering == p && back != nil && back.peering == p {
			return free("peering connection " + p.name)
		}
	}
	return shut(fmt.Sprintf("no peering connection is routed both ways between %s and %s", a.name, b.name))
}

// toBalancer are the ways of a client to one interface of a load balancer.
func (w *world) toBalancer(b *balancer, card *iface, client end) []way {
	ports := gate{closed: b.name + " has no listener on {}"}
	for _, l := range b.listeners {
		for _, p := range l.protocols {
			ports.passes = append(ports.passes, pass{traffic{p: {{l.port, l.port}}}, "listener " + l.name})
		}
	}
	ways := w.direct(client, card)
	for i := range ways {
		ways[i].gates = append(slices.Clip(ways[i].gates), ports)
	}
	return ways
}

// end is one end of a connection: an outside network, or a party with its interfaces.
type end struct {
	outside *outside
	party   *party
}

func (e end) name() string {
	if e.outside != nil {
		return e.outside.name
	}
	return e.party.name
}

// direct are the ways to an interface that no load balancer takes part in.
func (w *world) direct(from end, to *iface) []way {
	if from.outside != nil {
		return []way{inbound(from.outside, to)}
	}
	var ways []way
	for _, card := range from.party.interfaces {
		ways = append(ways, w.between(card, to)...)
	}
	return ways
}

// ways are all from one end to another. None at all: these two never speak, whatever the rules say.
func (w *world) ways(from, to end) []way {
	switch {
	case from.outside != nil && to.outside != nil, from.party != nil && from.party.endpoint:
		return nil
	case from.party != nil && from.party.balancer != nil:
		return w.toTargets(from.party.balancer, to)
	case to.outside != nil:
		var ways []way
		for _, card := range from.party.interfaces {
			ways = append(ways, outbound(card, to.outside)...)
		}
		return ways
	}
	var ways []way
	for _, card := range to.party.interfaces {
		if b := to.party.balancer; b != nil {
			ways = append(ways, w.toBalancer(b, card, from)...)
		} else {
			ways = append(ways, w.direct(from, card)...)
		}
	}
	for _, b := range w.balancers {
		ways = append(ways, w.through(b, from, to)...)
	}
	return ways
}

// visit calls for each registration of a party with a load balancer.
func (b *balancer) visit(p *party, see func(l *listener, f forward, port int)) {
	for _, l := range b.listeners {
		for _, f := range l.forwards {
			for _, m := range f.to.members {
				if m.host == p {
					see(l, f, m.port)
				}
			}
		}
	}
}

// leg are the gates from an interface of a load balancer to that of a target which sees the connection come from client.
func leg(card, target *iface, protocol string, port int, client view) []gate {
	gates := []gate{{passes: []pass{{traffic{protocol: {{port, port}}}, ""}}, closed: card.party.name + " sends it no {}"}}
	gates = append(gates, groupGate(card, true, target.private()))
	if card.subnet != target.subnet {
		gates = append(gates, crossing(card.subnet, true, target.private())...)
		gates = append(gates, crossing(target.subnet, false, client)...)
	}
	return append(gates, groupGate(target, false, client))
}

// toTargets are the connections that a load balancer opens under an address of its own.
func (w *world) toTargets(b *balancer, to end) []way {
	if to.party == nil || len(to.party.interfaces) == 0 {
		return nil
	}
	var ways []way
	target := to.party.interfaces[0]
	for _, card := range b.interfaces {
		b.visit(to.party, func(l *listener, f forward, port int) {
			if !f.to.preserve {
				for _, p := range f.to.protocols {
					ways = append(ways, way{
						condition: strings.TrimSpace(fmt.Sprintf("%d %s", l.port, f.condition)), gates: leg(card, target, p, port, card.private()),
					})
				}
			}
			if check := f.to.checks(port); check > 0 && (f.to.preserve || check != port) {
				ways = append(ways, way{condition: healthChecks, gates: leg(card, target, "tcp", check, card.private())})
			}
		})
	}
	return ways
}

// healthChecks is the condition of connections that serve nothing else.
const healthChecks = "health checks"

func (t *targets) checks(port int) int {
	if t.health == 0 {
		return port
	}
	return t.health
}

// through are the ways through a load balancer that leaves the client's address as it is. What lets them pass at the target is a rule
// about that address, or about the balancer's group; the client's own groups are not seen.
func (w *world) through(b *balancer, from, to end) []way {
	if !b.network || to.party == nil || to.party.balancer != nil {
		return nil
	}
	var ways []way
	b.visit(to.party, func(l *listener, f forward, port int) {
		if !f.to.preserve {
			return
		}
		for _, card := range b.interfaces {
			for _, first := range w.toBalancer(b, card, from) {
				for _, p := range l.protocols {
					client := first.seen
					client.groups = card.groups
					reach := gate{}
					if words, blocked := first.path(p, l.port); blocked != "" {
						reach.closed = blocked
					} else {
						reach = free(strings.Join(append(words, b.name), " -> "))
					}
					ways = append(ways, way{
						condition: fmt.Sprintf("through %s %d", b.name, l.port),
						gates:     slices.Concat([]gate{reach}, leg(card, to.party.interfaces[0], p, port, client)),
					})
				}
			}
		}
	})
	return ways
}
