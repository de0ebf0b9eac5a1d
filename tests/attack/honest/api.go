package honest

import (
	"bufio"
	"bytes"
	"context"
	"crypto/rand"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"time"
)

// here is the only network that is ever contacted.
var here = netip.MustParsePrefix("10.0.0.0/8")

// longest a load may last, in seconds.
const longest = 120

func (c Config) check() error {
	for _, target := range []netip.AddrPort{c.API, c.P2P} {
		if !here.Contains(target.Addr()) {
			return fmt.Errorf("honest load: target %s is not in %s, which the arena's addresses are of", target, here)
		}
	}
	if c.Seconds <= 0 || c.Seconds > longest {
		return fmt.Errorf("honest load: %g seconds; wanted more than 0 and at most %d", c.Seconds, longest)
	}
	return nil
}

// client has the connections of one address.
type client struct{ kept, once *http.Client }

func (l *load) client(from netip.Addr) *client {
	l.mu.Lock()
	defer l.mu.Unlock()
	if c := l.clients[from]; c != nil {
		return c
	}
	made := func(once bool) *http.Client {
		return &http.Client{Transport: &http.Transport{
			DialContext: dialer(from).DialContext, DisableKeepAlives: once, IdleConnTimeout: 8 * time.Second, MaxIdleConnsPerHost: 4,
		}}
	}
	c := &client{made(false), made(true)}
	if l.clients == nil {
		l.clients = map[netip.Addr]*client{}
	}
	l.clients[from] = c
	return c
}

func (l *load) close() {
	for _, c := range l.clients {
		c.kept.CloseIdleConnections()
	}
}

const question = `{"jsonrpc":"2.0","id":1,"method":"icx_getLastBlock"}`

// call asks for the last block, on a connection of its own or on a kept one.
func (l *load) call(ctx context.Context, from netip.Addr, once bool) error {
	c := l.client(from)
	using := c.kept
	if once {
		using = c.once
	}
	url := fmt.Sprintf("http://%s/api/v3/%s", l.config.API, l.config.Channel)
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, url, strings.NewReader(question))
	if err != nil {
		return err
	}
	request.Header.Set("Content-Type", "application/json")
	response, err := using.Do(request)
	if err != nil {
		return plain(err)
	}
	defer response.Body.Close()
	text, err := io.ReadAll(io.LimitReader(response.Body, 1<<20))
	if err != nil {
		return plain(err)
	}
	if response.StatusCode != http.StatusOK {
		return fmt.Errorf("status %d", response.StatusCode)
	}
	var answer struct{ Result struct{ Height int64 } }
	if err := json.Unmarshal(text, &answer); err != nil || answer.Result.Height == 0 {
		return errors.New("the answer has no block")
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.height = max(l.height, answer.Result.Height)
	return nil
}

// plain leaves addresses and ports out of an error, so that equal ones are counted together.
func plain(err error) error {
	var timeout net.Error
	var inner *net.OpError
	switch {
	case errors.Is(err, context.DeadlineExceeded), errors.As(err, &timeout) && timeout.Timeout():
		return errors.New("no answer in time")
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return errors.New("closed without an answer")
	case errors.As(err, &inner):
		return fmt.Errorf("%s: %w", inner.Op, inner.Err)
	}
	return err
}

// websocket subscribes to the next block and waits for it.
func (l *load) websocket(ctx context.Context, from netip.Addr) error {
	w, err := l.subscribe(ctx, from)
	if err != nil {
		return plain(err)
	}
	defer w.Close()
	return plain(w.block())
}

// subscription is a websocket on which blocks come.
type subscription struct {
	net.Conn
	r *bufio.Reader
}

func (l *load) subscribe(ctx context.Context, from netip.Addr) (*subscription, error) {
	conn, err := dialer(from).DialContext(ctx, "tcp4", l.config.API.String())
	if err != nil {
		return nil, err
	}
	w := &subscription{conn, bufio.NewReader(conn)}
	if err := l.upgrade(ctx, w); err != nil {
		_ = conn.Close()
		return nil, err
	}
	return w, nil
}

