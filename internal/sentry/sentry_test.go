package sentry_test

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"testing"

	"github.com/insight-icon/pulumi-icon/internal/remote"
	"github.com/insight-icon/pulumi-icon/internal/sentry"
	"github.com/insight-icon/pulumi-icon/tests/golden"
	"github.com/insight-icon/pulumi-icon/tests/host"
)

func settings() sentry.Settings {
	return sentry.Settings{PRep: "10.2.0.11:7100", CID: "0x1", Limits: sentry.Limits{
		P2PConnections: 1000, P2PPerSource: 20, P2PNewPerSource: 30,
		APIConnections: 2000, APIPerSource: 10, APIRequestsPerSource: 300, APIBodyKiB: 64,
	}}
}

// configurations are sentries of every kind that a plan gives.
func configurations() map[string]sentry.Settings {
	all := map[string]sentry.Settings{}
	all["p2p-only"] = settings()
	relay := settings()
	relay.PrivateAddress, relay.Seeds = "127.0.0.1", []string{"10.9.0.1:7100", "seed.does-not-resolve.invalid:7200"}
	all["relay"] = relay
	full := relay
	full.Citizens, full.CID = []string{"10.2.0.12:9000", "10.2.0.13:9000"}, "0x1ecbb6"
	full.Limits = sentry.Limits{
		P2PConnections: 5, P2PPerSource: 1, P2PNewPerSource: 2, APIConnections: 3, APIPerSource: 4, APIRequestsPerSource: 6, APIBodyKiB: 7,
	}
	all["relay-and-api"] = full
	addresses := full
	addresses.Seeds = []string{"10.9.0.1:7100", "10.9.0.2:7200"}
	all["relay-to-addresses"] = addresses
	return all
}

func render(tb testing.TB, s sentry.Settings) string {
	tb.Helper()
	text, err := sentry.Config(s)
	if err != nil {
		tb.Fatal(err)
	}
	return text
}

func TestConfigurationsAreAsReviewedAndTakenByHAProxy(t *testing.T) {
	for name, s := range configurations() {
		t.Run(name, func(t *testing.T) {
			text := render(t, s)
			golden.Check(t, name+".cfg", text)
			path := filepath.Join(t.TempDir(), "haproxy.cfg")
			if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
			out, err := exec.Command("haproxy", "-c", "-f", path).CombinedOutput()
			// A name that does not resolve right now is no mistake of ours: HAProxy looks it up again.
			said := regexp.MustCompile(`(?m)^.*/seed' : could not resolve address '\S+\.invalid'.*\n|^Warnings were found\.\n`).ReplaceAll(out, nil)
			if err != nil || bytes.Contains(said, []byte("WARNING")) || bytes.Contains(said, []byte("ALERT")) {
				t.Errorf("%v\n%s", err, out)
			}
		})
	}
}

func TestTheUnitIsTakenBySystemd(t *testing.T) {
	golden.Check(t, sentry.Unit, sentry.UnitFile)
	host.VerifyUnit(t, sentry.Unit, sentry.UnitFile, []string{"/usr/sbin/haproxy", "/bin/kill"}, []string{"icon-firewall.service"})
}

func TestTheUnitStaysWithinItsExposureBySystemdsMeasure(t *testing.T) {
	path := filepath.Join(t.TempDir(), sentry.Unit)
	if err := os.WriteFile(path, []byte(sentry.UnitFile), 0o600); err != nil {
		t.Fatal(err)
	}
	// In tenths.
	out, err := exec.Command("systemd-analyze", "security", "--offline=yes", "--no-pager", "--threshold=20", path).CombinedOutput()
	if err != nil {
		t.Errorf("%v\n%s", err, out)
	}
}

func program(tb testing.TB, script string, vars, files map[string]string) string {
	tb.Helper()
	text, err := remote.Program(script, vars, files)
	if err != nil {
		tb.Fatal(err)
	}
	return text
}

func TestScriptsAreCleanAsWholePrograms(t *testing.T) {
	host.Shellcheck(t, program(t, sentry.ServiceScript, nil, map[string]string{"haproxy.cfg": "x\n", "icon-sentry.service": "x\n"}))
	host.Shellcheck(t, program(t, sentry.VerifyScript, map[string]string{"API": "true", "RELAYS": "10.2.0.21"}, nil))
}
