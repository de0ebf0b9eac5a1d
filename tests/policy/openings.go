package policy

import (
	"slices"

	"github.com/insight-icon/pulumi-icon/tests/graph"
)

// Types of the rules of security groups.
const (
	typeIngress   = "aws:vpc/securityGroupIngressRule:SecurityGroupIngressRule"
	typeEgress    = "aws:vpc/securityGroupEgressRule:SecurityGroupEgressRule"
	typeGroupRule = "aws:ec2/securityGroupRule:SecurityGroupRule"
)

// opening is one rule of a security group, in whichever of the four ways it was written.
type opening struct {
	// r is the resource that holds it.
	r *graph.Resource
	// group is the security group, nil if it is none of the graph's.
	group                        *graph.Resource
	out                          bool
	protocol, from, to           value
	networks, groups, prefixList []value
	// unread says that it names a prefix list of which the graph does not tell the networks.
	unread, self bool
	description  value
}

// openings are all rules of all security groups.
func (l *look) openings() []opening {
	var found []opening
	for _, r := range l.all(typeIngress, typeEgress) {
		found = append(found, opening{
			r: r, group: l.refer(r, input(r, "securityGroupId"), groupTypes...), out: r.Type == typeEgress,
			protocol: input(r, "ipProtocol"), from: input(r, "fromPort"), to: input(r, "toPort"),
			networks: one(input(r, "cidrIpv4"), input(r, "cidrIpv6")), groups: one(input(r, "referencedSecurityGroupId")),
			prefixList: one(input(r, "prefixListId")), description: input(r, "description"),
		})
	}
	for _, r := range l.all(typeGroupRule) {
		found = append(found, opening{
			r: r, group: l.refer(r, input(r, "securityGroupId"), groupTypes...), out: input(r, "type").is("egress"),
			protocol: input(r, "protocol"), from: input(r, "fromPort"), to: input(r, "toPort"),
			networks: several(input(r, "cidrBlocks"), input(r, "ipv6CidrBlocks")), groups: one(input(r, "sourceSecurityGroupId")),
			prefixList: several(input(r, "prefixListIds")), self: input(r, "self").yes(), description: input(r, "description"),
		})
	}
	for _, r := range l.all(groupTypes...) {
		for way, out := range map[string]bool{"ingress": false, "egress": true} {
			for _, rule := range several(input(r, way)) {
				found = append(found, opening{
					r: r, group: r, out: out, protocol: rule.at("protocol"), from: rule.at("fromPort"), to: rule.at("toPort"),
					networks: several(rule.at("cidrBlocks"), rule.at("ipv6CidrBlocks")), groups: several(rule.at("securityGroups")),
					prefixList: several(rule.at("prefixListIds")), self: rule.at("self").yes(), description: rule.at("description"),
				})
			}
		}
	}
	for i := range found {
		l.readLists(&found[i])
	}
	return found
}

// readLists adds the networks of the prefix lists that an opening names, as far as the graph has them.
func (l *look) readLists(o *opening) {
	const listType = "aws:ec2/managedPrefixList:ManagedPrefixList"
	for _, id := range o.prefixList {
		list := l.refer(o.r, id, listType)
		if list == nil {
			o.unread = true
			continue
		}
		for _, entry := range several(input(list, "entries")) {
			o.networks = append(o.networks, entry.at("cidr"))
		}
		for _, entry := range l.all("aws:ec2/managedPrefixListEntry:ManagedPrefixListEntry") {
			if l.means(entry, input(entry, "prefixListId"), list) {
				o.networks = append(o.networks, input(entry, "cidr"))
			}
		}
	}
}

// in are the openings that let in.
func (l *look) in() []opening {
	return slices.DeleteFunc(l.openings(), func(o opening) bool { return o.out })
}

// one are those values that are given; several the elements of lists, or a list itself that is not known yet.
func one(values ...value) []value {
	return slices.DeleteFunc(values, func(v value) bool { return !v.given() })
}

func several(lists ...value) []value {
	var all []value
	for _, v := range lists {
		if v.unknown() {
			all = append(all, v)
		}
		all = append(all, v.list()...)
	}
	return all
}

// plain says that its protocol, ports and networks are known. One whose are not counts as open to everyone on every port.
func (o opening) plain() bool {
	_, from := o.from.number()
	_, to := o.to.number()
	ports := o.everything() || from && to
	return !o.protocol.unknown() && ports && !o.unread && !slices.ContainsFunc(o.networks, value.unknown)
}

// everything says that it is for every protocol and port.
func (o opening) everything() bool { return o.protocol.is("-1") || o.protocol.is("all") }

// carries says that it is for connections of TCP or, if udp, of UDP.
func (o opening) carries(udp bool) bool {
	number, name := "6", "tcp"
	if udp {
		number, name = "17", "udp"
	}
	return o.everything() || o.protocol.unknown() || o.protocol.is(name) || o.protocol.is(number)
}

// covers says that TCP connections to a port come under it.
func (o opening) covers(port int) bool {
	if !o.carries(false) {
		return false
	}
	if o.everything() {
		return true
	}
	from, to := o.ports()
	return from <= port && port <= to
}

// ports are its first and last port; all of them if they are not known, or less than none: -1 stands for all.
func (o opening) ports() (int, int) {
	from, known := o.from.number()
	to, alsoKnown := o.to.number()
	if !known || !alsoKnown || from < 0 || to < 0 || o.everything() {
		return 0, 65535
	}
	return from, to
}

// world says that anyone is let in, or out to anywhere; a network that is not known yet may be that, and a prefix list that lets in. One
// that lets out is a service of AWS's.
func (o opening) world() bool {
	return o.unread && !o.out || slices.ContainsFunc(o.networks, func(v value) bool { return v.unknown() || isWorld(v) })
}

// worldIPv6 says the same of IPv6.
func (o opening) worldIPv6() bool {
	return slices.ContainsFunc(o.networks, func(v value) bool { return isIPv6(v.text()) && isWorld(v) })
}

// onlyFrom says that it lets in nobody but machines of one of these roles.
func (l *look) onlyFrom(o opening, roles ...string) bool {
	if len(o.networks)+len(o.prefixList) > 0 || len(o.groups) == 0 && !o.self {
		return false
	}
	sources := []*graph.Resource{}
	for _, g := range o.groups {
		sources = append(sources, l.refer(o.r, g, groupTypes...))
	}
	if o.self {
		sources = append(sources, o.group)
	}
	return !slices.ContainsFunc(sources, func(g *graph.Resource) bool {
		if g == nil {
			return true
		}
		users := l.usersOf(g)
		return len(users) == 0 || slices.ContainsFunc(users, func(r *graph.Resource) bool {
			return r.Type != typeInstance || !slices.Contains(roles, role(r))
		})
	})
}
