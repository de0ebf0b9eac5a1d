package lab

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
)

const searchPath = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

// Host is a host of the lab as it is now.
type Host struct {
	Name string
	// Internet and Private are its addresses; one may be unset.
	Internet, Private netip.Addr
	// HostKey is its SSH host key as a public key line ("ssh-ed25519 AAAA… name"), known before the first boot.
	HostKey string
	// Running tells whether the host is on.
	Running bool
	// Console is its console log, Netns the name of its network namespace (for ip netns exec).
	Console, Netns string
}

// Host returns a host of the lab by name, on or off. An unknown name is an error.
func (l *Lab) Host(name string) (Host, error) {
	spec, err := l.record(name)
	if err != nil {
		return Host{}, err
	}
	key, err := os.ReadFile(filepath.Join(l.hostDir(name), "upper/etc/ssh/ssh_host_ed25519_key.pub"))
	if err != nil {
		return Host{}, fmt.Errorf("host %s: %w", name, err)
	}
	running, err := l.running(name)
	return Host{
		Name: name, Internet: spec.Internet, Private: spec.Private, HostKey: strings.TrimSpace(string(key)), Running: running,
		Console: filepath.Join(l.hostDir(name), "console.log"), Netns: l.hostNetns(name),
	}, err
}

// Exec runs a command as root in a host, not by SSH but directly, so it works whatever the host's firewall and SSH server do.
// It returns standard output; an error carries the end of standard error. The command must be found in the host's own PATH.
func (l *Lab) Exec(ctx context.Context, name string, stdin io.Reader, args ...string) (string, error) {
	pid, err := l.leader(name)
	if err != nil {
		return "", err
	}
	enter := []string{"--target", strconv.Itoa(pid), "--mount", "--uts", "--ipc", "--net", "--pid", "--cgroup", "--"}
	cmd := exec.CommandContext(ctx, "nsenter", append(enter, args...)...)
	cmd.Dir, cmd.Stdin = "/", stdin
	cmd.Env = []string{"PATH=" + searchPath, "HOME=/root", "LANG=C.UTF-8"}
	// nsenter's child is the command: both end when the caller gives up.
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
	out, err := capture(cmd)
	if err != nil {
		return out, fmt.Errorf("host %s: %s: %w", name, strings.Join(args, " "), err)
	}
	return out, nil
}

// Kill cuts a host's power: all its processes end at once, none is told. Its disk stays as it is. Start brings it back.
func (l *Lab) Kill(ctx context.Context, name string) error {
	return l.locked(ctx, func(ctx context.Context) error {
		if _, err := l.record(name); err != nil {
			return err
		}
		return errors.Join(l.cg.kill(l.group(name)), unplug(ctx, l.hostNetns(name)), unmountBelow(l.hostDir(name)))
	})
}

// Start boots a host that was killed or has powered off, with its disk as it was, and waits for its SSH server. A host that runs
// is left alone.
func (l *Lab) Start(ctx context.Context, name string) error {
	return l.locked(ctx, func(ctx context.Context) error {
		spec, err := l.record(name)
		if err != nil {
			return err
		}
		_, err = l.startAll(ctx, []HostSpec{spec})
		return err
	})
}

func (l *Lab) running(name string) (bool, error) {
	pids, err := l.cg.pids(l.group(name))
	return len(pids) > 0, err
}

// leader finds the process that is PID 1 in a host.
func (l *Lab) leader(name string) (int, error) {
	pids, err := l.cg.pids(l.group(name))
	if err != nil {
		return 0, err
	}
	depth, err := pidNesting(os.Getpid())
	if err != nil {
		return 0, err
	}
	for _, pid := range pids {
		nested, err := pidNesting(pid)
		if err = ignoreGone(err); err != nil {
			return 0, err
		}
		// One namespace deeper than the machine: PID 1 of a container inside the host is deeper still.
		if len(nested) == len(depth)+1 && nested[len(nested)-1] == "1" {
			return pid, nil
		}
	}
	return 0, fmt.Errorf("host %q of sandbox %q does not run: start it, or take the sandbox up", name, l.cfg.Name)
}

// pidNesting lists a process's number in each PID namespace it is in, the outermost first.
func pidNesting(pid int) ([]string, error) {
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if errors.Is(err, syscall.ESRCH) {
		err = fs.ErrNotExist
	}
	for line := range strings.Lines(string(status)) {
		if list, found := strings.CutPrefix(line, "NSpid:"); found {
			return strings.Fields(list), nil
		}
	}
	return nil, err
}

// Status is what there is of a lab.
type Status struct {
	// Segments tells whether the network is there, PackageServer whether the server answers.
	Segments, PackageServer bool
	Hosts                   []Host
}

// Status looks at the lab as it is now. A lab that was never up has an empty status.
func (l *Lab) Status(ctx context.Context) (Status, error) {
	var status Status
	names, err := l.netnsOfLab()
	if err != nil {
		return status, err
	}
	status.Segments = slices.Contains(names, l.switchNetns())
	status.PackageServer = status.Segments && l.serverAnswers(ctx) == nil
	records, err := l.records()
	for _, record := range records {
		host, hostErr := l.Host(record.Name)
		status.Hosts, err = append(status.Hosts, host), errors.Join(err, hostErr)
	}
	return status, err
}
