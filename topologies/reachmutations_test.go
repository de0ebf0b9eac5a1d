package topologies

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/insight-icon/pulumi-icon/tests/reach"
)

// opening is one change to what a shipped stack lets pass.
type opening struct {
	name, stack string
	change      change
	// says is all that differs from the stack's table, without the ways: "unexpected: internet -> sentry-1 tcp 5432 and 2 more" is one
	// difference that three hosts have.
	says []string
	// way is part of the way of the first difference, or of what blocks it, in words.
	way string
}

// Each difference is told, with its way in words, and nothing else is. Where nothing is told, another layer still stands in the way.
func TestEveryChangeOfAShippedStackIsToldWithItsWayInWords(t *testing.T) {
	for _, o := range slices.Concat(ruleChanges(), layerChanges(), addressChanges(), balancerChanges(), apiChanges()) {
		t.Run(o.stack+": "+o.name, func(t *testing.T) {
			was := unchanged.of(t, o.stack, false)
			before, err := reach.Analyse(was)
			if err != nil {
				t.Fatal(err)
			}
			m := mutantOf(was)
			o.change(m)
			after, err := reach.Analyse(m.graph())
			if err != nil {
				t.Fatal(err)
			}
			told := reach.Compare(before.Table(), after)
			var says []string
			for _, difference := range told {
				says = append(says, withoutWay(difference))
			}
			if !slices.Equal(says, o.says) {
				t.Errorf("it says\n%s\nwant\n%s", strings.Join(says, "\n"), strings.Join(o.says, "\n"))
			}
			if len(told) > 0 && (o.way == "" || !strings.Contains(told[0], o.way)) {
				t.Errorf("it says %s\nwant %s in it", told[0], o.way)
			}
		})
	}
}

// withoutWay is a difference without its way, but with the number of hosts that have it.
func withoutWay(difference string) string {
	what, rest, _ := strings.Cut(difference, ": ")
	where, way, _ := strings.Cut(rest, ": ")
	if _, more, many := strings.Cut(way, " (and "); many {
		n, _, _ := strings.Cut(more, " ")
		where += " and " + n + " more"
	}
	return what + ": " + where
}

func fromRole(role string) values {
	return values{"referencedSecurityGroupId": "network-group-" + role + "_id"}
}

func ruleChanges() []opening {
	const egress = "network-group-sentry-out-tcp-7100-prep"
	citizenOut := like(egress, "bad-out", values{"securityGroupId": "network-group-citizen_id", "fromPort": 9000, "toPort": 9000})
	return []opening{
		{
			"the P-Rep's rule is gone", mainnetPRep, drop(p2pRule),
			[]string{"missing: sentry-1 -> prep-1 tcp 7100 and 2 more"},
			"no rule of group network-group-prep of prep-1 lets tcp 7100 in from sentry-1",
		},
		{"one of two rules that let out is gone", mainnetPRep, drop(egress), nil, ""},
		{"a rule that nobody's way out leads to", mainnetPRep, ingress("prep", 9000, fromRole("citizen")), nil, ""},
		{
			"both rules", mainnetPRep, all(ingress("prep", 9000, fromRole("citizen")), citizenOut),
			[]string{"unexpected: citizen-1 -> prep-1 tcp 9000"},
			"citizen-1 -> group network-group-citizen rule bad-out -> network ACL network-acl rule 100 out -> " +
				"network ACL network-acl rule 300 in -> group network-group-prep rule bad-rule -> prep-1",
		},
		{
			"a database for everyone", mainnetPRep, everyone("sentry", 5432),
			[]string{"unexpected: internet -> sentry-1 tcp 5432 and 2 more"},
			"internet gateway network-internet-gateway -> elastic address network-sentry-1-address -> network ACL network-acl rule 410 in -> " +
				"group network-group-sentry rule bad-rule -> sentry-1",
		},
		{
			"UDP for everyone", mainnetPRep, ingress("sentry", 7100, values{"cidrIpv4": "0.0.0.0/0", "ipProtocol": "udp"}),
			[]string{"unexpected: internet -> sentry-1 udp 7100 and 2 more"},
			"rule bad-rule",
		},
		{
			"a list of prefixes, which may be the administrators'", mainnetPRep, ingress("sentry", 22, values{"prefixListId": "pl-1"}),
			[]string{"unexpected: pl-1 -> sentry-1 tcp 22 and 2 more"},
			"network ACL network-acl rule 100 in -> group network-group-sentry rule bad-rule",
		},
		{
			"another group beside its own", mainnetPRep,
			set(prepOne, "vpcSecurityGroupIds", []any{"network-group-prep_id", "network-group-sentry_id"}),
			[]string{
				"unexpected: citizen-1 -> prep-1 tcp 7101-7102", "unexpected: prep-1 -> citizen-1 tcp 9000",
				"unexpected: prep-1 -> internet tcp 7100", "unexpected: prep-1 -> sentry-1 tcp 7100 and 2 more",
			},
			"group network-group-sentry rule network-group-sentry-in-tcp-7101-7102-citizen -> prep-1",
		},
		{
			"the API of a P-Rep for everyone", lisbonPRep, everyone("prep", 9000),
			[]string{"unexpected: internet -> prep-1 tcp 9000"},
			"elastic address network-prep-1-address",
		},
	}
}

