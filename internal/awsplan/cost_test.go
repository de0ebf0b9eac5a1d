package awsplan

import (
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/insight-icon/pulumi-icon/tests/golden"
)

func TestWhatAnInstallationCostsIsAsReviewed(t *testing.T) {
	for name, change := range map[string]func() *Design{
		"fronted": func() *Design { s, n := fronted(); return designed(t, s, n) },
		"single":  func() *Design { s, n := single(); return designed(t, s, n) },
		"everything": func() *Design {
			s, n := published()
			for i, zone := range s.Zones {
				s.Zones[i] = strings.Replace(zone, "eu-central-1", "ap-northeast-2", 1)
			}
			for host, m := range s.Machines {
				m.Zone = strings.Replace(m.Zone, "eu-central-1", "ap-northeast-2", 1)
				s.Machines[host] = m
			}
			s.Region, s.VPC.NAT, s.ElasticIPQuota = "ap-northeast-2", NATPerZone, 9
			s.Front = Front{Kind: FrontNLB, ShieldAdvanced: true}
			return designed(t, s, n)
		},
	} {
		golden.Check(t, "cost-"+name+".txt", change().Cost().String())
	}
}

func TestTheTableOfPricesIsWhole(t *testing.T) {
	table, err := readPrices()
	if err != nil {
		t.Fatal(err)
	}
	if len(table) != 3 {
		t.Errorf("prices of %d regions", len(table))
	}
	for name, items := range table {
		if _, ok := regions[name]; !ok {
			t.Errorf("prices of %s, which is no region", name)
		}
		if len(items) != len(table[pricesFor]) || len(items) < 60 {
			t.Errorf("%s has %d prices, %s %d", name, len(items), pricesFor, len(table[pricesFor]))
		}
		for item, p := range items {
			if p.usd <= 0 || p.unit == "" {
				t.Errorf("%s in %s: %+v", item, name, p)
			}
		}
	}
}

func TestEveryDefaultTypeHasAPrice(t *testing.T) {
	table, _ := readPrices()
	for name := range table {
		for network := range defaultTypes {
			for _, role := range []string{PRep, Citizen, Sentry, Bastion} {
				for _, arch := range []string{amd64, arm64} {
					if kind := defaultType(Host{Role: role, Arch: arch}, network); table[name][kind].usd == 0 || table[name][kind].unread {
						t.Errorf("%s has no sourced price in %s", kind, name)
					}
				}
			}
		}
	}
}

// Types of one family cost in proportion to their size, but for rounding: a mistyped price shows.
func TestPricesOfAFamilyAreInProportion(t *testing.T) {
	table, _ := readPrices()
	for name, items := range table {
		for item, p := range items {
			family, size, isType := strings.Cut(item, ".")
			if base, ok := items[family+".large"]; isType && ok {
				times := map[string]float64{
					"nano": 1. / 16, "micro": 1. / 8, "small": 1. / 4, "medium": 1. / 2, "large": 1, "xlarge": 2, "2xlarge": 4, "4xlarge": 8,
				}[size]
				if math.Abs(p.usd/base.usd-times) > 0.003*times {
					t.Errorf("%s in %s costs %v, %s.large %v", item, name, p.usd, family, base.usd)
				}
			}
		}
	}
}

func TestARegionWithoutPricesGetsAnothersAndSaysSo(t *testing.T) {
	s, n := single()
	s.Region, s.Zones = "eu-west-1", []string{"eu-west-1a"}
	got := designed(t, s, n).Cost()
	s, n = single()
	want := designed(t, s, n).Cost()
	if got.Region != pricesFor || got.Total() != want.Total() || !strings.Contains(got.Note, "No prices of eu-west-1 are in the table") {
		t.Errorf("region %s, total %v of %v, note %s", got.Region, got.Total(), want.Total(), got.Note)
	}
}

func TestATypeWithoutAPriceCostsNothingAndIsNamed(t *testing.T) {
	s, n := single()
	s.Machines = map[string]Machine{"prep": {InstanceType: "z1d.xlarge"}}
	got := designed(t, s, n).Cost()
	if got.Lines[0].USD != 0 || got.Lines[0].Unit != "hours" || !strings.Contains(got.Note, "counted as 0: z1d.xlarge.") {
		t.Errorf("line %+v, note %s", got.Lines[0], got.Note)
	}
}

func TestAPriceWithoutASourceIsNamed(t *testing.T) {
	s, n := single()
	s.Machines = map[string]Machine{"prep": {InstanceType: "m6i.xlarge"}}
	if note := designed(t, s, n).Cost().Note; !strings.Contains(note, "no source was found: EC2 m6i.xlarge (prep)") {
		t.Error(note)
	}
}

func TestOptionsCostWhatTheySay(t *testing.T) {
	kinds := func(change func(s *Settings)) []string {
		s, n := published()
		change(&s)
		var kinds []string
		for _, l := range designed(t, s, n).Cost().Lines {
			kinds = append(kinds, l.Kind)
		}
		return kinds
	}
	for kind, change := range map[string]func(s *Settings){
		"KMS key": func(s *Settings) {
			s.KMSKey = "arn:aws:kms:eu-central-1:123456789012:key/12345678-1234-1234-1234-123456789012"
		},
		"EBS snapshots, one copy of full volumes": func(s *Settings) { s.Snapshots.Off = true },
		"Route 53 health checks":                  func(s *Settings) { s.Front.HostedZone = "" },
		"WAF web ACL":                             func(s *Settings) { s.API.WithoutWAF = true },
		"application load balancer":               func(s *Settings) { s.API = nil },
	} {
		if !slices.Contains(kinds(func(*Settings) {}), kind) || slices.Contains(kinds(change), kind) {
			t.Errorf("%s is not what its option makes", kind)
		}
	}
}
