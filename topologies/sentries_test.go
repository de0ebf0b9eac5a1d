package topologies

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"github.com/insight-icon/pulumi-icon/components/platform"
	"github.com/insight-icon/pulumi-icon/stacks"
	"github.com/insight-icon/pulumi-icon/tests/graph"
)

// Its silent checks every five seconds would have it banned as a stranger, and then all sentries would be dead to it.
func TestTheNetworkLoadBalancerIsAPeerAndNobodyElseIsMadeOne(t *testing.T) {
	for kind, want := range map[string][]string{"nlb": {"10.20.96.0/22", "10.20.100.0/22"}, "dns": nil} {
		c := parsed(t, fronted+mainnet+sentries+inTwoZones+machinesAB+"\n    front: {kind: "+kind+"}")
		if got := planOf(t, c).Sentries.Peers.Static; !slices.Equal(got, want) {
			t.Errorf("front.kind %s: peers %v, wanted %v", kind, got, want)
		}
	}
}

func TestWithTLSTheAPIIsReachedByItsPortsAlone(t *testing.T) {
	all := stacksUnderTest(t)
	for name, want := range map[string][]int{
		"sentry-fronted": {7100, 9000}, "sentry-fronted-own-tls": {443, 7100}, "sentry-fronted-everything": {80, 443, 7100},
		"sentry-fronted-no-citizens": {7100},
	} {
		w := worldOf(t, all[name])
		var got []int
		for port := 1; port < 65536; port++ {
			if w.enters(internet, "sentry-1", port) {
				got = append(got, port)
			}
		}
		if !slices.Equal(got, want) {
			t.Errorf("%s: the internet enters a sentry at %v, wanted %v", name, got, want)
		}
	}
}

func TestSentriesAnswerEachOthersAuthorityOnlyWithACME(t *testing.T) {
	all := stacksUnderTest(t)
	for name, want := range map[string]bool{"sentry-fronted-everything": true, "sentry-fronted-own-tls": false, "sentry-fronted": false} {
		w := worldOf(t, all[name])
		if got := w.reaches("sentry-1", "sentry-2", 9480); got != want {
			t.Errorf("%s: sentries reach each other at 9480: %v", name, !want)
		}
		for _, from := range []string{internet, "prep-1", "citizen-1"} {
			if w.enters(from, "sentry-1", 9480) {
				t.Errorf("%s: %s enters a sentry at 9480", name, from)
			}
		}
	}
}

// The kernel's table of the default variant keeps no record of these connections: the host's firewall would drop the answers.
func TestPublicConnectionsAreUntrackedWhereTheKernelHasATable(t *testing.T) {
	all := stacksUnderTest(t)
	all["haproxy"] = sentryFrontedConfig("sentry-1", "sentry-2")
	all["haproxy"].Sentries.Variant = "haproxy"
	for name, want := range map[string]bool{"sentry-fronted-everything": true, "sentry-fronted-nginx": false, "haproxy": false} {
		for _, e := range planOf(t, all[name]).Edges {
			public := slices.Contains(e.From.Networks, "0.0.0.0/0")
			if e.Untracked != (public && want) {
				t.Errorf("%s: %s -> %s %v is untracked: %v", name, e.From, e.To, e.Ports, e.Untracked)
			}
		}
	}
}

func TestACitizenTakesAllWebsocketsThatTheSentriesLetThrough(t *testing.T) {
	c := sentryFrontedConfig("sentry-1", "sentry-2", "sentry-3")
	c.Sentries.Limits.WebSockets = 9000
	for host, want := range map[string]int{"citizen-1": 27_010, "prep-1": 0} {
		if got := planOf(t, c).Nodes[host].WebSockets; got != want {
			t.Errorf("%s has %d websockets, wanted %d", host, got, want)
		}
	}
	c.Sentries.Limits.WebSockets = 0
	if got := planOf(t, c).Nodes["citizen-1"].WebSockets; got != 10_000 {
		t.Errorf("%d websockets, wanted a number that another sentry does not change", got)
	}
	off := false
	c.Sentries.API = &off
	if got := planOf(t, c).Nodes["citizen-1"].WebSockets; got != 0 {
		t.Errorf("%d websockets although the sentries publish no API, wanted goloop's own", got)
	}
}

func TestASentryThatDrainsIsToldToNobody(t *testing.T) {
	full, err := stacksUnderTest(t)["sentry-fronted-everything"].Complete()
	if err != nil {
		t.Fatal(err)
	}
	graph.Record(t, graph.Options{}, func(ctx *pulumi.Context) error {
		out, err := deploy(ctx, full)
		if err != nil {
			return err
		}
		out.SentryAddresses.ApplyT(func(got []string) bool {
			if want := []string{"198.51.100.3", "198.51.100.5"}; !slices.Equal(got, want) {
				t.Errorf("sentryAddresses are %v, wanted %v, without that of sentry-2", got, want)
			}
			return true
		})
		return nil
	})
}

