//go:build sandbox

package lab

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/crypto/ssh"
)

// The tests of this file boot real hosts: root, and the Debian mirror the first time. They use a lab of their own name and
// ranges, so a sandbox that is up is not disturbed, and share its cache.
func testLab(t *testing.T) *Lab {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	l, err := Open(Config{
		Dir: DefaultDir("../.."), Name: "labtest", ServeArgv: []string{self, "serve"}, Progress: t.Logf,
		Internet: netip.MustParsePrefix("10.78.1.0/24"), Private: netip.MustParsePrefix("10.78.2.0/24"),
	})
	if err != nil {
		t.Fatal(err)
	}
	down := func() {
		if err := l.Down(context.Background()); err != nil {
			t.Error(err)
		}
	}
	down()
	t.Cleanup(down)
	return l
}

func fiveHosts() []HostSpec {
	specs := []HostSpec{{Name: "prep", Private: netip.MustParseAddr("10.78.2.10")}}
	for i := range 3 {
		specs = append(specs, HostSpec{
			Name: fmt.Sprintf("edge-%d", i), Internet: netip.AddrFrom4([4]byte{10, 78, 1, byte(20 + i)}),
			Private: netip.AddrFrom4([4]byte{10, 78, 2, byte(20 + i)}),
		})
	}
	return append(specs, HostSpec{Name: "net", Internet: netip.MustParseAddr("10.78.1.100")})
}

func boot(t *testing.T, l *Lab, specs ...HostSpec) {
	t.Helper()
	if err := l.Boot(t.Context(), specs...); err != nil {
		t.Fatal(err)
	}
}

func exec1(t *testing.T, l *Lab, host string, args ...string) string {
	t.Helper()
	out, err := l.Exec(t.Context(), host, nil, args...)
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimSpace(out)
}

// sshRun logs in as the administrator, with the host key that was known before the host first booted.
func sshRun(t *testing.T, l *Lab, name, command string) string {
	t.Helper()
	host, err := l.Host(name)
	if err != nil {
		t.Fatal(err)
	}
	pinned, _, _, _, err := ssh.ParseAuthorizedKey([]byte(host.HostKey))
	if err != nil {
		t.Fatal(err)
	}
	pem, err := os.ReadFile(l.AdminKey())
	if err != nil {
		t.Fatal(err)
	}
	signer, err := ssh.ParsePrivateKey(pem)
	if err != nil {
		t.Fatal(err)
	}
	client, err := ssh.Dial("tcp", netip.AddrPortFrom(host.Private, 22).String(), &ssh.ClientConfig{
		User: "root", Auth: []ssh.AuthMethod{ssh.PublicKeys(signer)}, HostKeyCallback: ssh.FixedHostKey(pinned),
		HostKeyAlgorithms: []string{ssh.KeyAlgoED25519}, Timeout: 5 * time.Second,
	})
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	session, err := client.NewSession()
	if err != nil {
		t.Fatal(err)
	}
	out, err := session.CombinedOutput(command)
	if err != nil {
		t.Fatalf("%s: %v\n%s", command, err, out)
	}
	return strings.TrimSpace(string(out))
}

func TestFiveHostsAreRealDebianHosts(t *testing.T) {
	l := testLab(t)
	specs := fiveHosts()
	shared := t.TempDir()
	specs[0].Files = map[string]File{"/etc/icon/secret": {Content: []byte("s"), Mode: 0o600}}
	specs[0].Binds = []Bind{{Source: shared, Target: "/mnt/shared"}}
	boot(t, l, specs...)

	if got := sshRun(t, l, "prep", "hostname; stat -c %a:%U /etc/icon/secret"); got != "prep\n600:root" {
		t.Errorf("prep over SSH says %q", got)
	}
	exec1(t, l, "prep", "touch", "/mnt/shared/made-inside")
	if _, err := os.Stat(filepath.Join(shared, "made-inside")); err != nil {
		t.Error(err)
	}
	for _, spec := range specs {
		if state := exec1(t, l, spec.Name, "systemctl", "is-system-running", "--wait"); state != "running" {
			t.Errorf("%s is %q: %s", spec.Name, state, exec1(t, l, spec.Name, "systemctl", "--failed"))
		}
		if fs := exec1(t, l, spec.Name, "stat", "-f", "-c", "%T", "/var/lib/containers"); strings.Contains(fs, "overlay") {
			t.Errorf("%s: /var/lib/containers is on %s", spec.Name, fs)
		}
	}
	for _, tool := range []string{"haproxy", "nft", "chronyd", "podman"} {
		if out, err := l.Exec(t.Context(), "prep", nil, "which", tool); err == nil {
			t.Errorf("the image already has %s: %s", tool, out)
		}
	}
	if info, err := os.Stat(l.AdminKey()); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("administrator's key: %v %v, want mode 0600", info, err)
	}
	status, err := l.Status(t.Context())
	if err != nil || !status.Segments || !status.PackageServer || len(status.Hosts) != 5 {
		t.Errorf("status %+v, %v", status, err)
	}

	if err := l.cg.kill(l.group(serverGroup)); err != nil {
		t.Fatal(err)
	}
	if err := l.checkServed(t.Context(), specs); err == nil || !strings.Contains(err.Error(), "host prep cannot reach the package server") {
		t.Errorf("without a package server the hosts are said to be served: %v", err)
	}
	boot(t, l, specs[0]) // again: the host is left alone, the server comes back
	if status, err := l.Status(t.Context()); err != nil || !status.PackageServer {
		t.Errorf("the package server is not back: %+v, %v", status, err)
	}
	changed := specs[0]
	changed.Private = netip.MustParseAddr("10.78.2.11")
	if err := l.Boot(t.Context(), changed); err == nil || !strings.Contains(err.Error(), `host "prep" is already up`) {
		t.Errorf("a host that is up was booted with another address: %v", err)
	}
}

