package nginxtest_test

import (
	"bufio"
	"crypto/tls"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/insight-icon/pulumi-icon/internal/sentry"
)

func isError(t *testing.T, what, body string) {
	t.Helper()
	var answer struct {
		Version string `json:"jsonrpc"`
		Error   struct {
			Code    int
			Message string
		}
	}
	err := json.Unmarshal([]byte(body), &answer)
	if err != nil || answer.Version != "2.0" || answer.Error.Code == 0 || answer.Error.Message == "" {
		t.Errorf("%s: refused with %q, which is no error of JSON-RPC (%v)", what, body, err)
	}
}

const lastBlock = `{"jsonrpc":"2.0","id":1,"method":"icx_getLastBlock"}`

func TestNginxPublishesTheAPIAndNothingElse(t *testing.T) {
	if !inIsolation(t) {
		return
	}
	s := nginxConfigurations()["p2p-only"]
	s.Users, s.CORS = []string{"127.0.1.0/24"}, []string{"https://app.example.org"}
	s.Limits.APIAtOnce = 2
	c, _ := startNginx(t, s)
	for _, r := range []struct {
		request string
		status  int
		arrives string
	}{
		{call("/api/v3", lastBlock, "X-API-Key: secret"), 200, "POST /api/v3"},
		{call("/api/v3/icon_dex", lastBlock), 200, "POST /api/v3/icon_dex"},
		{call("/api/v3?a=%2e", lastBlock), 200, "POST /api/v3?a=%2e"},
		{call("/api/v3", "") + "", 200, "POST /api/v3"},
		{"POST /api/v3 HTTP/1.1\r\nHost: a\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n\r\n3\r\n{ }\r\n0\r\n\r\n", 200, "POST /api/v3"},
		{call("/api/v3d", lastBlock), 404, ""},
		{call("/api/v3/../v3d", lastBlock), 404, ""},
		{call("/admin/../api/v3", lastBlock), 404, ""},
		{call("//api/v3", lastBlock), 404, ""},
		{call("/api/%76%33", lastBlock), 404, ""},
		{call("/api/v3/icon/block/x", lastBlock), 404, ""},
		{call("/known-rpc", lastBlock), 404, ""},
		{call("/stranger-rpc", lastBlock), 404, ""},
		{get("/admin/system"), 404, ""},
		{get("/metrics"), 404, ""},
		{get("/rosetta"), 404, ""},
		{get("/api/v3"), 405, ""},
		{"DELETE /api/v3 HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n", 405, ""},
		{"TRACE /api/v3 HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n", 405, ""},
		{get("/api/v3/icon/block"), 400, ""},
		{"POST /api/v3 HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\n{ }", 400, ""},
		{"POST /api/v3 HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400, ""},
		{"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 400, ""},
		{"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n", 400, ""},
		{get("/api/v3/" + strings.Repeat("a", 40_000)), 400, ""},
		{call("/api/v3", strings.Repeat("x", 64*1024+1)), 413, ""},
	} {
		c.reached = nil
		status, header, body := ask(t, stranger, r.request)
		got := strings.Join(c.reached, ", ")
		if status != r.status || got != r.arrives {
			t.Errorf("%.80q: answered %d, and %q arrived; wanted %d and %q", r.request, status, got, r.status, r.arrives)
		}
		if status >= 400 {
			isError(t, fmt.Sprintf("%.80q", r.request), body)
			if kind := header.Get("Content-Type"); kind != "application/json" {
				t.Errorf("%.80q: %s", r.request, kind)
			}
		} else if header.Get("Access-Control-Allow-Origin") != "" {
			t.Errorf("%.80q: the citizen's own header for browsers was let through", r.request)
		}
	}
	if status, _, _ := ask(t, knownUser, call("/api/v3", strings.Repeat("x", 1<<20))); status != 200 || c.lastBody != 1<<20 {
		t.Errorf("a known user's body of 1 MiB: %d, %d bytes arrived", status, c.lastBody)
	}
	if status, _, _ := ask(t, knownUser, get("/metrics")); status != 404 {
		t.Errorf("a known user gets %d at /metrics", status)
	}
	if _, header, _ := ask(t, stranger, strings.Replace(get("/api/v3"), "GET", "OPTIONS", 1)); header.Get("Retry-After") != "" {
		t.Error("who was not refused is told to come again")
	}
	const from = "Origin: https://app.example.org"
	preflight := strings.Replace(get("/api/v3", from), "GET", "OPTIONS", 1)
	for name, request := range map[string]string{
		"preflight": preflight, "call": call("/api/v3", lastBlock, from), "refusal": get("/api/v3", from),
	} {
		if _, header, _ := ask(t, stranger, request); header.Get("Access-Control-Allow-Origin") != "https://app.example.org" {
			t.Errorf("%s of a page that may ask: %v", name, header)
		}
	}
	other := call("/api/v3", lastBlock, "Origin: https://other.example.org")
	if _, header, _ := ask(t, stranger, other); header.Get("Access-Control-Allow-Origin") != "" {
		t.Errorf("a page that may not ask: %v", header)
	}
	placesAreKept(t, c)
}

// placesAreKept fills the strangers' places at the citizen: another stranger is told to come again, and a known user is served.
func placesAreKept(t *testing.T, c *citizen) {
	t.Helper()
	for range 2 {
		conn := dialFrom(t, stranger, api)
		_, _ = io.WriteString(conn, call("/api/v3", "hold"))
	}
	for deadline := time.Now().Add(5 * time.Second); c.held.Load() < 2 && time.Now().Before(deadline); time.Sleep(10 * time.Millisecond) {
	}
	status, header, body := ask(t, otherStranger, call("/api/v3", lastBlock))
	if status != 503 || header.Get("Retry-After") != "1" {
		t.Errorf("a stranger more than apiAtOnce: %d %v", status, header)
	}
	isError(t, "busy", body)
	if status, _, _ := ask(t, knownUser, call("/api/v3", lastBlock)); status != 200 {
		t.Errorf("a known user while strangers take all their places: %d", status)
	}
	close(c.hold)
}

func TestNginxKeepsSourcesWithinTheirLimits(t *testing.T) {
	if !inIsolation(t) {
		return
	}
	s := nginxConfigurations()["p2p-only"]
	s.Users = []string{"127.0.1.0/24"}
	s.Limits = sentry.Limits{
		P2PConnections: 6, P2PReserved: 1, P2PPerSource: 2, APIRequestsPerSource: 20,
		WebSockets: 6, WebSocketsReserved: 2, WebSocketsPerSource: 3,
	}
	c, _ := startNginx(t, s)

	start := time.Now()
	silent, slow := dialFrom(t, stranger, "127.0.0.1:7100"), dialFrom(t, stranger, api)
	_, _ = io.WriteString(slow, "POST /api/v3 HTTP/1.1\r\nHost: a\r\n")
	open := map[string]int{}
	for _, source := range []string{otherStranger, "127.0.0.7", "127.0.0.8", "127.0.0.9"} {
		for range 3 {
			conn := dialFrom(t, source, "127.0.0.1:7100")
			_, _ = io.WriteString(conn, "a handshake")
			if _, err := io.ReadFull(conn, make([]byte, 10)); err == nil {
				open[source]++
			}
		}
	}
	if open[otherStranger] != 2 || open["127.0.0.7"] != 2 || open["127.0.0.8"]+open["127.0.0.9"] != 1 || c.prepSaw.Load() != 5 {
		t.Errorf("of 3 connections each, these were let in: %v, and the P-Rep saw %d; wanted 2 from one source and 5 beside the silent one",
			open, c.prepSaw.Load())
	}
	for what, conn := range map[string]net.Conn{"a silent peer": silent, "a slow header": slow} {
		_, _ = io.Copy(io.Discard, conn)
		if after := time.Since(start); after < 2*time.Second || after > 5*time.Second {
			t.Errorf("%s was cut after %s; wanted 3 s", what, after)
		}
	}
	if c.prepSaw.Load() != 5 {
		t.Error("a silent connection reached the P-Rep")
	}

	count := map[int]int{}
	for range 45 {
		status, _, body := ask(t, stranger, call("/api/v3", lastBlock))
		count[status]++
		if status != 200 {
			isError(t, "too many requests", body)
		}
		if status, _, _ := ask(t, knownUser, call("/api/v3", lastBlock)); status != 200 {
			t.Errorf("a known user was limited: %d", status)
		}
	}
	if count[200] < 20 || count[200] > 25 || count[429] == 0 {
		t.Errorf("of 45 requests at once: %v; wanted 20 answered and what the rate adds", count)
	}

	var sockets []int
	for _, source := range []string{"127.0.0.10", "127.0.0.11", knownUser} {
		n := 0
		for range 4 {
			conn := dialFrom(t, source, api)
			_, _ = io.WriteString(conn, upgrade("/api/v3/icon/event"))
			if line, _ := bufio.NewReader(conn).ReadString('\n'); strings.Contains(line, " 101 ") {
				n++
			}
		}
		sockets = append(sockets, n)
	}
	if fmt.Sprint(sockets) != "[3 1 2]" || c.sockets.Load() != 6 {
		t.Errorf("websockets of two strangers and a known user: %v, %d at the citizen; wanted 3 of one source, 4 of strangers, 6 in all",
			sockets, c.sockets.Load())
	}
}

func TestNginxTakesANewCertificateWithoutAReloadAndFindsTheChallengesAnswer(t *testing.T) {
	if !inIsolation(t) {
		return
	}
	s := nginxConfigurations()["acme"]
	s.Sentries = []string{"127.0.0.21", "127.0.0.22"}
	for address, knows := range map[string]bool{s.Sentries[0]: false, s.Sentries[1]: true} {
		l, err := net.Listen("tcp", fmt.Sprintf("%s:%d", address, sentry.ChallengePort))
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = l.Close() })
		go func() {
			_ = http.Serve(l, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if !knows || r.Host != "api.example.org" {
					http.NotFound(w, r)
					return
				}
				_, _ = io.WriteString(w, "answer to "+r.URL.Path)
			}))
		}()
	}
	_, dir := startNginx(t, s)
	serial := func() string {
		conn, err := tls.Dial("tcp", "127.0.0.1:443", &tls.Config{InsecureSkipVerify: true, ServerName: "api.example.org"})
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = conn.Close() }()
		return conn.ConnectionState().PeerCertificates[0].SerialNumber.String()
	}
	before := serial()
	if err := os.WriteFile(filepath.Join(dir, "certificate.pem"), []byte(selfSigned(t)), 0o600); err != nil {
		t.Fatal(err)
	}
	if serial() == before {
		t.Error("the old certificate is still shown")
	}
	client := &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	asked := func(path string) (int, string, string) {
		request, err := http.NewRequest(http.MethodGet, "http://127.0.0.1:80"+path, nil)
		if err != nil {
			t.Fatal(err)
		}
		request.Host = "api.example.org"
		answer, err := client.Do(request)
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = answer.Body.Close() }()
		body, _ := io.ReadAll(answer.Body)
		return answer.StatusCode, string(body), answer.Header.Get("Location")
	}
	for range 4 {
		if status, body, _ := asked("/.well-known/acme-challenge/token"); status != 200 || body != "answer to /.well-known/acme-challenge/token" {
			t.Errorf("a challenge: %d %q", status, body)
		}
	}
	if status, _, to := asked("/api/v3"); status != 301 || to != "https://api.example.org/api/v3" {
		t.Errorf("without TLS: %d %s", status, to)
	}
}
