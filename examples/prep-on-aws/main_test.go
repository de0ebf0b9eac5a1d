package main

import (
	"testing"

	"github.com/pulumi/pulumi/sdk/v3/go/common/resource"

	"github.com/insight-icon/pulumi-icon/components"
	"github.com/insight-icon/pulumi-icon/tests/graph"
	"github.com/insight-icon/pulumi-icon/tests/policy"
)

// public is why the P-Rep may have an address: that is what the example shows.
const public = "the internet reaches this P-Rep directly"

func TestTheExampleDeploysWhatItShows(t *testing.T) {
	graph.InBothModes(t, deploy, func(t *testing.T, g *graph.Graph) {
		t.Helper()
		graph.UniqueURNs(t, g)
		graph.OneAtATime(t, g)
		graph.EveryChildBelow(t, g, components.NetworkType, components.PRepNodeType)
		policy.Holds(t, g, policy.AWS(),
			policy.Exception{Rule: "EC2.9", Resource: "network-prep-1-instance", Reason: public},
			policy.Exception{Rule: "ICON.14", Resource: "network-prep-1-instance", Reason: public},
		)
		for host, steps := range map[string][]string{
			"prep-1":  {"ready", "disk", "harden", "key", "service", "verify"},
			"bastion": {"ready", "harden"},
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
		for _, output := range []resource.PropertyKey{"nodeAddress", "announce", "bastion"} {
			if _, there := g.Outputs[output]; !there {
				t.Errorf("there is no output %s", output)
			}
		}
	})
}

// Credentials' default region may be another: all that is AWS's is made by the provider of the settings' region.
func TestTheExampleStaysInItsRegion(t *testing.T) {
	for _, r := range graph.Record(t, graph.Options{}, deploy).Resources {
		region, isProvider := r.Inputs["region"]
		switch {
		case r.Type == "pulumi:providers:aws" && (!isProvider || region.V != cloud.Settings.Region):
			t.Errorf("the provider's region is %v, wanted %s", region, cloud.Settings.Region)
		case r.Custom && len(r.Type) > 4 && r.Type[:4] == "aws:" && r.Provider == "":
			t.Errorf("%s is made by the default provider", r.URN)
		}
	}
}
