package hardening

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/insight-icon/pulumi-icon/tests/golden"
)

func parsed(tb testing.TB, text string) *Report {
	tb.Helper()
	r, err := ParseReport(text)
	if err != nil {
		tb.Fatal(err)
	}
	return r
}

const (
	drifted = "drift\tssh-server\tsshd: maxstartups\t10:30:60\t100\ndrift\tssh-server\t/etc/motd\tAuthorised\t\n" +
		"control\tssh-server\tdrift\t2\t31\n"
	wanted = "control\tbanners\tok\t\t3\ncontrol\taudit\tn/a\ta container has no audit state\t1\n"
	left   = "control\tintegrity\tleft\tour own tool does it\t0\n"
)

func TestAReportIsRead(t *testing.T) {
	r := parsed(t, wanted+drifted+left)
	if len(r.Controls) != 4 || r.Ran() != 3 || r.Controls[0].Took != 3*time.Millisecond || r.Controls[1].State != StateNotHere ||
		r.Controls[3].Detail != "our own tool does it" {
		t.Errorf("controls %+v", r.Controls)
	}
	if len(r.Drifts) != 2 || r.Drifts[0] != (Drift{"ssh-server", "sshd: maxstartups", "10:30:60", "100"}) {
		t.Errorf("drifts %+v", r.Drifts)
	}
	if r := parsed(t, wanted+"fail\tssh-server\tsshd -t refuses it\n"); r.Failure != "ssh-server: sshd -t refuses it" {
		t.Errorf("failure %q", r.Failure)
	}
	if r := parsed(t, "fail\t\tneeds root\n"); r.Failure != "needs root" {
		t.Errorf("failure %q", r.Failure)
	}
}

func TestALineThatTheProgramDoesNotWriteIsNamed(t *testing.T) {
	for text, want := range map[string]string{
		"":                                       "is empty",
		"\n":                                     `line 1 : expected control, drift or fail`,
		wanted + "all is well\n":                 "line 3 all is well: expected control, drift or fail",
		"control\tbanners\tok\t\n":               "has 3 fields after its first word; expected 4",
		"control\tbanners\tok\t\t3\t4\n":         "has 5 fields",
		"control\tbanners\tfine\t\t3\n":          "expected ok, changed, drift, n/a or left",
		"control\tBanners\tok\t\t3\n":            "expected the ID of a control",
		"control\t\tok\t\t3\n":                   "expected the ID of a control",
		"control\tbanners\tok\t\tsoon\n":         "expected milliseconds",
		"control\tbanners\tok\t\t-1\n":           "expected milliseconds",
		"control\tbanners\tok\t\t86400001\n":     "expected milliseconds",
		"control\tbanners\tleft\t\t3\n":          "is left without a reason",
		"fail\tbanners\t\n":                      "says not why",
		"fail\tbanners\tx\n" + wanted:            "follows a line",
		wanted + wanted:                          "tells of control banners twice",
		"drift\taudit\ta\tb\tc\n" + wanted:       `has a drift of control audit, which it calls "n/a"`,
		"control\tbanners\tdrift\t1\t3\n":        "calls control banners drifted, and does not say how",
		"control\tbanners\tok\x1b[2J\t\t3\n":     `\x1b[2J`,
		strings.Repeat("x", 100000) + "\n":       "…",
		"control\tbanners\tok\t\t3\n\n" + wanted: "line 2",
	} {
		r, err := ParseReport(text)
		if err == nil || !strings.Contains(err.Error(), want) || len(err.Error()) > 1000 || strings.Contains(err.Error(), "\x1b") {
			t.Errorf("%.60q gives %+v, %v; wanted %q", text, r, err, want)
		}
	}
}

// FuzzReport: what is read has a place for every line, and what is shown of it is harmless to a terminal.
func FuzzReport(f *testing.F) {
	for _, seed := range []string{wanted + drifted + left, wanted + "fail\taudit\tx\n", "drift\ta\tb\x1b[0m\t\xff\t\n", "fail\t\tx"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		r, err := ParseReport(text)
		if err != nil {
			return
		}
		failed := 0
		if r.Failure != "" {
			failed = 1
		}
		if lines := strings.Count(strings.TrimSuffix(text, "\n"), "\n") + 1; lines != len(r.Controls)+len(r.Drifts)+failed {
			t.Errorf("%d lines give %+v", lines, r)
		}
		table := Reports{{Host: "a", Report: r}}.Table()
		if strings.ContainsFunc(table, func(c rune) bool { return c < ' ' && c != '\n' || c == 0x7f || c >= 0x80 && c < 0xa0 }) {
			t.Errorf("the table holds control characters: %q", table)
		}
	})
}

