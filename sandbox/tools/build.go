package tools

import (
	"bufio"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

// source is a program built from one of the nested modules under tools/.
type source struct {
	name string // of the binary
	dir  string // of the nested module, below tools/
	pkg  string // the main package, as named inside that module
	// module is the one whose version the program has; empty for a program of this repository.
	module string
	// stamp is the variable that tells the program its version; empty: none.
	stamp string
	takes string // how long a build takes on two cores, for the one who waits
}

const pulumiStamp = "github.com/pulumi/pulumi/sdk/v3/go/common/version.Version"

var (
	goloopSource = source{
		name: "goloop", dir: "goloop", pkg: "github.com/icon-project/goloop/cmd/goloop",
		module: "github.com/icon-project/goloop", stamp: "main.version", takes: "half a minute",
	}
	pulumiSource = source{
		name: "pulumi", dir: "pulumi", pkg: "github.com/pulumi/pulumi/pkg/v3/cmd/pulumi",
		module: "github.com/pulumi/pulumi/pkg/v3", stamp: pulumiStamp, takes: "4 minutes",
	}
	languageSource = source{
		name: "pulumi-language-go", dir: "language-go", pkg: "github.com/pulumi/pulumi/sdk/v3/go/pulumi-language-go",
		module: "github.com/pulumi/pulumi/sdk/v3", stamp: pulumiStamp, takes: "half a minute",
	}
	standInSource = source{name: commandPlugin, dir: "command-plugin", pkg: ".", takes: "a minute"}
	// One after the other: the second has the first's packages in Go's cache.
	cloudSources = []source{
		{name: "pulumi-resource-aws", dir: "cloud-plugin", pkg: "./pulumi-resource-aws", takes: "a minute"},
		{name: "pulumi-resource-tls", dir: "cloud-plugin", pkg: "./pulumi-resource-tls", takes: "a few seconds"},
	}
)

// builder builds sources of the repository at root into dir.
type builder struct {
	root, dir string
	progress  func(string, ...any)
}

// buildAll returns the binaries of the sources, in their order. Builds run one after the other, as each takes all cores; modules are
// downloaded for all at once meanwhile.
func (b *builder) buildAll(ctx context.Context, sources ...source) ([]string, error) {
	unlock, err := b.lock(ctx)
	if err != nil {
		return nil, err
	}
	defer unlock()
	ctx, cancel := context.WithCancel(ctx)
	var downloads []<-chan error
	defer func() {
		cancel()
		for _, d := range downloads {
			<-d
		}
	}()
	paths := make([]string, len(sources))
	pending := make([]<-chan error, len(sources))
	for i, s := range sources {
		path, built, err := b.find(ctx, s)
		if err != nil {
			return nil, err
		}
		paths[i] = path
		if !built {
			pending[i] = b.download(ctx, s)
			downloads = append(downloads, pending[i])
		}
	}
	for i, s := range sources {
		if pending[i] == nil {
			continue
		}
		if err := <-pending[i]; err != nil {
			return nil, err
		}
		if err := b.build(ctx, s, paths[i]); err != nil {
			return nil, err
		}
	}
	return paths, nil
}

// find returns where the binary of this state of the source is or will be, and whether it is there.
func (b *builder) find(ctx context.Context, s source) (string, bool, error) {
	key, err := b.key(ctx, s)
	if err != nil {
		return "", false, fmt.Errorf("%s: %w", s.name, err)
	}
	path := filepath.Join(b.dir, s.name+"-"+key, s.name)
	_, err = os.Stat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return path, false, nil
	}
	return path, err == nil, err
}

// key changes with whatever the binary is made of: Go, the build's arguments, and the module's files.
func (b *builder) key(ctx context.Context, s source) (string, error) {
	goVersion, err := b.goRun(ctx, s, "env", "GOVERSION")
	if err != nil {
		return "", err
	}
	args, err := b.buildArgs(s, "")
	if err != nil {
		return "", err
	}
	sum := sha256.New()
	fmt.Fprintf(sum, "%q %q\n", goVersion, args)
	module := b.moduleDir(s)
	err = filepath.WalkDir(module, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || !entry.Type().IsRegular() || strings.HasSuffix(path, "_test.go") {
			return err
		}
		content, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		fmt.Fprintf(sum, "%q %d\n", strings.TrimPrefix(path, module), len(content))
		_, err = sum.Write(content)
		return err
	})
	return hex.EncodeToString(sum.Sum(nil))[:16], err
}

func (b *builder) moduleDir(s source) string { return filepath.Join(b.root, "tools", s.dir) }

// version is what the nested module asks for; empty for a program of this repository.
func (b *builder) version(s source) (string, error) {
	if s.module == "" {
		return "", nil
	}
	path := filepath.Join(b.moduleDir(s), "go.mod")
	file, err := os.Open(path)
	if err != nil {
		return "", err
	}
	defer file.Close()
	lines := bufio.NewScanner(file)
	for lines.Scan() {
		fields := strings.Fields(strings.TrimPrefix(lines.Text(), "require "))
		if len(fields) >= 2 && fields[0] == s.module {
			return fields[1], nil
		}
	}
	if err := lines.Err(); err != nil {
		return "", err
	}
	return "", fmt.Errorf("%s does not require %s", path, s.module)
}

