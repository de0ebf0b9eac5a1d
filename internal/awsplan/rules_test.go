package awsplan

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/insight-icon/pulumi-icon/tests/golden"
)

// breach breaks one rule of sound settings.
type breach struct {
	name   string
	of     func() (Settings, Need)
	change func(s *Settings, n *Need)
}

// machine changes one machine's wishes.
func machine(name string, change func(m *Machine)) func(*Settings, *Need) {
	return func(s *Settings, _ *Need) {
		m := s.Machines[name]
		change(&m)
		if s.Machines == nil {
			s.Machines = map[string]Machine{}
		}
		s.Machines[name] = m
	}
}

func settings(change func(s *Settings)) func(*Settings, *Need) {
	return func(s *Settings, _ *Need) { change(s) }
}

func need(change func(n *Need)) func(*Settings, *Need) {
	return func(_ *Settings, n *Need) { change(n) }
}

func instance(host, kind string) func(*Settings, *Need) {
	return machine(host, func(m *Machine) { m.InstanceType = kind })
}

func cidr(text string) func(*Settings, *Need) {
	return settings(func(s *Settings) { s.VPC.CIDR = text })
}

func zones(list ...string) func(*Settings, *Need) {
	return settings(func(s *Settings) { s.Zones = list })
}

func adminKey(text string) func(*Settings, *Need) {
	return settings(func(s *Settings) { s.AdministratorKeys = []string{edKey(9), text} })
}

func tag(name, value string) func(*Settings, *Need) {
	return settings(func(s *Settings) { s.Tags = map[string]string{name: value} })
}

const privateKey = "-----BEGIN OPENSSH PRIVATE KEY-----\nb3BlbnNzaC1rZXktdjE\n-----END OPENSSH PRIVATE KEY-----\n"

// manySentries is a need for n sentries, all in one zone, and one in another.
func manySentries(count int) func(*Settings, *Need) {
	return func(s *Settings, n *Need) {
		s.Front.Kind, s.ElasticIPQuota = FrontNLB, 99
		for i := range count {
			name := fmt.Sprintf("sentry-%d", i+3)
			n.Hosts = append(n.Hosts, Host{Name: name, Role: Sentry})
			s.Machines[name] = Machine{Zone: s.Zones[1]}
		}
	}
}

func placeBreaches() []breach {
	return []breach{
		{"region missing", single, settings(func(s *Settings) { s.Region = "" })},
		{"region mistyped", single, settings(func(s *Settings) { s.Region = "us-esat-1" })},
		{"region unlike any", single, settings(func(s *Settings) { s.Region = "Frankfurt am Main" })},
		{"region is a zone", single, settings(func(s *Settings) { s.Region = "us-east-1a" })},
		{"region of another partition", single, settings(func(s *Settings) { s.Region = "us-gov-east-1" })},
		{"account with letters", single, settings(func(s *Settings) { s.Account = "12345678901x" })},
		{"zones missing", single, zones()},
		{"zones missing with sentries", fronted, func(s *Settings, _ *Need) { s.Zones, s.Machines = nil, nil }},
		{"zone of no form", single, zones("zone one")},
		{"zone of another region", single, zones("us-west-2a")},
		{"zone that the region lacks", single, zones("us-east-1g")},
		{"zone twice", single, zones("us-east-1a", "us-east-1a")},
		{"local zone", single, zones("us-east-1-bos-1a")},
		{"wavelength zone", single, zones("us-east-1-wl1-bos-wlz-1")},
		{"more zones than the region has", fronted, settings(func(s *Settings) { s.Zones = append(s.Zones, "eu-central-1d") })},
		{"sentries in one zone", fronted, func(s *Settings, _ *Need) {
			s.Zones, s.Machines = []string{"eu-central-1a"}, nil
		}},
	}
}

