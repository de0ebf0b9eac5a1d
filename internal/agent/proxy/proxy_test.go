package proxy

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

func TestStrikesAreReadAsHAProxyNotesThem(t *testing.T) {
	h, ctx := start(t), t.Context()
	for range 3 {
		get(t, h.api)
	}
	bad, err := h.Offenders(ctx, "st_bad", 1)
	if err != nil || len(bad) != 1 || bad[0].Key != "127.0.0.1" || bad[0].GPT0 != 3 || bad[0].GPC0 != 3 ||
		bad[0].Rate != 3 || bad[0].Expires <= 50*time.Second {
		t.Errorf("%+v, %v; want three strikes of 127.0.0.1 with the code 3", bad, err)
	}
	limits, err := h.Table(ctx, "st_limits", 0)
	if err != nil || len(limits) != 1 || limits[0].Key != "p2p-garbage" || limits[0].GPC0 != 3 {
		t.Errorf("%+v, %v; want p2p-garbage three times", limits, err)
	}
	if bad, err = h.Offenders(ctx, "st_bad", 4); err != nil || len(bad) != 0 {
		t.Errorf("%+v, %v; want none that has four", bad, err)
	}
	if err = h.ForgetStrikes(ctx, "st_bad", []netip.Addr{netip.MustParseAddr("127.0.0.1")}); err != nil {
		t.Error(err)
	}
	if bad, err = h.Offenders(ctx, "st_bad", 1); err != nil || len(bad) != 0 {
		t.Errorf("%+v, %v; want none after they were forgotten", bad, err)
	}
	_, err = h.Table(ctx, "st_none", 0)
	var refused *Refusal
	if !errors.As(err, &refused) || !strings.Contains(err.Error(), "No such table") {
		t.Errorf("%v; want what HAProxy says of a table that there is not", err)
	}
}

func TestListsOfEverySizeAreReplacedAtOnce(t *testing.T) {
	h, ctx := start(t), t.Context()
	peers, enforce := filepath.Join(h.dir, "peers.lst"), filepath.Join(h.dir, "enforce.lst")
	for _, size := range []int{1, 1500, 3, 0} {
		var entries []string
		for i := range size {
			entries = append(entries, fmt.Sprintf("10.%d.%d.%d/32", i/65536, i/256%256, i%256))
		}
		if err := h.ReplaceACL(ctx, peers, entries); err != nil {
			t.Fatal(err)
		}
		got, err := h.ACL(ctx, peers)
		if err != nil || !slices.Equal(got, entries) {
			t.Errorf("%d entries, %v; want %d", len(got), err, size)
		}
	}
	open := func() bool {
		c, err := net.Dial("tcp", h.p2p)
		if err != nil {
			return false
		}
		defer c.Close()
		_ = c.SetDeadline(time.Now().Add(5 * time.Second))
		_, _ = c.Write([]byte("x"))
		_, err = io.ReadFull(c, make([]byte, 1))
		return err == nil
	}
	if !open() {
		t.Error("nobody is let in where nothing is enforced")
	}
	if err := h.ReplaceACL(ctx, enforce, []string{"on"}); err != nil || open() {
		t.Errorf("a stranger is let in where peers are enforced (%v)", err)
	}
	if err := h.ReplaceACL(ctx, peers, []string{"127.0.0.0/8"}); err != nil || !open() {
		t.Errorf("a peer is not let in (%v)", err)
	}
	for _, bad := range []string{"a b", "a;show info", "a\nb", ""} {
		if err := h.ReplaceACL(ctx, peers, []string{bad}); err == nil {
			t.Errorf("%q went to HAProxy", bad)
		}
	}
	if err := h.ReplaceACL(ctx, "/nowhere.lst", nil); err == nil || !strings.Contains(err.Error(), "Unknown ACL") {
		t.Errorf("%v; want what HAProxy says of a file that it does not use", err)
	}
}

func TestCertificateIsReplacedWithoutAReload(t *testing.T) {
	h, ctx := start(t), t.Context()
	file := filepath.Join(h.dir, "certificate.pem")
	name := func() string {
		c, err := tls.Dial("tcp", h.tls, &tls.Config{InsecureSkipVerify: true})
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		return c.ConnectionState().PeerCertificates[0].Subject.CommonName
	}
	if got := name(); got != "first" {
		t.Fatalf("HAProxy shows %q", got)
	}
	if err := h.SetCertificate(ctx, file, certificate(t, "second")); err != nil || name() != "second" {
		t.Errorf("HAProxy shows %q, %v; want the second", name(), err)
	}
	mixed := append(certificate(t, "third")[:200], certificate(t, "fourth")...)
	if err := h.SetCertificate(ctx, file, mixed); err == nil || name() != "second" {
		t.Errorf("%v, and HAProxy shows %q; want a broken one refused and the second kept", err, name())
	}
	if err := h.SetCertificate(ctx, file, certificate(t, "fifth")); err != nil || name() != "fifth" {
		t.Errorf("after a refused one: %v, HAProxy shows %q", err, name())
	}
	if err := h.SetCertificate(ctx, file, bytes.Repeat([]byte("x"), 20<<10)); err == nil || !strings.Contains(err.Error(), "20480 bytes") {
		t.Errorf("%v; want its size", err)
	}
	if err := h.SetCertificate(ctx, "/nowhere.pem", certificate(t, "sixth")); err == nil || !strings.Contains(err.Error(), "HAProxy") {
		t.Errorf("%v; want what HAProxy says", err)
	}
}

