// Package vm boots one full virtual machine under QEMU: a BIOS, GRUB, Debian's own kernel and a disk of its own, which a container has not.
// It needs nothing of the processor, and is ten to thirty times slower than the machine that it runs on.
//
// The machine reaches nothing but the program that made it, which is to run in a network of its own: see Apart.
package vm

import (
	"bytes"
	"context"
	_ "embed"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"golang.org/x/crypto/ssh"
)

const (
	// Gateway is the address from which the machine is reached, and at which it finds its packages.
	Gateway = "10.0.2.2"
	// User logs in by key and may do everything by sudo, as on Debian's cloud image.
	User = "admin"
	// Port of the machine's SSH server, on 127.0.0.1 of the program that made it.
	Port = 2222
	// packagesPort is where packages are served: on 127.0.0.1, which is the machine's Gateway.
	packagesPort = 80
)

// Config of a machine. Dir and Tree have no default.
type Config struct {
	// Dir keeps the machine's files: disk, key, what it says on its console. It is the caller's to remove.
	Dir string
	// Tree is a root filesystem of Debian 12 with a kernel, GRUB for a BIOS, systemd-networkd, sudo and an SSH server. It is only read.
	Tree string
	// Packages is a directory with a package repository, served as http://Gateway/debian. Empty: none.
	Packages string
	// CPUs (default 2), and Memory and Disk in MiB (default 4096 and 8192).
	CPUs, Memory, Disk int
	// BootTimeout bounds the time from power on, or from the order to reboot, to a login. Default 10 minutes.
	BootTimeout time.Duration
}

// Machine is a virtual machine. It is not for several goroutines at once, but for Login and Exec.
type Machine struct {
	cfg     Config
	signer  ssh.Signer
	hostKey ssh.PublicKey
	cmd     *exec.Cmd
	ended   chan error
	server  *http.Server
}

// Packages returns the Debian packages that a virtual machine takes beyond those of a lab.
func Packages() []string {
	return []string{"qemu-system-x86", "openssh-client", "e2fsprogs", "fdisk", "mount"}
}

//go:embed image.sh
var imageScript string

// Make makes the machine's disk and key. It needs root. Start boots it.
func Make(ctx context.Context, cfg Config) (*Machine, error) {
	setDefaults(&cfg)
	if err := validate(cfg); err != nil {
		return nil, err
	}
	if _, err := exec.LookPath("qemu-system-x86_64"); err != nil {
		return nil, fmt.Errorf("virtual machine: %w: install %s", err, strings.Join(Packages(), " "))
	}
	if err := os.MkdirAll(cfg.Dir, 0o700); err != nil {
		return nil, err
	}
	m := &Machine{cfg: cfg}
	if err := errors.Join(remove(m.file("disk")), remove(m.file("key")), remove(m.file("key.pub"))); err != nil {
		return nil, err
	}
	if _, err := output(exec.CommandContext(ctx, "ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", User, "-f", m.file("key"))); err != nil {
		return nil, err
	}
	public, err := os.ReadFile(m.file("key.pub"))
	if err != nil {
		return nil, err
	}
	private, err := os.ReadFile(m.file("key"))
	if err != nil {
		return nil, err
	}
	if m.signer, err = ssh.ParsePrivateKey(private); err != nil {
		return nil, err
	}
	// A mount namespace of its own: what it mounts is gone with it, however it ends.
	cmd := exec.CommandContext(ctx, "unshare", "--mount", "--propagation", "private", "bash", "-c", imageScript, "image.sh",
		cfg.Tree, m.file("disk"), strconv.Itoa(cfg.Disk), "http://"+Gateway)
	cmd.Stdin = bytes.NewReader(public)
	said, err := output(cmd)
	if err != nil {
		return nil, fmt.Errorf("disk of the virtual machine: %w", err)
	}
	if m.hostKey, _, _, _, err = ssh.ParseAuthorizedKey([]byte(said)); err != nil {
		return nil, fmt.Errorf("disk of the virtual machine: its host key: %w", err)
	}
	return m, nil
}