func someReports(t *testing.T) Reports {
	t.Helper()
	return Reports{
		{Host: "citizen-1", Report: parsed(t, wanted+"control\tssh-server\tok\t\t9\n"+left)},
		{Host: "prep-1", Report: parsed(t, wanted+drifted+"control\tnode\tok\t\t1\n"+left)},
		{Host: "sentry-1", Problem: "host sentry-1 (its login): not reached within 15s at 192.0.2.7:22: connection refused\nIs it on?"},
		{Host: "sentry-2", Report: parsed(t, "control\tbanners\tchanged\t1\t3\nfail\taudit\tline 7 ended with 1\n")},
	}
}

func TestTheTableReadsAsReviewed(t *testing.T) {
	golden.Check(t, "verify.txt", someReports(t).Table())
	golden.Check(t, "verify-as-wanted.txt", someReports(t)[:1].Table())
}

func TestTheJSONReadsAsReviewed(t *testing.T) {
	text, err := someReports(t).JSON()
	if err != nil {
		t.Fatal(err)
	}
	golden.Check(t, "verify.json", string(text)+"\n")
	text, err = Reports(nil).JSON()
	var empty struct{ Hosts []any }
	if err != nil || json.Unmarshal(text, &empty) != nil || empty.Hosts == nil {
		t.Errorf("no host gives %s, %v", text, err)
	}
}

func TestTheExitCodeTellsDriftFromSilence(t *testing.T) {
	all := someReports(t)
	for name, c := range map[string]struct {
		reports Reports
		want    int
		summary string
	}{
		"as wanted": {all[:1], ExitAsWanted, "1 host, 3 controls: as wanted"},
		"drift":     {all[:2], ExitDrift, "2 hosts, 7 controls: 2 differences, on prep-1"},
		"silence":   {all[:3], ExitNotAsked, "3 hosts, 7 controls: 2 differences, on prep-1; 1 host not asked"},
		"failure":   {all[3:], ExitNotAsked, "1 host, 1 control: 1 host not asked"},
	} {
		if got := c.reports.ExitCode(); got != c.want {
			t.Errorf("%s: exit code %d, wanted %d", name, got, c.want)
		}
		if got := c.reports.Summary(); got != c.summary {
			t.Errorf("%s: %q, wanted %q", name, got, c.summary)
		}
	}
}

// engineSays runs the engine's half "verify" with controls of the test's, as an ordinary process of this machine.
func engineSays(t *testing.T, controls, ids string) *Report {
	t.Helper()
	dir := t.TempDir()
	text := strings.NewReplacer("/var/lib/icon", dir, "/run/icon", dir).Replace(engine()) + "ORDINARY=(" + ids + ") ACCESS=()\n" +
		"declare -A LEFT_OUT=()\nPROFILE=prep\n" + controls + "\nmain verify </dev/null\n"
	file := filepath.Join(dir, "program")
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	out, err := exec.Command("bash", "-c", `bash "$0" 3>&1 >/dev/null 2>&1`, file).Output()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	return parsed(t, string(out))
}

func TestAControlThatStumblesIsNamedAndTheOthersGoOn(t *testing.T) {
	r := engineSays(t, `
false_one() { false; }
unset_one() { : "$NOT_SET"; }
piped_one() { printf 'x\n' | want_file 0644 root:root /nowhere; }
part_one() { local x; while read -r x; do :; done < <(false); }
good_one() { :; }`, "false-one unset-one piped-one part-one good-one")
	want := map[string]State{
		"false-one": StateDrift, "unset-one": StateDrift, "piped-one": StateDrift, "part-one": StateOK, "good-one": StateOK,
	}
	for _, c := range r.Controls {
		if c.State != want[c.Control] {
			t.Errorf("%s: %s, wanted %s; drifts %+v", c.Control, c.State, want[c.Control], r.Drifts)
		}
	}
	if len(r.Controls) != len(want) {
		t.Errorf("%d controls, wanted %d: %+v", len(r.Controls), len(want), r)
	}
}
