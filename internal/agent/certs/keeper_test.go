package certs

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"errors"
	"io/fs"
	"log/slog"
	"math/big"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/insight-icon/pulumi-icon/internal/sentry"
)

var names = []string{"api.example.org", "www.example.org"}

// proxy stands for HAProxy: it takes certificates, or refuses them for a while.
type proxy struct {
	mu    sync.Mutex
	pairs [][]byte
	down  bool
	calls int
}

func (p *proxy) install(pair []byte) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.calls++
	if p.down {
		return errors.New("no such socket")
	}
	p.pairs = append(p.pairs, pair)
	return nil
}

func (p *proxy) got() [][]byte {
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.Clone(p.pairs)
}

func (p *proxy) asked() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.calls
}

// said is a log that can be read while it is written.
type said struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (s *said) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.text.Write(p)
}

func (s *said) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.text.String()
}

type running struct {
	*Keeper
	proxy  *proxy
	dir    string
	config sentry.AgentACME
	log    *said
	stop   func()
}

func start(t *testing.T, config sentry.AgentACME, dir string, p *proxy) *running {
	t.Helper()
	r := &running{proxy: p, dir: dir, config: config, log: &said{}}
	k, err := New(config, dir, slog.New(slog.NewTextHandler(r.log, nil)))
	if err != nil {
		t.Fatal(err)
	}
	r.Keeper = k
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- k.Run(ctx, p.install) }()
	r.stop = sync.OnceFunc(func() {
		cancel()
		if err := <-ended; !errors.Is(err, context.Canceled) {
			t.Errorf("it ended with %v", err)
		}
	})
	t.Cleanup(r.stop)
	return r
}

func (r *running) pair(t *testing.T) []byte {
	t.Helper()
	pair, err := os.ReadFile(filepath.Join(r.dir, "certificate.pem"))
	if err != nil {
		t.Fatal(err)
	}
	return pair
}

func TestEverySentryGetsItsOwnCertificateWhicheverTheAuthorityReaches(t *testing.T) {
	t.Parallel()
	first, second := freeAddress(t), freeAddress(t)
	f, port := startFront(t, first, second)
	ca := startPebble(t, port, 90*24*time.Hour)
	var all []*running
	for _, listen := range []string{first, second} {
		config := sentry.AgentACME{Names: names, Directory: ca.directory, Email: "operator@example.org", Listen: listen, Roots: ca.roots}
		dir := t.TempDir()
		placeholder(t, dir)
		all = append(all, start(t, config, dir, &proxy{}))
	}
	for _, r := range all {
		waitFor(t, "a certificate is installed", func() bool { return len(r.proxy.got()) == 1 })
		pair := r.pair(t)
		if !bytes.Equal(pair, r.proxy.got()[0]) {
			t.Error("HAProxy was given another certificate than it reads at its next start")
		}
		if err := sentry.CheckPair(pair, names, time.Now()); err != nil {
			t.Error(err)
		}
		s := r.Status()
		if s.State != Good || s.NotAfter == nil || time.Until(*s.NotAfter) < 89*24*time.Hour || s.Issued != 1 || !s.Installed ||
			s.LastError != "" {
			t.Errorf("status: %+v", s)
		}
		if ahead := s.NotAfter.Sub(*s.RenewAt); ahead < renewAhead || ahead > renewAhead*12/10 {
			t.Errorf("it is renewed %s before its end", ahead)
		}
		secretStaysSecret(t, r)
	}
	if bytes.Equal(all[0].pair(t), all[1].pair(t)) {
		t.Error("the sentries share a key")
	}
	// The authority asked each sentry's proxy, and half of the time the other one knew the token.
	if f.count(first, 404)+f.count(second, 404) == 0 || f.count(first, 200) == 0 || f.count(second, 200) == 0 {
		t.Errorf("agents answered: %v", f.asked)
	}

	// A restart asks nobody, and tells HAProxy what is in use.
	all[0].stop()
	before := all[0].pair(t)
	again := start(t, all[0].config, all[0].dir, &proxy{})
	waitFor(t, "the certificate is installed again", func() bool { return len(again.proxy.got()) == 1 })
	time.Sleep(100 * time.Millisecond)
	if s := again.Status(); s.Issued != 0 || !bytes.Equal(again.pair(t), before) {
		t.Errorf("a restart asked for another certificate: %+v", s)
	}
	again.stop()
	theOperatorCanHaveAnother(t, again)

	// Another name, and the certificate is replaced.
	more := all[0].config
	more.Names = append(slices.Clone(names), "more.example.org")
	other := start(t, more, all[0].dir, &proxy{})
	waitFor(t, "there is a certificate for the new name", func() bool { return other.Status().Issued == 1 && other.Status().State == Good })
	if err := sentry.CheckPair(other.pair(t), more.Names, time.Now()); err != nil {
		t.Error(err)
	}
	other.stop()

	// Another authority, and what the first gave is not kept until its end.
	elsewhere := more
	elsewhere.Directory = startPebble(t, port, 24*time.Hour).directory
	elsewhere.Roots = ""
	if k, err := New(elsewhere, all[0].dir, slog.New(slog.DiscardHandler)); err != nil {
		t.Error(err)
	} else if _, due := k.look(); time.Until(due) > 0 {
		t.Errorf("the other authority is asked at %s only", due)
	}
}

