package lab

import (
	"bufio"
	"context"
	"crypto/sha256"
	_ "embed"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"
)

// basePackages make a root filesystem that behaves as Debian's cloud image does, without anything a deployment installs itself.
var basePackages = []string{
	"systemd", "systemd-sysv", "libpam-systemd", "systemd-timesyncd", "dbus", "udev", "openssh-server", "sudo", "iproute2",
	"iputils-ping", "netbase", "ca-certificates", "curl", "tar", "procps", "kmod", "cron", "logrotate", "less", "apparmor", "python3",
	"unattended-upgrades",
}

// baseHook turns what Debian installed into what a host boots from.
//
//go:embed base.sh
var baseHook string

const suite = "bookworm"

func (l *Lab) sources() []string {
	const signed = "[signed-by=/usr/share/keyrings/debian-archive-keyring.gpg]"
	return []string{
		fmt.Sprintf("deb %s %s/debian %s main", signed, l.cfg.Mirror, suite),
		fmt.Sprintf("deb %s %s/debian %s-updates main", signed, l.cfg.Mirror, suite),
		fmt.Sprintf("deb %s %s/debian-security %s-security main", signed, l.cfg.Mirror, suite),
	}
}

// recipeKey names a cached result after everything it is made from, so that a changed recipe is a new build.
func recipeKey(parts ...[]string) string {
	hash := sha256.New()
	for _, part := range parts {
		fmt.Fprintf(hash, "%d\n", len(part))
		for _, line := range part {
			fmt.Fprintf(hash, "%d %s\n", len(line), line)
		}
	}
	return hex.EncodeToString(hash.Sum(nil))[:12]
}

func (l *Lab) baseKey() string {
	return recipeKey(l.imagePackages(), l.sources(), []string{baseHook})
}

func (l *Lab) imagePackages() []string { return slices.Concat(basePackages, l.cfg.Image) }

// baseDir is the shared root filesystem itself.
func (l *Lab) baseDir() string { return filepath.Join(l.baseEntry(), "root") }

func (l *Lab) baseEntry() string { return filepath.Join(l.cacheDir(), "base-"+l.baseKey()) }

func (l *Lab) ensureBase(ctx context.Context) error {
	return l.ensure("base image", l.baseEntry(), func(dir string) error {
		hook := filepath.Join(dir, "hook.sh")
		if err := os.WriteFile(hook, []byte(baseHook), 0o755); err != nil {
			return err
		}
		root := filepath.Join(dir, "root")
		argv := []string{
			"mmdebstrap", "--mode=root", "--format=directory", "--variant=required", "--include=" + strings.Join(l.imagePackages(), ","),
			"--dpkgopt=force-unsafe-io", "--dpkgopt=path-exclude=/usr/share/man/*",
			"--dpkgopt=path-exclude=/usr/share/locale/*", "--dpkgopt=path-exclude=/usr/share/doc/*",
			"--customize-hook=" + hook, suite, root, "-",
		}
		return l.stream(ctx, strings.NewReader(strings.Join(l.sources(), "\n")+"\n"), argv...)
	})
}

// ensure makes a cached directory unless it is there. It is built under another name and renamed when complete, so an interrupted
// build leaves nothing that looks finished.
func (l *Lab) ensure(what, dir string, build func(dir string) error) error {
	if _, err := os.Stat(dir); err == nil {
		return nil
	} else if !errors.Is(err, os.ErrNotExist) {
		return err
	}
	if err := l.dropUnfinished(); err != nil {
		return fmt.Errorf("%s: remove an interrupted build: %w", what, err)
	}
	unfinished := dir + unfinishedSuffix
	if err := os.MkdirAll(unfinished, 0o755); err != nil {
		return err
	}
	start := time.Now()
	l.cfg.Progress("%s: building (once; kept in %s)", what, l.cacheDir())
	if err := build(unfinished); err != nil {
		return errors.Join(fmt.Errorf("%s: %w", what, err), l.dropUnfinished())
	}
	if err := os.Rename(unfinished, dir); err != nil {
		return err
	}
	l.cfg.Progress("%s: built in %.0f s", what, time.Since(start).Seconds())
	return nil
}

const unfinishedSuffix = ".unfinished"

// dropUnfinished ends and removes builds that were interrupted: mmdebstrap goes on, with mounts in its tree, when the program that
// started it is killed.
func (l *Lab) dropUnfinished() error {
	if err := l.cg.kill(filepath.Dir(l.buildGroup())); err != nil {
		return err
	}
	left, err := filepath.Glob(filepath.Join(l.cacheDir(), "*"+unfinishedSuffix))
	errs := []error{err}
	for _, dir := range left {
		errs = append(errs, removeTree(dir))
	}
	return errors.Join(errs...)
}

// stream runs a long command of a build and passes what it says on as progress.
func (l *Lab) stream(ctx context.Context, stdin io.Reader, argv ...string) error {
	join, err := l.cg.join(l.buildGroup())
	if err != nil {
		return err
	}
	argv, name := append(join, argv...), argv[0]
	cmd := exec.CommandContext(ctx, argv[0], argv[1:]...)
	cmd.Stdin = stdin
	cmd.Cancel = func() error { return l.cg.kill(filepath.Dir(l.buildGroup())) }
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true} // an interrupt from the keyboard is ours to pass on
	output, err := cmd.StderrPipe()
	if err != nil {
		return err
	}
	cmd.Stdout = cmd.Stderr
	if err := cmd.Start(); err != nil {
		return err
	}
	var last []string
	for lines := bufio.NewScanner(output); lines.Scan(); {
		last = append(last, lines.Text())
		last = slices.Clone(last[max(0, len(last)-20):])
		if said, ok := strings.CutPrefix(lines.Text(), "I: "); ok {
			l.cfg.Progress("%s: %s", name, said)
		}
	}
	if err := cmd.Wait(); err != nil {
		return fmt.Errorf("%s: %w%s", name, errors.Join(ctx.Err(), err), indented(strings.Join(last, "\n")))
	}
	return l.cg.kill(filepath.Dir(l.buildGroup()))
}