func (b *builder) buildArgs(s source, output string) ([]string, error) {
	flags := "-s -w"
	version, err := b.version(s)
	if err != nil {
		return nil, err
	}
	if s.stamp != "" {
		flags += " -X " + s.stamp + "=" + version
	}
	return []string{"build", "-trimpath", "-buildvcs=false", "-ldflags", flags, "-o", output, s.pkg}, nil
}

// download gets the modules that the build needs, and only those.
func (b *builder) download(ctx context.Context, s source) <-chan error {
	done := make(chan error, 1)
	go func() {
		defer close(done)
		_, err := b.goRun(ctx, s, "list", "-deps", "-f", "", s.pkg)
		done <- err
	}()
	return done
}

// tick says every half minute that a build goes on, until the function it returns is called.
func (b *builder) tick(label string, start time.Time) (stop func()) {
	ended := make(chan struct{})
	ticker := time.NewTicker(30 * time.Second)
	go func() {
		for {
			select {
			case <-ended:
				return
			case now := <-ticker.C:
				b.progress("still building %s (%.0f s)", label, now.Sub(start).Seconds())
			}
		}
	}()
	return func() {
		ticker.Stop()
		close(ended)
	}
}

// build makes the binary beside its place and moves it there whole, so that an interrupted build leaves nothing that looks finished.
func (b *builder) build(ctx context.Context, s source, path string) error {
	version, err := b.version(s)
	if err != nil {
		return err
	}
	label := strings.TrimSpace(s.name + " " + version)
	b.progress("building %s (about %s, once)", label, s.takes)
	start := time.Now()
	defer b.tick(label, start)()
	temp, err := os.MkdirTemp(b.dir, unfinished)
	if err != nil {
		return err
	}
	defer os.RemoveAll(temp)
	args, err := b.buildArgs(s, filepath.Join(temp, s.name))
	if err != nil {
		return err
	}
	if _, err := b.goRun(ctx, s, args...); err != nil {
		return err
	}
	// Hosts' services run as users of their own and may be given this very file.
	if err := os.Chmod(temp, 0o755); err != nil {
		return err
	}
	if err := os.Rename(temp, filepath.Dir(path)); err != nil {
		return err
	}
	b.progress("built %s in %.0f s", label, time.Since(start).Seconds())
	return nil
}

// goRun runs go in the source's module, and returns what it printed on standard output.
func (b *builder) goRun(ctx context.Context, s source, args ...string) (string, error) {
	cmd := exec.CommandContext(ctx, "go", args...)
	cmd.Dir = b.moduleDir(s)
	// The caller's flags are meant for the caller's module.
	cmd.Env = append(os.Environ(), "GOFLAGS=-mod=readonly", "GOWORK=off", "CGO_ENABLED=0")
	// An interrupted go ends the compilers it started; a killed one does not.
	cmd.Cancel = func() error { return cmd.Process.Signal(os.Interrupt) }
	cmd.WaitDelay = 30 * time.Second
	var stdout, both strings.Builder
	cmd.Stdout, cmd.Stderr = io.MultiWriter(&stdout, &both), &both
	err := cmd.Run()
	if err == nil {
		return stdout.String(), nil
	}
	if ctx.Err() != nil {
		return "", fmt.Errorf("%s: %w", s.name, ctx.Err())
	}
	return "", fmt.Errorf("%s: `go %s` in tools/%s: %w\n%s\n"+
		"Go modules come from the proxy that `go env GOPROXY` names: is it reachable, and is there room on the disk?\n"+
		"Then run the same command again; what is built stays", s.name, strings.Join(args, " "), s.dir, err, lastLines(both.String(), 20))
}

// unfinished starts the names of directories in which a build works.
const unfinished = ".building-"

// lock makes the builder the only one at its directory, and removes what interrupted builds left there.
func (b *builder) lock(ctx context.Context) (func(), error) {
	if err := os.MkdirAll(b.dir, 0o755); err != nil {
		return nil, err
	}
	file, err := os.OpenFile(filepath.Join(b.dir, ".lock"), os.O_CREATE|os.O_RDWR, 0o644)
	if err != nil {
		return nil, err
	}
	unlock := func() { file.Close() }
	for waits := 0; ; waits++ {
		err := syscall.Flock(int(file.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
		if err == nil {
			break
		}
		if !errors.Is(err, syscall.EWOULDBLOCK) {
			unlock()
			return nil, fmt.Errorf("%s: %w", file.Name(), err)
		}
		if waits == 0 {
			b.progress("waiting for another build of the tools to end")
		}
		select {
		case <-ctx.Done():
			unlock()
			return nil, ctx.Err()
		case <-time.After(200 * time.Millisecond):
		}
	}
	left, err := filepath.Glob(filepath.Join(b.dir, unfinished+"*"))
	for _, dir := range left {
		err = errors.Join(err, os.RemoveAll(dir))
	}
	if err != nil {
		unlock()
		return nil, err
	}
	return unlock, nil
}

func lastLines(text string, n int) string {
	lines := strings.Split(strings.TrimSpace(text), "\n")
	if len(lines) > n {
		lines = lines[len(lines)-n:]
	}
	return "  " + strings.Join(lines, "\n  ")
}