func accessBreaches() []breach {
	twice := settings(func(s *Settings) { s.AdministratorKeys = []string{edKey(1), edKey(1) + " again"} })
	return []breach{
		{"keys missing", single, settings(func(s *Settings) { s.AdministratorKeys = nil })},
		{"key of no form", single, adminKey("ssh-ed25519 nonsense")},
		{"private key", single, adminKey(privateKey)},
		{"key with options", single, adminKey(`command="true" ` + edKey(2))},
		{"key in several lines", single, adminKey(edKey(2) + "\n" + edKey(3))},
		{"key of a type out of use", single, adminKey(dsaKey())},
		{"key too short", single, adminKey(rsaKey(256))},
		{"key twice", single, twice},
		{"keys too many", single, settings(func(s *Settings) {
			for i := range 120 {
				s.AdministratorKeys = append(s.AdministratorKeys, edKey(byte(i+2)))
			}
		})},
		{"KMS key by alias", single, settings(func(s *Settings) { s.KMSKey = "arn:aws:kms:us-east-1:123456789012:alias/mine" })},
		{"KMS key of another region", single, settings(func(s *Settings) {
			s.KMSKey = "arn:aws:kms:us-west-2:123456789012:key/12345678-1234-1234-1234-123456789012"
		})},
		{"KMS key of another account", single, settings(func(s *Settings) {
			s.Account, s.KMSKey = "999999999999", "arn:aws:kms:us-east-1:123456789012:key/12345678-1234-1234-1234-123456789012"
		})},
		{"logs kept too shortly", single, settings(func(s *Settings) { s.LogDays = 90 })},
		{"tag with a character that AWS refuses", single, tag("owner", "me; you")},
		{"tag without a name", single, tag("", "x")},
		{"tag of AWS's", single, tag("AWS:owner", "x")},
		{"tag of the library's", single, tag("stack", "x")},
		{"tags alike", single, settings(func(s *Settings) { s.Tags = map[string]string{"owner": "a", "Owner": "b"} })},
		{"tag with a long name", single, tag(strings.Repeat("n", 129), "x")},
		{"tag with a long value", single, tag("owner", strings.Repeat("v", 257))},
		{"tags too many", single, settings(func(s *Settings) {
			s.Tags = map[string]string{}
			for i := range 41 {
				s.Tags[fmt.Sprintf("tag%02d", i)] = ""
			}
		})},
		{"snapshots kept too long", single, settings(func(s *Settings) { s.Snapshots.Keep = 1001 })},
		{"snapshots at no time", single, settings(func(s *Settings) { s.Snapshots.At = "24:00" })},
		{"snapshots off but kept", single, settings(func(s *Settings) { s.Snapshots = Snapshots{Off: true, Keep: 3} })},
	}
}

