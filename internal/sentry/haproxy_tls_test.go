package sentry_test

import (
	"bufio"
	"crypto/tls"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/insight-icon/pulumi-icon/internal/sentry"
)

func TestAnySentryAnswersTheAuthoritysQuestionAndTheRestGoesToTLS(t *testing.T) {
	if !inIsolation(t) {
		return
	}
	s := apiSettings()
	s.TLS = &sentry.TLS{Names: []string{"api.example.org"}, ACME: true}
	s.Sentries = []string{"127.0.0.21", "127.0.0.22", "127.0.0.23"}
	// The first does not know, the second is away, the third asked for the certificate.
	for address, knows := range map[string]bool{"127.0.0.21:9480": false, "127.0.0.23:9480": true} {
		l, err := net.Listen("tcp", address)
		if err != nil {
			t.Fatal(err)
		}
		go func() {
			_ = http.Serve(l, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
				if !knows {
					w.WriteHeader(404)
				}
				_, _ = io.WriteString(w, "token.thumb")
			}))
		}()
	}
	_, c := startAPI(t, s)
	plain := func(request string) answer {
		conn := dial(t, "127.0.0.5", "127.0.0.1:80")
		_, _ = io.WriteString(conn, request)
		return receive(bufio.NewReader(conn))
	}
	for range 4 {
		if a := plain(message("GET", "/.well-known/acme-challenge/token", "", "Connection: close")); a.status != 200 || a.body != "token.thumb" {
			t.Errorf("the authority gets %d %q", a.status, a.body)
		}
	}
	twice := dial(t, "127.0.0.5", "127.0.0.1:80")
	_, _ = io.WriteString(twice, strings.Repeat(message("GET", "/.well-known/acme-challenge/token", ""), 2))
	if r := bufio.NewReader(twice); receive(r).status != 200 || receive(r).status != 0 {
		t.Error("a connection may ask the agents more than once, so that the limit of connections is none of questions")
	}
	if a := plain(call("/api/v3", lastBlock)); a.status != 301 || a.header.Get("Location") != "https://api.example.org/api/v3" {
		t.Errorf("without TLS: %+v", a)
	}
	// Over TLS, and over nothing older than its version 1.2.
	over := func(versions *tls.Config) (answer, error) {
		versions.ServerName, versions.InsecureSkipVerify = "api.example.org", true
		conn := tls.Client(dial(t, "127.0.0.5", "127.0.0.1:443"), versions)
		_ = conn.SetDeadline(time.Now().Add(3 * time.Second))
		if err := conn.Handshake(); err != nil {
			return answer{}, err
		}
		_, _ = io.WriteString(conn, call("/api/v3", lastBlock))
		return receive(bufio.NewReader(conn)), nil
	}
	for _, protocols := range [][]string{nil, {"h2", "http/1.1"}} {
		if a, err := over(&tls.Config{NextProtos: protocols}); err != nil || a.status != 200 || len(c.got()) != 1 {
			t.Errorf("TLS with %v: %+v %v", protocols, a, err)
		}
	}
	if _, err := over(&tls.Config{MaxVersion: tls.VersionTLS11, MinVersion: tls.VersionTLS10}); err == nil {
		t.Error("TLS 1.1 is taken")
	}
}
