//go:build sandbox

package e2e

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/insight-icon/pulumi-icon/sandbox"
)

// TestInstallation is the life of one sentry-fronted installation, in order: each part begins where the one before ended.
func TestInstallation(t *testing.T) {
	for _, part := range []struct {
		promise string
		test    func(*testing.T)
	}{
		{"one command deploys it, the P-Rep proposes and is hidden", deploys},
		{"no secret is in state or on a command line", keepsSecrets},
		{"a second up changes nothing", secondUpChangesNothing},
		{"each step applied again changes nothing", stepsAreIdempotent},
		{"the sentries pass handshakes and the API and nothing else", sentriesFilter},
		{"a changed limit touches the sentries only, one after the other", limitTouchesSentriesOnly},
		{"a sentry is added without a restart of any node", addsSentry},
		{"a host that dies during up is named, and the next up goes on", hostDiesDuringUp},
		{"a dead sentry does not stop the P-Rep", survivesDeadSentry},
		{"a removed citizen leaves its host clean, its data kept", removesCitizen},
		{"what is wrong is refused, and nothing is lost", refusesBadInput},
		{"destroy leaves no service, rule or user of ours", destroys},
	} {
		if !t.Run(strings.ReplaceAll(part.promise, " ", "_"), part.test) {
			t.FailNow()
		}
	}
}

func deploys(t *testing.T) {
	begin := time.Now()
	_, err := box.Up(t.Context())
	must(t, err)
	t.Logf("tools, hosts and pulumi up: %s", time.Since(begin).Round(time.Second))
	hidden(t)
	out, err := box.Engine.Outputs(t.Context())
	must(t, err)
	if got := fmt.Sprint(out["announce"]); got != sandbox.Announced+":7100" {
		t.Errorf("announce is %q", got)
	}
	if got := fmt.Sprint(out["nodeAddresses"].(map[string]any)[sandbox.PRepHost]); got != box.Peers.PRep {
		t.Errorf("the output gives %s for the P-Rep's key, the genesis names %s", got, box.Peers.PRep)
	}
}

func keepsSecrets(t *testing.T) {
	admin, err := os.ReadFile(box.Lab.AdminKey())
	must(t, err)
	state, err := box.Engine.Secrets(t.Context())
	must(t, err)
	file, err := os.ReadFile(box.Engine.StackFile())
	must(t, err)
	// The administrator's key is in the state, as a secret: without its passphrase, it must not be readable.
	sealed, err := box.Engine.Sealed(t.Context())
	must(t, err)
	middle := strings.Split(string(admin), "\n")[2]
	if !strings.Contains(state, middle) {
		t.Error("the administrator's key is not in the opened state: this test would see nothing")
	}
	for what, text := range map[string]string{"the state": sealed, "the stack file": string(file)} {
		if strings.Contains(text, middle) {
			t.Errorf("the administrator's key is readable in %s", what)
		}
	}
	// Node keys never leave their hosts, not even as secrets.
	for _, host := range []string{sandbox.PRepHost, "citizen-1"} {
		password := on(t, host, "cat "+sandbox.DataDir+"/key/password")
		cipher := on(t, host, `sed -n 's/.*"ciphertext" *: *"\([0-9a-f]*\)".*/\1/p' `+sandbox.DataDir+"/key/keystore.json")
		if len(password) < 20 || len(cipher) != 64 {
			t.Fatalf("%s: password of %d characters and cipher text of %d: not what this test looks for", host, len(password), len(cipher))
		}
		if strings.Contains(state, password) || strings.Contains(state, cipher) {
			t.Errorf("the node key of %s is in the state", host)
		}
		// The pattern goes by standard input, or grep would find itself.
		found, err := box.Lab.Exec(t.Context(), host, strings.NewReader(password), "bash", "-c",
			"grep -lFf - /proc/[0-9]*/cmdline /proc/[0-9]*/environ 2>/dev/null || true")
		must(t, err)
		if found != "" {
			t.Errorf("%s: the key's password is in a command line or an environment: %s", host, found)
		}
		if modes := on(t, host, "stat -c '%a %U' "+sandbox.DataDir+" "+sandbox.DataDir+"/key "+sandbox.DataDir+"/key/*"); modes !=
			"700 icon-node\n700 icon-node\n400 icon-node\n400 icon-node" {
			t.Errorf("%s: modes of data directory and key: %s", host, modes)
		}
	}
}

func secondUpChangesNothing(t *testing.T) {
	begin := time.Now()
	r := up(t)
	t.Logf("up without a change: %s", time.Since(begin).Round(100*time.Millisecond))
	if c := changes(r); len(c) > 0 {
		t.Errorf("changed: %v", c)
	}
}

