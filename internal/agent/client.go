package agent

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"time"

	"github.com/insight-icon/pulumi-icon/internal/agent/bans"
)

// ErrAway says that no agent answers.
var ErrAway = errors.New("the agent does not answer; look with: systemctl status icon-sentry-agent, journalctl -u icon-sentry-agent")

// Client asks an agent over its control socket.
type Client struct {
	http *http.Client
}

// NewClient asks the agent whose control socket this is.
func NewClient(socket string) *Client {
	dial := func(ctx context.Context, _, _ string) (net.Conn, error) {
		var d net.Dialer
		return d.DialContext(ctx, "unix", socket)
	}
	return &Client{&http.Client{Timeout: 40 * time.Second, Transport: &http.Transport{DialContext: dial, DisableKeepAlives: true}}}
}

// Status of the sentry.
func (c *Client) Status(ctx context.Context) (s Status, err error) {
	return s, c.ask(ctx, http.MethodGet, "/status", nil, &s)
}

// Bans in force.
func (c *Client) Bans(ctx context.Context) (b Banned, err error) {
	return b, c.ask(ctx, http.MethodGet, "/bans", nil, &b)
}

// Recent are the bans of the last day, also those that have ended.
func (c *Client) Recent(ctx context.Context) (b Banned, err error) {
	return b, c.ask(ctx, http.MethodGet, "/bans/recent", nil, &b)
}

// Ban bans by hand.
func (c *Client) Ban(ctx context.Context, wish NewBan) (b Banned, err error) {
	return b, c.ask(ctx, http.MethodPost, "/bans", wish, &b)
}

// Unban lifts a ban, or those of all in a network, and gives what was lifted.
func (c *Client) Unban(ctx context.Context, source netip.Prefix) (b Banned, err error) {
	return b, c.ask(ctx, http.MethodDelete, "/bans/"+bans.Name(source), nil, &b)
}

// Peers is the list of known peers.
func (c *Client) Peers(ctx context.Context) (p Peers, err error) {
	return p, c.ask(ctx, http.MethodGet, "/peers", nil, &p)
}

// Drain is where a drain stands.
func (c *Client) Drain(ctx context.Context) (d DrainStatus, err error) {
	return d, c.ask(ctx, http.MethodGet, "/drain", nil, &d)
}

func (c *Client) ask(ctx context.Context, method, path string, body, answer any) error {
	var content io.Reader
	if body != nil {
		text, err := json.Marshal(body)
		if err != nil {
			return err
		}
		content = bytes.NewReader(text)
	}
	request, err := http.NewRequestWithContext(ctx, method, "http://agent"+path, content)
	if err != nil {
		return err
	}
	response, err := c.http.Do(request)
	if err != nil {
		return fmt.Errorf("%w (%w)", ErrAway, errors.Unwrap(err))
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		var p problem
		if err := json.NewDecoder(response.Body).Decode(&p); err != nil || p.Error == "" {
			return fmt.Errorf("the agent answered with %s", response.Status)
		}
		return errors.New(p.Error)
	}
	if err := json.NewDecoder(response.Body).Decode(answer); err != nil {
		return fmt.Errorf("the agent's answer: %w", err)
	}
	return nil
}
