package kerneltest_test

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"runtime"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// world is a sentry's kernel and the internet before it: two networks of our own, joined by a cable. In the sentry's, servers on the public
// ports answer each line. All of 198.18.0.0/15 is at the internet's end.
type world struct {
	near, far int
	errs      []error
}

const (
	sentryAddress = "10.9.0.1"
	p2p, api      = 7100, 9000
)

func (w *world) wrong(format string, args ...any) {
	w.errs = append(w.errs, fmt.Errorf(format, args...))
}

// in runs f with the network of one end.
func in(network int, f func() error) error {
	done := make(chan error)
	go func() {
		// The thread is not given back: it ends with this goroutine, and its network with it.
		runtime.LockOSThread()
		if err := unix.Setns(network, unix.CLONE_NEWNET); err != nil {
			done <- fmt.Errorf("setns: %w", err)
			return
		}
		done <- f()
	}()
	return <-done
}

func sh(script string) error {
	out, err := exec.Command("bash", "-euc", script).CombinedOutput()
	if err != nil {
		return fmt.Errorf("%s: %w: %s", script, err, out)
	}
	return nil
}

func output(argv ...string) string {
	out, err := exec.Command(argv[0], argv[1:]...).CombinedOutput()
	if err != nil {
		return fmt.Sprintf("%v: %v: %s", argv, err, out)
	}
	return string(out)
}

func network() (int, error) {
	return unix.Open(fmt.Sprintf("/proc/self/task/%d/ns/net", unix.Gettid()), unix.O_RDONLY|unix.O_CLOEXEC, 0)
}

// newWorld loads the rules, the sentry's table last.
func newWorld(rules ...string) (*world, error) {
	w := &world{}
	var err error
	if w.near, err = network(); err != nil {
		return nil, err
	}
	made := make(chan error)
	go func() {
		runtime.LockOSThread()
		err := unix.Unshare(unix.CLONE_NEWNET)
		if err == nil {
			w.far, err = network()
		}
		made <- err
	}()
	if err := <-made; err != nil {
		return nil, err
	}
	if err := w.cable(); err != nil {
		return nil, err
	}
	for _, text := range rules {
		path := fmt.Sprintf("%s/%d.nft", os.Getenv(place), len(text))
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			return nil, err
		}
		if err := sh("nft -f " + path); err != nil {
			return nil, err
		}
	}
	for _, port := range []int{p2p, api} {
		l, err := net.Listen("tcp4", fmt.Sprintf(":%d", port))
		if err != nil {
			return nil, err
		}
		go serve(l)
	}
	return w, nil
}

func (w *world) cable() error {
	pid := os.Getpid()
	if err := sh(`ip link set lo up; ip link add near type veth peer name away
		ip addr add 10.9.0.1/24 dev near; ip link set near up
		ip route add 198.18.0.0/15 via 10.9.0.2 2>/dev/null || true`); err != nil {
		return err
	}
	link := exec.Command("ip", "link", "set", "away", "netns", fmt.Sprintf("/proc/%d/fd/%d", pid, w.far))
	if out, err := link.CombinedOutput(); err != nil {
		return fmt.Errorf("ip link: %w: %s", err, out)
	}
	if err := in(w.far, func() error {
		return sh(`ip link set lo up; ip addr add 10.9.0.2/24 dev away; ip link set away up; ip route add local 198.18.0.0/15 dev lo
			echo 1 >/proc/sys/net/ipv4/ip_nonlocal_bind`)
	}); err != nil {
		return err
	}
	return sh(`ip route replace 198.18.0.0/15 via 10.9.0.2; echo 1 >/proc/sys/net/ipv4/tcp_syncookies`)
}

// serve answers the first byte of each connection with 200.
func serve(l net.Listener) {
	for {
		c, err := l.Accept()
		if err != nil {
			return
		}
		go func() {
			defer c.Close()
			if _, err := io.ReadFull(c, make([]byte, 1)); err != nil {
				return
			}
			_, _ = c.Write(make([]byte, 200))
			_, _ = io.Copy(io.Discard, c)
		}()
	}
}

// connect opens a connection from an address, and asks if ask is set. It gives how long that took.
func (w *world) connect(from string, port int, ask bool, patience time.Duration) (time.Duration, error) {
	var c net.Conn
	begin := time.Now()
	err := in(w.far, func() error {
		dialer := net.Dialer{Timeout: patience, LocalAddr: &net.TCPAddr{IP: net.ParseIP(from)}}
		var err error
		c, err = dialer.Dial("tcp4", net.JoinHostPort(sentryAddress, strconv.Itoa(port)))
		return err
	})
	if err != nil {
		return 0, err
	}
	defer c.Close()
	if !ask {
		return time.Since(begin), nil
	}
	if err := c.SetDeadline(begin.Add(patience)); err != nil {
		return 0, err
	}
	if _, err := c.Write([]byte{1}); err != nil {
		return 0, err
	}
	_, err = io.ReadFull(c, make([]byte, 200))
	return time.Since(begin), err
}

