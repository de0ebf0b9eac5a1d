package sentry_test

import (
	"bufio"
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"math/big"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/insight-icon/pulumi-icon/internal/sentry"
	"github.com/insight-icon/pulumi-icon/tests/host"
)

// inIsolation runs a test again, alone, in a place with a network of its own, which the test knows by the answer true. There all of
// 127.0.0.0/8 is its own, so that it can come from many addresses.
func inIsolation(t *testing.T) bool {
	t.Helper()
	const inside = "ICON_TEST_ISOLATED"
	if os.Getenv(inside) == t.Name() {
		return true
	}
	t.Parallel()
	cmd := host.Isolated("sh", "-c", `ip link set lo up && exec "$0" -test.v -test.timeout=60s -test.run "$1"`, os.Args[0], "^"+t.Name()+"$")
	cmd.Env = append(os.Environ(), inside+"="+t.Name())
	if out, err := cmd.CombinedOutput(); err != nil || !bytes.Contains(out, []byte("--- PASS: "+t.Name())) {
		t.Errorf("%v\n%s", err, out)
	}
	return false
}

// certificate is one for api.example.org and its key, in one file's text.
func certificate(tb testing.TB) string {
	tb.Helper()
	secret, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		tb.Fatal(err)
	}
	c := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "api.example.org"}, DNSNames: []string{"api.example.org"},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
	}
	der, err := x509.CreateCertificate(rand.Reader, c, c, &secret.PublicKey, secret)
	if err != nil {
		tb.Fatal(err)
	}
	bytes, err := x509.MarshalPKCS8PrivateKey(secret)
	if err != nil {
		tb.Fatal(err)
	}
	return string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})) +
		string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: bytes}))
}

// proxy is a running HAProxy with a stand-in for the P-Rep and for a citizen behind.
type proxy struct {
	t       *testing.T
	dir     string
	cmd     *exec.Cmd
	mu      sync.Mutex
	counted map[string]int
}

// startHAProxy runs it. change may alter the configuration's text.
func startHAProxy(t *testing.T, s sentry.Settings, citizen http.Handler, prep func(net.Conn), change func(string) string) *proxy {
	t.Helper()
	s.PRep = "127.0.0.1:7199"
	listen(t, s.PRep, prep)
	if citizen != nil {
		s.Citizens = []string{"127.0.0.1:9199"}
		node, err := net.Listen("tcp", s.Citizens[0])
		if err != nil {
			t.Fatal(err)
		}
		go func() { _ = http.Serve(node, citizen) }()
	}
	p := &proxy{t: t, dir: t.TempDir(), counted: map[string]int{}}
	config := stage(t, s, p.dir)
	if change != nil {
		text, err := os.ReadFile(config)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(config, []byte(change(string(text))), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	p.cmd = run(t, p.dir)
	until(t, "HAProxy", func() bool { return strings.Contains(p.ask("show info"), "Uptime_sec") })
	return p
}

// run starts HAProxy with a directory's configuration, until the test is over.
func run(tb testing.TB, dir string) *exec.Cmd {
	tb.Helper()
	var log bytes.Buffer
	cmd := exec.Command("haproxy", "-W", "-f", filepath.Join(dir, "haproxy.cfg"))
	cmd.Stdout, cmd.Stderr = &log, &log
	if err := cmd.Start(); err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
		if tb.Failed() {
			tb.Log(log.String())
		}
	})
	return cmd
}

func until(tb testing.TB, what string, done func() bool) {
	tb.Helper()
	for deadline := time.Now().Add(8 * time.Second); !done(); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(deadline) {
			tb.Fatalf("no %s after 8 s", what)
		}
	}
}

func listen(t *testing.T, address string, serve func(net.Conn)) {
	t.Helper()
	l, err := net.Listen("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				serve(conn)
				_ = conn.Close()
			}()
		}
	}()
}

// echo gives back what it gets.
func echo(conn net.Conn) { _, _ = io.Copy(conn, conn) }

