package verify_test

import (
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/insight-icon/pulumi-icon/hardening"
	"github.com/insight-icon/pulumi-icon/internal/remote"
	"github.com/insight-icon/pulumi-icon/internal/verify"
)

func fixture(tb testing.TB) string {
	tb.Helper()
	text, err := os.ReadFile(filepath.Join("testdata", "export.json"))
	if err != nil {
		tb.Fatal(err)
	}
	return string(text)
}

func TestHostsAreFoundInAStacksExport(t *testing.T) {
	hosts, err := verify.Hosts([]byte(fixture(t)))
	if err != nil {
		t.Fatal(err)
	}
	if len(hosts) != 2 || hosts[0].Target.Name != "citizen-1" || hosts[1].Target.Name != "prep-1" {
		t.Fatalf("%d hosts", len(hosts))
	}
	citizen, prep := hosts[0], hosts[1]
	if c := citizen.Target; c.Address != "192.0.2.10" || c.Port != 22 || c.User != "root" || c.Via != nil ||
		c.HostKey != "ssh-ed25519 AAAA citizen" {
		t.Errorf("citizen: %+v", c)
	}
	if p := prep.Target; p.Address != "10.0.0.5" || p.Port != 2222 || p.User != "admin" || p.Via == nil || p.Via.Address != "192.0.2.1" ||
		p.Via.User != "jump" || p.Via.HostKey != "ssh-ed25519 AAAA bastion" {
		t.Errorf("prep: %+v, via %+v", p, p.Via)
	}
	if prep.Key.PrivateKey != "the private key\n" || prep.Key.Passphrase != "its passphrase" || citizen.Key.PrivateKey != "" {
		t.Error("the keys are not those of the connections")
	}
	if prep.Timeout != 15*time.Minute || !strings.HasPrefix(prep.Program, "the program\n") ||
		!strings.HasPrefix(citizen.Program, "another\n") {
		t.Errorf("%s, %q, %q", prep.Timeout, prep.Program, citizen.Program)
	}
}

func TestTheStepsOfADeployAreRecognised(t *testing.T) {
	text, err := remote.Program("apply() { :; }\nremove() { :; }\n", nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, user := range []string{"root", "admin"} {
		state := map[string]any{"deployment": map[string]any{"resources": []any{map[string]any{
			"type": "command:remote:Command", "inputs": map[string]any{
				"create": verify.Command("apply", "a", verify.Step, time.Minute, user), "stdin": text,
				"connection": map[string]any{"host": "192.0.2.1", "hostKey": "ssh-ed25519 AAAA", "user": user, "port": 22},
			},
		}}}}
		export, err := json.Marshal(state)
		if err != nil {
			t.Fatal(err)
		}
		if hosts, err := verify.Hosts(export); err != nil || len(hosts) != 1 || hosts[0].Program != text || hosts[0].Timeout != time.Minute {
			t.Errorf("%d hosts, %v", len(hosts), err)
		}
	}
}

// A deploy that failed on one host leaves its earlier steps in the state, and says nothing of the one that failed.
func TestAHostThatWasNeverHardenedIsNotLeftOut(t *testing.T) {
	step := func(host, name string) map[string]any {
		return map[string]any{"type": "command:remote:Command", "inputs": map[string]any{
			"create": verify.Command("apply", host, name, time.Minute, "root"), "stdin": "\nrun_verify() {\n",
			"connection": map[string]any{"host": "192.0.2.1", "hostKey": "ssh-ed25519 AAAA"},
		}}
	}
	export, err := json.Marshal(map[string]any{"deployment": map[string]any{"resources": []any{
		step("a", "ready"), step("a", verify.Step), step("b", "ready"), step("c", verify.Step), step("c", "service"),
	}}})
	if err != nil {
		t.Fatal(err)
	}
	hosts, err := verify.Hosts(export)
	if err != nil || len(hosts) != 3 || hosts[0].Program == "" || hosts[2].Program == "" {
		t.Fatalf("%+v, %v", hosts, err)
	}
	reports := verify.Ask(t.Context(), hosts[1:2])
	if reports.ExitCode() != hardening.ExitNotAsked || !strings.Contains(reports[0].Problem, "host b: was never hardened") {
		t.Errorf("%+v", reports)
	}
}

func TestAStateThatCannotBeAskedIsRefusedWithoutItsSecrets(t *testing.T) {
	good := fixture(t)
	for name, c := range map[string]struct{ from, to, want string }{
		"encrypted":     {`"plaintext": "\"the program`, `"ciphertext": "\"the program`, "export the stack with --show-secrets"},
		"older program": {`run_verify() {`, `no_verify() {`, "run pulumi up first"},
		"no host key": {
			`\"hostKey\":\"ssh-ed25519 AAAA prep\",`, ``,
			"urn:prep-harden: inputs.connection: expected a host, its hostKey and a port",
		},
		"no port":       {`\"port\":2222`, `\"port\":99999`, "expected a host, its hostKey and a port"},
		"wrong type":    {`\"port\":2222`, `\"port\":\"the private key\"`, "inputs: "},
		"no JSON":       {`"\"the program`, `"the program`, "holds a secret that is no JSON"},
		"two of a name": {`apply citizen-1 harden`, `apply prep-1 harden`, "a second step harden of host prep-1"},
		"no host":       {` harden \"`, ` other \"`, verify.ErrNoHosts.Error()},
		"cut off":       {`]`, ``, "the stack's export is no JSON of pulumi's"},
	} {
		text := strings.ReplaceAll(good, c.from, c.to)
		if text == good {
			t.Errorf("%s: the fixture does not hold %s", name, c.from)
		}
		_, err := verify.Hosts([]byte(text))
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: error %v, wanted %q", name, err, c.want)
		} else if strings.Contains(err.Error(), "the private key") || strings.Contains(err.Error(), "the program") {
			t.Errorf("%s: the error repeats a secret: %v", name, err)
		}
	}
	if _, err := verify.Hosts([]byte(`{"version": 3, "deployment": null}`)); !errors.Is(err, verify.ErrNoHosts) {
		t.Errorf("an empty stack: %v", err)
	}
}

// FuzzExport: whatever is there, hosts that are found have what a login needs, each a name of its own.
func FuzzExport(f *testing.F) {
	f.Add(fixture(f))
	f.Fuzz(func(t *testing.T, text string) {
		hosts, err := verify.Hosts([]byte(text))
		if (err == nil) == (len(hosts) == 0) {
			t.Fatalf("%d hosts, error %v", len(hosts), err)
		}
		names := map[string]bool{}
		for _, h := range hosts {
			if names[h.Target.Name] || h.Target.Address == "" || h.Target.HostKey == "" || h.Target.Port < 1 || h.Target.Port > 65535 ||
				h.Program == "" {
				t.Errorf("host %+v", h.Target)
			}
			names[h.Target.Name] = true
		}
	})
}
