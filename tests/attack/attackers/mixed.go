package attackers

import (
	"errors"
	"math/rand/v2"
	"sync"
	"time"
)

// mix does a part of every kind at once. Each part has another number of addresses, which gives it others.
func mix(s *scene) error {
	parts := []func() error{
		func() error { return s.segments(40_000, flagSYN, anyone) },
		func() error { return s.flood(s.scattered(50), 200, [][]byte{s.lastBlock()}, 0) },
		func() error { return s.flood(s.scattered(300), 300, [][]byte{s.lastBlock()}, 250*time.Millisecond) },
		func() error { return s.flood(s.scattered(30), 30, s.expensive(), 0) },
		func() error { return s.dribble(s.scattered(110), 500, s.unfinished(), []byte("X-Slow: 1\r\n")) },
		func() error { return s.webSockets(s.scattered(60), 250, true) },
		func() error {
			return s.peers(s.scattered(120), 500, func(_ int, r *rand.Rand) [][]byte { return [][]byte{garbage(s, r)} })
		},
		func() error { return s.peers(s.scattered(130), 300, func(int, *rand.Rand) [][]byte { return nil }) },
	}
	failed := make([]error, len(parts))
	var all sync.WaitGroup
	for i, part := range parts {
		all.Go(func() { failed[i] = part() })
	}
	all.Wait()
	return errors.Join(failed...)
}
