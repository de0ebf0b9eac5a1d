// Package lab boots disposable hosts on one Debian 12 machine: real systemd, real sshd, real addresses, no cloud account.
//
// A lab has two segments. The internet segment plays the internet: its hosts reach one another and nothing else, and the machine
// itself has no address on it. On the private segment the machine has one address: it is the administrator's workstation, and
// serves the hosts' Debian packages, because neither segment has a way out.
//
// Everything but the machine's one private address lives in network namespaces, cgroups and a state directory named after the
// lab, so Down finds and removes all of it even when the process that made it was interrupted.
package lab

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"regexp"
	"time"
)

// Config says where a lab keeps its state and which addresses it uses. Only Dir and ServeArgv have no default.
type Config struct {
	// Dir is the state directory: cached images and packages (kept by Down) and the running lab (removed by Down).
	// It must not be on an overlay filesystem. See DefaultDir.
	Dir string
	// Name tells labs on one machine apart: 1 to 8 lower-case letters and digits. Default "icon".
	Name string
	// Internet is the segment that plays the internet. Default 10.77.1.0/24.
	Internet netip.Prefix
	// Private is the segment behind the sentries. Default 10.77.2.0/24.
	Private netip.Prefix
	// Admin is the machine's own address on the private segment. Default: the first of Private.
	Admin netip.Addr
	// Mirror is the Debian mirror to build from. Default http://deb.debian.org.
	Mirror string
	// Packages are what the hosts can install, with all dependencies. Default DefaultPackages.
	Packages []string
	// Image are packages that the hosts' image holds beyond those of every lab. Labs that ask for the same share an image.
	Image []string
	// ServeArgv starts the package server: the lab appends directory and address and runs it in the background; the program
	// named must call ServeRepo with the two.
	ServeArgv []string
	// BootTimeout bounds the wait for a host's SSH server. Default 90 s.
	BootTimeout time.Duration
	// Progress gets one line for each thing that takes time. Default: silence.
	Progress func(format string, args ...any)
}

// Lab is one set of segments and hosts. All state is on disk and in the kernel: a Lab opened by a later process sees the same hosts.
type Lab struct {
	cfg Config
	cg  cgroups
}

// DefaultPackages are the packages the hosts of an ICON installation install from Debian.
var DefaultPackages = []string{
	"haproxy", "podman", "crun", "conmon", "netavark", "aardvark-dns", "catatonit", "uidmap",
	// What the hardening's controls need; tests/hardening_test.go holds this list to them.
	"acct", "aide", "apparmor", "apparmor-utils", "audispd-plugins", "auditd", "chkrootkit", "chrony", "cracklib-runtime", "debsums",
	"libpam-pwquality", "libpam-tmpdir", "logrotate", "nftables", "rsyslog", "sudo", "unattended-upgrades", "usbguard",
}

// Packages returns the Debian packages the lab needs on the machine.
func Packages() []string {
	return []string{
		"systemd-container", "mmdebstrap", "apt-utils", "debian-archive-keyring", "iproute2", "util-linux", "ca-certificates",
	}
}

var tools = []string{"systemd-nspawn", "mmdebstrap", "apt-ftparchive", "ip", "nsenter"}

// DefaultDir returns the state directory for a checkout: $ICON_SANDBOX_DIR, or .sandbox below its root.
func DefaultDir(root string) string {
	if dir := os.Getenv("ICON_SANDBOX_DIR"); dir != "" {
		return dir
	}
	return filepath.Join(root, ".sandbox")
}

var (
	labName = regexp.MustCompile(`^[a-z][a-z0-9]{0,7}$`)
	// overlayfs gives these characters a meaning in its mount options.
	badInPath = regexp.MustCompile(`[,:\\"\s]`)
)

// Open checks the configuration, fills in the defaults and returns the lab, whether it is up or not. It changes nothing.
func Open(cfg Config) (*Lab, error) {
	setDefaults(&cfg)
	if err := validate(cfg); err != nil {
		return nil, err
	}
	dir, err := realPath(cfg.Dir)
	if err != nil {
		return nil, fmt.Errorf("state directory %s: %w", cfg.Dir, err)
	}
	cfg.Dir = dir
	cg, err := findCgroups("/proc/self/mountinfo")
	if err != nil {
		return nil, err
	}
	return &Lab{cfg: cfg, cg: cg}, nil
}

