//go:build sandbox

// Package controls applies every hardening control to a real host, tampers with it, and looks whether its verification tells. Needs root
// on a Debian 12 machine; takes some minutes.
package controls

import (
	"os"
	"strings"
	"testing"

	"github.com/insight-icon/pulumi-icon/hardening"
	"github.com/insight-icon/pulumi-icon/sandbox/lab"
	"github.com/insight-icon/pulumi-icon/tests/e2e/life"
)

func TestMain(m *testing.M) {
	life.ServeIfAsked()
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
	return life.Hosts(t, "controls", 52, names...)
}

// host is one of the lab's, and what it is hardened by.
type host struct {
	*testing.T
	lab     *lab.Lab
	name    string
	program string
}

// selection is a profile as the lab's hosts have it: root logs in, from the workstation's address.
func selection(t *testing.T, profile string, overrides ...hardening.Overrides) *hardening.Selection {
	t.Helper()
	facts := hardening.Facts{Role: profile, LoginUser: "root", SSHPorts: []int{22}, Runtime: "podman", DataDir: "/var/lib/icon-node", Administrators: []string{"10.77.52.1/32"}}
	s, problems := hardening.Resolve(profile, facts, overrides...)
	if s == nil {
		t.Fatal(problems)
	}
	return s
}

// harden makes s what the host is hardened by from now on.
func (h *host) harden(s *hardening.Selection) {
	h.Helper()
	firewall, err := hardening.Firewall{
		SSH: hardening.Rule{Protocol: "tcp", Ports: []int{22}, Networks: []string{"10.77.52.1/32"}, Why: "administrators"},
		In:  []hardening.Rule{{Protocol: "tcp", Ports: []int{7100}, Networks: []string{"0.0.0.0/0"}, Why: "peers"}},
		Out: []hardening.Rule{{Protocol: "tcp", Ports: []int{80, 443}, Networks: []string{"0.0.0.0/0"}, Why: "packages"}},
	}.Render()
	must(h.T, err)
	text, err := s.Program(hardening.Live{Administrators: []string{"10.77.52.1/32"}, Firewall: firewall})
	must(h.T, err)
	h.program = hardening.Step(text)
}

// run runs a half of the host's program, not by SSH, and gives its report. The log goes to /var/log/half on the host.
func (h *host) run(half string) *hardening.Report {
	h.Helper()
	out, err := h.lab.Exec(h.Context(), h.name, strings.NewReader(h.program), "bash", "-c", "bash -s "+half+" 3>&1 >/var/log/half.log 2>&1")
	if err != nil {
		h.Logf("the log's end:\n%s", h.on("tail -n 30 /var/log/half.log"))
		h.Fatalf("%s: %v\n%s", half, err, out)
	}
	report, err := hardening.ParseReport(out)
	must(h.T, err)
	return report
}

// on runs a shell command on the host.
func (h *host) on(command string) string {
	h.Helper()
	out, err := h.lab.Exec(h.Context(), h.name, nil, "bash", "-c", command)
	must(h.T, err)
	return strings.TrimSpace(out)
}

// states are the results of a report by control.
func states(r *hardening.Report) map[string]string {
	found := map[string]string{}
	for _, c := range r.Controls {
		found[c.Control] = string(c.State)
	}
	return found
}
