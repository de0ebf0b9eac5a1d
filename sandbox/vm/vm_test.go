package vm

import (
	"crypto/sha256"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

func TestAWrongConfigurationIsRefusedWithAllThatIsWrong(t *testing.T) {
	cfg := Config{Dir: "a,b", Tree: t.TempDir(), CPUs: -1, Disk: 1}
	setDefaults(&cfg)
	err := validate(cfg)
	for _, want := range []string{`Dir "a,b"`, "Tree ", "-1 CPUs", "a disk of 1 MiB"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want an error with %s", err, want)
		}
	}
	tree := t.TempDir()
	if err := os.MkdirAll(filepath.Join(tree, "usr", "lib", "grub", "i386-pc"), 0o755); err != nil {
		t.Fatal(err)
	}
	good := Config{Dir: tree, Tree: tree}
	setDefaults(&good)
	if err := validate(good); err != nil {
		t.Errorf("got %v, want no error with defaults", err)
	}
}

func TestTheMachineIsReachedFromThisMachineAlone(t *testing.T) {
	m := &Machine{cfg: Config{Dir: "/dir", CPUs: 2, Memory: 4096}}
	argv := strings.Join(m.argv(), " ")
	if strings.Count(argv, "hostfwd=") != 1 || !strings.Contains(argv, "hostfwd=tcp:127.0.0.1:2222-:22") {
		t.Errorf("got %s, want one forwarded port, of 127.0.0.1", argv)
	}
	for _, other := range []string{"tap", "bridge", "-vnc", "-monitor", "-nic"} {
		if strings.Contains(argv, other) {
			t.Errorf("got %s, want nothing of %s", argv, other)
		}
	}
}

func TestAptFindsAnEmptySuiteWithItsChecksums(t *testing.T) {
	server := httptest.NewServer(emptySuite("bookworm-security"))
	defer server.Close()
	get := func(path string) string {
		response, err := http.Get(server.URL + "/dists/bookworm-security/" + path)
		if err != nil {
			t.Fatal(err)
		}
		defer response.Body.Close()
		var b strings.Builder
		if err := response.Write(&b); err != nil || response.StatusCode != http.StatusOK {
			t.Fatalf("%s: %s, %v", path, response.Status, err)
		}
		_, body, _ := strings.Cut(b.String(), "\r\n\r\n")
		return body
	}
	release, packages := get("Release"), get("main/binary-amd64/Packages")
	want := fmt.Sprintf(" %x %d main/binary-amd64/Packages\n", sha256.Sum256([]byte(packages)), len(packages))
	if !strings.Contains(release, want) {
		t.Errorf("got %q, want a line %q", release, want)
	}
}

func TestWordsReachTheMachineAsTheyAre(t *testing.T) {
	words := []string{"a b", "it's", "$HOME", `\n`, "", "*", "line\nline"}
	quoted := make([]string, len(words))
	for i, word := range words {
		quoted[i] = quote(word)
	}
	out, err := exec.Command("bash", "-c", "printf '%s|' "+strings.Join(quoted, " ")).Output()
	if want := strings.Join(words, "|") + "|"; err != nil || string(out) != want {
		t.Errorf("got %q, %v, want %q", out, err, want)
	}
}
