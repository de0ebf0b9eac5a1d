package lab

import (
	"crypto/ed25519"
	"crypto/rand"
	"encoding/hex"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"net/netip"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"strings"

	"golang.org/x/crypto/ssh"
)

// HostSpec is one host to boot.
type HostSpec struct {
	// Name is the host's name: lower-case letters, digits and hyphens, at most 40.
	Name string
	// Internet and Private are the host's addresses on the two segments (eth0 and eth1). Either may be unset, not both.
	// Without Private the host has no package repository and the machine cannot reach it but by Exec.
	Internet, Private netip.Addr
	// Files are put in the host's filesystem before it boots, by absolute path.
	Files map[string]File
	// Binds are directories of the machine that the host sees.
	Binds []Bind
}

// File is a file for a host, owned by root.
type File struct {
	// Source is a file on the machine to copy; Content is used when it is empty.
	Source  string
	Content []byte
	// Mode defaults to 0644.
	Mode fs.FileMode
}

// Bind shows a directory of the machine in a host.
type Bind struct {
	Source, Target string
	ReadOnly       bool
}

var hostName = regexp.MustCompile(`^[a-z0-9]([a-z0-9-]{0,38}[a-z0-9])?$`)

func (l *Lab) checkSpec(spec HostSpec) error {
	var errs []error
	bad := func(format string, args ...any) {
		errs = append(errs, fmt.Errorf("host %q: "+format, append([]any{spec.Name}, args...)...))
	}
	if !hostName.MatchString(spec.Name) {
		bad("Name: want lower-case letters, digits and hyphens, at most 40")
	}
	if !spec.Internet.IsValid() && !spec.Private.IsValid() {
		bad("Internet and Private are both unset: want at least one address")
	}
	for field, in := range map[string]struct {
		addr   netip.Addr
		prefix netip.Prefix
	}{"Internet": {spec.Internet, l.cfg.Internet}, "Private": {spec.Private, l.cfg.Private}} {
		if in.addr.IsValid() && (!in.prefix.Contains(in.addr) || in.addr == l.cfg.Admin) {
			bad("%s %s: want an address in %s other than the machine's own %s", field, in.addr, in.prefix, l.cfg.Admin)
		}
	}
	for target := range spec.Files {
		if !path.IsAbs(target) || path.Clean(target) != target {
			bad("Files[%q]: want an absolute, clean path", target)
		}
	}
	for _, bind := range spec.Binds {
		if !path.IsAbs(bind.Target) || !path.IsAbs(bind.Source) || badInPath.MatchString(bind.Source+bind.Target) {
			bad("Binds %q to %q: want absolute paths without space, comma, colon, quote or backslash", bind.Source, bind.Target)
		}
	}
	return errors.Join(errs...)
}

// checkSpecs looks at all hosts together, those that are up already included: an address or a name belongs to one.
func (l *Lab) checkSpecs(specs, existing []HostSpec) error {
	var errs []error
	owner := map[string]string{}
	claim := func(what, host string) {
		if other, taken := owner[what]; taken {
			errs = append(errs, fmt.Errorf("host %q: %s is already that of host %q", host, what, other))
		}
		owner[what] = host
	}
	for _, spec := range append(existing, specs...) {
		claim("name "+spec.Name, spec.Name)
		for _, addr := range []netip.Addr{spec.Internet, spec.Private} {
			if addr.IsValid() {
				claim("address "+addr.String(), spec.Name)
			}
		}
	}
	for _, spec := range specs {
		errs = append(errs, l.checkSpec(spec))
	}
	return errors.Join(errs...)
}

// create makes a host's own layer with its identity, keys, network settings and files, and records it last: a host with a record
// is complete.
func (l *Lab) create(spec HostSpec) error {
	if err := removeTree(l.hostDir(spec.Name)); err != nil {
		return fmt.Errorf("host %s: remove what an interrupted run left: %w", spec.Name, err)
	}
	root, err := l.mountRoot(spec.Name)
	if err != nil {
		return err
	}
	files, err := l.identity(spec)
	if err != nil {
		return fmt.Errorf("host %s: %w", spec.Name, err)
	}
	for target, file := range spec.Files {
		files[target] = file
	}
	if err := writeFiles(root, files); err != nil {
		return fmt.Errorf("host %s: %w", spec.Name, err)
	}
	// The container runtime's own overlay cannot sit on the host's overlay.
	if err := os.MkdirAll(l.containersDir(spec.Name), 0o755); err != nil {
		return err
	}
	return l.note(spec)
}

