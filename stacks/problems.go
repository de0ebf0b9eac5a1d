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
// Config.CheckFiles and ParseKeystores return.
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

// under is the path of a key of the object at path. Names that could be taken for a part of the path are quoted.
func under(path, name string) string {
	for _, r := range name {
		plain := r == '-' || r == '_' || r >= '0' && r <= '9' || r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z'
		if !plain {
			return fmt.Sprintf("%s[%s]", path, quote(name))
		}
	}
	if name == "" {
		return path + `[""]`
	}
	if path == "" {
		return name
	}
	return path + "." + name
}

// item is the path of an item of the list at path.
func item(path string, i int) string { return fmt.Sprintf("%s[%d]", path, i) }

// quote shows text as an operator wrote it: on one line, not endlessly, and never a private key pasted in the wrong place.
func quote(text string) string {
	const longest = 80
	if strings.Contains(text, "PRIVATE KEY") {
		return "a private key (not shown)"
	}
	if runes := []rune(text); len(runes) > longest {
		return fmt.Sprintf("%q", string(runes[:longest])+"…")
	}
	return fmt.Sprintf("%q", text)
}

// didYouMean is a remark that leads from an unknown name to a known one: the nearest, or else the first of all.
func didYouMean(name string, known []string) string {
	if len(known) == 0 {
		return "none is known here"
	}
	sorted := slices.Sorted(slices.Values(known))
	best, distance := "", len(name)
	for _, candidate := range sorted {
		if d := editDistance(strings.ToLower(name), strings.ToLower(candidate)); d < distance {
			best, distance = candidate, d
		}
	}
	if best != "" && distance <= max(1, len(best)/3) {
		return fmt.Sprintf("did you mean %q?", best)
	}
	const most = 20
	if len(sorted) > most {
		return fmt.Sprintf("known here: %s and %d more", strings.Join(sorted[:most], ", "), len(sorted)-most)
	}
	return "known here: " + strings.Join(sorted, ", ")
}

// editDistance counts the letters to insert, remove or change to get from a to b (Levenshtein).
func editDistance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			change := diagonal
			if a[i] != b[j] {
				change++
			}
			diagonal = row[j+1]
			row[j+1] = min(change, row[j]+1, row[j+1]+1)
		}
	}
	return row[len(b)]
}
