package attackers

import (
	"context"
	"crypto/tls"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/fnv"
	"maps"
	"math/rand/v2"
	"net"
	"net/netip"
	"os"
	"slices"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// patience is how long an attacker waits for a connection or for an answer.
const patience = 3 * time.Second

// scene is one attack while it runs. Its methods may be called by many goroutines.
type scene struct {
	Target
	ctx  context.Context
	seed uint64
	// open waits for connections that are closed from another goroutine.
	open sync.WaitGroup

	sent, connected, held, most, answered, refused, failed, bytes atomic.Int64
	// budget is what is left of mostBytes.
	budget  atomic.Int64
	mu      sync.Mutex
	sources map[netip.Addr]struct{}
	note    string
	evaded  []string
}

func newScene(ctx context.Context, t Target, name string) *scene {
	h := fnv.New64a()
	_, _ = h.Write([]byte(name))
	s := &scene{Target: t, ctx: ctx, seed: h.Sum64() ^ uint64(t.Seed), sources: map[netip.Addr]struct{}{}}
	s.budget.Store(mostBytes)
	return s
}

func (s *scene) result() Result {
	return Result{
		Sent: s.sent.Load(), Connected: s.connected.Load(), Held: s.most.Load(), Answered: s.answered.Load(), Refused: s.refused.Load(),
		Failed: s.failed.Load(), Bytes: s.bytes.Load(), Sources: len(s.sources), Used: slices.Collect(maps.Keys(s.sources)), Note: s.note,
		Evaded: s.evaded,
	}
}

// say adds to the result's note.
func (s *scene) say(format string, args ...any) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.note != "" {
		s.note += "; "
	}
	s.note += fmt.Sprintf(format, args...)
}

// over tells whether the attack is to end.
func (s *scene) over() bool { return s.ctx.Err() != nil }

// pause waits, and tells whether the attack goes on.
func (s *scene) pause(d time.Duration) bool {
	select {
	case <-s.ctx.Done():
		return false
	case <-time.After(d):
		return !s.over()
	}
}

// random is a source of chance for one goroutine, the same in each run with the same seed.
func (s *scene) random(worker int) *rand.Rand { return rand.New(rand.NewPCG(s.seed, uint64(worker))) }

// pool are some of the attackers' addresses.
type pool struct {
	s      *scene
	n      int
	offset uint32
	stride uint32
}

// neighbours are n addresses in a row.
func (s *scene) neighbours(n int) *pool { return s.pool(n, 1) }

// scattered are n addresses from all over the attackers' network, as those of a botnet are.
func (s *scene) scattered(n int) *pool { return s.pool(n, 7919) }

func (s *scene) pool(n int, stride uint32) *pool {
	n = min(n, s.size())
	return &pool{s, n, s.random(-n).Uint32(), stride}
}

// size is the number of the attackers' addresses, at most 65,536.
func (s *scene) size() int { return 1 << min(16, 32-s.Sources.Bits()) }

// at is the address for a worker; worker n has the first one again. The stride is odd and the size a power of two: none comes twice.
func (p *pool) at(worker int) netip.Addr {
	base := p.s.Sources.Masked().Addr().As4()
	i := (p.offset + uint32(worker%p.n)*p.stride) % uint32(p.s.size())
	address := netip.AddrFrom4([4]byte(binary.BigEndian.AppendUint32(nil, binary.BigEndian.Uint32(base[:])+i)))
	p.s.mu.Lock()
	p.s.sources[address] = struct{}{}
	p.s.mu.Unlock()
	return address
}

// connections is how many to hold: the attack's own number, or fewer.
func (s *scene) connections(own int) int {
	if s.Connections > 0 {
		own = min(own, s.Connections)
	}
	return openable(own)
}

// workers runs n of them, which begin one after the other within ramp or a sixth of the attack, and waits until all have ended.
func (s *scene) workers(n int, ramp time.Duration, work func(worker int)) {
	ramp = min(ramp, time.Duration(s.Seconds)*time.Second/6)
	var all sync.WaitGroup
	for i := range n {
		all.Go(func() {
			if s.pause(ramp * time.Duration(i) / time.Duration(n)) {
				work(i)
			}
		})
	}
	all.Wait()
}

