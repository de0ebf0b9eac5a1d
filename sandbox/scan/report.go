package scan

import (
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"time"
)

// Report puts a result and the reasons for what stays open together.
type Report struct {
	result *Result
	open   []openFinding
	idle   []Waiver
}

// openFinding is a finding of one or more profiles.
type openFinding struct {
	Finding
	reason   string
	profiles []string
}

// machineName is the virtual machine among the profiles of a finding.
const machineName = "machine"

// NewReport goes through the findings of all hardened hosts.
func NewReport(result *Result, waivers []Waiver) *Report {
	r := &Report{result: result}
	why := newReasons(waivers)
	index := map[Finding]int{}
	add := func(profile string, look *Look) {
		for _, f := range look.Findings() {
			i, known := index[f]
			if !known {
				i = len(r.open)
				index[f] = i
				r.open = append(r.open, openFinding{Finding: f, reason: why.of(f)})
			}
			if !slices.Contains(r.open[i].profiles, profile) {
				r.open[i].profiles = append(r.open[i].profiles, profile)
			}
		}
	}
	for _, p := range result.Profiles {
		add(p.Profile, p.Look)
	}
	if result.VM != nil {
		add(machineName, result.VM.Look)
	}
	r.idle = why.idle()
	return r
}

// Problems are what fails a scan beside regressions: findings without a reason, ports beyond the edges, a second run that changes things.
func (r *Report) Problems() error {
	var errs []error
	for _, f := range r.open {
		if f.reason == "" && !r.result.unpinned(f.Scanner) {
			errs = append(errs, fmt.Errorf("%s: %s (%s, profiles %s) stays open without a reason: close it, or give the reason in "+
				"sandbox/scan/waivers.tsv: %s", f.Scanner, f.ID, f.Severity, strings.Join(f.profiles, ", "), f.Title))
		}
	}
	for _, p := range r.result.Profiles {
		if n := p.Times.Second.Changed; n > 0 {
			errs = append(errs, fmt.Errorf("profile %s: the second run changed %d things: want none", p.Profile, n))
		}
		for _, place := range places {
			if beyond := p.beyond(place); len(beyond) > 0 {
				errs = append(errs, fmt.Errorf("profile %s: %s reaches %s: the edges allow %s", p.Profile, place.name,
					strings.Join(beyond, ", "), orNothing(p.allowed(place))))
			}
		}
	}
	return errors.Join(errs...)
}

// unpinned tells whether a scanner is not the one that the reasons and the recorded figures are about.
func (r *Result) unpinned(scanner string) bool {
	return slices.ContainsFunc(r.Fallbacks, func(text string) bool { return strings.HasPrefix(text, scannerPackage[scanner]+" ") })
}

// scannerPackage is the Debian package that a scanner's judgement comes from.
var scannerPackage = map[string]string{CIS: "ssg-debian", ANSSI: "ssg-debian", LynisName: "lynis", SSHAuditName: "ssh-audit"}

type place struct{ name, address string }

var places = []place{{placeAdmin, admin}, {placeNeighbour, neighbour}, {placeInternet, "10.91.1.10"}}

func (p *ProfileResult) allowed(from place) []string {
	role, err := findRole(p.Profile)
	if err != nil {
		return nil
	}
	return role.allowed(from.address)
}

func (p *ProfileResult) beyond(from place) []string {
	ports := p.Look.Ports[from.name]
	if ports == nil {
		return nil
	}
	return ports.Beyond(p.allowed(from))
}

func orNothing(list []string) string {
	if len(list) == 0 {
		return "nothing"
	}
	return strings.Join(list, ", ")
}

// row is one state in the table of figures.
type row struct {
	state string
	look  *Look
	times *Times
}

func (r *Report) rows() []row {
	var rows []row
	if r.result.Fresh != nil {
		rows = append(rows, row{"fresh Debian 12", r.result.Fresh, nil})
	}
	for i := range r.result.Profiles {
		p := &r.result.Profiles[i]
		rows = append(rows, row{"this project, profile " + p.Profile, p.Look, &p.Times})
	}
	if v := r.result.VM; v != nil {
		if v.Fresh != nil {
			rows = append(rows, row{"fresh Debian 12, virtual machine", v.Fresh, nil})
		}
		rows = append(rows, row{"this project, profile " + v.Profile + ", virtual machine", v.Look, nil})
	}
	if d := r.result.DevSec; d != nil {
		rows = append(rows, row{"dev-sec " + d.Version + ", os and ssh hardening, Ansible", d.Look, &d.Times})
	}
	return rows
}

