// Package sshtest is an SSH server in the process of a test: it lets one key in, forwards connections as a bastion does, and runs commands
// by a function of the test's.
package sshtest

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

	"golang.org/x/crypto/ssh"
)

// Key is a key pair.
type Key struct {
	// Private is the text of its file, Public its line.
	Private, Public string
	signer          ssh.Signer
}

// NewKey makes one.
func NewKey(tb testing.TB) Key {
	tb.Helper()
	_, private, err := ed25519.GenerateKey(rand.Reader)
	must(tb, err)
	block, err := ssh.MarshalPrivateKey(private, "")
	must(tb, err)
	signer, err := ssh.NewSignerFromKey(private)
	must(tb, err)
	return Key{string(pem.EncodeToMemory(block)), strings.TrimSpace(string(ssh.MarshalAuthorizedKey(signer.PublicKey()))), signer}
}

func must(tb testing.TB, err error) {
	tb.Helper()
	if err != nil {
		tb.Fatal(err)
	}
}

// Call is a command that a client runs.
type Call struct {
	// Login counts the server's logins, from 1: commands of one login have the same number.
	Login   int32
	Command string
	// In and Out are its standard input and output.
	In  io.Reader
	Out io.Writer
	// Err is its standard error.
	Err io.Writer
}

// Server is the server.
type Server struct {
	// Port on 127.0.0.1, and HostKey, its public line.
	Port    int
	HostKey string
	// Logins counts those that were let in, Connections all, Forwards those that went on through this server.
	Logins, Connections, Forwards atomic.Int32
	// Refuse, if it is set and returns true, lets nobody in.
	Refuse func() bool
	run    func(Call) (status uint32)
	config *ssh.ServerConfig
}

// Serve starts a server that lets key in as user, until the test ends. A nil run refuses all commands.
func Serve(tb testing.TB, user string, key Key, run func(Call) uint32) *Server {
	tb.Helper()
	own := NewKey(tb)
	s := &Server{HostKey: own.Public, run: run}
	s.config = &ssh.ServerConfig{PublicKeyCallback: func(c ssh.ConnMetadata, offered ssh.PublicKey) (*ssh.Permissions, error) {
		if c.User() != user || ssh.FingerprintSHA256(offered) != ssh.FingerprintSHA256(key.signer.PublicKey()) || s.Refuse != nil && s.Refuse() {
			return nil, errors.New("not this one")
		}
		return &ssh.Permissions{}, nil
	}}
	s.config.AddHostKey(own.signer)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	must(tb, err)
	tb.Cleanup(func() { _ = l.Close() })
	s.Port = l.Addr().(*net.TCPAddr).Port
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			s.Connections.Add(1)
			go s.serve(conn)
		}
	}()
	return s
}

func (s *Server) serve(conn net.Conn) {
	_, channels, requests, err := ssh.NewServerConn(conn, s.config)
	if err != nil {
		return
	}
	login := s.Logins.Add(1)
	go ssh.DiscardRequests(requests)
	for c := range channels {
		switch {
		case c.ChannelType() == "direct-tcpip":
			go s.forward(c)
		case c.ChannelType() == "session" && s.run != nil:
			go s.session(c, login)
		default:
			_ = c.Reject(ssh.Prohibited, "not here")
		}
	}
}

func (s *Server) session(c ssh.NewChannel, login int32) {
	channel, requests, err := c.Accept()
	if err != nil {
		return
	}
	for r := range requests {
		var exec struct{ Command string }
		if r.Type != "exec" || ssh.Unmarshal(r.Payload, &exec) != nil {
			_ = r.Reply(false, nil)
			continue
		}
		_ = r.Reply(true, nil)
		go func() {
			status := s.run(Call{Login: login, Command: exec.Command, In: channel, Out: channel, Err: channel.Stderr()})
			_, _ = channel.SendRequest("exit-status", false, ssh.Marshal(struct{ Status uint32 }{status}))
			_ = channel.Close()
		}()
	}
}

func (s *Server) forward(c ssh.NewChannel) {
	var to struct {
		Host     string
		Port     uint32
		FromHost string
		FromPort uint32
	}
	if ssh.Unmarshal(c.ExtraData(), &to) != nil {
		_ = c.Reject(ssh.UnknownChannelType, "not understood")
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
	s.Forwards.Add(1)
	go ssh.DiscardRequests(requests)
	go func() {
		_, _ = io.Copy(channel, conn)
		_ = channel.Close()
	}()
	_, _ = io.Copy(conn, channel)
	_ = conn.Close()
}
