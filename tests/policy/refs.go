package policy

import (
	"slices"
	"strings"

	"github.com/insight-icon/pulumi-icon/tests/graph"
)

// Types of AWS resources that several rules look at.
const (
	typeInstance       = "aws:ec2/instance:Instance"
	typeTemplate       = "aws:ec2/launchTemplate:LaunchTemplate"
	typeInterface      = "aws:ec2/networkInterface:NetworkInterface"
	typeEIP            = "aws:ec2/eip:Eip"
	typeEIPAssociation = "aws:ec2/eipAssociation:EipAssociation"
	typeVolume         = "aws:ebs/volume:Volume"
	typeAttachment     = "aws:ec2/volumeAttachment:VolumeAttachment"
	typeVPC            = "aws:ec2/vpc:Vpc"
	typeSubnet         = "aws:ec2/subnet:Subnet"
	typeKey            = "aws:kms/key:Key"
	typeLogGroup       = "aws:cloudwatch/logGroup:LogGroup"
	typeAlarm          = "aws:cloudwatch/metricAlarm:MetricAlarm"
	typeSnapshots      = "aws:dlm/lifecyclePolicy:LifecyclePolicy"
	typeWebACL         = "aws:wafv2/webAcl:WebAcl"
	typeCertificate    = "aws:acm/certificate:Certificate"
)

// Load balancers, buckets and security groups have two names each, one of them old.
var (
	balancerTypes = []string{"aws:lb/loadBalancer:LoadBalancer", "aws:alb/loadBalancer:LoadBalancer"}
	listenerTypes = []string{"aws:lb/listener:Listener", "aws:alb/listener:Listener"}
	targetTypes   = []string{"aws:lb/targetGroupAttachment:TargetGroupAttachment", "aws:alb/targetGroupAttachment:TargetGroupAttachment"}
	bucketTypes   = []string{"aws:s3/bucketV2:BucketV2", "aws:s3/bucket:Bucket"}
	groupTypes    = []string{"aws:ec2/securityGroup:SecurityGroup", "aws:ec2/defaultSecurityGroup:DefaultSecurityGroup"}
)

// Roles of machines, as their tag Role says.
const (
	rolePRep    = "prep"
	roleCitizen = "citizen"
	roleSentry  = "sentry"
	roleBastion = "bastion"
)

// role is what a machine is for.
func role(r *graph.Resource) string { return input(r, "tags", "Role").text() }

// machines are the instances of one of these roles; of any if none is given.
func (l *look) machines(roles ...string) []*graph.Resource {
	return slices.DeleteFunc(l.all(typeInstance), func(r *graph.Resource) bool {
		return len(roles) > 0 && !slices.Contains(roles, role(r))
	})
}

// refer is the resource that an input of r names: by identifier, ARN or name. What is not known yet names the one resource of these types
// that the input is made of. Nil if there is none in the graph, or more than one that it may be.
func (l *look) refer(r *graph.Resource, v value, types ...string) *graph.Resource {
	if !v.unknown() {
		return l.named(v.text(), types...)
	}
	if all := l.madeOf(r, v, types...); len(all) == 1 {
		return all[0]
	}
	return nil
}

// waits are the URNs that an input of r is made of; those that all of r waits for where the graph does not tell.
func waits(r *graph.Resource, v value) []string {
	if of, told := r.PropertyDependencies[v.of]; told {
		return of
	}
	return r.Dependencies
}

// madeOf are the resources of these types that an input of r is made of.
func (l *look) madeOf(r *graph.Resource, v value, types ...string) []*graph.Resource {
	var found []*graph.Resource
	for _, urn := range waits(r, v) {
		if d := l.g.Get(urn); d != nil && slices.Contains(types, d.Type) {
			found = append(found, d)
		}
	}
	return found
}

// named is the resource of these types that an identifier, an ARN or a name means.
func (l *look) named(text string, types ...string) *graph.Resource {
	if text == "" {
		return nil
	}
	if r := l.g.ByID(text); r != nil && slices.Contains(types, r.Type) {
		return r
	}
	tail := text[strings.LastIndexAny(text, ":/")+1:]
	for _, r := range l.all(types...) {
		isARN := strings.HasPrefix(text, "arn:")
		for _, given := range []value{input(r, "name"), input(r, "bucket")} {
			if given.text() != "" && (given.text() == text || isARN && given.text() == tail) {
				return r
			}
		}
		if isARN && (tail == r.Name || tail == r.ID()) {
			return r
		}
	}
	return nil
}

// means says that an input of r names a resource, or may, since it is not known yet and is made of it.
func (l *look) means(r *graph.Resource, v value, target *graph.Resource) bool {
	if v.unknown() {
		return slices.Contains(waits(r, v), target.URN)
	}
	return l.named(v.text(), target.Type) == target
}