// Summary writes the figures for a terminal.
func (r *Report) Summary(w io.Writer) {
	for _, row := range r.rows() {
		l := row.look
		fmt.Fprintf(w, "%-60s Lynis %d, CIS %.1f %% (%d fail), ANSSI %.1f %% (%d fail), ssh-audit %d/%d", row.state, l.Lynis.Index,
			l.CIS.PassRate(), l.CIS.Fail, l.ANSSI.PassRate(), l.ANSSI.Fail, l.SSH.Count("fail"), l.SSH.Count("warn"))
		if row.times != nil {
			fmt.Fprintf(w, ", %.1f s and %.1f s", row.times.First.Seconds, row.times.Second.Seconds)
		}
		fmt.Fprintln(w)
	}
	without := 0
	for _, f := range r.open {
		if f.reason == "" {
			without++
		}
	}
	fmt.Fprintf(w, "%d findings stay open, %d of them without a reason; %d reasons are needed by none\n", len(r.open), without, len(r.idle))
	for _, waiver := range r.idle {
		fmt.Fprintf(w, "  no finding needs the reason for %s %s\n", waiver.Scanner, waiver.ID)
	}
	for _, text := range r.result.Fallbacks {
		fmt.Fprintln(w, text)
	}
}

// Markdown is the page docs/hardening-report.md.
func (r *Report) Markdown() string {
	var b strings.Builder
	r.head(&b)
	r.figures(&b)
	r.machine(&b)
	r.vm(&b)
	r.many(&b)
	r.ports(&b)
	r.units(&b)
	r.findings(&b)
	r.unused(&b)
	return b.String()
}

func (r *Report) head(b *strings.Builder) {
	fmt.Fprintf(b, "# Hardening: what scanners say\n\nWritten by `make scan` on %s; don't edit it. How it is measured: each host is a fresh "+
		"Debian 12 with what Debian's\ncloud image holds, kernel package included, in a container (systemd-nspawn) of one machine with two "+
		"cores. The\nscanners are in the host's memory while they scan, and gone before it is hardened.\n\n", r.result.Date.Format(time.DateOnly))
	fmt.Fprintf(b, "Scanners: %s.\n", strings.Join(r.result.Scanners, ", "))
	for _, text := range r.result.Notes {
		fmt.Fprintf(b, "\n**Note**: %s\n", text)
	}
	for _, text := range r.result.Fallbacks {
		fmt.Fprintf(b, "\n**Not the pinned scanner**: %s. Figures of its kind don't compare with recorded ones.\n", text)
	}
}

func (r *Report) figures(b *strings.Builder) {
	b.WriteString("\n## Figures\n\n| state | Lynis | CIS level 2 server: score, of applicable rules | ANSSI BP-028 enhanced | " +
		"ssh-audit fail / warn | first run | second run |\n|---|---|---|---|---|---|---|\n")
	for _, row := range r.rows() {
		first, second := "–", "–"
		if row.times != nil {
			first = fmt.Sprintf("%.1f s", row.times.First.Seconds)
			second = fmt.Sprintf("%.1f s, %d changes", row.times.Second.Seconds, row.times.Second.Changed)
		}
		fmt.Fprintf(b, "| %s | %d | %s | %s | %d / %d | %s | %s |\n", row.state, row.look.Lynis.Index, rate(row.look.CIS),
			rate(row.look.ANSSI), row.look.SSH.Count("fail"), row.look.SSH.Count("warn"), first, second)
	}
	if r.result.DevSec == nil {
		b.WriteString("\ndev-sec's roles were left out of this scan: Debian's package ansible does not hold them. Unpack a release of\n" +
			"dev-sec/ansible-collection-hardening (10.2.0 is the last for Debian's Ansible) and name its directory: `make scan DEVSEC=…`.\n")
	}
	if slices.ContainsFunc(r.result.Profiles, func(p ProfileResult) bool { return p.Profile == withLogHost }) {
		b.WriteString("\nThe profile " + withLogHost + " is prep where a log host is named (logs.forwardTo), as each installation should have " +
			"one.\n")
	}
	b.WriteString("\nThe first run includes the download and installation of packages, from a mirror on the same machine for all " +
		"alike, and the login.\n")
}

// machine tells what the pass rates would be without the rules that a container cannot follow. It is worked out, not measured.
func (r *Report) machine(b *strings.Builder) {
	for i := range r.result.Profiles {
		p := &r.result.Profiles[i]
		limits, tests := map[string]int{}, []string{}
		for _, f := range r.open {
			if strings.HasPrefix(f.reason, containerReason) && slices.Contains(f.profiles, p.Profile) {
				limits[f.Scanner]++
				if f.Scanner == LynisName {
					tests = append(tests, f.ID)
				}
			}
		}
		cis, anssi := p.Look.CIS, p.Look.ANSSI
		fmt.Fprintf(b, "\nProfile %s: %d of the rules of CIS that fail, %d of ANSSI's and %d of Lynis's tests are about what a container has\n"+
			"from its machine (kernel, boot, clock; their reasons say so). Without these the rates are %.1f %% and %.1f %%, Lynis's index is %d.\n",
			p.Profile, limits[CIS], limits[ANSSI], limits[LynisName], rateOf(cis.Pass, cis.Fail-limits[CIS]),
			rateOf(anssi.Pass, anssi.Fail-limits[ANSSI]), p.Look.Lynis.Without(tests))
	}
}

