package graph

import (
	"maps"
	"slices"
)

// TypesWithFixedInputs are those that Upgrade knows.
func TypesWithFixedInputs() []string { return slices.Sorted(maps.Keys(fixed)) }
