package reach_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/insight-icon/pulumi-icon/tests/graph"
	"github.com/insight-icon/pulumi-icon/tests/reach"
)

var (
	someNetworks = []string{
		"0.0.0.0/0", "203.0.113.0/24", "203.0.113.128/25", "10.20.0.0/16", "10.20.4.0/22", "10.20.0.10/32",
		"192.168.0.0/16",
	}
	someRoles   = []string{"web", "app", "db"}
	someParties = []string{"internet", "203.0.113.0/24", "203.0.113.128/25", "web-1", "web-2", "app-1", "app-2", "db-1", "db-2", "nlb"}
	somePorts   = []int{22, 80, 443, 7100}
)

func pick[T any](r *rand.Rand, list []T) T { return list[r.IntN(len(list))] }

// random is a network with rules at random. The same seed is the same network.
func random(r *rand.Rand) *site {
	s := network().subnet("balancer-a", "10.20.24.0/22", "routes-public")
	for _, role := range someRoles {
		s.group(role)
		for n, subnet := range []string{"public-a", pick(r, []string{"public-a", "public-b", "private-a"})} {
			name := fmt.Sprintf("%s-%d", role, n+1)
			if r.IntN(2) == 0 {
				s.exposed(name, role, subnet)
			} else {
				s.host(name, role, subnet)
			}
		}
	}
	s.change("web-1-instance", in{"privateIp": "10.20.0.10"})
	s.add("lb/loadBalancer:LoadBalancer", "nlb", in{
		"loadBalancerType": "network", "securityGroups": []any{"group-web_id"},
		"subnets": []any{"balancer-a_id"},
	})
	s.add("lb/targetGroup:TargetGroup", "apps", in{"protocol": "TCP", "port": 443, "preserveClientIp": pick(r, []any{"true", "false"})})
	s.add("lb/listener:Listener", "nlb-443", in{
		"loadBalancerArn": "nlb_id", "port": 443, "protocol": "TCP",
		"defaultActions": []any{in{"type": "forward", "targetGroupArn": "apps_id"}},
	})
	s.add("lb/targetGroupAttachment:TargetGroupAttachment", "target", in{"targetGroupArn": "apps_id", "targetId": "app-1-instance_id"})
	for range 8 {
		s.randomRule(r)
	}
	for _, subnet := range []string{"public-a", "private-a"} {
		if r.IntN(2) == 0 {
			continue
		}
		var rules []string
		for _, out := range []string{"", "out "} {
			for n := range 3 {
				rules = append(rules, fmt.Sprintf("%s%d %s %s 0 %d %s", out, n*10+10, pick(r, []string{"allow", "allow", "deny"}),
					pick(r, []string{"tcp", "-1"}), pick(r, []int{100, 8000, 65535}), pick(r, someNetworks)))
			}
		}
		s.acl("acl-"+subnet, subnet, rules...)
	}
	return s
}

// randomRule adds a rule of a group, if there is none like it.
func (s *site) randomRule(r *rand.Rand) {
	port := pick(r, somePorts)
	peer := pick(r, append(someNetworks, someRoles...))
	before := len(s.resources)
	s.lets(pick(r, []string{"in", "out"}), pick(r, someRoles), pick(r, []string{"tcp", "tcp", "-1"}), port, port, peer)
	for _, other := range s.resources[:before] {
		if other.Name == s.resources[before].Name {
			s.resources = s.resources[:before]
			return
		}
	}
}

// opened are the connections of a sample that are there.
func opened(r *reach.Reach) map[string]string {
	m := map[string]string{}
	for _, from := range someParties {
		for _, to := range someParties {
			for _, port := range somePorts {
				for _, protocol := range []string{"tcp", "udp"} {
					if why := r.Why(from, to, protocol, port); strings.HasPrefix(why, from+" -> ") {
						m[fmt.Sprintf("%s -> %s %s %d", from, to, protocol, port)] = why
					}
				}
			}
		}
	}
	return m
}

