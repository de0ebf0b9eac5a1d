//go:build sandbox

// Package lockout has changes of access go wrong on real hosts, and cuts the power while they are tried: nobody may be locked out, and the
// next run has to finish what was begun. Needs root on a Debian 12 machine; takes about two minutes, most of it waiting.
package lockout

import (
	"flag"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/insight-icon/pulumi-icon/hardening"
	"github.com/insight-icon/pulumi-icon/internal/remote"
	"github.com/insight-icon/pulumi-icon/internal/sshrun"
	"github.com/insight-icon/pulumi-icon/internal/verify"
	"github.com/insight-icon/pulumi-icon/sandbox/lab"
	"github.com/insight-icon/pulumi-icon/tests/e2e/life"
)

func TestMain(m *testing.M) {
	life.ServeIfAsked()
	flag.Parse()
	// Hosts that wait need no processor.
	if err := flag.Set("test.parallel", "8"); err != nil {
		panic(err)
	}
	os.Exit(m.Run())
}

// must ends the test on an error.
func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// boot gives a lab with fresh hosts of these names.
func boot(t *testing.T, names ...string) *lab.Lab {
	t.Helper()
	return life.Hosts(t, "lockout", 62, names...)
}

// host is one of the lab's.
type host struct {
	*testing.T
	lab  *lab.Lab
	name string
}

// with is the host, to be hardened by a program that has one more control with access, "trial", with the functions of script. All others
// that can be are left out.
func (h *host) with(script string) verify.Host {
	h.Helper()
	leave := map[string]string{}
	for _, c := range hardening.Controls() {
		if c.Required == "" {
			leave[c.ID] = "not looked at here"
		}
	}
	admin := []string{"10.77.62.1/32"}
	s, problems := hardening.Resolve(hardening.Baseline, hardening.Facts{Administrators: admin}, hardening.Overrides{LeaveOut: leave})
	if s == nil {
		h.Fatal(problems)
	}
	rules, err := hardening.Firewall{
		SSH: hardening.Rule{Protocol: "tcp", Ports: []int{22}, Networks: admin, Why: "administrators"},
		Out: []hardening.Rule{{Protocol: "tcp", Ports: []int{80}, Networks: []string{"0.0.0.0/0"}, Why: "packages"}},
	}.Render()
	must(h.T, err)
	text, err := s.Program(hardening.Live{Administrators: admin, Firewall: rules, Packages: []string{"nftables"}})
	must(h.T, err)
	const end = "main \"$@\" </dev/null\n"
	body, found := strings.CutSuffix(text, end)
	if !found {
		h.Fatal("the program ends in another way")
	}
	program, err := remote.Program(hardening.HardenScript, nil, map[string]string{"hardening": body + "ACCESS+=(trial)\n" + script + "\n" + end})
	must(h.T, err)
	at, err := h.lab.Host(h.name)
	must(h.T, err)
	key, err := os.ReadFile(h.lab.AdminKey())
	must(h.T, err)
	return verify.Host{
		Target: sshrun.Target{
			Name: h.name, Where: "lab", Address: at.Private.String(), Port: 22, User: "root", HostKey: strings.Join(strings.Fields(at.HostKey)[:2], " "),
		},
		Key: sshrun.Key{PrivateKey: string(key)}, Program: program, Timeout: 5 * time.Minute,
	}
}

// on runs a shell command on the host, not by SSH.
func (h *host) on(command string) string {
	h.Helper()
	out, err := h.lab.Exec(h.Context(), h.name, nil, "bash", "-c", command)
	must(h.T, err)
	return strings.TrimSpace(out)
}

// eventually waits until a shell command on the host, not by SSH, succeeds.
func (h *host) eventually(command string, within time.Duration) {
	h.Helper()
	for end := time.Now().Add(within); ; time.Sleep(200 * time.Millisecond) {
		if _, err := h.lab.Exec(h.Context(), h.name, nil, "bash", "-c", command); err == nil {
			return
		}
		if time.Now().After(end) {
			h.Fatalf("not within %s: %s\n%s", within, command, h.on("tail -n 20 /var/log/icon/harden.log; journalctl -n 20 --no-pager -u icon-rollback"))
		}
	}
}

// letsIn tells whether a new login is possible.
func (h *host) letsIn(at verify.Host) error {
	client, err := sshrun.Dial(h.Context(), at.Target, at.Key, 2*time.Second)
	if err == nil {
		err = client.Close()
	}
	return err
}

// finishes applies the program, which has to go through, and to be verified afterwards.
func (h *host) finishes(at verify.Host) {
	h.Helper()
	must(h.T, at.Apply(h.Context()))
	reports := verify.Ask(h.Context(), []verify.Host{at})
	if reports.ExitCode() != hardening.ExitAsWanted {
		h.Error(reports.Table())
	}
	if r := reports[0].Report; r != nil && !slices.ContainsFunc(r.Controls, func(c hardening.ControlResult) bool { return c.Control == "trial" }) {
		h.Error("the control was not looked at")
	}
	if left := h.on("systemctl is-active icon-rollback.service; ls -A /var/lib/icon/hardening/rollback 2>/dev/null || true"); left != "inactive" {
		h.Errorf("a roll-back is still under way: %s", left)
	}
}
