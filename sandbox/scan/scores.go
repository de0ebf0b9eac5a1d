package scan

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"slices"
	"strings"
)

// Scores are the figures of one profile's host that must not get worse, by name. Figures of scanners of different versions don't compare:
// the scanner's package and version are part of the name, "prep: lynis 3.1.7-1: index".
type Scores map[string]float64

// higher are the figures of which more is better.
var higher = []string{"index", "CIS, pass rate", "ANSSI, pass rate"}

// Scores of the result, all profiles together.
func (r *Result) Scores() Scores {
	scores := Scores{}
	for _, p := range r.Profiles {
		put := func(scanner, what string, value float64) { scores[p.Profile+": "+r.version(scanner)+": "+what] = value }
		put(LynisName, "index", float64(p.Look.Lynis.Index))
		put(CIS, "CIS, pass rate", round(p.Look.CIS.PassRate()))
		put(CIS, "CIS, rules that fail", float64(p.Look.CIS.Fail))
		put(ANSSI, "ANSSI, pass rate", round(p.Look.ANSSI.PassRate()))
		put(ANSSI, "ANSSI, rules that fail", float64(p.Look.ANSSI.Fail))
		put(SSHAuditName, "fails", float64(p.Look.SSH.Count("fail")))
		put(SSHAuditName, "warnings", float64(p.Look.SSH.Count("warn")))
		for unit, level := range p.Look.Units {
			scores[p.Profile+": exposure: "+unit] = level
		}
	}
	return scores
}

// version is a scanner's package and version, "lynis 3.1.7-1".
func (r *Result) version(scanner string) string {
	name := scannerPackage[scanner]
	for _, v := range r.Scanners {
		if strings.HasPrefix(v, name+" ") {
			return v
		}
	}
	return name
}

// ReadScores reads recorded scores. A file that does not exist holds none.
func ReadScores(path string) (Scores, error) {
	data, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return Scores{}, nil
	}
	if err != nil {
		return nil, err
	}
	scores := Scores{}
	if err := json.Unmarshal(data, &scores); err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return scores, nil
}

// WriteScores records scores; those of profiles and of versions that were not scanned stay.
func WriteScores(path string, scores Scores) error {
	all, err := ReadScores(path)
	if err != nil {
		return err
	}
	maps.Copy(all, scores)
	data, err := json.MarshalIndent(all, "", "  ")
	if err != nil {
		return err
	}
	return os.WriteFile(path, append(data, '\n'), 0o644)
}

// tolerance is for pass rates alone: the number of rules that apply may differ by one from run to run. Failing rules are counted exactly.
const tolerance = 0.3

// Regressions are the figures that are worse than what was recorded, all of them. A figure without a record is none: see Unrecorded.
func Regressions(recorded, found Scores) error {
	var errs []error
	for _, name := range slices.Sorted(maps.Keys(found)) {
		was, known := recorded[name]
		is := found[name]
		worse := is > was
		if slices.ContainsFunc(higher, func(what string) bool { return strings.HasSuffix(name, ": "+what) }) {
			worse = is < was
			if strings.HasSuffix(name, "rate") {
				worse = is < was-tolerance
			}
		}
		if known && worse {
			errs = append(errs, fmt.Errorf("%s is %v, was %v", name, is, was))
		}
	}
	return errors.Join(errs...)
}

// Unrecorded are the figures that nothing is recorded to compare with, sorted: of another version of a scanner, or of another profile.
func Unrecorded(recorded, found Scores) []string {
	var names []string
	for _, name := range slices.Sorted(maps.Keys(found)) {
		if _, known := recorded[name]; !known {
			names = append(names, name)
		}
	}
	return names
}
