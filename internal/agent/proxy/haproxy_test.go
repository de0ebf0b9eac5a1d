package proxy

import (
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
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// haproxy starts a real one on ports of this machine's loopback, and waits until it answers.
type haproxy struct {
	*Client
	dir                string
	p2p, api, tls, web string
	cmd                *exec.Cmd
}

const configuration = `global
	stats socket DIR/admin.sock mode 600 level admin
	log stdout format raw daemon err
	maxconn 500
defaults
	timeout connect 1s
	timeout client 30s
	timeout server 30s
backend st_bad
	stick-table type ip size 100k expire 60s store gpt0,gpc0,gpc0_rate(60s)
backend st_limits
	stick-table type string len 32 size 1k store gpc0
frontend p2p
	mode tcp
	bind P2P
	tcp-request connection reject if !{ src -f DIR/peers.lst } { str(on) -f DIR/enforce.lst }
	default_backend web
frontend api
	mode http
	bind API
	http-request track-sc0 src table st_bad
	http-request set-var(txn.n) path,field(2,/)
	http-request sc-inc-gpc0(0)
	http-request sc-set-gpt0(0) 3
	http-request track-sc1 str(p2p-garbage) table st_limits
	http-request sc-inc-gpc0(1)
	http-request return status 200
frontend secure
	mode http
	bind TLS ssl crt DIR/certificate.pem
	http-request return status 200
backend web
	mode tcp
	server web WEB
`

func start(t *testing.T) *haproxy {
	t.Helper()
	h := &haproxy{dir: t.TempDir(), p2p: free(t), api: free(t), tls: free(t)}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	h.web = l.Addr().String()
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go func() { _, _ = io.Copy(c, c) }()
		}
	}()
	h.write(t, "peers.lst", "")
	h.write(t, "enforce.lst", "")
	h.write(t, "certificate.pem", string(certificate(t, "first")))
	h.write(t, "haproxy.cfg", strings.NewReplacer("DIR", h.dir, "P2P", h.p2p, "API", h.api, "TLS", h.tls, "WEB", h.web).Replace(configuration))
	h.Client = New(filepath.Join(h.dir, "admin.sock"))
	h.run(t)
	return h
}

func (h *haproxy) run(t *testing.T) {
	t.Helper()
	var said bytes.Buffer
	h.cmd = exec.Command("haproxy", "-db", "-f", filepath.Join(h.dir, "haproxy.cfg"))
	h.cmd.Stdout, h.cmd.Stderr = &said, &said
	if err := h.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	cmd := h.cmd
	t.Cleanup(func() { _ = cmd.Process.Kill(); _ = cmd.Wait() })
	for range 100 {
		if _, err := h.Info(t.Context()); err == nil {
			return
		}
		time.Sleep(50 * time.Millisecond)
	}
	_ = h.cmd.Process.Kill()
	_ = h.cmd.Wait()
	t.Fatalf("HAProxy did not start:\n%s", said.String())
}

func (h *haproxy) write(t *testing.T, name, text string) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(h.dir, name), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

func free(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

func certificate(t *testing.T, name string) []byte {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: name}, NotAfter: time.Now().Add(time.Hour)}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	private, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	text := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
	return append(append(text, '\n'), pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: private})...)
}

func get(t *testing.T, address string) {
	t.Helper()
	c, err := net.Dial("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	fmt.Fprintf(c, "GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
	if _, err := io.ReadAll(c); err != nil {
		t.Fatal(err)
	}
}