// aclRule adds a rule before those of the network ACL.
func aclRule(action, network string, from, to int) change {
	return func(m *mutant) {
		m.add("aws:ec2/networkAclRule:NetworkAclRule", "acl-rule", values{
			"networkAclId": "network-acl_id", "ruleNumber": 2, "ruleAction": action, "cidrBlock": network, "protocol": "tcp", "egress": false,
			"fromPort": from, "toPort": to,
		})
	}
}

func layerChanges() []opening {
	everywhere := set(sshRule, "cidrIpv4", "0.0.0.0/0")
	return []opening{
		{"SSH for everyone, but not past the network ACL", mainnetPRep, everywhere, nil, ""},
		{"more administrators, but not past the network ACL", mainnetPRep, set(sshRule, "cidrIpv4", "203.0.112.0/23"), nil, ""},
		{
			"SSH for everyone, past the network ACL", mainnetPRep, all(everywhere, aclRule("allow", "0.0.0.0/0", 22, 22)),
			[]string{"unexpected: internet -> bastion tcp 22", "missing: 203.0.113.0/24 -> bastion tcp 22"},
			"network ACL network-acl rule 2 in -> group network-group-bastion rule " + sshRule + " -> bastion",
		},
		{
			"the network ACL shuts 7100", mainnetPRep, aclRule("deny", "0.0.0.0/0", 7100, 7100),
			[]string{
				"missing: internet -> sentry-1 tcp 7100 and 2 more", "missing: sentry-1 -> prep-1 tcp 7100 and 2 more",
				"missing: sentry-1 -> sentry-2 tcp 7100 and 5 more",
			},
			"network ACL network-acl of network-subnet-public-a does not let tcp 7100 in from internet",
		},
		{
			"the network ACL shuts a network out", mainnetPRep, aclRule("deny", "198.51.100.0/24", 9000, 9000),
			[]string{
				"unexpected: internet except 198.51.100.0/24 -> sentry-1 tcp 9000 and 2 more", "missing: internet -> sentry-1 tcp 9000 and 2 more",
			},
			"network ACL network-acl rule 410 in",
		},
		{"a subnet without the network ACL", mainnetPRep, drop("network-subnet-public-a-acl"), nil, ""},
		{
			"an office is peered", mainnetPRep, all(
				add("aws:ec2/vpcPeeringConnection:VpcPeeringConnection", "office", values{"vpcId": "network-vpc_id", "peerVpcId": "vpc-1"}),
				like("network-routes-private-b-out", "to-office", values{
					"natGatewayId": nil, "vpcPeeringConnectionId": "office_id", "destinationCidrBlock": "10.30.0.0/16",
				}),
				ingress("citizen", 9000, values{"cidrIpv4": "10.30.0.0/16"}),
			),
			[]string{
				"unexpected: 10.30.0.0/16 -> citizen-1 tcp 9000", "unexpected: citizen-1 -> 10.30.0.0/16 tcp 443",
				"unexpected: citizen-1 -> 10.30.0.0/16 tcp 4460",
				"unexpected: citizen-1 -> 10.30.0.0/16 tcp 53", "unexpected: citizen-1 -> 10.30.0.0/16 tcp 80",
				"unexpected: citizen-1 -> 10.30.0.0/16 udp 123", "unexpected: citizen-1 -> 10.30.0.0/16 udp 53",
			},
			"10.30.0.0/16 -> peering connection office -> network ACL network-acl rule 410 in -> group network-group-citizen rule bad-rule",
		},
		{"the way out is gone", mainnetPRep, drop("network-routes-private-a-out"), onlyS3, "endpoint network-s3"},
		{
			"the way out is the internet gateway", mainnetPRep, all(
				set("network-routes-private-a-out", "natGatewayId", nil),
				set("network-routes-private-a-out", "gatewayId", "network-internet-gateway_id"),
			), onlyS3, "endpoint network-s3",
		},
		{
			"the P-Rep moves to the public tier", mainnetPRep, set(prepOne, "subnetId", "network-subnet-public-b_id"), onlyS3,
			"endpoint network-s3",
		},
	}
}