// link is a connection to the target.
type link struct {
	net.Conn
	s      *scene
	tcp    *net.TCPConn
	unhook func() bool
	once   sync.Once
}

// dial connects from one of the attackers' addresses, and counts it. The connection is cut when the attack ends.
func (s *scene) dial(from netip.Addr, to netip.AddrPort) (*link, error) {
	if !private.Contains(to.Addr()) {
		return nil, fmt.Errorf("%v is outside of %v", to, private)
	}
	d := net.Dialer{Timeout: patience, KeepAlive: -1, LocalAddr: net.TCPAddrFromAddrPort(netip.AddrPortFrom(from, 0)), Control: freely}
	conn, err := d.DialContext(s.ctx, "tcp4", to.String())
	if err != nil {
		if !s.over() {
			s.failed.Add(1)
		}
		return nil, err
	}
	s.connected.Add(1)
	for held := s.held.Add(1); ; {
		if most := s.most.Load(); held <= most || s.most.CompareAndSwap(most, held) {
			break
		}
	}
	l := &link{Conn: conn, s: s, tcp: conn.(*net.TCPConn)}
	s.open.Add(1)
	l.unhook = context.AfterFunc(s.ctx, func() { l.close(0) })
	return l, nil
}

// freely lets a socket have an address of which the kernel knows no more than that it may be used, and one port for each destination.
func freely(_, _ string, conn syscall.RawConn) error {
	var failed error
	err := conn.Control(func(fd uintptr) {
		failed = errors.Join(unix.SetsockoptInt(int(fd), unix.SOL_IP, unix.IP_FREEBIND, 1),
			unix.SetsockoptInt(int(fd), unix.SOL_IP, unix.IP_BIND_ADDRESS_NO_PORT, 1))
	})
	return errors.Join(err, failed)
}

// dialAPI connects to the API, with TLS if it has it.
func (s *scene) dialAPI(from netip.Addr) (*link, error) {
	l, err := s.dial(from, s.API)
	if err != nil || !s.TLS {
		return l, err
	}
	secure := tls.Client(l.Conn, &tls.Config{InsecureSkipVerify: true, MinVersion: tls.VersionTLS12})
	_ = l.SetDeadline(time.Now().Add(patience))
	if err := secure.HandshakeContext(s.ctx); err != nil {
		s.lost(err)
		l.abort()
		return nil, err
	}
	l.Conn = secure
	return l, nil
}

// end closes a connection as a client does that is done.
func (l *link) end() {
	l.unhook()
	l.close(-1)
}

// abort closes it without a word, so that no side keeps anything of it.
func (l *link) abort() {
	l.unhook()
	l.close(0)
}

func (l *link) close(linger int) {
	l.once.Do(func() {
		_ = l.tcp.SetLinger(linger)
		// The TCP connection alone: closing TLS would wait for the other side.
		_ = l.tcp.Close()
		l.s.held.Add(-1)
		l.s.open.Done()
	})
}

// send writes, and counts what it wrote.
func (l *link) send(b []byte) error {
	_ = l.SetWriteDeadline(time.Now().Add(patience))
	n, err := l.Write(b)
	l.s.bytes.Add(int64(n))
	return err
}

// lost counts why a connection brought nothing more.
func (s *scene) lost(err error) {
	switch {
	case s.over() || errors.Is(err, net.ErrClosed):
	case errors.Is(err, os.ErrDeadlineExceeded):
		s.failed.Add(1)
	default:
		s.refused.Add(1)
	}
}

// listen reads and forgets until the other side closes or the attack ends. It tells whether anything came.
func (l *link) listen(buffer []byte) bool {
	_ = l.SetReadDeadline(time.Time{})
	for came := false; ; came = true {
		if _, err := l.Read(buffer); err != nil {
			l.s.lost(err)
			return came
		}
	}
}
