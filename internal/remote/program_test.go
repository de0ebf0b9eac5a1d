package remote_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/insight-icon/pulumi-icon/internal/remote"
	"github.com/insight-icon/pulumi-icon/internal/verify"
	"github.com/insight-icon/pulumi-icon/tests/golden"
	"github.com/insight-icon/pulumi-icon/tests/host"
)

func program(tb testing.TB, script string, vars, files map[string]string) string {
	tb.Helper()
	text, err := remote.Program(script, vars, files)
	if err != nil {
		tb.Fatal(err)
	}
	return text
}

const idle = "apply() { :; }\nremove() { :; }\n"

func TestAProgramReadsAsReviewed(t *testing.T) {
	text := program(t, idle, map[string]string{"B": "it's", "A": "two\nlines"}, map[string]string{
		"plain.txt": "line\n", "no-end.txt": "no line end", "binary": strings.Repeat("\x00\xff", 100) + "\n", "empty": "",
	})
	_, own, _ := strings.Cut(text, "\nA=")
	golden.Check(t, "program.txt", "A="+own)
	host.Shellcheck(t, text)
}

func TestNamesThatBashWouldMisreadAreRefused(t *testing.T) {
	for _, name := range []string{"", "A B", "A;B", "1A", "A.B", "A-B", "$(id)", "A\n"} {
		if _, err := remote.Program(idle, map[string]string{name: "x"}, nil); err == nil {
			t.Errorf("the variable %q is accepted", name)
		}
	}
	for _, name := range []string{"", "../x", "/etc/passwd", "a b", "a\"b", "-rf", "a\n"} {
		if _, err := remote.Program(idle, nil, map[string]string{name: "x"}); err == nil {
			t.Errorf("the file %q is accepted", name)
		}
	}
	if _, err := remote.Program(idle, map[string]string{"A": "x\x00y"}, nil); err == nil || strings.Contains(err.Error(), "x\x00y") {
		t.Errorf("a NUL byte gives %v", err)
	}
}

// arrive runs a program without the library's main: it lays the files and shows the variable.
func arrive(t *testing.T, value, content string) (gotValue, gotContent string) {
	t.Helper()
	dir := t.TempDir()
	text := program(t, `main() { STEP_DIR=$1; lay_files; printf '%s' "$VALUE" >"$STEP_DIR/value"; }`+"\n",
		map[string]string{"VALUE": value}, map[string]string{"content": content})
	path := filepath.Join(dir, "program")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	if out, err := exec.Command("bash", path, dir).CombinedOutput(); err != nil || len(out) > 0 {
		t.Fatalf("%v\n%s", err, out)
	}
	read := func(name string) string {
		got, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil {
			t.Fatal(err)
		}
		return string(got)
	}
	return read("value"), read("content")
}

func FuzzProgram(f *testing.F) {
	for _, s := range []string{
		"", "\n", "a\n", "it's", "$(id) `id` $HOME \\ \" '", "ICON-END-OF-FILE\n", "a\nICON-END-OF-FILE\nid\n", "\r\n", "\xff\xfe\n", "ü\n",
		"EOF\n'\n", "-n", "!!\n", "\t tabs\n", strings.Repeat("x", 5000), strings.Repeat("long line ", 200) + "\n", "\\\n", "}\n",
	} {
		f.Add(s, s)
	}
	f.Fuzz(func(t *testing.T, value, content string) {
		if strings.ContainsRune(value, 0) {
			if _, err := remote.Program(idle, map[string]string{"VALUE": value}, nil); err == nil {
				t.Error("a NUL byte, which bash would drop, is accepted")
			}
			return
		}
		gotValue, gotContent := arrive(t, value, content)
		if gotValue != value || gotContent != content {
			t.Errorf("variable %q arrives as %q, file %q as %q", value, gotValue, content, gotContent)
		}
	})
}

func FuzzQuote(f *testing.F) {
	for _, s := range []string{"", "'", "''", "a'b\"c", "$HOME", "\\", "\n", "-e", "\x7f\xff"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		if strings.ContainsRune(s, 0) {
			return
		}
		out, err := exec.Command("sh", "-c", "printf %s "+remote.Quote(s)).Output()
		if err != nil || string(out) != s {
			t.Errorf("%q arrives as %q (%v)", s, out, err)
		}
	})
}

func FuzzSummaryValue(f *testing.F) {
	f.Add("changed=0\naddress=hx00", "address", "hx00")
	f.Add("", "", "")
	f.Fuzz(func(t *testing.T, before, key, value string) {
		if strings.ContainsAny(key+value, "\n") || strings.HasPrefix(before, key+"=") || strings.Contains(before, "\n"+key+"=") {
			return
		}
		if got := remote.SummaryValue(before+"\n"+key+"="+value+"\nchanged=1", key); got != value && !strings.HasPrefix("changed=1", key+"=") {
			t.Errorf("key %q: got %q, wanted %q", key, got, value)
		}
	})
}

func TestASummaryWithoutTheKeyGivesNothing(t *testing.T) {
	for _, summary := range []string{"", "addresses=x", "my address=x", "Address=x", "address"} {
		if got := remote.SummaryValue(summary, "address"); got != "" {
			t.Errorf("%q gives %q", summary, got)
		}
	}
}

func TestTheLauncherIsShortAndTheSameForEveryInput(t *testing.T) {
	golden.Check(t, "launcher.txt", verify.Command("apply", "prep-1", "ready", 10*time.Minute, "root")+"\n"+
		verify.Command("remove", "prep-1", "ready", 90*time.Second, "deploy")+"\n")
	for _, user := range []string{"root", "deploy"} {
		host.Accepted(t, exec.Command("sh", "-n", "-c", verify.Command("apply", "prep-1", "ready", time.Minute, user)))
	}
}
