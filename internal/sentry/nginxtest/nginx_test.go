// Package nginxtest holds the variant nginx against nginx itself.
package nginxtest_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/insight-icon/pulumi-icon/internal/sentry"
	"github.com/insight-icon/pulumi-icon/tests/golden"
)

// nginxConfigurations are sentries of every kind that a plan gives.
func nginxConfigurations() map[string]sentry.Settings {
	all := map[string]sentry.Settings{}
	only := sentry.Settings{Variant: sentry.Nginx, PRep: "10.2.0.11:7100", CID: "0x1"}
	all["p2p-only"] = only
	full := only
	full.Relay, full.PrivateAddress = true, "127.0.0.1"
	full.Seeds = []string{"10.9.0.1:7100", "seed.does-not-resolve.invalid:7200"}
	full.Citizens = []string{"10.2.0.12:9000", "10.2.0.13:9000"}
	full.Users = []string{"198.51.100.0/24", "203.0.113.9/32", "198.51.100.77/24"}
	full.CORS = []string{"https://app.example.org", "http://localhost:3000"}
	all["relay-and-api"] = full
	tls := full
	tls.Relay, tls.Seeds, tls.CORS = false, nil, []string{"*"}
	tls.TLS = &sentry.TLS{Names: []string{"api.example.org"}}
	all["tls"] = tls
	acme := tls
	acme.TLS = &sentry.TLS{Names: []string{"api.example.org"}, ACME: true}
	acme.Sentries = []string{"10.2.0.21", "10.2.0.22"}
	all["acme"] = acme
	return all
}

func renderNginx(tb testing.TB, s sentry.Settings) string {
	tb.Helper()
	text, err := sentry.NginxConfig(s)
	if err != nil {
		tb.Fatal(err)
	}
	return text
}

// nginxIn writes a configuration, and what it needs, into a directory in place of the host's, and gives its path.
func nginxIn(tb testing.TB, dir, text string) string {
	tb.Helper()
	text = strings.NewReplacer("/run/icon-sentry/", dir+"/", sentry.StateDir+"/", dir+"/").Replace(text)
	path := filepath.Join(dir, "nginx.conf")
	for name, content := range map[string]string{
		path: text, filepath.Join(dir, "resolver.conf"): "resolver 127.0.0.1 valid=30s ipv6=off;\n",
		filepath.Join(dir, "certificate.pem"): selfSigned(tb),
	} {
		if err := os.WriteFile(name, []byte(content), 0o600); err != nil {
			tb.Fatal(err)
		}
	}
	return path
}

func TestConfigurationsAreAsReviewedAndTakenByNginx(t *testing.T) {
	for name, s := range nginxConfigurations() {
		t.Run(name, func(t *testing.T) {
			text := renderNginx(t, s)
			golden.Check(t, name+".conf", text)
			out, err := exec.Command("nginx", "-t", "-e", "stderr", "-c", nginxIn(t, t.TempDir(), text)).CombinedOutput()
			if err != nil || strings.Contains(string(out), "[emerg]") || strings.Contains(string(out), "[warn]") {
				t.Errorf("%v\n%s", err, out)
			}
		})
	}
}

func TestWhatNginxCannotDoIsRefusedByName(t *testing.T) {
	s := nginxConfigurations()["relay-and-api"]
	s.Keys, s.KeysOnly = map[string]sentry.Key{"shop": {}}, true
	s.CORS = []string{`https://a.example.org"; default_type x`}
	s.Users = []string{"nobody"}
	s.Citizens = []string{"10.2.0.12:9000; }"}
	text, err := sentry.NginxConfig(s)
	if err == nil {
		t.Fatalf("taken:\n%s", text)
	}
	for _, field := range []string{"Keys: ", "KeysOnly: ", "CORS origin", "Users: ", "10.2.0.12:9000; }"} {
		if !strings.Contains(err.Error(), field) {
			t.Errorf("%q is not named in: %v", field, err)
		}
	}
}