// realPath resolves a path that may not exist yet, because the kernel's mount table speaks of resolved paths only.
func realPath(path string) (string, error) {
	path, err := filepath.Abs(path)
	if err != nil {
		return "", err
	}
	resolved, err := filepath.EvalSymlinks(path)
	if errors.Is(err, os.ErrNotExist) && filepath.Dir(path) != path {
		parent, err := realPath(filepath.Dir(path))
		return filepath.Join(parent, filepath.Base(path)), err
	}
	return resolved, err
}

func setDefaults(cfg *Config) {
	if cfg.Name == "" {
		cfg.Name = "icon"
	}
	if !cfg.Internet.IsValid() {
		cfg.Internet = netip.MustParsePrefix("10.77.1.0/24")
	}
	if !cfg.Private.IsValid() {
		cfg.Private = netip.MustParsePrefix("10.77.2.0/24")
	}
	if !cfg.Admin.IsValid() {
		cfg.Admin = cfg.Private.Masked().Addr().Next()
	}
	if cfg.Mirror == "" {
		cfg.Mirror = "http://deb.debian.org"
	}
	if cfg.Packages == nil {
		cfg.Packages = DefaultPackages
	}
	if cfg.BootTimeout == 0 {
		cfg.BootTimeout = 90 * time.Second
	}
	if cfg.Progress == nil {
		cfg.Progress = func(string, ...any) {}
	}
}

func validate(cfg Config) error {
	var errs []error
	bad := func(format string, args ...any) { errs = append(errs, fmt.Errorf("lab: "+format, args...)) }
	if cfg.Dir == "" {
		bad("Dir is empty: want a directory for images and running hosts")
	}
	if badInPath.MatchString(cfg.Dir) {
		bad("Dir %q: want a path without space, comma, colon, quote or backslash (overlayfs options)", cfg.Dir)
	}
	if !labName.MatchString(cfg.Name) {
		bad("Name %q: want 1 to 8 lower-case letters and digits, a letter first", cfg.Name)
	}
	if !cfg.Internet.Addr().Is4() || !cfg.Private.Addr().Is4() {
		bad("Internet %s, Private %s: want IPv4 prefixes", cfg.Internet, cfg.Private)
	}
	if cfg.Internet.Overlaps(cfg.Private) {
		bad("Internet %s and Private %s overlap: want two separate segments", cfg.Internet, cfg.Private)
	}
	if !cfg.Private.Contains(cfg.Admin) {
		bad("Admin %s: want an address in Private %s", cfg.Admin, cfg.Private)
	}
	if len(cfg.ServeArgv) == 0 {
		bad("ServeArgv is empty: want the command that runs ServeRepo")
	}
	return errors.Join(errs...)
}

// Prepare builds what is not in the cache yet: the base image and the package repository. Takes about a minute the first time
// and no time afterwards. It needs root and access to the Debian mirror.
func (l *Lab) Prepare(ctx context.Context) error {
	return l.locked(ctx, l.prepare)
}

func (l *Lab) prepare(ctx context.Context) error {
	if err := l.ensureBase(ctx); err != nil {
		return err
	}
	return l.ensurePackages(ctx)
}

// AdminKey returns the path of the private key (ed25519, mode 0600) that root accepts on every host. It exists once Boot has run.
func (l *Lab) AdminKey() string { return filepath.Join(l.runDir(), "admin_ed25519") }

// FilesDir returns the directory whose files the hosts get from FilesURL. It exists once Boot has run.
func (l *Lab) FilesDir() string { return filepath.Join(l.wwwDir(), "files") }

// FilesURL returns where the hosts of the private segment find the files of FilesDir.
func (l *Lab) FilesURL() string { return "http://" + l.cfg.Admin.String() + "/files/" }

func (l *Lab) cacheDir() string           { return filepath.Join(l.cfg.Dir, "cache") }
func (l *Lab) runDir() string             { return filepath.Join(l.cfg.Dir, "lab-"+l.cfg.Name) }
func (l *Lab) wwwDir() string             { return filepath.Join(l.runDir(), "www") }
func (l *Lab) hostsDir() string           { return filepath.Join(l.runDir(), "hosts") }
func (l *Lab) hostDir(name string) string { return filepath.Join(l.hostsDir(), name) }
