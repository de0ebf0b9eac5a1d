package reach_test

import (
	"fmt"
	"strings"
	"testing"
)

// balanced are two sentries behind a network load balancer that keeps client addresses.
func balanced() *site {
	s := network().subnet("balancer-a", "10.20.24.0/22", "routes-public").group("nlb").group("sentry")
	s.host("sentry-1", "sentry", "private-a").host("sentry-2", "sentry", "private-a")
	s.add("ec2/eip:Eip", "nlb-address", in{"domain": "vpc"})
	s.add("lb/loadBalancer:LoadBalancer", "nlb", in{
		"loadBalancerType": "network", "securityGroups": []any{"group-nlb_id"},
		"subnetMappings": []any{in{"subnetId": "balancer-a_id", "allocationId": "nlb-address_id"}},
	})
	s.add("lb/targetGroup:TargetGroup", "sentries", in{"protocol": "TCP", "port": 7100, "vpcId": "vpc_id"})
	s.add("lb/listener:Listener", "nlb-7100", in{
		"loadBalancerArn": "arn:aws:lb:eu-central-1:123456789012:nlb", "port": 7100, "protocol": "TCP",
		"defaultActions": []any{in{"type": "forward", "targetGroupArn": "sentries_id"}},
	})
	for _, h := range []string{"sentry-1", "sentry-2"} {
		s.add("lb/targetGroupAttachment:TargetGroupAttachment", "target-"+h,
			in{"targetGroupArn": "sentries_id", "targetId": h + "-instance_id", "port": 7200})
	}
	s.lets("in", "nlb", "tcp", 7100, 7100, "0.0.0.0/0").lets("out", "nlb", "tcp", 7200, 7200, "sentry")
	return s.lets("in", "sentry", "tcp", 7200, 7200, "nlb")
}

const kept = `
internet  nlb                tcp  7100
internet  sentry-1 sentry-2  tcp  7200  through nlb 7100
nlb       sentry-1 sentry-2  tcp  7200  health checks
`

func TestANetworkLoadBalancerKeepsItsClientsAddresses(t *testing.T) {
	for name, c := range map[string]struct {
		change func(s *site)
		want   string
	}{
		"its group is let in": {func(*site) {}, kept},
		"its clients are let in": {func(s *site) {
			s.drop("sentry-in-tcp-7200-nlb").lets("in", "sentry", "tcp", 7200, 7200, "0.0.0.0/0")
		}, kept},
		"neither is": {func(s *site) { s.drop("sentry-in-tcp-7200-nlb") }, "internet  nlb  tcp  7100"},
		"only its subnets are": {func(s *site) {
			s.drop("sentry-in-tcp-7200-nlb").lets("in", "sentry", "tcp", 7200, 7200, "10.20.24.0/22")
		}, "internet  nlb  tcp  7100\nnlb  sentry-1 sentry-2  tcp  7200  health checks"},
		"only some clients are": {func(s *site) {
			s.drop("sentry-in-tcp-7200-nlb").lets("in", "sentry", "tcp", 7200, 7200, administrators)
		}, "internet  nlb  tcp  7100\n203.0.113.0/24  sentry-1 sentry-2  tcp  7200  through nlb 7100"},
		"it lets nothing out": {func(s *site) { s.drop("nlb-out-tcp-7200-sentry") }, "internet  nlb  tcp  7100"},
		"it lets in administrators alone": {func(s *site) {
			s.drop("nlb-in-tcp-7100-0.0.0.0-0").lets("in", "nlb", "tcp", 7100, 7100, administrators)
		}, strings.ReplaceAll(kept, "internet", administrators)},
		"it has no group": {func(s *site) {
			s.change("nlb", in{"securityGroups": nil})
			s.drop("sentry-in-tcp-7200-nlb").lets("in", "sentry", "tcp", 7200, 7200, "0.0.0.0/0")
		}, kept},
		"it does not keep them": {
			func(s *site) { s.change("sentries", in{"preserveClientIp": "false"}) },
			"internet  nlb  tcp  7100\nnlb  sentry-1 sentry-2  tcp  7200  7100",
		},
		"it is internal":     {func(s *site) { s.change("nlb", in{"internal": true}) }, "nlb  sentry-1 sentry-2  tcp  7200  health checks"},
		"it has no listener": {func(s *site) { s.drop("nlb-7100") }, ""},
		"its health checks go elsewhere": {func(s *site) {
			s.change("sentries", in{"healthCheck": in{"port": "7300"}})
		}, strings.Join(strings.Split(kept, "\n")[:3], "\n")},
		"an ACL of the targets denies clients": {func(s *site) {
			s.acl("acl", "private-a", "1 deny -1 0 0 "+administrators, "2 allow -1 0 0 0.0.0.0/0", "out 1 allow -1 0 0 0.0.0.0/0")
		}, strings.ReplaceAll(kept, "internet  sentry", "internet except 203.0.113.0/24  sentry")},
		"one sentry is not registered": {func(s *site) { s.drop("target-sentry-2") }, strings.ReplaceAll(kept, " sentry-2", "")},
	} {
		t.Run(name, func(t *testing.T) {
			s := balanced()
			c.change(s)
			same(t, c.want, s.analyse(t))
		})
	}
}

