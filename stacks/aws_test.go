package stacks

import (
	"os"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"github.com/insight-icon/pulumi-icon/internal/awsplan"
)

func TestNeedOfAWSFollowsFromTheStack(t *testing.T) {
	front := func(c *Config) { c.AWS.Front.Kind = "nlb" }
	node := func(name, role string, gb int) awsplan.Host {
		return awsplan.Host{Name: name, Role: role, Arch: "amd64", MinDiskGB: gb}
	}
	bastion := awsplan.Host{Name: "bastion", Role: "bastion", Exposed: true}
	exposed := awsplan.Host{Name: "prep-1", Role: "prep", Arch: "arm64", MinDiskGB: 1, Exposed: true}
	for _, c := range []struct {
		name, file, network, announce string
		change                        func(*Config)
		hosts                         []awsplan.Host
	}{
		{"single-node", "aws-single-node.yaml", "custom", "", nil, []awsplan.Host{exposed, bastion}},
		{"sentries by DNS", "aws-sentry-fronted.yaml", "mainnet", "prep.example.org:7100", nil, []awsplan.Host{
			node("prep-1", "prep", 2500), node("citizen-1", "citizen", 2500),
			{Name: "sentry-1", Role: "sentry", Exposed: true},
			{Name: "sentry-2", Role: "sentry", Exposed: true},
			bastion,
		}},
		{"sentries behind a balancer", "aws-sentry-fronted.yaml", "mainnet", "prep.example.org:7100", front, []awsplan.Host{
			node("prep-1", "prep", 2500), node("citizen-1", "citizen", 2500),
			{Name: "sentry-1", Role: "sentry"},
			{Name: "sentry-2", Role: "sentry"},
			bastion,
		}},
		{"citizens", "citizens.yaml", "mainnet", "", nil, []awsplan.Host{
			node("citizen-1", "citizen", 2500), node("citizen-2", "citizen", 2500), bastion,
		}},
	} {
		config := loaded(t, c.file)
		if c.change != nil {
			c.change(config)
		}
		want := awsplan.Need{Hosts: c.hosts, Network: c.network, Announce: c.announce, Administrators: []string{"203.0.113.0/24"}}
		if got := config.AWSNeed(); !reflect.DeepEqual(got, want) {
			t.Errorf("%s: %+v\nwanted %+v", c.name, got, want)
		}
	}
}

func TestTheBalancerOrTheSentriesPublishTheAPI(t *testing.T) {
	config := loaded(t, "aws-sentry-fronted.yaml")
	if *config.Sentries.API {
		t.Error("the sentries publish the API that the balancer publishes")
	}
	config.AWS.API, config.Sentries.API = nil, nil
	full, err := config.Complete()
	if err != nil || !*full.Sentries.API {
		t.Errorf("without a balancer (error %v) the sentries publish no API", err)
	}
}

// A host that could not be read must not make that of icon:aws look wrong, too; what is surely wrong is told all the same.
func TestUnreadableRolesBringNoFurtherProblems(t *testing.T) {
	config := loaded(t, "aws-sentry-fronted.yaml")
	for _, c := range []struct {
		broken string
		change func(*Config)
		known  bool
	}{
		{"", func(*Config) {}, true},
		{"sentries.limits.p2pPerSource", func(*Config) {}, true},
		{"citizens.hosts[1]", func(*Config) {}, false},
		{"prep", func(c *Config) { c.PRep = nil }, false},
		{"", func(c *Config) { c.Sentries = &Sentries{} }, false},
		{"", func(c *Config) { c.Topology = "star" }, false},
	} {
		p, changed := newCollector(), *config
		if c.broken != "" {
			p.broken[c.broken] = true
		}
		if c.change(&changed); changed.knowsHosts(p) != c.known {
			t.Errorf("%q: the hosts are known: %v, wanted %v", c.broken, !c.known, c.known)
		}
	}
	need := config.AWSNeed()
	for key, about := range map[string]bool{
		"machines.prep-1.zone": false, "machines.prep-2": true, "api": true, "front.kind": true, "zones[1]": true, "region": false,
		"vpc.cidr": false,
	} {
		if aboutHosts(key, need) != about {
			t.Errorf("%s: wanted %v", key, about)
		}
	}
}

func TestShippedStacksOnAWSNeedTheAddressesOfTheirHeaders(t *testing.T) {
	for name, want := range map[string]struct {
		addresses []string
		nat       []string
		roles     string
	}{
		"mainnet-prep": {
			[]string{"sentry-1", "sentry-2", "sentry-3", "bastion", "nat-eu-central-1a"},
			[]string{"eu-central-1a"},
			"prep citizen sentry sentry sentry bastion",
		},
		"lisbon-prep":     {[]string{"prep-1", "bastion"}, nil, "prep bastion"},
		"citizen-archive": {[]string{"bastion", "nat-eu-central-1a"}, []string{"eu-central-1a"}, "citizen citizen bastion"},
	} {
		text, err := os.ReadFile("Pulumi." + name + ".yaml")
		if err != nil {
			t.Fatal(err)
		}
		config, err := Parse(text, Secrets{SSHPrivateKey: pulumi.String("x")})
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		design, problems := config.AWS.Complete(config.AWSNeed())
		if len(problems) > 0 {
			t.Errorf("%s: %v", name, problems)
		}
		roles := []string{}
		for _, h := range design.Hosts {
			roles = append(roles, h.Role)
		}
		if got := strings.Join(roles, " "); got != want.roles {
			t.Errorf("%s: hosts %s, wanted %s", name, got, want.roles)
		}
		if !slices.Equal(design.ElasticIPs, want.addresses) || !slices.Equal(design.NATZones, want.nat) {
			t.Errorf("%s: elastic addresses %v and NAT in %v, wanted %v and %v", name, design.ElasticIPs, design.NATZones, want.addresses, want.nat)
		}
	}
}
