package lab

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"time"

	"golang.org/x/sys/unix"
)

// ScanResult is what a connect scan saw. Every port is counted once.
type ScanResult struct {
	// Open lists the ports that accepted a connection, in the order seen.
	Open []int
	// Refused counts resets, Unreachable the ports with no route or with an ICMP answer, Silent those that gave no answer at all.
	Refused, Unreachable, Silent int
}

const (
	// scanPatience is long enough for one repetition of a lost packet (the kernel repeats after 1 s).
	scanPatience = 1500 * time.Millisecond
	scanAtOnce   = 6000
)

// ScanPorts tries TCP connections from a host to every port lo..hi of an IPv4 address, as any program on that host could: from
// inside its network, through its routes and its firewall. All 65,535 ports take at most about 20 s, silent ones included.
func (l *Lab) ScanPorts(ctx context.Context, from string, target netip.Addr, lo, hi int) (ScanResult, error) {
	var result ScanResult
	if !target.Is4() || lo < 1 || hi > 65535 || lo > hi {
		return result, fmt.Errorf("scan %s ports %d..%d: want an IPv4 address and ports from 1 to 65535", target, lo, hi)
	}
	if _, err := l.leader(from); err != nil {
		return result, err
	}
	err := inNetns(l.hostNetns(from), func() error {
		scan, err := newScan(target, lo, hi)
		if err != nil {
			return err
		}
		defer scan.close()
		err = scan.run(ctx)
		result = scan.result
		return err
	})
	if err != nil {
		return result, fmt.Errorf("scan from host %s of %s: %w", from, target, err)
	}
	return result, nil
}

// scan keeps thousands of connection attempts under way from one thread: one thread, because a network namespace is a thread's.
type scan struct {
	target   unix.SockaddrInet4
	next, hi int
	epoll    int
	attempts map[int]attempt // by file descriptor
	queue    []attempt       // in the order of their deadlines; those decided meanwhile included
	atOnce   int
	result   ScanResult
}

type attempt struct {
	fd, port int
	deadline time.Time
}

func newScan(target netip.Addr, lo, hi int) (*scan, error) {
	var limit unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &limit); err != nil {
		return nil, err
	}
	atOnce := min(scanAtOnce, int(min(limit.Cur, 1<<20))*3/4)
	if atOnce < scanAtOnce/2 {
		return nil, fmt.Errorf("the limit of open files is %d: want at least %d (ulimit -n)", limit.Cur, scanAtOnce)
	}
	epoll, err := unix.EpollCreate1(unix.EPOLL_CLOEXEC)
	if err != nil {
		return nil, err
	}
	return &scan{
		target: unix.SockaddrInet4{Addr: target.As4()}, next: lo, hi: hi,
		epoll: epoll, attempts: map[int]attempt{}, atOnce: atOnce,
	}, nil
}

func (s *scan) close() {
	for fd := range s.attempts {
		unix.Close(fd)
	}
	unix.Close(s.epoll)
}

func (s *scan) run(ctx context.Context) error {
	events := make([]unix.EpollEvent, 512)
	for s.next <= s.hi || len(s.attempts) > 0 {
		if err := ctx.Err(); err != nil {
			return err
		}
		// Small bursts, so that no queue on the way overflows and makes an open port look silent.
		for burst := 0; burst < 64 && s.next <= s.hi && len(s.attempts) < s.atOnce; burst++ {
			if err := s.connect(s.next); err != nil {
				return fmt.Errorf("port %d: %w", s.next, err)
			}
			s.next++
		}
		n, err := unix.EpollWait(s.epoll, events, 1)
		if err != nil && !errors.Is(err, unix.EINTR) {
			return err
		}
		for i := range max(n, 0) {
			if err := s.answered(int(events[i].Fd)); err != nil {
				return err
			}
		}
		s.expire(time.Now())
	}
	return nil
}

func (s *scan) connect(port int) error {
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return err
	}
	// Reset instead of a farewell: thousands of closed connections must not occupy the host's ports.
	if err := unix.SetsockoptLinger(fd, unix.SOL_SOCKET, unix.SO_LINGER, &unix.Linger{Onoff: 1}); err != nil {
		unix.Close(fd)
		return err
	}
	s.target.Port = port
	err = unix.Connect(fd, &s.target)
	if !errors.Is(err, unix.EINPROGRESS) {
		unix.Close(fd)
		return s.count(port, err)
	}
	event := unix.EpollEvent{Events: unix.EPOLLOUT, Fd: int32(fd)}
	if err := unix.EpollCtl(s.epoll, unix.EPOLL_CTL_ADD, fd, &event); err != nil {
		unix.Close(fd)
		return err
	}
	s.attempts[fd] = attempt{fd, port, time.Now().Add(scanPatience)}
	s.queue = append(s.queue, s.attempts[fd])
	return nil
}

func (s *scan) answered(fd int) error {
	port := s.attempts[fd].port
	code, err := unix.GetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_ERROR)
	if err != nil {
		return err
	}
	s.drop(fd)
	if code != 0 {
		return s.count(port, unix.Errno(code))
	}
	return s.count(port, nil)
}

// count decides what the end of an attempt says about the port.
func (s *scan) count(port int, end error) error {
	switch {
	case end == nil:
		s.result.Open = append(s.result.Open, port)
	case errors.Is(end, unix.ECONNREFUSED), errors.Is(end, unix.ECONNRESET):
		s.result.Refused++
	case errors.Is(end, unix.ENETUNREACH), errors.Is(end, unix.EHOSTUNREACH), errors.Is(end, unix.EACCES), errors.Is(end, unix.EPERM):
		s.result.Unreachable++
	case errors.Is(end, unix.ETIMEDOUT):
		s.result.Silent++
	default:
		return fmt.Errorf("port %d: %w", port, end)
	}
	return nil
}

func (s *scan) drop(fd int) {
	delete(s.attempts, fd)
	unix.Close(fd)
}

// expire gives up on attempts past their deadline.
func (s *scan) expire(now time.Time) {
	for len(s.queue) > 0 && now.After(s.queue[0].deadline) {
		due := s.queue[0]
		s.queue = s.queue[1:]
		if s.attempts[due.fd] == due { // not decided meanwhile, and the descriptor not in use for another port
			s.result.Silent++
			s.drop(due.fd)
		}
	}
}
