//go:build sandbox

// Package container deploys the project for real with the runtime "container": real hosts, podman, systemd, and a stand-in for the
// official image. Needs root on a Debian 12 machine; takes minutes.
package container

import (
	"context"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/insight-icon/pulumi-icon/sandbox"
	"github.com/insight-icon/pulumi-icon/sandbox/engine"
)

var box *sandbox.Sandbox

func TestMain(m *testing.M) {
	sandbox.ServeIfAsked()
	os.Exit(run(m))
}

// run makes the hosts of the tests, and removes them whatever happens.
func run(m *testing.M) int {
	project, err := filepath.Abs("../../..")
	if err != nil {
		return fail(err)
	}
	begin := time.Now()
	box, err = sandbox.Open(sandbox.Options{
		Project: project, Stack: "ctr", Lab: "ctr",
		Internet: netip.MustParsePrefix("10.77.21.0/24"), Private: netip.MustParsePrefix("10.77.22.0/24"),
		Progress: func(format string, args ...any) {
			fmt.Printf("[%5.1f s] %s\n", time.Since(begin).Seconds(), fmt.Sprintf(format, args...))
		},
	})
	if err != nil {
		return fail(err)
	}
	ctx := context.Background()
	// What an interrupted run left.
	if err := box.Down(ctx); err != nil {
		return fail(err)
	}
	code := m.Run()
	if err := box.Down(ctx); err != nil {
		return fail(err)
	}
	return code
}

func fail(err error) int {
	fmt.Fprintln(os.Stderr, err)
	return 1
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
