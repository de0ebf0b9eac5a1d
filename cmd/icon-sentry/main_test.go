package main

import (
	"net/netip"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/insight-icon/pulumi-icon/internal/agent"
	"github.com/insight-icon/pulumi-icon/internal/agent/bans"
)

func TestExitCodesSayWhatWasWrong(t *testing.T) {
	away := []string{"--socket", filepath.Join(t.TempDir(), "none.sock")}
	for _, c := range []struct {
		line string
		code int
		says string
	}{
		{"help", exitOK, ""},
		{"", exitUsage, "a command is missing"},
		{"nonsense", exitUsage, `"nonsense" is no command`},
		{"status now", exitUsage, `"now" is not understood`},
		{"bans lift 192.0.2.1", exitUsage, "is not understood"},
		{"bans add 192.0.2.1", exitUsage, "--why is missing"},
		{"bans add example.org --why x", exitUsage, "no IPv4 address or network"},
		{"bans remove 192.0.2.1/24", exitUsage, "wanted 192.0.2.0/24"},
		{"bans add 192.0.2.1 --why x --for soon", exitUsage, "invalid value"},
		{"drain now", exitUsage, `"now" is not understood`},
		{"agent -config /nowhere.json", exitFailed, "/nowhere.json"},
		{"status", exitAway, "systemctl status icon-sentry-agent"},
		{"bans add 192.0.2.1 --why x --for 1h", exitAway, "systemctl status icon-sentry-agent"},
		{"bans remove --json 192.0.2.0/24", exitAway, "systemctl status icon-sentry-agent"},
		{"peers --json", exitAway, "systemctl status icon-sentry-agent"},
		{"drain status", exitAway, "systemctl status icon-sentry-agent"},
	} {
		args := strings.Fields(c.line)
		if c.code == exitAway {
			args = append(args, away...)
		}
		var out, problems strings.Builder
		if code := run(t.Context(), args, &out, &problems); code != c.code || !strings.Contains(problems.String(), c.says) {
			t.Errorf("icon-sentry %s: %d, %q; want %d and %q", c.line, code, problems.String(), c.code, c.says)
		}
	}
}

func TestBansAreExplained(t *testing.T) {
	now := time.Now()
	var out strings.Builder
	err := showBans(&out, false, agent.Banned{Kernel: true, Bans: []bans.Ban{{
		Source: netip.MustParsePrefix("192.0.2.7/32"), Rule: "p2p-garbage", Why: "21 limits met", Strikes: 21, Times: 2,
		FirstSeen: now.Add(-time.Hour), LastSeen: now, Since: now, Ends: now.Add(4 * time.Minute),
	}}}, "")
	for _, want := range []string{"192.0.2.7 ", "4m0s", "p2p-garbage", "21", " 2 ", " to ", "21 limits met"} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("%q is not in\n%s (%v)", want, out.String(), err)
		}
	}
	if got := in(now.Add(-time.Minute)); got != "ended 1m0s ago" {
		t.Errorf("%q; want to be told that it has ended", got)
	}
	out.Reset()
	err = showBans(&out, true, agent.Banned{Kernel: true}, "")
	// As the command of all sentries reads it.
	if err != nil || out.String() != "{\n  \"kernel\": true,\n  \"bans\": []\n}\n" {
		t.Errorf("%q, %v; want an empty list for programs, and whether there is a kernel to ban in", out.String(), err)
	}
}