func TestHostsInstallFromTheLabAndHaveNoWayOut(t *testing.T) {
	l := testLab(t)
	boot(t, l, fiveHosts()[:2]...)
	begin := time.Now()
	sshRun(t, l, "prep", "apt-get -q update")
	updated := time.Now()
	sshRun(t, l, "prep", "DEBIAN_FRONTEND=noninteractive apt-get -qy install haproxy nftables chrony")
	t.Logf("apt-get update %.2f s, install haproxy nftables chrony %.1f s", updated.Sub(begin).Seconds(), time.Since(updated).Seconds())
	if spent := updated.Sub(begin); spent > 3*time.Second {
		t.Errorf("apt-get update took %s", spent)
	}
	for _, unit := range []string{"haproxy", "ssh"} {
		if got := exec1(t, l, "prep", "systemctl", "is-active", unit); got != "active" {
			t.Errorf("%s is %s", unit, got)
		}
	}
	sshRun(t, l, "edge-0", "apt-get -q update && DEBIAN_FRONTEND=noninteractive apt-get -qy install podman && podman info")
	for _, host := range []string{"prep", "edge-0"} {
		if out, err := l.Exec(t.Context(), host, nil, "ip", "-4", "route", "get", "192.0.2.1"); err == nil {
			t.Errorf("%s has a way out: %s", host, out)
		}
	}
	if err := os.WriteFile(filepath.Join(l.FilesDir(), "f"), []byte("file"), 0o644); err != nil {
		t.Fatal(err)
	}
	if got := exec1(t, l, "prep", "curl", "-fsS", l.FilesURL()+"f"); got != "file" {
		t.Errorf("served file is %q", got)
	}
}

func TestPowerCutKeepsTheDiskAndNothingElse(t *testing.T) {
	l := testLab(t)
	boot(t, l, fiveHosts()[:2]...)
	sshRun(t, l, "prep", "echo kept > /var/lib/kept; sync; echo x > /run/lost")
	before, err := l.Host("prep")
	if err != nil {
		t.Fatal(err)
	}
	if err := l.Kill(t.Context(), "prep"); err != nil {
		t.Fatal(err)
	}
	off, err := l.Host("prep")
	if err != nil || off.Running {
		t.Errorf("after the power cut: %+v, %v", off, err)
	}
	if _, err := l.Exec(t.Context(), "prep", nil, "true"); err == nil || !strings.Contains(err.Error(), "does not run") {
		t.Errorf("a command on a dead host: %v", err)
	}
	if err := l.Start(t.Context(), "prep"); err != nil {
		t.Fatal(err)
	}
	if got := sshRun(t, l, "prep", "cat /var/lib/kept; ls /run/lost 2>&1 | grep -c 'No such'"); got != "kept\n1" {
		t.Errorf("after the power cut the host says %q", got)
	}
	if after, err := l.Host("prep"); err != nil || after.HostKey != before.HostKey {
		t.Errorf("host key changed from %q to %q (%v)", before.HostKey, after.HostKey, err)
	}
	if got := exec1(t, l, "edge-0", "ping", "-c1", "-W2", "10.78.2.10"); !strings.Contains(got, "1 received") {
		t.Errorf("neighbour cannot reach the restarted host: %s", got)
	}
}

