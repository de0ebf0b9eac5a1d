// Package agentbuild builds the sentries' agent with the Go that builds the deploy's program.
package agentbuild

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"time"
)

const (
	module = "github.com/insight-icon/pulumi-icon"
	// instead is what is to be done where the agent cannot be built.
	instead = `set icon:sentries.agent (SentryLayerArgs.Agent) to one that was built elsewhere: ` +
		`CGO_ENABLED=0 GOOS=linux go build -trimpath -ldflags "-s -w" ./cmd/icon-sentry`
)

type result struct {
	path string
	err  error
}

var (
	mu   sync.Mutex
	done = map[string]result{}
)

// Build gives the path of the agent for an architecture ("amd64", "arm64"), a static program for Linux. The same sources and the same Go
// give the same bytes under the same name, so that a second deploy changes nothing. It is built once in a process; later, Go finds out
// whether there is anything to do.
func Build(ctx context.Context, arch string) (string, error) {
	mu.Lock()
	defer mu.Unlock()
	if r, ok := done[arch]; ok {
		return r.path, r.err
	}
	path, err := build(ctx, arch)
	if err != nil {
		err = fmt.Errorf("agent of the sentries for %s: %w; %s", arch, err, instead)
	}
	if ctx.Err() == nil {
		done[arch] = result{path, err}
	}
	return path, err
}

func build(ctx context.Context, arch string) (string, error) {
	if arch != "amd64" && arch != "arm64" {
		return "", fmt.Errorf("architecture %q: wanted amd64 or arm64", arch)
	}
	tool, err := exec.LookPath("go")
	if err != nil {
		return "", errors.New("there is no Go on PATH to build it with")
	}
	source, err := run(ctx, "", nil, tool, "list", "-m", "-f", "{{.Dir}}", module)
	if err != nil {
		return "", err
	}
	if source == "" {
		return "", fmt.Errorf("the sources of %s are not here (a vendor directory has no commands)", module)
	}
	cache, err := os.UserCacheDir()
	if err != nil {
		return "", fmt.Errorf("no place to build it in: %w", err)
	}
	name := sha256.Sum256([]byte(source))
	dir := filepath.Join(cache, "pulumi-icon", "agent-"+arch+"-"+hex.EncodeToString(name[:6]))
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return "", fmt.Errorf("no place to build it in: %w", err)
	}
	unlock, err := lock(filepath.Join(dir, "lock"))
	if err != nil {
		return "", err
	}
	defer unlock()
	// Where the sources are, the module's own go.mod says which versions are taken. Go does not link what is there already and would be the
	// same.
	env := append(os.Environ(), "CGO_ENABLED=0", "GOOS=linux", "GOARCH="+arch, "GOAMD64=v1", "GOARM64=v8.0", "GOFLAGS=", "GOWORK=off")
	built := filepath.Join(dir, "icon-sentry")
	args := []string{"build", "-trimpath", "-buildvcs=false", "-ldflags", "-s -w", "-o", built, "./cmd/icon-sentry"}
	if _, err = run(ctx, source, env, tool, args...); err != nil {
		return "", err
	}
	return keep(built)
}

// run gives what a command prints, or what it complains of.
func run(ctx context.Context, dir string, env []string, tool string, args ...string) (string, error) {
	cmd := exec.CommandContext(ctx, tool, args...)
	cmd.Dir, cmd.Env = dir, env
	var complaint strings.Builder
	cmd.Stderr = &complaint
	out, err := cmd.Output()
	if err != nil {
		return "", fmt.Errorf("go %s: %w: %s", args[0], err, strings.TrimSpace(complaint.String()))
	}
	return strings.TrimSpace(string(out)), nil
}

// lock keeps two deploys from building into the same file.
func lock(path string) (unlock func(), err error) {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, fmt.Errorf("lock of the agent's build: %w", err)
	}
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX); err != nil {
		_ = f.Close()
		return nil, fmt.Errorf("lock of the agent's build: %w", err)
	}
	return func() { _ = f.Close() }, nil
}

// keep gives what was built a name by its content, so that another build does not change it under a deploy that is copying it.
func keep(built string) (string, error) {
	data, err := os.ReadFile(built)
	if err != nil {
		return "", err
	}
	sum := sha256.Sum256(data)
	path := filepath.Join(filepath.Dir(built), "icon-sentry-"+hex.EncodeToString(sum[:6]))
	if same(path, data) {
		return path, nil
	}
	// No deploy of now still copies one of yesterday.
	old, err := filepath.Glob(built + "-*")
	if err != nil {
		return "", err
	}
	for _, name := range old {
		if info, err := os.Stat(name); err == nil && time.Since(info.ModTime()) > 24*time.Hour {
			_ = os.Remove(name)
		}
	}
	temporary := path + ".new"
	if err := os.WriteFile(temporary, data, 0o700); err != nil {
		return "", err
	}
	return path, os.Rename(temporary, path)
}

func same(path string, data []byte) bool {
	f, err := os.Open(path)
	if err != nil {
		return false
	}
	defer func() { _ = f.Close() }()
	there, err := io.ReadAll(io.LimitReader(f, int64(len(data))+1))
	return err == nil && string(there) == string(data)
}
