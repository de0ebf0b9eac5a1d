// Package host runs the library's scripts, and the real parsers of what it renders, in a throw-away corner of this machine: namespaces
// of its own for mounts, processes and network, so that nothing here is changed and nothing outside is reached. Needs root or
// unprivileged user namespaces, and Debian's util-linux, iproute2, nftables, haproxy, systemd and shellcheck.
package host

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// Isolated is a command with mounts, processes and a network of its own. What it leaves running ends with it.
func Isolated(argv ...string) *exec.Cmd {
	flags := []string{"--mount", "--net", "--pid", "--fork", "--kill-child", "--mount-proc", "--propagation", "private"}
	if os.Geteuid() != 0 {
		flags = append(flags, "--map-root-user")
	}
	return exec.Command("unshare", append(append(flags, "--"), argv...)...)
}

// prelude makes the place that scenarios run in: what steps write to is empty, and gone afterwards. /etc can be changed, too.
const prelude = `set -u
mount -t tmpfs tmpfs /run && mount -t tmpfs tmpfs /var/log && mount -t tmpfs tmpfs /var/tmp && mount -t tmpfs tmpfs /usr/local || exit 99
mkdir -p /run/etc/upper /run/etc/work /run/icon /usr/local/sbin /usr/local/bin /usr/local/lib || exit 99
mount -t overlay overlay -o lowerdir=/etc,upperdir=/run/etc/upper,workdir=/run/etc/work /etc || exit 99
ip link set lo up || exit 99

# step PROGRAM HALF [SSH_CONNECTION]: runs a program of FILES as its launcher does. Its name up to a "-" is the step's.
step() {
  bash -s "$2" host-1 "${1%%-*}" "${3-192.0.2.7 50000 10.0.0.1 22}" <"$FILES/$1"
}

# pretend NAME TEXT: a command that the step finds before the real one.
pretend() {
  printf '#!/bin/bash\n%s\n' "$2" >"/usr/local/sbin/$1"
  chmod +x "/usr/local/sbin/$1"
}
`

// Scenario runs a bash script in the throw-away place. The files are below $FILES. It gives all output and the exit code.
func Scenario(tb testing.TB, files map[string]string, script string) (string, int) {
	tb.Helper()
	dir := tb.TempDir()
	for name, text := range files {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			tb.Fatal(err)
		}
	}
	// The first process of a namespace ignores signals that it does not handle, so bash is the second.
	cmd := Isolated("timeout", "60", "bash", "-c", prelude+script)
	cmd.Env = append(os.Environ(), "FILES="+dir)
	out, err := cmd.CombinedOutput()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		tb.Fatalf("the scenario did not run: %v", err)
	}
	if cmd.ProcessState.ExitCode() == 99 {
		tb.Fatalf("no throw-away place on this machine (needs root or unprivileged user namespaces):\n%s", out)
	}
	return string(out), cmd.ProcessState.ExitCode()
}

// Accepted runs a checker that must say nothing and end with 0.
func Accepted(tb testing.TB, cmd *exec.Cmd) {
	tb.Helper()
	if out, err := cmd.CombinedOutput(); err != nil || len(out) > 0 {
		tb.Errorf("%s: %v\n%s", strings.Join(cmd.Args, " "), err, out)
	}
}

// Shellcheck checks a whole bash program.
func Shellcheck(tb testing.TB, program string) {
	tb.Helper()
	path := filepath.Join(tb.TempDir(), "program.sh")
	if err := os.WriteFile(path, []byte(program), 0o600); err != nil {
		tb.Fatal(err)
	}
	Accepted(tb, exec.Command("bash", "-n", path))
	// Variables that only one kind of step has are set and not used in the others; functions of the library likewise.
	Accepted(tb, exec.Command("shellcheck", "--shell", "bash", "--severity", "style", "--exclude", "SC2034", path))
}

// VerifyUnit has systemd check a unit in a root of its own, where the executables and the other units that it names are.
func VerifyUnit(tb testing.TB, name, text string, executables, units []string) {
	tb.Helper()
	root := tb.TempDir()
	put := func(path, content string, mode os.FileMode) {
		path = filepath.Join(root, path)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			tb.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(content), mode); err != nil {
			tb.Fatal(err)
		}
	}
	put("/etc/systemd/system/"+name, text, 0o644)
	for _, target := range []string{"sysinit", "basic", "shutdown", "multi-user"} {
		put("/etc/systemd/system/"+target+".target", "[Unit]\nDescription="+target+"\n", 0o644)
	}
	for _, unit := range units {
		put("/etc/systemd/system/"+unit, "[Unit]\nDescription="+unit+"\n[Service]\nExecStart=/bin/true\n", 0o644)
	}
	for _, path := range append([]string{"/bin/true"}, executables...) {
		put(path, "#!/bin/true\n", 0o755)
	}
	Accepted(tb, exec.Command("systemd-analyze", "verify", "--man=no", "--root="+root, name))
}