func setDefaults(cfg *Config) {
	if cfg.CPUs == 0 {
		cfg.CPUs = 2
	}
	if cfg.Memory == 0 {
		cfg.Memory = 4096
	}
	if cfg.Disk == 0 {
		cfg.Disk = 8192
	}
	if cfg.BootTimeout == 0 {
		cfg.BootTimeout = 10 * time.Minute
	}
}

func validate(cfg Config) error {
	var errs []error
	bad := func(format string, args ...any) { errs = append(errs, fmt.Errorf("virtual machine: "+format, args...)) }
	if cfg.Dir == "" {
		bad("Dir is empty: want a directory for its disk")
	}
	if strings.Contains(cfg.Dir, ",") {
		bad("Dir %q: want a path without comma (options of QEMU)", cfg.Dir)
	}
	if _, err := os.Stat(filepath.Join(cfg.Tree, "usr", "lib", "grub", "i386-pc")); cfg.Tree == "" || err != nil {
		bad("Tree %q: want a root filesystem with GRUB for a BIOS in it (package grub-pc-bin)", cfg.Tree)
	}
	if cfg.CPUs < 1 || cfg.Memory < 1024 {
		bad("%d CPUs and %d MiB of memory: want at least 1 and 1024", cfg.CPUs, cfg.Memory)
	}
	if cfg.Disk < 4096 {
		bad("a disk of %d MiB: want at least 4096", cfg.Disk)
	}
	return errors.Join(errs...)
}

func (m *Machine) file(name string) string { return filepath.Join(m.cfg.Dir, name) }

// Start serves the packages, boots the machine and waits until it can be logged in to.
func (m *Machine) Start(ctx context.Context) error {
	if m.cmd != nil {
		return errors.New("virtual machine: is started already")
	}
	if err := m.serve(ctx); err != nil {
		return err
	}
	// Not CommandContext: the power is cut by Stop alone.
	m.cmd = exec.Command("qemu-system-x86_64", m.argv()...)
	said := &bytes.Buffer{}
	m.cmd.Stdout, m.cmd.Stderr = said, said
	if err := m.cmd.Start(); err != nil {
		m.cmd = nil
		return errors.Join(fmt.Errorf("virtual machine: %w", err), m.Stop())
	}
	m.ended = make(chan error, 1)
	go func() {
		err := m.cmd.Wait()
		m.ended <- fmt.Errorf("QEMU has ended: %w: %s", err, strings.TrimSpace(said.String()))
	}()
	return m.await(ctx, "")
}

func (m *Machine) argv() []string {
	return []string{
		"-machine", "pc", "-accel", "tcg,thread=multi,tb-size=512", "-cpu", "qemu64,+ssse3,+sse4.1,+sse4.2,+popcnt,+aes,+pclmulqdq,+rdrand",
		"-smp", strconv.Itoa(m.cfg.CPUs), "-m", strconv.Itoa(m.cfg.Memory), "-display", "none", "-serial", "file:" + m.file("console"),
		// Nobody needs the disk after this process.
		"-drive", "file=" + m.file("disk") + ",if=virtio,format=raw,cache=unsafe",
		"-netdev", fmt.Sprintf("user,id=net,hostfwd=tcp:127.0.0.1:%d-:22", Port), "-device", "virtio-net-pci,netdev=net",
		"-device", "virtio-rng-pci",
	}
}

// serve answers the machine's package manager.
func (m *Machine) serve(ctx context.Context) error {
	listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp4", net.JoinHostPort("127.0.0.1", strconv.Itoa(packagesPort)))
	if err != nil {
		return fmt.Errorf("package server of the virtual machine: %w", err)
	}
	mux := http.NewServeMux()
	if m.cfg.Packages != "" {
		mux.Handle("/debian/", http.StripPrefix("/debian", http.FileServer(http.Dir(m.cfg.Packages))))
	}
	mux.Handle("/security/", http.StripPrefix("/security", emptySuite("bookworm-security")))
	m.server = &http.Server{Handler: mux, ReadHeaderTimeout: 10 * time.Second}
	go func() { _ = m.server.Serve(listener) }()
	return nil
}

