package sentry_test

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/insight-icon/pulumi-icon/internal/sentry"
)

// Addresses that a test comes from.
const (
	knownUser = "127.0.9.7"
	lastBlock = `{"jsonrpc":"2.0","id":7,"method":"icx_getLastBlock"}`
	dear      = `{"jsonrpc":"2.0","id":"a-1","method":"icx_getProofForEvents","params":{"events":["0x0"]}}`
)

// upgrade is how a websocket begins.
var upgrade = []string{
	"Upgrade: websocket", "Connection: Upgrade", "Sec-WebSocket-Version: 13", "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
}

// citizen is a node's API: it notes what reached it, and answers when it may.
type citizen struct {
	mu      sync.Mutex
	reached []string
	header  http.Header
	hold    chan struct{}
	held    atomic.Int32
	// status of the next answers; 0 is 200.
	status atomic.Int32
}

func (c *citizen) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return
	}
	if r.Header.Get("Content-Type") == "" && strings.Contains(string(body), `"id":1,`) {
		// HAProxy asks whether it is well.
		return
	}
	if r.Method == http.MethodPost && bytes.Contains(body, []byte("icx_call")) {
		c.held.Add(1)
		<-c.hold
		c.held.Add(-1)
	}
	c.mu.Lock()
	c.reached, c.header = append(c.reached, r.Method+" "+r.URL.Path+" "+string(body)), r.Header.Clone()
	c.mu.Unlock()
	w.Header().Set("Access-Control-Allow-Origin", "*")
	w.Header().Set("Content-Type", "application/json")
	if r.Header.Get("Upgrade") == "websocket" {
		conn, _, err := w.(http.Hijacker).Hijack()
		if err == nil {
			_, _ = io.WriteString(conn, "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"+
				"Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n")
			_, _ = io.Copy(conn, conn)
			_ = conn.Close()
		}
		return
	}
	if status := c.status.Load(); status != 0 {
		w.WriteHeader(int(status))
	}
	_, _ = io.WriteString(w, `{"jsonrpc":"2.0","id":7,"result":"0x1"}`)
}

// got is what reached the citizen since the last time.
func (c *citizen) got() []string {
	c.mu.Lock()
	defer c.mu.Unlock()
	all := c.reached
	c.reached = nil
	return all
}

func apiSettings() sentry.Settings {
	s := p2pSettings()
	s.Users = []string{"127.0.9.0/24"}
	return s
}

func startAPI(t *testing.T, s sentry.Settings) (*proxy, *citizen) {
	t.Helper()
	c := &citizen{hold: make(chan struct{})}
	t.Cleanup(func() { close(c.hold) })
	return startHAProxy(t, s, c, echo, func(text string) string {
		return replaced(t, text, "hdr content-type application/json body", "body")
	}), c
}

