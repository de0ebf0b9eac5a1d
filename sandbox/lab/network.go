package lab

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"hash/fnv"
	"io/fs"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// Both segments are bridges in one network namespace of their own, the switch, so that no firewall, forwarding or bridge setting
// of the machine touches what hosts send one another. The machine has a cable into the private bridge and none into the other.

const netnsDir = "/run/netns"

func (l *Lab) switchNetns() string           { return l.cfg.Name + "-switch" }
func (l *Lab) hostNetns(name string) string  { return l.cfg.Name + "-host-" + name }
func (l *Lab) adminLink() string             { return l.cfg.Name + "-priv" }
func (l *Lab) bridge(segment segment) string { return l.cfg.Name + "-" + string(segment) }

type segment string

const (
	internet segment = "inet"
	private  segment = "priv"
)

func (l *Lab) segmentsUp(ctx context.Context) error {
	if complete, err := l.segmentsComplete(); complete || err != nil {
		return err
	}
	if err := l.segmentsDown(ctx); err != nil { // what an interrupted set-up left
		return err
	}
	routes, err := run(ctx, nil, "ip", "-j", "-4", "route", "show", "table", "all")
	if err != nil {
		return err
	}
	if err := checkFree([]byte(routes), l.cfg.Internet, l.cfg.Private); err != nil {
		return err
	}
	admin := netip.PrefixFrom(l.cfg.Admin, l.cfg.Private.Bits())
	inside := []string{"link set lo up"}
	for _, s := range []segment{internet, private} {
		inside = append(inside, "link add "+l.bridge(s)+" type bridge", "link set "+l.bridge(s)+" up")
	}
	inside = append(inside, "link set admin master "+l.bridge(private), "link set admin up")
	err = ip(ctx, "",
		"netns add "+l.switchNetns(),
		"link add "+l.adminLink()+" type veth peer name admin netns "+l.switchNetns(),
		"addr add "+admin.String()+" dev "+l.adminLink(),
		"link set "+l.adminLink()+" up")
	if err != nil {
		return err
	}
	// Ask again for a booting host's hardware address every 50 ms, not every second: it is there before that second is over.
	retry := "/proc/sys/net/ipv4/neigh/" + l.adminLink() + "/retrans_time_ms"
	return errors.Join(os.WriteFile(retry, []byte("50"), 0), ip(ctx, l.switchNetns(), inside...))
}

// segmentsComplete looks for what segmentsUp does last.
func (l *Lab) segmentsComplete() (bool, error) {
	if _, err := os.Stat(filepath.Join(netnsDir, l.switchNetns())); err != nil {
		return false, ignoreGone(err)
	}
	_, up, err := l.port("admin")
	return up, err
}

// checkFree refuses ranges that the machine has an address in or a route to, in the output of `ip -j route show table all`.
func checkFree(routes []byte, wanted ...netip.Prefix) error {
	var used []struct{ Dst, Dev string }
	if err := json.Unmarshal(routes, &used); err != nil {
		return fmt.Errorf("read the machine's routes: %w", err)
	}
	for _, route := range used {
		if route.Dst == "default" {
			continue
		}
		prefix, err := netip.ParsePrefix(route.Dst)
		if addr, addrErr := netip.ParseAddr(route.Dst); addrErr == nil {
			prefix, err = netip.PrefixFrom(addr, addr.BitLen()), nil
		}
		if err != nil {
			return fmt.Errorf("read the machine's routes: destination %q: %w", route.Dst, err)
		}
		for _, want := range wanted {
			if want.Overlaps(prefix) {
				return fmt.Errorf("the sandbox wants %s for itself, but this machine already uses %s (device %s): choose another range "+
					"for the sandbox, or remove that one", want, prefix, route.Dev)
			}
		}
	}
	return nil
}

// plugIn makes a host's network namespace with a cable into each of its segments. Addresses are the host's own business.
func (l *Lab) plugIn(ctx context.Context, spec HostSpec) error {
	netns := l.hostNetns(spec.Name)
	if err := errors.Join(unplug(ctx, netns), ip(ctx, "", "netns add "+netns)); err != nil {
		return err
	}
	var lines []string
	for _, nic := range l.nics(spec) {
		if err := l.dropPort(ctx, portName(nic.segment, spec.Name)); err != nil {
			return err
		}
		lines = append(lines, l.cable(nic, spec.Name)...)
	}
	return ip(ctx, l.switchNetns(), lines...)
}