func TestFrontendIsDrained(t *testing.T) {
	h, ctx := start(t), t.Context()
	c, err := net.Dial("tcp", h.p2p)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	echo := func() error {
		_ = c.SetDeadline(time.Now().Add(5 * time.Second))
		if _, err := c.Write([]byte("x")); err != nil {
			return err
		}
		_, err := io.ReadFull(c, make([]byte, 1))
		return err
	}
	frontend := func() Frontend {
		all, err := h.Frontends(ctx)
		if err != nil {
			t.Fatal(err)
		}
		i := slices.IndexFunc(all, func(f Frontend) bool { return f.Name == "p2p" })
		if i < 0 {
			t.Fatalf("%+v has no p2p", all)
		}
		return all[i]
	}
	if err := echo(); err != nil {
		t.Fatal(err)
	}
	if f := frontend(); !f.Open || f.Sessions != 1 || f.Total == 0 || f.MaxSessions == 0 {
		t.Errorf("%+v; want it open with one session", f)
	}
	for range 2 {
		if err := h.DisableFrontend(ctx, "p2p"); err != nil {
			t.Fatal(err)
		}
	}
	if other, err := net.DialTimeout("tcp", h.p2p, time.Second); err == nil {
		other.Close()
		t.Error("a disabled frontend takes connections")
	}
	if f := frontend(); f.Open || f.Sessions != 1 {
		t.Errorf("%+v; want it closed with one session", f)
	}
	if err := echo(); err != nil {
		t.Errorf("the open connection did not go on: %v", err)
	}
	if n, err := h.ShutdownSessions(ctx, "api"); n != 0 || err != nil {
		t.Errorf("%d sessions of another frontend were ended, %v", n, err)
	}
	if n, err := h.ShutdownSessions(ctx, "p2p", "api"); n != 1 || err != nil {
		t.Errorf("%d sessions were ended, %v; want 1", n, err)
	}
	if err := echo(); err == nil {
		t.Error("the connection goes on after it was ended")
	}
	for range 2 {
		if err := h.EnableFrontend(ctx, "p2p"); err != nil {
			t.Fatal(err)
		}
	}
	other, err := net.Dial("tcp", h.p2p)
	if err != nil || !frontend().Open {
		t.Errorf("an enabled frontend takes no connection: %v", err)
	} else {
		other.Close()
	}
	if err := h.DisableFrontend(ctx, "none"); err == nil || !strings.Contains(err.Error(), "No such frontend") {
		t.Errorf("%v; want what HAProxy says", err)
	}
}

func TestRestartedHAProxyIsFoundAgain(t *testing.T) {
	h, ctx := start(t), t.Context()
	_ = h.cmd.Process.Kill()
	_ = h.cmd.Wait()
	if _, err := h.Info(ctx); err == nil || !strings.Contains(err.Error(), "icon-sentry.service") {
		t.Errorf("%v; want to be told what to look at", err)
	}
	h.run(t)
	info, err := h.Info(ctx)
	if err != nil || !strings.HasPrefix(info.Version, "2.") && !strings.HasPrefix(info.Version, "3.") || info.MaxConnections != 500 {
		t.Errorf("%+v, %v", info, err)
	}
}

func TestSilentHAProxyIsNotWaitedForLong(t *testing.T) {
	socket := filepath.Join(t.TempDir(), "s")
	l, err := net.Listen("unix", socket)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
	defer cancel()
	begin := time.Now()
	if _, err := New(socket).Info(ctx); err == nil || time.Since(begin) > 2*time.Second {
		t.Errorf("%v after %s", err, time.Since(begin))
	}
}

func TestErrorsTellNothingOfAPayload(t *testing.T) {
	err := &Refusal{first("set ssl cert /a.pem <<\nSECRET"), "no"}
	if strings.Contains(err.Error(), "SECRET") || !strings.Contains(err.Error(), "set ssl cert /a.pem") {
		t.Error(err)
	}
}
