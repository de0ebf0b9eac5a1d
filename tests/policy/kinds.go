package policy

import (
	"slices"
	"strings"

	"github.com/insight-icon/pulumi-icon/tests/graph"
)

// kindRules keep a program to what the other rules can see.
func kindRules() []Rule {
	return []Rule{
		{
			ID: "ICON.33", Source: "icon", Title: "Machines and load balancers have security groups of the program's, and rules name no others.",
			Why: "What a group of somebody else's lets in, none of these rules can see.", Check: over(ownGroups),
		},
		{
			ID: "ICON.35", Source: "icon", Title: "Machines and load balancers are of kinds that these rules judge.",
			Why: "A machine of a spot fleet, or a load balancer of the first kind, would pass by most of them.", Check: over(judged),
		},
	}
}

func ownGroups(l *look) {
	const attached = "aws:ec2/networkInterfaceSecurityGroupAttachment:NetworkInterfaceSecurityGroupAttachment"
	for _, r := range l.all(attached) {
		l.at(r, "it gives a network interface a group from outside: name the group where the machine is made")
	}
	for _, r := range l.all(append([]string{typeInstance, typeInterface}, balancerTypes...)...) {
		given := 0
		for _, key := range groupInputs {
			for _, id := range several(input(r, key)) {
				given++
				if !l.isGroup(r, id) {
					l.at(r, "%s names %s, which is no security group of the program's", key, id)
				}
			}
		}
		if given == 0 {
			l.at(r, "it has no security group: the VPC's default one, or none at all, would be its own")
		}
	}
	for _, o := range l.openings() {
		if o.group == nil && !l.isGroup(o.r, input(o.r, "securityGroupId")) {
			l.at(o.r, "securityGroupId names %s, which is no security group of the program's", input(o.r, "securityGroupId"))
		}
		for _, id := range o.groups {
			if !l.isGroup(o.r, id) {
				l.at(o.r, "it is about %s, which is no security group of the program's", id)
			}
		}
	}
}

// isGroup says that an input names a security group of the graph, or is made of one.
func (l *look) isGroup(r *graph.Resource, id value) bool {
	if id.unknown() {
		return len(l.madeOf(r, id, groupTypes...)) > 0
	}
	return l.named(id.text(), groupTypes...) != nil
}

// passBy are kinds of machines, and of ways to them, that the other rules know nothing of: types, or the beginnings of their names.
var passBy = []string{
	"aws:ec2/spotInstanceRequest:", "aws:ec2/spotFleetRequest:", "aws:ec2/fleet:", "aws:ec2/launchConfiguration:", "aws:elb/",
	"aws:lightsail/", "aws:ec2clientvpn/", "aws:globalaccelerator/", "aws:apigateway/", "aws:apigatewayv2/", "aws:cloudfront/", "aws-native:",
}

func judged(l *look) {
	for _, r := range l.g.Resources {
		if slices.ContainsFunc(passBy, func(p string) bool { return strings.HasPrefix(r.Type, p) }) {
			l.at(r, "no rule knows what a resource of the type %s opens: make it with aws:ec2 and aws:lb, or give a reason", r.Type)
		}
	}
}
