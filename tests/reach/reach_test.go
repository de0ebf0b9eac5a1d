package reach_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/insight-icon/pulumi-icon/tests/reach"
)

func TestAFrontedInstallationHasJustItsConnections(t *testing.T) {
	r := fronted().analyse(t)
	same(t, frontedTable, r)
	if d := reach.Compare(r.Table(), r); len(d) > 0 {
		t.Errorf("a table differs from itself: %q", d)
	}
}

func TestThePathOfAConnectionIsToldInWords(t *testing.T) {
	want := "internet -> internet gateway gateway -> elastic address sentry-1-address -> " +
		"group group-sentry rule sentry-in-tcp-7100-0.0.0.0-0 -> sentry-1"
	r := fronted().analyse(t)
	if got := r.Why("internet", "sentry-1", "tcp", 7100); got != want {
		t.Errorf("got %s\nwant %s", got, want)
	}
	for _, c := range r.Connections() {
		if c.To == "sentry-1" && c.From == "internet" {
			if got := strings.Join(c.Path, " -> "); got != want {
				t.Errorf("got %s\nwant %s", got, want)
			}
			return
		}
	}
	t.Error("the connection is not listed")
}

func TestWhatBlocksAConnectionIsNamed(t *testing.T) {
	always := []string{"100 allow -1 0 0 0.0.0.0/0", "out 100 allow -1 0 0 0.0.0.0/0"}
	for name, c := range map[string]struct {
		make     func(s *site)
		from, to string
		protocol string
		port     int
		has      string
	}{
		"a public host is reached":            {nil, "internet", "sentry-1", "tcp", 7100, "elastic address sentry-1-address"},
		"any address outside is asked for":    {nil, "198.51.100.7", "sentry-1", "tcp", 7100, "internet gateway gateway"},
		"an administrator's address is known": {nil, "203.0.113.9", "bastion", "tcp", 22, "rule bastion-in-tcp-22-203.0.113.0-24"},
		"no rule, no connection": {
			nil, "internet", "bastion", "tcp", 22,
			"blocked: no rule of group group-bastion of bastion lets tcp 22 in from internet",
		},
		"bastion to the others": {nil, "bastion", "prep-1", "tcp", 22, "rule prep-in-tcp-22-bastion"},
		"others not to the bastion": {
			nil, "sentry-1", "bastion", "tcp", 22,
			"blocked: no rule of group group-sentry of sentry-1 lets tcp 22 out to bastion",
		},
		"a host behind NAT gets out": {nil, "prep-1", "internet", "tcp", 443, "NAT gateway nat -> internet gateway gateway"},
		"a host behind NAT is not reached": {
			func(s *site) { s.lets("in", "prep", "-1", 0, 0, "0.0.0.0/0") }, "internet", "prep-1", "tcp", 7100,
			"blocked: route table routes-private sends what is for internet to NAT gateway nat, which lets no connection in",
		},
		"a public address behind NAT is not reached either": {
			func(s *site) {
				s.lets("in", "prep", "-1", 0, 0, "0.0.0.0/0").change("prep-1-instance", in{"associatePublicIpAddress": true})
			}, "internet", "prep-1", "tcp", 7100, "blocked: route table routes-private",
		},
		"without a route to the internet gateway nothing comes in": {
			func(s *site) { s.change("routes-public", in{"routes": nil}) }, "internet", "sentry-1", "tcp", 7100,
			"blocked: route table routes-public of public-a has no route to internet",
		},
		"a gateway that is not attached carries nothing": {
			func(s *site) { s.change("gateway", in{"vpcId": nil}) }, "internet", "sentry-1", "tcp", 7100,
			"blocked: internet gateway gateway is not attached to vpc",
		},
		"without a public address nothing comes in": {
			func(s *site) { s.drop("sentry-1-address") }, "internet", "sentry-1", "tcp", 7100, "blocked: sentry-1 has no public address",
		},
		"a subnet may give public addresses": {
			func(s *site) { s.drop("sentry-1-address").change("public-a", in{"mapPublicIpOnLaunch": true}) },
			"internet", "sentry-1", "tcp", 7100, "public address of sentry-1",
		},
		"a NAT gateway in a private subnet leads nowhere": {
			func(s *site) { s.change("nat", in{"subnetId": "private-a_id"}) }, "prep-1", "internet", "tcp", 443,
			"blocked: NAT gateway nat is in the subnet that it is to serve",
		},
		"a network ACL denies 22": {
			func(s *site) {
				s.lets("in", "sentry", "tcp", 22, 22, "0.0.0.0/0")
				s.acl("acl", "public-a", append([]string{"50 deny tcp 22 22 0.0.0.0/0"}, always...)...)
			}, "internet", "sentry-1", "tcp", 22, "blocked: network ACL acl of public-a does not let tcp 22 in from internet",
		},
		"and not 7100": {
			func(s *site) { s.acl("acl", "public-a", append([]string{"50 deny tcp 22 22 0.0.0.0/0"}, always...)...) },
			"internet", "sentry-1", "tcp", 7100, "network ACL acl rule 100 in",
		},
		"a network ACL's lower number decides": {
			func(s *site) {
				s.acl("acl", "public-a", append([]string{"150 deny tcp 7100 7100 0.0.0.0/0"}, always...)...)
			},
			"internet", "sentry-1", "tcp", 7100, "network ACL acl rule 100 in",
		},
		"a network ACL without rules lets nothing in": {
			func(s *site) { s.acl("acl", "public-a") }, "internet", "sentry-1", "tcp", 7100, "blocked: network ACL acl",
		},
		"answers need a way back": {
			func(s *site) {
				s.acl("acl", "public-a", "100 allow tcp 7100 7100 0.0.0.0/0", "out 100 allow tcp 443 443 0.0.0.0/0")
			},
			"internet", "sentry-1", "tcp", 7100, "blocked: network ACL acl of public-a does not let the answers to tcp 7100 pass to internet",
		},
		"answers to some client ports are enough, and said": {
			func(s *site) {
				s.acl("acl", "public-a", "100 allow tcp 7100 7100 0.0.0.0/0", "out 100 allow tcp 32768 60999 0.0.0.0/0")
			}, "internet", "sentry-1", "tcp", 7100, "answers to the client ports 32768-60999",
		},
		"the NAT gateway's subnet has an ACL, too": {
			func(s *site) {
				s.acl("acl", "public-a", "100 deny tcp 443 443 10.20.32.0/22", "200 allow -1 0 0 0.0.0.0/0", always[1])
			},
			"prep-1", "internet", "tcp", 443, "blocked: network ACL acl of public-a does not let tcp 443 in from prep-1",
		},
		"within a subnet no ACL is asked": {
			func(s *site) { s.acl("acl", "public-a") }, "bastion", "sentry-1", "tcp", 22, "rule sentry-in-tcp-22-bastion",
		},
		"between subnets it is": {
			func(s *site) { s.acl("acl", "public-b") }, "bastion", "sentry-2", "tcp", 22,
			"blocked: network ACL acl of public-b does not let tcp 22 in from bastion",
		},
		"the default ACL counts where no other does": {
			func(s *site) {
				s.add("ec2/defaultNetworkAcl:DefaultNetworkAcl", "acl", in{"defaultNetworkAclId": "vpc-default-acl"}).after("vpc")
			},
			"internet", "sentry-1", "tcp", 7100, "blocked: network ACL acl of public-a",
		},
		"a private network is not on the internet": {
			func(s *site) { s.lets("in", "bastion", "tcp", 22, 22, "192.168.7.0/24") }, "192.168.7.0/24", "bastion", "tcp", 22,
			"blocked: 192.168.7.0/24 is private, which internet gateway gateway does not carry",
		},
		"a peer's network comes through the peering connection": {
			func(s *site) {
				s.lets("in", "prep", "tcp", 22, 22, "10.30.0.0/16")
				s.add("ec2/vpcPeeringConnection:VpcPeeringConnection", "office", in{"vpcId": "vpc_id", "peerVpcId": "vpc-0a1b2c3d"})
				s.add("ec2/route:Route", "route-office", in{
					"routeTableId": "routes-private_id", "destinationCidrBlock": "10.30.0.0/16", "vpcPeeringConnectionId": "office_id",
				})
			}, "10.30.0.0/16", "prep-1", "tcp", 22, "peering connection office",
		},
		"a host's own address is what a rule means": {
			func(s *site) {
				s.change("sentry-1-instance", in{"privateIp": "10.20.0.10"}).change("sentry-2-instance", in{"privateIp": "10.20.4.10"})
				s.lets("in", "prep", "tcp", 9000, 9000, "10.20.0.10/32").lets("out", "sentry", "tcp", 9000, 9000, "prep")
			}, "sentry-2", "prep-1", "tcp", 9000, "blocked: no rule of group group-prep of prep-1 lets tcp 9000 in from sentry-2",
		},
		"an address that nobody chose may be any of the subnet": {
			func(s *site) {
				s.lets("in", "prep", "tcp", 9000, 9000, "10.20.0.10/32").lets("out", "sentry", "tcp", 9000, 9000, "prep")
			}, "sentry-1", "prep-1", "tcp", 9000, "rule prep-in-tcp-9000-10.20.0.10-32",
		},
		"but none that AWS reserves": {
			func(s *site) {
				s.lets("in", "prep", "tcp", 9000, 9000, "10.20.0.2/32").lets("out", "sentry", "tcp", 9000, 9000, "prep")
			}, "sentry-1", "prep-1", "tcp", 9000, "blocked: no rule of group group-prep",
		},
		"a default group with its rules left lets members talk": {
			func(s *site) {
				s.drop("group-default")
				for _, h := range []string{"sentry-1-instance", "prep-1-instance"} {
					s.change(h, in{"vpcSecurityGroupIds": nil})
				}
			}, "sentry-1", "prep-1", "udp", 9, "group default group of vpc",
		},
		"an emptied one does not": {
			func(s *site) {
				for _, h := range []string{"sentry-1-instance", "prep-1-instance"} {
					s.change(h, in{"vpcSecurityGroupIds": nil})
				}
			}, "sentry-1", "prep-1", "udp", 9, "blocked: no rule of group group-default",
		},
		"inline rules count": {
			func(s *site) {
				s.change("group-sentry", in{"ingress": []any{in{"protocol": "tcp", "fromPort": 1, "toPort": 99, "cidrBlocks": []any{"0.0.0.0/0"}}}})
			}, "internet", "sentry-1", "tcp", 80, "group group-sentry rule ingress[0]",
		},
		"legacy rules count": {
			func(s *site) {
				s.add("ec2/securityGroupRule:SecurityGroupRule", "old", in{
					"type": "ingress", "securityGroupId": "group-sentry_id",
					"protocol": "-1", "fromPort": 0, "toPort": 0, "cidrBlocks": []any{"0.0.0.0/0"},
				})
			}, "internet", "sentry-1", "icmp", 8, "rule old",
		},
		"an elastic address by association counts": {
			func(s *site) {
				s.change("sentry-1-address", in{"instance": nil}).add("ec2/eipAssociation:EipAssociation", "association",
					in{"allocationId": "sentry-1-address_id", "instanceId": "sentry-1-instance_id"})
			}, "internet", "sentry-1", "tcp", 7100, "elastic address sentry-1-address",
		},
		"a second network interface counts": {
			func(s *site) {
				s.add("ec2/networkInterface:NetworkInterface", "card", in{
					"subnetId": "public-a_id", "securityGroups": []any{"group-sentry_id"},
					"attachments": []any{in{"instance": "prep-1-instance_id", "deviceIndex": 1}},
				})
				s.add("ec2/eip:Eip", "card-address", in{"networkInterface": "card_id"})
			}, "internet", "prep-1", "tcp", 7100, "elastic address card-address",
		},
		"hosts meet through the internet where no ACL lets them meet within": {
			func(s *site) {
				s.acl("acl", "private-a", "10 allow tcp 1024 65535 0.0.0.0/0", "out 5 deny tcp 7100 7100 10.20.4.0/22", always[1])
			}, "prep-1", "sentry-2", "tcp", 7100,
			"NAT gateway nat -> internet gateway gateway -> internet gateway gateway -> elastic address sentry-2-address",
		},
		"a gateway endpoint leads to its service alone": {
			func(s *site) {
				s.drop("route-out").add("ec2/vpcEndpoint:VpcEndpoint", "s3", in{
					"vpcId": "vpc_id", "serviceName": "com.amazonaws.eu-central-1.s3",
					"routeTableIds": []any{"routes-private_id"},
				})
			}, "prep-1", "com.amazonaws.eu-central-1.s3", "tcp", 443, "endpoint s3",
		},
		"a party that is not there": {nil, "internet", "sentry-3", "tcp", 1, "there is no party named sentry-3"},
		"an address within the VPC": {nil, "10.20.0.9", "sentry-1", "tcp", 1, "10.20.0.9 is within a VPC of the graph: name the host"},
		"a route table of the VPC's": {
			func(s *site) { s.drop("public-a-routes") }, "internet", "sentry-1", "tcp", 7100,
			"blocked: route table main route table of vpc",
		},
		"a main route table that is set": {
			func(s *site) {
				s.drop("public-a-routes").add("ec2/mainRouteTableAssociation:MainRouteTableAssociation", "main",
					in{"vpcId": "vpc_id", "routeTableId": "routes-public_id"})
			}, "internet", "sentry-1", "tcp", 7100, "internet gateway gateway",
		},
	} {
		t.Run(name, func(t *testing.T) {
			s := fronted()
			if c.make != nil {
				c.make(s)
			}
			got := s.analyse(t).Why(c.from, c.to, c.protocol, c.port)
			if !strings.Contains(got, c.has) || strings.HasPrefix(got, "blocked: ") != strings.HasPrefix(c.has, "blocked: ") {
				t.Errorf("got %s\nwant %s", got, c.has)
			}
		})
	}
}

