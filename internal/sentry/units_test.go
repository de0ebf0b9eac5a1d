package sentry_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/insight-icon/pulumi-icon/hardening"
	"github.com/insight-icon/pulumi-icon/internal/sentry"
	"github.com/insight-icon/pulumi-icon/tests/golden"
	"github.com/insight-icon/pulumi-icon/tests/host"
)

func TestTheKernelSettingsOfASentryAreThoseThatHardeningLeavesToIt(t *testing.T) {
	var found []string
	for _, s := range []sentry.Settings{{TLS: &sentry.TLS{}}, {Variant: sentry.HAProxy}} {
		for line := range strings.Lines(sentry.Sysctl(s)) {
			key, _, set := strings.Cut(line, " = ")
			if set && !strings.HasPrefix(key, "net.netfilter.nf_conntrack_") && !slices.Contains(found, key) {
				found = append(found, key)
			}
		}
	}
	if slices.Sort(found); !slices.Equal(found, hardening.SentryKernelSettings()) {
		t.Errorf("a sentry sets %v, hardening leaves %v to it", found, hardening.SentryKernelSettings())
	}
	golden.Check(t, "sysctl.conf", sentry.Sysctl(sentry.Settings{TLS: &sentry.TLS{}}))
	golden.Check(t, "sysctl-haproxy.conf", sentry.Sysctl(sentry.Settings{Variant: sentry.HAProxy}))
}

// exposures bound `systemd-analyze security`, in tenths.
func TestUnitsAreAsReviewedTakenBySystemdAndWithinTheirExposure(t *testing.T) {
	type unit struct {
		name, text, exposure string
		runs, others         []string
	}
	for _, v := range sentry.Variants() {
		proxy := "/usr/sbin/haproxy"
		if v == sentry.Nginx {
			proxy = "/usr/sbin/nginx"
		}
		for _, u := range []unit{
			{sentry.Unit, sentry.UnitFile(v), "20", []string{proxy, "/bin/kill"}, []string{"icon-firewall.service", sentry.KernelUnit}},
			{sentry.KernelUnit, sentry.KernelUnitFile(v), "25", []string{"/usr/sbin/sysctl", "/usr/sbin/nft"}, []string{"icon-firewall.service"}},
			{sentry.AgentUnit, sentry.AgentUnitFile(v), "20", []string{"/usr/local/sbin/icon-sentry"}, []string{"icon-firewall.service"}},
		} {
			t.Run(string(v)+" "+u.name, func(t *testing.T) {
				name := strings.TrimSuffix(u.name, ".service") + "-" + strings.ReplaceAll(string(v), "+", "-") + ".service"
				golden.Check(t, name, u.text)
				host.VerifyUnit(t, u.name, u.text, u.runs, u.others)
				path := filepath.Join(t.TempDir(), u.name)
				if err := os.WriteFile(path, []byte(u.text), 0o600); err != nil {
					t.Fatal(err)
				}
				out, err := exec.Command("systemd-analyze", "security", "--offline=yes", "--no-pager", "--threshold="+u.exposure, path).CombinedOutput()
				if err != nil {
					t.Errorf("%v\n%s", err, out)
				}
			})
		}
	}
}