func TestScanFindsEveryOpenPortAndOnlyThose(t *testing.T) {
	l := testLab(t)
	boot(t, l, fiveHosts()...)
	want := []int{22}
	for port := 1000; port <= 65000; port += 997 {
		want = append(want, port)
	}
	exec1(t, l, "edge-0", "systemd-run", "--quiet", "--service-type=notify", "-p", "NotifyAccess=all", "perl", "-MIO::Socket::INET", "-e", `
		for (my $p = 1000; $p <= 65000; $p += 997) {
			push @s, IO::Socket::INET->new(LocalPort => $p, Listen => 8, ReuseAddr => 1) || die "port $p: $!";
		}
		system("systemd-notify", "--ready") == 0 or die; sleep`)
	sshRun(t, l, "edge-0", "apt-get -q update && apt-get -qy install nftables")
	scan := func(from, to string) ScanResult {
		begin := time.Now()
		result, err := l.ScanPorts(t.Context(), from, netip.MustParseAddr(to), 1, 65535)
		if err != nil {
			t.Fatal(err)
		}
		t.Logf("%s to %s: %d open, %d refused, %d unreachable, %d silent in %.1f s", from, to, len(result.Open), result.Refused,
			result.Unreachable, result.Silent, time.Since(begin).Seconds())
		if sum := len(result.Open) + result.Refused + result.Unreachable + result.Silent; sum != 65535 {
			t.Errorf("%d ports accounted for, want 65535", sum)
		}
		if spent := time.Since(begin); spent > 30*time.Second {
			t.Errorf("the scan took %s", spent)
		}
		slices.Sort(result.Open)
		return result
	}
	if got := scan("net", "10.78.1.20"); !slices.Equal(got.Open, want) || got.Silent > 0 {
		t.Errorf("open ports %v, want %v; %d silent, want 0", got.Open, want, got.Silent)
	}
	exec1(t, l, "edge-0", "nft", "add table inet x; add chain inet x in { type filter hook input priority 0; policy drop; }; "+
		"add rule inet x in tcp dport { 22, 1000 } accept")
	if got := scan("net", "10.78.1.20"); !slices.Equal(got.Open, []int{22, 1000}) || got.Silent != 65533 {
		t.Errorf("behind a firewall: open %v, %d silent, want [22 1000] and the rest silent", got.Open, got.Silent)
	}
	if got := scan("net", "10.78.2.10"); got.Unreachable != 65535 {
		t.Errorf("the internet segment reaches the private one: %+v", got)
	}
}

func TestAHostThatDoesNotBootIsNamedWithItsConsole(t *testing.T) {
	l := testLab(t)
	l.cfg.BootTimeout = 8 * time.Second
	broken := fiveHosts()[1]
	broken.Files = map[string]File{"/etc/ssh/sshd_config": {Content: []byte("Nonsense yes\n")}}
	err := l.Boot(t.Context(), fiveHosts()[0], broken)
	if err == nil {
		t.Fatal("a host without SSH counts as booted")
	}
	for _, want := range []string{"host edge-0 (10.78.1.20, 10.78.2.20)", "no SSH within 8s", "console.log", "ssh.service"} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("the error does not say %q:\n%v", want, err)
		}
	}
	if strings.Contains(err.Error(), "host prep") {
		t.Errorf("the healthy host is blamed too:\n%v", err)
	}
}

func TestSegmentsLeftHalfMadeAreMadeAgain(t *testing.T) {
	l := testLab(t)
	if err := ip(t.Context(), "", "netns add "+l.switchNetns()); err != nil {
		t.Fatal(err)
	}
	specs := fiveHosts()[:2]
	boot(t, l, specs...)
	if got := exec1(t, l, "edge-0", "ping", "-c1", "-W2", specs[0].Private.String()); !strings.Contains(got, "1 received") {
		t.Errorf("the hosts do not reach each other: %s", got)
	}
}

func TestDownLeavesNothing(t *testing.T) {
	before := kernelState(t)
	l := testLab(t)
	boot(t, l, fiveHosts()...)
	ctx, cancel := context.WithCancel(t.Context())
	time.AfterFunc(50*time.Millisecond, cancel)
	late := HostSpec{Name: "late", Private: netip.MustParseAddr("10.78.2.50")}
	if err := l.Boot(ctx, late); !errors.Is(err, context.Canceled) {
		t.Errorf("an interrupted boot says %v", err)
	}
	// What a killed process can leave beyond that: a host without its record.
	if err := os.Remove(filepath.Join(l.hostDir("edge-1"), "host.json")); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if err := l.Down(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	if after := kernelState(t); after != before {
		t.Errorf("before the sandbox:\n%s\nafter it:\n%s", before, after)
	}
}

// kernelState is all that a lab can leave on a machine outside of its state directory.
func kernelState(t *testing.T) string {
	t.Helper()
	var state bytes.Buffer
	for _, command := range []string{
		"ip -o link | cut -d: -f2 | sort", "ls /run/netns 2>/dev/null | grep labtest || true", "cut -d' ' -f5 /proc/self/mountinfo | sort",
		"find /sys/fs/cgroup -name '*labtest*'", "find /run/systemd/nspawn -name 'labtest*'",
		"for p in /proc/[0-9]*; do tr '\\0' ' ' < $p/cmdline | grep -o 'systemd-nspawn.*labtest.*\\|lab-labtest.*' || true; done",
	} {
		out, err := run(t.Context(), nil, "sh", "-c", command)
		if err != nil {
			t.Fatal(err)
		}
		fmt.Fprintf(&state, "== %s\n%s", command, out)
	}
	return state.String()
}
