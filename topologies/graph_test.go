package topologies

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/pulumi/pulumi/sdk/v3/go/common/resource"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi/internals"

	"github.com/insight-icon/pulumi-icon/internal/sentry"
	"github.com/insight-icon/pulumi-icon/tests/golden"
	"github.com/insight-icon/pulumi-icon/tests/graph"
)

func TestEveryGraphKeepsTheLibrarysPromises(t *testing.T) {
	for name, c := range stacksUnderTest(t) {
		t.Run(name, func(t *testing.T) {
			graph.InBothModes(t, program(t, c), func(t *testing.T, g *graph.Graph) {
				t.Helper()
				graph.UniqueURNs(t, g)
				graph.EveryChildBelow(t, g, componentTypes...)
				graph.ProvidersGiven(t, g)
				graph.SecretsMarked(t, g, allSecrets...)
				graph.CommandsAreLaunchers(t, g)
				graph.OneAtATime(t, g)
				graph.ResourcesPerHost(t, g, 8)
			})
		})
	}
}

// The URN is what the engine knows a resource by: a changed line means that a host's step is removed and made anew on every stack.
func TestURNsParentsAndOrderAreAsReviewed(t *testing.T) {
	for name, c := range stacksUnderTest(t) {
		t.Run(name, func(t *testing.T) {
			g := record(t, c)
			golden.Check(t, "graph-"+name+".txt", g.String())
			preview := graph.Record(t, graph.Options{Preview: true}, program(t, c))
			if preview.String() != g.String() {
				t.Error("a preview shows another graph than the deploy makes")
			}
		})
	}
}

func TestNodesStartOnlyAfterAllKeysWereCompared(t *testing.T) {
	for name, c := range stacksUnderTest(t) {
		plan := planOf(t, c)
		if len(plan.Nodes) < 2 {
			continue
		}
		t.Run(name, func(t *testing.T) {
			g := record(t, c)
			guard := g.Named("node-keys")
			if len(guard) != 1 {
				t.Fatalf("%d resources node-keys, wanted one", len(guard))
			}
			text, _ := guard[0].Stdin()
			for host := range plan.Nodes {
				if key := g.Step(host, "key"); !g.Waits(guard[0], key) {
					t.Errorf("the guard does not wait for the key of %s", host)
				}
				if service := g.Step(host, "service"); !g.Waits(service, guard[0]) {
					t.Errorf("the node on %s does not wait for the guard", host)
				}
				if line := host + " " + graph.AddressOf(host) + "\n"; !strings.Contains(text, line) {
					t.Errorf("the guard is not given the line %q", line)
				}
			}
		})
	}
}

func TestSentriesChangeOneAfterTheOther(t *testing.T) {
	c := sentryFrontedConfig("sentry-1", "sentry-2", "sentry-3")
	g := record(t, c)
	for i := 1; i < 3; i++ {
		before, after := fmt.Sprintf("sentry-%d", i), fmt.Sprintf("sentry-%d", i+1)
		if !g.Waits(g.Step(after, "service"), g.Step(before, "verify")) {
			t.Errorf("the service of %s does not wait until %s is verified", after, before)
		}
		if g.Waits(g.Step(after, "harden"), g.Step(before, "ready")) {
			t.Errorf("%s is prepared only after %s: different hosts run in parallel", after, before)
		}
	}
}

func TestNodesBehindSentriesWaitForTheLastSentry(t *testing.T) {
	for egress, wait := range map[string]bool{"sealed": true, "routed": false} {
		c := sentryFrontedConfig("sentry-1", "sentry-2")
		c.PRep.Egress = egress
		g := record(t, c)
		for _, host := range []string{"prep-1", "citizen-1"} {
			if got := g.Waits(g.Step(host, "service"), g.Step("sentry-2", "verify")); got != wait {
				t.Errorf("%s: %s waits for the last sentry: %v, wanted %v", egress, host, got, wait)
			}
			if g.Waits(g.Step(host, "key"), g.Step("sentry-1", "service")) {
				t.Errorf("%s: the key of %s waits for the sentries: different hosts run in parallel", egress, host)
			}
		}
	}
}

