package awsplan

import (
	"reflect"
	"slices"
	"strings"
	"testing"
)

func TestSoundSettingsHaveNoProblems(t *testing.T) {
	for name, of := range map[string]func() (Settings, Need){
		"fronted": fronted, "single": single, "published": published, "own network": ownNetwork,
	} {
		t.Run(name, func(t *testing.T) {
			s, n := of()
			designed(t, s, n)
		})
	}
}

func TestEveryDefaultIsFilledIn(t *testing.T) {
	s, n := published()
	got := designed(t, s, n).Settings
	protect := true
	want, _ := published()
	want.VPC = VPC{CIDR: "10.20.0.0/16", NAT: NATOne}
	want.Front.Kind = FrontDNS
	want.API.RequestsPerSource = 2000
	want.Snapshots = Snapshots{Keep: 7, At: "03:00"}
	want.LogDays, want.ElasticIPQuota, want.Protect = 365, 5, &protect
	if !reflect.DeepEqual(got, want) {
		t.Errorf("settings\n%+v\nwanted\n%+v", got, want)
	}
}

func TestWhatTheOperatorWroteIsKeptAndNotChanged(t *testing.T) {
	s, n := published()
	no := false
	s.VPC = VPC{CIDR: "172.20.0.0/18", NAT: NATPerZone, Peers: []string{"10.0.0.0/8"}}
	s.Front.Kind, s.Snapshots, s.LogDays, s.ElasticIPQuota, s.Protect = FrontNLB, Snapshots{Off: true}, 400, 9, &no
	s.API.RequestsPerSource = 50
	before, _ := published()
	got := designed(t, s, n).Settings
	if !reflect.DeepEqual(got, s) {
		t.Errorf("settings\n%+v\nwanted\n%+v", got, s)
	}
	again, _ := published()
	again.Complete(n)
	if !reflect.DeepEqual(again, before) {
		t.Error("Complete changed the settings that it was given")
	}
}

func TestTheDesignSaysWhereEachMachineStands(t *testing.T) {
	s, n := fronted()
	d := designed(t, s, n)
	type place struct{ name, zone, tier, kind, arch string }
	got := []place{}
	for _, h := range d.Hosts {
		got = append(got, place{h.Name, h.Zone, h.Tier, h.InstanceType, h.Arch})
	}
	want := []place{
		{"prep", "eu-central-1a", Private, "m7i.2xlarge", amd64},
		{"citizen", "eu-central-1c", Private, "m7i.2xlarge", amd64},
		{"sentry-1", "eu-central-1a", Public, "c7g.large", arm64},
		{"sentry-2", "eu-central-1b", Public, "c7g.large", arm64},
		{Bastion, "eu-central-1a", Public, "t4g.nano", arm64},
	}
	if !slices.Equal(got, want) {
		t.Errorf("machines %v, wanted %v", got, want)
	}
	if want := []string{"sentry-1", "sentry-2", Bastion, "nat-eu-central-1a"}; !slices.Equal(d.ElasticIPs, want) {
		t.Errorf("elastic addresses %v, wanted %v", d.ElasticIPs, want)
	}
	if len(d.Subnets) != 6 || len(d.BalancerCIDRs) != 0 {
		t.Errorf("subnets %v and balancers %v, wanted public and private in each zone, and no balancers", d.Subnets, d.BalancerCIDRs)
	}
}

func TestBehindALoadBalancerSentriesArePrivate(t *testing.T) {
	s, n := fronted()
	s.Front.Kind, s.ElasticIPQuota = FrontNLB, 7
	s.VPC.NAT = NATPerZone
	d := designed(t, s, n)
	for _, h := range d.Hosts {
		if want := map[bool]string{true: Public, false: Private}[h.Role == Bastion]; h.Tier != want || h.Role == Sentry && h.Exposed {
			t.Errorf("%s is %s and exposed is %v", h.Name, h.Tier, h.Exposed)
		}
	}
	want := []string{
		Bastion, "nat-eu-central-1a", "nat-eu-central-1b", "nat-eu-central-1c", "nlb-eu-central-1a", "nlb-eu-central-1b", "nlb-eu-central-1c",
	}
	if !slices.Equal(d.ElasticIPs, want) {
		t.Errorf("elastic addresses %v, wanted %v", d.ElasticIPs, want)
	}
	if want := []string{"10.20.96.0/22", "10.20.100.0/22", "10.20.104.0/22"}; !slices.Equal(d.BalancerCIDRs, want) {
		t.Errorf("balancers speak from %v, wanted %v", d.BalancerCIDRs, want)
	}
}

func TestWithoutPrivateMachinesThereIsNoGateway(t *testing.T) {
	s, n := single()
	if d := designed(t, s, n); len(d.NATZones) != 0 || !slices.Equal(d.ElasticIPs, []string{"prep", Bastion}) {
		t.Errorf("gateways in %v, addresses %v", d.NATZones, d.ElasticIPs)
	}
}

func TestOneZoneIsEveryMachinesDefault(t *testing.T) {
	s, n := single()
	for _, h := range designed(t, s, n).Hosts {
		if h.Zone != "us-east-1a" {
			t.Errorf("%s stands in %q", h.Name, h.Zone)
		}
	}
}

func TestAnExistingNetworkMakesNoSubnetsAndNoGateways(t *testing.T) {
	s, n := ownNetwork()
	d := designed(t, s, n)
	if len(d.Subnets) != 0 || len(d.NATZones) != 0 || !slices.Equal(d.BalancerCIDRs, []string{"10.30.3.0/24"}) {
		t.Errorf("subnets %v, gateways %v, balancers %v", d.Subnets, d.NATZones, d.BalancerCIDRs)
	}
}

func TestAllProblemsComeAtOnceSortedAndWithADesign(t *testing.T) {
	s := Settings{Region: "eu-central-9", Zones: []string{"x"}, Machines: map[string]Machine{"prepp": {}}, LogDays: 7}
	_, n := fronted()
	d, problems := s.Complete(n)
	keys := []string{}
	for _, p := range problems {
		keys = append(keys, p.Key)
	}
	want := []string{"administratorKeys", "logDays", "machines.prepp", "region"}
	if !slices.Equal(keys, want) || d == nil || len(d.Hosts) != len(n.Hosts) {
		t.Errorf("problems at %v, wanted %v; design %v", keys, want, d)
	}
	for _, p := range problems {
		if p.Message == "" || p.Rule == "" || strings.Contains(p.Message, "%!") {
			t.Errorf("%+v", p)
		}
	}
}

func TestAnEmptySettingIsRefusedWithoutAPanic(t *testing.T) {
	if _, problems := (Settings{}).Complete(Need{}); len(problems) != 3 {
		t.Errorf("problems %v", problems)
	}
}