// onlyS3 is what a P-Rep that has no way out is left with: what was part of the internet before.
var onlyS3 = []string{
	"unexpected: prep-1 -> com.amazonaws.eu-central-1.s3 tcp 443",
	"unexpected: prep-1 -> com.amazonaws.eu-central-1.s3 tcp 4460", "unexpected: prep-1 -> com.amazonaws.eu-central-1.s3 tcp 53",
	"unexpected: prep-1 -> com.amazonaws.eu-central-1.s3 tcp 80", "unexpected: prep-1 -> com.amazonaws.eu-central-1.s3 udp 123",
	"unexpected: prep-1 -> com.amazonaws.eu-central-1.s3 udp 53", "missing: prep-1 -> internet tcp 443",
	"missing: prep-1 -> internet tcp 4460", "missing: prep-1 -> internet tcp 53",
	"missing: prep-1 -> internet tcp 80", "missing: prep-1 -> internet udp 123", "missing: prep-1 -> internet udp 53",
}

func addressChanges() []opening {
	public := []string{
		"unexpected: citizen-1 -> prep-1 tcp 7101-7102", "unexpected: internet -> prep-1 tcp 7100", "unexpected: internet -> prep-1 tcp 9000",
		"unexpected: prep-1 -> citizen-1 tcp 9000", "unexpected: prep-1 -> internet tcp 7100",
		"unexpected: prep-1 -> sentry-1 tcp 7100 and 2 more",
	}
	moved := append(slices.Clone(public), "missing: prep-1 -> sentry-1 tcp 7101-7102 and 2 more")
	group := set(prepOne, "vpcSecurityGroupIds", []any{"network-group-sentry_id"})
	subnet := set(prepOne, "subnetId", "network-subnet-public-b_id")
	const way = "group network-group-sentry rule network-group-sentry-in-tcp-7101-7102-citizen -> prep-1"
	return []opening{
		{
			"an address for the P-Rep, but no route", mainnetPRep, like("network-nat-a-address", "bad", values{"instance": prepOne + "_id"}),
			nil, "",
		},
		{
			"an address, by its instance", mainnetPRep,
			all(group, subnet, like("network-nat-a-address", "bad", values{"instance": prepOne + "_id"})), moved, way,
		},
		{
			"an address, by its interface", mainnetPRep,
			all(group, subnet, like("network-nat-a-address", "bad", values{"networkInterface": "eni-" + prepOne})), moved, way,
		},
		{
			"an address, by its subnet", mainnetPRep,
			all(group, subnet, set(prepOne, "associatePublicIpAddress", nil), set("network-subnet-public-b", "mapPublicIpOnLaunch", true)),
			moved, way,
		},
		{
			"an address, by a second interface", mainnetPRep, all(
				add("aws:ec2/networkInterface:NetworkInterface", "bad", values{
					"subnetId": "network-subnet-public-a_id", "securityGroups": []any{"network-group-sentry_id"},
					"attachments": []any{values{"instance": prepOne + "_id", "deviceIndex": 1}},
				}),
				like("network-nat-a-address", "bad-address", values{"networkInterface": "bad_id"}),
			), public, way,
		},
		{
			"a sentry loses its address", mainnetPRep, drop("network-sentry-1-address-association"), []string{
				"unexpected: sentry-1 -> com.amazonaws.eu-central-1.s3 tcp 443",
				"unexpected: sentry-1 -> com.amazonaws.eu-central-1.s3 tcp 4460", "unexpected: sentry-1 -> com.amazonaws.eu-central-1.s3 tcp 53",
				"unexpected: sentry-1 -> com.amazonaws.eu-central-1.s3 tcp 7100", "unexpected: sentry-1 -> com.amazonaws.eu-central-1.s3 tcp 80",
				"unexpected: sentry-1 -> com.amazonaws.eu-central-1.s3 udp 123", "unexpected: sentry-1 -> com.amazonaws.eu-central-1.s3 udp 53",
				"missing: internet -> sentry-1 tcp 7100", "missing: internet -> sentry-1 tcp 9000", "missing: sentry-1 -> internet tcp 443",
				"missing: sentry-1 -> internet tcp 4460",
				"missing: sentry-1 -> internet tcp 53", "missing: sentry-1 -> internet tcp 7100", "missing: sentry-1 -> internet tcp 80",
				"missing: sentry-1 -> internet udp 123", "missing: sentry-1 -> internet udp 53",
			}, "endpoint network-s3",
		},
	}
}

