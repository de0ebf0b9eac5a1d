package components_test

import (
	"strings"
	"testing"

	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"github.com/insight-icon/pulumi-icon/components"
	"github.com/insight-icon/pulumi-icon/components/platform"
	"github.com/insight-icon/pulumi-icon/tests/graph"
)

func sentryArgs(t *testing.T, hosts map[string]*platform.Host) *components.SentryLayerArgs {
	t.Helper()
	return &components.SentryLayerArgs{
		Hosts: []*platform.Host{hosts["sentry-1"], hosts["sentry-2"]}, Agent: writeFile(t, "icon-sentry", "an agent"),
		PRep: pulumi.String("10.2.0.11:7100"), CID: "0x1", Relay: true, Seeds: []string{"192.0.2.9:7100", "seed.example.org:7200"},
		Citizens: []pulumi.StringInput{pulumi.String("10.2.0.12:9000")}, Announce: "sentry.example.org:7100",
		Peers: components.SentryPeers{Own: []pulumi.StringInput{pulumi.String("10.2.0.12:9000")}},
	}
}

func TestASentryGetsItsAgentAndAllThatItsVariantNeeds(t *testing.T) {
	for _, variant := range []string{"", "haproxy", "nginx"} {
		withSpecs(t, variant, func(g *graph.Graph) {
			graph.UniqueURNs(t, g)
			graph.OneAtATime(t, g)
			copies := g.OfType(graph.CopyType)
			if len(copies) != 2 || !g.Waits(g.Step("sentry-1", "service"), copies[0]) {
				t.Errorf("%d copies, wanted one for each sentry, and its step to wait for it", len(copies))
			}
			for name, wanted := range map[string]bool{
				"\ntable inet icon_sentry {": variant == "", "\nfrontend p2p": variant != "nginx", "\nstream {": variant == "nginx", `"drain"`: false,
				`"http://10.2.0.12:9000"`: true, `"seed.example.org"`: true, `"10.1.0.4"`: true,
			} {
				if graph.Carries(g.Step("sentry-1", "service"), name) != wanted {
					t.Errorf("variant %q: the step has %s: %v, wanted %v", variant, name, !wanted, wanted)
				}
			}
		}, func(ctx *pulumi.Context, hosts map[string]*platform.Host) error {
			args := sentryArgs(t, hosts)
			args.Variant = variant
			_, err := components.NewSentryLayer(ctx, "front", args)
			return err
		})
	}
}

func TestADrainingSentryIsLedToNoMoreAndWaits(t *testing.T) {
	withHosts(t, func(g *graph.Graph) {
		for host, wanted := range map[string]bool{"sentry-1": false, "sentry-2": true} {
			if graph.Carries(g.Step(host, "service"), `"announced": "sentry.example.org"`) != wanted {
				t.Errorf("%s drains: %v, wanted %v", host, !wanted, wanted)
			}
			// Its agent closes them at some time, and nothing is to fail of that.
			if graph.Carries(g.Step(host, "verify"), "PORTS='7100 9000'") == wanted {
				t.Errorf("%s: its public ports have to be open: %v, wanted %v", host, wanted, !wanted)
			}
		}
	}, func(ctx *pulumi.Context, hosts map[string]*platform.Host) error {
		args := sentryArgs(t, hosts)
		args.Draining = []string{"sentry-2"}
		layer, err := components.NewSentryLayer(ctx, "front", args)
		if err != nil {
			return err
		}
		layer.Addresses.ApplyT(func(addresses []string) string {
			if len(addresses) != 1 || addresses[0] != "10.1.0.3" {
				t.Errorf("addresses %v, wanted that of sentry-1", addresses)
			}
			return ""
		})
		return nil
	})
}

func TestAnOwnCertificateIsASecretAndOneThatDoesNotMatchIsRefused(t *testing.T) {
	_, err := graph.Run(t, graph.Options{}, func(ctx *pulumi.Context) error {
		network, err := components.NewNetwork(ctx, "net", &components.NetworkArgs{
			Platform: machinesFor("a", "b"), Administrators: []string{"192.0.2.0/24"},
			Hosts: []platform.HostSpec{{Name: "a", Role: platform.Sentry}, {Name: "b", Role: platform.Sentry}},
		})
		if err != nil {
			return err
		}
		args := sentryArgs(t, map[string]*platform.Host{"sentry-1": network.Hosts["a"], "sentry-2": network.Hosts["b"]})
		args.TLS = &components.SentryTLS{Names: []string{"api.example.org"}, Certificate: pulumi.String("no certificate")}
		_, err = components.NewSentryLayer(ctx, "front", args)
		return err
	})
	if err == nil || !strings.Contains(err.Error(), "TLS.Certificate: ") {
		t.Errorf("error %v", err)
	}
}

