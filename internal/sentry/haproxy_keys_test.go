package sentry_test

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"os"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/insight-icon/pulumi-icon/internal/sentry"
)

func TestHoldersOfKeysHaveTheirQuotaAndNobodyElseComesIn(t *testing.T) {
	if !inIsolation(t) {
		return
	}
	s := apiSettings()
	s.KeysOnly, s.CORS = true, []string{"https://app.example.org", "https://b.example.org"}
	s.Keys = map[string]sentry.Key{
		"shop": {SHA256: hashOf("shop"), Requests: 20, Expensive: 2}, "b": {SHA256: hashOf("b"), Requests: 500, Expensive: 2},
	}
	p, c := startAPI(t, s)
	with := func(name string) string { return "X-API-Key: " + key(name) }
	for range 15 {
		if a := send(t, "127.0.0.5", call("/api/v3", lastBlock, with("shop"))); a.status != 200 {
			t.Fatalf("%+v", a)
		}
	}
	if c.header.Get("X-API-Key") != "" || len(c.got()) != 15 {
		t.Errorf("the citizen got %v", c.header)
	}
	// The quota is the holder's wherever it comes from, and using it up is nobody's strike.
	limited := 0
	for i := range 8 {
		a := send(t, fmt.Sprintf("127.0.0.%d", 10+i), call("/api/v3", lastBlock, with("shop")))
		if a.status == 429 {
			limited++
			refusedWith(t, "quota", a, 429, -32005, "7")
		}
	}
	if limited != 3 || p.entry(sentry.BadTable, "127.0.0.17", "gpc0") != 0 {
		t.Errorf("%d of 8 were above the quota, wanted 3", limited)
	}
	for i := range 3 {
		if a := send(t, "127.0.0.20", call("/api/v3", dear, with("b"))); (a.status == 200) != (i < 2) {
			t.Errorf("expensive request %d of a key: %+v", i, a)
		}
	}
	// What comes from a holder's address without the key is nobody's.
	for range 3 {
		refusedWith(t, "no key from there", send(t, "127.0.0.20", call("/api/v3", lastBlock)), 403, -32040, "null")
	}
	p.blamed("127.0.0.20", "api-key", 3)
	refusedWith(t, "no key", send(t, "127.0.0.6", call("/api/v3", lastBlock)), 403, -32040, "null")
	refusedWith(t, "a wrong key", send(t, "127.0.0.6", call("/api/v3", lastBlock, with("nobody"))), 403, -32040, "null")
	refusedWith(t, "two keys", send(t, "127.0.0.6", call("/api/v3", lastBlock, with("b"), with("b"))), 403, -32040, "null")
	p.blamed("127.0.0.6", "api-key", 3)

	// Pages of configured origins may ask, also for the reason of a refusal; a browser asks before without a key.
	before := message("OPTIONS", "/api/v3", "", "Origin: https://app.example.org", "Access-Control-Request-Method: POST", "Connection: close")
	a := send(t, "127.0.0.6", before)
	if a.status != 204 || a.header.Get("Access-Control-Allow-Origin") != "https://app.example.org" ||
		!strings.Contains(a.header.Get("Access-Control-Allow-Headers"), "x-api-key") || a.header.Get("Vary") != "origin" {
		t.Errorf("%+v", a)
	}
	for origin, want := range map[string]string{"https://b.example.org": "https://b.example.org", "https://evil.example": ""} {
		a := send(t, "127.0.0.6", call("/api/v3", lastBlock, "Origin: "+origin))
		if a.status != 403 || a.header.Get("Access-Control-Allow-Origin") != want {
			t.Errorf("%s: %+v", origin, a)
		}
	}
}

func TestAKeyThatGotAboutTakesNoPlaceOfKnownUsers(t *testing.T) {
	if !inIsolation(t) {
		return
	}
	s := apiSettings()
	s.Keys = map[string]sentry.Key{"shop": {SHA256: hashOf("shop"), Requests: 500, Expensive: 2}}
	s.Limits = sentry.Limits{APIConnections: 40, APIReserved: 10, APIPerSource: 2}.WithDefaults()
	p, _ := startAPI(t, s)
	open := func(source string, n int) (left int) {
		conns := make([]net.Conn, n)
		for i := range conns {
			conns[i] = dial(t, source, "127.0.0.1:9000")
		}
		time.Sleep(200 * time.Millisecond)
		for _, conn := range conns {
			_ = conn.SetReadDeadline(time.Now().Add(5 * time.Millisecond))
			if _, err := conn.Read(make([]byte, 1)); os.IsTimeout(err) {
				left++
			}
		}
		return left
	}
	for i := range 3 {
		if a := send(t, fmt.Sprintf("127.0.0.%d", 5+i), call("/api/v3", lastBlock, "X-API-Key: "+key("shop"))); a.status != 200 {
			t.Fatalf("%+v", a)
		}
	}
	all := 0
	for i := range 3 {
		n := open(fmt.Sprintf("127.0.0.%d", 5+i), 22)
		if all += n; n > 20 {
			t.Errorf("one address with a key has %d connections, wanted ten times a stranger's 2", n)
		}
	}
	if all < 25 || all > 35 {
		t.Errorf("three addresses with a key have %d connections, wanted the strangers' 30 and half of the reserve at most", all)
	}
	if a := send(t, knownUser, call("/api/v3", lastBlock)); a.status != 200 {
		t.Errorf("a known user: %+v", a)
	}
	p.blamed("127.0.0.5", "api-concurrent", 2)
}

func TestAReloadKeepsWhatIsKnownOfSourcesAndTheCountersAreExported(t *testing.T) {
	if !inIsolation(t) {
		return
	}
	p, _ := startAPI(t, apiSettings())
	_ = send(t, "127.0.0.5", call("/api/v3", lastBlock))
	_ = send(t, "127.0.0.6", call("/metrics", ""))
	before := p.entry("st_hist", "127.0.0.5", "gpt0")
	if age := int(time.Now().Unix()) - before; age < 0 || age > 20 {
		t.Fatalf("first served at %d", before)
	}
	pid := func() string {
		return strings.TrimSpace(p.ask("show info")[strings.Index(p.ask("show info"), "\nPid:"):][:14])
	}
	was := pid()
	// A worker has tables to tell only when it has waited 5 s for those of its own predecessor.
	time.Sleep(6 * time.Second)
	_ = p.cmd.Process.Signal(syscall.SIGUSR2)
	until(t, "a new worker", func() bool { return p.ask("show info") != "" && pid() != was })
	until(t, "the tables in the new worker", func() bool { return p.entry("st_hist", "127.0.0.5", "gpt0") == before })
	p.blamed("127.0.0.6", "api-path", 1)
	if n := p.gave("api-path"); n != 1 {
		t.Errorf("the count of a verdict is %d after the reload", n)
	}
	conn := dial(t, "127.0.0.1", "127.0.0.1:9472")
	_, _ = io.WriteString(conn, message("GET", "/metrics", "", "Connection: close"))
	if a := receive(bufio.NewReader(conn)); !strings.Contains(a.body, `haproxy_frontend_current_sessions{proxy="p2p"}`) {
		t.Errorf("%d %.200s", a.status, a.body)
	}
}

func TestVerdictsAreAllGivenByTheConfiguration(t *testing.T) {
	s := configurations()["keys-and-acme"]
	text := render(t, s)
	var missing []string
	for _, v := range sentry.Verdicts() {
		if !strings.Contains(text, ":"+v.Name) {
			missing = append(missing, v.Name)
		}
	}
	if len(missing) > 0 {
		t.Errorf("never given: %v", slices.Sorted(slices.Values(missing)))
	}
}