// theOperatorCanHaveAnother looks when the next one is due, with a wish of before and of after the certificate in use.
func theOperatorCanHaveAnother(t *testing.T, r *running) {
	t.Helper()
	wish := filepath.Join(r.dir, "acme", "renew")
	if err := os.WriteFile(wish, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for after, now := range map[time.Duration]bool{-time.Hour: false, time.Hour: true} {
		if err := os.Chtimes(wish, time.Time{}, time.Now().Add(after)); err != nil {
			t.Fatal(err)
		}
		if _, due := r.look(); (time.Until(due) <= 0) != now {
			t.Errorf("a wish %s from now: the next certificate is due at %s", after, due)
		}
	}
	if err := os.Remove(wish); err != nil {
		t.Fatal(err)
	}
}

// placeholder is what a deploy makes so that HAProxy can start.
func placeholder(t *testing.T, dir string) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "placeholder"}, DNSNames: names,
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(1000 * time.Hour),
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	pair, err := encode([][]byte{der}, key)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "certificate.pem"), pair, 0o600); err != nil {
		t.Fatal(err)
	}
}

func secretStaysSecret(t *testing.T, r *running) {
	t.Helper()
	for path, want := range map[string]fs.FileMode{"acme": 0o700, "acme/record.json": 0o600, "certificate.pem": 0o640} {
		info, err := os.Stat(filepath.Join(r.dir, path))
		if err != nil || info.Mode().Perm() != want {
			t.Errorf("%s has mode %v (%v); wanted %o", path, info.Mode(), err, want)
		}
	}
	accounts, err := filepath.Glob(filepath.Join(r.dir, "acme", "account-*.pem"))
	if err != nil || len(accounts) != 1 {
		t.Fatalf("accounts: %q, %v", accounts, err)
	}
	if info, err := os.Stat(accounts[0]); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("the account's key has mode %v (%v)", info.Mode(), err)
	}
	pair := string(r.pair(t))
	key := pair[strings.Index(pair, "PRIVATE KEY-----")+17:]
	for _, text := range []string{r.log.String(), r.Status().LastError} {
		if strings.Contains(text, key[:40]) || strings.Contains(text, base64.StdEncoding.EncodeToString([]byte(key[:40]))) {
			t.Error("the key is in the log or the status")
		}
	}
}

func TestACertificateIsRenewedBeforeItEndsAndReachesAProxyThatWasAway(t *testing.T) {
	t.Parallel()
	listen := freeAddress(t)
	_, port := startFront(t, listen)
	ca := startPebble(t, port, 24*time.Second)
	p := &proxy{down: true}
	r := start(t, sentry.AgentACME{Names: names, Directory: ca.directory, Listen: listen, Roots: ca.roots}, t.TempDir(), p)
	waitFor(t, "the first is there", func() bool { return r.Status().Issued == 1 })
	if s := r.Status(); s.Failures != 0 {
		t.Errorf("status: %+v", s)
	}
	firstEnd := firstCertificate(r.pair(t)).NotAfter
	waitFor(t, "it was offered to the proxy", func() bool { return p.asked() > 0 })
	p.mu.Lock()
	p.down = false
	p.mu.Unlock()
	waitFor(t, "the proxy has it", func() bool { return len(p.got()) > 0 })
	waitFor(t, "it is renewed", func() bool { return r.Status().Issued >= 2 })
	if time.Now().After(firstEnd) {
		t.Error("the first had ended before the second was there")
	}
	waitFor(t, "the proxy has the second", func() bool { return len(p.got()) > 1 })
}