func TestSentryLayerNamesAllThatContradictsItself(t *testing.T) {
	withHosts(t, nil, func(ctx *pulumi.Context, hosts map[string]*platform.Host) error {
		args := sentryArgs(t, hosts)
		args.Variant, args.Citizens, args.KeysOnly = "nginx", nil, true
		args.Peers = components.SentryPeers{
			Mode: "enforce", Static: []string{"0.0.0.0/0", "not a name"}, Endpoints: []string{"ctz.example.org"},
			RefreshSeconds: 1, MaxShrinkPercent: 200,
		}
		args.Users, args.CORS = []string{"0.0.0.0/0", "x"}, []string{"https://a.example.org/path"}
		args.TLS = &components.SentryTLS{Names: []string{"-"}}
		args.Keys = map[string]components.SentryKey{"dapp": {SHA256: "secret", Requests: 1, Expensive: 2}}
		args.Draining = []string{"sentry-1", "sentry-2", "ghost"}
		_, err := components.NewSentryLayer(ctx, "front", args)
		for _, want := range []string{
			`Variant: is "nginx", and the host "sentry-1" was made for "haproxy+nftables"`, `Peers.Mode: nginx keeps no list`,
			`Peers.Static: "0.0.0.0/0" is a good part`, `Peers.Static: "not a name" is no`, `Peers.Endpoints: "ctz.example.org"`,
			"Peers.RefreshSeconds: 1;", "Peers.MaxShrinkPercent: 200;", `Users: "0.0.0.0/0" is everybody`, `Users: "x" is no`, `CORS: "https://a.`,
			`Keys["dapp"].SHA256: wanted 64`, `Keys["dapp"]: Requests 1, Expensive 2`, "Keys: nginx",
			"Keys: without Citizens", "TLS: without Citizens",
			`TLS.Names: "-" is no name`, "TLS: exactly one of", "Draining: names all sentries", `Draining: "ghost" is none`,
		} {
			if err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("the error does not say %q:\n%v", want, err)
			}
		}
		if err != nil && strings.Contains(err.Error(), "secret") {
			t.Error("the error holds a key")
		}
		return nil
	})
}

func TestAPRepThatIsOpenToTheInternetPastItsSentriesIsRefused(t *testing.T) {
	program := func(from string, hosts ...platform.HostSpec) pulumi.RunFunc {
		return func(ctx *pulumi.Context) error {
			var names []string
			for _, h := range hosts {
				names = append(names, h.Name)
			}
			_, err := components.NewNetwork(ctx, "net", &components.NetworkArgs{
				Platform: machinesFor(names...), Administrators: []string{"192.0.2.0/24"}, Hosts: hosts,
				Edges: []platform.Edge{{
					From: platform.NetworkParty(from), To: platform.HostParty("p"), Protocol: "tcp", Ports: []int{7100, 1}, Why: "a mistake",
				}},
			})
			return err
		}
	}
	prep := platform.HostSpec{Name: "p", Role: platform.PRep, Data: &platform.Data{Dir: "/d", CID: "0x1"}}
	front := platform.HostSpec{Name: "s", Role: platform.Sentry}
	for _, from := range []string{"0.0.0.0/0", "128.0.0.0/1", "16.0.0.0/7"} {
		refused(t, program(from, prep, front), components.NetworkType,
			`Edges[0] (a mistake): the P-Rep "p" is also open to the internet on port 7100`)
	}
	for name, deploy := range map[string]pulumi.RunFunc{
		"a network": program("10.0.0.0/8", prep, front), "no sentry": program("0.0.0.0/0", prep),
	} {
		if _, err := graph.Run(t, graph.Options{}, deploy); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestAnEdgeThatIsNotTrackedLetsAnswersOut(t *testing.T) {
	edges := []platform.Edge{{
		From: platform.Anywhere(), To: platform.HostParty("s"), Protocol: "tcp", Ports: []int{7100}, Untracked: true, Why: "validators",
	}}
	f := components.FirewallOf("s", edges, nil)
	text, err := f.Render()
	const answers = "tcp sport 7100 tcp flags & (syn | ack) != syn accept"
	if err != nil || len(f.In) != 1 || f.In[0].Networks[0] != "0.0.0.0/0" || !strings.Contains(text, answers) {
		t.Errorf("%v: %+v\n%s", err, f, text)
	}
}
