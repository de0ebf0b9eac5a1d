package main

import (
	"testing"

	"github.com/pulumi/pulumi/sdk/v3/go/common/resource"

	"github.com/insight-icon/pulumi-icon/components/platform/aws/image"
	"github.com/insight-icon/pulumi-icon/tests/graph"
	"github.com/insight-icon/pulumi-icon/tests/policy"
)

func TestTheExampleBuildsWhatItShows(t *testing.T) {
	graph.InBothModes(t, build, func(t *testing.T, g *graph.Graph) {
		t.Helper()
		graph.UniqueURNs(t, g)
		graph.EveryChildBelow(t, g, image.Type)
		policy.Holds(t, g, policy.AWS())
		for _, w := range wanted {
			if len(g.Named(w.profile+"-image")) != 1 {
				t.Errorf("there is no image %s", w.profile)
			}
			if _, there := g.Outputs[resource.PropertyKey(w.profile)]; !there {
				t.Errorf("there is no output %s", w.profile)
			}
		}
		for _, r := range g.Resources {
			if r.Custom && len(r.Type) > 4 && r.Type[:4] == "aws:" && r.Provider == "" {
				t.Errorf("%s is made by the default provider", r.URN)
			}
		}
	})
}
