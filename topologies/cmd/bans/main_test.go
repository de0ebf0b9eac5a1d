package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/insight-icon/pulumi-icon/internal/sshrun/sshtest"
	"github.com/insight-icon/pulumi-icon/internal/verify"
)

const banned = `{"kernel": true, "bans": [{"source": "203.0.113.9/32", "rule": "p2p-garbage", "why": "no handshake\u001b[2J", "strikes": 21,
 "times": 2, "firstSeen": "2026-11-22T10:00:00Z", "lastSeen": "2026-11-22T10:00:05Z", "since": "2026-11-22T10:00:05Z",
 "ends": "2026-11-22T10:04:05Z"}, {"source": "198.51.100.0/24", "rule": "by-hand", "why": "abuse", "strikes": 0, "times": 1,
 "firstSeen": "2026-11-22T09:00:00Z", "lastSeen": "2026-11-22T09:00:00Z", "since": "2026-11-22T09:00:00Z",
 "ends": "2026-11-22T10:00:00Z"}]}`

// installation is a deployed stack of a P-Rep and the sentries a, b and c; what each sentry is told is noted.
type installation struct {
	mu   sync.Mutex
	told []string
}

// deployed puts a pulumi on the PATH that knows the stack "lisbon". answers are by what a sentry's command ends with.
func deployed(t *testing.T, user string, answer func(command string, c sshtest.Call) uint32) *installation {
	t.Helper()
	var in installation
	key := sshtest.NewKey(t)
	s := sshtest.Serve(t, user, key, func(c sshtest.Call) uint32 {
		_, _ = io.ReadAll(c.In)
		in.mu.Lock()
		in.told = append(in.told, c.Command)
		in.mu.Unlock()
		return answer(c.Command, c)
	})
	var resources []any
	add := func(urn, host, step string) {
		resources = append(resources, map[string]any{
			"type": "command:remote:Command", "urn": "urn:pulumi:lisbon::icon::" + urn, "inputs": map[string]any{
				"create": verify.Command("apply", host, step, time.Minute, user), "stdin": "\nrun_verify() {\n",
				"connection": map[string]any{"host": "127.0.0.1", "port": s.Port, "hostKey": s.HostKey, "privateKey": key.Private, "user": user},
			},
		})
	}
	for _, host := range []string{"prep", "a", "b", "c"} {
		add("icon:components:Network$command:remote:Command::network-"+host+"-harden", host, verify.Step)
		if host != "prep" {
			add("icon:components:SentryLayer$command:remote:Command::sentries-"+host+"-service", host, "service")
		}
	}
	text, err := json.Marshal(map[string]any{"deployment": map[string]any{"resources": resources}})
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "export.json"), text, 0o600); err != nil {
		t.Fatal(err)
	}
	script := `#!/bin/sh
[ "$*" = "stack export --show-secrets --non-interactive --stack=lisbon" ] && exec cat ` + dir + `/export.json
echo "called with $*" >&2; exit 9
`
	if err := os.WriteFile(filepath.Join(dir, "pulumi"), []byte(script), 0o700); err != nil {
		t.Fatal(err)
	}
	t.Setenv("PATH", dir+":"+os.Getenv("PATH"))
	return &in
}

func asked(t *testing.T, args ...string) (code int, out, said string) {
	t.Helper()
	var stdout, stderr bytes.Buffer
	code = run(t.Context(), args, &stdout, &stderr)
	return code, stdout.String(), stderr.String()
}

func lists(_ string, c sshtest.Call) uint32 {
	fmt.Fprint(c.Out, banned)
	return 0
}

func TestAllSentriesAreListedInOneTable(t *testing.T) {
	in := deployed(t, "root", lists)
	code, out, said := asked(t, "lisbon")
	want := `SENTRY  SOURCE           RULE         STRIKES  TIMES  SINCE (UTC)          ENDS (UTC)           WHY
a       198.51.100.0/24  by-hand      0        1      2026-11-22 09:00:00  2026-11-22 10:00:00  abuse
a       203.0.113.9      p2p-garbage  21       2      2026-11-22 10:00:05  2026-11-22 10:04:05  no handshake?[2J
b       198.51.100.0/24  by-hand      0        1      2026-11-22 09:00:00  2026-11-22 10:00:00  abuse
`
	if code != exitDone || !strings.HasPrefix(out, want) || said != "" {
		t.Errorf("exit %d\n%s%s", code, out, said)
	}
	list := func(c string) bool { return c == "/usr/local/sbin/icon-sentry bans --json 'list'" }
	if len(in.told) != 3 || !list(in.told[0]) || !list(in.told[1]) || !list(in.told[2]) {
		t.Errorf("the hosts were told %q", in.told)
	}
}