func TestAWayThroughALoadBalancerIsToldInWords(t *testing.T) {
	got := balanced().analyse(t).Why("internet", "sentry-1", "tcp", 7200)
	want := "internet -> internet gateway gateway -> elastic address nlb-address -> group group-nlb rule nlb-in-tcp-7100-0.0.0.0-0 -> " +
		"listener nlb-7100 -> nlb -> group group-nlb rule nlb-out-tcp-7200-sentry -> group group-sentry rule sentry-in-tcp-7200-nlb -> " +
		"sentry-1 (through nlb 7100)"
	if got != want {
		t.Errorf("got %s\nwant %s", got, want)
	}
}

// served is a citizen behind an application load balancer that knows two paths.
func served() *site {
	s := network().subnet("balancer-a", "10.20.24.0/22", "routes-public").group("alb").group("citizen")
	s.host("citizen-1", "citizen", "private-a")
	s.add("lb/loadBalancer:LoadBalancer", "alb", in{"securityGroups": []any{"group-alb_id"}, "subnets": []any{"balancer-a_id"}})
	s.add("lb/targetGroup:TargetGroup", "citizens", in{"protocol": "HTTP", "port": 9000, "vpcId": "vpc_id"})
	s.add("lb/targetGroupAttachment:TargetGroupAttachment", "target", in{"targetGroupArn": "citizens_id", "targetId": "citizen-1-instance_id"})
	s.add("lb/listener:Listener", "alb-443", in{
		"loadBalancerArn": "alb_id", "port": 443, "protocol": "HTTPS",
		"defaultActions": []any{in{"type": "fixed-response", "fixedResponse": in{"statusCode": "404"}}},
	})
	s.add("lb/listener:Listener", "alb-80", in{
		"loadBalancerArn": "alb_id", "port": 80, "protocol": "HTTP",
		"defaultActions": []any{in{"type": "redirect"}},
	})
	s.add("lb/listenerRule:ListenerRule", "api", in{
		"listenerArn": "alb-443_id", "priority": 10,
		"conditions": []any{in{"pathPattern": in{"values": []any{"/api/v3", "/api/v3/*"}}}},
		"actions":    []any{in{"type": "forward", "targetGroupArn": "citizens_id"}},
	})
	s.lets("in", "alb", "tcp", 443, 443, "0.0.0.0/0").lets("out", "alb", "tcp", 9000, 9000, "citizen")
	return s.lets("in", "citizen", "tcp", 9000, 9000, "10.20.24.0/22")
}

func TestAnApplicationLoadBalancerForwardsWhatItsRulesSay(t *testing.T) {
	const want = "internet  alb  tcp  443\nalb  citizen-1  tcp  9000  443 /api/v3 /api/v3/*"
	for name, c := range map[string]struct {
		change func(s *site)
		want   string
	}{
		"paths": {func(*site) {}, want},
		"all that is asked": {func(s *site) {
			s.change("alb-443", in{"defaultActions": []any{in{"type": "forward", "targetGroupArn": "citizens_id"}}})
		}, want + "\nalb  citizen-1  tcp  9000  443"},
		"a host and weights": {func(s *site) {
			s.change("api", in{"conditions": []any{in{"hostHeader": in{"values": []any{"api.example.org"}}}}, "actions": []any{in{
				"type": "forward", "forward": in{"targetGroups": []any{in{"arn": "citizens_id", "weight": 1}}},
			}}})
		}, "internet  alb  tcp  443\nalb  citizen-1  tcp  9000  443 host api.example.org"},
		"nothing is let in":    {func(s *site) { s.drop("citizen-in-tcp-9000-10.20.24.0-22") }, "internet  alb  tcp  443"},
		"the default group":    {func(s *site) { s.change("alb", in{"securityGroups": nil}) }, ""},
		"no way to its subnet": {func(s *site) { s.drop("balancer-a-routes") }, "alb  citizen-1  tcp  9000  443 /api/v3 /api/v3/*"},
	} {
		t.Run(name, func(t *testing.T) {
			s := served()
			c.change(s)
			same(t, c.want, s.analyse(t))
		})
	}
	got := served().analyse(t).Why("internet", "alb", "tcp", 80)
	if want := "blocked: no rule of group group-alb of alb lets tcp 80 in from internet"; got != want {
		t.Errorf("got %s\nwant %s", got, want)
	}
}

func TestTheHostsBehindOneNameOfThousandsAreOneLine(t *testing.T) {
	s := many(12)
	same(t, "citizen-1..12  citizen-1..12  tcp  7100\ninternet  citizen-1..12  tcp  7100", s.analyse(t))
	s.change("citizen-5-instance", in{"tags": in{"Host": "citizen-5", "Role": "special"}})
	if table := s.analyse(t).Table(); !strings.Contains(table, "citizen-1..4 citizen-6..12  citizen-5 ") {
		t.Errorf("a host of another role has lines of its own:\n%s", table)
	}
}

// many are citizens that reach each other, in two subnets.
func many(n int) *site {
	s := network().group("citizen").lets("in", "citizen", "tcp", 7100, 7100, "0.0.0.0/0").lets("out", "citizen", "tcp", 7100, 7100, "citizen")
	for i := 1; i <= n; i++ {
		s.exposed(fmt.Sprintf("citizen-%d", i), "citizen", []string{"public-a", "public-b"}[i%2])
	}
	return s
}
