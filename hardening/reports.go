package hardening

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// The exit codes of a verification.
const (
	// ExitAsWanted: all hosts are as wanted.
	ExitAsWanted = 0
	// ExitDrift: all hosts were asked, and at least one differs.
	ExitDrift = 1
	// ExitNotAsked: at least one host could not be asked, or its verification failed. Others may differ.
	ExitNotAsked = 2
	// ExitUsage: the command was called in a wrong way.
	ExitUsage = 64
)

// HostReport is what one host was found to be.
type HostReport struct {
	Host string `json:"host"`
	// Problem is why the host could not be asked, empty if it was.
	Problem string `json:"problem,omitempty"`
	// Report is nil with a Problem.
	Report *Report `json:"report,omitempty"`
}

// Reports are those of several hosts, in the order in which they are shown.
type Reports []HostReport

// ExitCode is what a command that shows them ends with.
func (rs Reports) ExitCode() int {
	code := ExitAsWanted
	for _, r := range rs {
		switch {
		case r.problem() != "":
			return ExitNotAsked
		case len(r.Report.Drifts) > 0:
			code = ExitDrift
		}
	}
	return code
}

func (r *HostReport) problem() string {
	if r.Problem == "" && r.Report != nil && r.Report.Failure != "" {
		return "its verification failed: " + r.Report.Failure
	}
	return r.Problem
}

// Drifted are the hosts that differ.
func (rs Reports) Drifted() []string {
	var names []string
	for _, r := range rs {
		if r.Report != nil && len(r.Report.Drifts) > 0 {
			names = append(names, r.Host)
		}
	}
	return names
}

// Summary is one line: "8 hosts, 413 controls: as wanted".
func (rs Reports) Summary() string {
	controls, drifts, silent := 0, 0, 0
	for _, r := range rs {
		if r.problem() != "" {
			silent++
		}
		if r.Report != nil {
			controls += r.Report.Ran()
			drifts += len(r.Report.Drifts)
		}
	}
	var found []string
	if drifts > 0 {
		found = append(found, fmt.Sprintf("%s, on %s", counted(drifts, "difference"), strings.Join(rs.Drifted(), " ")))
	}
	if silent > 0 {
		found = append(found, fmt.Sprintf("%s not asked", counted(silent, "host")))
	}
	if len(found) == 0 {
		return AsWanted(len(rs), controls)
	}
	return fmt.Sprintf("%s, %s: %s", counted(len(rs), "host"), counted(controls, "control"), strings.Join(found, "; "))
}

// AsWanted is the summary of hosts that are.
func AsWanted(hosts, controls int) string {
	return fmt.Sprintf("%s, %s: as wanted", counted(hosts, "host"), counted(controls, "control"))
}

func counted(n int, what string) string {
	if n != 1 {
		what += "s"
	}
	return fmt.Sprintf("%d %s", n, what)
}

// JSON is for other programs:
//
//	{"version": 1, "exitCode": 1, "summary": "…", "hosts": [{"host": "prep-1", "report": {
//	  "controls": [{"control": "banners", "state": "drift", "detail": "1", "milliseconds": 3}],
//	  "drifts": [{"control": "banners", "what": "/etc/motd", "expected": "…", "found": "…"}]}}]}
//
// A host that could not be asked has "problem" in place of "report"; one whose verification failed has "failure" in its report. The states
// are those of State. Fields may be added to a version; none goes or changes its meaning.
func (rs Reports) JSON() ([]byte, error) {
	if rs == nil {
		rs = Reports{}
	}
	return json.MarshalIndent(struct {
		Version  int     `json:"version"`
		ExitCode int     `json:"exitCode"`
		Summary  string  `json:"summary"`
		Hosts    Reports `json:"hosts"`
	}{1, rs.ExitCode(), rs.Summary(), rs}, "", "  ")
}

// signs are how a table shows a state; a control that is no part of a host's profile shows as nothing.
var signs = map[State]string{StateOK: ".", StateChanged: "c", StateDrift: "D", StateNotHere: "-", StateLeftOut: "o"}

