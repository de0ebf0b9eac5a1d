package awsplan

import (
	"fmt"
	"slices"
	"sort"
)

// collector gathers problems, so that an operator sees all of them at once.
type collector struct{ problems []Problem }

// add reports a problem at key.
func (c *collector) add(key, format string, args ...any) {
	c.problems = append(c.problems, Problem{Key: key, Message: fmt.Sprintf(format, args...), Rule: format})
}

// missing reports that a required key is absent.
func (c *collector) missing(key, wanted string) {
	c.problems = append(c.problems, Problem{Key: key, Message: "is missing; wanted " + wanted, Rule: wanted})
}

// sorted are the problems in a stable order.
func (c *collector) sorted() []Problem {
	sorted := slices.Clone(c.problems)
	sort.SliceStable(sorted, func(i, j int) bool { return sorted[i].Key < sorted[j].Key })
	return sorted
}
