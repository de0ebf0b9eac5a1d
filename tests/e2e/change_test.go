//go:build sandbox

package e2e

import (
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/insight-icon/pulumi-icon/sandbox"
)

const nodePID = "systemctl show -p MainPID --value icon-node"

func limitTouchesSentriesOnly(t *testing.T) {
	box.Layout.Override = map[string]any{"sentries": box.SentriesConfig(map[string]any{
		"limits": map[string]any{"apiRequestsPerSource": 250},
	})}
	prep := on(t, sandbox.PRepHost, nodePID)
	r := up(t)
	got := changes(r)
	slices.Sort(got)
	want := []string{
		"update sentries-sentry-1-service", "update sentries-sentry-1-verify", "update sentries-sentry-2-service", "update sentries-sentry-2-verify",
	}
	if !slices.Equal(got, want) {
		t.Errorf("changed %v, want %v", got, want)
	}
	first, second := stepOf(t, r, "sentries-sentry-1-verify"), stepOf(t, r, "sentries-sentry-2-service")
	if second.Began < first.Ended {
		t.Error("the second sentry was touched before the first was verified")
	}
	for _, host := range box.Layout.Sentries {
		if on(t, host, "grep -cE '(gt|ge) 250( |$)' /etc/icon/sentry/haproxy.cfg || true") == "0" {
			t.Errorf("%s has not taken the limit", host)
		}
	}
	if on(t, sandbox.PRepHost, nodePID) != prep {
		t.Error("the P-Rep was restarted")
	}
	// And back.
	box.Layout.Override = nil
	if got := changes(up(t)); len(got) != len(want) {
		t.Errorf("going back changed %v", got)
	}
}

func addsSentry(t *testing.T) {
	before := map[string]string{}
	for _, host := range []string{sandbox.PRepHost, "citizen-1"} {
		before[host] = on(t, host, nodePID)
	}
	must(t, box.BootMore(t.Context(), "sentry-3"))
	box.Layout.Sentries = append(box.Layout.Sentries, "sentry-3")
	r := up(t)
	// The old ones are told of the new one, which they never ban, and go on meanwhile.
	told := regexp.MustCompile(`^update sentries-sentry-[12]-(service|verify)$`)
	for _, c := range changes(r) {
		if (strings.Contains(c, "sentry-1") || strings.Contains(c, "sentry-2")) && !told.MatchString(c) {
			t.Errorf("an old sentry was touched: %s", c)
		}
		if strings.HasPrefix(c, "replace") || strings.HasPrefix(c, "delete") {
			t.Errorf("%s: nothing should be replaced or deleted", c)
		}
	}
	must(t, box.Announce(t.Context()))
	for host, pid := range before {
		if now := on(t, host, nodePID); now != pid {
			t.Errorf("%s was restarted (pid %s, now %s)", host, pid, now)
		}
		if on(t, host, "grep -c sentries.icon.internal /proc/$(systemctl show -p MainPID --value icon-node)/root/etc/hosts") != "3" {
			t.Errorf("the running node on %s does not see the third sentry", host)
		}
	}
	healthy(t)
}

// hostDiesDuringUp cuts the power of a new citizen's host while its first step runs.
func hostDiesDuringUp(t *testing.T) {
	must(t, box.BootMore(t.Context(), "citizen-2"))
	box.Layout.Citizens = append(box.Layout.Citizens, "citizen-2")
	must(t, box.Configure(t.Context()))
	failed := make(chan error, 1)
	begin := time.Now()
	go func() {
		_, err := box.Engine.Up(t.Context())
		failed <- err
	}()
	waitFor(t, "the step harden to begin on citizen-2", func() bool {
		out, err := box.Lab.Exec(t.Context(), "citizen-2", nil, "bash", "-c", "grep -c ' harden apply' /var/log/icon/harden.log")
		return err == nil && strings.TrimSpace(out) == "1"
	})
	must(t, box.Lab.Kill(t.Context(), "citizen-2"))
	err := <-failed
	t.Logf("up failed after %s", time.Since(begin).Round(time.Second))
	if err == nil {
		t.Fatal("up went through although a host died")
	}
	contains(t, err.Error(), "citizen-2")
	must(t, box.Lab.Start(t.Context(), "citizen-2"))
	up(t)
	if c := changes(up(t)); len(c) > 0 {
		t.Errorf("the up after that still changed %v", c)
	}
	healthy(t)
}

