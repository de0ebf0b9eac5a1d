package awsplan

import (
	"net/netip"
	"slices"
	"testing"
)

func TestASubnetsRangeFollowsFromItsTierAndZoneAlone(t *testing.T) {
	for _, c := range []struct {
		vpc, tier, zone, want string
	}{
		{"10.20.0.0/16", Public, "a", "10.20.0.0/22"},
		{"10.20.0.0/16", Public, "h", "10.20.28.0/22"},
		{"10.20.0.0/16", Private, "a", "10.20.32.0/22"},
		{"10.20.0.0/16", Monitoring, "c", "10.20.72.0/22"},
		{"10.20.0.0/16", Balancer, "b", "10.20.100.0/22"},
		{"172.16.128.0/17", Private, "b", "172.16.146.0/23"},
		{"192.168.252.0/22", Public, "a", "192.168.252.0/28"},
		{"192.168.252.0/22", Balancer, "f", "192.168.253.208/28"},
		{"100.64.8.0/21", Balancer, "a", "100.64.11.0/27"},
	} {
		if got := subnetRange(netip.MustParsePrefix(c.vpc), c.tier, c.zone[0]).String(); got != c.want {
			t.Errorf("%s-%s of %s is %s, wanted %s", c.tier, c.zone, c.vpc, got, c.want)
		}
	}
}

func TestAZoneOrATierMoreMovesNoSubnet(t *testing.T) {
	vpc := netip.MustParsePrefix("10.20.0.0/16")
	all := []string{"us-east-1a", "us-east-1b", "us-east-1c", "us-east-1d", "us-east-1e", "us-east-1f"}
	widest := planSubnets(vpc, all, tiers)
	// Every choice of zones and tiers, in each order of the zones.
	for choice := range 1 << (len(all) + len(tiers)) {
		var zones, wanted []string
		for i, zone := range all {
			if choice>>i&1 == 1 {
				zones = append(zones, zone)
			}
		}
		for i, tier := range tiers {
			if choice>>(len(all)+i)&1 == 1 {
				wanted = append(wanted, tier)
			}
		}
		slices.Reverse(zones)
		got := planSubnets(vpc, zones, wanted)
		if len(got) != len(zones)*len(wanted) {
			t.Fatalf("%d subnets for %v and %v", len(got), zones, wanted)
		}
		for _, s := range got {
			if !slices.Contains(widest, s) {
				t.Fatalf("with zones %v and tiers %v, %s is %s: it has moved", zones, wanted, s.Name, s.CIDR)
			}
		}
	}
}

func TestNoTwoSubnetsOverlapAndNoneLeavesTheVPC(t *testing.T) {
	for bits := widestVPC; bits <= narrowestVPC; bits++ {
		vpc := netip.PrefixFrom(netip.MustParseAddr("10.0.0.0"), bits)
		var seen []netip.Prefix
		for _, tier := range tiers {
			for letter := byte('a'); letter <= 'h'; letter++ {
				r := subnetRange(vpc, tier, letter)
				if !inside(r, vpc) || r.Masked() != r {
					t.Errorf("%s-%c of %s is %s", tier, letter, vpc, r)
				}
				for _, other := range seen {
					if r.Overlaps(other) {
						t.Errorf("%s and %s of %s overlap", r, other, vpc)
					}
				}
				seen = append(seen, r)
			}
		}
	}
}

func TestEveryZoneOfEveryRegionHasAPlace(t *testing.T) {
	for name, r := range regions {
		if r.zones > len(r.letters) || r.zones > 6 || r.zones < 3 {
			t.Errorf("%s has %d zones, of %q", name, r.zones, r.letters)
		}
		for _, zone := range r.names(name) {
			region, letter, ok := splitZone(zone)
			if !ok || region != name || letter[0] < 'a' || letter[0] >= 'a'+placesPerTier {
				t.Errorf("zone %s is read as %s %s", zone, region, letter)
			}
		}
	}
}

func FuzzVPCRange(f *testing.F) {
	for _, text := range []string{"10.20.0.0/16", "172.17.0.0/22", "0.0.0.0/0", "::/0", "10.0.0.1/24", "x", "10.20.0.0/-1"} {
		f.Add(text, "10.0.0.0/8")
	}
	f.Fuzz(func(t *testing.T, text, office string) {
		c := &collector{}
		vpc, ok := c.vpcRange(VPC{CIDR: text, Peers: []string{office}}, []string{office})
		if !ok {
			if len(c.problems) == 0 {
				t.Errorf("%q is refused without a word", text)
			}
			return
		}
		for _, tier := range tiers {
			for letter := byte('a'); letter <= 'h'; letter++ {
				if r := subnetRange(vpc, tier, letter); !inside(r, vpc) {
					t.Errorf("%s-%c of %s is %s", tier, letter, vpc, r)
				}
			}
		}
	})
}

func FuzzZones(f *testing.F) {
	for _, text := range []string{"us-east-1a", "us-east-1-bos-1a", "us-east-1", "", "a", "eu-central-1aa", "us-gov-west-1a"} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		c := &collector{}
		sound := c.zones("us-east-1", regions["us-east-1"], []string{text}, false)
		if (len(sound) == 1) == (len(c.problems) > 0) {
			t.Errorf("%q: sound %v, problems %v", text, sound, c.problems)
		}
		if region, letter, ok := splitZone(text); ok && region+letter != text {
			t.Errorf("%q is read as %q and %q", text, region, letter)
		}
	})
}
