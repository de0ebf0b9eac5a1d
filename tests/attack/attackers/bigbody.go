package attackers

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"os"
	"time"
)

// errSpent ends what would send more than an attack may.
var errSpent = errors.New("all that this attack may send was sent")

// big is how large a body is: a node is known to take it.
const big = 20 << 20

// bigBodies sends large bodies again and again, until so much was sent as the attack may.
func bigBodies(s *scene) error {
	from := s.scattered(50)
	plain := bytes.Repeat([]byte(" "), 64<<10)
	chunk := fmt.Appendf(nil, "%x\r\n%s\r\n", len(plain), plain)
	s.workers(s.connections(50), 100*time.Millisecond, func(worker int) {
		r := bufio.NewReaderSize(nil, 2048)
		length, piece, last := fmt.Sprintf("Content-Length: %d", big), plain, ""
		if worker%2 == 1 {
			length, piece, last = "Transfer-Encoding: chunked", chunk, "0\r\n\r\n"
		}
		for gap := 100 * time.Millisecond; s.pause(gap) && s.budget.Load() > 0; {
			gap = 100 * time.Millisecond
			l, err := s.dialAPI(from.at(worker))
			if err != nil {
				continue
			}
			s.sent.Add(1)
			r.Reset(l)
			status, whole, err := l.bigBody(r, length, piece, last)
			switch {
			case errors.Is(err, errSpent):
				l.abort()
				return
			case err != nil:
				s.lost(err)
			case status < 300:
				s.answered.Add(1)
			default:
				s.refused.Add(1)
			}
			if whole {
				// A node's memory is to last, not to be filled up at once.
				gap = time.Second
			}
			l.end()
		}
	})
	if s.budget.Load() <= 0 {
		s.say("%v", errSpent)
	}
	return nil
}

// bigBody sends one body, piece by piece, until it is answered. It gives the answer's status and whether all of the body was taken. What is
// refused before its end stays with nobody, and does not count.
func (l *link) bigBody(r *bufio.Reader, length string, piece []byte, last string) (status int, whole bool, err error) {
	if err := l.send(l.s.request("POST", l.s.path(""), "", "Content-Type: application/json", length)); err != nil {
		return 0, false, err
	}
	spent := int64(0)
	for ; spent < big; spent += int64(len(piece)) {
		// Who refuses a body says so before its end.
		_ = l.SetReadDeadline(time.Now().Add(3 * time.Millisecond))
		if _, err := r.Peek(1); !errors.Is(err, os.ErrDeadlineExceeded) {
			l.s.budget.Add(spent)
			if err != nil {
				return 0, false, err
			}
			break
		}
		if l.s.budget.Add(-int64(len(piece))) < 0 {
			return 0, false, errSpent
		}
		if err := l.send(piece); err != nil {
			return 0, false, err
		}
	}
	if whole = spent >= big; whole {
		if err := l.send([]byte(last)); err != nil {
			return 0, true, err
		}
	}
	_ = l.SetReadDeadline(time.Now().Add(patience))
	a, err := readAnswer(r)
	return a.status, whole, err
}