func (w *world) reaches(what, from string, port int, want bool) {
	patience := 3 * time.Second
	if !want {
		patience = 500 * time.Millisecond
	}
	if _, err := w.connect(from, port, true, patience); (err == nil) != want {
		w.wrong("%s: connection from %s to %d: %v, wanted %v\n%s", what, from, port, err, want, output("nft", "list", "counters"))
	}
}

// TCP flags.
const (
	fin = 1 << iota
	syn
	rst
	psh
	ack
)

// sender sends packets with whatever is in them.
type sender struct{ fd int }

func (w *world) sender() (*sender, error) {
	s := &sender{}
	err := in(w.far, func() error {
		var err error
		s.fd, err = unix.Socket(unix.AF_INET, unix.SOCK_RAW|unix.SOCK_CLOEXEC, unix.IPPROTO_RAW)
		return err
	})
	return s, err
}

// tcp sends one packet. Fragment is the field of the IP header that says which piece of a packet it is.
func (s *sender) tcp(from netip.Addr, sport, dport uint16, seq uint32, flags byte, fragment uint16) error {
	p := make([]byte, 40)
	to := netip.MustParseAddr(sentryAddress).As4()
	source := from.As4()
	p[0], p[8], p[9] = 0x45, 64, unix.IPPROTO_TCP
	binary.BigEndian.PutUint16(p[6:], fragment)
	copy(p[12:], source[:])
	copy(p[16:], to[:])
	t := p[20:]
	binary.BigEndian.PutUint16(t[0:], sport)
	binary.BigEndian.PutUint16(t[2:], dport)
	binary.BigEndian.PutUint32(t[4:], seq)
	t[12], t[13] = 5<<4, flags
	binary.BigEndian.PutUint16(t[14:], 65535)
	binary.BigEndian.PutUint16(t[16:], checksum(source, to, t))
	return s.send(p)
}

func (s *sender) send(p []byte) error {
	err := unix.Sendto(s.fd, p, 0, &unix.SockaddrInet4{Addr: netip.MustParseAddr(sentryAddress).As4()})
	if errors.Is(err, unix.ENOBUFS) {
		return nil
	}
	return err
}

func checksum(from, to [4]byte, segment []byte) uint16 {
	sum := uint32(unix.IPPROTO_TCP) + uint32(len(segment))
	for _, part := range [][]byte{from[:], to[:], segment} {
		for i := 0; i+1 < len(part); i += 2 {
			sum += uint32(binary.BigEndian.Uint16(part[i:]))
		}
	}
	for sum > 0xffff {
		sum = sum&0xffff + sum>>16
	}
	return ^uint16(sum)
}

// forged is any address of the internet's end.
func forged() netip.Addr {
	return netip.AddrFrom4([4]byte{198, 18 + byte(rand.IntN(2)), byte(rand.IntN(256)), byte(rand.IntN(256))})
}

// flood calls packet at a rate (in 1 s) until it is told to stop, and gives how often that was.
func flood(rate int, stop <-chan struct{}, packet func() error) (int, error) {
	sent := 0
	for begin := time.Now(); ; {
		select {
		case <-stop:
			return sent, nil
		default:
		}
		due := int(time.Since(begin).Seconds() * float64(rate))
		if sent >= due {
			time.Sleep(time.Millisecond)
			continue
		}
		if err := packet(); err != nil {
			return sent, err
		}
		sent++
	}
}

// attack floods while f runs.
func (w *world) attack(rate int, packet func(*sender) error, f func()) int {
	s, err := w.sender()
	if err != nil {
		w.wrong("sender: %v", err)
		return 0
	}
	stop, sent := make(chan struct{}), make(chan int)
	go func() {
		n, err := flood(rate, stop, func() error { return packet(s) })
		if err != nil {
			w.wrong("flood: %v", err)
		}
		sent <- n
	}()
	f()
	close(stop)
	return <-sent
}

func newSYN(s *sender) error {
	return s.tcp(forged(), uint16(1024+rand.IntN(60000)), p2p, rand.Uint32(), syn, 0)
}

// counter is a number of packets.
func counter(name string) int {
	text := output("nft", "list", "counter", "inet", "icon_sentry", name)
	n := -1
	// After the comment, which may say the word, too.
	if i := strings.LastIndex(text, "packets "); i >= 0 {
		_, _ = fmt.Sscanf(text[i:], "packets %d", &n)
	}
	return n
}

// holds says whether a set has an element.
func holds(set, element string) bool {
	return exec.Command("nft", "get", "element", "inet", "icon_sentry", set, "{ "+element+" }").Run() == nil
}

func put(set, element string) error {
	return sh("nft add element inet icon_sentry " + set + " '{ " + element + " }'")
}
