package scan

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"regexp"
	"strconv"
	"strings"
)

// Lynis is what Lynis found.
type Lynis struct {
	// Version of Lynis; Index is its hardening index, 0 to 100; Tests how many it did.
	Version      string
	Index, Tests int
	// Open are its warnings and suggestions.
	Open []Finding
	// Points of Total that the index is made of, and what each test lost of them. Only the log has them.
	Points, Total int            `json:",omitempty"`
	Lost          map[string]int `json:",omitempty"`
}

// Without is the index without the tests with these names: what they lost is taken from the total. The index itself if points are unknown.
func (l *Lynis) Without(tests []string) int {
	total := l.Total
	for _, test := range tests {
		total -= l.Lost[test]
	}
	if total <= 0 {
		return l.Index
	}
	return l.Points * 100 / total
}

var (
	lynisTest   = regexp.MustCompile(`Performing test ID (\S+)`)
	lynisPoints = regexp.MustCompile(`points (?:for this item )?\((\d+)(?: of (\d+))?\)\.\s+Currently having (\d+) points \(out of (\d+)\)`)
)

// ReadPoints reads Lynis's log (lynis.log).
func (l *Lynis) ReadPoints(r io.Reader) error {
	l.Lost = map[string]int{}
	test := ""
	lines := bufio.NewScanner(r)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		if found := lynisTest.FindStringSubmatch(lines.Text()); found != nil {
			test = found[1]
		}
		found := lynisPoints.FindStringSubmatch(lines.Text())
		if found == nil {
			continue
		}
		var n [4]int
		for i, text := range found[1:] {
			// Of a number that is left out, and of one that is too long for a number, nothing is counted.
			n[i], _ = strconv.Atoi(text)
		}
		if n[1] > n[0] {
			l.Lost[test] += n[1] - n[0]
		}
		l.Points, l.Total = n[2], n[3]
	}
	if err := lines.Err(); err != nil {
		return fmt.Errorf("Lynis's log: %w", err)
	}
	return nil
}

// Count of the findings of a severity, "warning" or "suggestion".
func (l *Lynis) Count(severity string) int { return count(l.Open, severity) }

func count(list []Finding, severity string) int {
	n := 0
	for _, f := range list {
		if f.Severity == severity {
			n++
		}
	}
	return n
}

// ParseLynis reads Lynis's report file (lynis-report.dat). A report without an index is that of a run that was cut off, and an error.
func ParseLynis(r io.Reader) (*Lynis, error) {
	l := &Lynis{Index: -1}
	lines := bufio.NewScanner(r)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		key, value, _ := strings.Cut(lines.Text(), "=")
		var err error
		switch key {
		case "lynis_version":
			l.Version = value
		case "hardening_index":
			if l.Index, err = strconv.Atoi(value); err != nil || l.Index < 0 || l.Index > 100 {
				return nil, fmt.Errorf("Lynis's report: %s: want an index from 0 to 100", lines.Text())
			}
		case "lynis_tests_done":
			if l.Tests, err = strconv.Atoi(value); err != nil || l.Tests < 0 {
				return nil, fmt.Errorf("Lynis's report: %s: want a number of tests", lines.Text())
			}
		case "warning[]", "suggestion[]":
			l.Open = append(l.Open, lynisFinding(strings.TrimSuffix(key, "[]"), value))
		}
	}
	if err := lines.Err(); err != nil {
		return nil, fmt.Errorf("Lynis's report: %w", err)
	}
	if l.Index < 0 {
		return nil, errors.New("Lynis's report: no hardening_index in it: want the report of a run that has come to its end")
	}
	sortFindings(l.Open)
	return l, nil
}

// lynisFinding reads "SSH-7408|Consider hardening SSH configuration|Port (set 22 to )|-|".
func lynisFinding(severity, value string) Finding {
	fields := strings.Split(value, "|")
	f := Finding{Scanner: LynisName, Severity: severity, ID: fields[0]}
	if len(fields) > 1 {
		f.Title = fields[1]
	}
	if len(fields) > 2 && fields[2] != "-" && fields[2] != "" {
		f.Title += ": " + fields[2]
	}
	return f
}
