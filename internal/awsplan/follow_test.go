package awsplan

import (
	"slices"
	"testing"
)

// What follows from a mistake that was told is not told as another one; what does not follow is told with it.
func TestAMistakeIsToldWhereItIsAndNowhereElse(t *testing.T) {
	const alien = "arn:aws:acm:us-east-1:999999999999:certificate/01234567-89ab-cdef-0123-456789abcdef"
	for _, c := range []struct {
		name   string
		of     func() (Settings, Need)
		change func(*Settings, *Need)
		keys   []string
	}{
		{"machines in a zone that the region lacks", fronted, func(s *Settings, _ *Need) {
			s.Zones = []string{"eu-central-1a", "eu-central-1b", "eu-central-1x"}
			s.Machines["citizen"] = Machine{Zone: "eu-central-1x"}
		}, []string{"zones[2]"}},
		{"machines in the last of too many zones", published, func(s *Settings, _ *Need) {
			s.Zones = append(slices.Clone(s.Zones), "eu-central-1d")
			s.Machines["citizen"] = Machine{Zone: "eu-central-1d"}
		}, []string{"zones"}},
		{"one sound zone of two", published, func(s *Settings, _ *Need) {
			s.Zones = []string{"eu-central-1a", "eu-central-1x"}
			for host := range s.Machines {
				s.Machines[host] = Machine{Zone: "eu-central-1a"}
			}
			s.Machines["sentry-2"] = Machine{Zone: "eu-central-1x"}
		}, []string{"zones[1]"}},
		{"subnets of a zone that the region lacks", ownNetwork, func(s *Settings, _ *Need) {
			s.Zones = append(slices.Clone(s.Zones), "eu-central-1x")
			for _, byZone := range []map[string]string{s.VPC.Existing.Public, s.VPC.Existing.Private, s.VPC.Existing.Balancer} {
				byZone["eu-central-1x"] = "subnet-" + byZone["eu-central-1a"][7:13] + "ff"
			}
			s.VPC.Existing.Private["eu-central-1x"], s.VPC.Existing.Balancer["eu-central-1x"] = "subnet-0000aaaa", "subnet-0000bbbb"
		}, []string{"zones"}},
		{"no zones, and machines of their own in two", fronted, func(s *Settings, _ *Need) {
			s.Zones, s.ElasticIPQuota = nil, 4 // two sentries, the bastion and one gateway
		}, []string{"zones"}},
		{"nothing is set", func() (Settings, Need) { return Settings{}, Need{} }, func(*Settings, *Need) {}, []string{
			"administratorKeys", "region", "zones",
		}},
		{"a certificate of nowhere near", published, func(s *Settings, _ *Need) {
			s.Account, s.API.Certificate = "123456789012", alien
		}, []string{"api.certificate", "api.certificate"}},
	} {
		s, n := c.of()
		c.change(&s, &n)
		var keys []string
		_, problems := s.Complete(n)
		for _, p := range problems {
			keys = append(keys, p.Key)
		}
		if !slices.Equal(keys, c.keys) {
			t.Errorf("%s: problems %v\nwanted those of %v", c.name, problems, c.keys)
		}
	}
}

func TestProcessorsAreCountedAsTheQuotaCountsThem(t *testing.T) {
	for _, c := range []struct {
		types   []string
		want    int
		exactly bool
	}{
		{[]string{"m7i.2xlarge", "m7i.2xlarge", "c7g.large", "c7g.large", "c7g.large", "t4g.nano"}, 24, true},
		{[]string{"t3.2xlarge", "c7g.medium", "r7i.4xlarge"}, 25, true},
		{[]string{"x8g.large", "m7i.large"}, 2, true}, // X has a quota of its own
		{[]string{"m7i.metal-24xl", "m7i.large"}, 2, false},
	} {
		d := &Design{}
		for _, name := range c.types {
			d.Hosts = append(d.Hosts, HostDesign{InstanceType: name})
		}
		if n, exactly := d.VCPUs(); n != c.want || exactly != c.exactly {
			t.Errorf("%v: %d, exactly %v; wanted %d, %v", c.types, n, exactly, c.want, c.exactly)
		}
	}
}

// A price that was found in no source is not shown as if it had been.
func TestAPriceWithoutASourceSaysAbout(t *testing.T) {
	p, _ := pricesOf("eu-central-1")
	for item, want := range map[string]string{"s3": "about 0.0245 per GB-month", "logs": "0.63 per GB"} {
		if got := p.text(item); got != want {
			t.Errorf("%s: %q, wanted %q", item, got, want)
		}
	}
}