func balancerChanges() []opening {
	const listener = "front-nlb-7100-listener"
	targetGone := []string{
		"missing: front-nlb -> sentry-1 tcp 7100 (health checks)", "missing: internet -> sentry-1 tcp 7100 (through front-nlb 7100)",
		"missing: sentry-2 -> sentry-1 tcp 7100 (through front-nlb 7100) and 1 more",
	}
	behind := []string{
		"missing: internet -> sentry-1 tcp 7100 (through front-nlb 7100) and 2 more",
		"missing: sentry-1 -> front-nlb tcp 7100 and 2 more", "missing: sentry-1 -> sentry-2 tcp 7100 (through front-nlb 7100) and 5 more",
	}
	return []opening{
		{
			"another listener", mainnetNLB, all(like(listener, "bad", values{"port": 9443}), everyone("nlb", 9443)),
			[]string{
				"unexpected: internet -> front-nlb tcp 9443", "unexpected: internet -> sentry-1 tcp 7100 (through front-nlb 9443) and 2 more",
			},
			"group network-group-nlb rule bad-rule -> listener bad -> front-nlb",
		},
		{"another listener that its group keeps shut", mainnetNLB, like(listener, "bad", values{"port": 9443}), nil, ""},
		{
			"no listener", mainnetNLB, drop(listener), slices.Concat([]string{
				"missing: front-nlb -> sentry-1 tcp 7100 (health checks) and 2 more", "missing: internet -> front-nlb tcp 7100",
			}, behind), "front-nlb sends it no tcp 7100",
		},
		{"one target less", mainnetNLB, drop("front-nlb-7100-sentry-1"), targetGone, "front-nlb sends it no tcp 7100"},
		{
			"the P-Rep as a target, but not past its group", mainnetNLB, set("front-nlb-7100-sentry-1", "targetId", prepOne+"_id"), targetGone,
			"front-nlb sends it no tcp 7100",
		},
		{
			"the client's address is lost", mainnetNLB, set("front-nlb-7100", "preserveClientIp", false), []string{
				"unexpected: front-nlb -> sentry-1 tcp 7100 (7100) and 2 more", "missing: front-nlb -> sentry-1 tcp 7100 (health checks) and 2 more",
				behind[0], behind[2],
			}, "front-nlb -> group network-group-nlb rule network-group-nlb-out-tcp-7100-sentry",
		},
		{
			"its group lets nobody in", mainnetNLB, drop("network-group-nlb-in-tcp-7100-anywhere"),
			slices.Concat([]string{"missing: internet -> front-nlb tcp 7100"}, behind),
			"no rule of group network-group-nlb of front-nlb lets tcp 7100 in from internet",
		},
	}
}

