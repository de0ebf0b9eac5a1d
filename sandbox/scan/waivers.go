package scan

import (
	"bufio"
	_ "embed"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
)

// Waiver is the reason why a finding stays open.
type Waiver struct {
	// Scanner as in Finding, or WaiverOpenSCAP.
	Scanner string
	// ID of the rule; with words after it, only those of its findings whose title holds them: "SSH-7408 Port".
	ID string
	// Reason for a reader: what is done instead, what it would break, or why it can't be in force on a scanned host. That last kind begins
	// with "In a container".
	Reason string
}

const containerReason = "In a container"

// waiverText has a line for each: scanner, rule and reason, separated by tabs.
//
//go:embed waivers.tsv
var waiverText string

// Waivers are the reasons of this repository.
func Waivers() ([]Waiver, error) { return ParseWaivers(strings.NewReader(waiverText)) }

// ParseWaivers reads lines of scanner, rule and reason, separated by tabs. Empty lines and those that begin with "#" are left out. All
// mistakes are told at once, with their lines.
func ParseWaivers(r io.Reader) ([]Waiver, error) {
	var list []Waiver
	var errs []error
	first := map[string]int{}
	lines := bufio.NewScanner(r)
	for n := 1; lines.Scan(); n++ {
		line := lines.Text()
		if strings.TrimSpace(line) == "" || strings.HasPrefix(line, "#") {
			continue
		}
		fields := strings.Split(line, "\t")
		if len(fields) != 3 || strings.TrimSpace(fields[1]) == "" || strings.TrimSpace(fields[2]) == "" {
			errs = append(errs, fmt.Errorf("waivers.tsv, line %d: want scanner, rule and reason, separated by one tab each", n))
			continue
		}
		w := Waiver{fields[0], fields[1], fields[2]}
		if !slices.Contains([]string{CIS, ANSSI, LynisName, SSHAuditName, WaiverOpenSCAP}, w.Scanner) {
			errs = append(errs, fmt.Errorf("waivers.tsv, line %d: scanner %q: want cis, anssi, oscap (both), lynis or ssh-audit", n, w.Scanner))
		}
		key := w.Scanner + "\t" + w.ID
		if first[key] > 0 {
			errs = append(errs, fmt.Errorf("waivers.tsv, line %d: %s %s has a reason in line %d already", n, w.Scanner, w.ID, first[key]))
		}
		first[key] = n
		list = append(list, w)
	}
	return list, errors.Join(append(errs, lines.Err())...)
}

func (w Waiver) matches(f Finding) bool {
	both := w.Scanner == WaiverOpenSCAP && (f.Scanner == CIS || f.Scanner == ANSSI)
	if w.Scanner != f.Scanner && !both {
		return false
	}
	id, words, _ := strings.Cut(w.ID, " ")
	return id == f.ID && strings.Contains(f.Title, words)
}

// reasons finds waivers and remembers which were of use.
type reasons struct {
	list []Waiver
	used []bool
}

func newReasons(list []Waiver) *reasons { return &reasons{list, make([]bool, len(list))} }

// of a finding, empty if there is none. The most particular waiver counts: that with words before that without.
func (r *reasons) of(f Finding) string {
	best := -1
	for i, w := range r.list {
		if !w.matches(f) {
			continue
		}
		r.used[i] = true
		if best < 0 || len(w.ID) > len(r.list[best].ID) {
			best = i
		}
	}
	if best < 0 {
		return ""
	}
	return r.list[best].Reason
}

// idle are the waivers that no finding needed.
func (r *reasons) idle() []Waiver {
	var idle []Waiver
	for i, w := range r.list {
		if !r.used[i] {
			idle = append(idle, w)
		}
	}
	return idle
}
