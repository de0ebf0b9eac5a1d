package nginxtest_test

import (
	"bufio"
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"io"
	"math/big"
	"net"
	"net/http"
	"os"
	"os/exec"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/insight-icon/pulumi-icon/internal/sentry"
	"github.com/insight-icon/pulumi-icon/tests/host"
)

// Addresses of the isolated place: all of 127.0.0.0/8 is its own.
const (
	stranger, otherStranger, knownUser = "127.0.0.5", "127.0.0.6", "127.0.1.7"
	api                                = "127.0.0.1:9000"
)

// inIsolation runs a test again, alone, in a place with a network of its own, which the test knows by the answer true.
func inIsolation(t *testing.T) bool {
	t.Helper()
	const inside = "ICON_TEST_ISOLATED"
	if os.Getenv(inside) == t.Name() {
		return true
	}
	cmd := host.Isolated("sh", "-c", `ip link set lo up && exec "$0" -test.v -test.timeout=60s -test.run "$1"`, os.Args[0], "^"+t.Name()+"$")
	cmd.Env = append(os.Environ(), inside+"="+t.Name())
	if out, err := cmd.CombinedOutput(); err != nil || !bytes.Contains(out, []byte("--- PASS: "+t.Name())) {
		t.Errorf("%v\n%s", err, out)
	}
	return false
}

// selfSigned is a certificate and its key in one file's text. Each call gives another.
func selfSigned(tb testing.TB) string {
	tb.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		tb.Fatal(err)
	}
	number, err := rand.Int(rand.Reader, big.NewInt(1<<60))
	if err != nil {
		tb.Fatal(err)
	}
	c := &x509.Certificate{
		SerialNumber: number, Subject: pkix.Name{CommonName: "api.example.org"}, DNSNames: []string{"api.example.org"},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
	}
	der, err := x509.CreateCertificate(rand.Reader, c, c, &key.PublicKey, key)
	if err != nil {
		tb.Fatal(err)
	}
	secret, err := x509.MarshalECPrivateKey(key)
	if err != nil {
		tb.Fatal(err)
	}
	return string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})) +
		string(pem.EncodeToMemory(&pem.Block{Type: "EC PRIVATE KEY", Bytes: secret}))
}

// citizen is a node's API: it notes what reached it, and answers when it may.
type citizen struct {
	mu       sync.Mutex
	reached  []string
	hold     chan struct{}
	held     atomic.Int32
	sockets  atomic.Int32
	prepSaw  atomic.Int32
	lastBody int
}

func (c *citizen) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	c.mu.Lock()
	c.reached = append(c.reached, r.Method+" "+r.RequestURI)
	c.lastBody = len(body)
	if key := r.Header.Get("X-API-Key"); key != "" || len(r.TransferEncoding) > 0 {
		c.reached = append(c.reached, fmt.Sprintf("key %q, encoding %q", key, r.TransferEncoding))
	}
	c.mu.Unlock()
	if r.Header.Get("Upgrade") == "websocket" {
		conn, rw, err := w.(http.Hijacker).Hijack()
		if err != nil {
			return
		}
		c.sockets.Add(1)
		_, _ = rw.WriteString("HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n")
		_ = rw.Flush()
		_, _ = io.Copy(io.Discard, conn)
		_ = conn.Close()
		c.sockets.Add(-1)
		return
	}
	if bytes.Contains(body, []byte("hold")) {
		c.held.Add(1)
		<-c.hold
	}
	w.Header().Set("Access-Control-Allow-Origin", "*")
	_, _ = io.WriteString(w, `{"jsonrpc":"2.0","result":"0x1","id":1}`)
}

// startNginx runs it with the citizen and a P-Rep behind.
func startNginx(t *testing.T, s sentry.Settings) (*citizen, string) {
	t.Helper()
	c := &citizen{hold: make(chan struct{})}
	prep, err := net.Listen("tcp", "127.0.0.1:7199")
	if err != nil {
		t.Fatal(err)
	}
	go func() {
		for {
			conn, err := prep.Accept()
			if err != nil {
				return
			}
			c.prepSaw.Add(1)
			go func() {
				_, _ = io.Copy(conn, conn)
				_ = conn.Close()
			}()
		}
	}()
	node, err := net.Listen("tcp", "127.0.0.1:9199")
	if err != nil {
		t.Fatal(err)
	}
	go func() { _ = http.Serve(node, c) }()
	s.PRep, s.Citizens = "127.0.0.1:7199", []string{"127.0.0.1:9199"}
	dir := t.TempDir()
	// Its workers have a user of their own if it is started by root, whom the test's directories are closed to; on a host it is not.
	text := "user root;\n" + renderNginx(t, s)
	cmd := exec.Command("nginx", "-e", "stderr", "-c", nginxIn(t, dir, text), "-g", "daemon off;")
	var log bytes.Buffer
	cmd.Stdout, cmd.Stderr = &log, &log
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Signal(os.Interrupt)
		_ = cmd.Wait()
		_, _ = prep.Close(), node.Close()
		if t.Failed() {
			t.Log(log.String())
		}
	})
	for deadline := time.Now().Add(10 * time.Second); ; time.Sleep(50 * time.Millisecond) {
		conn, err := net.Dial("tcp", "127.0.0.1:7100")
		if err == nil {
			_ = conn.Close()
			break
		}
		if time.Now().After(deadline) {
			t.Fatalf("%v\n%s", err, log.String())
		}
	}
	c.prepSaw.Store(0)
	return c, dir
}

func dialFrom(t *testing.T, source, address string) net.Conn {
	t.Helper()
	d := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.ParseIP(source)}, Timeout: 2 * time.Second}
	conn, err := d.Dial("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	_ = conn.SetDeadline(time.Now().Add(10 * time.Second))
	return conn
}

// ask sends these very bytes and gives the answer's status, headers and body.
func ask(t *testing.T, source, request string) (int, http.Header, string) {
	t.Helper()
	conn := dialFrom(t, source, api)
	if _, err := io.WriteString(conn, request); err != nil {
		t.Fatal(err)
	}
	answer, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		t.Errorf("%.80q: %v", request, err)
		return 0, nil, ""
	}
	body, _ := io.ReadAll(answer.Body)
	_ = conn.Close()
	return answer.StatusCode, answer.Header, string(body)
}

func call(path, body string, headers ...string) string {
	first := []string{"POST " + path + " HTTP/1.1", "Host: api", "Connection: close", fmt.Sprintf("Content-Length: %d", len(body))}
	return strings.Join(append(first, headers...), "\r\n") + "\r\n\r\n" + body
}

func get(path string, headers ...string) string {
	return strings.Join(append([]string{"GET " + path + " HTTP/1.1", "Host: api", "Connection: close"}, headers...), "\r\n") + "\r\n\r\n"
}

func upgrade(path string) string {
	return "GET " + path + " HTTP/1.1\r\nHost: api\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n" +
		"Sec-WebSocket-Key: x\r\nSec-WebSocket-Version: 13\r\n\r\n"
}
