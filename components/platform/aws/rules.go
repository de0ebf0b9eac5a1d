package aws

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/insight-icon/pulumi-icon/components/platform"
)

// rule is one rule of a security group: who may be talked to (or, in, may talk to it) at a range of ports. The other end is a group of
// the platform's or a network.
type rule struct {
	group    string
	in       bool
	protocol string
	from, to int
	peer     string // group
	cidr     string // network
	why      string
}

// name is a rule's place in the stack; another range of ports is another rule.
func (r rule) name() string {
	direction := "out"
	if r.in {
		direction = "in"
	}
	ports := fmt.Sprint(r.from)
	if r.to != r.from {
		ports += "-" + fmt.Sprint(r.to)
	}
	peer := r.peer
	if peer == "" {
		peer = strings.ReplaceAll(r.cidr, "/", "-")
	}
	if r.cidr == anywhere {
		peer = "anywhere"
	}
	return strings.Join([]string{"group", r.group, direction, r.protocol, ports, peer}, "-")
}

// ends are the groups and networks that a party is: where both ends are groups, rules name groups.
func ends(p platform.Party, role map[string]string) (groups, networks []string) {
	if p.Front != "" {
		return []string{p.Front}, nil
	}
	for _, h := range p.Hosts {
		groups = append(groups, role[h])
	}
	slices.Sort(groups)
	return slices.Compact(groups), p.Networks
}

// rulesOf are the rules that let a plan's edges through, and SSH: administrators to the bastion, the bastion to the others. Sorted by
// name; two edges that say the same make one rule.
func rulesOf(spec platform.NetworkSpec) []rule {
	role := map[string]string{}
	for _, h := range spec.Hosts {
		role[h.Name] = string(h.Role)
	}
	set := ports{}
	for _, e := range spec.Edges {
		fromGroups, fromNetworks := ends(e.From, role)
		toGroups, toNetworks := ends(e.To, role)
		set.allow(e, fromGroups, toGroups)
		for _, g := range toGroups {
			for _, n := range fromNetworks {
				set.add(rule{group: g, in: true, protocol: e.Protocol, cidr: n}, e.Why, e.Ports...)
			}
		}
		for _, g := range fromGroups {
			for _, n := range toNetworks {
				set.add(rule{group: g, protocol: e.Protocol, cidr: n}, e.Why, e.Ports...)
			}
		}
	}
	set.allowSSH(spec)
	return set.rules()
}

// ports are, for each rule without its ports and reason, the ports and their reasons.
type ports map[rule]map[int][]string

func (p ports) add(r rule, why string, numbers ...int) {
	if p[r] == nil {
		p[r] = map[int][]string{}
	}
	for _, n := range numbers {
		if !slices.Contains(p[r][n], why) {
			p[r][n] = append(p[r][n], why)
		}
	}
}

// allow opens an edge between groups, at both ends.
func (p ports) allow(e platform.Edge, from, to []string) {
	for _, f := range from {
		for _, t := range to {
			p.add(rule{group: f, protocol: e.Protocol, peer: t}, e.Why, e.Ports...)
			p.add(rule{group: t, in: true, protocol: e.Protocol, peer: f}, e.Why, e.Ports...)
		}
	}
}

func (p ports) allowSSH(spec platform.NetworkSpec) {
	const bastion = string(platform.Bastion)
	for _, n := range spec.Administrators {
		p.add(rule{group: bastion, in: true, protocol: "tcp", cidr: n}, "SSH of administrators", 22)
	}
	for _, h := range spec.Hosts {
		if h.Role != platform.Bastion {
			p.allow(platform.Edge{Protocol: "tcp", Ports: []int{22}, Why: "SSH through the bastion"}, []string{bastion}, []string{string(h.Role)})
		}
	}
}

// rules joins neighbouring ports of one rule into ranges, since AWS counts rules.
func (p ports) rules() []rule {
	var all []rule
	for r, reasons := range p {
		numbers := sortedKeys(reasons)
		for i, n := range numbers {
			if i > 0 && n == numbers[i-1]+1 {
				last := &all[len(all)-1]
				last.to, last.why = n, joined(last.why, reasons[n])
				continue
			}
			next := r
			next.from, next.to, next.why = n, n, joined("", reasons[n])
			all = append(all, next)
		}
	}
	slices.SortFunc(all, func(a, b rule) int { return cmp.Compare(a.name(), b.name()) })
	return all
}

// joined adds reasons that are not there yet.
func joined(why string, more []string) string {
	var all []string
	if why != "" {
		all = strings.Split(why, "; ")
	}
	for _, m := range more {
		if !slices.Contains(all, m) {
			all = append(all, m)
		}
	}
	return strings.Join(all, "; ")
}

// described is a reason in the characters that EC2 takes in a rule's description, at most 255 of them.
func described(why string) string {
	text := strings.Map(func(r rune) rune {
		switch {
		case r < 0x80 && (r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9'), strings.ContainsRune(" ._-:/()#,@[]+=;{}!$*", r):
			return r
		default:
			return -1
		}
	}, why)
	return text[:min(len(text), 255)]
}

func sortedKeys[K cmp.Ordered, V any](m map[K]V) []K { return slices.Sorted(maps.Keys(m)) }
