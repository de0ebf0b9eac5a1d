package sentry_test

import (
	"bytes"
	"crypto/sha256"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/insight-icon/pulumi-icon/internal/sentry"
	"github.com/insight-icon/pulumi-icon/tests/golden"
)

func settings() sentry.Settings {
	return sentry.Settings{PRep: "10.2.0.11:7100", CID: "0x1", Limits: sentry.Limits{}.WithDefaults()}
}

// key is what the holder of an API key called so has to send.
func key(name string) string { return "the key of " + name }

func hashOf(name string) string { return fmt.Sprintf("%x", sha256.Sum256([]byte(key(name)))) }

// configurations are sentries of every kind that a plan gives.
func configurations() map[string]sentry.Settings {
	all := map[string]sentry.Settings{}
	all["p2p-only"] = settings()
	relay := settings()
	relay.PrivateAddress, relay.Seeds, relay.Relay = "127.0.0.1", []string{"10.9.0.1:7100", "seed.does-not-resolve.invalid:7200"}, true
	all["relay"] = relay
	full := relay
	full.Citizens, full.CID = []string{"10.2.0.12:9000", "10.2.0.13:9000"}, "0x1ecbb6"
	full.Limits = sentry.Limits{
		P2PConnections: 50, P2PReserved: 10, P2PPerSource: 11, P2PNewPerSource: 12, P2PNew: 13,
		APIConnections: 100, APIReserved: 20, APIPerSource: 21, APINewPerSource: 22, APINew: 23, APIRequestsPerSource: 241,
		APIExpensivePerSource: 25, APIErrorsPerSource: 26, APIBodyKiB: 27, APIBatch: 8, APIAtOnce: 29, APIExpensiveAtOnce: 3,
		WebSockets: 31, WebSocketsReserved: 9, WebSocketsPerSource: 6, BanStrikes: 33,
	}.WithDefaults()
	all["relay-and-api"] = full
	addresses := full
	addresses.Seeds = []string{"10.9.0.1:7100", "10.9.0.2:7200"}
	all["relay-to-addresses"] = addresses
	keys := settings()
	keys.Citizens, keys.Users, keys.KeysOnly = full.Citizens, []string{"203.0.113.0/24"}, true
	keys.CORS = []string{"https://app.example.org", "https://www.example.org:8443"}
	keys.Keys = map[string]sentry.Key{
		"shop": {SHA256: hashOf("shop"), Requests: 1000, Expensive: 50}, "exchange": {SHA256: hashOf("exchange"), Requests: 5000, Expensive: 500},
	}
	keys.TLS = &sentry.TLS{Names: []string{"api.example.org", "rpc.example.org"}, ACME: true}
	keys.Sentries = []string{"10.2.0.21", "10.2.0.22"}
	all["keys-and-acme"] = keys
	own := settings()
	own.Citizens, own.CORS, own.TLS = full.Citizens, []string{"*"}, &sentry.TLS{Names: []string{"api.example.org"}}
	own.Variant = sentry.HAProxy
	all["own-certificate"] = own
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

// stage writes everything that HAProxy reads into a directory, and gives the configuration's path.
func stage(tb testing.TB, s sentry.Settings, dir string) string {
	tb.Helper()
	path := filepath.Join(dir, "haproxy.cfg")
	moved := strings.NewReplacer("/run/icon-sentry/", dir+"/", sentry.ConfigDir+"/", dir+"/", sentry.StateDir+"/", dir+"/")
	text := moved.Replace(render(tb, s))
	for _, f := range []struct{ path, text string }{
		{path, text},
		{sentry.LuaFile, sentry.LuaText},
		{sentry.UsersFile, sentry.UsersList(s)},
		{sentry.KeysFile, sentry.KeysMap(s)},
		{sentry.QuotaFile, sentry.QuotaMap(s)},
		{sentry.ExpensiveFile, sentry.ExpensiveMap(s)},
		{sentry.PeersFile, ""},
		{sentry.EnforceFile, ""},
		{sentry.CertificatePath, certificate(tb)},
	} {
		if err := os.WriteFile(filepath.Join(dir, filepath.Base(f.path)), []byte(f.text), 0o600); err != nil {
			tb.Fatal(err)
		}
	}
	return path
}

func TestConfigurationsAreAsReviewedAndTakenByHAProxy(t *testing.T) {
	for name, s := range configurations() {
		t.Run(name, func(t *testing.T) {
			golden.Check(t, name+".cfg", render(t, s))
			out, err := exec.Command("haproxy", "-c", "-f", stage(t, s, t.TempDir())).CombinedOutput()
			// A name that does not resolve right now is no mistake of ours: HAProxy looks it up again.
			said := regexp.MustCompile(`(?m)^.*/seed' : could not resolve address '\S+\.invalid'.*\n|^Warnings were found\.\n`).ReplaceAll(out, nil)
			if err != nil || bytes.Contains(said, []byte("WARNING")) || bytes.Contains(said, []byte("ALERT")) {
				t.Errorf("%v\n%s", err, out)
			}
		})
	}
}

func TestFilesHoldWhatTheirReadersLookUp(t *testing.T) {
	s := configurations()["keys-and-acme"]
	for _, f := range []struct{ name, got, want string }{
		{"users", sentry.UsersList(s), "203.0.113.0/24\n"},
		{"keys", sentry.KeysMap(s), hashOf("exchange") + " exchange\n" + hashOf("shop") + " shop\n"},
		{"quota", sentry.QuotaMap(s), "exchange 5000\nshop 1000\n"},
		{"expensive", sentry.ExpensiveMap(s), "exchange 500\nshop 50\n"},
	} {
		if f.got != f.want {
			t.Errorf("%s: got %q, wanted %q", f.name, f.got, f.want)
		}
	}
}

func TestWordsThatHAProxyWouldReadAsSomethingElseAreRefusedAllAtOnce(t *testing.T) {
	s := settings()
	s.PRep, s.Citizens = "10.2.0.11:7100 check", []string{"10.2.0.12:9000\n"}
	s.CORS = []string{"https://a.example'", "app.example.org"}
	s.Keys = map[string]sentry.Key{"a b": {}}
	s.TLS = &sentry.TLS{Names: []string{"$HOME"}, ACME: true}
	_, err := sentry.Config(s)
	if err == nil {
		t.Fatal("taken")
	}
	for _, want := range []string{"7100 check", `9000\n`, "a.example'", `"app.example.org"`, `"a b"`, "$HOME", "no sentries"} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("%q is not in: %v", want, err)
		}
	}
}
