package topologies

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/insight-icon/pulumi-icon/components/platform"
	"github.com/insight-icon/pulumi-icon/stacks"
)

// Topology is a reference architecture.
type Topology struct {
	// Summary says in one line what it is for.
	Summary string
	// Plan makes the plan from a complete, valid configuration.
	Plan func(*stacks.Config) *Plan
}

// Registry holds every topology under its name in the configuration.
var Registry = map[string]Topology{
	stacks.TopologySingleNode:    {Summary: "one P-Rep that the internet reaches directly, and citizens if wanted", Plan: singleNode},
	stacks.TopologySentryFronted: {Summary: "a hidden P-Rep behind sentries, and citizens whose API they publish", Plan: sentryFronted},
	stacks.TopologyCitizens:      {Summary: "citizens alone, for an API or an archive of the chain", Plan: citizens},
}

// PlanOf makes the plan of a configuration, and has its platform look at it: what only the plan as a whole shows, as too many rules for
// AWS, is found here, with no engine and no cloud.
func PlanOf(c *stacks.Config) (*Plan, error) {
	t, ok := Registry[c.Topology]
	if !ok {
		known := slices.Sorted(maps.Keys(Registry))
		return nil, fmt.Errorf("icon:topology: %q is not known: choose one of %s", c.Topology, strings.Join(known, ", "))
	}
	p := t.Plan(c)
	on, err := PlatformOf(c)
	if err != nil {
		return nil, err
	}
	if err := on.Validate(platform.NetworkSpec{Hosts: p.Hosts, Edges: p.Edges, Administrators: p.Administrators}); err != nil {
		return nil, fmt.Errorf("the plan of this stack can't be made on %s:\n%w\n(its edges follow from icon:citizens.apiFrom, "+
			"icon:maintenance, icon:administrators and icon:network.seeds)", c.Platform, err)
	}
	return p, nil
}
