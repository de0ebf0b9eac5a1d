package reach

import (
	"net/netip"
	"slices"
	"strings"
)

// internet is the name of the whole internet.
const internet = "internet"

// finishOutsides makes a party of each network that a rule or route names and that is not within a VPC of the graph. Networks nest or
// are apart, so no rule tells the addresses of one apart that are in none of those within it.
func (w *world) finishOutsides() {
	lists := w.outsides
	w.outsides = []*outside{{view: view{name: internet, area: anywhere, exact: true}}}
	areas := slices.Clone(w.rules)
	slices.SortFunc(areas, func(a, b netip.Prefix) int {
		if a.Bits() != b.Bits() {
			return a.Bits() - b.Bits()
		}
		return a.Addr().Compare(b.Addr())
	})
	for _, area := range slices.Compact(areas) {
		inside := slices.ContainsFunc(w.vpcs, func(v *vpc) bool { return v.holds(area) })
		if area == anywhere || inside {
			continue
		}
		o := &outside{view: view{name: area.String(), area: area, exact: true}, private: private(area)}
		if up := w.outsideOf(area); up.private == o.private {
			o.parent = up
			up.children = append(up.children, o)
		}
		w.outsides = append(w.outsides, o)
	}
	slices.SortFunc(lists, func(a, b *outside) int { return strings.Compare(a.name, b.name) })
	for _, o := range lists {
		o.parent = w.outsides[0]
		w.outsides = append(w.outsides, o)
	}
}

// outsideOf is the narrowest outside network that an area is in.
func (w *world) outsideOf(area netip.Prefix) *outside {
	best := w.outsides[0]
	for _, o := range w.outsides {
		if o.list == "" && covers(o.area, area) && o.area.Bits() >= best.area.Bits() {
			best = o
		}
	}
	return best
}

// named is what an outside party has that its parent has not: a network within another has what the other has, too, so that goes without
// saying. What it lacks of it is said of the parent.
type named struct {
	o    *outside
	name string
	t    traffic
}

// say names the parties that have traffic, given what each of them has.
func say(outsides []*outside, has func(*outside) traffic) []named {
	var out []named
	for _, o := range outsides {
		t := has(o)
		if o.parent != nil {
			t = t.with(has(o.parent), subtract)
		}
		if t.empty() {
			continue
		}
		for _, part := range split(exception{t: t}, o, has) {
			name := o.name
			if len(part.but) > 0 {
				name += " except " + strings.Join(part.but, " ")
			}
			out = append(out, named{o, name, part.t})
		}
	}
	return out
}

// exception is traffic that some networks within another one do not have.
type exception struct {
	t   traffic
	but []string
}

// split parts traffic by the networks below o that lack it.
func split(e exception, o *outside, has func(*outside) traffic) []exception {
	parts := []exception{e}
	for _, c := range o.children {
		var next []exception
		for _, p := range parts {
			if lacks := p.t.with(has(c), subtract); !lacks.empty() {
				next = append(next, exception{lacks, append(slices.Clone(p.but), c.name)})
			}
			if shares := p.t.with(has(c), intersect); !shares.empty() {
				next = append(next, split(exception{shares, p.but}, c, has)...)
			}
		}
		parts = next
	}
	return parts
}