func TestARuleThatAllowsNeverClosesAnything(t *testing.T) {
	total := 0
	for seed := range uint64(40) {
		r := rand.New(rand.NewPCG(seed, 3))
		s := random(r)
		before, resources := opened(s.analyse(t)), len(s.resources)
		total += len(before)
		if r.IntN(3) > 0 {
			s.randomRule(r)
		} else {
			for _, x := range s.resources {
				if strings.HasPrefix(x.Name, "acl-") && strings.HasSuffix(x.Type, ":NetworkAcl") {
					s.add("ec2/networkAclRule:NetworkAclRule", x.Name+"-more", in{
						"networkAclId": x.Name + "_id", "egress": r.IntN(2) == 0,
						"ruleNumber": 1 + r.IntN(9), "ruleAction": "allow", "protocol": "-1", "cidrBlock": pick(r, someNetworks),
					})
				}
			}
		}
		after := opened(s.analyse(t))
		for c, way := range before {
			if _, there := after[c]; !there {
				t.Errorf("seed %d: %s went away when a rule was added: it was %s", seed, c, way)
			}
		}
		if len(s.resources) == resources {
			continue // there was such a rule already
		}
		// The other way round, the rule is taken away again.
		s.resources = s.resources[:len(s.resources)-1]
		for c, way := range opened(s.analyse(t)) {
			if _, there := after[c]; !there {
				t.Errorf("seed %d: %s came when a rule was taken away: %s", seed, c, way)
			}
		}
	}
	if total < 200 {
		t.Errorf("only %d connections were looked at", total)
	}
}

// TestTheTableSaysWhatEachConnectionSays compares the table, made by classes and with networks left out that others cover, with the
// answers for each pair.
func TestTheTableSaysWhatEachConnectionSays(t *testing.T) {
	for seed := range uint64(40) {
		s := random(rand.New(rand.NewPCG(seed, 4)))
		r := s.analyse(t)
		listed := map[string]bool{}
		for _, c := range r.Connections() {
			for _, port := range somePorts {
				for _, protocol := range []string{"tcp", "udp"} {
					but, _ := strings.CutPrefix(c.Protocol, "all but ")
					if c.Protocol != protocol && (!strings.HasPrefix(c.Protocol, "all") || strings.Contains(but, protocol)) ||
						port < c.Ports.From || port > c.Ports.To {
						continue
					}
					for _, from := range covered(c.From) {
						for _, to := range covered(c.To) {
							listed[fmt.Sprintf("%s -> %s %s %d", from, to, protocol, port)] = true
						}
					}
				}
			}
		}
		open := opened(r)
		for c, way := range open {
			if !listed[c] {
				t.Errorf("seed %d: %s is open and not listed: %s\n%s", seed, c, way, r.Table())
			}
		}
		for c := range listed {
			if _, there := open[c]; !there && !strings.Contains(c, "192.168.") {
				t.Errorf("seed %d: %s is listed and not open\n%s", seed, c, r.Table())
			}
		}
	}
}

// covered are the networks of someParties that a name of a connection stands for.
func covered(name string) []string {
	name, but, _ := strings.Cut(name, " except ")
	within := map[string][]string{
		"internet": {"internet", "203.0.113.0/24", "203.0.113.128/25"}, "203.0.113.0/24": {"203.0.113.0/24", "203.0.113.128/25"},
	}
	all, ok := within[name]
	if !ok {
		return []string{name}
	}
	var out []string
	for _, n := range all {
		if strings.Contains(but, n) || n == "203.0.113.128/25" && strings.Contains(but, "203.0.113.0/24") {
			continue
		}
		out = append(out, n)
	}
	return out
}

func TestAThousandHostsTakeNoTime(t *testing.T) {
	s := many(1000)
	begin := time.Now()
	r := s.analyse(t)
	table := r.Table()
	lines := strings.Split(table, "\n")
	if d := reach.Compare(strings.Join(slices.Delete(lines, 1, 2), "\n"), r); len(d) != 1 {
		t.Errorf("%d differences: %q", len(d), d)
	}
	if took := time.Since(begin); took > 10*time.Second {
		t.Errorf("it took %s", took)
	}
	if want := "citizen-1..1000  citizen-1..1000  tcp       7100"; !strings.Contains(table, want) {
		t.Errorf("want %s\n%s", want, table)
	}
}

func BenchmarkAnalyse1000(b *testing.B) {
	g := graph.New(many(1000).resources...)
	for b.Loop() {
		r, err := reach.Analyse(g)
		if err != nil {
			b.Fatal(err)
		}
		if r.Table() == "" {
			b.Fatal("no table")
		}
	}
}

func BenchmarkConnections1000(b *testing.B) {
	r := many(1000).analyse(b)
	for b.Loop() {
		if n := len(r.Connections()); n != 1000*1000 {
			b.Fatal(n)
		}
	}
}