func TestTheAPIIsPublishedAndNothingElseAndEachRefusalHasItsVerdict(t *testing.T) {
	if !inIsolation(t) {
		return
	}
	p, c := startAPI(t, apiSettings())
	for _, path := range []string{"/api/v3", "/api/v3/", "/api/v3/icon_dex", "/api/v3/block"} {
		if a := send(t, "127.0.0.5", call(path, lastBlock)); a.status != 200 || a.header.Get("Access-Control-Allow-Origin") != "" {
			t.Errorf("%s: %d %v", path, a.status, a.header)
		}
	}
	if got := c.got(); len(got) != 4 || got[0] != "POST /api/v3 "+lastBlock || c.header.Get("X-Forwarded-For") != "127.0.0.5" {
		t.Errorf("the citizen got %q %v", got, c.header)
	}
	batch := func(n int) string { return "[" + strings.Repeat(lastBlock+",", n-1) + lastBlock + "]" }
	for i, x := range []struct {
		what, request string
		status, code  int
		id, verdict   string
	}{
		{"admin", message("GET", "/admin/system", ""), 404, -32601, "null", "api-path"},
		{"metrics", message("GET", "/metrics", ""), 404, -32601, "null", "api-path"},
		{"debug", call("/api/v3d", lastBlock), 404, -32601, "null", "api-path"},
		{"rosetta", call("/api/rosetta", lastBlock), 404, -32601, "null", "api-path"},
		{"dots", call("/api/v3/../../admin/system", lastBlock), 404, -32601, "null", "api-path"},
		{"escaped", call("/api/v3/%2e%2e", lastBlock), 404, -32601, "null", "api-path"},
		{"slash after a channel", call("/api/v3/a/", lastBlock), 404, -32601, "null", "api-path"},
		{"another verb", message("DELETE", "/api/v3", ""), 405, -32600, "null", "api-path"},
		{"GET of a call", message("GET", "/api/v3", ""), 405, -32600, "null", "api-path"},
		{"POST to a websocket", call("/api/v3/icon_dex/block", lastBlock), 405, -32600, "null", "api-path"},
		{"no websocket", message("GET", "/api/v3/icon_dex/block", ""), 400, -32600, "null", "api-path"},
		{"chunked", message("POST", "/api/v3", "0\r\n\r\n", "Transfer-Encoding: chunked"), 411, -32600, "null", "api-body"},
		{"no length", message("POST", "/api/v3", ""), 411, -32600, "null", "api-body"},
		{
			"a body with GET", message("GET", "/api/v3/a/block", "xxx", "Upgrade: websocket", "Connection: upgrade", "Content-Length: 3"),
			400, -32600, "null", "api-path",
		},
		{"large", message("POST", "/api/v3", "", "Content-Length: 65537"), 413, -32600, "null", "api-body"},
		{"large headers", call("/api/v3", lastBlock, "X: "+strings.Repeat("x", 9000)), 431, -32600, "null", "api-body"},
		{"no JSON", call("/api/v3", "hello"), 400, -32700, "null", "api-body"},
		{"JSON and more", call("/api/v3", lastBlock+lastBlock), 400, -32700, "7", "api-body"},
		{"no request", call("/api/v3", `{"jsonrpc":"2.0","id":"x","method":1}`), 400, -32600, `"x"`, "api-body"},
		{"trace", call("/api/v3", `{"jsonrpc":"2.0","id":9,"method":"debug_getTrace"}`), 400, -32601, "9", "api-method"},
		{"large batch", call("/api/v3", batch(11)), 400, -32600, "null", "api-method"},
	} {
		source := fmt.Sprintf("127.0.5.%d", i+1)
		if x.what == "JSON and more" {
			x.id = "null"
		}
		refusedWith(t, x.what, send(t, source, x.request), x.status, x.code, x.id)
		p.blamed(source, x.verdict, 1)
		if n := p.gave(x.verdict); n != 1 {
			t.Errorf("%s: counted %d times as %s", x.what, n, x.verdict)
		}
	}
	if got := c.got(); len(got) != 0 {
		t.Errorf("refused, and the citizen got %q", got)
	}
	// Known users are told the same, and are not blamed; theirs may be larger.
	refusedWith(t, "known", send(t, knownUser, message("GET", "/metrics", "")), 404, -32601, "null")
	p.blamed(knownUser, "", 0)
	large := strings.Replace(lastBlock, "7", strings.Repeat(" ", 300_000)+"7", 1)
	if a := send(t, knownUser, call("/api/v3", large)); a.status != 200 || len(c.got()) != 1 {
		t.Errorf("a known user's large body: %+v", a)
	}
	a := send(t, "127.0.0.5", call("/api/v3", batch(10), "Upgrade: h2c", "HTTP2-Settings: AAMAAABk"))
	if a.status != 200 || c.header.Get("Upgrade") != "" {
		t.Errorf("a batch of ten is answered with %+v, and the citizen got %v", a, c.header)
	}
}

