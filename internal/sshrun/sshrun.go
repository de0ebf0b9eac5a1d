// Package sshrun logs in to hosts by SSH from this very process, each with the one host key that is known of it. Check finds out, before
// anything is changed, whether each host of a plan can be logged in to, and says for each that can't what is wrong: not reached, another
// host key, or a refused login. Dial logs in to one, to run commands there.
package sshrun

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"strconv"
	"strings"
	"sync"
	"time"

	"golang.org/x/crypto/ssh"
	"golang.org/x/crypto/ssh/agent"
)

// Target is a host to log in to.
type Target struct {
	// Name for messages, and Where, the configuration path of its settings.
	Name, Where string
	Address     string
	Port        int
	User        string
	// HostKey is the one accepted, "ssh-ed25519 AAAA…".
	HostKey string
	// Via is the jump host, nil for none.
	Via *Target
}

// Key logs in. Both empty: the agent at $SSH_AUTH_SOCK.
type Key struct {
	PrivateKey, Passphrase string
}

// atOnce bounds parallel logins, so that a plan of a thousand hosts does not open a thousand connections at the same time.
const atOnce = 32

// retryEvery is the pause between tries to reach a host.
const retryEvery = time.Second

// Check logs in to every target, in parallel, and waits at most wait for one that is not reached. It returns all problems at once.
func Check(ctx context.Context, targets []Target, key Key, wait time.Duration) error {
	auth, done, err := key.method()
	if err != nil {
		return err
	}
	defer done()
	problems := make([]error, len(targets))
	slots := make(chan struct{}, atOnce)
	var wg sync.WaitGroup
	for i, t := range targets {
		wg.Go(func() {
			slots <- struct{}{}
			defer func() { <-slots }()
			client, err := login(ctx, t, auth, wait)
			if err != nil {
				problems[i] = err
				return
			}
			problems[i] = client.Close()
		})
	}
	wg.Wait()
	return errors.Join(problems...)
}

func (k Key) method() (ssh.AuthMethod, func(), error) {
	if k.PrivateKey == "" {
		socket := os.Getenv("SSH_AUTH_SOCK")
		conn, err := net.Dial("unix", socket)
		if err != nil {
			return nil, nil, fmt.Errorf("icon:sshAgent: no SSH agent answers at $SSH_AUTH_SOCK (%q): "+
				"start one and add the key, or set icon:sshPrivateKey", socket)
		}
		return ssh.PublicKeysCallback(agent.NewClient(conn).Signers), func() { conn.Close() }, nil
	}
	var signer ssh.Signer
	var err error
	if k.Passphrase != "" {
		signer, err = ssh.ParsePrivateKeyWithPassphrase([]byte(k.PrivateKey), []byte(k.Passphrase))
	} else {
		signer, err = ssh.ParsePrivateKey([]byte(k.PrivateKey))
	}
	var missing *ssh.PassphraseMissingError
	switch {
	case errors.As(err, &missing):
		return nil, nil, errors.New("icon:sshPrivateKey is protected by a passphrase: set icon:sshPrivateKeyPassphrase")
	case err != nil && k.Passphrase != "":
		return nil, nil, errors.New("icon:sshPrivateKey does not open with icon:sshPrivateKeyPassphrase, or is no SSH private key")
	case err != nil:
		return nil, nil, errors.New("icon:sshPrivateKey is no SSH private key (want the text of a file like id_ed25519)")
	}
	return ssh.PublicKeys(signer), func() {}, nil
}

// login tries until the host answers or the wait is over. Only "not reached" is tried again: a wrong key stays wrong.
func login(ctx context.Context, t Target, auth ssh.AuthMethod, wait time.Duration) (*Client, error) {
	ctx, cancel := context.WithTimeout(ctx, wait)
	defer cancel()
	for {
		client, err := try(ctx, t, auth)
		var unreached *unreachedError
		if !errors.As(err, &unreached) {
			return client, err
		}
		select {
		case <-ctx.Done():
			return nil, fmt.Errorf("host %s (%s): not reached within %s at %s: %w. Is it on, and does its SSH port answer this machine?",
				unreached.target.Name, unreached.target.Where, wait, unreached.target.hostPort(), unreached.err)
		case <-time.After(retryEvery):
		}
	}
}

