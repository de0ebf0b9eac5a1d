package scan

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// pinned is a scanner that bookworm has too old, so that it comes from Debian unstable: one version, one file. All three are of any
// architecture and are only unpacked.
type pinned struct{ name, version, sha256 string }

var fromUnstable = []pinned{
	{"lynis", "3.1.7-1", "05c4390d8ff521773f6f9f4ae1813dc04f6cc2969ba35399086004062b69e6b9"},
	{"ssg-debian", "0.1.82-1", "cfde145916f1f37ec96c0fe2a9ea5f44a2db0ee6f0a2dacfcf86534c0977755a"},
	{"ssh-audit", "3.3.0-2", "5a0fde3b33d133f72624d32ce9a9c165afebd74f3c729fd91de9288aabc0cd45"},
}

// fromStable come from bookworm with all that they need, so that nothing is installed on the machine or on a scanned host.
var fromStable = []string{"openscap-scanner", "nmap", "python3"}

const mirror = "http://deb.debian.org"

// Scanners are the scanners, unpacked into one directory of the machine.
type Scanners struct {
	// Versions by package, "lynis 3.1.7-1".
	Versions []string
	// Fallbacks say which package is not of the version that is pinned, and why. Figures then don't compare.
	Fallbacks []string
	root      string
}

// scannersDir is named after what is in it.
func scannersDir(cache string) string {
	sum := sha256.Sum256(fmt.Append(nil, fromUnstable, fromStable, kitPaths, libDirs, 4))
	return filepath.Join(cache, "scanners-"+hex.EncodeToString(sum[:])[:12])
}

// ensureScanners gets the scanners unless they are in the cache.
func ensureScanners(ctx context.Context, cache string, progress func(string, ...any)) (*Scanners, error) {
	// apt-get runs in a directory of its own, and is told where its others are.
	cache, err := filepath.Abs(cache)
	if err != nil {
		return nil, err
	}
	dir := scannersDir(cache)
	s := &Scanners{root: filepath.Join(dir, "root")}
	if text, err := os.ReadFile(filepath.Join(dir, "versions")); err == nil {
		s.Versions = strings.Split(strings.TrimSpace(string(text)), "\n")
		return s, nil
	}
	progress("scanners: getting %s", strings.Join(fromStable, ", "))
	if err := os.RemoveAll(dir); err != nil {
		return nil, err
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, err
	}
	if err := s.unpackStable(ctx, dir); err != nil {
		return nil, fmt.Errorf("scanners: %w", err)
	}
	apt, err := newApt(ctx, filepath.Join(dir, "apt"), "sid")
	if err != nil {
		return nil, fmt.Errorf("scanners: %w", err)
	}
	for _, p := range fromUnstable {
		if err := s.unpackPinned(ctx, apt, p); err != nil {
			return nil, fmt.Errorf("scanners: %w", err)
		}
	}
	if err := s.pack(ctx); err != nil {
		return nil, fmt.Errorf("scanners: %w", err)
	}
	if len(s.Fallbacks) > 0 {
		return s, nil // not kept: the next run tries the pinned ones again
	}
	return s, os.WriteFile(filepath.Join(dir, "versions"), []byte(strings.Join(s.Versions, "\n")+"\n"), 0o644)
}

// unpackStable lets mmdebstrap find what the packages need, and extract it without running anything of it.
func (s *Scanners) unpackStable(ctx context.Context, dir string) error {
	const signed = "deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] " + mirror
	sources := signed + "/debian bookworm main\n" + signed + "/debian-security bookworm-security main\n"
	status := filepath.Join(dir, "packages")
	err := command(ctx, strings.NewReader(sources), "mmdebstrap", "--quiet", "--mode=root", "--variant=extract", "--format=directory",
		"--include="+strings.Join(fromStable, ","), "--dpkgopt=path-exclude=/usr/share/doc/*", "--dpkgopt=path-exclude=/usr/share/man/*",
		`--extract-hook=for deb in "$1"/var/cache/apt/archives/*.deb; do dpkg-deb --show "$deb"; done >`+status,
		"bookworm", s.root, "-")
	if err != nil {
		return err
	}
	text, err := os.ReadFile(status)
	for line := range strings.Lines(string(text)) {
		name, version, _ := strings.Cut(strings.TrimSpace(line), "\t")
		for _, wanted := range fromStable {
			if name == wanted {
				s.Versions = append(s.Versions, name+" "+version)
			}
		}
	}
	return errors.Join(err, os.RemoveAll(filepath.Join(s.root, "var/cache/apt")))
}

// unpackPinned unpacks one package of unstable: of the version that is pinned, or the present one where unstable has moved on.
func (s *Scanners) unpackPinned(ctx context.Context, apt *apt, p pinned) error {
	deb, err := apt.download(ctx, p.name+"="+p.version)
	if err == nil {
		if err := checkSum(deb, p.sha256); err != nil {
			return err
		}
		s.Versions = append(s.Versions, p.name+" "+p.version)
		return command(ctx, nil, "dpkg-deb", "--extract", deb, s.root)
	}
	deb, next := apt.download(ctx, p.name)
	if next != nil {
		return errors.Join(err, next)
	}
	version, next := output(exec.CommandContext(ctx, "dpkg-deb", "--field", deb, "Version"))
	if next != nil {
		return next
	}
	name := p.name + " " + strings.TrimSpace(version)
	s.Versions = append(s.Versions, name)
	s.Fallbacks = append(s.Fallbacks, fmt.Sprintf("%s %s is gone from Debian unstable; used %s", p.name, p.version, name))
	return command(ctx, nil, "dpkg-deb", "--extract", deb, s.root)
}