func networkBreaches() []breach {
	return []breach{
		{"range of no form", single, cidr("10.20.0.0")},
		{"range of IPv6", single, cidr("fd00::/48")},
		{"range with host bits", single, cidr("10.20.1.0/16")},
		{"range too wide", single, cidr("10.0.0.0/8")},
		{"range too narrow", single, cidr("10.20.0.0/23")},
		{"range of the internet's", single, cidr("11.0.0.0/16")},
		{"range of docker's", single, cidr("172.17.64.0/18")},
		{"range of the administrators'", single, need(func(n *Need) { n.Administrators = []string{"10.0.0.0/8"} })},
		{"range of a peer's", single, settings(func(s *Settings) { s.VPC.Peers = []string{"10.20.128.0/17"} })},
		{"peer twice", single, settings(func(s *Settings) { s.VPC.Peers = []string{"10.21.0.0/16", "10.21.0.0/16"} })},
		{"range too narrow for the API", published, cidr("10.20.0.0/22")},
		{"range too narrow for the machines", single, func(s *Settings, n *Need) {
			s.VPC.CIDR = "10.20.0.0/22"
			for i := range 12 {
				n.Hosts = append(n.Hosts, Host{Name: fmt.Sprintf("citizen-%d", i), Role: Citizen, MinDiskGB: 1})
			}
		}},
		{"NAT of no kind", single, settings(func(s *Settings) { s.VPC.NAT = "two" })},
		{"administrators too many", single, need(func(n *Need) {
			for i := range 15 {
				n.Administrators = append(n.Administrators, fmt.Sprintf("198.51.100.%d/32", i))
			}
		})},
		{"addresses above the quota", fronted, func(s *Settings, _ *Need) { s.VPC.NAT, s.ElasticIPQuota = NATPerZone, 4 }},
		{"addresses above the quota with many sentries", fronted, func(s *Settings, n *Need) {
			manySentries(2)(s, n)
			s.Front.Kind, s.ElasticIPQuota = FrontDNS, 5
			for i := range n.Hosts {
				n.Hosts[i].Exposed = n.Hosts[i].Role == Sentry
			}
		}},
		{"addresses above the quota with nothing to save", single, settings(func(s *Settings) { s.ElasticIPQuota = 1 })},
		{"quota below zero", single, settings(func(s *Settings) { s.ElasticIPQuota = -1 })},
		{"existing network without a range", ownNetwork, cidr("")},
		{"existing network without an id", ownNetwork, settings(func(s *Settings) { s.VPC.Existing.ID = "" })},
		{"existing network of no form", ownNetwork, settings(func(s *Settings) { s.VPC.Existing.ID = "vpc-1" })},
		{"existing network with gateways", ownNetwork, settings(func(s *Settings) { s.VPC.NAT = NATOne })},
		{"subnet of no form", ownNetwork, settings(func(s *Settings) { s.VPC.Existing.Private["eu-central-1a"] = "subnet-x" })},
		{"subnet twice", ownNetwork, settings(func(s *Settings) { s.VPC.Existing.Private["eu-central-1a"] = "subnet-00000000" })},
		{"subnet twice in a tier", ownNetwork, settings(func(s *Settings) { s.VPC.Existing.Private["eu-central-1a"] = "subnet-00000011" })},
		{"subnet in a zone out of use", ownNetwork, settings(func(s *Settings) {
			s.VPC.Existing.Private["eu-central-1d"] = "subnet-000000ff"
		})},
		{"subnet missing", ownNetwork, settings(func(s *Settings) { delete(s.VPC.Existing.Private, "eu-central-1a") })},
		{"subnet of a load balancer missing", ownNetwork, settings(func(s *Settings) { delete(s.VPC.Existing.Balancer, "eu-central-1b") })},
		{"ranges of load balancers missing", ownNetwork, settings(func(s *Settings) { s.VPC.Existing.BalancerCIDRs = nil })},
		{"range of load balancers outside", ownNetwork, settings(func(s *Settings) { s.VPC.Existing.BalancerCIDRs[0] = "10.31.0.0/24" })},
		{"range of load balancers twice", ownNetwork, settings(func(s *Settings) {
			s.VPC.Existing.BalancerCIDRs = append(s.VPC.Existing.BalancerCIDRs, "10.30.3.0/24")
		})},
	}
}

