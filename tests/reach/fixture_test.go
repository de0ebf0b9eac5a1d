package reach_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/pulumi/pulumi/sdk/v3/go/common/resource"

	"github.com/insight-icon/pulumi-icon/tests/graph"
	"github.com/insight-icon/pulumi-icon/tests/reach"
)

// in are inputs by name.
type in = map[string]any

// site is a network that a test builds resource by resource, as the recorder would have recorded it.
type site struct{ resources []*graph.Resource }

func (s *site) add(kind, name string, inputs in) *site {
	s.resources = append(s.resources, &graph.Resource{
		URN: "urn:pulumi:test::icon::aws:" + kind + "::" + name, Type: "aws:" + kind, Name: name, Custom: true,
		Inputs: resource.NewPropertyMapFromMap(inputs),
	})
	return s
}

// change sets inputs of a resource that is there; a nil value takes one away.
func (s *site) change(name string, inputs in) *site {
	for _, r := range s.resources {
		if r.Name != name {
			continue
		}
		for k, v := range inputs {
			if v == nil {
				delete(r.Inputs, resource.PropertyKey(k))
			} else {
				r.Inputs[resource.PropertyKey(k)] = resource.NewPropertyValue(v)
			}
		}
		return s
	}
	panic("no resource is named " + name)
}

func (s *site) drop(name string) *site {
	var rest []*graph.Resource
	for _, r := range s.resources {
		if r.Name != name {
			rest = append(rest, r)
		}
	}
	if len(rest) == len(s.resources) {
		panic("no resource is named " + name)
	}
	s.resources = rest
	return s
}

func (s *site) after(on string) *site {
	last := s.resources[len(s.resources)-1]
	for _, r := range s.resources {
		if r.Name == on {
			last.Dependencies = append(last.Dependencies, r.URN)
		}
	}
	return s
}

func (s *site) analyse(tb testing.TB) *reach.Reach {
	tb.Helper()
	r, err := reach.Analyse(graph.New(s.resources...))
	if err != nil {
		tb.Fatal(err)
	}
	return r
}

func (s *site) subnet(name, cidr, table string) *site {
	s.add("ec2/subnet:Subnet", name, in{"vpcId": "vpc_id", "cidrBlock": cidr})
	return s.add("ec2/routeTableAssociation:RouteTableAssociation", name+"-routes",
		in{"subnetId": name + "_id", "routeTableId": table + "_id"})
}

func (s *site) group(role string) *site {
	return s.add("ec2/securityGroup:SecurityGroup", "group-"+role, in{"vpcId": "vpc_id"})
}

func (s *site) host(name, role, subnet string) *site {
	return s.add("ec2/instance:Instance", name+"-instance", in{
		"subnetId": subnet + "_id", "vpcSecurityGroupIds": []any{"group-" + role + "_id"}, "tags": in{"Host": name, "Role": role},
	})
}

func (s *site) exposed(name, role, subnet string) *site {
	s.host(name, role, subnet)
	return s.add("ec2/eip:Eip", name+"-address", in{"instance": name + "-instance_id"})
}

// lets adds a rule, "in" or "out", of a role's group about a network or another role's group.
func (s *site) lets(direction, role, protocol string, from, to int, peer string) *site {
	kind := map[string]string{
		"in":  "vpc/securityGroupIngressRule:SecurityGroupIngressRule",
		"out": "vpc/securityGroupEgressRule:SecurityGroupEgressRule",
	}[direction]
	inputs := in{"securityGroupId": "group-" + role + "_id", "ipProtocol": protocol}
	if protocol != "-1" {
		inputs["fromPort"], inputs["toPort"] = from, to
	}
	if strings.Contains(peer, "/") {
		inputs["cidrIpv4"] = peer
	} else {
		inputs["referencedSecurityGroupId"] = "group-" + peer + "_id"
	}
	name := fmt.Sprintf("%s-%s-%s-%d-%s", role, direction, protocol, from, strings.NewReplacer("/", "-").Replace(peer))
	return s.add(kind, name, inputs)
}

