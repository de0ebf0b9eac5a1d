package reach

import (
	"slices"
	"strings"
)

// gate is one thing on the way of a connection that lets some traffic pass.
type gate struct {
	passes []pass
	closed string // why other traffic does not; "{}" stands for it
}

// pass is traffic, and what lets it pass. What need not be said has no words.
type pass struct {
	t     traffic
	words string
}

// free lets everything pass.
func free(words string) gate { return gate{passes: []pass{{everything, words}}} }

// shut lets nothing pass.
func shut(why string) gate { return gate{closed: why} }

func (g gate) traffic() traffic {
	t := traffic{}
	for _, p := range g.passes {
		t = t.with(p.t, union)
	}
	return t
}

// way is how a connection may go from one end to another.
type way struct {
	// condition is what a load balancer makes of it; empty for a direct one.
	condition string
	gates     []gate
	// seen is how the far end sees the near one.
	seen view
}

func (w way) traffic() traffic {
	t := everything
	for _, g := range w.gates {
		if t = t.with(g.traffic(), intersect); t.empty() {
			break
		}
	}
	return t
}

// path is the way of one connection in words or, if there is none, what blocks it first.
func (w way) path(protocol string, port int) (words []string, blocked string) {
	for _, g := range w.gates {
		i := slices.IndexFunc(g.passes, func(p pass) bool { return p.t.get(protocol).has(port) })
		if i < 0 {
			return nil, strings.ReplaceAll(g.closed, "{}", flow{protocol, PortRange{port, port}}.said())
		}
		if s := g.passes[i].words; s != "" {
			words = append(words, s)
		}
	}
	return words, ""
}

func (f flow) said() string {
	if f.protocol == others {
		return "just any protocol"
	}
	return f.String()
}

// groupGate is what the security groups of an interface let out to, or in from, the other end.
func groupGate(i *iface, out bool, other view) gate {
	if i.open {
		return free("")
	}
	in, to := "in from ", "lets "
	if out {
		in = "out to "
	}
	g := gate{}
	names := make([]string, 0, len(i.groups))
	for _, group := range i.groups {
		names = append(names, group.name)
		rules := group.in
		if out {
			rules = group.out
		}
		for _, r := range rules {
			if r.fits(other) {
				g.passes = append(g.passes, pass{r.t, "group " + group.name + " rule " + r.name})
			}
		}
	}
	g.closed = "no rule of group " + strings.Join(names, ", ") + " of " + i.party.name + " " + to + "{} " + in + other.name
	return g
}

// allowed is what the rules of one direction let pass. A deny counts if it is about all that is seen, an allow if it is about some of it.
func allowed(rules []aclRule, v view) []pass {
	left := everything
	var out []pass
	for _, r := range rules {
		all, some := v.within(r.area)
		if r.allow && (some || v.unread()) {
			if t := left.with(r.t, intersect); !t.empty() {
				out = append(out, pass{t, r.name})
			}
		}
		if all {
			left = left.with(r.t, subtract)
		}
	}
	return out
}

// clientPorts are where answers go to.
var clientPorts = portSet{{1024, 65535}}

// crossing is a subnet's network ACL on a connection that goes in or out, and on the answers that come the other way.
func crossing(s *subnet, out bool, other view) []gate {
	a := s.filter()
	if a == nil {
		return nil
	}
	there, back := a.in, a.out
	in, from, answersTo := "in", " from ", " to "
	if out {
		there, back = a.out, a.in
		in, from, answersTo = "out", " to ", " from "
	}
	g := gate{closed: "network ACL " + a.name + " of " + s.name + " does not let {} " + in + from + other.name}
	for _, p := range allowed(there, other) {
		g.passes = append(g.passes, pass{p.t, "network ACL " + a.name + " " + p.words + " " + in})
	}
	answers := gate{closed: "network ACL " + a.name + " of " + s.name + " does not let the answers to {} pass" + answersTo + other.name}
	t := gate{passes: allowed(back, other)}.traffic()
	for _, p := range slices.Concat([]string{"tcp", "udp", "icmp"}, protocolsIn(t)) {
		if answer := answered(t, p); answer != nil {
			answers.passes = append(answers.passes, *answer)
		}
	}
	return []gate{g, answers}
}

// protocolsIn are the protocols that a traffic names beyond those that every answer is looked at for, and others.
func protocolsIn(t traffic) []string {
	list := []string{}
	for p := range t {
		if p != "tcp" && p != "udp" && p != "icmp" && p != others {
			list = append(list, p)
		}
	}
	slices.Sort(list)
	return append(list, others)
}

// answered is the traffic of a protocol whose answers are let back: of TCP and UDP, those to at least some client ports.
func answered(back traffic, protocol string) *pass {
	ports := back.get(protocol)
	p := pass{t: traffic{protocol: allPorts}}
	switch protocol {
	case "tcp", "udp":
		open := intersect(ports, clientPorts)
		if len(open) == 0 {
			return nil
		}
		if !slices.Equal(open, clientPorts) {
			words := make([]string, len(open))
			for i, r := range open {
				words[i] = r.String()
			}
			p.words = "answers to the client ports " + strings.Join(words, " ")
		}
	case "icmp":
		if !ports.has(0) {
			p.t = traffic{protocol: subtract(allPorts, portSet{{8, 8}})} // echo waits for an answer, messages do not
		}
	case others:
		p.t = traffic{others: allPorts}
		for _, named := range slices.Concat([]string{"tcp", "udp", "icmp"}, protocolsIn(back)) {
			if named != others {
				p.t[named] = nil
			}
		}
		fallthrough
	default:
		if len(ports) == 0 {
			return nil
		}
	}
	return &p
}
