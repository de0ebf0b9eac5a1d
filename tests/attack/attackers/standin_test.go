package attackers_test

import (
	"bytes"
	"crypto/tls"
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"os"
	"strings"
	"sync"
	"time"

	"golang.org/x/sys/unix"
)

// standIn takes what a node takes, and notes what came.
type standIn struct {
	mu sync.Mutex
	// P2P and API are connections; Sources are their addresses.
	P2P, API int
	Sources  map[netip.Addr]int
	// Paths are the requests that were read to their end, by method and path. Largest is the largest body.
	Paths   map[string]int
	Largest int64
	// Bytes of both ports, TLS included.
	Bytes int64
	// Firsts are the first bytes on the P2P port, the first eight as text.
	Firsts     map[string]int
	WebSockets int
	// Frames came on websockets.
	Frames int
	// Packets are those that a raw socket saw.
	Packets packets
}

// packets to the target's address.
type packets struct {
	SYNs, ACKs, Resets, UDP, Echoes int
	// BadSums have a wrong checksum.
	BadSums int
	// From are the sources; Again is how many SYNs were the same as one before.
	From  map[netip.Addr]int
	Again int
	// SYNACKs are the kernel's, to the attackers' own addresses.
	SYNACKs int
	seen    map[string]bool
}

func newStandIn() *standIn {
	return &standIn{
		Sources: map[netip.Addr]int{}, Paths: map[string]int{}, Firsts: map[string]int{},
		Packets: packets{From: map[netip.Addr]int{}, seen: map[string]bool{}},
	}
}

func (s *standIn) locked(f func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	f()
}

// counted is a connection whose bytes are counted.
type counted struct {
	net.Conn
	s *standIn
}

func (c counted) Read(b []byte) (int, error) {
	n, err := c.Conn.Read(b)
	c.s.locked(func() { c.s.Bytes += int64(n) })
	return n, err
}

// counting is a listener of such.
type counting struct {
	net.Listener
	s *standIn
	n *int
}

func (l counting) Accept() (net.Conn, error) {
	conn, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	l.s.locked(func() {
		*l.n++
		l.s.Sources[netip.MustParseAddrPort(conn.RemoteAddr().String()).Addr()]++
	})
	return counted{conn, l.s}, nil
}

// serve opens both ports until stop is called.
func (s *standIn) serve(p2p, api netip.AddrPort, secure bool) (stop func(), err error) {
	peers, err1 := net.Listen("tcp4", p2p.String())
	users, err2 := net.Listen("tcp4", api.String())
	datagrams, err3 := net.ListenPacket("udp4", api.String())
	for _, err := range []error{err1, err2, err3} {
		if err != nil {
			return nil, err
		}
	}
	server := &http.Server{Handler: http.HandlerFunc(s.handle)}
	var listener net.Listener = counting{users, s, &s.API}
	if secure {
		// For its certificate.
		example := httptest.NewTLSServer(nil)
		listener = tls.NewListener(listener, &tls.Config{Certificates: example.TLS.Certificates, MinVersion: tls.VersionTLS12})
		example.Close()
	}
	go func() { _ = server.Serve(listener) }()
	go func() {
		for l := (counting{peers, s, &s.P2P}); ; {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			go s.peer(conn)
		}
	}()
	var sniffers []func()
	for _, protocol := range []int{unix.IPPROTO_TCP, unix.IPPROTO_UDP, unix.IPPROTO_ICMP} {
		stop, err := s.sniff(protocol, p2p.Addr())
		if err != nil {
			return nil, err
		}
		sniffers = append(sniffers, stop)
	}
	return func() {
		_ = server.Close()
		_ = peers.Close()
		_ = datagrams.Close()
		for _, stop := range sniffers {
			stop()
		}
	}, nil
}

