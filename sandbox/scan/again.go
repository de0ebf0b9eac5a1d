package scan

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
)

// ReadResult reads what a scan with Options.Raw has left in that directory.
func ReadResult(raw string) (*Result, error) {
	path := filepath.Join(raw, resultFile)
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	r := &Result{}
	if err := json.Unmarshal(data, r); err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	if len(r.Profiles) == 0 {
		return nil, fmt.Errorf("%s: no profile was scanned: want the result of a whole scan", path)
	}
	return r, nil
}

// again measures the times of a result once more, both tools' right after each other.
func (r *run) again(result *Result) error {
	result.Notes = nil // they are about the times of before
	if err := r.boot(10, neighbourHost); err != nil {
		return err
	}
	if result.DevSec != nil && r.opts.Collection != nil {
		if err := r.installAnsible(r.opts.Collection); err != nil {
			return err
		}
		if err := r.boot(20, "devsec"); err != nil {
			return err
		}
		times, err := r.playTwice("devsec")
		if err != nil {
			return err
		}
		r.opts.Progress("dev-sec: first run %.1f s, second %.1f s", times.First.Seconds, times.Second.Seconds)
		result.DevSec.Times = times
		if err := r.remove("devsec"); err != nil {
			return err
		}
	}
	for i := range result.Profiles {
		profile := result.Profiles[i].Profile
		role, err := findRole(profile)
		if err != nil {
			return err
		}
		program, err := role.program()
		if err != nil {
			return err
		}
		if err := r.boot(20, profile); err != nil {
			return err
		}
		times, err := r.hardenTwice(profile, program)
		if err != nil {
			return err
		}
		r.opts.Progress("profile %s: first run %.1f s, second %.1f s", profile, times.First.Seconds, times.Second.Seconds)
		result.Profiles[i].Times = times
		if err := r.remove(profile); err != nil {
			return err
		}
	}
	return r.many(result)
}
