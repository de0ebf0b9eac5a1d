package attack

import (
	"bytes"
	"cmp"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/insight-icon/pulumi-icon/internal/sentry"
	"github.com/insight-icon/pulumi-icon/tests/attack/attackers"
	"github.com/insight-icon/pulumi-icon/tests/attack/honest"
)

// Render writes the report and its charts from the results of the last run: attack-report.md beside the results, images below.
func Render(results string) error {
	path, err := resultsPath(results)
	if err != nil {
		return err
	}
	r, err := readResults(path)
	if err != nil {
		return err
	}
	if len(r.Cells) == 0 {
		return fmt.Errorf("%s: no results: run make attack first", path)
	}
	dir := filepath.Dir(path)
	if err := os.MkdirAll(filepath.Join(dir, "images"), 0o755); err != nil {
		return err
	}
	for name, chart := range map[string]string{"attack-success.svg": r.successChart(), "attack-p99.svg": r.p99Chart()} {
		if err := os.WriteFile(filepath.Join(dir, "images", name), []byte(chart), 0o644); err != nil {
			return err
		}
	}
	return os.WriteFile(filepath.Join(dir, "attack-report.md"), []byte(r.Report()), 0o644)
}

// Report is the page.
func (r *Results) Report() string {
	var b bytes.Buffer
	p := func(format string, args ...any) { fmt.Fprintf(&b, format+"\n", args...) }
	p("# Sentries under attack: what was measured\n")
	p("Written by `make attack` on %s; don't edit it.", r.Date)
	p("What the variants are, and which limit stops what, stands in [sentries.md](sentries.md).\n")
	r.set(p)
	r.defaults(p)
	r.comparison(p)
	r.losses(p)
	r.missed(p)
	p("## What the attacks are\n")
	p("| attack | what it does |\n|---|---|")
	for _, a := range attackers.All() {
		p("| %s | %s |", a.Name, a.About)
	}
	return b.String()
}

func (r *Results) set(p func(string, ...any)) {
	m := r.Machine
	var versions []string
	for name, version := range m.Versions {
		versions = append(versions, name+" "+version)
	}
	slices.Sort(versions)
	p("## How it is measured\n")
	p("%s", howText)
	scheduled := "Sentries, nodes and honest ones run before whatever else the machine does (SCHED_RR)."
	if !m.Realtime {
		scheduled = "The machine allows no real-time scheduling: times hold whatever else it did."
	}
	p("Machine: %d cores (%s), Linux %s; %s. %s\n", m.Cores, m.CPU, m.Kernel, strings.Join(versions, ", "), scheduled)
	if r.busy() > 0 {
		p(busyText, r.busy(), len(r.Cells), quiet)
	}
}

func (r *Results) busy() int {
	n := 0
	for _, c := range r.Cells {
		if c.ForeignCPU > quiet {
			n++
		}
	}
	return n
}

// Worst is the worst run of an attack on a variant: most honest operations failed, then longest p99; nil if there is none.
func (r *Results) Worst(variant, attack string) *Cell {
	var worst *Cell
	for _, c := range r.Cells {
		if c.Variant == variant && c.Attack == attack && (worst == nil || c.worse(worst)) {
			worst = c
		}
	}
	return worst
}

func (c *Cell) worse(than *Cell) bool {
	key := func(c *Cell) []float64 {
		return []float64{
			-Sum(c.Honest, knownKinds...).Ratio(), float64(c.Missed), -Sum(c.Honest, strangerKinds...).Ratio(), c.Honest[honest.Known].P99,
		}
	}
	return slices.Compare(key(c), key(than)) > 0
}

// names of the attacks that were measured, in the report's order.
func (r *Results) names() []string {
	return slices.DeleteFunc(Attacks(), func(name string) bool {
		return !slices.ContainsFunc(r.Cells, func(c *Cell) bool { return c.Attack == name })
	})
}

func (r *Results) variants() []Variant {
	return slices.DeleteFunc(Variants(), func(v Variant) bool {
		return !slices.ContainsFunc(r.Cells, func(c *Cell) bool { return c.Variant == v.Name })
	})
}

func (r *Results) runs(variant string) int {
	n := 0
	for _, c := range r.Cells {
		if c.Variant == variant {
			n = max(n, c.Run)
		}
	}
	return n
}

func (r *Results) defaults(p func(string, ...any)) {
	name := string(sentry.HAProxyNftables)
	runs := r.runs(name)
	if runs == 0 {
		return
	}
	p("## The default: %s\n", name)
	p(defaultText, runs)
	p("%s", defaultHead)
	p("|---|---|---|---|---|---|---|---|---|---|---|---|")
	for _, attack := range r.names() {
		c := r.Worst(name, attack)
		if c == nil {
			continue
		}
		known, strangers, victim := Sum(c.Honest, knownKinds...), Sum(c.Honest, strangerKinds...), c.Honest[honest.VictimNew]
		f := c.Honest[honest.Known]
		p("| %s | %s | %.1f / %.1f | %s | %d/%d | %d/%d | %d (%d) | %d / %d | %.0f + %.0f %% | %s | %s | %d |",
			attack, share(known), f.P50, f.P99, share(strangers), victim.OK, victim.All, c.Missed, c.Turns, c.Reached, c.honestPeers(),
			c.PRep.MiB, c.Citizen.MiB, c.SentryCPU, c.SoftCPU, dropped(c), after95(c), len(c.FalseBans))
	}
	p("")
	if r.Cost != nil {
		p(costText, r.Cost.P50, r.Cost.P50Plain, r.Cost.P50-r.Cost.P50Plain, r.Cost.Throughput, r.Cost.ThroughputPlain,
			r.Cost.Throughput/max(1, r.Cost.ThroughputPlain), r.Cost.Rounds)
	}
}

