package tools

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
)

// fake is a source like the real ones, only small.
var fake = source{name: "fake", dir: "fake", pkg: ".", module: "example.com/other", stamp: "main.version", takes: "a second"}

const fakeMod = "module example.com/fake\n\ngo 1.21\n\nrequire (\n\texample.com/other v1.2.3\n)\n\nreplace example.com/other => ./other\n"

// newBuilder returns a builder of a repository that holds only fake, and the lines it has said so far.
func newBuilder(t *testing.T) (*builder, func() string) {
	t.Helper()
	b := &builder{root: t.TempDir(), dir: filepath.Join(t.TempDir(), "built")}
	var mu sync.Mutex
	var said []string
	b.progress = func(format string, args ...any) {
		mu.Lock()
		defer mu.Unlock()
		said = append(said, fmt.Sprintf(format, args...))
	}
	write(t, filepath.Join(b.root, "tools/fake/go.mod"), fakeMod)
	write(t, filepath.Join(b.root, "tools/fake/other/go.mod"), "module example.com/other\n\ngo 1.21\n")
	writeMain(t, b, "first")
	return b, func() string {
		mu.Lock()
		defer mu.Unlock()
		return strings.Join(said, "\n")
	}
}

func writeMain(t *testing.T, b *builder, word string) {
	t.Helper()
	write(t, filepath.Join(b.root, "tools/fake/main.go"),
		"package main\n\nvar version string\n\nfunc main() { println(\""+word+"\", version) }\n")
}

func write(t *testing.T, path, text string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}

func build(t *testing.T, b *builder) string {
	t.Helper()
	paths, err := b.buildAll(t.Context(), fake)
	if err != nil {
		t.Fatal(err)
	}
	return paths[0]
}

func TestBuildsOnceUntilSourcesChange(t *testing.T) {
	b, said := newBuilder(t)
	first := build(t, b)
	out, err := exec.Command(first).CombinedOutput()
	if err != nil || string(out) != "first v1.2.3\n" {
		t.Errorf("the binary says %q (%v), want its word and the version of go.mod", out, err)
	}
	write(t, filepath.Join(b.root, "tools/fake/main_test.go"), "package main\n")
	if again := build(t, b); again != first {
		t.Errorf("built again at %s, though no source changed since %s", again, first)
	}
	if n := strings.Count(said(), "building fake v1.2.3 (about a second, once)"); n != 1 {
		t.Errorf("%d builds were announced, want 1:\n%s", n, said())
	}
	writeMain(t, b, "second")
	second := build(t, b)
	if second == first {
		t.Fatalf("the binary of the old sources is used: %s", first)
	}
	if out, err := exec.Command(second).CombinedOutput(); err != nil || string(out) != "second v1.2.3\n" {
		t.Errorf("after the change the binary says %q (%v)", out, err)
	}
	write(t, filepath.Join(b.root, "tools/fake/go.mod"), strings.Replace(fakeMod, "v1.2.3", "v1.2.4", 1))
	if third := build(t, b); third == second {
		t.Errorf("the binary of another go.mod is used: %s", second)
	}
}

func TestAFailedBuildLeavesNothingAndSaysWhatToDo(t *testing.T) {
	b, _ := newBuilder(t)
	write(t, filepath.Join(b.root, "tools/fake/main.go"), "package main\n\nfunc main() { undefined() }\n")
	_, err := b.buildAll(t.Context(), fake)
	if err == nil {
		t.Fatal("a program that can't be compiled was built")
	}
	for _, want := range []string{"fake: `go build ", " in tools/fake: exit status 1", "undefined: undefined", "run the same command again"} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("the error lacks %q:\n%v", want, err)
		}
	}
	if entries := names(t, b.dir); !slices.Equal(entries, []string{".lock"}) {
		t.Errorf("the failed build left %q", entries)
	}
}

func TestAnInterruptedBuildIsCleanedUpByTheNext(t *testing.T) {
	b, _ := newBuilder(t)
	write(t, filepath.Join(b.dir, unfinished+"7", "fake"), "half a binary")
	path := build(t, b)
	want := []string{".lock", filepath.Base(filepath.Dir(path))}
	if entries := names(t, b.dir); !slices.Equal(entries, want) {
		t.Errorf("there are %q, want %q", entries, want)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	writeMain(t, b, "never built")
	if _, err := b.buildAll(ctx, fake); !errors.Is(err, context.Canceled) {
		t.Errorf("a cancelled build ends with %v", err)
	}
}

func TestTwoProcessesBuildOnce(t *testing.T) {
	b, said := newBuilder(t)
	paths := make([][]string, 2)
	errs := make([]error, 2)
	var both sync.WaitGroup
	for i := range 2 {
		both.Go(func() { paths[i], errs[i] = b.buildAll(t.Context(), fake) })
	}
	both.Wait()
	if err := errors.Join(errs...); err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(paths[0], paths[1]) || strings.Count(said(), "building fake") != 1 {
		t.Errorf("%q and %q were built:\n%s", paths[0], paths[1], said())
	}
}

func TestEveryToolsModuleNamesItsVersion(t *testing.T) {
	root, err := repository()
	if err != nil {
		t.Fatal(err)
	}
	b := &builder{root: root}
	for _, s := range []source{goloopSource, pulumiSource, languageSource, pebbleSource} {
		if version, err := b.version(s); err != nil || !strings.HasPrefix(version, "v") {
			t.Errorf("%s: version %q, %v", s.name, version, err)
		}
	}
	for _, s := range append(slices.Clone(cloudSources), standInSource) {
		if _, err := os.Stat(filepath.Join(b.moduleDir(s), "go.mod")); err != nil {
			t.Error(err)
		}
	}
}

func TestTheChosenToolsComeFirstOnPath(t *testing.T) {
	t.Setenv("PATH", "/usr/bin")
	tools := Tools{Pulumi: "/a/pulumi", LanguageHost: "/a/pulumi-language-go", CommandPlugin: "/b/" + commandPlugin, Goloop: "/c/goloop"}
	env := tools.Env()
	if !slices.Contains(env, "PATH=/b:/a:/c:/usr/bin") {
		t.Errorf("environment: %q", env)
	}
	const noDownloads = "PULUMI_DISABLE_AUTOMATIC_PLUGIN_ACQUISITION=true"
	if slices.Contains(env, noDownloads) {
		t.Error("downloads of plugins are off, though the real plugin is used")
	}
	cloud := tools
	cloud.Cloud = []string{"/d/pulumi-resource-aws", "/e/pulumi-resource-tls"}
	if env := cloud.Env(); !slices.Contains(env, "PATH=/d:/e:/b:/a:/c:/usr/bin") || !slices.Contains(env, noDownloads) {
		t.Errorf("with a stand-in for a cloud, the environment is %q", env)
	}
	tools.StandIn = true
	if !slices.Contains(tools.Env(), noDownloads) {
		t.Error("the engine may replace the stand-in by a download")
	}
}

func names(t *testing.T, dir string) []string {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	var all []string
	for _, e := range entries {
		all = append(all, e.Name())
	}
	return all
}
