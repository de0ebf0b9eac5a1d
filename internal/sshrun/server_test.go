package sshrun_test

import (
	"crypto/ed25519"
	"crypto/rand"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/crypto/ssh"

	"github.com/insight-icon/pulumi-icon/internal/sshrun"
)

// keyPair is a new key: what logs in, and what a server accepts.
type keyPair struct {
	private ed25519.PrivateKey
	signer  ssh.Signer
}

func newKey(t *testing.T) keyPair {
	t.Helper()
	_, private, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	signer, err := ssh.NewSignerFromKey(private)
	if err != nil {
		t.Fatal(err)
	}
	return keyPair{private, signer}
}

func (k keyPair) text(t *testing.T, passphrase string) string {
	t.Helper()
	var block *pem.Block
	var err error
	if passphrase == "" {
		block, err = ssh.MarshalPrivateKey(k.private, "")
	} else {
		block, err = ssh.MarshalPrivateKeyWithPassphrase(k.private, "", []byte(passphrase))
	}
	if err != nil {
		t.Fatal(err)
	}
	return string(pem.EncodeToMemory(block))
}

func (k keyPair) authorized() string {
	return strings.TrimSpace(string(ssh.MarshalAuthorizedKey(k.signer.PublicKey())))
}

func (k keyPair) fingerprint() string { return ssh.FingerprintSHA256(k.signer.PublicKey()) }

// server is an SSH server in this process that lets one key in and forwards connections, as a bastion does.
type server struct {
	hostKey  keyPair
	logins   atomic.Int32
	forwards atomic.Int32
	port     int
}

func serve(t *testing.T, user string, allowed keyPair) *server {
	t.Helper()
	s := &server{hostKey: newKey(t)}
	config := &ssh.ServerConfig{
		PublicKeyCallback: func(c ssh.ConnMetadata, key ssh.PublicKey) (*ssh.Permissions, error) {
			if c.User() != user || ssh.FingerprintSHA256(key) != allowed.fingerprint() {
				return nil, errors.New("not this one")
			}
			return nil, nil
		},
	}
	config.AddHostKey(s.hostKey.signer)
	s.port = listen(t, func(conn net.Conn) {
		_, channels, requests, err := ssh.NewServerConn(conn, config)
		if err != nil {
			return
		}
		s.logins.Add(1)
		go ssh.DiscardRequests(requests)
		for c := range channels {
			go s.forward(c)
		}
	})
	return s
}

func (s *server) forward(c ssh.NewChannel) {
	var to struct {
		Host       string
		Port       uint32
		FromHost   string
		FromPortNo uint32
	}
	if c.ChannelType() != "direct-tcpip" || ssh.Unmarshal(c.ExtraData(), &to) != nil {
		_ = c.Reject(ssh.UnknownChannelType, "only forwarding")
		return
	}
	conn, err := net.Dial("tcp", net.JoinHostPort(to.Host, fmt.Sprint(to.Port)))
	if err != nil {
		_ = c.Reject(ssh.ConnectionFailed, "not reached")
		return
	}
	channel, requests, err := c.Accept()
	if err != nil {
		_ = conn.Close()
		return
	}
	s.forwards.Add(1)
	go ssh.DiscardRequests(requests)
	go func() {
		_, _ = io.Copy(channel, conn)
		_ = channel.Close()
	}()
	_, _ = io.Copy(conn, channel)
	_ = conn.Close()
}

// listen hands every connection to handle until the test ends, and gives the port.
func listen(t *testing.T, handle func(net.Conn)) int {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			go handle(conn)
		}
	}()
	return l.Addr().(*net.TCPAddr).Port
}

func (s *server) target(name string) sshrun.Target {
	return sshrun.Target{
		Name: name, Where: "icon:hosts.machines." + name, Address: "127.0.0.1", Port: s.port, User: "root", HostKey: s.hostKey.authorized(),
	}
}

// wantLogins waits for the server to have noticed its logins, which it does a moment after the client.
func (s *server) wantLogins(t *testing.T, want int32) {
	t.Helper()
	for deadline := time.Now().Add(5 * time.Second); s.logins.Load() < want && time.Now().Before(deadline); {
		time.Sleep(10 * time.Millisecond)
	}
	if got := s.logins.Load(); got != want {
		t.Errorf("%d logins, wanted %d", got, want)
	}
}