// cable is what makes the cable between a host's network card and its segment.
func (l *Lab) cable(card nic, host string) []string {
	port := portName(card.segment, host)
	return []string{
		fmt.Sprintf("link add %s type veth peer name %s address %s netns %s", port, card.name, hardwareAddr(card.addr), l.hostNetns(host)),
		fmt.Sprintf("link set %s master %s", port, l.bridge(card.segment)),
		fmt.Sprintf("link set %s up", port),
	}
}

type nic struct {
	name    string
	segment segment
	addr    netip.Addr
	bits    int
}

// config is the file by which a host gives its card the address.
func (n nic) config() (path string, file File) {
	return "/etc/systemd/network/10-" + n.name + ".network", File{Content: fmt.Appendf(nil,
		"[Match]\nName=%s\n\n[Network]\nAddress=%s/%d\nDHCP=no\nIPv6AcceptRA=no\n", n.name, n.addr, n.bits)}
}

// nics lists a host's network cards: eth0 is always the internet, eth1 always the private segment.
func (l *Lab) nics(spec HostSpec) []nic {
	var nics []nic
	if spec.Internet.IsValid() {
		nics = append(nics, nic{"eth0", internet, spec.Internet, l.cfg.Internet.Bits()})
	}
	if spec.Private.IsValid() {
		nics = append(nics, nic{"eth1", private, spec.Private, l.cfg.Private.Bits()})
	}
	return nics
}

// portName fits a host name of any length into the kernel's 15 characters.
func portName(s segment, host string) string {
	hash := fnv.New32a()
	hash.Write([]byte(host))
	return fmt.Sprintf("%s-%08x", s, hash.Sum32())
}

// dropPort removes an earlier cable of a host. The kernel does so too, but a little after the host's namespace has gone, so either
// may come first.
func (l *Lab) dropPort(ctx context.Context, port string) error {
	for end := time.Now().Add(5 * time.Second); ; {
		exists, _, err := l.port(port)
		if err != nil || !exists {
			return err
		}
		if err := ip(ctx, l.switchNetns(), "link del "+port); err == nil || time.Now().After(end) {
			return err
		}
	}
}

// port tells whether the switch has a port of that name, and whether it is on.
func (l *Lab) port(name string) (exists, up bool, err error) {
	err = inNetns(l.switchNetns(), func() error {
		links, err := net.Interfaces()
		for _, link := range links {
			if link.Name == name {
				exists, up = true, link.Flags&net.FlagUp != 0
			}
		}
		return err
	})
	return exists, up, err
}

// hardwareAddr follows from the address, so that a host that comes back is not unreachable until its neighbours forget the old one.
func hardwareAddr(addr netip.Addr) string {
	b := addr.As4()
	return fmt.Sprintf("02:1c:%02x:%02x:%02x:%02x", b[0], b[1], b[2], b[3])
}

// unplug removes a host's network namespace and with it cables, addresses and firewall rules. Absent is fine.
func unplug(ctx context.Context, netns string) error {
	if _, err := os.Stat(filepath.Join(netnsDir, netns)); errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return ip(ctx, "", "netns del "+netns)
}

// netnsOfLab lists the network namespaces of this lab, hosts first.
func (l *Lab) netnsOfLab() ([]string, error) {
	entries, err := os.ReadDir(netnsDir)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	var hosts, rest []string
	for _, entry := range entries {
		switch {
		case strings.HasPrefix(entry.Name(), l.hostNetns("")):
			hosts = append(hosts, entry.Name())
		case entry.Name() == l.switchNetns():
			rest = append(rest, entry.Name())
		}
	}
	return append(hosts, rest...), nil
}

// inNetns runs f on an operating system thread that is inside a network namespace. Sockets f makes on its own goroutine stay in
// that namespace. The thread is never used for anything else: it ends with f.
func inNetns(netns string, f func() error) error {
	result := make(chan error, 1)
	go func() {
		runtime.LockOSThread() // and no unlock: the runtime then discards the thread
		if unix.Gettid() == os.Getpid() {
			// But not the first one, which stands for the whole process: while this holds it, it is another's turn.
			result <- inNetns(netns, f)
			runtime.UnlockOSThread()
			return
		}
		result <- func() error {
			handle, err := os.Open(filepath.Join(netnsDir, netns))
			if err != nil {
				return fmt.Errorf("network namespace %s: %w", netns, err)
			}
			defer handle.Close()
			if err := unix.Setns(int(handle.Fd()), unix.CLONE_NEWNET); err != nil {
				return fmt.Errorf("enter network namespace %s: %w", netns, err)
			}
			return f()
		}()
	}()
	return <-result
}
