package remote

import (
	"context"
	"errors"
	"fmt"
	"net"
	"time"

	p "github.com/pulumi/pulumi-go-provider"
	"golang.org/x/crypto/ssh"
)

const (
	firstDelay  = 100 * time.Millisecond
	delayFactor = 1.5
	maxDelay    = 5 * time.Second

	// attemptLimit is longer than the limits of a server (120 s for a login in
	// OpenSSH, 127 s for a connect in Linux), so that it ends only the attempts
	// that nobody else would end.
	attemptLimit = 150 * time.Second
)

// client is an SSH connection and the bastion's it may run over.
type client struct {
	*ssh.Client
	proxy *ssh.Client
}

// Close ends the connection, then the one to the bastion.
func (c *client) Close() error {
	err := c.Client.Close()
	if c.proxy != nil {
		err = errors.Join(err, c.proxy.Close())
	}
	return err
}

type dialFunc func(ctx context.Context, network, address string) (net.Conn, error)

// dial connects and logs in, over the proxy if there is one. The caller closes
// the client.
func (c *Connection) dial(ctx context.Context) (*client, error) {
	if c.Proxy == nil {
		direct := net.Dialer{Timeout: c.dialTimeout()}
		conn, err := c.connect(ctx, direct.DialContext)
		if err != nil {
			return nil, fmt.Errorf("connect to %s: %w", c, err)
		}
		return &client{Client: conn}, nil
	}
	direct := net.Dialer{Timeout: c.Proxy.dialTimeout()}
	proxy, err := c.Proxy.connect(ctx, direct.DialContext)
	if err != nil {
		return nil, fmt.Errorf("connect to proxy %s: %w", c.Proxy, err)
	}
	conn, err := c.connect(ctx, proxy.DialContext)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("connect to %s over proxy %s: %w", c, c.Proxy, err), proxy.Close())
	}
	return &client{Client: conn, proxy: proxy}, nil
}

// connect retries until it is logged in, DialErrorLimit retries have failed, or
// ctx ends. Every failure is retried, a refused login or host key too: a host
// that is being set up may change both while it boots.
func (e *endpoint) connect(ctx context.Context, dial dialFunc) (*ssh.Client, error) {
	config, release, err := e.clientConfig()
	if err != nil {
		return nil, err
	}
	defer release()
	limit := orDefault(e.DialErrorLimit, defaultDialErrorLimit)
	delay := firstDelay
	for failures := 1; ; failures++ {
		conn, err := e.attempt(ctx, dial, config)
		if err == nil {
			return conn, nil
		}
		if limit >= 0 && failures > limit {
			return nil, fmt.Errorf("gave up after %d attempts: %w", failures, err)
		}
		p.GetLogger(ctx).InfoStatusf("connect to %s: attempt %d failed, retrying: %v", e, failures, err)
		select {
		case <-time.After(delay):
		case <-ctx.Done():
			return nil, fmt.Errorf("%w after %d attempts, the last of which: %w", ctx.Err(), failures, err)
		}
		delay = min(time.Duration(float64(delay)*delayFactor), maxDelay)
	}
}

func (e *endpoint) attempt(ctx context.Context, dial dialFunc, config *ssh.ClientConfig) (*ssh.Client, error) {
	ctx, cancel := context.WithTimeout(ctx, attemptLimit)
	defer cancel()
	conn, err := dial(ctx, "tcp", e.address())
	if err != nil {
		return nil, err
	}
	// A connection over a bastion knows no deadlines; closing it works for both.
	stop := context.AfterFunc(ctx, func() { conn.Close() })
	sshConn, channels, requests, err := ssh.NewClientConn(conn, e.address(), config)
	if !stop() {
		conn.Close()
		return nil, fmt.Errorf("no SSH session: %w", ctx.Err())
	}
	if err != nil {
		conn.Close()
		return nil, err
	}
	return ssh.NewClient(sshConn, channels, requests), nil
}