func (s *standIn) handle(w http.ResponseWriter, r *http.Request) {
	n, err := io.Copy(io.Discard, r.Body)
	if err != nil {
		return
	}
	s.locked(func() {
		s.Paths[r.Method+" "+r.URL.Path]++
		s.Largest = max(s.Largest, n)
	})
	if r.Header.Get("Upgrade") == "websocket" && strings.HasPrefix(r.URL.Path, "/api/v3/") {
		s.webSocket(w)
		return
	}
	if r.URL.Path == "/metrics" {
		fmt.Fprintln(w, "# HELP something")
		return
	}
	w.Header().Set("Content-Type", "application/json")
	fmt.Fprint(w, `{"jsonrpc":"2.0","id":1,"result":{}}`)
}

func (s *standIn) webSocket(w http.ResponseWriter) {
	conn, buffered, err := w.(http.Hijacker).Hijack()
	if err != nil {
		return
	}
	defer conn.Close()
	s.locked(func() { s.WebSockets++ })
	fmt.Fprint(conn, "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n")
	head := make([]byte, 6)
	for {
		if _, err := io.ReadFull(buffered, head); err != nil {
			return
		}
		// Masked, with a mask that leaves all as it is.
		if head[1]&0x80 == 0 || !bytes.Equal(head[2:], make([]byte, 4)) {
			return
		}
		text := make([]byte, head[1]&0x7f)
		if _, err := io.ReadFull(buffered, text); err != nil {
			return
		}
		s.locked(func() { s.Frames++ })
	}
}

func (s *standIn) peer(conn net.Conn) {
	defer conn.Close()
	for first := true; ; first = false {
		b := make([]byte, 1024)
		n, err := conn.Read(b)
		if err != nil {
			return
		}
		if first {
			s.locked(func() { s.Firsts[string(b[:min(n, 8)])]++ })
		}
		if !bytes.HasPrefix(b[:n], []byte{0, 0, 1, 0}) {
			if !first {
				s.locked(func() { s.Firsts["then "+string(b[:min(n, 4)])]++ })
			}
			return
		}
		if _, err := conn.Write([]byte{0, 0, 2, 0}); err != nil {
			return
		}
	}
}

// sniff reads what arrives of a protocol, as it is.
func (s *standIn) sniff(protocol int, to netip.Addr) (stop func(), err error) {
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_RAW|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, protocol)
	if err != nil {
		return nil, err
	}
	_ = unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_RCVBUFFORCE, 16<<20)
	file := os.NewFile(uintptr(fd), "raw")
	go func() {
		b := make([]byte, 64<<10)
		for {
			n, err := file.Read(b)
			if err != nil {
				return
			}
			s.locked(func() { s.Packets.note(b[:n], to) })
		}
	}()
	return func() { _ = file.SetReadDeadline(time.Unix(1, 0)); _ = file.Close() }, nil
}

// note is a parser of its own: it shares nothing with what makes the packets.
func (p *packets) note(b []byte, target netip.Addr) {
	if len(b) < 28 || b[0] != 0x45 || int(binary.BigEndian.Uint16(b[2:])) != len(b) {
		return
	}
	from, to, body := netip.AddrFrom4([4]byte(b[12:16])), netip.AddrFrom4([4]byte(b[16:20])), b[20:]
	if b[9] == unix.IPPROTO_TCP && to != target && body[13] == 0x12 {
		p.SYNACKs++
	}
	if to != target {
		return
	}
	p.From[from]++
	total := 0
	switch b[9] {
	case unix.IPPROTO_UDP:
		p.UDP++
		return
	case unix.IPPROTO_ICMP:
		if body[0] != 8 {
			return
		}
		p.Echoes++
	case unix.IPPROTO_TCP:
		switch body[13] {
		case 0x02:
			p.SYNs++
			key := string(b[12:16]) + string(body[:8])
			if p.seen[key] {
				p.Again++
			}
			p.seen[key] = true
		case 0x10:
			p.ACKs++
		}
		if body[13]&4 != 0 {
			p.Resets++
		}
		total = words(b[12:20]) + 6 + len(body)
	}
	for total += words(body); total > 0xffff; total = total&0xffff + total>>16 {
	}
	if total != 0xffff {
		p.BadSums++
	}
}

func words(b []byte) int {
	total := 0
	for i, x := range b {
		if i%2 == 0 {
			total += int(x) << 8
		} else {
			total += int(x)
		}
	}
	return total
}
