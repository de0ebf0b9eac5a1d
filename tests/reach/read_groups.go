package reach

import (
	"fmt"
	"strings"
)

func (m *maker) nameGroup(i input) {
	m.groups[i.r] = &group{name: i.r.Name}
}

// nameMainGroup: the provider takes all rules out of a VPC's default group that it is not told to keep.
func (m *maker) nameMainGroup(i input) {
	if v := m.vpcs[i.owner("vpcId", vpcType)]; v != nil {
		v.group.name, v.group.in, v.group.out = i.r.Name, nil, nil
		m.groups[i.r] = v.group
	}
}

// groupOf is the security group with an identifier: one of the graph, or a VPC's default one.
func (m *maker) groupOf(i input, key, id string) *group {
	if g := m.groups[m.find(id, groupType, mainGroupType)]; g != nil {
		return g
	}
	for r, v := range m.vpcs {
		if id == r.Name+"-default-group" {
			return v.group
		}
	}
	i.problem(key, "is %q, which is no security group of the graph", id)
	return nil
}

func (m *maker) readInlineRules(i input) {
	g := m.groups[i.r]
	if g == nil {
		return
	}
	for side, rules := range map[string]*[]rule{"ingress": &g.in, "egress": &g.out} {
		for _, b := range i.blocks(side) {
			t, _ := b.traffic("protocol", "fromPort", "toPort")
			m.addRules(b, g, rules, strings.TrimSuffix(b.where, "."), t)
			for n, id := range b.strs("securityGroups") {
				if of := m.groupOf(b, fmt.Sprintf("securityGroups[%d]", n), id); of != nil {
					*rules = append(*rules, rule{name: strings.TrimSuffix(b.where, "."), t: t, group: of})
				}
			}
		}
	}
}

func (m *maker) readLegacyRule(i input) {
	g := m.groupOf(i, "securityGroupId", i.str("securityGroupId"))
	if g == nil {
		return
	}
	rules := &g.in
	switch kind := i.str("type"); kind {
	case "ingress":
	case "egress":
		rules = &g.out
	default:
		i.problem("type", "is %q: wanted is ingress or egress", kind)
	}
	t, _ := i.traffic("protocol", "fromPort", "toPort")
	m.addRules(i, g, rules, i.r.Name, t)
	if id := i.str("sourceSecurityGroupId"); id != "" {
		if of := m.groupOf(i, "sourceSecurityGroupId", id); of != nil {
			*rules = append(*rules, rule{name: i.r.Name, t: t, group: of})
		}
	}
}

// addRules reads the peers that inline and legacy rules have in common.
func (m *maker) addRules(i input, g *group, rules *[]rule, name string, t traffic) {
	for n, c := range i.strs("cidrBlocks") {
		if area := i.parse(fmt.Sprintf("cidrBlocks[%d]", n), c); area.IsValid() {
			*rules = append(*rules, rule{name: name, t: t, area: area})
			m.w.rules = append(m.w.rules, area)
		}
	}
	for _, id := range i.strs("prefixListIds") {
		m.addListRule(i, rules, rule{name: name, t: t}, id)
	}
	if i.flag("self", false) {
		*rules = append(*rules, rule{name: name, t: t, group: g})
	}
}

func (m *maker) readIngress(i input) {
	if g := m.groupOf(i, "securityGroupId", i.str("securityGroupId")); g != nil {
		m.addRule(i, &g.in)
	}
}

func (m *maker) readEgress(i input) {
	if g := m.groupOf(i, "securityGroupId", i.str("securityGroupId")); g != nil {
		m.addRule(i, &g.out)
	}
}

// addRule reads a rule that is a resource of its own: it has one peer.
func (m *maker) addRule(i input, rules *[]rule) {
	r := rule{name: i.r.Name}
	r.t, _ = i.traffic("ipProtocol", "fromPort", "toPort")
	_, listed := i.m["prefixListId"]
	switch {
	case i.str("referencedSecurityGroupId") != "":
		if r.group = m.groupOf(i, "referencedSecurityGroupId", i.str("referencedSecurityGroupId")); r.group == nil {
			return
		}
	case i.str("cidrIpv6") != "":
		return // no VPC here has IPv6
	case listed && i.str("cidrIpv4") == "":
		m.addListRule(i, rules, r, i.str("prefixListId"))
		return
	default:
		if r.area = i.cidr("cidrIpv4", true); !r.area.IsValid() {
			return
		}
		m.w.rules = append(m.w.rules, r.area)
	}
	*rules = append(*rules, r)
}

// addListRule adds a rule about a prefix list: that of a gateway endpoint of the graph, or another one by its name.
func (m *maker) addListRule(i input, rules *[]rule, r rule, id string) {
	for _, urn := range i.r.Dependencies {
		if s := m.services[m.byURN[urn]]; s != nil && !strings.HasPrefix(id, "pl-") {
			r.list = s.list
		}
	}
	if r.list == "" {
		if !strings.HasPrefix(id, "pl-") {
			i.problem("prefixListId", "is %q, neither the prefix list of a gateway endpoint of the graph nor a name such as pl-6ea54007", id)
			return
		}
		r.list = id
		m.addOutside(&outside{view: view{name: id, area: anywhere, list: id}})
	}
	*rules = append(*rules, r)
}

func (m *maker) addOutside(o *outside) {
	for _, other := range m.w.outsides {
		if other.name == o.name {
			return
		}
	}
	m.w.outsides = append(m.w.outsides, o)
}
