package reach

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
)

// line is a line of a table: every host of from can open it to every other host of to.
type line struct {
	from, to, protocol, ports, condition string
}

var header = line{"FROM", "TO", "PROTOCOL", "PORTS", "CONDITION"}

// Table shows all connections, one kind on a line, aligned and always in one order. Hosts of one role that can do the same, and to which
// the same can be done, share a line: "sentry-1..3". A connection from a host to itself is never meant.
func (r *Reach) Table() string {
	lines := r.lines()
	var width [4]int
	for _, l := range append(lines, header) {
		for i, cell := range []string{l.from, l.to, l.protocol, l.ports} {
			width[i] = max(width[i], len(cell))
		}
	}
	var b strings.Builder
	for _, l := range slices.Concat([]line{header}, lines) {
		text := fmt.Sprintf("%-*s  %-*s  %-*s  %-*s  %s", width[0], l.from, width[1], l.to, width[2], l.protocol, width[3], l.ports, l.condition)
		b.WriteString(strings.TrimRight(text, " ") + "\n")
	}
	return b.String()
}

func (r *Reach) lines() []line {
	label, rank := r.labels(), map[string]int{}
	seen := map[line]bool{}
	for _, row := range r.rows {
		from, to := row.from.label(label), row.to.label(label)
		rank[from], rank[to] = row.from.rank(), row.to.rank()
		for _, f := range row.t.flows() {
			seen[line{from, to, f.protocol, f.ports.String(), row.condition}] = true
		}
	}
	return slices.SortedFunc(maps.Keys(seen), func(a, b line) int {
		return cmp.Or(cmp.Compare(rank[a.from], rank[b.from]), natural(a.from, b.from), cmp.Compare(rank[a.to], rank[b.to]),
			natural(a.to, b.to), strings.Compare(a.condition, b.condition), strings.Compare(a.protocol, b.protocol), natural(a.ports, b.ports))
	})
}

func (s side) label(labels []string) string {
	if s.class == nil {
		return s.name
	}
	return labels[s.class.id]
}

// rank puts the internet first, then other networks, load balancers, hosts and endpoints.
func (s side) rank() int {
	switch {
	case s.class == nil && s.o.area == anywhere && s.o.list == "":
		return 0
	case s.class == nil:
		return 1
	case s.class.parties[0].balancer != nil:
		return 2
	case s.class.host():
		return 3
	}
	return 4
}

// labels name the classes by id; classes that can be swapped without changing anything have one name.
func (r *Reach) labels() []string {
	between, beyond := map[[2]int]string{}, make([]string, len(r.classes))
	for _, row := range r.rows { // rows are sorted below, since maps gave them in any order
		text := row.condition + " " + row.t.key() + "\n"
		if a, b := row.from.class, row.to.class; a != nil && b != nil && a.host() && b.host() {
			between[[2]int{a.id, b.id}] += text
		} else if a != nil && a.host() {
			beyond[a.id] += "to " + row.to.key() + " " + text
		} else if b != nil && b.host() {
			beyond[b.id] += "from " + row.from.key() + " " + text
		}
	}
	for k, v := range between {
		between[k] = sortedLines(v)
	}
	for i, v := range beyond {
		beyond[i] = sortedLines(v)
	}
	same := func(x, y *class) bool {
		if !x.host() || !y.host() || x.parties[0].role != y.parties[0].role || beyond[x.id] != beyond[y.id] {
			return false
		}
		xy := between[[2]int{x.id, y.id}]
		if xy != between[[2]int{y.id, x.id}] || len(x.parties) > 1 && between[[2]int{x.id, x.id}] != xy ||
			len(y.parties) > 1 && between[[2]int{y.id, y.id}] != xy {
			return false
		}
		return !slices.ContainsFunc(r.classes, func(z *class) bool {
			return z != x && z != y && (between[[2]int{x.id, z.id}] != between[[2]int{y.id, z.id}] ||
				between[[2]int{z.id, x.id}] != between[[2]int{z.id, y.id}])
		})
	}
	labels, done := make([]string, len(r.classes)), make([]bool, len(r.classes))
	for i, x := range r.classes {
		if done[i] {
			continue
		}
		together := []*class{x}
		for j := i + 1; j < len(r.classes); j++ {
			if y := r.classes[j]; !done[j] && same(x, y) {
				together, done[j] = append(together, y), true
			}
		}
		var names []string
		for _, c := range together {
			for _, p := range c.parties {
				names = append(names, p.name)
			}
		}
		for _, c := range together {
			labels[c.id] = shorten(names)
		}
	}
	return labels
}

func (s side) key() string {
	if s.class == nil {
		return s.name
	}
	return s.class.parties[0].name
}

func sortedLines(s string) string {
	l := strings.SplitAfter(s, "\n")
	slices.Sort(l)
	return strings.Join(l, "")
}

// numbered cuts a name before its last number: "sentry-1" is "sentry-" and 1. False without one, or with leading zeros.
func numbered(name string) (string, int, bool) {
	stem := strings.TrimRight(name, "0123456789")
	if stem == name || name[len(stem)] == '0' && len(stem)+1 < len(name) {
		return stem, 0, false
	}
	n, err := strconv.Atoi(name[len(stem):])
	return stem, n, err == nil
}

// natural orders "host-2" before "host-10".
func natural(a, b string) int {
	stemA, nA, okA := numbered(a)
	stemB, nB, okB := numbered(b)
	if okA && okB && stemA == stemB {
		return cmp.Compare(nA, nB)
	}
	return strings.Compare(a, b)
}

// shorten writes names in a row, three or more numbered ones in turn as "host-1..3".
func shorten(names []string) string {
	slices.SortFunc(names, natural)
	var words []string
	for i := 0; i < len(names); {
		stem, first, ok := numbered(names[i])
		last := first
		for ok && i+last-first+1 < len(names) && names[i+last-first+1] == stem+strconv.Itoa(last+1) {
			last++
		}
		if last-first >= 2 {
			words = append(words, fmt.Sprintf("%s%d..%d", stem, first, last))
			i += last - first + 1
			continue
		}
		words = append(words, names[i])
		i++
	}
	return strings.Join(words, " ")
}

// lengthen reads what shorten writes. A name with exceptions is one name.
func lengthen(cell string) []string {
	if strings.Contains(cell, " except ") {
		return []string{cell}
	}
	var names []string
	for word := range strings.FieldsSeq(cell) {
		name, end, many := strings.Cut(word, "..")
		stem, first, ok := numbered(name)
		last, err := strconv.Atoi(end)
		if !many || !ok || err != nil {
			names = append(names, word)
			continue
		}
		for n := first; n <= last; n++ {
			names = append(names, stem+strconv.Itoa(n))
		}
	}
	return names
}