func TestSourcesStayWithinTheirLimitsOfTheAPIAndKnownUsersPass(t *testing.T) {
	if !inIsolation(t) {
		return
	}
	s := apiSettings()
	s.Limits = sentry.Limits{
		APIConnections: 40, APIReserved: 10, APIPerSource: 5, APINewPerSource: 20, APIRequestsPerSource: 40,
		APIExpensivePerSource: 3, APIErrorsPerSource: 5, WebSockets: 8, WebSocketsReserved: 3, WebSocketsPerSource: 2, APIAtOnce: 3,
		APIExpensiveAtOnce: 1, BanStrikes: 8,
	}.WithDefaults()
	p, c := startAPI(t, s)

	// Requests over one connection: a batch of three counts as three.
	talk := func(source string, n int, body string) (ok, limited int, last answer) {
		conn := dial(t, source, "127.0.0.1:9000")
		defer func() { _ = conn.Close() }()
		_ = conn.SetDeadline(time.Now().Add(3 * time.Second))
		r := bufio.NewReader(conn)
		for range n {
			_, _ = io.WriteString(conn, message("POST", "/api/v3", body, fmt.Sprintf("Content-Length: %d", len(body))))
			switch a := receive(r); a.status {
			case 200:
				ok++
			case 429:
				limited++
				last = a
			default:
				return ok, limited, last
			}
		}
		return ok, limited, last
	}
	ok, limited, last := talk("127.0.0.5", 45, lastBlock)
	if ok != 40 || limited != 5 {
		t.Errorf("%d of 45 requests passed, %d were limited, wanted 40 and 5", ok, limited)
	}
	refusedWith(t, "too many", last, 429, -32005, "null")
	p.blamed("127.0.0.5", "api-requests", 5)
	if ok, limited, last = talk("127.0.0.6", 5, dear); ok != 3 || limited != 2 {
		t.Errorf("%d expensive requests passed, %d were limited, wanted 3 and 2", ok, limited)
	}
	refusedWith(t, "too expensive", last, 429, -32005, `"a-1"`)
	p.blamed("127.0.0.6", "api-expensive", 2)
	if ok, _, _ = talk("127.0.0.7", 4, "["+lastBlock+","+lastBlock+"]"); ok != 3 || p.entry("st_api", "127.0.0.7", "gpc0") != 8 {
		t.Errorf("%d batches passed, and %d calls were counted", ok, p.entry("st_api", "127.0.0.7", "gpc0"))
	}
	// A large body counts for more, and so do many values; too many are not read.
	padded := strings.Replace(lastBlock, "}", `,"params":{"a":"`+strings.Repeat("x", 40_000)+`"}}`, 1)
	counted := strings.Replace(lastBlock, "}", `,"params":[`+strings.Repeat("1,", 500)+`1]}`, 1)
	if ok, _, _ = talk("127.0.0.11", 1, padded); ok != 1 || p.entry("st_api", "127.0.0.11", "gpc0") != 5 {
		t.Errorf("40 KB are counted as %d calls, wanted 5", p.entry("st_api", "127.0.0.11", "gpc0"))
	}
	if ok, _, _ = talk("127.0.0.12", 1, counted); ok != 1 || p.entry("st_api", "127.0.0.12", "gpc0") != 6 {
		t.Errorf("500 values are counted as %d calls, wanted 6", p.entry("st_api", "127.0.0.12", "gpc0"))
	}
	many := call("/api/v3", strings.Replace(lastBlock, "}", `,"params":[`+strings.Repeat("1,", 1500)+`1]}`, 1))
	refusedWith(t, "too many values", send(t, "127.0.0.13", many), 413, -32600, "null")
	if a := send(t, knownUser, many); a.status != 200 {
		t.Errorf("many values of a known user: %+v", a)
	}
	if ok, limited, _ = talk(knownUser, 60, dear); ok != 60 {
		t.Errorf("a known user: %d of 60 passed, %d were limited", ok, limited)
	}
	// Beyond its strikes a source is not even told.
	_, _, _ = talk("127.0.0.5", 5, lastBlock)
	if a := send(t, "127.0.0.5", call("/api/v3", lastBlock)); a.status != 0 || p.entry(sentry.BadTable, "127.0.0.5", "gpc0") != 8 {
		t.Errorf("after 8 strikes: %+v", a)
	}
	// Wrong answers.
	c.status.Store(400)
	for range 6 {
		_, _, _ = talk("127.0.0.8", 1, lastBlock)
	}
	if _, limited, _ = talk("127.0.0.8", 1, lastBlock); limited != 1 {
		t.Error("errors have no limit")
	}
	p.blamed("127.0.0.8", "api-errors", 1)
	c.status.Store(0)

	// Connections: of one source, and new ones.
	for range 7 {
		_ = dial(t, "127.0.0.9", "127.0.0.1:9000")
	}
	time.Sleep(100 * time.Millisecond)
	p.blamed("127.0.0.9", "api-concurrent", 2)
	for range 23 {
		_ = send(t, "127.0.0.10", call("/api/v3", lastBlock))
	}
	if p.gave("api-new") == 0 {
		t.Error("new connections have no limit")
	}

	// Websockets: two of a source, five of strangers, eight in all. A second one has to leave half of it to first ones.
	up := 0
	for i := range 15 {
		source := fmt.Sprintf("127.0.6.%d", i/3)
		conn := dial(t, source, "127.0.0.1:9000")
		_, _ = io.WriteString(conn, message("GET", "/api/v3/icon_dex/block", "", upgrade...))
		if a := receive(bufio.NewReader(conn)); a.status == 101 {
			up++
		} else if a.status != 429 && a.status != 503 {
			t.Errorf("websocket %d: %+v", i, a)
		}
	}
	if n := p.gave("api-websockets"); up != 5 || n != 1 {
		t.Errorf("strangers have %d websockets, wanted 5; %d were refused to one source", up, n)
	}
	for i := range 4 {
		conn := dial(t, knownUser, "127.0.0.1:9000")
		_, _ = io.WriteString(conn, message("GET", "/api/v3/icon_dex/block", "", upgrade...))
		if a := receive(bufio.NewReader(conn)); (a.status == 101) != (i < 3) {
			t.Errorf("a known user's websocket %d: %+v", i, a)
		}
	}
}

