package vm

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"time"
)

const apart = "ICON_VM_APART"

// Apart runs this very program once more, with the same arguments, in a network of its own that nothing reaches and that reaches nothing: a
// machine's ports are no one else's there. In that one it returns false at once; in the one that started it, true and how it ended.
// The program gets what it needs of other networks before.
func Apart(ctx context.Context) (bool, error) {
	if os.Getenv(apart) != "" {
		_, err := output(exec.CommandContext(ctx, "ip", "link", "set", "lo", "up"))
		return false, err
	}
	self, err := os.Executable()
	if err != nil {
		return true, err
	}
	cmd := exec.CommandContext(ctx, self, os.Args[1:]...) //nolint:gosec // this very program with the arguments it was given
	cmd.Stdin, cmd.Stdout, cmd.Stderr = nil, os.Stdout, os.Stderr
	cmd.Env = append(os.Environ(), apart+"=1")
	// Whoever ends this process ends the machine too.
	cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWNET, Pdeathsig: syscall.SIGTERM}
	cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGTERM) }
	cmd.WaitDelay = time.Minute
	return true, cmd.Run()
}

// emptySuite is a Debian repository without packages: scanners look for one with security updates, which come from the other one here.
func emptySuite(suite string) http.Handler {
	release := fmt.Sprintf("Suite: %[1]s\nCodename: %[1]s\nArchitectures: amd64\nComponents: main\nDate: %[2]s\n"+
		"SHA256:\n %[3]x 0 main/binary-amd64/Packages\n", suite, time.Now().UTC().Format(time.RFC1123), sha256.Sum256(nil))
	mux := http.NewServeMux()
	mux.HandleFunc("/dists/"+suite+"/Release", func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte(release)) })
	mux.HandleFunc("/dists/"+suite+"/main/binary-amd64/Packages", func(http.ResponseWriter, *http.Request) {})
	return mux
}

// output runs a command and returns its standard output; an error carries the end of what it said.
func output(cmd *exec.Cmd) (string, error) {
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	if err := cmd.Run(); err != nil {
		said := stderr.Bytes()
		return "", fmt.Errorf("%s: %w: %s", cmd.Args[0], err, bytes.TrimSpace(said[max(0, len(said)-1000):]))
	}
	return stdout.String(), nil
}

func remove(path string) error {
	if err := os.Remove(path); err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	return nil
}

// quote makes s one word of a shell.
func quote(s string) string { return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'" }
