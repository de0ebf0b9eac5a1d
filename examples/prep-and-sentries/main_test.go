package main

import (
	"testing"

	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"github.com/insight-icon/pulumi-icon/components"
	"github.com/insight-icon/pulumi-icon/components/platform/hosts"
	"github.com/insight-icon/pulumi-icon/tests/graph"
)

func program(ctx *pulumi.Context) error {
	args := machines
	args.WithoutLoginCheck = true
	return deploy(ctx, hosts.New(args))
}

func TestTheExampleDeploysWhatItShows(t *testing.T) {
	graph.InBothModes(t, program, func(t *testing.T, g *graph.Graph) {
		t.Helper()
		graph.UniqueURNs(t, g)
		graph.OneAtATime(t, g)
		graph.EveryChildBelow(t, g, components.NetworkType, components.SentryLayerType, components.PRepNodeType)
		for host, steps := range map[string][]string{
			"prep-1":   {"ready", "harden", "key", "service", "verify"},
			"sentry-1": {"ready", "harden", "service", "verify"},
			"sentry-2": {"ready", "harden", "service", "verify"},
		} {
			for _, step := range steps {
				if g.Step(host, step) == nil {
					t.Errorf("host %s has no step %s", host, step)
				}
			}
			if n := len(g.Steps(host)); n != len(steps) {
				t.Errorf("host %s has %d steps, want %d", host, n, len(steps))
			}
		}
		if node := g.Step("prep-1", "service"); !g.Waits(node, g.Step("sentry-1", "verify")) || !g.Waits(node, g.Step("sentry-2", "verify")) {
			t.Error("the P-Rep starts before both sentries have been verified")
		}
	})
}
