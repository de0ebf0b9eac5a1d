package lab

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"strings"
	"sync"
	"syscall"
	"time"
)

// Boot makes what is missing (image, packages, segments, package server, the given hosts), boots the hosts in parallel and returns
// when SSH answers on each. Hosts that run already with the same specification are left alone; more hosts can be added later.
// An error names each host that did not answer, with the end of its console log; what was made stays for inspection until Down.
func (l *Lab) Boot(ctx context.Context, specs ...HostSpec) error {
	return l.locked(ctx, func(ctx context.Context) error {
		existing, err := l.records()
		if err != nil {
			return err
		}
		fresh, known, err := sortOut(specs, existing)
		if err != nil {
			return err
		}
		if err := l.checkSpecs(fresh, existing); err != nil {
			return err
		}
		if err := l.prepare(ctx); err != nil {
			return err
		}
		if err := l.infrastructureUp(ctx); err != nil {
			return err
		}
		for _, spec := range fresh {
			if err := l.create(spec); err != nil {
				return err
			}
		}
		start := time.Now()
		booted, err := l.startAll(ctx, append(known, fresh...))
		if err != nil {
			return err
		}
		if booted > 0 {
			l.cfg.Progress("%d hosts booted in %.1f s", booted, time.Since(start).Seconds())
		}
		return l.checkServed(ctx, fresh)
	})
}

// checkServed sees to it that new hosts reach the package server: a firewall of the machine may stand between them. Hosts that
// were up before may have a firewall of their own by now that says no.
func (l *Lab) checkServed(ctx context.Context, fresh []HostSpec) error {
	for _, spec := range fresh {
		if !spec.Private.IsValid() {
			continue
		}
		err := inNetns(l.hostNetns(spec.Name), func() error {
			dialer := net.Dialer{Timeout: 3 * time.Second}
			conn, err := dialer.DialContext(ctx, "tcp4", netip.AddrPortFrom(l.cfg.Admin, 80).String())
			if err == nil {
				err = conn.Close()
			}
			return err
		})
		if err != nil {
			return fmt.Errorf("host %s cannot reach the package server: %w; a firewall on this machine must accept TCP port 80 "+
				"at %s on device %s", spec.Name, err, l.cfg.Admin, l.adminLink())
		}
	}
	return nil
}

// sortOut tells new hosts from those on record.
func sortOut(specs, existing []HostSpec) (fresh, known []HostSpec, err error) {
	records := map[string]HostSpec{}
	for _, record := range existing {
		records[record.Name] = record
	}
	for _, spec := range specs {
		record, found := records[spec.Name]
		wanted := spec
		wanted.Files = nil
		switch {
		case !found:
			fresh = append(fresh, spec)
		case reflect.DeepEqual(wanted, record):
			known = append(known, record)
		default:
			err = errors.Join(err, fmt.Errorf("host %q is already up with other addresses or binds (%s): take the sandbox down first",
				spec.Name, addresses(record)))
		}
	}
	return fresh, known, err
}

func addresses(spec HostSpec) string {
	var parts []string
	for _, addr := range []netip.Addr{spec.Internet, spec.Private} {
		if addr.IsValid() {
			parts = append(parts, addr.String())
		}
	}
	return strings.Join(parts, ", ")
}

func (l *Lab) infrastructureUp(ctx context.Context) error {
	for _, dir := range []string{l.hostsDir(), l.FilesDir()} {
		if err := os.MkdirAll(dir, 0o755); err != nil {
			return err
		}
	}
	if err := l.raiseLimits(); err != nil {
		return err
	}
	if err := l.ensureAdminKey(); err != nil {
		return err
	}
	if err := l.segmentsUp(ctx); err != nil {
		return err
	}
	return l.serverUp(ctx)
}

// startAll starts those that do not run, in parallel, and returns how many it started.
func (l *Lab) startAll(ctx context.Context, specs []HostSpec) (int, error) {
	var wait sync.WaitGroup
	errs := make([]error, len(specs))
	started := 0
	for i, spec := range specs {
		if running, err := l.running(spec.Name); err != nil {
			return 0, err
		} else if running {
			continue
		}
		started++
		wait.Add(1)
		go func() {
			defer wait.Done()
			errs[i] = l.start(ctx, spec)
		}()
	}
	wait.Wait()
	return started, errors.Join(errs...)
}

// start boots one recorded host and waits for its SSH server.
func (l *Lab) start(ctx context.Context, spec HostSpec) error {
	begin := time.Now()
	root, err := l.mountRoot(spec.Name)
	if err != nil {
		return err
	}
	if err := l.cg.kill(l.group(spec.Name)); err != nil { // what an interrupted start left
		return err
	}
	if err := l.plugIn(ctx, spec); err != nil {
		return fmt.Errorf("host %s: %w", spec.Name, err)
	}
	console := filepath.Join(l.hostDir(spec.Name), "console.log")
	ended, err := l.background(spec.Name, console, l.nspawnEnv(), l.nspawnArgv(spec, root))
	if err != nil {
		return fmt.Errorf("host %s: %w", spec.Name, err)
	}
	if err := l.waitSSH(ctx, spec, ended); err != nil {
		return fmt.Errorf("host %s (%s): %w; the end of its console log %s:%s", spec.Name, addresses(spec), err, console,
			indented(tailFile(console, 20)))
	}
	l.cfg.Progress("host %s: SSH answers after %.1f s (%s)", spec.Name, time.Since(begin).Seconds(), addresses(spec))
	return nil
}

