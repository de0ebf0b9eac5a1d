package stacks

import (
	"fmt"
	"slices"
	"sort"
	"strings"
)

// Problem is one mistake in a stack's configuration.
type Problem struct {
	// Path names the key in the operator's words, for instance "icon:hosts.machines.prep-1.hostKey".
	Path string
	// Message says what is wrong, what is wanted and, where it isn't plain, what to do. It never holds a secret.
	Message string
	// rule is the message before its values were filled in. Tests use it to see that every rule has a fixture.
	rule string
}

// Problems are all the mistakes of a stack's configuration, sorted by path. It is the error that Load, Config.Complete,
// Config.CheckFiles, Config.CheckPlaceholders and ParseKeystores return.
type Problems []Problem

// Error is a heading with the number of problems, and one line for each.
func (p Problems) Error() string {
	var b strings.Builder
	noun := "problems"
	if len(p) == 1 {
		noun = "problem"
	}
	fmt.Fprintf(&b, "stack configuration: %d %s", len(p), noun)
	for _, problem := range p {
		fmt.Fprintf(&b, "\n  %s: %s", problem.Path, problem.Message)
	}
	return b.String()
}

// collector gathers problems, so that an operator sees all of them at once.
type collector struct {
	problems Problems
	// broken holds the paths whose value could not be read: what follows from them would be noise.
	broken map[string]bool
}

func newCollector() *collector { return &collector{broken: map[string]bool{}} }

// add reports a problem at path, unless the value there, or one that holds it, was unreadable in the first place.
func (c *collector) add(path, format string, args ...any) {
	if c.readable(path) {
		c.report(path, format, fmt.Sprintf(format, args...))
	}
}

// missing reports that a required key is absent.
func (c *collector) missing(path, wanted string) {
	if c.readable(path) {
		c.report(path, wanted, "is missing; wanted "+wanted)
	}
}

// unreadable reports a value of the wrong shape and keeps later rules from judging it.
func (c *collector) unreadable(path, format string, args ...any) {
	c.report(path, format, fmt.Sprintf(format, args...))
	c.broken[path] = true
}

func (c *collector) report(path, rule, message string) {
	c.problems = append(c.problems, Problem{Path: namespace + ":" + path, Message: message, rule: rule})
}

// readable says whether neither the value at path nor one that holds it was unreadable.
func (c *collector) readable(path string) bool {
	for broken := range c.broken {
		rest, below := strings.CutPrefix(path, broken)
		if below && (rest == "" || rest[0] == '.' || rest[0] == '[') {
			return false
		}
	}
	return true
}

// err is nil, or all problems in a stable order.
func (c *collector) err() error {
	if len(c.problems) == 0 {
		return nil
	}
	sorted := slices.Clone(c.problems)
	sort.SliceStable(sorted, func(i, j int) bool { return sorted[i].Path < sorted[j].Path })
	return sorted
}