func machineBreaches() []breach {
	return []breach{
		{"machine of no host", fronted, machine("sentry-3", func(*Machine) {})},
		{"machine without a zone", fronted, machine("prep", func(m *Machine) { m.Zone = "" })},
		{"machine in another zone", fronted, machine("prep", func(m *Machine) { m.Zone = "eu-central-1d" })},
		{"type of no form", fronted, instance("prep", "m7i")},
		{"type of another architecture", fronted, instance("prep", "m7g.2xlarge")},
		{"type without NVMe", fronted, instance("prep", "m4.2xlarge")},
		{"burstable type for a P-Rep", fronted, instance("prep", "t3.2xlarge")},
		{"burstable type for a sentry", fronted, instance("sentry-1", "t4g.small")},
		{"type too small for a P-Rep", fronted, instance("prep", "m7i.large")},
		{"image of no form", fronted, machine("prep", func(m *Machine) { m.Image = "debian-12" })},
		{"root too small", fronted, machine("prep", func(m *Machine) { m.RootGB = 4 })},
		{"data too small", fronted, machine("prep", func(m *Machine) { m.DataGB = 2000 })},
		{"data too large", fronted, machine("prep", func(m *Machine) { m.DataGB = 70000 })},
		{"IOPS too few", fronted, machine("prep", func(m *Machine) { m.DataIOPS, m.DataThroughput = 100, 125 })},
		{"IOPS too many", single, machine("prep", func(m *Machine) { m.DataIOPS = 80001 })},
		{"IOPS too many for a small volume", single, func(s *Settings, n *Need) {
			n.Hosts[0].MinDiskGB = 1
			s.Machines = map[string]Machine{"prep": {DataIOPS: 6000}}
		}},
		{"throughput too high", fronted, machine("prep", func(m *Machine) { m.DataIOPS, m.DataThroughput = 8000, 2000 })},
		{"throughput too high for the IOPS", fronted, machine("prep", func(m *Machine) { m.DataIOPS, m.DataThroughput = 3000, 1000 })},
		{"snapshot of no form", fronted, machine("prep", func(m *Machine) { m.RestoreFrom = "vol-01234567" })},
		{"data larger than any volume", fronted, need(func(n *Need) {
			n.Hosts = slices.Clone(n.Hosts)
			n.Hosts[0].MinDiskGB = 90000
		})},
		{"data on a sentry", fronted, machine("sentry-1", func(m *Machine) { m.DataGB = 10 })},
		{"speed on a sentry", fronted, machine("sentry-1", func(m *Machine) { m.DataIOPS, m.DataThroughput = 3000, 125 })},
		{"snapshot for a bastion", fronted, machine(Bastion, func(m *Machine) { m.RestoreFrom = "snap-01234567" })},
		{"sentries too many for a zone", fronted, manySentries(7)},
		{"all sentries in a zone", fronted, machine("sentry-2", func(m *Machine) { m.Zone = "eu-central-1a" })},
	}
}

func frontBreaches() []breach {
	api := func(change func(a *API)) func(*Settings, *Need) {
		return settings(func(s *Settings) { change(s.API) })
	}
	const certificate = "arn:aws:acm:us-east-1:123456789012:certificate/12345678-1234-1234-1234-123456789012"
	return []breach{
		{"address that can't be exchanged", fronted, func(s *Settings, n *Need) { s.ElasticIPQuota, n.Hosts[2].Generation = 4, 2 }},
		{"front without sentries", single, settings(func(s *Settings) { s.Front.Kind = FrontDNS })},
		{"front of no kind", fronted, settings(func(s *Settings) { s.Front.Kind = "alb" })},
		{"zone of names of no form", fronted, settings(func(s *Settings) { s.Front.HostedZone = "example.org" })},
		{"zone of names for an address", fronted, need(func(n *Need) { n.Announce = "198.51.100.7:7100" })},
		{"API without citizens", single, func(s *Settings, n *Need) {
			s.Zones = []string{"us-east-1a", "us-east-1b"}
			s.Machines = map[string]Machine{"prep": {Zone: "us-east-1a"}, Bastion: {Zone: "us-east-1b"}}
			s.API = &API{Name: "api.example.org", HostedZone: "Z1"}
		}},
		{"API in one zone", single, func(s *Settings, n *Need) {
			n.Hosts = append(n.Hosts, Host{Name: "citizen", Role: Citizen, MinDiskGB: 1})
			s.API = &API{Name: "api.example.org", HostedZone: "Z1"}
		}},
		{"API without a name", published, api(func(a *API) { a.Name = "" })},
		{"API with an address", published, api(func(a *API) { a.Name = "https://api.example.org" })},
		{"API with the sentries' name", published, api(func(a *API) { a.Name = "p2p.example.org" })},
		{"API without a certificate", published, api(func(a *API) { a.HostedZone = "" })},
		{"API's zone of names of no form", published, api(func(a *API) { a.HostedZone = "z1" })},
		{"API's certificate of no form", published, api(func(a *API) { a.Certificate = "mine.pem" })},
		{"API's name is the sentries', in capitals", published, func(_ *Settings, n *Need) { n.Announce = "API.example.org:7100" }},
		{"API's certificate of another region", published, api(func(a *API) { a.Certificate = certificate })},
		{"API's limit too low", published, api(func(a *API) { a.RequestsPerSource = 9 })},
		{"API's limit without a firewall", published, api(func(a *API) { a.WithoutWAF, a.RequestsPerSource = true, 100 })},
	}
}