// share is how many were served: the ratio where it is not all.
func share(f Figures) string {
	if f.OK == f.All {
		return fmt.Sprintf("100 %% (%d)", f.All)
	}
	return fmt.Sprintf("**%.1f %%** (%d/%d)", f.Ratio(), f.OK, f.All)
}

func dropped(c *Cell) string {
	if c.Attackers.Sources == 0 {
		return "–"
	}
	return fmt.Sprintf("%d of %d", c.Banned, c.Attackers.Sources)
}

func after95(c *Cell) string {
	if c.DropSeconds < 0 {
		return "–"
	}
	return fmt.Sprintf("%.1f s", c.DropSeconds)
}

func (r *Results) comparison(p func(string, ...any)) {
	chosen := r.variants()
	p("## What each is worth\n")
	for _, v := range chosen {
		p("- **%s**: %s", v.Name, v.About)
	}
	p("%s", comparedText)
	p("![honest operations served, by attack and variant](images/attack-success.svg)\n")
	p("![registered users' p99, by attack and variant](images/attack-p99.svg)\n")
	head, rule := "| attack |", "|---|"
	for _, v := range chosen {
		head, rule = head+" "+v.Name+" |", rule+"---|"
	}
	p("%s\n%s", head, rule)
	for _, attack := range r.names() {
		line := "| " + attack + " |"
		for _, v := range chosen {
			line += " " + r.short(v.Name, attack) + " |"
		}
		p("%s", line)
	}
	p("")
	p("The same for strangers, newcomers and new validators:\n")
	p("%s\n%s", head, rule)
	for _, attack := range r.names() {
		line := "| " + attack + " |"
		for _, v := range chosen {
			if c := r.Worst(v.Name, attack); c != nil {
				line += fmt.Sprintf(" %.0f %% |", floor(Sum(c.Honest, strangerKinds...).Ratio()))
			} else {
				line += " – |"
			}
		}
		p("%s", line)
	}
	p("\nMost memory of a node (MiB), and most connections at once to the citizen:\n")
	p("%s\n%s", head, rule)
	for _, attack := range r.names() {
		line := "| " + attack + " |"
		for _, v := range chosen {
			if c := r.Worst(v.Name, attack); c != nil {
				line += fmt.Sprintf(" %d, %d |", max(c.PRep.MiB, c.Citizen.MiB), c.Citizen.Connections)
			} else {
				line += " – |"
			}
		}
		p("%s", line)
	}
	p("")
}

// floor shows 99.9 as 99: only all is 100.
func floor(ratio float64) float64 { return float64(int(ratio)) }

func (r *Results) short(variant, attack string) string {
	c := r.Worst(variant, attack)
	if c == nil {
		return "–"
	}
	text := fmt.Sprintf("%.0f %%, %.0f", floor(Sum(c.Honest, knownKinds...).Ratio()), c.Honest[honest.Known].P99)
	if c.Honest[honest.Known].OK == 0 {
		text = "0 %"
	}
	if c.Missed > 0 {
		text += fmt.Sprintf(", missed %d of %d", c.Missed, c.Turns)
	}
	if len(c.Ended) > 0 {
		text += " †"
	}
	return text
}

func (r *Results) losses(p func(string, ...any)) {
	if len(r.Losses) == 0 {
		return
	}
	p("## Loss of one of two sentries under attack\n")
	p("Both are attacked (%s); the first is lost. Until every validator is the P-Rep's peer by the other one:\n", r.Losses[0].Attack)
	p("| the sentry is | peers are back after | promised | P-Rep missed in 20 s | users of the other sentry |\n|---|---|---|---|---|")
	for _, l := range r.Losses {
		took := "not within the run"
		if l.Seconds >= 0 {
			took = fmt.Sprintf("%.1f s", l.Seconds)
		}
		p("| %s | %s | %g s | %d of %d | %s, p99 %.1f ms |", l.How, took, l.Limit, l.Missed, l.Turns, share(l.Known), l.Known.P99)
	}
	p("")
}

// missed lists what was promised of the default variant and not kept.
func (r *Results) missed(p func(string, ...any)) {
	name := string(sentry.HAProxyNftables)
	if r.runs(name) == 0 {
		return
	}
	p("## What was missed\n")
	clean := 0.0
	if c := r.Worst(name, Clean); c != nil {
		clean = c.Honest[honest.Known].P99
	}
	kept := true
	cells := slices.Clone(r.Cells)
	slices.SortStableFunc(cells, func(a, b *Cell) int { return cmp.Compare(a.Run, b.Run) })
	for _, attack := range r.names() {
		for _, c := range cells {
			if c.Variant != name || c.Attack != attack {
				continue
			}
			for _, problem := range c.Problems(clean) {
				kept = false
				p("- %s, run %d: %s", attack, c.Run, problem)
			}
		}
	}
	for _, l := range r.Losses {
		if l.Seconds < 0 || l.Seconds > l.Limit || l.Known.OK < l.Known.All {
			kept = false
			p("- a sentry is %s: peers back after %.1f s, promised %g; users of the other one %s", l.How, l.Seconds, l.Limit, share(l.Known))
		}
	}
	if kept {
		p("Nothing of what is promised of the default variant was missed in this run.")
	}
	p("")
}