// Table shows hosts × controls as text, and below it what differs, who could not be asked, and what is not in force with its reason.
func (rs Reports) Table() string {
	var b strings.Builder
	ids, states := rs.states()
	wide, column := 0, len(fmt.Sprint(len(rs)))+1
	for _, id := range ids {
		wide = max(wide, len(id))
	}
	fmt.Fprintf(&b, "%-*s", wide, "")
	for i := range rs {
		fmt.Fprintf(&b, "%*d", column, i+1)
	}
	b.WriteString("\n")
	for _, id := range ids {
		line := fmt.Sprintf("%-*s", wide, id)
		for i := range rs {
			sign := signs[states[id][i]]
			if rs[i].Report == nil {
				sign = "?"
			}
			line += fmt.Sprintf("%*s", column, sign)
		}
		b.WriteString(strings.TrimRight(line, " ") + "\n")
	}
	b.WriteString("\n")
	for i, r := range rs {
		fmt.Fprintf(&b, "%*d %s\n", column, i+1, r.Host)
	}
	b.WriteString(" . as wanted  c changed  D differs  - cannot be in force there  o left out  ? not asked\n")
	b.WriteString(rs.Problems())
	b.WriteString(rs.reasons(StateNotHere, "cannot be in force there"))
	b.WriteString(rs.reasons(StateLeftOut, "left out"))
	return b.String() + "\n" + rs.Summary() + "\n"
}

// states are all controls in the order of the hosts' reports, and for each its state by host.
func (rs Reports) states() (ids []string, states map[string]map[int]State) {
	states = map[string]map[int]State{}
	for i, r := range rs {
		if r.Report == nil {
			continue
		}
		for _, c := range r.Report.Controls {
			if states[c.Control] == nil {
				states[c.Control] = map[int]State{}
				ids = append(ids, c.Control)
			}
			states[c.Control][i] = c.State
		}
	}
	// Left-out controls come last, and in no order.
	slices.SortStableFunc(ids, func(a, b string) int { return lastWord(states[a], a, states[b], b) })
	return ids, states
}

func lastWord(a map[int]State, idA string, b map[int]State, idB string) int {
	leftOut := func(states map[int]State) bool {
		for _, s := range states {
			if s != StateLeftOut {
				return false
			}
		}
		return true
	}
	switch x, y := leftOut(a), leftOut(b); {
	case x && y:
		return strings.Compare(idA, idB)
	case x:
		return 1
	case y:
		return -1
	}
	return 0
}

// Problems lists what differs, each with what was expected and found, and the hosts that could not be asked. Empty if there is nothing.
func (rs Reports) Problems() string {
	var b strings.Builder
	for _, r := range rs {
		if p := r.problem(); p != "" {
			if b.Len() == 0 {
				b.WriteString("\nnot asked\n")
			}
			lines := strings.Split(p, "\n")
			for i := range lines {
				lines[i] = shown(lines[i])
			}
			fmt.Fprintf(&b, "  %s: %s\n", r.Host, strings.Join(lines, "\n    "))
		}
	}
	first := true
	for _, r := range rs {
		if r.Report == nil {
			continue
		}
		for _, d := range r.Report.Drifts {
			if first {
				b.WriteString("\ndiffers from what is wanted\n")
				first = false
			}
			fmt.Fprintf(&b, "  %s, %s: %s: expected %s, found %s\n", r.Host, d.Control, shown(d.What), orNothing(d.Expected), orNothing(d.Found))
		}
	}
	return b.String()
}

func orNothing(text string) string {
	if text == "" {
		return "nothing"
	}
	return shown(text)
}

// reasons lists the controls of a state: one line for each control and reason, with the hosts.
func (rs Reports) reasons(state State, title string) string {
	hosts := map[string][]string{}
	for _, r := range rs {
		if r.Report == nil {
			continue
		}
		for _, c := range r.Report.Controls {
			if c.State == state {
				line := fmt.Sprintf("%s: %s", c.Control, shown(c.Detail))
				hosts[line] = append(hosts[line], r.Host)
			}
		}
	}
	if len(hosts) == 0 {
		return ""
	}
	text := "\n" + title + "\n"
	for _, line := range slices.Sorted(maps.Keys(hosts)) {
		on := strings.Join(hosts[line], " ")
		if len(hosts[line]) == len(rs) && len(rs) > 1 {
			on = "all hosts"
		}
		text += fmt.Sprintf("  %s (%s)\n", line, on)
	}
	return text
}