func breaches() []breach {
	return slices.Concat(placeBreaches(), accessBreaches(), networkBreaches(), machineBreaches(), frontBreaches())
}

// broken are the problems of a breach.
func (b breach) problems() []Problem {
	s, n := b.of()
	b.change(&s, &n)
	_, problems := s.Complete(n)
	return problems
}

// several are the breaches that are told in more than one way.
var several = []string{"speed on a sentry"}

func TestEachMistakeGivesItsExactMessage(t *testing.T) {
	var text strings.Builder
	for _, b := range breaches() {
		problems := b.problems()
		fmt.Fprintf(&text, "%s\n", b.name)
		for _, p := range problems {
			fmt.Fprintf(&text, "  %s: %s\n", p.Key, p.Message)
		}
		if len(problems) != 1 && !slices.Contains(several, b.name) || len(problems) == 0 {
			t.Errorf("%s gives %d problems", b.name, len(problems))
		}
	}
	golden.Check(t, "problems.txt", text.String())
	if strings.Contains(text.String(), "b3BlbnNzaC1rZXktdjE") {
		t.Error("a message shows a private key")
	}
}

func TestEveryRuleIsBrokenByATest(t *testing.T) {
	seen := map[string]bool{}
	for _, b := range breaches() {
		for _, p := range b.problems() {
			seen[p.Rule] = true
		}
	}
	rules := rulesInSource(t)
	for rule, position := range rules {
		if !seen[rule] {
			t.Errorf("%s: no breach of the rule %q", position, rule)
		}
	}
	if len(rules) < 60 {
		t.Errorf("only %d rules found in the source: the search is broken", len(rules))
	}
}

// rulesInSource finds the messages in the package's source: the texts given to add and missing.
func rulesInSource(t *testing.T) map[string]string {
	t.Helper()
	rules := map[string]string{}
	sources, err := filepath.Glob("*.go")
	if err != nil {
		t.Fatal(err)
	}
	for _, source := range sources {
		if strings.HasSuffix(source, "_test.go") {
			continue
		}
		set := token.NewFileSet()
		file, err := parser.ParseFile(set, source, nil, parser.SkipObjectResolution)
		if err != nil {
			t.Fatal(err)
		}
		ast.Inspect(file, func(node ast.Node) bool {
			call, ok := node.(*ast.CallExpr)
			if !ok || len(call.Args) < 2 {
				return true
			}
			method, ok := call.Fun.(*ast.SelectorExpr)
			if !ok || method.Sel.Name != "add" && method.Sel.Name != "missing" {
				return true
			}
			receiver, ok := method.X.(*ast.Ident)
			if !ok || receiver.Name != "c" {
				return true
			}
			rule, constant := constantText(call.Args[1])
			if !constant && source != "problems.go" {
				t.Errorf("%s: the rule is not one text", set.Position(call.Pos()))
			}
			rules[rule] = set.Position(call.Pos()).String()
			return true
		})
	}
	return rules
}

// constantText is the value of a string literal, or of several joined by "+".
func constantText(expression ast.Expr) (string, bool) {
	switch e := expression.(type) {
	case *ast.BasicLit:
		text, err := strconv.Unquote(e.Value)
		return text, err == nil
	case *ast.BinaryExpr:
		left, ok := constantText(e.X)
		right, alsoOK := constantText(e.Y)
		return left + right, ok && alsoOK
	default:
		return "", false
	}
}