// Stop cuts the power, if there is any.
func (m *Machine) Stop() error {
	var errs []error
	if m.cmd != nil {
		errs = append(errs, m.cmd.Process.Kill())
		<-m.ended
		m.cmd = nil
	}
	if m.server != nil {
		errs = append(errs, m.server.Close())
		m.server = nil
	}
	return errors.Join(errs...)
}

// Reboot has the machine boot again in its own way and waits until it can be logged in to.
func (m *Machine) Reboot(ctx context.Context) error {
	before, err := m.bootID()
	if err != nil {
		return err
	}
	// The connection ends with the machine, before or after the answer.
	_, _ = m.Exec(ctx, nil, "systemctl", "reboot")
	return m.await(ctx, before)
}

// await waits for a login to another boot than the one named.
func (m *Machine) await(ctx context.Context, before string) error {
	ctx, cancel := context.WithTimeout(ctx, m.cfg.BootTimeout)
	defer cancel()
	for {
		id, err := m.bootID()
		if err == nil && id != before {
			return nil
		}
		select {
		case ended := <-m.ended:
			m.ended <- ended
			return ended
		case <-ctx.Done():
			console, _ := os.ReadFile(m.file("console"))
			return fmt.Errorf("virtual machine: no login in %s: %w; the end of its console:\n%s", m.cfg.BootTimeout, errors.Join(ctx.Err(), err),
				console[max(0, len(console)-2000):])
		case <-time.After(2 * time.Second):
		}
	}
}

func (m *Machine) bootID() (string, error) {
	client, err := m.Login()
	if err != nil {
		return "", err
	}
	defer client.Close()
	session, err := client.NewSession()
	if err != nil {
		return "", err
	}
	defer session.Close()
	out, err := session.Output("cat /proc/sys/kernel/random/boot_id")
	return string(out), err
}

// loginTimeout is for a key exchange without help of the processor.
const loginTimeout = 60 * time.Second

// Login opens a connection to the machine, by the key and to the host key that were made with its disk.
func (m *Machine) Login() (*ssh.Client, error) {
	address := net.JoinHostPort("127.0.0.1", strconv.Itoa(Port))
	conn, err := net.DialTimeout("tcp", address, loginTimeout)
	if err != nil {
		return nil, fmt.Errorf("virtual machine: %w", err)
	}
	// QEMU takes the connection long before the machine does. The deadline ends with the key exchange.
	if err := conn.SetDeadline(time.Now().Add(loginTimeout)); err != nil {
		return nil, errors.Join(err, conn.Close())
	}
	c, channels, requests, err := ssh.NewClientConn(conn, address, &ssh.ClientConfig{
		User: User, Auth: []ssh.AuthMethod{ssh.PublicKeys(m.signer)}, HostKeyCallback: ssh.FixedHostKey(m.hostKey),
		HostKeyAlgorithms: []string{m.hostKey.Type()},
	})
	if err != nil {
		return nil, errors.Join(fmt.Errorf("virtual machine: log in as %s: %w", User, err), conn.Close())
	}
	if err := conn.SetDeadline(time.Time{}); err != nil {
		return nil, errors.Join(err, c.Close())
	}
	return ssh.NewClient(c, channels, requests), nil
}

// Exec runs a program as root over a login of its own and returns what it wrote to standard output.
func (m *Machine) Exec(ctx context.Context, stdin io.Reader, argv ...string) (string, error) {
	client, err := m.Login()
	if err != nil {
		return "", err
	}
	defer client.Close()
	stop := context.AfterFunc(ctx, func() { client.Close() })
	defer stop()
	session, err := client.NewSession()
	if err != nil {
		return "", err
	}
	defer session.Close()
	var stdout, stderr bytes.Buffer
	session.Stdin, session.Stdout, session.Stderr = stdin, &stdout, &stderr
	words := make([]string, len(argv))
	for i, word := range argv {
		words[i] = quote(word)
	}
	if err := session.Run("sudo -n -- " + strings.Join(words, " ")); err != nil {
		said := strings.TrimSpace(stderr.String())
		return stdout.String(), fmt.Errorf("virtual machine: %s: %w: %s", argv[0], errors.Join(ctx.Err(), err), said)
	}
	return stdout.String(), nil
}