func checkSum(path, want string) error {
	data, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	if sum := sha256.Sum256(data); hex.EncodeToString(sum[:]) != want {
		return fmt.Errorf("%s: SHA-256 is %x, want %s", filepath.Base(path), sum, want)
	}
	return nil
}

// kitPaths are what a scanned host needs of the scanners, relative to the directory they are unpacked in.
var kitPaths = []string{
	"usr/bin/oscap", "usr/share/openscap/xsl", "usr/share/openscap/cpe",
	"usr/share/xml/scap/ssg/content/ssg-debian12-ds.xml", "usr/sbin/lynis", "usr/share/lynis", "etc/lynis",
}

// pack makes the archive that a host gets in memory for the time of a scan.
func (s *Scanners) pack(ctx context.Context) error {
	script := `cd "$1"; shift
libs=$(env "$1" ldd usr/bin/oscap | awk '$3 ~ /^(usr\/)?lib\// { print $3 }' |
  grep -vE '/lib(c|m|dl|pthread|rt|resolv)\.so')
shift
exec tar --create --dereference --file ../kit.tar "$@" $libs`
	return command(ctx, nil, "bash", append([]string{"-euc", script, "pack", s.root, libraries("")}, kitPaths...)...)
}

func (s *Scanners) kit() string { return filepath.Join(filepath.Dir(s.root), "kit.tar") }

// libDirs are where the scanners' libraries are, relative to the directory they are unpacked in.
var libDirs = []string{
	"usr/lib/x86_64-linux-gnu", "lib/x86_64-linux-gnu", "usr/lib", "usr/lib/x86_64-linux-gnu/blas", "usr/lib/x86_64-linux-gnu/lapack",
}

// libraries is the search path of the scanners' libraries, unpacked in root.
func libraries(root string) string {
	dirs := make([]string, len(libDirs))
	for i, dir := range libDirs {
		dirs[i] = filepath.Join(root, dir)
	}
	return "LD_LIBRARY_PATH=" + strings.Join(dirs, ":")
}

// command is a scanner that runs on the machine itself, with its own libraries.
func (s *Scanners) command(ctx context.Context, env []string, argv ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, argv[0], argv[1:]...)
	cmd.Env = append([]string{"PATH=/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL=C.UTF-8", libraries(s.root)}, env...)
	return cmd
}

// apt asks a Debian suite with directories of its own: the machine's sources and lists are not touched.
type apt struct {
	dir     string
	options []string
}

func newApt(ctx context.Context, dir, suite string) (*apt, error) {
	for _, sub := range []string{"lists/partial", "archives/partial"} {
		if err := os.MkdirAll(filepath.Join(dir, sub), 0o755); err != nil {
			return nil, err
		}
	}
	source := "deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] " + mirror + "/debian " + suite + " main\n"
	err := errors.Join(os.WriteFile(filepath.Join(dir, "sources.list"), []byte(source), 0o644),
		os.WriteFile(filepath.Join(dir, "status"), nil, 0o644))
	if err != nil {
		return nil, err
	}
	a := &apt{dir: dir, options: []string{
		"-qq", "-oDir::State::status=" + filepath.Join(dir, "status"), "-oDir::State::extended_states=/dev/null",
		"-oDir::State::lists=" + filepath.Join(dir, "lists"), "-oDir::Cache=" + dir, "-oDir::Cache::archives=" + filepath.Join(dir, "archives"),
		"-oDir::Etc::sourcelist=" + filepath.Join(dir, "sources.list"), "-oDir::Etc::sourceparts=/dev/null",
		"-oDir::Etc::preferencesparts=/dev/null", "-oAPT::Sandbox::User=root", "-oDebug::NoLocking=true",
	}}
	return a, command(ctx, nil, "apt-get", append(a.options, "update")...)
}

// download gets one package and returns its file.
func (a *apt) download(ctx context.Context, what string) (string, error) {
	cmd := exec.CommandContext(ctx, "apt-get", append(append([]string{}, a.options...), "download", what)...)
	cmd.Dir = filepath.Join(a.dir, "archives")
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("apt-get download %s: %w: %s", what, err, bytes.TrimSpace(out))
	}
	name, _, _ := strings.Cut(what, "=")
	debs, err := filepath.Glob(filepath.Join(cmd.Dir, name+"_*.deb"))
	if err != nil || len(debs) != 1 {
		return "", fmt.Errorf("apt-get download %s: %d files: %w", what, len(debs), err)
	}
	return debs[0], nil
}

// command runs a command; an error carries the end of what it said.
func command(ctx context.Context, stdin *strings.Reader, name string, args ...string) error {
	cmd := exec.CommandContext(ctx, name, args...)
	if stdin != nil {
		cmd.Stdin = stdin
	}
	out, err := cmd.CombinedOutput()
	if err != nil {
		return fmt.Errorf("%s: %w: %s", name, err, lastLines(string(out), 10))
	}
	return nil
}

func lastLines(text string, n int) string {
	lines := strings.Split(strings.TrimSpace(text), "\n")
	return strings.Join(lines[max(0, len(lines)-n):], "\n")
}
