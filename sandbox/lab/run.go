package lab

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"time"
)

// run runs a command on the machine and returns its standard output; an error carries the last lines it wrote to stderr.
func run(ctx context.Context, stdin io.Reader, name string, args ...string) (string, error) {
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Stdin = stdin
	return capture(cmd)
}

func capture(cmd *exec.Cmd) (string, error) {
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	if err := cmd.Run(); err != nil {
		return stdout.String(), fmt.Errorf("%s: %w%s", filepath.Base(cmd.Path), err, indented(tail(stderr.String(), 20)))
	}
	return stdout.String(), nil
}

// ip runs lines of `ip` commands in one process, inside the named network namespace ("" is the machine's own).
func ip(ctx context.Context, netns string, lines ...string) error {
	args := []string{"-batch", "-"}
	if netns != "" {
		args = append([]string{"-n", netns}, args...)
	}
	_, err := run(ctx, strings.NewReader(strings.Join(lines, "\n")+"\n"), "ip", args...)
	if err != nil {
		return fmt.Errorf("network set-up: %w", err)
	}
	return nil
}

// locked runs one change to the lab at a time, so two commands on one state directory never work against each other.
func (l *Lab) locked(ctx context.Context, change func(context.Context) error) error {
	if os.Geteuid() != 0 {
		return errors.New("the sandbox needs root: it makes network namespaces, mounts and cgroups; run it as root or with sudo")
	}
	if err := checkTools(); err != nil {
		return err
	}
	if err := os.MkdirAll(l.cfg.Dir, 0o755); err != nil {
		return err
	}
	lock, err := os.OpenFile(filepath.Join(l.cfg.Dir, "lock"), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return err
	}
	defer lock.Close()
	for waited := false; ; waited = true {
		err := syscall.Flock(int(lock.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
		if err == nil {
			return change(ctx)
		}
		if !errors.Is(err, syscall.EWOULDBLOCK) {
			return fmt.Errorf("lock %s: %w", lock.Name(), err)
		}
		if !waited {
			l.cfg.Progress("waiting for another sandbox command that uses %s", l.cfg.Dir)
		}
		if err := sleep(ctx, 200*time.Millisecond); err != nil {
			return fmt.Errorf("another sandbox command still uses %s: %w", l.cfg.Dir, err)
		}
	}
}

func checkTools() error {
	var missing []string
	for _, tool := range tools {
		if _, err := exec.LookPath(tool); err != nil {
			missing = append(missing, tool)
		}
	}
	if len(missing) > 0 {
		return fmt.Errorf("the sandbox needs %s on this machine: run apt-get install --no-install-recommends %s",
			strings.Join(missing, ", "), strings.Join(Packages(), " "))
	}
	return nil
}

func sleep(ctx context.Context, d time.Duration) error {
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(d):
		return nil
	}
}

var escapes = regexp.MustCompile(`\x1b\[[0-9;?]*[A-Za-z]|\r`)

// tail returns the last n lines of text without terminal escapes.
func tail(text string, n int) string {
	lines := strings.Split(strings.TrimSpace(escapes.ReplaceAllString(text, "")), "\n")
	return strings.Join(lines[max(0, len(lines)-n):], "\n")
}

// tailFile is tail of a log file, or a line that says why there is none.
func tailFile(path string, n int) string {
	data, err := os.ReadFile(path)
	if err != nil {
		return err.Error()
	}
	return tail(string(data), n)
}

func indented(text string) string {
	if text == "" {
		return ""
	}
	return "\n    " + strings.ReplaceAll(text, "\n", "\n    ")
}

// writeFile replaces a file in one step: a reader or an interruption never sees half of it.
func writeFile(path string, data []byte, mode os.FileMode) error {
	tmp, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+".")
	if err != nil {
		return err
	}
	defer os.Remove(tmp.Name())
	_, err = tmp.Write(data)
	if err = errors.Join(err, tmp.Chmod(mode), tmp.Close()); err != nil {
		return err
	}
	return os.Rename(tmp.Name(), path)
}