// vm says how the virtual machine's figures came about.
func (r *Report) vm(b *strings.Builder) {
	v := r.result.VM
	if v == nil {
		b.WriteString("\nA full virtual machine was not measured.\n")
		return
	}
	fmt.Fprintf(b, "\nThe virtual machine was measured on %s, apart from this scan. %s\n", v.Date.Format(time.DateOnly), v.How)
}

func rate(c *Compliance) string {
	return fmt.Sprintf("%.1f, %.1f %% (%d pass, %d fail)", c.Score, c.PassRate(), c.Pass, c.Fail)
}

func (r *Report) many(b *strings.Builder) {
	m := r.result.Many
	if m == nil {
		return
	}
	fmt.Fprintf(b, "\n## %d hosts at once\n\nSeconds until the last host was done, on the same two cores.\n\n"+
		"| | first run | second run |\n|---|---|---|\n| this project, profile %s | %.1f s | %.1f s |\n",
		m.Hosts, r.result.Profiles[0].Profile, m.Ours.First.Seconds, m.Ours.Second.Seconds)
	if m.DevSec.First.Seconds > 0 {
		fmt.Fprintf(b, "| dev-sec, Ansible with %d forks | %.1f s | %.1f s |\n", m.Hosts, m.DevSec.First.Seconds, m.DevSec.Second.Seconds)
	} else {
		b.WriteString("\ndev-sec's roles were not timed on several hosts in this scan: there is nothing to compare these seconds with.\n")
	}
}

func (r *Report) ports(b *strings.Builder) {
	title := "\n## Ports that answer\n\nnmap over all TCP ports and the usual UDP ones. A port that refuses counts as reached.\n\n" +
		"| profile | from | open | refused | edges allow |\n|---|---|---|---|---|\n"
	for i := range r.result.Profiles {
		p := &r.result.Profiles[i]
		for _, place := range places {
			ports := p.Look.Ports[place.name]
			if ports == nil {
				continue
			}
			fmt.Fprintf(b, "%s| %s | %s | %s | %s | %s |\n", title, p.Profile, place.name, orNothing(ports.Open), orNothing(ports.Closed),
				orNothing(p.allowed(place)))
			title = ""
		}
	}
}

func (r *Report) units(b *strings.Builder) {
	title := "\n## Services\n\n`systemd-analyze security`: 0 is a service that can do nothing, 10 one that can do anything.\n\n" +
		"| profile | unit | exposure |\n|---|---|---|\n"
	for _, p := range r.result.Profiles {
		for _, unit := range slices.Sorted(maps.Keys(p.Look.Units)) {
			fmt.Fprintf(b, "%s| %s | %s | %.1f |\n", title, p.Profile, unit, p.Look.Units[unit])
			title = ""
		}
	}
}

var scannerTitles = []struct{ scanner, title string }{
	{CIS, "CIS level 2 server"}, {ANSSI, "ANSSI BP-028 enhanced"}, {LynisName, "Lynis"}, {SSHAuditName, "ssh-audit"},
}

func (r *Report) findings(b *strings.Builder) {
	b.WriteString("\n## What stays open, and why\n")
	for _, s := range scannerTitles {
		var list []openFinding
		for _, f := range r.open {
			if f.Scanner == s.scanner {
				list = append(list, f)
			}
		}
		fmt.Fprintf(b, "\n### %s\n\n", s.title)
		if len(list) == 0 {
			b.WriteString("Nothing.\n")
			continue
		}
		b.WriteString("| severity | rule | what it asks for | profiles | why it stays open |\n|---|---|---|---|---|\n")
		for _, f := range list {
			reason := f.reason
			if reason == "" {
				reason = "**no reason given**"
			}
			fmt.Fprintf(b, "| %s | `%s` | %s | %s | %s |\n", f.Severity, f.ID, cell(f.Title), r.profileNames(f.profiles), cell(reason))
		}
	}
}

func (r *Report) profileNames(names []string) string {
	all := len(r.result.Profiles)
	if r.result.VM != nil {
		all++
	}
	if len(names) == all && all > 1 {
		return "all"
	}
	return strings.Join(names, ", ")
}

func cell(text string) string { return strings.ReplaceAll(oneLine(text), "|", `\|`) }

func (r *Report) unused(b *strings.Builder) {
	if len(r.idle) == 0 {
		return
	}
	b.WriteString("\n## Reasons that no finding needs\n\n")
	for _, w := range r.idle {
		fmt.Fprintf(b, "- %s `%s`: %s\n", w.Scanner, w.ID, cell(w.Reason))
	}
}
