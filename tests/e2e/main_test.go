//go:build sandbox

// Package e2e deploys the project for real: real hosts, real SSH, the real Pulumi engine, a real network of goloop nodes. Needs root
// on a Debian 12 machine; takes minutes.
package e2e

import (
	"context"
	"os"
	"strings"
	"testing"

	"github.com/insight-icon/pulumi-icon/sandbox"
	"github.com/insight-icon/pulumi-icon/sandbox/engine"
	"github.com/insight-icon/pulumi-icon/tests/e2e/life"
)

var box *sandbox.Sandbox

func TestMain(m *testing.M) {
	sandbox.ServeIfAsked()
	os.Exit(life.Run(m, "e2e", 11, func(s *sandbox.Sandbox) { box = s }))
}

// must ends the test on an error.
func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// on runs a shell command on a host, not by SSH, and gives what it printed.
func on(t *testing.T, host, command string) string {
	t.Helper()
	out, err := box.Lab.Exec(t.Context(), host, nil, "bash", "-c", command)
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimSpace(out)
}

// up configures the layout and runs pulumi up.
func up(t *testing.T) *engine.Result {
	t.Helper()
	must(t, box.Configure(t.Context()))
	result, err := box.Engine.Up(t.Context())
	must(t, err)
	return result
}

// refused configures the layout, runs pulumi with the given command, which must fail, and gives what it said.
func refused(t *testing.T, run func(context.Context, ...string) (*engine.Result, error)) (*engine.Result, string) {
	t.Helper()
	must(t, box.Configure(t.Context()))
	result, err := run(t.Context())
	if err == nil {
		t.Fatalf("went through, but must be refused:\n%s", result.Output)
	}
	return result, err.Error()
}

// contains reports which of the parts a text lacks.
func contains(t *testing.T, text string, parts ...string) {
	t.Helper()
	for _, p := range parts {
		if !strings.Contains(text, p) {
			t.Errorf("does not say %q:\n%s", p, text)
		}
	}
}

// off turns hosts off that are not needed any more: the machine's kernel bounds what all of them may have open together.
func off(t *testing.T, hosts ...string) {
	t.Helper()
	for _, h := range hosts {
		must(t, box.Lab.Kill(t.Context(), h))
	}
}

// names of what an update changed, "op name" each.
func changes(r *engine.Result) []string {
	var all []string
	for _, s := range r.Changed() {
		all = append(all, s.Op+" "+s.Name)
	}
	return all
}

func stepOf(t *testing.T, r *engine.Result, name string) engine.StepEvent {
	t.Helper()
	for _, s := range r.Steps {
		if s.Name == name {
			return s
		}
	}
	t.Fatalf("the update has no step %s: %v", name, changes(r))
	return engine.StepEvent{}
}

// healthy looks at the installation: heights, proposals and peers.
func healthy(t *testing.T) { look(t, false) }

// hidden looks at the P-Rep's address from the internet segment as well.
func hidden(t *testing.T) { look(t, true) }

func look(t *testing.T, scans bool) {
	t.Helper()
	r, err := box.Look(t.Context(), 12, scans)
	must(t, err)
	for _, p := range r.Problems {
		t.Error(p)
	}
}
