package topologies

import (
	"fmt"
	"maps"
	"slices"
	"strings"

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

// PlanOf makes the plan of a configuration.
func PlanOf(c *stacks.Config) (*Plan, error) {
	t, ok := Registry[c.Topology]
	if !ok {
		known := slices.Sorted(maps.Keys(Registry))
		return nil, fmt.Errorf("icon:topology: %q is not known: choose one of %s", c.Topology, strings.Join(known, ", "))
	}
	return t.Plan(c), nil
}