func (l *Lab) nspawnEnv() []string {
	return []string{
		"PATH=" + searchPath,
		"UNIFIED_CGROUP_HIERARCHY=1", "SYSTEMD_NSPAWN_UNIFIED_HIERARCHY=1", "SYSTEMD_NSPAWN_API_VFS_WRITABLE=network",
	}
}

func (l *Lab) machine(host string) string { return l.cfg.Name + "-" + host }

func (l *Lab) nspawnArgv(spec HostSpec, root string) []string {
	argv := []string{
		"systemd-nspawn", "--quiet", "--boot", "--directory=" + root, "--machine=" + l.machine(spec.Name), "--hostname=" + spec.Name,
		"--register=no", "--keep-unit", "--network-namespace-path=" + filepath.Join(netnsDir, l.hostNetns(spec.Name)),
		// A host must be able to do what a machine can, its own clock apart: that is the machine's.
		"--capability=all", "--drop-capability=CAP_SYS_TIME", "--system-call-filter=@keyring bpf",
		"--resolv-conf=off", "--timezone=off", "--link-journal=no", "--console=read-only",
		"--bind=" + l.containersDir(spec.Name) + ":/var/lib/containers",
	}
	for _, bind := range spec.Binds {
		option := "--bind="
		if bind.ReadOnly {
			option = "--bind-ro="
		}
		argv = append(argv, option+bind.Source+":"+bind.Target)
	}
	return argv
}

// background starts a process in a cgroup of the lab that outlives this one. The channel gives its end, if this process is still
// there to see it.
func (l *Lab) background(group, logFile string, env, argv []string) (<-chan error, error) {
	join, err := l.cg.join(l.group(group))
	if err != nil {
		return nil, err
	}
	log, err := os.OpenFile(logFile, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		return nil, err
	}
	defer log.Close()
	argv = append(join, argv...)
	cmd := exec.Command(argv[0], argv[1:]...)
	cmd.Dir, cmd.Env, cmd.Stdout, cmd.Stderr = "/", env, log, log
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	ended := make(chan error, 1)
	go func() { ended <- errors.Join(errors.New("its process has ended"), cmd.Wait()) }()
	return ended, nil
}

// waitSSH waits until the host's SSH server greets: from the machine as an administrator would, or from within the host's own network where
// the machine has no way in, because there is none or a firewall that the host has by now lets in others alone.
func (l *Lab) waitSSH(ctx context.Context, spec HostSpec, ended <-chan error) error {
	bounded, cancel := context.WithTimeout(ctx, l.cfg.BootTimeout)
	defer cancel()
	addr := spec.Private
	if !addr.IsValid() {
		addr = spec.Internet
	}
	probe := func() error {
		if spec.Private.IsValid() && greeting(bounded, addr) == nil {
			return nil
		}
		return inNetns(l.hostNetns(spec.Name), func() error { return greeting(bounded, addr) })
	}
	for {
		err := probe()
		if err == nil {
			return nil
		}
		select {
		case end := <-ended:
			return end
		case <-ctx.Done():
			return fmt.Errorf("interrupted while it boots: %w", ctx.Err())
		case <-bounded.Done():
			return fmt.Errorf("no SSH within %s: %w", l.cfg.BootTimeout, err)
		case <-time.After(50 * time.Millisecond):
		}
	}
}

func greeting(ctx context.Context, addr netip.Addr) error {
	dialer := net.Dialer{Timeout: 250 * time.Millisecond} // a lost first packet is repeated after a second only
	conn, err := dialer.DialContext(ctx, "tcp4", netip.AddrPortFrom(addr, 22).String())
	if err != nil {
		return err
	}
	defer conn.Close()
	if err := conn.SetDeadline(time.Now().Add(5 * time.Second)); err != nil {
		return err
	}
	banner := make([]byte, 8)
	n, err := conn.Read(banner)
	if err == nil && !bytes.HasPrefix(banner[:n], []byte("SSH-")) {
		return fmt.Errorf("%s:22 answers %q, not SSH", addr, banner[:n])
	}
	return err
}

// records reads the hosts that were made, up or not.
func (l *Lab) records() ([]HostSpec, error) {
	entries, err := os.ReadDir(l.hostsDir())
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	var specs []HostSpec
	for _, entry := range entries {
		spec, err := l.record(entry.Name())
		if errors.Is(err, fs.ErrNotExist) {
			continue // its making was interrupted: it is made again, or removed by Down
		}
		if err != nil {
			return nil, err
		}
		specs = append(specs, spec)
	}
	return specs, nil
}

func (l *Lab) record(name string) (HostSpec, error) {
	var spec HostSpec
	data, err := os.ReadFile(filepath.Join(l.hostDir(name), "host.json"))
	if err != nil {
		return spec, fmt.Errorf("host %q of sandbox %q: %w", name, l.cfg.Name, err)
	}
	if err := json.Unmarshal(data, &spec); err != nil {
		return spec, fmt.Errorf("host %q: record: %w", name, err)
	}
	return spec, nil
}