func waitFor(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for deadline := time.Now().Add(time.Minute); !ok(); time.Sleep(50 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("waited a minute for %s", what)
		}
	}
}

func survivesDeadSentry(t *testing.T) {
	must(t, box.Lab.Kill(t.Context(), "sentry-1"))
	last, err := box.Block(t.Context(), sandbox.PeerHost, 0)
	must(t, err)
	// The P-Rep's peers have 30 s to find the others; then a window of blocks must hold its proposals.
	must(t, box.WaitHeight(t.Context(), sandbox.PeerHost, last.Height+45, 3*time.Minute))
	n, err := box.Proposed(t.Context(), 16)
	must(t, err)
	if n < 2 {
		t.Errorf("with a sentry dead, the P-Rep proposed %d of the last 16 blocks", n)
	}
	must(t, box.Lab.Start(t.Context(), "sentry-1"))
	if got := on(t, "sentry-1", "nft list table inet icon | grep -c 'policy drop'"); got != "3" {
		t.Errorf("after a power cut the sentry's firewall has %s of 3 chains that drop", got)
	}
	waitFor(t, "the sentry to be back after the power cut", func() bool {
		return on(t, "sentry-1", "systemctl is-active icon-sentry icon-sentry-kernel icon-sentry-agent | sort -u") == "active"
	})
	if c := changes(up(t)); len(c) > 0 {
		t.Errorf("after the sentry's return, up changed %v", c)
	}
	healthy(t)
}

func removesCitizen(t *testing.T) {
	key := on(t, "citizen-2", "sha256sum < "+sandbox.DataDir+"/key/keystore.json")
	box.Layout.Citizens = []string{"citizen-1"}
	up(t)
	clean(t, "citizen-2")
	if on(t, "citizen-2", "sha256sum < "+sandbox.DataDir+"/key/keystore.json") != key {
		t.Error("the removed citizen's key is gone or changed")
	}
	off(t, "citizen-2")
	healthy(t)
}

// clean looks for anything of ours on a host, but for the data that is kept.
func clean(t *testing.T, host string) {
	t.Helper()
	for what, command := range map[string]string{
		"units":     "systemctl list-unit-files 'icon-*' --no-legend; ls /etc/systemd/system | grep icon- || true",
		"processes": "pgrep -a 'goloop|haproxy|nginx|icon-sentry' || true",
		"rules":     "if command -v nft >/dev/null; then nft list tables | grep icon || true; fi",
		"users":     "getent passwd icon-node icon-sentry || true",
		"files": "ls -d /etc/icon /usr/local/lib/icon /usr/local/sbin/icon-sentry /var/lib/icon-sentry /var/log/icon /var/tmp/icon-upload " +
			"2>/dev/null || true",
		"listeners":    "ss -Hltn '( sport >= :7100 and sport <= :7132 ) or sport = :9000 or ( sport >= :9471 and sport <= :9480 )'",
		"leftovers":    "ls -A /run/icon 2>/dev/null | grep -v '^lock$' || true",
		"other's data": "find " + sandbox.DataDir + " -maxdepth 0 ! -user root 2>/dev/null || true",
	} {
		if out := on(t, host, command); out != "" {
			t.Errorf("%s: %s left: %s", host, what, out)
		}
	}
}

func destroys(t *testing.T) {
	_, err := box.Engine.Destroy(t.Context())
	must(t, err)
	for _, host := range append(append([]string{sandbox.PRepHost}, box.Layout.Sentries...), box.Layout.Citizens...) {
		clean(t, host)
	}
	for _, host := range []string{sandbox.PRepHost, "citizen-1"} {
		if got := on(t, host, "stat -c '%a %U' "+sandbox.DataDir+"; ls "+sandbox.DataDir+"/key"); got != "700 root\nkeystore.json\npassword" {
			t.Errorf("%s: kept data: %s", host, got)
		}
	}
	off(t, append(append([]string{sandbox.PRepHost}, box.Layout.Sentries...), box.Layout.Citizens...)...)
}
