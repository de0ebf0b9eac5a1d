package attack

import (
	"fmt"
	"slices"
	"strings"

	"github.com/insight-icon/pulumi-icon/tests/attack/honest"
)

// Colours of a chart's cells, from good to bad.
const (
	good = "#dafbe1"
	fair = "#fff8c5"
	poor = "#ffd8b5"
	bad  = "#ffc1c0"
	none = "#f6f8fa"
)

// successChart shows the percentage of all honest operations that were served.
func (r *Results) successChart() string {
	return r.grid("Honest operations served under attack, percent",
		"One row for each attack, one column for each variant; green is all, red is few.",
		func(c *Cell) (string, string) {
			ratio := Sum(c.Honest, slices.Concat(knownKinds, strangerKinds)...).Ratio()
			switch text := fmt.Sprintf("%.0f", floor(ratio)); {
			case ratio >= served:
				return text, good
			case ratio >= 99:
				return text, fair
			case ratio >= 90:
				return text, poor
			default:
				return text, bad
			}
		})
}

// p99Chart shows registered users' p99.
func (r *Results) p99Chart() string {
	return r.grid("Registered users' p99 under attack, milliseconds",
		"One row for each attack, one column for each variant; green is as fast as without an attack, red is more than ten times as slow.",
		func(c *Cell) (string, string) {
			f := c.Honest[honest.Known]
			switch text := fmt.Sprintf("%.0f", f.P99); {
			case f.OK == 0:
				return "none", bad
			case f.P99 <= 20:
				return text, good
			case f.P99 <= 50:
				return text, fair
			case f.P99 <= 200:
				return text, poor
			default:
				return text, bad
			}
		})
}

// grid draws attacks by variants.
func (r *Results) grid(title, about string, cell func(*Cell) (text, colour string)) string {
	const left, top, wide, high = 150, 70, 112, 24
	attacks, variants := r.names(), r.variants()
	width, height := left+wide*len(variants)+20, top+high*len(attacks)+20
	var b strings.Builder
	fmt.Fprintf(&b, `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %d %d" width="%d" height="%d"
     role="img" aria-labelledby="title desc"
     font-family="Helvetica, Arial, sans-serif" font-size="12" fill="#1f2328">
  <title id="title">%s</title>
  <desc id="desc">%s</desc>
  <rect x="1" y="1" width="%d" height="%d" rx="10" fill="#ffffff" stroke="#8c959f"/>
  <text x="20" y="28" font-size="14" font-weight="bold">%s</text>
`, width, height, width, height, title, about, width-2, height-2, title)
	for i, v := range variants {
		fmt.Fprintf(&b, `  <text x="%d" y="%d" text-anchor="middle" font-size="11">%s</text>`+"\n", left+wide*i+wide/2, top-10, v.Name)
	}
	for row, attack := range attacks {
		y := top + high*row
		fmt.Fprintf(&b, `  <text x="%d" y="%d" text-anchor="end">%s</text>`+"\n", left-10, y+high/2+4, attack)
		for i, v := range variants {
			text, colour := "", none
			if c := r.Worst(v.Name, attack); c != nil {
				text, colour = cell(c)
			}
			x := left + wide*i
			fmt.Fprintf(&b, `  <rect x="%d" y="%d" width="%d" height="%d" fill="%s" stroke="#ffffff"/>`, x, y, wide, high, colour)
			fmt.Fprintf(&b, `<text x="%d" y="%d" text-anchor="middle">%s</text>`+"\n", x+wide/2, y+high/2+4, text)
		}
	}
	b.WriteString("</svg>\n")
	return b.String()
}
