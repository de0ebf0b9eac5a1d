package attackers

import (
	"bufio"
	"time"
)

func webSocketAttacks() []Attack {
	return []Attack{
		{"ws", "100 addresses open 10 websockets each and keep them.", LayerWebSocket, func(s *scene) error {
			return s.webSockets(s.scattered(100), 1_000, true)
		}},
		{"wsslow", "100 addresses open 5 websockets each, ask for every block and read nothing.", LayerWebSocket, func(s *scene) error {
			return s.webSockets(s.scattered(100), 500, false)
		}},
	}
}

// upgrade asks for a websocket.
func (s *scene) upgrade(path string) []byte {
	return s.request("GET", path, "", "Connection: Upgrade", "Upgrade: websocket", "Sec-WebSocket-Version: 13",
		"Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==")
}

// textFrame is a short message of a client. The mask is zero, which leaves it as it is.
func textFrame(text string) []byte {
	return append([]byte{0x81, 0x80 | byte(len(text)), 0, 0, 0, 0}, text...)
}

// webSockets opens them and asks for blocks; what is closed is opened again.
func (s *scene) webSockets(from *pool, n int, read bool) error {
	subscribe := textFrame(`{"height":"0x1"}`)
	s.workers(s.connections(n), time.Second, func(worker int) {
		path := s.path([]string{"/block", "/event", "/btp"}[worker%3])
		if !read {
			path = s.path("/block")
		}
		r := bufio.NewReaderSize(nil, 2048)
		for !s.over() {
			l, err := s.dialAPI(from.at(worker))
			if err != nil {
				s.pause(100 * time.Millisecond)
				continue
			}
			if s.webSocket(l, r, s.upgrade(path), subscribe) {
				if read {
					l.listen(make([]byte, 2048))
				} else {
					// Each ping is to be answered, too; when it can't be sent, the websocket is gone.
					for err = nil; err == nil && s.pause(time.Second); err = l.send([]byte{0x89, 0x80, 0, 0, 0, 0}) {
					}
				}
			}
			l.end()
			s.pause(100 * time.Millisecond)
		}
	})
	return nil
}

// webSocket makes a connection one, and tells whether it is.
func (s *scene) webSocket(l *link, r *bufio.Reader, upgrade, subscribe []byte) bool {
	// A small window, so that who does not read holds what was sent to it back at the sender soon.
	_ = l.tcp.SetReadBuffer(4096)
	if err := l.send(upgrade); err != nil {
		s.lost(err)
		return false
	}
	s.sent.Add(1)
	r.Reset(l)
	_ = l.SetReadDeadline(time.Now().Add(patience))
	a, err := readAnswer(r)
	switch {
	case err != nil:
		s.lost(err)
	case a.status != 101:
		s.refused.Add(1)
	default:
		s.answered.Add(1)
		return l.send(subscribe) == nil
	}
	return false
}
