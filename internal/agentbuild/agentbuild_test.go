package agentbuild_test

import (
	"context"
	"debug/elf"
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/insight-icon/pulumi-icon/internal/agentbuild"
)

// The environment's variable that has the test's own binary build alone, as a deploy of its own.
const alone = "ICON_TEST_BUILD"

func TestMain(m *testing.M) {
	arch := os.Getenv(alone)
	if arch == "" {
		os.Exit(m.Run())
	}
	path, err := agentbuild.Build(context.Background(), arch)
	if err != nil {
		path = err.Error()
	}
	_, _ = os.Stdout.WriteString(path)
}

func build(t *testing.T, arch string, env ...string) string {
	t.Helper()
	cmd := exec.Command(os.Args[0])
	// Go's own cache is below the user's, too, and takes minutes to fill.
	cache, err := exec.Command("go", "env", "GOCACHE").Output()
	if err != nil {
		t.Fatal(err)
	}
	cmd.Env = append(append(os.Environ(), alone+"="+arch, "GOCACHE="+strings.TrimSpace(string(cache))), env...)
	out, err := cmd.Output()
	if err != nil {
		t.Fatal(err)
	}
	return string(out)
}

func TestTheAgentIsAStaticProgramAndTheSameEachTime(t *testing.T) {
	cache, again := t.TempDir(), t.TempDir()
	path := build(t, "amd64", "XDG_CACHE_HOME="+cache)
	f, err := elf.Open(path)
	if err != nil {
		t.Fatalf("%s: %v", path, err)
	}
	defer f.Close()
	libraries, err := f.ImportedLibraries()
	if err != nil || len(libraries) > 0 || f.Machine != elf.EM_X86_64 {
		t.Errorf("libraries %v (%v), machine %v", libraries, err, f.Machine)
	}
	if second := build(t, "amd64", "XDG_CACHE_HOME="+cache); second != path {
		t.Errorf("first %s, then %s", path, second)
	}
	// The name ends in the sum of the content: another directory makes no difference to it.
	if other := build(t, "amd64", "XDG_CACHE_HOME="+again); strings.TrimPrefix(other, again) != strings.TrimPrefix(path, cache) {
		t.Errorf("here %s, elsewhere %s", path, other)
	}
}

func TestWithoutGoWhatToDoIsSaid(t *testing.T) {
	for want, said := range map[string]string{
		"there is no Go on PATH":                      build(t, "amd64", "PATH="+t.TempDir()),
		`architecture "sparc": wanted amd64 or arm64`: build(t, "sparc"),
	} {
		if !strings.Contains(said, want) || !strings.Contains(said, "set icon:sentries.agent") {
			t.Errorf("%q, wanted %q", said, want)
		}
	}
}