// ask says something to HAProxy's admin socket.
func (p *proxy) ask(command string) string {
	p.t.Helper()
	conn, err := net.Dial("unix", p.dir+"/admin.sock")
	if err != nil {
		return ""
	}
	defer func() { _ = conn.Close() }()
	_, _ = io.WriteString(conn, command+"\n")
	answer, _ := io.ReadAll(conn)
	return string(answer)
}

// entry gives a counter of a table's entry: 0 if there is none.
func (p *proxy) entry(table, key, counter string) int {
	p.t.Helper()
	line := regexp.MustCompile(`(?m)key=` + regexp.QuoteMeta(key) + ` .*\b` + regexp.QuoteMeta(counter) + `=(\d+)`)
	found := line.FindStringSubmatch(p.ask("show table " + table))
	n := 0
	if found != nil {
		_, _ = fmt.Sscan(found[1], &n)
	}
	return n
}

// gave says how often a verdict was given since the last time.
func (p *proxy) gave(verdict string) int {
	p.t.Helper()
	p.mu.Lock()
	defer p.mu.Unlock()
	now := p.entry(sentry.LimitsTable, verdict, "gpc0")
	n := now - p.counted[verdict]
	p.counted[verdict] = now
	return n
}

// blamed expects a source's last verdict, and how many it has.
func (p *proxy) blamed(source, verdict string, strikes int) {
	p.t.Helper()
	got, n := p.entry(sentry.BadTable, source, "gpt0"), p.entry(sentry.BadTable, source, "gpc0")
	v, _ := sentry.VerdictByCode(got)
	if v.Name != verdict || n != strikes {
		p.t.Errorf("%s has %d strikes, the last for %q; wanted %d and %q", source, n, v.Name, strikes, verdict)
	}
}

// dial opens a connection from an address of this place.
func dial(t *testing.T, source, address string) net.Conn {
	t.Helper()
	d := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.ParseIP(source)}, Timeout: 2 * time.Second}
	conn, err := d.Dial("tcp", address)
	if errors.Is(err, syscall.ECONNRESET) {
		// Refused before the dialler was told that it is connected.
		conn, _ = net.Pipe()
		_ = conn.Close()
		return conn
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	_ = conn.SetDeadline(time.Now().Add(8 * time.Second))
	return conn
}

// answer is what the API says.
type answer struct {
	status int
	header http.Header
	body   string
}

// send sends these very bytes to the API. A status of 0 is a connection that was closed without an answer.
func send(t *testing.T, source, request string) answer {
	t.Helper()
	conn := dial(t, source, "127.0.0.1:9000")
	defer func() { _ = conn.Close() }()
	_ = conn.SetDeadline(time.Now().Add(3 * time.Second))
	_, _ = io.WriteString(conn, request)
	return receive(bufio.NewReader(conn))
}

func receive(r *bufio.Reader) answer {
	response, err := http.ReadResponse(r, nil)
	if err != nil {
		return answer{}
	}
	body, _ := io.ReadAll(response.Body)
	return answer{response.StatusCode, response.Header, string(body)}
}

// call is a POST with a body.
func call(path, body string, headers ...string) string {
	return message("POST", path, body, append(headers, "Connection: close", fmt.Sprintf("Content-Length: %d", len(body)))...)
}

func message(method, path, body string, headers ...string) string {
	return method + " " + path + " HTTP/1.1\r\nHost: api\r\n" + strings.Join(append(headers, ""), "\r\n") + "\r\n" + body
}

// refusedWith expects an error of JSON-RPC's form.
func refusedWith(t *testing.T, what string, a answer, status, code int, id string) {
	t.Helper()
	var got struct {
		Version string `json:"jsonrpc"`
		Error   struct {
			Code    int
			Message string
		}
		ID json.RawMessage
	}
	err := json.Unmarshal([]byte(a.body), &got)
	if err != nil || a.status != status || got.Version != "2.0" || got.Error.Code != code || got.Error.Message == "" || string(got.ID) != id ||
		a.header.Get("Content-Type") != "application/json" {
		t.Errorf("%s: got %d %q (%v); wanted %d with the code %d and the id %s", what, a.status, a.body, err, status, code, id)
	}
}
