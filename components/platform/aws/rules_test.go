package aws_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/insight-icon/pulumi-icon/components/platform"
	"github.com/insight-icon/pulumi-icon/tests/graph"
)

func exposing(host string) platform.Edge {
	return platform.Edge{From: platform.Anywhere(), To: platform.HostParty(host), Protocol: "tcp", Ports: []int{7100}, Why: "other validators"}
}

// rules lists what the security groups let through, one on a line.
func rules(t *testing.T, g *graph.Graph) []string {
	t.Helper()
	set := map[string]bool{}
	for kind, arrow := range map[string]string{"Ingress": "<-", "Egress": "->"} {
		for _, r := range g.OfType("aws:vpc/securityGroup" + kind + "Rule:SecurityGroup" + kind + "Rule") {
			ports := fmt.Sprint(input(r, "fromPort").V)
			if to := fmt.Sprint(input(r, "toPort").V); to != ports {
				ports += "-" + to
			}
			peer, cidr := input(r, "referencedSecurityGroupId").V, input(r, "cidrIpv4").V
			if (peer == nil) == (cidr == nil) {
				t.Errorf("%s names the group %v and the network %v", r.URN, peer, cidr)
			}
			if peer == nil {
				peer = cidr
			}
			line := fmt.Sprintf("%s %s %s %s/%s", input(r, "securityGroupId").V, arrow, peer, input(r, "ipProtocol").V, ports)
			line = strings.ReplaceAll(strings.ReplaceAll(line, "network-group-", ""), "_id", "")
			if set[line] {
				t.Errorf("two rules say %s", line)
			}
			set[line] = true
		}
	}
	return names(set)
}

func TestSecurityGroupsLetThroughThePlansEdgesAndNothingElse(t *testing.T) {
	want := strings.TrimSpace(`
bastion -> 0.0.0.0/0 tcp/443
bastion -> 0.0.0.0/0 tcp/80
bastion -> 0.0.0.0/0 udp/123
bastion -> 0.0.0.0/0 udp/53
bastion -> citizen tcp/22
bastion -> prep tcp/22
bastion -> sentry tcp/22
bastion <- 203.0.113.0/24 tcp/22
citizen -> 0.0.0.0/0 tcp/443
citizen -> 0.0.0.0/0 tcp/80
citizen -> 0.0.0.0/0 udp/123
citizen -> 0.0.0.0/0 udp/53
citizen -> sentry tcp/7101-7103
citizen <- bastion tcp/22
prep -> 0.0.0.0/0 tcp/443
prep -> 0.0.0.0/0 tcp/80
prep -> 0.0.0.0/0 udp/123
prep -> 0.0.0.0/0 udp/53
prep -> sentry tcp/7101-7103
prep <- bastion tcp/22
prep <- sentry tcp/7100
sentry -> 0.0.0.0/0 tcp/443
sentry -> 0.0.0.0/0 tcp/7100
sentry -> 0.0.0.0/0 tcp/80
sentry -> 0.0.0.0/0 udp/123
sentry -> 0.0.0.0/0 udp/53
sentry -> prep tcp/7100
sentry <- 0.0.0.0/0 tcp/7100
sentry <- bastion tcp/22
sentry <- citizen tcp/7101-7103
sentry <- prep tcp/7101-7103`)
	g := newSmall().record(t)
	if got := strings.Join(rules(t, g), "\n"); got != want {
		t.Errorf("rules\n%s\nwanted\n%s", got, want)
	}
	for _, r := range g.OfType("aws:ec2/securityGroup:SecurityGroup") {
		if _, inline := r.Inputs["ingress"]; inline {
			t.Errorf("%s has rules of its own", r.URN)
		}
	}
	if r := one(t, g, "default-group"); len(input(r, "ingress").ArrayValue())+len(input(r, "egress").ArrayValue()) > 0 {
		t.Errorf("the VPC's default group has rules: %v", r.Inputs)
	}
}

func TestFrontsAreNamedByTheirGroupsAtBothEnds(t *testing.T) {
	s := newSmall()
	sentries := platform.HostParty("sentry-1", "sentry-2")
	s.spec.Edges[0].To = platform.FrontParty("nlb")
	s.spec.Edges = append(s.spec.Edges,
		platform.Edge{From: platform.FrontParty("nlb", "0.0.0.0/0"), To: sentries, Protocol: "tcp", Ports: []int{7100}, Why: "others, balanced"})
	s.args.Settings.Front.Kind = "nlb"
	g := s.record(t)
	got := "\n" + strings.Join(rules(t, g), "\n") + "\n"
	for _, line := range []string{"nlb <- 0.0.0.0/0 tcp/7100", "nlb -> sentry tcp/7100", "sentry <- nlb tcp/7100"} {
		if !strings.Contains(got, "\n"+line+"\n") {
			t.Errorf("there is no rule %s in%s", line, got)
		}
	}
	if strings.Contains(got, "\nsentry <- 0.0.0.0/0") {
		t.Errorf("the internet reaches the sentries around the load balancer:%s", got)
	}
	if got := input(one(t, g, "sentry-1-instance"), "subnetId").V; got != "network-subnet-private-a_id" {
		t.Errorf("a sentry behind a load balancer is in %v", got)
	}
}

// Edges that say the same make one rule, or EC2 would refuse the second; and EC2 takes few characters in a description.
func TestEdgesThatSayTheSameMakeOneRule(t *testing.T) {
	s := newSmall()
	again := s.spec.Edges[4]
	again.Ports, again.Why = []int{443}, "the operator's “mirror” "+strings.Repeat("x", 300)
	s.spec.Edges = append(s.spec.Edges, again)
	r := one(t, s.record(t), "group-prep-out-tcp-443-anywhere")
	text := input(r, "description").StringValue()
	if !strings.HasPrefix(text, "packages; the operators mirror xxx") || len(text) != 255 {
		t.Errorf("description of %d characters: %s", len(text), text)
	}
}

func TestTheNetworkACLKeepsRemoteAdministrationOut(t *testing.T) {
	s := newSmall()
	acl := one(t, s.record(t), "acl")
	open := func(address string, port float64) bool {
		for _, e := range input(acl, "ingress").ArrayValue() {
			entry := bare(e).ObjectValue()
			from, to := entry["fromPort"].NumberValue(), entry["toPort"].NumberValue()
			meant := entry["protocol"].V == "-1" || entry["protocol"].V == "tcp" && from <= port && port <= to
			if meant && entry["action"].V == "allow" && entry["cidrBlock"].V == address {
				return true
			}
		}
		return false
	}
	for _, c := range []struct {
		address string
		port    float64
		want    bool
	}{
		{"0.0.0.0/0", 22, false},
		{"0.0.0.0/0", 3389, false},
		{"0.0.0.0/0", 7100, true},
		{"0.0.0.0/0", 65535, true},
		{"0.0.0.0/0", 443, true},
		{"203.0.113.0/24", 22, true},
		{"10.20.0.0/16", 22, true},
	} {
		if got := open(c.address, c.port); got != c.want {
			t.Errorf("%s may reach port %v: %v", c.address, c.port, got)
		}
	}
}