func TestOnlyTheSentriesThatAreNamedAreAsked(t *testing.T) {
	in := deployed(t, "root", lists)
	if code, out, _ := asked(t, "-host", "c", "lisbon", "list"); code != exitDone || len(in.told) != 1 || strings.Contains(out, "\na ") {
		t.Errorf("exit %d, told %q\n%s", code, in.told, out)
	}
	for args, want := range map[string]string{
		"prep": "-host prep: is no sentry: it bans nobody", "x": "-host x: the stack lisbon has no such host, but a, b, c, prep",
	} {
		if code, _, said := asked(t, "-host", args, "lisbon"); code != exitNotAsked || !strings.Contains(said, want) {
			t.Errorf("%s: exit %d, %s", args, code, said)
		}
	}
}

func TestWhatIsSaidReachesEverySentryAsOneWord(t *testing.T) {
	in := deployed(t, "deploy", lists)
	code, _, said := asked(t, "lisbon", "add", "203.0.113.9", "--for", "2h", "--why", `it's $(reboot); "bad"`)
	want := `sudo -n /usr/local/sbin/icon-sentry bans --json 'add' '203.0.113.9' '--for' '2h' '--why' 'it'\''s $(reboot); "bad"'`
	if code != exitDone || len(in.told) != 3 || in.told[0] != want {
		t.Errorf("exit %d, told %q\nwanted %s\n%s", code, in.told, want, said)
	}
}

func TestTheExitCodeTellsRefusalFromSilence(t *testing.T) {
	refuse := func(_ string, c sshtest.Call) uint32 {
		fmt.Fprintln(c.Err, "icon-sentry: 203.0.113.9 is a known peer, which is never banned")
		return 1
	}
	deployed(t, "root", refuse)
	code, out, said := asked(t, "lisbon", "add", "203.0.113.9", "--why", "x")
	if code != exitRefused || !strings.Contains(said, "bans: b: 203.0.113.9 is a known peer") || !strings.Contains(out, "refused: see below") {
		t.Errorf("a refusal: exit %d\n%s%s", code, out, said)
	}
	deployed(t, "root", func(_ string, c sshtest.Call) uint32 {
		fmt.Fprintln(c.Err, "icon-sentry: the agent does not answer")
		return 3
	})
	if code, _, said := asked(t, "lisbon"); code != exitNotAsked || !strings.Contains(said, "the agent does not answer") {
		t.Errorf("an agent that is away: exit %d, %s", code, said)
	}
	deployed(t, "root", func(string, sshtest.Call) uint32 { return 127 })
	if code, _, said := asked(t, "lisbon"); code != exitNotAsked || !strings.Contains(said, "Run pulumi up") {
		t.Errorf("no agent: exit %d, %s", code, said)
	}
	deployed(t, "root", func(_ string, c sshtest.Call) uint32 {
		fmt.Fprint(c.Out, "hello")
		return 0
	})
	if code, _, said := asked(t, "lisbon"); code != exitNotAsked || !strings.Contains(said, "no list of bans") {
		t.Errorf("another answer: exit %d, %s", code, said)
	}
}

func TestJSONHasEverySentry(t *testing.T) {
	deployed(t, "root", func(_ string, c sshtest.Call) uint32 {
		fmt.Fprint(c.Out, `{"kernel": false, "bans": null}`)
		return 0
	})
	code, out, _ := asked(t, "-json", "lisbon", "list")
	var got struct {
		ExitCode int
		Sentries []struct {
			Host   string
			Kernel bool
			Bans   []any
		}
	}
	if err := json.Unmarshal([]byte(out), &got); err != nil || code != exitDone || len(got.Sentries) != 3 || got.Sentries[0].Bans == nil {
		t.Errorf("exit %d, %v\n%s", code, err, out)
	}
	if _, again, _ := asked(t, "lisbon", "list", "--json"); again != out {
		t.Errorf("with the flag at the end:\n%s", again)
	}
	if _, out, _ := asked(t, "lisbon"); !strings.Contains(out, "nothing is banned in the kernel of this variant") {
		t.Errorf("the table does not say that this variant bans nobody:\n%s", out)
	}
}

func TestAMistakeInTheCommandIsNamedWithTheUsage(t *testing.T) {
	in := deployed(t, "root", lists)
	for _, args := range [][]string{
		{},
		{""},
		{"-hots", "a", "lisbon"},
		{"a b"},
		{"lisbon", "drop"},
		{"lisbon", "list", "x"},
		{"lisbon", "add"},
		{"lisbon", "remove"},
		{"lisbon", "add", "203.0.113.300", "--why", "x"},
		{"lisbon", "remove", "2001:db8::1"},
		{"lisbon", "add", "--why", "x"},
	} {
		if code, out, said := asked(t, args...); code != exitUsage || out != "" || !strings.Contains(said, "usage: bans") {
			t.Errorf("%q: exit %d\n%s%s", args, code, out, said)
		}
	}
	if len(in.told) > 0 {
		t.Errorf("the sentries were told %q", in.told)
	}
}
