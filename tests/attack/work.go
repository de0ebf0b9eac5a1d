package attack

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"

	"github.com/insight-icon/pulumi-icon/internal/sentry"
	"github.com/insight-icon/pulumi-icon/sandbox/lab"
	"github.com/insight-icon/pulumi-icon/sandbox/tools"
	"github.com/insight-icon/pulumi-icon/tests/attack/arena"
	"github.com/insight-icon/pulumi-icon/tests/attack/attackers"
)

// Work is what a run of the whole is to do.
type Work struct {
	// Variants and Attacks by name; empty: all.
	Variants, Attacks []string
	// Runs of the default variant, and Seconds of each attack.
	Runs, Seconds int
	// Only leaves out the loss of a sentry and the cost without an attack.
	Only bool
	// Results is a file; empty: docs/attack-results.json.
	Results  string
	Progress func(format string, args ...any)
}

// Attacks lists the names of all, Clean first.
func Attacks() []string {
	names := []string{Clean}
	for _, a := range attackers.All() {
		names = append(names, a.Name)
	}
	return names
}

func (w *Work) check() ([]Variant, error) {
	var all []error
	var chosen []Variant
	if len(w.Variants) == 0 {
		chosen = Variants()
	}
	for _, name := range w.Variants {
		v, err := FindVariant(name)
		chosen, all = append(chosen, v), append(all, err)
	}
	if len(w.Attacks) == 0 {
		w.Attacks = Attacks()
	}
	for _, name := range w.Attacks {
		if name != Clean {
			_, err := attackers.Find(name)
			all = append(all, err)
		}
	}
	if w.Seconds < 2 || w.Seconds > 60 {
		all = append(all, fmt.Errorf("%d seconds; wanted 2 to 60", w.Seconds))
	}
	if w.Runs < 1 || w.Runs > 20 {
		all = append(all, fmt.Errorf("%d runs; wanted 1 to 20", w.Runs))
	}
	return chosen, errors.Join(all...)
}

// Measure attacks, and writes results and report. Results of other variants that the file has are kept.
func Measure(ctx context.Context, w Work) error {
	chosen, err := w.check()
	if err != nil {
		return err
	}
	path, err := resultsPath(w.Results)
	if err != nil {
		return err
	}
	results, err := readResults(path)
	if err != nil {
		return err
	}
	dir, err := os.MkdirTemp("", "icon-attack-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	opts, err := Prepare(ctx, dir, w.Progress)
	if err != nil {
		return err
	}
	results.begin()
	o := Options{Arena: opts, Seconds: w.Seconds, Progress: w.Progress, Keep: func(c *Cell) error { return results.add(path, c) }}
	for _, v := range chosen {
		results.drop(v.Name, w.Attacks)
		runs := 1
		if v.Name == string(sentry.HAProxyNftables) {
			runs = w.Runs
		}
		if _, err := Matrix(ctx, o, v, w.Attacks, runs); err != nil {
			return err
		}
	}
	if !w.Only && slices.ContainsFunc(chosen, func(v Variant) bool { return v.Name == string(sentry.HAProxyNftables) }) {
		if results.Losses, err = Losses(ctx, o); err != nil {
			return err
		}
		if results.Cost, err = MeasureCost(ctx, o); err != nil {
			return err
		}
		if err := results.write(path); err != nil {
			return err
		}
	}
	return Render(w.Results)
}

// Prepare finds or builds the programs that an arena runs, in dir what is of this run alone.
func Prepare(ctx context.Context, dir string, progress func(string, ...any)) (arena.Options, error) {
	root, err := projectRoot()
	if err != nil {
		return arena.Options{}, err
	}
	kept := lab.DefaultDir(root)
	found, err := tools.One(ctx, filepath.Join(kept, "tools"), "goloop", progress)
	if err != nil {
		return arena.Options{}, err
	}
	agent := filepath.Join(dir, "icon-sentry")
	cmd := exec.CommandContext(ctx, "go", "build", "-trimpath", "-buildvcs=false", "-o", agent, "./cmd/icon-sentry")
	cmd.Dir, cmd.Env = root, append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		return arena.Options{}, fmt.Errorf("the agent does not build: %w\n%s", err, out)
	}
	return arena.Options{Goloop: found, Network: filepath.Join(kept, "attack-network"), Agent: agent, Progress: progress}, nil
}

// projectRoot is the nearest directory upwards that holds Pulumi.yaml.
func projectRoot() (string, error) {
	dir, err := os.Getwd()
	if err != nil {
		return "", err
	}
	for d := dir; ; d = filepath.Dir(d) {
		if _, err := os.Stat(filepath.Join(d, "Pulumi.yaml")); err == nil {
			return d, nil
		}
		if d == filepath.Dir(d) {
			return "", fmt.Errorf("no Pulumi.yaml in %s or above: run this inside the repository", dir)
		}
	}
}