func TestAProofThatFailsIsSaidAndNotRepeatedSoon(t *testing.T) {
	t.Parallel()
	// Nobody answers where the authority asks.
	_, nowhere := startFront(t, freeAddress(t))
	ca := startPebble(t, nowhere, time.Hour)
	dir := t.TempDir()
	placeholder(t, dir)
	before, err := os.ReadFile(filepath.Join(dir, "certificate.pem"))
	if err != nil {
		t.Fatal(err)
	}
	config := sentry.AgentACME{Names: names[:1], Directory: ca.directory, Listen: freeAddress(t), Roots: ca.roots}
	r := start(t, config, dir, &proxy{})
	waitFor(t, "the failure is noted", func() bool { return r.Status().State == Failing })
	s := r.Status()
	if s.Failures != 1 || !strings.Contains(s.LastError, "api.example.org") || !strings.Contains(s.LastError, "404") || s.RetryAt == nil ||
		time.Until(*s.RetryAt) > time.Minute || time.Until(*s.RetryAt) < 50*time.Second {
		t.Errorf("status: %+v", s)
	}
	if !bytes.Equal(r.pair(t), before) || len(r.proxy.got()) != 0 {
		t.Error("a failure changed the certificate")
	}
	r.stop()
	again := start(t, config, dir, &proxy{})
	waitFor(t, "the restart has looked", func() bool { return again.Status().State != Starting })
	if s := again.Status(); s.State != Failing || s.Failures != 1 {
		t.Errorf("a restart forgot the failure: %+v", s)
	}
	again.stop()
	// Another wish is not made to wait.
	config.Names = names
	k, err := New(config, dir, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	if _, due := k.look(); time.Until(due) > 0 {
		t.Errorf("a new configuration waits until %s", due)
	}
}

func TestNoMoreThanFiveAttemptsFallIntoAnHour(t *testing.T) {
	for i := range backoff {
		within, total := 1, time.Duration(0)
		for _, wait := range backoff[i:] {
			if total += wait; total < time.Hour {
				within++
			}
		}
		if within > 5 {
			t.Errorf("%d attempts in the hour after attempt %d", within, i+1)
		}
	}
}

func TestOnlyOpenChallengesAreAnswered(t *testing.T) {
	var all tokens
	remove := all.put("abc", "abc.key")
	ask := func(method, path string) (int, string) {
		w := httptest.NewRecorder()
		all.ServeHTTP(w, httptest.NewRequest(method, path, nil))
		return w.Code, w.Body.String()
	}
	if code, body := ask(http.MethodGet, challengePath+"abc"); code != http.StatusOK || body != "abc.key" {
		t.Errorf("%d %q", code, body)
	}
	for _, c := range [][2]string{
		{"GET", challengePath}, {"GET", challengePath + "abd"}, {"GET", "/abc"}, {"GET", "/"}, {"POST", challengePath + "abc"},
	} {
		if code, _ := ask(c[0], c[1]); code != http.StatusNotFound {
			t.Errorf("%s %s: %d", c[0], c[1], code)
		}
	}
	remove()
	if code, _ := ask(http.MethodGet, challengePath+"abc"); code != http.StatusNotFound {
		t.Errorf("after the proof: %d", code)
	}
}

func TestAWrongConfigurationIsNamedInWhole(t *testing.T) {
	wrong := sentry.AgentACME{Directory: "http://ca.example.org", Listen: "9480", Roots: "/none"}
	_, err := New(wrong, t.TempDir(), slog.New(slog.DiscardHandler))
	for _, want := range []string{"acme.names", "acme.directory", "acme.listen", "acme.roots"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v; wanted %s", err, want)
		}
	}
}