// differences are the names of the resources that only one graph has, and of those whose inputs differ.
func differences(a, b *graph.Graph) (onlyA, onlyB, changed []string) {
	for _, r := range a.Resources {
		other := b.Get(r.URN)
		switch {
		case other == nil:
			onlyA = append(onlyA, r.Name)
		case !r.Inputs.DeepEquals(other.Inputs):
			changed = append(changed, r.Name)
		}
	}
	for _, r := range b.Resources {
		if a.Get(r.URN) == nil {
			onlyB = append(onlyB, r.Name)
		}
	}
	slices.Sort(onlyA)
	slices.Sort(onlyB)
	slices.Sort(changed)
	return onlyA, onlyB, changed
}

func wantNames(t *testing.T, what string, got []string, want ...string) {
	t.Helper()
	slices.Sort(want)
	if !slices.Equal(got, want) {
		t.Errorf("%s: %v\nwanted %v", what, got, want)
	}
}

func TestTheSameStackGivesTheSameInputs(t *testing.T) {
	for name, c := range stacksUnderTest(t) {
		onlyA, onlyB, changed := differences(record(t, c), record(t, c))
		if len(onlyA)+len(onlyB)+len(changed) > 0 {
			t.Errorf("%s: a second run differs in %v %v %v", name, onlyA, onlyB, changed)
		}
	}
}

func TestAddingASentryTouchesOnlyWhatMustKnowIt(t *testing.T) {
	two, three := sentryFrontedConfig("sentry-1", "sentry-2"), sentryFrontedConfig("sentry-1", "sentry-2", "sentry-3")
	removed, added, changed := differences(record(t, two), record(t, three))
	wantNames(t, "removed", removed)
	wantNames(t, "added", added, "network-sentry-3", "network-sentry-3-ready", "network-sentry-3-harden",
		"sentries-sentry-3-agent", "sentries-sentry-3-service", "sentries-sentry-3-verify")
	// Firewalls of the new sentry's peers, the nodes' seeds, of which each sentry is one, and the other sentries, which never ban it.
	wantNames(t, "changed", changed, "network-prep-1-harden", "network-citizen-1-harden",
		"prep-service", "prep-verify", "citizen-1-service", "citizen-1-verify",
		"sentries-sentry-1-service", "sentries-sentry-1-verify", "sentries-sentry-2-service", "sentries-sentry-2-verify")
}

func TestRemovingACitizenTouchesOnlyWhatKnewIt(t *testing.T) {
	c := sentryFrontedConfig("sentry-1", "sentry-2")
	with := record(t, c)
	c.Citizens = nil
	removed, added, changed := differences(with, record(t, c))
	wantNames(t, "removed", removed, "network-citizen-1", "network-citizen-1-ready", "network-citizen-1-harden", "citizen-1-key",
		"citizen-1", "citizen-1-service", "citizen-1-verify", "node-keys")
	wantNames(t, "added", added)
	// The port 9000 is no longer published, so that "ready" no longer wants it.
	wantNames(t, "changed", changed, "network-sentry-1-ready", "network-sentry-2-ready", "network-sentry-1-harden", "network-sentry-2-harden",
		"sentries-sentry-1-service", "sentries-sentry-1-verify", "sentries-sentry-2-service", "sentries-sentry-2-verify")
}

func TestASentryLimitChangesOnlyTheSentries(t *testing.T) {
	limits := map[string]func(*sentry.Limits){
		"p2pConnections":       func(l *sentry.Limits) { l.P2PConnections = 900 },
		"p2pPerSource":         func(l *sentry.Limits) { l.P2PPerSource = 7 },
		"p2pNewPerSource":      func(l *sentry.Limits) { l.P2PNewPerSource = 7 },
		"apiConnections":       func(l *sentry.Limits) { l.APIConnections = 900 },
		"apiPerSource":         func(l *sentry.Limits) { l.APIPerSource = 7 },
		"apiRequestsPerSource": func(l *sentry.Limits) { l.APIRequestsPerSource = 7 },
		"apiBodyKiB":           func(l *sentry.Limits) { l.APIBodyKiB = 7 },
	}
	before := record(t, sentryFrontedConfig("sentry-1", "sentry-2"))
	for name, set := range limits {
		t.Run(name, func(t *testing.T) {
			c := sentryFrontedConfig("sentry-1", "sentry-2")
			set(&c.Sentries.Limits)
			removed, added, changed := differences(before, record(t, c))
			wantNames(t, "removed", removed)
			wantNames(t, "added", added)
			wantNames(t, "changed", changed, "sentries-sentry-1-service", "sentries-sentry-1-verify",
				"sentries-sentry-2-service", "sentries-sentry-2-verify")
		})
	}
}