func TestStrangersWaitForTheCitizenAndKnownUsersHaveTheirOwnPlaces(t *testing.T) {
	if !inIsolation(t) {
		return
	}
	s := apiSettings()
	s.Limits = sentry.Limits{APIAtOnce: 3, APIExpensiveAtOnce: 1, APIPerSource: 30, APIRequestsPerSource: 12}.WithDefaults()
	p, c := startAPI(t, s)
	slow := `{"jsonrpc":"2.0","id":"w","method":"icx_call","params":{"data":{"method":"x"}}}`
	answers := make(chan answer, 20)
	for i := range 10 {
		go func() { answers <- send(t, fmt.Sprintf("127.0.7.%d", i+1), call("/api/v3", slow)) }()
	}
	until(t, "2 requests at the citizen", func() bool { return c.held.Load() == 2 })
	if a := send(t, knownUser, call("/api/v3", lastBlock)); a.status != 200 {
		t.Errorf("a known user while strangers wait: %+v", a)
	}
	if a := send(t, "127.0.7.99", call("/api/v3", dear)); a.status != 200 {
		t.Errorf("an expensive request has a place of its own, and is answered with %+v", a)
	}
	// Who has asked much is sent away meanwhile, after a second, and is not blamed.
	for range 2 {
		_ = send(t, "127.0.7.99", call("/api/v3", dear))
	}
	began := time.Now()
	refusedWith(t, "much", send(t, "127.0.7.99", call("/api/v3", lastBlock)), 503, -32050, "7")
	if took := time.Since(began); took < 900*time.Millisecond || p.entry(sentry.BadTable, "127.0.7.99", "gpc0") != 0 {
		t.Errorf("one in a loop is sent away after %s", took)
	}
	// Those who wait longer than a second are told so, with their own id.
	for range 8 {
		refusedWith(t, "no place", <-answers, 503, -32050, `"w"`)
	}
	if n := p.entry(sentry.BadTable, "127.0.7.1", "gpc0") + p.entry(sentry.BadTable, "127.0.7.2", "gpc0"); n != 0 || c.held.Load() != 2 {
		t.Errorf("%d strikes for who had to wait, and %d requests at the citizen", n, c.held.Load())
	}
}

func TestSlowHeadersAndBodiesAreCutAndCountAgainstTheirSource(t *testing.T) {
	if !inIsolation(t) {
		return
	}
	p, c := startAPI(t, apiSettings())
	began := time.Now()
	var wg sync.WaitGroup
	for _, request := range []string{"POST /api/v3 HTTP/1.1\r\nHost: a\r\nX", message("POST", "/api/v3", `{"js`, "Content-Length: 100"), ""} {
		source := "127.0.8." + fmt.Sprint(len(request)+1)
		for i := range 9 {
			wg.Go(func() {
				conn := dial(t, source, "127.0.0.1:9000")
				_, _ = io.WriteString(conn, request)
				r := bufio.NewReader(conn)
				a := receive(r)
				if strings.Contains(request, "100") && i == 0 {
					refusedWith(t, "a slow body", a, 408, -32600, "null")
				}
				_, _ = io.Copy(io.Discard, r)
				_ = conn.Close()
			})
		}
		defer func() {
			// Its next connection meets the limit.
			_, _ = io.Copy(io.Discard, dial(t, source, "127.0.0.1:9000"))
			p.blamed(source, "api-slow", 1)
		}()
	}
	wg.Wait()
	if took := time.Since(began); took > 7*time.Second {
		t.Errorf("slow requests were held for %s", took)
	}
	if got := c.got(); len(got) != 0 {
		t.Errorf("slow requests reached the citizen: %q", got)
	}
	// One that asks normally is none of them.
	for range 12 {
		if a := send(t, "127.0.0.5", call("/api/v3", lastBlock)); a.status != 200 {
			t.Errorf("%+v", a)
		}
	}
	p.blamed("127.0.0.5", "", 0)
}
