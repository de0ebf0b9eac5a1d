package reach

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// PortRange is a range of destination ports, both ends included. For ICMP it is a range of message types.
type PortRange struct{ From, To int }

// wholeRange are all ports.
var wholeRange = PortRange{0, 65535}

// String is "22", "7100-7110" or "all".
func (p PortRange) String() string {
	switch {
	case p == wholeRange:
		return "all"
	case p.From == p.To:
		return strconv.Itoa(p.From)
	default:
		return fmt.Sprintf("%d-%d", p.From, p.To)
	}
}

// parsePorts reads what String writes.
func parsePorts(s string) (PortRange, error) {
	if s == "all" {
		return wholeRange, nil
	}
	first, last, two := strings.Cut(s, "-")
	if !two {
		last = first
	}
	from, err1 := strconv.Atoi(first)
	to, err2 := strconv.Atoi(last)
	if err1 != nil || err2 != nil || from > to {
		return PortRange{}, fmt.Errorf("%q are no ports: wanted is 22, 7100-7110 or all", s)
	}
	return PortRange{from, to}, nil
}

// portSet is sorted; its ranges neither overlap nor touch.
type portSet []PortRange

var allPorts = portSet{wholeRange}

func (s portSet) has(port int) bool {
	return slices.ContainsFunc(s, func(r PortRange) bool { return r.From <= port && port <= r.To })
}

func union(a, b portSet) portSet {
	all := slices.Concat(a, b)
	slices.SortFunc(all, func(x, y PortRange) int { return cmp.Compare(x.From, y.From) })
	var out portSet
	for _, r := range all {
		if n := len(out); n > 0 && r.From <= out[n-1].To+1 {
			out[n-1].To = max(out[n-1].To, r.To)
		} else {
			out = append(out, r)
		}
	}
	return out
}

func intersect(a, b portSet) portSet {
	var out portSet
	for _, x := range a {
		for _, y := range b {
			if from, to := max(x.From, y.From), min(x.To, y.To); from <= to {
				out = append(out, PortRange{from, to})
			}
		}
	}
	return out
}

func subtract(a, b portSet) portSet {
	out := a
	for _, cut := range b {
		var rest portSet
		for _, r := range out {
			if before := (PortRange{r.From, min(r.To, cut.From-1)}); before.From <= before.To {
				rest = append(rest, before)
			}
			if after := (PortRange{max(r.From, cut.To+1), r.To}); after.From <= after.To {
				rest = append(rest, after)
			}
		}
		out = rest
	}
	return out
}

// others is the protocol that stands for every one that is not named.
const others = "*"

// traffic are ports by protocol: "tcp", "udp", "icmp", a number, or others.
type traffic map[string]portSet

var everything = traffic{others: allPorts}

// get are the ports of a protocol.
func (t traffic) get(protocol string) portSet {
	if s, named := t[protocol]; named {
		return s
	}
	return t[others]
}

func (t traffic) empty() bool {
	for _, s := range t {
		if len(s) > 0 {
			return false
		}
	}
	return true
}

// with combines two kinds of traffic protocol by protocol. What is the same as others is not named.
func (t traffic) with(u traffic, op func(a, b portSet) portSet) traffic {
	out := traffic{}
	rest := op(t[others], u[others])
	if len(rest) > 0 {
		out[others] = rest
	}
	for _, m := range []traffic{t, u} {
		for p := range m {
			if s := op(t.get(p), u.get(p)); p != others && !slices.Equal(s, rest) {
				out[p] = s
			}
		}
	}
	return out
}

// flow is one line of a table: a protocol with one range of ports.
type flow struct {
	protocol string
	ports    PortRange
}

func (f flow) String() string {
	if f.protocol == "all" && f.ports == wholeRange {
		return "all traffic"
	}
	return f.protocol + " " + f.ports.String()
}

// flows lists traffic in a fixed order.
func (t traffic) flows() []flow {
	var named []string
	for p := range t {
		if p != others {
			named = append(named, p)
		}
	}
	slices.Sort(named)
	var out []flow
	for _, r := range t[others] {
		p := "all"
		if len(named) > 0 {
			p = "all but " + strings.Join(named, " ")
		}
		out = append(out, flow{p, r})
	}
	for _, p := range named {
		for _, r := range t[p] {
			out = append(out, flow{p, r})
		}
	}
	return out
}

// traffic reads what flows writes.
func (f flow) traffic() traffic {
	if f.protocol == "all" {
		return traffic{others: portSet{f.ports}}
	}
	if but, ok := strings.CutPrefix(f.protocol, "all but "); ok {
		t := traffic{others: portSet{f.ports}}
		for p := range strings.FieldsSeq(but) {
			t[p] = nil
		}
		return t
	}
	return traffic{f.protocol: portSet{f.ports}}
}

// sample is a protocol and port of a flow, to explain it by.
func (f flow) sample() (string, int) {
	if strings.HasPrefix(f.protocol, "all") {
		return others, f.ports.From
	}
	return f.protocol, f.ports.From
}

// key is the same for the same traffic.
func (t traffic) key() string { return fmt.Sprint(t.flows()) }

// protocolOf gives AWS's names and numbers of protocols one name each.
func protocolOf(s string) (string, bool) {
	switch s = strings.ToLower(s); s {
	case "-1", "all":
		return others, true
	case "6", "tcp":
		return "tcp", true
	case "17", "udp":
		return "udp", true
	case "1", "icmp":
		return "icmp", true
	case "58", "icmpv6":
		return "58", true
	}
	n, err := strconv.Atoi(s)
	return s, err == nil && n >= 0 && n <= 255
}
