// Package cost holds what an installation costs a month, as pure data.
package cost

import (
	"fmt"
	"strconv"
	"strings"
)

// Cost is a month's cost at list prices, on demand, without taxes, traffic and support.
type Cost struct {
	// Region that the prices are of, and AsOf, the day they were looked up, "2026-11-22".
	Region, AsOf string
	// Note is what a reader must know of the figure, a sentence on each line; may be empty.
	Note  string
	Lines []Line
}

// Line is one kind of resource.
type Line struct {
	// Kind such as "EC2 m7i.2xlarge (prep-1)".
	Kind string
	// Count of Units, for instance 730 "hours" or 3000 "GiB-months".
	Count float64
	Unit  string
	// USD a month for all of Count.
	USD float64
}

// Total is the sum of all lines in USD.
func (c Cost) Total() float64 {
	sum := 0.0
	for _, l := range c.Lines {
		sum += l.USD
	}
	return sum
}

// String is a table for a reader: a line for each kind of resource, their sum, and the notes.
func (c Cost) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "cost of a month in USD, %s, list prices of %s, on demand, without taxes, traffic and support\n", c.Region, c.AsOf)
	kind, count, unit := len("total"), 0, 0
	for _, l := range c.Lines {
		kind, count, unit = max(kind, len(l.Kind)), max(count, len(number(l.Count))), max(unit, len(l.Unit))
	}
	for _, l := range c.Lines {
		fmt.Fprintf(&b, "  %-*s  %*s %-*s  %10.2f\n", kind, l.Kind, count, number(l.Count), unit, l.Unit, l.USD)
	}
	fmt.Fprintf(&b, "  %-*s  %*s  %10.2f\n", kind, "total", count+1+unit, "", c.Total())
	for _, line := range strings.Split(c.Note, "\n") {
		for _, part := range wrapped(line) {
			fmt.Fprintf(&b, "  %s\n", part)
		}
	}
	return b.String()
}

// wrapped is a text in lines that a terminal shows whole.
func wrapped(text string) []string {
	const widest = 110
	var lines []string
	for _, word := range strings.Fields(text) {
		last := len(lines) - 1
		if last < 0 || len(lines[last])+1+len(word) > widest {
			lines = append(lines, word)
			continue
		}
		lines[last] += " " + word
	}
	return lines
}

// number is a count without needless digits.
func number(n float64) string { return strconv.FormatFloat(n, 'f', -1, 64) }
