package reach

import (
	"cmp"
	"fmt"
	"regexp"
	"slices"
	"strings"
)

// pair is a kind of connection from one party to another, whatever its protocol and ports.
type pair struct{ from, to, condition string }

// Compare tells in words how the connections differ from a table as Table writes it: each that is too many with its path, each that is
// missing with what blocks it first. What hosts that share a line of the table have in common is told once. Nothing means no difference.
// Columns of the wanted table need not be aligned, only apart by two spaces; empty lines and those that start with # are left out.
func Compare(want string, r *Reach) []string {
	wanted, problems := parseTable(want)
	if len(problems) > 0 {
		return problems
	}
	got := map[line]bool{}
	for _, l := range r.lines() {
		got[l] = true
	}
	for l := range wanted {
		if got[l] {
			delete(wanted, l)
			delete(got, l)
		}
	}
	w, g := pairs(wanted), pairs(got)
	out := r.tell("unexpected", less(g, w), true)
	return append(out, r.tell("missing", less(w, g), false)...)
}

var columns = regexp.MustCompile(` {2,}|\t+`)

func parseTable(text string) (map[line]bool, []string) {
	lines, problems := map[line]bool{}, []string{}
	for n, s := range strings.Split(text, "\n") {
		s = strings.TrimSpace(s)
		if s == "" || strings.HasPrefix(s, "#") {
			continue
		}
		cells := columns.Split(s, -1)
		if cells[0] == header.from {
			continue
		}
		if len(cells) == 4 {
			cells = append(cells, "")
		}
		if len(cells) != 5 {
			problems = append(problems, fmt.Sprintf("line %d of the table has %d columns, wanted are from, to, protocol, ports and, "+
				"if there is one, condition: %s", n+1, len(cells), s))
			continue
		}
		l := line{cells[0], cells[1], cells[2], cells[3], cells[4]}
		if _, err := parsePorts(l.ports); err != nil {
			problems = append(problems, fmt.Sprintf("line %d of the table: %v", n+1, err))
		}
		lines[l] = true
	}
	return lines, problems
}

// pairs spells lines out, host by host.
func pairs(lines map[line]bool) map[pair]traffic {
	m := map[pair]traffic{}
	for l := range lines {
		ports, err := parsePorts(l.ports)
		if err != nil {
			continue
		}
		t := flow{l.protocol, ports}.traffic()
		to := lengthen(l.to)
		for _, a := range lengthen(l.from) {
			for _, b := range to {
				if a != b {
					p := pair{a, b, l.condition}
					if was, there := m[p]; there {
						m[p] = was.with(t, union)
					} else {
						m[p] = t
					}
				}
			}
		}
	}
	return m
}

func less(a, b map[pair]traffic) map[pair]traffic {
	m := map[pair]traffic{}
	for p, t := range a {
		if other, there := b[p]; !there {
			m[p] = t
		} else if rest := t.with(other, subtract); !rest.empty() {
			m[p] = rest
		}
	}
	return m
}

// tell groups differences by the classes of their ends.
func (r *Reach) tell(what string, diff map[pair]traffic, there bool) []string {
	class, labels := map[string]string{}, r.labels()
	for _, c := range r.classes {
		for _, p := range c.parties {
			class[p.name] = labels[c.id]
		}
	}
	type kind struct {
		from, to, condition string
		f                   flow
	}
	type some struct {
		first pair
		n     int
	}
	kinds := map[kind]some{}
	for p, t := range diff {
		for _, f := range t.flows() {
			k := kind{cmp.Or(class[p.from], p.from), cmp.Or(class[p.to], p.to), p.condition, f}
			of := kinds[k]
			if of.n == 0 || cmp.Or(natural(p.from, of.first.from), natural(p.to, of.first.to)) < 0 {
				of.first = p
			}
			kinds[k] = some{of.first, of.n + 1}
		}
	}
	var out []string
	for k, of := range kinds {
		p := of.first
		s := fmt.Sprintf("%s: %s -> %s %s%s: %s", what, p.from, p.to, k.f, suffix(p.condition), r.because(p, k.f, there))
		if of.n > 1 {
			s += fmt.Sprintf(" (and %d more between hosts like these)", of.n-1)
		}
		out = append(out, s)
	}
	slices.Sort(out)
	return out
}

func (r *Reach) because(p pair, f flow, there bool) string {
	from, err := r.endOf(p.from)
	if err != nil {
		return err.Error()
	}
	to, err := r.endOf(p.to)
	if err != nil {
		return err.Error()
	}
	words, blocked := r.explain(from, to, p.condition, f)
	switch {
	case there:
		return strings.Join(slices.Concat([]string{p.from}, words, []string{p.to}), " -> ")
	case blocked == "":
		return "it is there, but said otherwise: see the unexpected ones, or leave it out if a wider network has it"
	}
	return "blocked: " + blocked
}