// stepsAreIdempotent gives every step to its host again, as Pulumi would on a change that makes none.
func stepsAreIdempotent(t *testing.T) {
	ran := 0
	for _, s := range appliedSteps(t) {
		out, err := s.again(t.Context())
		if err != nil {
			t.Errorf("%s: %v\n%s", s.urn, err, out)
			continue
		}
		if !strings.Contains(out, "changed=0\n") {
			t.Errorf("%s changed something the second time: %s", s.urn, out)
		}
		ran++
	}
	t.Logf("%d steps applied again", ran)
	if ran < 18 {
		t.Errorf("only %d steps found in the state", ran)
	}
}

type appliedStep struct{ urn, address, create, stdin string }

func appliedSteps(t *testing.T) []appliedStep {
	t.Helper()
	text, err := box.Engine.Secrets(t.Context())
	must(t, err)
	var state struct {
		Deployment struct {
			Resources []struct {
				URN, Type string
				Inputs    struct {
					Create, Stdin string
					Connection    json.RawMessage
				}
			}
		}
	}
	must(t, json.Unmarshal([]byte(text), &state))
	var steps []appliedStep
	for _, r := range state.Deployment.Resources {
		if r.Type != "command:remote:Command" {
			continue
		}
		// A secret object is text within an object; without secrets it is the object itself.
		raw := []byte(r.Inputs.Connection)
		var secret struct{ Plaintext string }
		if json.Unmarshal(raw, &secret) == nil && secret.Plaintext != "" {
			raw = []byte(secret.Plaintext)
		}
		var c struct{ Host string }
		must(t, json.Unmarshal(raw, &c))
		steps = append(steps, appliedStep{urn: r.URN, address: c.Host, create: r.Inputs.Create, stdin: r.Inputs.Stdin})
	}
	return steps
}

// again runs the step's own command, with its own standard input, by ssh.
func (s appliedStep) again(ctx context.Context) (string, error) {
	return box.SSH(ctx, s.address, s.stdin, s.create)
}

func sentriesFilter(t *testing.T) {
	sentry := box.Address("sentry-1").String()
	ask := func(path string) string {
		return on(t, sandbox.PeerHost, fmt.Sprintf(`curl -s -o /dev/null -m 5 -w '%%{http_code}' --path-as-is http://%s:9000%s -H 'Content-Type: application/json' -d '{"jsonrpc":"2.0","id":1,"method":"icx_getLastBlock"}'`, sentry, path))
	}
	for _, path := range []string{"/api/v3", "/api/v3/icon_dex"} {
		if got := ask(path); got != "200" {
			t.Errorf("%s: %s, want 200", path, got)
		}
	}
	for _, path := range []string{"/", "/admin/system", "/admin/chain", "/metrics", "/api/v3d", "/api/rosetta", "/api/v3/../../admin/chain", "/api/v3/%2e%2e/%2e%2e/admin/chain", "/api/v3x"} {
		if got := ask(path); got != "404" {
			t.Errorf("%s: %s, want 404", path, got)
		}
	}
	silent := on(t, sandbox.PeerHost, fmt.Sprintf("time=$( { TIMEFORMAT=%%R; time timeout 10 cat < /dev/tcp/%s/7100; } 2>&1 ); echo $time", sentry))
	if silent < "2.5" || silent > "4.5" {
		t.Errorf("a silent connection to 7100 was held for %s s, want about 3", silent)
	}
	for name, first := range map[string]string{
		"junk": `GET / HTTP/1.0\r\n\r\n`,
		// A handshake's first packet for the network "ffffff".
		"another network": `\x00\x00\x01\x00AAAAAAAAAAAAAAAAAAAA\xff\x01\x00\x00\x00\x10\x94\xa6ffffff`,
	} {
		code := on(t, sandbox.PeerHost, fmt.Sprintf("exec 5<>/dev/tcp/%s/7100; printf '%s' >&5; timeout 2 cat <&5 >/dev/null; echo $?", sentry, first))
		if code == "124" {
			t.Errorf("%s: the sentry keeps the connection", name)
		}
	}
	// Neither the relay nor SSH is there for the internet.
	open, err := box.Lab.ScanPorts(t.Context(), sandbox.PeerHost, box.Address("sentry-1"), 1, 65535)
	must(t, err)
	slices.Sort(open.Open)
	if !slices.Equal(open.Open, []int{7100, 9000}) || open.Refused > 0 {
		t.Errorf("a sentry's open ports from the internet: %v, refused %d; want 7100 and 9000 only", open.Open, open.Refused)
	}
}
