package attackers

import (
	"encoding/binary"
	"hash/fnv"
	"math/rand/v2"
	"time"

	"github.com/insight-icon/pulumi-icon/tests/attack/honest"
)

func p2pAttacks() []Attack {
	return []Attack{
		{"p2pgarbage", "2,000 connections from 200 addresses begin with random bytes, HTTP or TLS on the P2P port.", LayerP2P, mutter},
		{"p2pidle", "2,000 connections to the P2P port from 200 addresses say nothing.", LayerP2P, func(s *scene) error {
			return s.peers(s.scattered(200), 2_000, func(int, *rand.Rand) [][]byte { return nil })
		}},
		{"p2preplay", "2,000 connections from 200 addresses replay a validator's first packet and then are silent.", LayerP2P, replay},
		{
			"p2psign", "500 connections from 100 addresses do a handshake up to its signature, which is wrong, again and again.", LayerP2P,
			func(s *scene) error { return s.peers(s.scattered(100), 500, signature(s)) },
		},
	}
}

// mutter has them say what no peer says, each time something else.
func mutter(s *scene) error {
	return s.peers(s.scattered(200), 2_000, func(_ int, r *rand.Rand) [][]byte { return [][]byte{garbage(s, r)} })
}

// replay has all say the same first packet, which is valid for this network.
func replay(s *scene) error {
	recorded, err := honest.FirstPacket(s.CID)
	if err != nil {
		return err
	}
	return s.peers(s.scattered(200), 2_000, func(int, *rand.Rand) [][]byte { return [][]byte{recorded} })
}

// garbage is the beginning of what no peer says.
func garbage(s *scene, r *rand.Rand) []byte {
	switch r.IntN(3) {
	case 0:
		return s.request("GET", "/", "")
	case 1:
		return append([]byte("\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"), make([]byte, 60)...)
	}
	b := make([]byte, 64+r.IntN(200))
	for i := range b {
		b[i] = byte(r.Uint32())
	}
	return b
}

// signature says a first packet, and a second with a key and a signature that are random.
func signature(s *scene) func(int, *rand.Rand) [][]byte {
	return func(_ int, r *rand.Rand) [][]byte {
		first, err := honest.FirstPacket(s.CID)
		if err != nil {
			return nil
		}
		payload := append([]byte{0x93, 0xc4, 33, 2}, make([]byte, 32)...)
		payload = append(append(payload, 0xc4, 65), make([]byte, 65)...)
		for i := 4; i < 36; i++ {
			payload[i], payload[i+34] = byte(r.Uint32()), byte(r.Uint32())
		}
		// The time that the first answer took, in nanoseconds.
		payload = append(payload, 0xcd, 0x10, 0x00)
		return [][]byte{first, packet(3, first[4:24], payload)}
	}
}

// packet is one of goloop's handshake: a header, the payload, and a sum of both.
func packet(sub byte, id, payload []byte) []byte {
	p := append([]byte{0, 0, sub, 0}, id...)
	p = binary.BigEndian.AppendUint32(append(p, 0xff, 1), uint32(len(payload)))
	p = append(p, payload...)
	sum := fnv.New64a()
	_, _ = sum.Write(p)
	return append(binary.BigEndian.AppendUint64(p, sum.Sum64()), 0, 0)
}

// peers open connections to the P2P port, send the first of what they say and the next when it was answered, and then are silent. What is
// closed is opened again.
func (s *scene) peers(from *pool, n int, say func(worker int, r *rand.Rand) [][]byte) error {
	s.workers(s.connections(n), 2*time.Second, func(worker int) {
		r := s.random(worker)
		buffer := make([]byte, 1024)
		for !s.over() {
			l, err := s.dial(from.at(worker), s.P2P)
			if err != nil {
				s.pause(100 * time.Millisecond)
				continue
			}
			s.speak(l, say(worker, r), buffer)
			l.end()
			s.pause(100 * time.Millisecond)
		}
	})
	return nil
}

func (s *scene) speak(l *link, words [][]byte, buffer []byte) {
	for i, word := range words {
		if err := l.send(word); err != nil {
			s.lost(err)
			return
		}
		s.sent.Add(1)
		_ = l.SetReadDeadline(time.Time{})
		if _, err := l.Read(buffer); err != nil {
			s.lost(err)
			return
		}
		if i == 0 {
			s.answered.Add(1)
		}
	}
	l.listen(buffer)
}