func TestCommandTextsDependOnNoInput(t *testing.T) {
	plain := sentryFrontedConfig("sentry-1", "sentry-2")
	other := sentryFrontedConfig("sentry-1", "sentry-2")
	other.Administrators = []string{"192.0.2.0/24"}
	other.Network.Seeds = []string{"192.0.2.9:7100"}
	other.Node.DataDir, other.Node.OnDestroy, other.Node.LogLevel, other.Node.MinDiskGB = "/data/icon", "wipe", "debug", 7
	other.Sentries.Announce = "other.example.org:7100"
	for name, m := range other.Hosts.Machines {
		m.HostKey, m.Address = hostKey("another "+name), "name-of-"+name+".example.org"
		m.PublicAddress = "198.51.100.200"
		other.Hosts.Machines[name] = m
	}
	importing(t, other)
	a, b := record(t, plain), record(t, other)
	for _, r := range a.OfType(graph.CommandType) {
		for _, half := range []string{"create", "delete"} {
			key := resource.PropertyKey(half)
			if !r.Inputs[key].DeepEquals(b.Get(r.URN).Inputs[key]) {
				t.Errorf("%s: its %s depends on an input", r.URN, half)
			}
		}
	}
}

func TestAnImportedKeyIsASecretOfOneStep(t *testing.T) {
	c := sentryFrontedConfig("sentry-1", "sentry-2")
	importing(t, c)
	g := record(t, c)
	for _, r := range g.OfType(graph.CommandType) {
		mine := r.Host() == "prep-1" && r.Step() == "key"
		if r.Inputs["stdin"].IsSecret() != mine {
			t.Errorf("%s: its program is secret: %v, wanted %v", r.Name, !mine, mine)
		}
		for _, secret := range []string{keyPassword, keyCipherText} {
			if graph.Carries(r, secret) != mine {
				t.Errorf("%s: carries the imported key: %v, wanted %v", r.Name, !mine, mine)
			}
		}
	}
}

func TestOutputsNameAddressesAnnounceAndSentries(t *testing.T) {
	full, err := sentryFrontedConfig("sentry-1", "sentry-2").Complete()
	if err != nil {
		t.Fatal(err)
	}
	graph.Record(t, graph.Options{}, func(ctx *pulumi.Context) error {
		out, err := deploy(ctx, full)
		if err != nil {
			return err
		}
		want := map[string]pulumi.Output{
			"prep.example.org:7100":                              out.Announce,
			fmt.Sprint([]string{"198.51.100.3", "198.51.100.4"}): out.SentryAddresses,
			graph.AddressOf("prep-1"):                            out.Addresses["prep-1"].ToStringOutput(),
			graph.AddressOf("citizen-1"):                         out.Addresses["citizen-1"].ToStringOutput(),
		}
		for value, output := range want {
			got, err := internals.UnsafeAwaitOutput(ctx.Context(), output)
			if err != nil || fmt.Sprint(got.Value) != value || got.Secret {
				t.Errorf("output %v (secret %v, %v), wanted %s, not secret", got.Value, got.Secret, err, value)
			}
		}
		return nil
	})
}

func TestAMissingKeystoreStopsThePlan(t *testing.T) {
	c := sentryFrontedConfig("sentry-1", "sentry-2")
	importing(t, c)
	full, err := c.Complete()
	if err != nil {
		t.Fatal(err)
	}
	full.Secrets.Keystores = nil
	_, err = graph.Run(t, graph.Options{}, func(ctx *pulumi.Context) error {
		_, err := deploy(ctx, full)
		return err
	})
	const want = "icon:keystores: holds no keystore for host prep-1, whose key icon:importedKeys wants to import"
	if err == nil || !strings.Contains(err.Error(), want) {
		t.Errorf("error %v, wanted %s", err, want)
	}
}

func TestHostsHaveTheirStepsAndNoOthers(t *testing.T) {
	g := record(t, sentryFrontedConfig("sentry-1", "sentry-2"))
	for host, want := range map[string]string{
		"sentry-1": "ready harden service verify", "sentry-2": "ready harden service verify",
		"prep-1": "ready harden key guard service verify", "citizen-1": "ready harden key service verify",
	} {
		var got []string
		steps := g.Steps(host)
		slices.SortFunc(steps, func(a, b *graph.Resource) int {
			if g.Waits(a, b) {
				return 1
			}
			return -1
		})
		for _, r := range steps {
			got = append(got, r.Step())
		}
		if strings.Join(got, " ") != want {
			t.Errorf("steps of %s: %v, wanted %s", host, got, want)
		}
	}
}
