package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/insight-icon/pulumi-icon/hardening"
	"github.com/insight-icon/pulumi-icon/internal/sshrun/sshtest"
	"github.com/insight-icon/pulumi-icon/internal/verify"
)

// pulumi puts a command of that name on the PATH, that does what the script says.
func pulumi(t *testing.T, script string) {
	t.Helper()
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "pulumi"), []byte("#!/bin/sh\n"+script), 0o700); err != nil {
		t.Fatal(err)
	}
	t.Setenv("PATH", dir+":"+os.Getenv("PATH"))
}

func verified(t *testing.T, args ...string) (code int, out, said string) {
	t.Helper()
	var stdout, stderr bytes.Buffer
	code = run(t.Context(), args, &stdout, &stderr)
	return code, stdout.String(), stderr.String()
}

// stack is one of two hosts, of which "b" differs until it is repaired, or for good.
func stack(t *testing.T, repairable bool) {
	t.Helper()
	key := sshtest.NewKey(t)
	var repaired atomic.Bool
	s := sshtest.Serve(t, "root", key, func(c sshtest.Call) uint32 {
		if strings.Contains(c.Command, "awaiting") {
			_, _ = io.ReadAll(c.In)
			return 1
		}
		in, _ := io.ReadAll(c.In)
		switch {
		case !strings.Contains(string(in), "run_verify() {"):
			return 127
		case strings.Contains(c.Command, "apply b harden") && !repairable:
			fmt.Fprintln(c.Err, "host b, step harden: rolled back")
			return 1
		case strings.Contains(c.Command, "apply b harden"):
			repaired.Store(true)
		case strings.Contains(c.Command, "verify b harden") && !repaired.Load():
			fmt.Fprint(c.Out, "drift\tbanners\t/etc/motd\thello\tgoodbye\ncontrol\tbanners\tdrift\t1\t1\n")
		case strings.Contains(c.Command, "verify "):
			fmt.Fprint(c.Out, "control\tbanners\tok\t\t1\n")
		}
		return 0
	})
	var resources []any
	for _, name := range []string{"a", "b"} {
		resources = append(resources, map[string]any{"type": "command:remote:Command", "inputs": map[string]any{
			"create": verify.Command("apply", name, verify.Step, time.Minute, "root"), "stdin": "\nrun_verify() {\n",
			"connection": map[string]any{"host": "127.0.0.1", "port": s.Port, "hostKey": s.HostKey, "privateKey": key.Private},
		}})
	}
	text, err := json.Marshal(map[string]any{"deployment": map[string]any{"resources": resources}})
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "export.json")
	if err := os.WriteFile(file, text, 0o600); err != nil {
		t.Fatal(err)
	}
	pulumi(t, `[ "$*" = "stack export --show-secrets --non-interactive --stack=lisbon" ] && exec cat `+file+
		"\necho \"called with $*\" >&2; exit 9")
}

func TestADriftIsShownAndTold(t *testing.T) {
	stack(t, true)
	code, out, said := verified(t, "lisbon")
	if code != hardening.ExitDrift || said != "" || !strings.Contains(out, "b, banners: /etc/motd: expected hello, found goodbye") {
		t.Errorf("exit %d\n%s%s", code, out, said)
	}
	if code, out, _ := verified(t, "-host", "a", "lisbon"); code != hardening.ExitAsWanted || strings.Contains(out, "motd") {
		t.Errorf("host a alone: exit %d\n%s", code, out)
	}
	code, out, _ = verified(t, "-json", "lisbon")
	var got struct{ ExitCode int }
	if err := json.Unmarshal([]byte(out), &got); err != nil || code != hardening.ExitDrift || got.ExitCode != code {
		t.Errorf("exit %d, %v\n%s", code, err, out)
	}
}

func TestARepairAppliesWhatDiffersAndLooksAgain(t *testing.T) {
	stack(t, true)
	code, out, said := verified(t, "-repair", "lisbon")
	if code != hardening.ExitAsWanted || !strings.HasPrefix(said, "repairing: b\n") ||
		!strings.Contains(said, "expected hello, found goodbye") {
		t.Errorf("exit %d\n%s%s", code, out, said)
	}
	if code, _, said := verified(t, "-repair", "lisbon"); code != hardening.ExitAsWanted || !strings.HasPrefix(said, "nothing to repair") {
		t.Errorf("again: exit %d, said %s", code, said)
	}
}

func TestARepairThatFailsSaysSo(t *testing.T) {
	stack(t, false)
	code, out, _ := verified(t, "-repair", "lisbon")
	if code != hardening.ExitNotAsked || !strings.Contains(out, "could not be repaired: host b, step harden") ||
		!strings.Contains(out, "rolled back") {
		t.Errorf("exit %d\n%s", code, out)
	}
}

func TestAMistakeInTheCommandIsNamedWithTheUsage(t *testing.T) {
	pulumi(t, "exit 9")
	for _, args := range [][]string{{}, {""}, {"a", "b"}, {"-hots", "a", "lisbon"}, {"--", "--config-file=x"}, {"a b"}, {"-json"}} {
		if code, out, said := verified(t, args...); code != hardening.ExitUsage || out != "" || !strings.Contains(said, "usage: verify") {
			t.Errorf("%q: exit %d\n%s%s", args, code, out, said)
		}
	}
}

func TestWhatKeepsTheStackFromBeingReadIsNamed(t *testing.T) {
	for script, want := range map[string]string{
		"echo 'error: incorrect passphrase' >&2; exit 255":                      "Set PULUMI_CONFIG_PASSPHRASE",
		"echo \"error: no stack named 'x' found\" >&2; exit 255":                "`pulumi stack ls` lists the stacks",
		"echo 'error: PULUMI_ACCESS_TOKEN must be set for login' >&2; exit 255": "Run pulumi login",
		"echo '{\"deployment\": {}}'":                                           "stack lisbon: the stack has no hardened host: deploy it first",
		"echo Please choose a stack:":                                           "is no JSON of pulumi's",
	} {
		pulumi(t, script)
		if code, out, said := verified(t, "lisbon"); code != hardening.ExitNotAsked || out != "" || !strings.Contains(said, want) {
			t.Errorf("%s: exit %d\n%s%s", script, code, out, said)
		}
	}
	stack(t, true)
	if code, _, said := verified(t, "-host", "c,a,bb", "lisbon"); code != hardening.ExitNotAsked ||
		!strings.Contains(said, "-host c: the stack lisbon has no such host") || !strings.Contains(said, "-host bb") {
		t.Errorf("exit %d, %s", code, said)
	}
	t.Setenv("PATH", t.TempDir())
	code, _, said := verified(t, "lisbon")
	if code != hardening.ExitNotAsked || !strings.Contains(said, "there is no pulumi on this machine's PATH") {
		t.Errorf("exit %d, %s", code, said)
	}
}
