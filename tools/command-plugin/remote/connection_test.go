package remote

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"errors"
	"net"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/crypto/ssh"
	"golang.org/x/crypto/ssh/agent"
)

// mustFail asserts that the connection is refused with an error that has each of
// the texts and none of the connection's secrets.
func mustFail(t *testing.T, c *Connection, texts ...string) {
	t.Helper()
	conn, err := c.dial(t.Context())
	if err == nil {
		conn.Close()
		t.Fatal("connected")
	}
	mustSay(t, err, texts...)
	mustNotLeak(t, err, c)
}

func mustSay(t *testing.T, err error, texts ...string) {
	t.Helper()
	if err == nil {
		t.Fatal("no error")
	}
	for _, text := range texts {
		if !strings.Contains(err.Error(), text) {
			t.Errorf("the error %q does not say %q", err, text)
		}
	}
}

func mustNotLeak(t *testing.T, err error, c *Connection, more ...string) {
	t.Helper()
	for _, secret := range append(more, orDefault(c.Password, ""), orDefault(c.PrivateKeyPassword, "")) {
		if secret != "" && strings.Contains(err.Error(), secret) {
			t.Errorf("the error %q has the secret %q", err, secret)
		}
	}
	for line := range strings.Lines(orDefault(c.PrivateKey, "")) {
		if line = strings.TrimSpace(line); len(line) > 20 && strings.Contains(err.Error(), line) {
			t.Errorf("the error %q has a line of the private key", err)
		}
	}
}

func mustConnect(t *testing.T, c *Connection) {
	t.Helper()
	conn, err := c.dial(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if err := conn.Close(); err != nil {
		t.Error(err)
	}
}

func TestWrongHostKeyIsRefusedWithBothFingerprints(t *testing.T) {
	server := startServer(t)
	other, _ := newKey(t, "")
	c := server.connection()
	c.HostKey = ptr(authorized(other))
	mustFail(t, c, "127.0.0.1:", "host key mismatch",
		ssh.FingerprintSHA256(other.PublicKey()), ssh.FingerprintSHA256(server.hostKey.PublicKey()))
	if _, total, _ := server.counts(); total != 0 {
		t.Errorf("logged in %d times to a host with the wrong key", total)
	}
}

func TestHostKeyOfAnotherAlgorithmIsNotNegotiated(t *testing.T) {
	server := startServer(t)
	c := server.connection()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	other, err := ssh.NewSignerFromKey(private)
	if err != nil {
		t.Fatal(err)
	}
	c.HostKey = ptr(authorized(other))
	mustFail(t, c, "no common algorithm for host key", "ecdsa-sha2-nistp256", "ssh-ed25519")
}

func TestHostKeyThatIsNoKeyIsRefused(t *testing.T) {
	server := startServer(t)
	c := server.connection()
	c.HostKey = ptr("SHA256:abc")
	mustFail(t, c, `hostKey "SHA256:abc" is not a public key in authorized_keys form`)
}

func TestWrongLoginIsRefusedAfterTheRetries(t *testing.T) {
	server := startServer(t)
	c := server.connection()
	_, pem := newKey(t, "")
	c.PrivateKey = &pem
	mustFail(t, c, "root@127.0.0.1:", "unable to authenticate", "gave up after 2 attempts")
	c.PrivateKey, c.Password = nil, ptr("wrong-secret-word")
	mustFail(t, c, "unable to authenticate")
	c.Password, c.PrivateKey = nil, ptr("not-a-key-but-a-secret-text")
	mustFail(t, c, "privateKey", "no key found")
}

func TestEveryKindOfLoginWorks(t *testing.T) {
	key, encrypted := newKey(t, "pass-phrase")
	server := startServer(t, func(s *sshServer) {
		s.login, s.loginPEM, s.password = key, encrypted, "pass-word"
	})
	c := server.connection()
	c.PrivateKeyPassword = ptr("pass-phrase")
	mustConnect(t, c)
	c.PrivateKeyPassword = ptr("wrong-pass-phrase")
	mustFail(t, c, "privateKey")
	c.PrivateKey, c.PrivateKeyPassword, c.Password = nil, nil, ptr("pass-word")
	mustConnect(t, c)

	asking := startServer(t, func(s *sshServer) { s.password, s.asks = "pass-word", true })
	c = asking.connection()
	c.PrivateKey, c.Password = nil, ptr("pass-word")
	mustConnect(t, c)
}

func TestAgentIsUsedAndADeadOneIsAnError(t *testing.T) {
	server := startServer(t)
	signer, err := ssh.ParseRawPrivateKey([]byte(server.loginPEM))
	if err != nil {
		t.Fatal(err)
	}
	keys := agent.NewKeyring()
	if err := keys.Add(agent.AddedKey{PrivateKey: signer}); err != nil {
		t.Fatal(err)
	}
	socket := filepath.Join(t.TempDir(), "agent")
	listener, err := net.Listen("unix", socket)
	if err != nil {
		t.Fatal(err)
	}
	go func() {
		for conn, err := listener.Accept(); err == nil; conn, err = listener.Accept() {
			go agent.ServeAgent(keys, conn)
		}
	}()
	c := server.connection()
	c.PrivateKey, c.AgentSocketPath = nil, &socket
	mustConnect(t, c)
	t.Setenv("SSH_AUTH_SOCK", socket)
	c.AgentSocketPath = nil
	mustConnect(t, c)
	listener.Close()
	mustFail(t, c, "SSH agent", "$SSH_AUTH_SOCK", socket)
}

func TestUnreachableHostIsNamedAfterABoundedNumberOfAttempts(t *testing.T) {
	server := startServer(t)
	c := server.connection()
	server.listener.Close()
	c.DialErrorLimit = ptr(3)
	start := time.Now()
	mustFail(t, c, "root@"+c.address(), "gave up after 4 attempts", "connection refused")
	want := 100*time.Millisecond + 150*time.Millisecond + 225*time.Millisecond
	if took := time.Since(start); took < want || took > want+5*time.Second {
		t.Errorf("took %v, expected %v of waits", took, want)
	}
}

func TestHostThatStartsLateIsWaitedFor(t *testing.T) {
	server := startServer(t)
	c := server.connection()
	c.DialErrorLimit = ptr(20)
	address := server.listener.Addr().String()
	server.listener.Close()
	time.AfterFunc(300*time.Millisecond, func() {
		listener, err := net.Listen("tcp", address)
		if err != nil {
			t.Error(err)
			return
		}
		t.Cleanup(func() { listener.Close() })
		late := &sshServer{t: t, hostKey: server.hostKey, login: server.login, listener: listener}
		late.serve()
	})
	mustConnect(t, c)
}

func TestNoDialLimitRetriesUntilTheContextEnds(t *testing.T) {
	server := startServer(t)
	c := server.connection()
	server.listener.Close()
	c.DialErrorLimit = ptr(-1)
	ctx, cancel := context.WithTimeout(t.Context(), 600*time.Millisecond)
	defer cancel()
	_, err := c.dial(ctx)
	mustSay(t, err, "attempts", "connection refused")
	if !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("the error %q does not tell that the time was up", err)
	}
}