func apiChanges() []opening {
	const api = "(443 host api.example.org /api/v3 /api/v3/*)"
	everyPath := set("front-alb-api", "conditions", []any{values{"pathPattern": values{"values": []any{"/*"}}}})
	forward := []any{values{"type": "forward", "targetGroupArn": "arn:aws:lb:eu-central-1:123456789012:front-alb-9000"}}
	const way = "front-alb -> group network-group-alb rule network-group-alb-out-tcp-9000-citizen"
	return []opening{
		{
			"every path", citizenArchive, everyPath, []string{
				"unexpected: front-alb -> citizen-1 tcp 9000 (443 /*) and 1 more", "missing: front-alb -> citizen-1 tcp 9000 " + api + " and 1 more",
			}, way,
		},
		{
			"what no rule is about", citizenArchive, set("front-alb-https", "defaultActions", forward),
			[]string{"unexpected: front-alb -> citizen-1 tcp 9000 (443) and 1 more"},
			way,
		},
		{
			"one target less", citizenArchive, drop("front-alb-9000-citizen-1"),
			[]string{"missing: front-alb -> citizen-1 tcp 9000 " + api},
			"nothing leads from front-alb to citizen-1 " + api,
		},
		{
			"HTTP", citizenArchive, all(like("front-alb-https", "bad", values{"port": 80, "protocol": "HTTP"}), everyone("alb", 80)), []string{
				"unexpected: bastion -> front-alb tcp 80", "unexpected: citizen-1 -> front-alb tcp 80 and 1 more",
				"unexpected: internet -> front-alb tcp 80",
			}, "group network-group-alb rule bad-rule -> listener bad -> front-alb",
		},
		{
			"another group", citizenArchive, set("front-alb", "securityGroups", []any{"network-group-citizen_id"}), []string{
				"missing: bastion -> front-alb tcp 443", "missing: citizen-1 -> front-alb tcp 443 and 1 more",
				"missing: front-alb -> citizen-1 tcp 9000 " + api + " and 1 more", "missing: internet -> front-alb tcp 443",
			}, "no rule of group network-group-citizen of front-alb lets tcp 443 in from bastion",
		},
	}
}

// What the analysis can't follow is an error, never a table that leaves it out.
func TestWhatCannotBeFollowedFromAShippedStackIsAnError(t *testing.T) {
	for want, change := range map[string]change{
		"is of a service that the analysis does not know": add("aws:lightsail/instance:Instance", "bad", values{}),
		"is of a kind that the analysis does not know":    add("aws:ec2/spotInstanceRequest:SpotInstanceRequest", "bad", values{}),
		`"sg-1", which is no security group of the graph`: set(prepOne, "vpcSecurityGroupIds", []any{"sg-1"}),
		"input ipAddressType is":                          func(m *mutant) { m.set("front-nlb", "ipAddressType", "dualstack") },
		"input transitGatewayId is not analysed":          set("network-routes-private-a-out", "transitGatewayId", "tgw-1"),
	} {
		m := mutantOf(unchanged.of(t, mainnetNLB, false))
		change(m)
		if _, err := reach.Analyse(m.graph()); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v\nwant %s", err, want)
		}
	}
	if _, err := reach.Analyse(unchanged.of(t, mainnetPRep, true)); err == nil || !strings.Contains(fmt.Sprint(err), "is not known") {
		t.Errorf("a preview: %v", err)
	}
}
