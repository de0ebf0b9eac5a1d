//go:build sandbox

package lockout

import (
	"strings"
	"testing"
	"time"
)

// sshdFile is a control with a file of sshd's configuration that "sshd -t" accepts.
func sshdFile(text string) string {
	return `
trial() { want_file 0600 root:root /etc/ssh/sshd_config.d/00-trial.conf <<<"` + text + `"; }
trial_apply() { if needs_reload; then sshd -t; systemctl reload ssh.service; fi; }
trial_rollback() { systemctl reload ssh.service; }
`
}

const (
	harmless = "ClientAliveInterval 77"
	// What locks everybody out.
	nobody  = "Match User root\nPubkeyAuthentication no"
	another = "Port 2200"
	dropped = `
trial() { want_file 0600 root:root /etc/trial.nft <<<"table inet trial { chain in { type filter hook input priority -50; ct state new tcp dport 22 drop; }; }"; }
trial_apply() { if needs_reload; then nft -c -f /etc/trial.nft; nft -f /etc/trial.nft; fi; }
trial_rollback() { nft delete table inet trial; }
`
	// A verified control, for what comes after.
	intact = `
trial() { want_file 0600 root:root /etc/trial <<<"as wanted"; want_file 0600 root:root /etc/trial2 <<<"as well"; }
`
)

func TestNobodyIsLockedOut(t *testing.T) {
	l := boot(t, "refuses", "moved", "dropped", "killed", "slow", "cut", "cut-late")
	in := func(name string, test func(h *host)) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			test(&host{T: t, lab: l, name: name})
		})
	}
	in("refuses", func(h *host) { h.rollsBack(sshdFile(nobody)) })
	in("moved", func(h *host) { h.rollsBack(sshdFile(another)) })
	in("dropped", func(h *host) { h.rollsBack(dropped) })
	in("killed", (*host).killed)
	in("slow", (*host).slow)
	in("cut", (*host).cut)
	in("cut-late", (*host).cutLate)
}

// rollsBack tries a change that locks everybody out, and then one that does not.
func (h *host) rollsBack(script string) {
	broken := h.with(script)
	h.finishes(h.with("trial() { :; }")) // so that packages are there
	begin := time.Now()
	err := broken.Apply(h.Context())
	if err == nil || !strings.Contains(err.Error(), "are rolled back: no new login came within 48 s") {
		h.Errorf("error %v", err)
	}
	if took := time.Since(begin); took > 60*time.Second {
		h.Errorf("rolled back after %s", took)
	}
	if err := h.letsIn(broken); err != nil {
		h.Errorf("afterwards: %v", err)
	}
	if left := h.on("ls /etc/ssh/sshd_config.d /etc/trial.nft 2>/dev/null | grep trial; nft list tables | grep trial || true"); left != "" {
		h.Errorf("is left: %s", left)
	}
	h.finishes(h.with(sshdFile(harmless)))
	if said := h.on("sshd -T | grep -i clientaliveinterval"); said != "clientaliveinterval 77" {
		h.Errorf("sshd says %s", said)
	}
}

// killed kills the program in the middle of an ordinary control's and of a trial's changes.
func (h *host) killed() {
	const die = `
trial_apply() { if [[ ! -e /run/died ]]; then touch /run/died; kill -9 "$BASHPID"; fi; }
`
	at := h.with(intact + die)
	if err := at.Apply(h.Context()); err == nil || !strings.Contains(err.Error(), "the hardening ended with 137") {
		h.Errorf("error %v", err)
	}
	if state := h.on("systemctl is-active icon-rollback.service || true"); state != "active" && state != "activating" {
		h.Errorf("the roll-back is %s", state)
	}
	h.finishes(at)
	// What the killed one would have rolled back stays.
	time.Sleep(52 * time.Second)
	if text := h.on("cat /etc/trial /etc/trial2"); text != "as wanted\nas well" {
		h.Errorf("afterwards: %s", text)
	}
}

// slow takes longer for its changes than a trial may: they are taken back, and nothing is changed after that.
func (h *host) slow() {
	at := h.with(intact + `
trial_apply() { if [[ ! -e /run/slow ]]; then touch /run/slow; sleep 58; want_file 0600 root:root /etc/late <<<"late"; fi; }
`)
	if err := at.Apply(h.Context()); err == nil || !strings.Contains(err.Error(), "the hardening ended with 137") {
		h.Errorf("error %v", err)
	}
	h.eventually("[[ $(systemctl is-active icon-rollback.service) == inactive ]]", 10*time.Second)
	time.Sleep(6 * time.Second)
	if left := h.on("ls /etc/trial /etc/trial2 /etc/late /etc/icon/firewall.nft 2>/dev/null || true"); left != "" {
		h.Errorf("is left: %s", left)
	}
	h.finishes(at)
}

// cut cuts the power before anything that could lock out is tried.
func (h *host) cut() {
	// An ordinary control is in the middle of its changes.
	const hang = `
ORDINARY+=(first)
first() {
  want_file 0600 root:root /etc/first <<<"one"
  if applying && [[ ! -e /etc/was-cut ]]; then touch /etc/was-cut; sleep 60; fi
  want_file 0600 root:root /etc/second <<<"two"
}
`
	at := h.with(intact + hang)
	h.powerCut(func() { _ = at.Apply(h.Context()) }, "[[ -e /etc/was-cut ]]")
	h.finishes(at)
	if text := h.on("cat /etc/first /etc/second /etc/trial"); text != "one\ntwo\nas wanted" {
		h.Errorf("afterwards: %s", text)
	}
}

// cutLate cuts the power while nobody gets in: the host takes the change back after its next boot.
func (h *host) cutLate() {
	broken := h.with(sshdFile(nobody))
	begin := h.powerCut(func() { _ = broken.Apply(h.Context()) }, "[[ -e /run/icon/hardening/awaiting ]]")
	if err := h.letsIn(broken); err == nil {
		h.Error("the change did not lock out, so that its roll-back says nothing")
	}
	for h.letsIn(broken) != nil {
		if time.Since(begin) > 70*time.Second {
			h.Fatalf("nobody gets in %s after the boot", time.Since(begin))
		}
		time.Sleep(time.Second)
	}
	h.Logf("logins are possible again %s after the boot", time.Since(begin).Round(time.Second))
	h.finishes(h.with(sshdFile(harmless)))
}

// powerCut runs something, cuts the power once a shell command on the host succeeds, and boots the host again. It gives the time of the
// boot.
func (h *host) powerCut(run func(), when string) time.Time {
	h.Helper()
	ended := make(chan struct{})
	go func() {
		run()
		close(ended)
	}()
	h.eventually(when, time.Minute)
	must(h.T, h.lab.Kill(h.Context(), h.name))
	begin := time.Now()
	must(h.T, h.lab.Start(h.Context(), h.name))
	// Its connection is gone, but it may take a while to notice.
	select {
	case <-ended:
	case <-time.After(time.Second):
	}
	return begin
}
