//go:build sandbox

// Package controls applies every hardening control to a real host, tampers with it, and looks whether its verification tells. Needs root
// on a Debian 12 machine; takes some minutes.
package controls

import (
	"context"
	"fmt"
	"net/netip"
	"os"
	"strings"
	"testing"

	"github.com/insight-icon/pulumi-icon/hardening"
	"github.com/insight-icon/pulumi-icon/sandbox/lab"
)

const serve = "serve-packages"

func TestMain(m *testing.M) {
	if len(os.Args) == 4 && os.Args[1] == serve {
		fmt.Fprintln(os.Stderr, lab.ServeRepo(context.Background(), os.Args[2], os.Args[3]))
		os.Exit(1)
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
	self, err := os.Executable()
	must(t, err)
	l, err := lab.Open(lab.Config{
		Dir: lab.DefaultDir("../../.."), Name: "controls", ServeArgv: []string{self, serve}, Progress: t.Logf,
		Internet: netip.MustParsePrefix("10.77.51.0/24"), Private: netip.MustParsePrefix("10.77.52.0/24"),
	})
	must(t, err)
	down := func() {
		if err := l.Down(context.Background()); err != nil {
			t.Error(err)
		}
	}
	down() // what an interrupted run left
	t.Cleanup(down)
	must(t, l.Prepare(t.Context()))
	var specs []lab.HostSpec
	for i, name := range names {
		specs = append(specs, lab.HostSpec{Name: name, Private: netip.AddrFrom4([4]byte{10, 77, 52, byte(10 + i)})})
	}
	must(t, l.Boot(t.Context(), specs...))
	return l
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