// acl adds a network ACL to a subnet; rules are "100 allow tcp 22 22 10.20.0.0/16", those that go out with a leading "out ".
func (s *site) acl(name, subnet string, rules ...string) *site {
	s.add("ec2/networkAcl:NetworkAcl", name, in{"vpcId": "vpc_id"})
	s.add("ec2/networkAclAssociation:NetworkAclAssociation", name+"-association",
		in{"subnetId": subnet + "_id", "networkAclId": name + "_id"})
	for n, text := range rules {
		text, out := strings.CutPrefix(text, "out ")
		var number, from, to int
		var action, protocol, cidr string
		if _, err := fmt.Sscan(text, &number, &action, &protocol, &from, &to, &cidr); err != nil {
			panic(err)
		}
		s.add("ec2/networkAclRule:NetworkAclRule", fmt.Sprintf("%s-rule-%d", name, n), in{
			"networkAclId": name + "_id", "egress": out, "ruleNumber": number, "ruleAction": action, "protocol": protocol,
			"fromPort": from, "toPort": to, "cidrBlock": cidr,
		})
	}
	return s
}

const administrators = "203.0.113.0/24"

// network is a VPC with two public subnets, a private one behind NAT, and nobody in them.
func network() *site {
	s := &site{}
	s.add("ec2/vpc:Vpc", "vpc", in{"cidrBlock": "10.20.0.0/16"})
	s.add("ec2/internetGateway:InternetGateway", "gateway", in{"vpcId": "vpc_id"})
	s.add("ec2/routeTable:RouteTable", "routes-public", in{"vpcId": "vpc_id", "routes": []any{
		in{"cidrBlock": "0.0.0.0/0", "gatewayId": "gateway_id"},
	}})
	s.add("ec2/routeTable:RouteTable", "routes-private", in{"vpcId": "vpc_id"})
	s.add("ec2/route:Route", "route-out", in{
		"routeTableId": "routes-private_id", "destinationCidrBlock": "0.0.0.0/0", "natGatewayId": "nat_id",
	})
	s.subnet("public-a", "10.20.0.0/22", "routes-public").subnet("public-b", "10.20.4.0/22", "routes-public")
	s.subnet("private-a", "10.20.32.0/22", "routes-private")
	s.add("ec2/eip:Eip", "nat-address", in{"domain": "vpc"})
	s.add("ec2/natGateway:NatGateway", "nat", in{"subnetId": "public-a_id", "allocationId": "nat-address_id"})
	return s.add("ec2/defaultSecurityGroup:DefaultSecurityGroup", "group-default", in{"vpcId": "vpc_id"})
}

// fronted is a small installation: a bastion, two sentries, and a P-Rep that only they reach.
func fronted() *site {
	s := network()
	for _, role := range []string{"bastion", "sentry", "prep"} {
		s.group(role)
	}
	s.exposed("bastion", "bastion", "public-a").exposed("sentry-1", "sentry", "public-a").exposed("sentry-2", "sentry", "public-b")
	s.host("prep-1", "prep", "private-a")
	s.lets("in", "bastion", "tcp", 22, 22, administrators)
	for _, role := range []string{"sentry", "prep"} {
		s.lets("out", "bastion", "tcp", 22, 22, role).lets("in", role, "tcp", 22, 22, "bastion")
	}
	s.lets("in", "sentry", "tcp", 7100, 7100, "0.0.0.0/0")
	s.lets("out", "sentry", "tcp", 7100, 7100, "prep").lets("in", "prep", "tcp", 7100, 7100, "sentry")
	return s.lets("out", "prep", "tcp", 7100, 7100, "0.0.0.0/0").lets("out", "prep", "tcp", 443, 443, "0.0.0.0/0")
}

const frontedTable = `
FROM              TO           PROTOCOL  PORTS
internet          sentry-1 sentry-2  tcp       7100
203.0.113.0/24    bastion      tcp       22
bastion           prep-1       tcp       22
bastion           sentry-1 sentry-2  tcp  22
prep-1            sentry-1 sentry-2  tcp  7100
sentry-1 sentry-2  prep-1  tcp  7100
prep-1            internet     tcp       443
prep-1            internet     tcp       7100
`

// same fails the test if the connections are not those of the table.
func same(tb testing.TB, want string, r *reach.Reach) {
	tb.Helper()
	for _, d := range reach.Compare(want, r) {
		tb.Error(d)
	}
	if tb.Failed() {
		tb.Log("\n" + r.Table())
	}
}
