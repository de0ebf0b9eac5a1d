package sshrun_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"fmt"
	"net"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/crypto/ssh"
	"golang.org/x/crypto/ssh/agent"

	"github.com/insight-icon/pulumi-icon/internal/sshrun"
)

func check(t *testing.T, wait time.Duration, key sshrun.Key, targets ...sshrun.Target) error {
	t.Helper()
	return sshrun.Check(context.Background(), targets, key, wait)
}

func wantSaid(t *testing.T, err error, wants ...string) {
	t.Helper()
	if err == nil {
		t.Fatal("accepted")
	}
	for _, want := range wants {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("the error does not say %q:\n%v", want, err)
		}
	}
}

func TestAGoodLoginIsAccepted(t *testing.T) {
	t.Parallel()
	key := newKey(t)
	s := serve(t, "root", key)
	if err := check(t, 10*time.Second, sshrun.Key{PrivateKey: key.text(t, "")}, s.target("a")); err != nil {
		t.Error(err)
	}
	locked := sshrun.Key{PrivateKey: key.text(t, "open sesame"), Passphrase: "open sesame"}
	if err := check(t, 10*time.Second, locked, s.target("a")); err != nil {
		t.Error(err)
	}
	s.wantLogins(t, 2)
}

func TestAnotherHostKeyIsRefusedWithBothFingerprints(t *testing.T) {
	t.Parallel()
	key, other := newKey(t), newKey(t)
	s := serve(t, "root", key)
	target := s.target("a")
	target.HostKey = other.authorized()
	start := time.Now()
	err := check(t, time.Minute, sshrun.Key{PrivateKey: key.text(t, "")}, target)
	wantSaid(t, err, "host a (icon:hosts.machines.a.hostKey): another host key", "expected ssh-ed25519 "+other.fingerprint(),
		"offers ssh-ed25519 "+s.hostKey.fingerprint(), "Nothing was sent to it")
	if s.logins.Load() != 0 {
		t.Error("the key was offered to a machine with another host key")
	}
	if time.Since(start) > 10*time.Second {
		t.Errorf("it took %s: a wrong host key stays wrong", time.Since(start))
	}
}

func TestAHostKeyOfATypeThatTheMachineLacksIsNamed(t *testing.T) {
	t.Parallel()
	key := newKey(t)
	s := serve(t, "root", key)
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	public, err := ssh.NewPublicKey(&private.PublicKey)
	if err != nil {
		t.Fatal(err)
	}
	target := s.target("a")
	target.HostKey = string(ssh.MarshalAuthorizedKey(public))
	wantSaid(t, check(t, time.Minute, sshrun.Key{PrivateKey: key.text(t, "")}, target),
		"host a (icon:hosts.machines.a.hostKey): expected a host key of type ecdsa-sha2-nistp256 ("+ssh.FingerprintSHA256(public)+")")
}

func TestARefusedKeyIsNamedAtOnce(t *testing.T) {
	t.Parallel()
	key, other := newKey(t), newKey(t)
	s := serve(t, "root", key)
	wrongUser := s.target("b")
	wrongUser.User = "nobody"
	start := time.Now()
	err := check(t, time.Minute, sshrun.Key{PrivateKey: other.text(t, "")}, s.target("a"))
	wantSaid(t, err, `host a (icon:hosts.machines.a): the machine at 127.0.0.1:`, `refuses the SSH key for user "root"`)
	err = check(t, time.Minute, sshrun.Key{PrivateKey: key.text(t, "")}, wrongUser)
	wantSaid(t, err, "host b (icon:hosts.machines.b)", `refuses the SSH key for user "nobody"`)
	if time.Since(start) > 10*time.Second {
		t.Errorf("it took %s: a wrong key stays wrong", time.Since(start))
	}
}

// bounded runs a check that must fail within a few seconds of its wait.
func bounded(t *testing.T, wait time.Duration, target sshrun.Target, wants ...string) {
	t.Helper()
	start := time.Now()
	err := check(t, wait, sshrun.Key{PrivateKey: newKey(t).text(t, "")}, target)
	wantSaid(t, err, wants...)
	if took := time.Since(start); took > wait+2*time.Second {
		t.Errorf("it took %s, the wait is %s", took, wait)
	}
}

func TestAnUnreachableHostIsNamedAfterABoundedWait(t *testing.T) {
	t.Parallel()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	port := l.Addr().(*net.TCPAddr).Port
	_ = l.Close()
	bounded(t, 1500*time.Millisecond, sshrun.Target{
		Name: "a", Where: "icon:hosts.machines.a", Address: "127.0.0.1", Port: port, User: "root", HostKey: newKey(t).authorized(),
	}, "host a (icon:hosts.machines.a): not reached within 1.5s at 127.0.0.1:"+fmt.Sprint(port), "connection refused")
}

func TestAHostThatAcceptsAndNeverSpeaksIsNamedAfterABoundedWait(t *testing.T) {
	t.Parallel()
	held := make(chan net.Conn, 10)
	port := listen(t, func(c net.Conn) { held <- c })
	bounded(t, time.Second, sshrun.Target{
		Name: "a", Where: "icon:hosts.machines.a", Address: "127.0.0.1", Port: port, User: "root", HostKey: newKey(t).authorized(),
	}, "host a (icon:hosts.machines.a): not reached within 1s", "it accepts the connection, but does not speak SSH")
}

