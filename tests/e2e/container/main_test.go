//go:build sandbox

// Package container deploys the project for real with the runtime "container": real hosts, podman, systemd, and a stand-in for the
// official image. Needs root on a Debian 12 machine; takes minutes.
package container

import (
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
	os.Exit(life.Run(m, "ctr", 21, func(s *sandbox.Sandbox) { box = s }))
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
	must(t, err)
	return strings.TrimSpace(out)
}

// want compares what a shell command prints on a host.
func want(t *testing.T, host, command, wanted string) {
	t.Helper()
	if got := on(t, host, command); got != wanted {
		t.Errorf("host %s, %s\nprints %q\nwanted %q", host, command, got, wanted)
	}
}

// up runs pulumi up.
func up(t *testing.T) *engine.Result {
	t.Helper()
	result, err := box.Engine.Up(t.Context())
	must(t, err)
	return result
}

// changes names what an update changed, "op name" each.
func changes(r *engine.Result) []string {
	var all []string
	for _, s := range r.Changed() {
		all = append(all, s.Op+" "+s.Name)
	}
	return all
}