func TestANetworkIsNamedWhereItDiffersFromTheOneAroundIt(t *testing.T) {
	s := network().group("web").exposed("web", "web", "public-a").lets("in", "web", "tcp", 80, 81, "0.0.0.0/0")
	s.lets("in", "web", "tcp", 80, 82, "198.51.100.0/24").lets("in", "web", "tcp", 80, 80, "198.51.100.0/25")
	s.acl("acl", "public-a", "10 deny tcp 80 80 198.51.100.0/26", "20 allow -1 0 0 0.0.0.0/0", "out 20 allow -1 0 0 0.0.0.0/0")
	same(t, `
internet                          web  tcp  81
internet except 198.51.100.0/26   web  tcp  80
198.51.100.0/24                   web  tcp  82
`, s.analyse(t))
}

func TestAnUnexpectedRuleIsReportedWithItsPath(t *testing.T) {
	r := fronted().lets("in", "bastion", "tcp", 22, 22, "0.0.0.0/0").analyse(t)
	got := strings.Join(reach.Compare(frontedTable, r), "\n")
	for _, want := range []string{
		"unexpected: internet -> bastion tcp 22: internet -> internet gateway gateway -> elastic address bastion-address -> " +
			"group group-bastion rule bastion-in-tcp-22-0.0.0.0-0 -> bastion",
		"missing: 203.0.113.0/24 -> bastion tcp 22: it is there, but said otherwise",
	} {
		if !strings.Contains(got, want) {
			t.Errorf("got %s\nwant %s", got, want)
		}
	}
}

func TestAMissingConnectionIsReportedWithWhatBlocksIt(t *testing.T) {
	r := fronted().drop("prep-in-tcp-7100-sentry").analyse(t)
	got := reach.Compare(frontedTable, r)
	want := "missing: sentry-1 -> prep-1 tcp 7100: blocked: no rule of group group-prep of prep-1 lets tcp 7100 in from sentry-1" +
		" (and 1 more between hosts like these)"
	if !slices.Equal(got, []string{want}) {
		t.Errorf("got %q\nwant %q", got, want)
	}
	got = reach.Compare(frontedTable+"\nsentry-9  prep-1  tcp  1\nprep-1  sentry-1  tcp", fronted().analyse(t))
	if len(got) != 1 || !strings.Contains(got[0], "has 3 columns") {
		t.Errorf("a table with a broken line: %q", got)
	}
	got = reach.Compare(frontedTable+"\nsentry-9  prep-1  tcp  1", fronted().analyse(t))
	if len(got) != 1 || !strings.Contains(got[0], "there is no party named sentry-9") {
		t.Errorf("a table with an unknown host: %q", got)
	}
}
