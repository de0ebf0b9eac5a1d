package attackers

import "time"

func connectionAttacks() []Attack {
	return []Attack{
		{"connflood", "12,000 silent connections from 200 neighbouring addresses, every third to the P2P port.", LayerTCP, func(s *scene) error {
			return s.hold(s.neighbours(200), 12_000)
		}},
		{"connwide", "12,000 silent connections from 5,000 scattered addresses, every third to the P2P port.", LayerTCP, func(s *scene) error {
			return s.hold(s.scattered(5_000), 12_000)
		}},
		{"churn", "Connections that are reset as soon as they are open, as many as one processor makes, from 500 addresses.", LayerTCP, churn},
	}
}

// hold keeps silent connections open, and opens what is closed again.
func (s *scene) hold(from *pool, connections int) error {
	n := s.connections(connections)
	s.workers(n, 2*time.Second, func(worker int) {
		to := s.API
		if worker%3 == 2 {
			to = s.P2P
		}
		buffer := make([]byte, 64)
		for !s.over() {
			if l, err := s.dial(from.at(worker), to); err == nil {
				s.sent.Add(1)
				l.listen(buffer)
				l.end()
			}
			s.pause(100 * time.Millisecond)
		}
	})
	return nil
}

// churn opens and resets connections.
func churn(s *scene) error {
	// Few at once keep one processor busy; in all, no more than 20,000 in a second.
	const workers, rate = 128, 20_000
	from := s.scattered(500)
	s.workers(s.connections(workers), 0, func(worker int) {
		to := s.API
		if worker%2 == 1 {
			to = s.P2P
		}
		for next, i := time.Now(), worker; !s.over(); i += workers {
			next = next.Add(time.Second * workers / rate)
			if early := time.Until(next); early > 0 {
				s.pause(early)
			} else {
				next = next.Add(-early)
			}
			l, err := s.dial(from.at(i), to)
			if err != nil {
				s.pause(20 * time.Millisecond)
				continue
			}
			s.sent.Add(1)
			l.abort()
		}
	})
	return nil
}