func TestServerThatNeverAnswersDoesNotHangPastTheContext(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	silent := &sshServer{t: t, listener: listener}
	silent.hostKey, _ = newKey(t, "")
	_, silent.loginPEM = newKey(t, "")
	ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
	defer cancel()
	_, err = silent.connection().dial(ctx)
	mustSay(t, err, "no SSH session")
}

func TestBastionCarriesTheConnectionAndBothEnd(t *testing.T) {
	target, bastion := startServer(t), startServer(t)
	c := target.connection()
	c.Proxy = &ProxyConnection{bastion.connection().endpoint}
	mustConnect(t, c)
	if _, total, hops := bastion.counts(); total != 1 || hops != 1 {
		t.Errorf("the bastion saw %d logins and %d hops, expected 1 and 1", total, hops)
	}
	mustBeClosed(t, target)
	mustBeClosed(t, bastion)
}

func TestFailureOverABastionSaysWhichHostFailed(t *testing.T) {
	target, bastion := startServer(t), startServer(t)
	other, _ := newKey(t, "")
	c := target.connection()
	c.Proxy = &ProxyConnection{bastion.connection().endpoint}
	c.Proxy.HostKey = ptr(authorized(other))
	mustFail(t, c, "connect to proxy root@"+c.Proxy.address(), ssh.FingerprintSHA256(other.PublicKey()))

	c.Proxy.HostKey, c.HostKey = ptr(authorized(bastion.hostKey)), ptr(authorized(other))
	mustFail(t, c, "connect to root@"+c.address()+" over proxy", ssh.FingerprintSHA256(other.PublicKey()))

	target.listener.Close()
	mustFail(t, c, "connect to root@"+c.address()+" over proxy", "connection refused", "gave up after 2 attempts")
	mustBeClosed(t, bastion)
}

// mustBeClosed asserts that the server has no connection left; it notices the
// end of one a moment after the client.
func mustBeClosed(t *testing.T, server *sshServer) {
	t.Helper()
	for deadline := time.Now().Add(5 * time.Second); ; time.Sleep(5 * time.Millisecond) {
		open, _, _ := server.counts()
		if open == 0 {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("%d connections are left open", open)
		}
	}
}

func TestConnectionWithoutHostKeyIsRefused(t *testing.T) {
	c := startServer(t).connection()
	c.HostKey = nil
	mustFail(t, c, "connection without hostKey")
}
