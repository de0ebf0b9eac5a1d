package attackers

import (
	"bytes"
	"fmt"
	"time"
)

// probe is one disguised request.
type probe struct {
	// name says what the disguise is.
	name string
	// bytes are what is sent, on a connection of its own.
	bytes []byte
	// answers is how many good answers there may be to it: 1 where one request of two is allowed. 0 for what is forbidden as a whole.
	answers int
	// never is what no answer may have in it; empty: nothing.
	never string
}

// evade sends every probe from a source of its own, and counts those that were answered though they should not have been.
func evade(s *scene) error {
	probes := s.probes()
	from := s.scattered(len(probes) + 1)
	// The last of the addresses is no probe's.
	if got := s.raw(from, len(probes), s.lastBlock()); !bytes.Contains(firstLine(got), []byte(" 200 ")) {
		return fmt.Errorf("an allowed request got the answer %q; wanted 200, without which no probe says anything", firstLine(got))
	}
	evaded := make([]bool, len(probes))
	done := make(chan int, len(probes))
	const atOnce = 64
	s.workers(atOnce, 0, func(worker int) {
		for i := worker; i < len(probes) && !s.over(); i += atOnce {
			p := probes[i]
			got := s.raw(from, i, p.bytes)
			s.sent.Add(1)
			good := bytes.Count(got, []byte("HTTP/1.1 200 ")) + bytes.Count(got, []byte("HTTP/1.1 101 "))
			switch {
			case len(got) == 0:
				s.refused.Add(1)
			case good > p.answers, p.never != "" && bytes.Contains(got, []byte(p.never)):
				evaded[i] = true
				s.answered.Add(1)
			default:
				s.refused.Add(1)
			}
			done <- i
		}
	})
	if missing := len(probes) - len(done); missing > 0 {
		s.failed.Add(int64(missing))
		s.say("%d probes were not sent in time", missing)
	}
	for i, p := range probes {
		if evaded[i] {
			s.evaded = append(s.evaded, p.name)
		}
	}
	return nil
}

func firstLine(b []byte) []byte {
	line, _, _ := bytes.Cut(b, []byte("\r\n"))
	return line
}

// raw sends bytes and gives all that comes back until the other side closes, or nothing more comes for a while.
func (s *scene) raw(from *pool, worker int, request []byte) []byte {
	l, err := s.dialAPI(from.at(worker))
	if err != nil {
		return nil
	}
	defer l.end()
	if l.send(request) != nil {
		return nil
	}
	var got []byte
	part := make([]byte, 64<<10)
	for wait := patience; ; wait = 300 * time.Millisecond {
		_ = l.SetReadDeadline(time.Now().Add(wait))
		n, err := l.Read(part)
		if got = append(got, part[:n]...); err != nil || len(got) > 1<<20 {
			return got
		}
	}
}
