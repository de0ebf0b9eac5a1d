// Package proxy speaks with HAProxy over its admin socket: HAProxy 2.6 and later.
package proxy

import (
	"context"
	"fmt"
	"io"
	"net"
	"regexp"
	"strings"
	"time"
)

const (
	// answerTime is how long one answer may take: a table of 100,000 entries is given in less than one.
	answerTime = 3 * time.Second
	// mostAnswer is how much of an answer is read.
	mostAnswer = 64 << 20
	// mostLine is how many bytes of commands are sent in one line. HAProxy takes one that fits in its buffer (tune.bufsize, 16 KiB).
	mostLine = 8 << 10
)

// Client asks one HAProxy. Each question is a connection of its own, so that a HAProxy that was restarted is found by itself. Its methods
// may be called at the same time.
type Client struct {
	socket string
}

// New asks the HAProxy whose admin socket this is.
func New(socket string) *Client { return &Client{socket: socket} }

// Refusal is what HAProxy said in place of what was asked for.
type Refusal struct {
	// Command that was given, without its payload.
	Command string
	// Said is HAProxy's own text.
	Said string
}

// Error says what was asked and what HAProxy said.
func (r *Refusal) Error() string {
	said := strings.Join(strings.Fields(r.Said), " ")
	if said == "" {
		said = "(nothing)"
	}
	if len(said) > 300 {
		said = said[:300] + "…"
	}
	return fmt.Sprintf("HAProxy, asked for %q, said: %s", r.Command, said)
}

// ask sends one line, which may be several commands and may end with a payload, and gives all that HAProxy says.
func (c *Client) ask(ctx context.Context, line string) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, answerTime)
	defer cancel()
	var dialer net.Dialer
	conn, err := dialer.DialContext(ctx, "unix", c.socket)
	if err != nil {
		return "", fmt.Errorf("HAProxy's admin socket: %w; is icon-sentry.service running?", err)
	}
	defer conn.Close()
	deadline, _ := ctx.Deadline()
	if err := conn.SetDeadline(deadline); err != nil {
		return "", fmt.Errorf("HAProxy's admin socket %s: %w", c.socket, err)
	}
	stop := context.AfterFunc(ctx, func() { _ = conn.Close() })
	defer stop()
	if _, err := io.WriteString(conn, line+"\n"); err != nil {
		return "", fmt.Errorf("HAProxy's admin socket %s: %w", c.socket, err)
	}
	said, err := io.ReadAll(io.LimitReader(conn, mostAnswer))
	if err != nil {
		return "", fmt.Errorf("HAProxy's admin socket %s, asked for %q: %w", c.socket, first(line), err)
	}
	return string(said), nil
}

// silent gives commands that say nothing when they succeed, as many on one line as HAProxy takes.
func (c *Client) silent(ctx context.Context, commands []string) error {
	var line strings.Builder
	send := func() error {
		if line.Len() == 0 {
			return nil
		}
		said, err := c.ask(ctx, line.String())
		if err == nil && strings.TrimSpace(said) != "" {
			err = &Refusal{first(line.String()), said}
		}
		line.Reset()
		return err
	}
	for _, command := range commands {
		if line.Len()+len(command) > mostLine {
			if err := send(); err != nil {
				return err
			}
		}
		if line.Len() > 0 {
			line.WriteByte(';')
		}
		line.WriteString(command)
	}
	return send()
}

// first is a line's first command, for an error: what follows may be long, and a payload secret.
func first(line string) string {
	line, _, _ = strings.Cut(line, "\n")
	line, _, _ = strings.Cut(line, ";")
	return strings.TrimSuffix(line, " <<")
}

// word is what may be part of a command: HAProxy separates commands by semicolons and words by spaces.
var word = regexp.MustCompile(`^[A-Za-z0-9_./:@#-]+$`)

// words refuses what would be read as something else than one word of a command.
func words(all ...string) error {
	for _, w := range all {
		if !word.MatchString(w) {
			return fmt.Errorf("%q cannot be part of a command to HAProxy; wanted letters, digits and _./:@#-", w)
		}
	}
	return nil
}
