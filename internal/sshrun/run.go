package sshrun

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"time"

	"golang.org/x/crypto/ssh"
)

// Client is one login, for commands one after another.
type Client struct {
	host, bastion *ssh.Client // bastion is nil without one
	release       func()      // what the key holds open
}

// Dial logs in to t by new connections, to its bastion as well, and waits at most wait for one that is not reached. Close it.
func Dial(ctx context.Context, t Target, key Key, wait time.Duration) (*Client, error) {
	auth, release, err := key.method()
	if err != nil {
		return nil, fmt.Errorf("host %s (%s): %w", t.Name, t.Where, err)
	}
	client, err := login(ctx, t, auth, wait)
	if err != nil {
		release()
		return nil, err
	}
	client.release = release
	return client, nil
}

// Close ends the login. A connection that is gone already is no error.
func (c *Client) Close() error {
	err := c.host.Close()
	if errors.Is(err, net.ErrClosed) || errors.Is(err, io.EOF) {
		err = nil
	}
	if c.release != nil {
		c.release()
		c.release = nil
	}
	return errors.Join(err, c.closeBastion())
}

func (c *Client) closeBastion() error {
	if c.bastion == nil {
		return nil
	}
	if err := c.bastion.Close(); !errors.Is(err, net.ErrClosed) && !errors.Is(err, io.EOF) {
		return err
	}
	return nil
}

// mostOutput bounds what is kept of each stream of a command, in bytes: a host that was tampered with may send without end.
const mostOutput = 4 << 20

// Run runs a command in the user's shell on the host, and gives what it wrote to standard output. With nil for stdin its standard input
// stays open, and empty, until the command ends; commands that read it learn that way that the connection is gone. A command that ends
// with another status than 0 is an *ExitError. When ctx is over the connection is closed.
func (c *Client) Run(ctx context.Context, command string, stdin io.Reader) (string, error) {
	if err := ctx.Err(); err != nil {
		return "", err
	}
	session, err := c.host.NewSession()
	if err != nil {
		return "", err
	}
	defer session.Close()
	defer context.AfterFunc(ctx, func() { c.host.Close() })()
	var out, said limited
	session.Stdin, session.Stdout, session.Stderr = stdin, &out, &said
	if stdin == nil {
		if _, err := session.StdinPipe(); err != nil {
			return "", err
		}
	}
	err = session.Run(command)
	var ended *ssh.ExitError
	switch {
	case ctx.Err() != nil:
		return out.String(), fmt.Errorf("no end of the command within its time: %w", ctx.Err())
	case errors.As(err, &ended):
		return out.String(), &ExitError{Status: ended.ExitStatus(), Signal: ended.Signal(), Said: strings.TrimSpace(said.String())}
	case err != nil:
		return out.String(), fmt.Errorf("the connection broke off: %w", err)
	case out.cut:
		return "", fmt.Errorf("wrote more than %d bytes", mostOutput)
	}
	return out.String(), nil
}

// ExitError is a command that failed on the host.
type ExitError struct {
	// Status that it ended with; Signal that ended it, empty for none.
	Status int
	Signal string
	// Said is what it wrote to standard error.
	Said string
}

func (e *ExitError) Error() string {
	end := fmt.Sprintf("ended with %d", e.Status)
	if e.Signal != "" {
		end = "was ended by the signal " + e.Signal
	}
	if e.Said == "" {
		return end
	}
	return end + ": " + e.Said
}

// limited keeps so much of a stream, and drops the rest.
type limited struct {
	kept bytes.Buffer
	cut  bool
}

func (l *limited) String() string { return l.kept.String() }

func (l *limited) Write(p []byte) (int, error) {
	keep := p
	if room := mostOutput - l.kept.Len(); len(p) > room {
		keep, l.cut = p[:room], true
	}
	_, err := l.kept.Write(keep)
	return len(p), err
}