func TestAHostThatIsStillBootingIsWaitedFor(t *testing.T) {
	t.Parallel()
	key := newKey(t)
	s := serve(t, "root", key)
	var tries atomic.Int32
	port := listen(t, func(c net.Conn) {
		if tries.Add(1) < 3 {
			_ = c.Close()
			return
		}
		booted, err := net.Dial("tcp", fmt.Sprintf("127.0.0.1:%d", s.port))
		if err != nil {
			return
		}
		go func() { _, _ = booted.(*net.TCPConn).ReadFrom(c) }()
		_, _ = c.(*net.TCPConn).ReadFrom(booted)
	})
	target := s.target("a")
	target.Port = port
	if err := check(t, 20*time.Second, sshrun.Key{PrivateKey: key.text(t, "")}, target); err != nil {
		t.Error(err)
	}
}

func TestAHostBehindABastionIsReachedThroughIt(t *testing.T) {
	t.Parallel()
	key := newKey(t)
	bastion, inner := serve(t, "jump", key), serve(t, "root", key)
	target, via := inner.target("a"), bastion.target("bastion of a")
	via.User, via.Where = "jump", "icon:hosts.bastion"
	target.Via = &via
	if err := check(t, 10*time.Second, sshrun.Key{PrivateKey: key.text(t, "")}, target); err != nil {
		t.Error(err)
	}
	inner.wantLogins(t, 1)
	if bastion.forwards.Load() != 1 {
		t.Errorf("%d connections through the bastion, wanted 1", bastion.forwards.Load())
	}
	other := newKey(t)
	via.HostKey = other.authorized()
	wantSaid(t, check(t, 10*time.Second, sshrun.Key{PrivateKey: key.text(t, "")}, target),
		"host bastion of a (icon:hosts.bastion.hostKey): another host key", other.fingerprint(), bastion.hostKey.fingerprint())
	via.HostKey, target.HostKey = bastion.hostKey.authorized(), other.authorized()
	wantSaid(t, check(t, 10*time.Second, sshrun.Key{PrivateKey: key.text(t, "")}, target),
		"host a (icon:hosts.machines.a.hostKey): another host key")
}

func TestAHostThatTheBastionDoesNotReachIsNamed(t *testing.T) {
	t.Parallel()
	key := newKey(t)
	bastion, inner := serve(t, "root", key), serve(t, "root", key)
	target, via := inner.target("a"), bastion.target("bastion of a")
	target.Port, target.Via = 1, &via
	start := time.Now()
	err := check(t, time.Second, sshrun.Key{PrivateKey: key.text(t, "")}, target)
	wantSaid(t, err, "host a (icon:hosts.machines.a): not reached within 1s at 127.0.0.1:1")
	if time.Since(start) > 5*time.Second {
		t.Errorf("it took %s", time.Since(start))
	}
}

func TestKeysThatDoNotOpenAreNamedAndNotShown(t *testing.T) {
	t.Parallel()
	key := newKey(t)
	s := serve(t, "root", key)
	locked := key.text(t, "right")
	for want, k := range map[string]sshrun.Key{
		"icon:sshPrivateKey is protected by a passphrase: set icon:sshPrivateKeyPassphrase": {PrivateKey: locked},
		"icon:sshPrivateKey does not open with icon:sshPrivateKeyPassphrase":                {PrivateKey: locked, Passphrase: "wrong"},
		"icon:sshPrivateKey is no SSH private key":                                          {PrivateKey: "hunter2"},
	} {
		err := check(t, time.Second, k, s.target("a"))
		wantSaid(t, err, want)
		for _, secret := range []string{"right", "wrong", "hunter2", "BEGIN"} {
			if strings.Contains(err.Error(), secret) {
				t.Errorf("the error shows %q: %v", secret, err)
			}
		}
	}
}

func TestAllProblemsAreNamedAtOnce(t *testing.T) {
	t.Parallel()
	key, other := newKey(t), newKey(t)
	good, refusing, swapped := serve(t, "root", key), serve(t, "root", other), serve(t, "root", key)
	moved := swapped.target("moved")
	moved.HostKey = other.authorized()
	down := good.target("down")
	down.Port = 1
	err := check(t, time.Second, sshrun.Key{PrivateKey: key.text(t, "")}, good.target("good"), refusing.target("refusing"), moved, down)
	wantSaid(t, err, "host refusing (", "host moved (", "host down (")
	if strings.Contains(err.Error(), "host good") {
		t.Errorf("a good host is named: %v", err)
	}
}

func TestManyHostsAreLoggedInToOnceEach(t *testing.T) {
	t.Parallel()
	key := newKey(t)
	s := serve(t, "root", key)
	targets := make([]sshrun.Target, 200)
	for i := range targets {
		targets[i] = s.target(fmt.Sprint(i))
	}
	if err := check(t, 20*time.Second, sshrun.Key{PrivateKey: key.text(t, "")}, targets...); err != nil {
		t.Error(err)
	}
	s.wantLogins(t, 200)
}

func TestTheAgentLogsIn(t *testing.T) {
	key := newKey(t)
	s := serve(t, "root", key)
	socket := filepath.Join(t.TempDir(), "agent")
	l, err := net.Listen("unix", socket)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	keyring := agent.NewKeyring()
	if err := keyring.Add(agent.AddedKey{PrivateKey: key.private}); err != nil {
		t.Fatal(err)
	}
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			go func() { _ = agent.ServeAgent(keyring, conn) }()
		}
	}()
	t.Setenv("SSH_AUTH_SOCK", socket)
	if err := check(t, 10*time.Second, sshrun.Key{}, s.target("a"), s.target("b")); err != nil {
		t.Error(err)
	}
	t.Setenv("SSH_AUTH_SOCK", socket+"-gone")
	wantSaid(t, check(t, time.Second, sshrun.Key{}, s.target("a")), "icon:sshAgent: no SSH agent answers at $SSH_AUTH_SOCK")
}