func TestACertificateThatDoesNotFitFailsThePreview(t *testing.T) {
	c := sentryFrontedConfig("sentry-1", "sentry-2")
	ownCertificate(t, c, "other.example.org")
	_, err := graph.Run(t, graph.Options{Preview: true}, program(t, c))
	for _, want := range []string{"icon:sentryCertificate: does not fit icon:sentries.tls.names", "is not for api.example.org"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error %v, wanted in it %q", err, want)
		}
	}
	if err != nil && strings.Contains(err.Error(), "PRIVATE") {
		t.Error("the error shows the key")
	}
}

func TestACertificateIsASecretOfTheSentriesAlone(t *testing.T) {
	c := sentryFrontedConfig("sentry-1", "sentry-2")
	ownCertificate(t, c, "api.example.org")
	g := record(t, c)
	graph.SecretsMarked(t, g, "BEGIN PRIVATE KEY")
	for _, r := range g.OfType(graph.CommandType) {
		if carries := graph.Carries(r, "BEGIN PRIVATE KEY"); carries && !strings.HasPrefix(r.Host(), "sentry-") {
			t.Errorf("%s carries the certificate's key", r.URN)
		}
	}
}

func TestNothingIsChangedWhileTheAnnouncedNameLeadsElsewhere(t *testing.T) {
	for check, stops := range map[string]bool{"require": true, "warn": false} {
		c := sentryFrontedConfig("sentry-1", "sentry-2")
		c.Sentries.Announce, c.Sentries.AnnounceCheck = "prep.invalid:7100", check // which resolves nowhere (RFC 2606)
		c.Hosts.ConnectTimeout = 1
		for name, m := range c.Hosts.Machines {
			m.Address, m.PublicAddress, m.Port = "127.0.0.1", m.Address, closedPort(t)
			c.Hosts.Machines[name] = m
		}
		values := engineConfig(t, c)
		values["icon:sshPrivateKey"] = testKey(t)
		config, err := json.Marshal(values)
		if err != nil {
			t.Fatal(err)
		}
		t.Setenv(pulumi.EnvConfig, string(config))
		g, err := graph.Run(t, graph.Options{Config: values, SecretKeys: []string{"icon:sshPrivateKey"}}, Run)
		if err == nil {
			t.Fatalf("%s: the program succeeded although no host answers", check)
		}
		if got := strings.Contains(err.Error(), "icon:sentries.announce: prep.invalid does not resolve here"); got != stops {
			t.Errorf("%s: stopped by the name: %v\n%v", check, got, err)
		}
		if stops && len(g.Resources) > 0 {
			t.Errorf("%s: %d resources were registered", check, len(g.Resources))
		}
	}
}

func TestAnotherGenerationReachesTheHost(t *testing.T) {
	public := fronted + mainnet + sentries + citizen + inTwoZones + machinesABC
	c := parsed(t, strings.Replace(public, "announce:", "rotate: {sentry-1: 3}, announce:", 1)+"\n    elasticIPQuota: 9")
	for _, h := range planOf(t, c).Hosts {
		want := 0
		if h.Name == "sentry-1" {
			want = 3
		}
		if h.Generation != want {
			t.Errorf("%s (%s) has the generation %d, wanted %d", h.Name, h.Role, h.Generation, want)
		}
	}
	if i := slices.IndexFunc(planOf(t, c).Hosts, func(h platform.HostSpec) bool { return h.Generation == 3 }); i < 0 {
		t.Error("no host has another generation")
	}
}

func TestOtherSettingsOfSentriesTouchTheSentriesOnly(t *testing.T) {
	before := record(t, sentryFrontedConfig("sentry-1", "sentry-2"))
	for name, change := range map[string]func(*stacks.Sentries){
		"users": func(s *stacks.Sentries) { s.Users = []string{"192.0.2.0/24"} },
		"cors":  func(s *stacks.Sentries) { s.CORS = []string{"*"} },
		"keys": func(s *stacks.Sentries) {
			s.APIKeys = map[string]stacks.APIKey{"shop": {SHA256: strings.Repeat("5e", 32)}}
		},
		"peers": func(s *stacks.Sentries) { s.Peers.Static = []string{"192.0.2.1"} },
	} {
		c := sentryFrontedConfig("sentry-1", "sentry-2")
		change(c.Sentries)
		removed, added, changed := differences(before, record(t, c))
		wantNames(t, name+": removed", removed)
		wantNames(t, name+": added", added)
		wantNames(t, name+": changed", changed, "sentries-sentry-1-service", "sentries-sentry-1-verify",
			"sentries-sentry-2-service", "sentries-sentry-2-verify")
	}
}
