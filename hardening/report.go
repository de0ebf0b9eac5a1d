package hardening

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"
)

// State is what became of a control on a host.
type State string

// The states of a control. StateOK is as wanted, StateChanged was made so by this run (half apply), StateDrift differs from what is wanted
// (half verify), StateNotHere cannot be in force on such a machine (a container), and StateLeftOut is left out with a reason.
const (
	StateOK      State = "ok"
	StateChanged State = "changed"
	StateDrift   State = "drift"
	StateNotHere State = "n/a"
	StateLeftOut State = "left"
)

// Report is what one run of a program (Selection.Program) says of its host.
type Report struct {
	// Controls in the order in which they ran; those that are left out come last, in no order.
	Controls []ControlResult `json:"controls"`
	// Drifts are the differences that the half verify found.
	Drifts []Drift `json:"drifts"`
	// Failure is why the program ended early, with its control if it was one's; empty if it did not.
	Failure string `json:"failure,omitempty"`
}

// ControlResult is what became of one control.
type ControlResult struct {
	// Control is its ID.
	Control string `json:"control"`
	State   State  `json:"state"`
	// Detail is the number of changes or drifts, or the reason of StateNotHere and StateLeftOut.
	Detail string `json:"detail,omitempty"`
	// Took is how long it ran, in steps of a millisecond; "milliseconds" in JSON.
	Took time.Duration `json:"-"`
}

// MarshalJSON has Took in milliseconds.
func (c ControlResult) MarshalJSON() ([]byte, error) {
	type plain ControlResult
	return json.Marshal(struct {
		plain
		Milliseconds int64 `json:"milliseconds"`
	}{plain(c), c.Took.Milliseconds()})
}

// Drift is one difference between a host and what is wanted of it.
type Drift struct {
	// Control is the ID of the control that found it.
	Control string `json:"control"`
	// What differs: a file, a setting, a unit.
	What     string `json:"what"`
	Expected string `json:"expected"`
	Found    string `json:"found"`
}

// ParseReport reads the lines that a program wrote to file descriptor 3, fields separated by tabs:
//
//	control ID ok|changed|drift|n/a|left DETAIL MILLISECONDS
//	drift ID WHAT EXPECTED FOUND
//	fail ID TEXT
//
// A host that was tampered with may say anything: whatever else is there is an error that names the line, and so are a control that is
// told twice, and drifts and controls that contradict each other.
func ParseReport(text string) (*Report, error) {
	r := &Report{Controls: []ControlResult{}, Drifts: []Drift{}}
	lines := strings.Split(strings.TrimSuffix(text, "\n"), "\n")
	if text == "" {
		return nil, errors.New("report of the hardening: is empty; expected a line for each control")
	}
	for i, line := range lines {
		if err := r.read(strings.Split(line, "\t")); err != nil {
			return nil, fmt.Errorf("report of the hardening, line %d %s: %w", i+1, shown(line), err)
		}
	}
	return r, r.consistent()
}

func (r *Report) read(fields []string) error {
	word, fields := fields[0], fields[1:]
	if r.Failure != "" {
		return errors.New("follows a line \"fail\", which is the last")
	}
	want := map[string]int{"control": 4, "drift": 4, "fail": 2}[word]
	if want == 0 {
		return errors.New("expected control, drift or fail as its first word")
	}
	if len(fields) != want {
		return fmt.Errorf("has %d fields after its first word; expected %d", len(fields), want)
	}
	// What fails outside a control has no ID.
	if id := fields[0]; !isID(id) && (word != "fail" || id != "") {
		return errors.New("expected the ID of a control: lower-case words joined by \"-\"")
	}
	switch word {
	case "control":
		return r.readControl(fields)
	case "drift":
		r.Drifts = append(r.Drifts, Drift{Control: fields[0], What: fields[1], Expected: fields[2], Found: fields[3]})
	case "fail":
		if fields[1] == "" {
			return errors.New("says not why")
		}
		r.Failure = fields[1]
		if fields[0] != "" {
			r.Failure = fields[0] + ": " + fields[1]
		}
	}
	return nil
}

func (r *Report) readControl(fields []string) error {
	c := ControlResult{Control: fields[0], State: State(fields[1]), Detail: fields[2]}
	switch c.State {
	case StateOK, StateChanged, StateDrift:
	case StateNotHere, StateLeftOut:
		if c.Detail == "" {
			return fmt.Errorf("is %s without a reason", c.State)
		}
	default:
		return errors.New("expected ok, changed, drift, n/a or left")
	}
	const day = 24 * 60 * 60 * 1000
	took, err := strconv.ParseUint(fields[3], 10, 32)
	if err != nil || took > day {
		return errors.New("expected milliseconds, at most those of a day")
	}
	c.Took = time.Duration(took) * time.Millisecond
	r.Controls = append(r.Controls, c)
	return nil
}

// consistent finds what each line alone does not show.
func (r *Report) consistent() error {
	states, drifted := map[string]State{}, map[string]bool{}
	var errs []error
	for _, c := range r.Controls {
		if _, twice := states[c.Control]; twice {
			errs = append(errs, fmt.Errorf("report of the hardening: tells of control %s twice", c.Control))
		}
		states[c.Control] = c.State
	}
	for _, d := range r.Drifts {
		drifted[d.Control] = true
		// One that ended early may not have come to the control's own line.
		if states[d.Control] != StateDrift && r.Failure == "" {
			errs = append(errs, fmt.Errorf("report of the hardening: has a drift of control %s, which it calls %q", d.Control, states[d.Control]))
		}
	}
	for _, c := range r.Controls {
		if c.State == StateDrift && !drifted[c.Control] {
			errs = append(errs, fmt.Errorf("report of the hardening: calls control %s drifted, and does not say how", c.Control))
		}
	}
	return errors.Join(errs...)
}

// Ran counts the controls that were looked at: all but those that are left out.
func (r *Report) Ran() int {
	n := 0
	for _, c := range r.Controls {
		if c.State != StateLeftOut {
			n++
		}
	}
	return n
}

// isID tells whether id is lower-case words of letters and digits joined by "-".
func isID(id string) bool {
	for word := range strings.SplitSeq(id, "-") {
		if word == "" || strings.Trim(word, "abcdefghijklmnopqrstuvwxyz0123456789") != "" {
			return false
		}
	}
	return true
}

// shown is what a host says, for a terminal: on one line, not endlessly, and without the characters that a terminal obeys.
func shown(text string) string {
	const longest = 300
	runes := []rune(text)
	if len(runes) > longest {
		runes = append(runes[:longest], '…')
	}
	if slices.ContainsFunc(runes, func(r rune) bool { return !unicode.IsPrint(r) }) {
		return strconv.Quote(string(runes))
	}
	return string(runes)
}
