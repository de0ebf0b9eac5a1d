package scan

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"golang.org/x/crypto/ssh"

	"github.com/insight-icon/pulumi-icon/sandbox/lab"
)

// cloudImage is what Debian's cloud image holds beyond the image of every lab, cloud-init apart. The kernel package matters most: without
// one, scanners take a host for a container and leave out most of what they know.
var cloudImage = []string{
	"linux-image-cloud-amd64", "grub-cloud-amd64", "apparmor", "unattended-upgrades", "python3", "locales", "bash-completion", "vim-tiny",
	"wget", "uuid-runtime", "pciutils", "lsb-release", "gpg", "socat", "screen", "traceroute", "bind9-host", "dosfstools", "fdisk", "gdisk",
	"apt-listchanges", "reportbug", "manpages",
}

// installable is what hosts can install in a scan: what hardening asks for, and what dev-sec does.
func installable() []string {
	return slices.Concat(lab.DefaultPackages, hardeningPackages(), []string{"ansible", "auditd", "libpam-passwdqc", "rsyslog-gnutls"})
}

const serveWord = "serve-packages"

// ServeIfAsked turns this process into the lab's package server if it was started as such; a program that scans calls it first.
func ServeIfAsked() {
	if len(os.Args) == 4 && os.Args[1] == serveWord {
		if err := lab.ServeRepo(context.Background(), os.Args[2], os.Args[3]); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
}

// The scan's lab has segments of its own, so that a sandbox that is up stays as it is.
var (
	internet = netip.MustParsePrefix("10.91.1.0/24")
	private  = netip.MustParsePrefix("10.91.2.0/24")
)

// admin is the machine's own address: the administrator's workstation.
const admin = "10.91.2.1"

func openLab(dir string, progress func(string, ...any)) (*lab.Lab, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	return lab.Open(lab.Config{
		Dir: dir, Name: "scan", Internet: internet, Private: private, Image: cloudImage, Packages: installable(),
		ServeArgv: []string{self, serveWord}, Progress: progress,
	})
}

func address(segment netip.Prefix, n int) netip.Addr {
	a := segment.Masked().Addr().As4()
	a[3] += byte(n)
	return netip.AddrFrom4(a)
}

// user logs in, as on a cloud's image: without a password, by key, root by sudo.
const user = "admin"

// spec is a host as a cloud hands it out: three host keys, and a user who may do everything.
func (r *run) spec(name string, n int) (lab.HostSpec, error) {
	files := map[string]lab.File{
		"/etc/sudoers.d/90-cloud-init-users": {Content: []byte(user + " ALL=(ALL) NOPASSWD:ALL\n"), Mode: 0o440},
	}
	for _, kind := range []string{"rsa", "ecdsa"} {
		key := filepath.Join(r.work, kind)
		if _, err := os.Stat(key); err != nil {
			if err := command(r.ctx, nil, "ssh-keygen", "-q", "-t", kind, "-N", "", "-C", "scan", "-f", key); err != nil {
				return lab.HostSpec{}, err
			}
		}
		files["/etc/ssh/ssh_host_"+kind+"_key"] = lab.File{Source: key, Mode: 0o600}
		files["/etc/ssh/ssh_host_"+kind+"_key.pub"] = lab.File{Source: key + ".pub"}
	}
	return lab.HostSpec{Name: name, Internet: address(internet, n), Private: address(private, n), Files: files}, nil
}

// likeACloud makes what a cloud's image has and a container has not: the user, Debian's security repository (an empty one, at $2), and a
// boot menu. GRUB finds no disk here to make one for, so the program that it asks for disks is another, which knows one.
const likeACloud = `useradd --create-home --shell /bin/bash --groups adm,sudo "$1"
install -d -m 0700 -o "$1" -g "$1" "/home/$1/.ssh"
install -m 0600 -o "$1" -g "$1" /root/.ssh/authorized_keys "/home/$1/.ssh/authorized_keys"
rm -r /root/.ssh
echo "deb [trusted=yes] $2 bookworm-security main" >/etc/apt/sources.list.d/security.list
dpkg-divert --quiet --local --rename --add /usr/sbin/grub-probe
install -m 0755 /dev/stdin /usr/sbin/grub-probe <<'END'
#!/bin/sh
case "$*" in
  *target=device*) echo /dev/vda1 ;;
  *target=fs_uuid*) echo 0b0b0b0b-1111-4222-8333-444444444444 ;;
  *target=partuuid*) echo 0b0b0b0b-01 ;;
  *target=partmap*) echo gpt ;;
  *target=abstraction*) ;;
  *target=fs* | *"-t fs"*) echo ext2 ;;
  *target=drive* | *"-t drive"*) echo "(hd0,gpt1)" ;;
  *target=*hint*) echo hd0,gpt1 ;;
esac
END
mkdir -p /boot/grub
update-grub >/dev/null 2>&1
grep -q vmlinuz /boot/grub/grub.cfg`

// securityRepository is an empty repository: what hosts install comes from the lab's own, with the security updates in it.
func (r *run) securityRepository() error {
	dir := filepath.Join(r.lab.FilesDir(), "dists", "bookworm-security")
	if err := os.MkdirAll(filepath.Join(dir, "main", "binary-amd64"), 0o755); err != nil {
		return err
	}
	release := fmt.Sprintf("Suite: oldstable-security\nCodename: bookworm-security\nArchitectures: amd64\nComponents: main\nDate: %s\n"+
		"SHA256:\n %x 0 main/binary-amd64/Packages\n", time.Now().UTC().Format(time.RFC1123), sha256.Sum256(nil))
	return errors.Join(os.WriteFile(filepath.Join(dir, "main", "binary-amd64", "Packages"), nil, 0o644),
		os.WriteFile(filepath.Join(dir, "Release"), []byte(release), 0o644))
}

// boot boots fresh hosts; numbers begin at n.
func (r *run) boot(n int, names ...string) error {
	var specs []lab.HostSpec
	for i, name := range names {
		spec, err := r.spec(name, n+i)
		if err != nil {
			return err
		}
		specs = append(specs, spec)
	}
	if err := r.lab.Boot(r.ctx, specs...); err != nil {
		return err
	}
	if err := r.securityRepository(); err != nil {
		return err
	}
	for _, name := range names {
		args := []string{"bash", "-euc", likeACloud, "like-a-cloud", user, strings.TrimSuffix(r.lab.FilesURL(), "/")}
		if _, err := r.lab.Exec(r.ctx, name, nil, args...); err != nil {
			return err
		}
	}
	return nil
}

func (r *run) remove(names ...string) error {
	var errs []error
	for _, name := range names {
		errs = append(errs, r.lab.Remove(context.WithoutCancel(r.ctx), name))
	}
	return errors.Join(errs...)
}

// login opens a connection to a host, as the deploy does: by key, to the host key that is known.
func (r *run) login(name string) (*ssh.Client, error) {
	if r.machine != nil {
		return r.machine.Login()
	}
	host, err := r.lab.Host(name)
	if err != nil {
		return nil, err
	}
	text, err := os.ReadFile(r.lab.AdminKey())
	if err != nil {
		return nil, err
	}
	signer, err := ssh.ParsePrivateKey(text)
	if err != nil {
		return nil, err
	}
	key, _, _, _, err := ssh.ParseAuthorizedKey([]byte(host.HostKey))
	if err != nil {
		return nil, err
	}
	client, err := ssh.Dial("tcp", host.Private.String()+":22", &ssh.ClientConfig{
		User: user, Auth: []ssh.AuthMethod{ssh.PublicKeys(signer)}, HostKeyCallback: ssh.FixedHostKey(key),
		HostKeyAlgorithms: []string{ssh.KeyAlgoED25519}, Timeout: 10 * time.Second,
	})
	if err != nil {
		return nil, fmt.Errorf("host %s: log in as %s: %w", name, user, err)
	}
	return client, nil
}

// session runs one command over one login. Each line of its output is given to watch, if there is one.
func session(client *ssh.Client, line, stdin string, watch func(string)) (string, error) {
	s, err := client.NewSession()
	if err != nil {
		return "", err
	}
	defer s.Close()
	out := &lineWriter{watch: watch}
	s.Stdin, s.Stdout, s.Stderr = strings.NewReader(stdin), out, out
	err = s.Run(line)
	return out.all.String(), err
}

// lineWriter keeps what is written and hands on each whole line.
type lineWriter struct {
	all   bytes.Buffer
	begun int
	watch func(string)
}

func (w *lineWriter) Write(p []byte) (int, error) {
	w.all.Write(p)
	for {
		line, _, whole := strings.Cut(string(w.all.Bytes()[w.begun:]), "\n")
		if !whole {
			return len(p), nil
		}
		w.begun += len(line) + 1
		if w.watch != nil {
			w.watch(line)
		}
	}
}
