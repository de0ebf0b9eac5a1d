package topologies

import (
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"

	"github.com/insight-icon/pulumi-icon/hardening"
)

// writeHardening says what each host is hardened by: its profile, what differs from it, and what is left out and why.
func (p *Plan) writeHardening(b *strings.Builder) {
	fmt.Fprintf(b, "\nhardening: profile, number of controls, and what differs\n")
	for _, h := range p.Hosts {
		s := p.Hardening[h.Name]
		if s == nil {
			continue
		}
		fmt.Fprintf(b, "  %-20s %-8s %d\n", h.Name, s.Profile, len(s.Controls))
		for _, line := range append(overridden(s), leftOut(s)...) {
			fmt.Fprintf(b, "  %-20s %s\n", "", line)
		}
	}
}

// overridden are the parameters that have other values than the profile gives them.
func overridden(s *hardening.Selection) []string {
	usual, _ := hardening.Resolve(s.Profile, s.Facts)
	if usual == nil {
		return nil
	}
	var lines []string
	for _, c := range s.Controls {
		for _, param := range c.Params {
			value := s.Values[c.ID][param.Name]
			if !reflect.DeepEqual(value, usual.Values[c.ID][param.Name]) {
				lines = append(lines, fmt.Sprintf("%s.%s = %s", c.ID, param.Name, shown(value)))
			}
		}
	}
	slices.Sort(lines)
	return lines
}

// shown is a parameter's value, on one line.
func shown(value any) string {
	switch v := value.(type) {
	case string:
		return fmt.Sprintf("%q", v)
	case []string:
		return "[" + strings.Join(v, ", ") + "]"
	default:
		return fmt.Sprint(v)
	}
}

func leftOut(s *hardening.Selection) []string {
	var lines []string
	for _, id := range slices.Sorted(maps.Keys(s.LeftOut)) {
		lines = append(lines, fmt.Sprintf("without %s: %s", id, s.LeftOut[id]))
	}
	return lines
}