func (l *Lab) containersDir(name string) string { return filepath.Join(l.hostDir(name), "containers") }

// identity is what makes the shared image one host in particular.
func (l *Lab) identity(spec HostSpec) (map[string]File, error) {
	machineID := make([]byte, 16)
	if _, err := rand.Read(machineID); err != nil {
		return nil, err
	}
	hostKey, hostPublic, err := newKey(spec.Name)
	if err != nil {
		return nil, err
	}
	adminPublic, err := os.ReadFile(l.AdminKey() + ".pub")
	if err != nil {
		return nil, err
	}
	files := map[string]File{
		"/etc/hostname":   {Content: []byte(spec.Name + "\n")},
		"/etc/machine-id": {Content: []byte(hex.EncodeToString(machineID) + "\n"), Mode: 0o444},
		"/etc/hosts": {
			Content: []byte("127.0.0.1 localhost\n127.0.1.1 " + spec.Name + "\n::1 localhost ip6-localhost\n"),
		},
		"/etc/ssh/ssh_host_ed25519_key":         {Content: hostKey, Mode: 0o600},
		"/etc/ssh/ssh_host_ed25519_key.pub":     {Content: hostPublic},
		"/root/.ssh/authorized_keys":            {Content: adminPublic, Mode: 0o600},
		"/etc/apt/sources.list.d/packages.list": {Content: []byte("deb [trusted=yes] http://" + l.cfg.Admin.String() + "/debian ./\n")},
	}
	for _, nic := range l.nics(spec) {
		path, file := nic.config()
		files[path] = file
	}
	return files, nil
}

// writeFiles writes below root and never outside of it, whatever links the image has.
func writeFiles(dir string, files map[string]File) error {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return err
	}
	defer root.Close()
	for target, file := range files {
		if file.Source != "" {
			if file.Content, err = os.ReadFile(file.Source); err != nil {
				return fmt.Errorf("file %s: %w", target, err)
			}
		}
		if file.Mode == 0 {
			file.Mode = 0o644
		}
		name := strings.TrimPrefix(target, "/")
		parentMode := fs.FileMode(0o755)
		if path.Base(path.Dir(name)) == ".ssh" {
			parentMode = 0o700
		}
		err := errors.Join(root.MkdirAll(path.Dir(name), parentMode), root.WriteFile(name, file.Content, file.Mode))
		if err = errors.Join(err, root.Chmod(name, file.Mode)); err != nil {
			return fmt.Errorf("file %s: %w", target, err)
		}
	}
	return nil
}

// newKey makes an ed25519 key pair: OpenSSH private key, and public key line with the comment.
func newKey(comment string) (private, public []byte, err error) {
	pub, key, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		return nil, nil, err
	}
	block, err := ssh.MarshalPrivateKey(key, comment)
	if err != nil {
		return nil, nil, err
	}
	sshPub, err := ssh.NewPublicKey(pub)
	if err != nil {
		return nil, nil, err
	}
	line := strings.TrimSpace(string(ssh.MarshalAuthorizedKey(sshPub))) + " " + comment + "\n"
	return pem.EncodeToMemory(block), []byte(line), nil
}

// ensureAdminKey makes the administrator's key once for the lab.
func (l *Lab) ensureAdminKey() error {
	if _, err := os.Stat(l.AdminKey()); err == nil || !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	private, public, err := newKey("sandbox-administrator")
	if err != nil {
		return err
	}
	// The private key last: where it is, both are.
	if err := writeFile(l.AdminKey()+".pub", public, 0o644); err != nil {
		return err
	}
	return writeFile(l.AdminKey(), private, 0o600)
}