func (l *load) upgrade(ctx context.Context, w *subscription) error {
	if until, ok := ctx.Deadline(); ok {
		if err := w.SetDeadline(until); err != nil {
			return err
		}
	}
	key := make([]byte, 16)
	_, _ = rand.Read(key)
	_, err := fmt.Fprintf(w, "GET /api/v3/%s/block HTTP/1.1\r\nHost: %s\r\n"+
		"Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: %s\r\n\r\n",
		l.config.Channel, l.config.API, base64.StdEncoding.EncodeToString(key))
	if err != nil {
		return err
	}
	response, err := http.ReadResponse(w.r, nil)
	if err != nil {
		return err
	}
	if response.StatusCode != http.StatusSwitchingProtocols {
		return fmt.Errorf("status %d", response.StatusCode)
	}
	l.mu.Lock()
	height := l.height
	l.mu.Unlock()
	return w.send(fmt.Appendf(nil, `{"height":"0x%x"}`, height+1))
}

// send writes a short text as a client has to: masked.
func (w *subscription) send(text []byte) error {
	mask := []byte{1, 2, 3, 4}
	frame := append([]byte{0x81, 0x80 | byte(len(text))}, mask...)
	for i, b := range text {
		frame = append(frame, b^mask[i%4])
	}
	_, err := w.Write(frame)
	return err
}

// block waits for the next block.
func (w *subscription) block() error {
	for {
		text, err := w.receive()
		if err != nil {
			return err
		}
		if bytes.Contains(text, []byte(`"hash"`)) {
			return nil
		}
		var refused struct {
			Code    int
			Message string
		}
		if err := json.Unmarshal(text, &refused); err == nil && refused.Code != 0 {
			return fmt.Errorf("websocket: %d %s", refused.Code, refused.Message)
		}
	}
}

func (w *subscription) receive() ([]byte, error) {
	head := make([]byte, 2)
	if _, err := io.ReadFull(w.r, head); err != nil {
		return nil, err
	}
	length := uint64(head[1] & 0x7f)
	if length >= 126 {
		more, first := make([]byte, 8), 0
		if length == 126 {
			first = 6
		}
		if _, err := io.ReadFull(w.r, more[first:]); err != nil {
			return nil, err
		}
		length = binary.BigEndian.Uint64(more)
	}
	if length > 1<<20 {
		return nil, fmt.Errorf("a websocket frame of %d bytes", length)
	}
	text := make([]byte, length)
	_, err := io.ReadFull(w.r, text)
	if err == nil && head[0]&0xf == 8 {
		return nil, errors.New("the websocket was closed")
	}
	return text, err
}

// blockGap is how long a block may be away on a kept websocket: blocks come each second, and one may take another round.
const blockGap = 3 * time.Second

// keepWebSocket has one websocket open all the time and notes each block, or that none came.
func (l *load) keepWebSocket(ctx context.Context, start time.Time) {
	// The height is known once the first request was answered.
	if wait(ctx, start.Add(500*time.Millisecond)) != nil {
		return
	}
	for end := start.Add(time.Duration(l.config.Seconds * float64(time.Second))); time.Now().Before(end); {
		due := time.Now()
		opening, cancel := context.WithTimeout(ctx, blockGap)
		w, err := l.subscribe(opening, nth(Users, 20))
		cancel()
		for err == nil && time.Now().Before(end) {
			due = time.Now()
			if err = w.SetDeadline(due.Add(blockGap)); err == nil {
				err = w.block()
			}
			if err == nil {
				l.note(WSKept, start, due, nil)
			}
		}
		if w != nil {
			_ = w.Close()
		}
		if err != nil {
			l.note(WSKept, start, due, plain(err))
			_ = wait(ctx, time.Now().Add(200*time.Millisecond))
		}
		if ctx.Err() != nil {
			return
		}
	}
}