// companion is a resource of one of these types whose input names the target: the policy of a bucket, the flow log of a VPC. Nil if
// there is none.
func (l *look) companion(target *graph.Resource, by string, types ...string) *graph.Resource {
	for _, r := range l.all(types...) {
		if l.means(r, input(r, by), target) {
			return r
		}
	}
	return nil
}

// groupsOf are the security groups of an instance, a network interface or a load balancer, as far as they are in the graph.
func (l *look) groupsOf(r *graph.Resource) []*graph.Resource {
	var groups []*graph.Resource
	for _, key := range groupInputs {
		for _, id := range several(input(r, key)) {
			if id.unknown() {
				groups = append(groups, l.madeOf(r, id, groupTypes...)...)
			} else if g := l.named(id.text(), groupTypes...); g != nil {
				groups = append(groups, g)
			}
		}
	}
	return unique(groups)
}

// groupInputs are the inputs that give a machine, an interface or a load balancer its security groups.
var groupInputs = []string{"vpcSecurityGroupIds", "securityGroups"}

func unique(all []*graph.Resource) []*graph.Resource {
	var once []*graph.Resource
	for _, r := range all {
		if !slices.Contains(once, r) {
			once = append(once, r)
		}
	}
	return once
}

// usersOf are the instances and load balancers that have a security group.
func (l *look) usersOf(group *graph.Resource) []*graph.Resource {
	if l.users == nil {
		l.users = map[*graph.Resource][]*graph.Resource{}
		for _, r := range l.all(append([]string{typeInstance, typeInterface}, balancerTypes...)...) {
			for _, g := range l.groupsOf(r) {
				l.users[g] = append(l.users[g], r)
			}
		}
	}
	return l.users[group]
}

// rolesOf are the roles of the machines that have a security group.
func (l *look) rolesOf(group *graph.Resource) []string {
	var roles []string
	for _, r := range l.usersOf(group) {
		if r.Type == typeInstance {
			roles = append(roles, role(r))
		}
	}
	return roles
}

// addressesOf are the elastic addresses, or their associations, of an instance: by its name, or by that of an interface of its.
func (l *look) addressesOf(instance *graph.Resource) []*graph.Resource {
	cards := l.interfacesOf(instance)
	var found []*graph.Resource
	for _, r := range l.all(typeEIP, typeEIPAssociation) {
		machine, card := input(r, "instance"), input(r, "networkInterface")
		if r.Type == typeEIPAssociation {
			machine, card = input(r, "instanceId"), input(r, "networkInterfaceId")
		}
		first := card.is("eni-"+instance.Name) || card.unknown() && l.means(r, card, instance)
		if first || l.means(r, machine, instance) || slices.ContainsFunc(cards, func(c *graph.Resource) bool { return l.means(r, card, c) }) {
			found = append(found, r)
		}
	}
	return found
}

// interfacesOf are the network interfaces that an instance has beside its first, and that were made apart from it.
func (l *look) interfacesOf(instance *graph.Resource) []*graph.Resource {
	var found []*graph.Resource
	for _, card := range l.all(typeInterface) {
		if slices.ContainsFunc(several(input(card, "attachments")), func(a value) bool { return l.means(card, a.at("instance"), instance) }) {
			found = append(found, card)
		}
	}
	for _, a := range l.all("aws:ec2/networkInterfaceAttachment:NetworkInterfaceAttachment") {
		if card := l.refer(a, input(a, "networkInterfaceId"), typeInterface); card != nil && l.means(a, input(a, "instanceId"), instance) {
			found = append(found, card)
		}
	}
	return found
}

// hop is where a route table sends what has no closer route.
type hop struct{ internet, nat value }

// defaultRoutes are the ways out of a subnet. False if the subnet's route table is not in the graph.
func (l *look) defaultRoutes(subnet *graph.Resource) ([]hop, bool) {
	const tableType = "aws:ec2/routeTable:RouteTable"
	association := l.companion(subnet, "subnetId", "aws:ec2/routeTableAssociation:RouteTableAssociation")
	if association == nil {
		return nil, false
	}
	table := l.refer(association, input(association, "routeTableId"), tableType)
	if table == nil {
		return nil, false
	}
	var hops []hop
	for _, route := range input(table, "routes").list() {
		if isWorld(route.at("cidrBlock")) || route.at("destinationPrefixListId").given() {
			hops = append(hops, hop{route.at("gatewayId"), route.at("natGatewayId")})
		}
	}
	for _, route := range l.all("aws:ec2/route:Route") {
		if l.means(route, input(route, "routeTableId"), table) &&
			(isWorld(input(route, "destinationCidrBlock")) || input(route, "destinationPrefixListId").given()) {
			hops = append(hops, hop{input(route, "gatewayId"), input(route, "natGatewayId")})
		}
	}
	return hops, true
}
