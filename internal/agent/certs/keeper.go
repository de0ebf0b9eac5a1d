// Package certs gets and renews the certificate of a sentry's API from an authority that speaks ACME (RFC 8555). Names are proven over HTTP
// (the challenge http-01): the proxies of all sentries ask the agents of all, until one knows the token, so that it does not matter which
// sentry the authority reaches. One certificate is for all names, and its key is born on the sentry and never leaves it.
package certs

import (
	"bytes"
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/insight-icon/pulumi-icon/internal/sentry"
)

const (
	// renewAhead of its end a certificate is renewed, or when a third of its life is left if that is later.
	renewAhead = 30 * 24 * time.Hour
	// nap is the longest sleep between two looks at the clock.
	nap = time.Minute
	// installRetry is how long after a failed install it is tried again.
	installRetry = 5 * time.Second
	// attempt is how long one may take.
	attempt = 5 * time.Minute
)

// backoff are the waits after failures, one after the other; the last one stays. No more than five fall into an hour, which is how many
// failed proofs Let's Encrypt allows for an account and a name.
var backoff = []time.Duration{
	time.Minute, 5 * time.Minute, 15 * time.Minute, 30 * time.Minute, time.Hour, 2 * time.Hour, 4 * time.Hour, 8 * time.Hour, 12 * time.Hour,
}

// State of the certificate, in a word.
type State string

// The states.
const (
	// Starting is before anything was looked at.
	Starting State = "starting"
	// Good is a certificate that is not due.
	Good State = "good"
	// Asking is while the authority is asked.
	Asking State = "asking"
	// Failing is after a failure, until the next attempt.
	Failing State = "failing"
)

// Status is what people and metrics are told. It holds no secret.
type Status struct {
	State     State    `json:"state"`
	Names     []string `json:"names"`
	Directory string   `json:"directory"`
	// NotAfter is the end of the certificate in use, RenewAt when a new one is asked for; nil: there is none yet.
	NotAfter *time.Time `json:"notAfter,omitempty"`
	RenewAt  *time.Time `json:"renewAt,omitempty"`
	// Issuer is the authority's name in it.
	Issuer string `json:"issuer,omitempty"`
	// Failures in a row, the last one's text, and when it is tried again.
	Failures  int        `json:"failures"`
	LastError string     `json:"lastError,omitempty"`
	RetryAt   *time.Time `json:"retryAt,omitempty"`
	// Installed tells that HAProxy has the certificate.
	Installed bool `json:"installed"`
	// Listening tells that challenges are answered.
	Listening bool `json:"listening"`
	// Issued counts certificates since the agent started.
	Issued int `json:"issued"`
}

// Keeper keeps a certificate. New makes it.
type Keeper struct {
	config sentry.AgentACME
	// dir is the account's, for the agent's user alone; path is the pair that HAProxy reads.
	dir, path string
	roots     *x509.CertPool
	log       *slog.Logger
	now       func() time.Time
	// early spreads renewals: this part of the last third of the life comes on top.
	early float64

	tokens tokens

	mu      sync.Mutex
	status  Status
	record  record
	refused bool
}

// New checks the configuration, of which it names all problems, and prepares stateDir, which exists.
func New(config sentry.AgentACME, stateDir string, log *slog.Logger) (*Keeper, error) {
	k := &Keeper{
		config: config, dir: filepath.Join(stateDir, "acme"), path: filepath.Join(stateDir, filepath.Base(sentry.CertificatePath)),
		log: log, now: time.Now, early: rand.Float64() / 10, //nolint:gosec // Nothing hangs on when it is.
		status: Status{State: Starting, Names: config.Names, Directory: config.Directory},
	}
	if err := k.check(); err != nil {
		return nil, err
	}
	if err := os.MkdirAll(k.dir, 0o700); err != nil {
		return nil, err
	}
	// A directory that was there may be open to others.
	if err := os.Chmod(k.dir, 0o700); err != nil {
		return nil, err
	}
	if err := k.load(); err != nil {
		return nil, err
	}
	return k, nil
}

func (k *Keeper) check() error {
	var all []error
	if len(k.config.Names) == 0 {
		all = append(all, errors.New("acme.names: is empty; wanted the names that users call"))
	}
	if u, err := url.Parse(k.config.Directory); err != nil || u.Scheme != "https" || u.Host == "" {
		all = append(all, fmt.Errorf("acme.directory: %q is no address; wanted https://…", k.config.Directory))
	}
	if _, _, err := net.SplitHostPort(k.config.Listen); err != nil {
		all = append(all, fmt.Errorf("acme.listen: %q; wanted address:port", k.config.Listen))
	}
	if k.config.Roots != "" {
		text, err := os.ReadFile(k.config.Roots)
		k.roots = x509.NewCertPool()
		if err != nil {
			all = append(all, fmt.Errorf("acme.roots: %w", err))
		} else if !k.roots.AppendCertsFromPEM(text) {
			all = append(all, fmt.Errorf("acme.roots: %s has no certificate; wanted PEM text", k.config.Roots))
		}
	}
	return errors.Join(all...)
}

// Run answers challenges, and has a certificate at all times, until ctx ends, whose error it returns. Install gets the chain and its key as
// HAProxy reads them, once at the start and after each renewal; one that fails is given again.
func (k *Keeper) Run(ctx context.Context, install func(pair []byte) error) error {
	var group sync.WaitGroup
	defer group.Wait()
	group.Go(func() { k.answer(ctx) })
	var given []byte
	for {
		pair, due := k.look()
		failed := pair != nil && !bytes.Equal(pair, given) && !k.install(pair, install)
		if !failed {
			given = pair
		}
		wait := min(nap, max(due.Sub(k.now()), 0))
		switch {
		case failed:
			wait = min(wait, installRetry)
		case wait == 0 && !k.Status().Listening:
			wait = time.Second
		}
		if wait == 0 {
			k.renew(ctx)
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(wait):
		}
	}
}

// install gives the pair to HAProxy, and tells whether it took it.
func (k *Keeper) install(pair []byte, install func([]byte) error) bool {
	err := install(pair)
	k.mu.Lock()
	defer k.mu.Unlock()
	k.status.Installed = err == nil
	if (err != nil) != k.refused {
		k.refused = err != nil
		if err != nil {
			k.log.Warn("the proxy does not take the certificate; it is tried again", "error", err)
		}
	}
	return err == nil
}

// Status now.
func (k *Keeper) Status() Status {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.status
}