type unreachedError struct {
	target Target
	err    error
}

func (e *unreachedError) Error() string { return e.err.Error() }

func (t Target) hostPort() string { return net.JoinHostPort(t.Address, strconv.Itoa(t.Port)) }

func try(ctx context.Context, t Target, auth ssh.AuthMethod) (*Client, error) {
	dial := (&net.Dialer{Timeout: 5 * time.Second}).DialContext
	client := &Client{}
	if t.Via != nil {
		bastion, err := connect(ctx, *t.Via, auth, dial)
		if err != nil {
			return nil, err
		}
		client.bastion, dial = bastion, bastion.DialContext
	}
	host, err := connect(ctx, t, auth, dial)
	if err != nil {
		return nil, errors.Join(err, client.closeBastion())
	}
	client.host = host
	return client, nil
}

type dialer func(ctx context.Context, network, address string) (net.Conn, error)

func connect(ctx context.Context, t Target, auth ssh.AuthMethod, dial dialer) (*ssh.Client, error) {
	want, _, _, _, err := ssh.ParseAuthorizedKey([]byte(t.HostKey))
	if err != nil {
		return nil, fmt.Errorf("host %s (%s.hostKey): not an SSH public key: %w", t.Name, t.Where, err)
	}
	conn, err := dial(ctx, "tcp", t.hostPort())
	if err != nil {
		return nil, &unreachedError{t, err}
	}
	// A host that accepts but never speaks must not hold the deploy.
	talk, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	defer context.AfterFunc(talk, func() { conn.Close() })()
	var offered ssh.PublicKey
	c, chans, reqs, err := ssh.NewClientConn(conn, t.hostPort(), &ssh.ClientConfig{
		User:              t.User,
		Auth:              []ssh.AuthMethod{auth},
		HostKeyAlgorithms: []string{want.Type()},
		HostKeyCallback: func(_ string, _ net.Addr, got ssh.PublicKey) error {
			offered = got
			if !bytes.Equal(got.Marshal(), want.Marshal()) {
				return errHostKey
			}
			return nil
		},
	})
	if err == nil {
		return ssh.NewClient(c, chans, reqs), nil
	}
	conn.Close()
	if talk.Err() != nil {
		return nil, &unreachedError{t, errors.New("it accepts the connection, but does not speak SSH")}
	}
	return nil, explain(t, want, offered, err)
}

var errHostKey = errors.New("host key differs")

func explain(t Target, want, offered ssh.PublicKey, err error) error {
	var negotiation *ssh.AlgorithmNegotiationError
	switch {
	case offered != nil && !bytes.Equal(offered.Marshal(), want.Marshal()):
		return fmt.Errorf("host %s (%s.hostKey): another host key: expected %s %s, the machine at %s offers %s %s. "+
			"Nothing was sent to it. If the machine was reinstalled, read its new key on the machine itself "+
			"(ssh-keygen -lf /etc/ssh/ssh_host_ed25519_key.pub) and set it; if not, somebody may be in between",
			t.Name, t.Where, want.Type(), ssh.FingerprintSHA256(want), t.hostPort(), offered.Type(), ssh.FingerprintSHA256(offered))
	case errors.As(err, &negotiation):
		return fmt.Errorf("host %s (%s.hostKey): expected a host key of type %s (%s), which the machine at %s does not have: %w",
			t.Name, t.Where, want.Type(), ssh.FingerprintSHA256(want), t.hostPort(), err)
	case strings.Contains(err.Error(), "unable to authenticate"):
		return fmt.Errorf("host %s (%s): the machine at %s refuses the SSH key for user %q: "+
			"is the public half of icon:sshPrivateKey in that user's authorized_keys?", t.Name, t.Where, t.hostPort(), t.User)
	default:
		return &unreachedError{t, err}
	}
}
