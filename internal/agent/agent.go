// Package agent is what runs on a sentry beside HAProxy: it bans in the kernel whom HAProxy has seen misbehave, keeps the list of peers and
// the certificate, drains the sentry, and tells of all that. A sentry goes on without it: lists stay, and bans end by themselves.
package agent

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"path/filepath"
	"sync"
	"time"

	"github.com/insight-icon/pulumi-icon/internal/agent/bans"
	"github.com/insight-icon/pulumi-icon/internal/agent/certs"
	"github.com/insight-icon/pulumi-icon/internal/agent/kernel"
	"github.com/insight-icon/pulumi-icon/internal/agent/peers"
	"github.com/insight-icon/pulumi-icon/internal/agent/proxy"
	"github.com/insight-icon/pulumi-icon/internal/sentry"
)

// Names of the agent's own files in StateDir.
const (
	bansFile  = "bans.json"
	drainFile = "drain.json"
)

// Agent of one sentry. Run makes it.
type Agent struct {
	config  sentry.AgentConfig
	log     *slog.Logger
	started time.Time
	users   []netip.Prefix
	// proxy is nil for nginx; table where there is none of nftables; certs where no certificate is got.
	proxy *proxy.Client
	table *kernel.Table
	peers *peers.Keeper
	certs *certs.Keeper
	drain *drain

	// work is held while HAProxy's strikes are read and acted on, so that what an operator does comes before or after that as a whole.
	work sync.Mutex
	// nextSave is when bans are kept next at the earliest. Work's holder has it.
	nextSave time.Time
	// worker is HAProxy's process that has the lists and the certificate. Work's holder has it.
	worker string
	// mu guards what is below; it is not held while anybody is asked for something.
	mu   sync.Mutex
	book *bans.Book
	list peers.List
	// given tells that list is what HAProxy is to have; pair is the certificate that it is to have, nil for what it started with.
	given bool
	pair  []byte
	seen  seen
	state map[string]part
}

// part of the sentry that the agent asks for something.
type part struct {
	// OK is whether the last question was answered, Error why it was not, Since when that began.
	OK    bool      `json:"ok"`
	Error string    `json:"error,omitempty"`
	Since time.Time `json:"since"`
}

// Names of the parts.
const (
	partProxy  = "haproxy"
	partKernel = "kernel"
	partState  = "state"
)

// Run works until ctx ends, and then returns nil. An error is one that no waiting heals: a wrong configuration, or a place that another
// holds.
func Run(ctx context.Context, config sentry.AgentConfig, log *slog.Logger) error {
	a, err := newAgent(config, log)
	if err != nil {
		return err
	}
	ctx, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	control, err := listenControl(config.ControlSocket)
	if err != nil {
		return err
	}
	metrics, err := (&net.ListenConfig{}).Listen(ctx, "tcp", config.Metrics)
	if err != nil {
		_ = control.Close()
		return fmt.Errorf("metrics: %w", err)
	}
	var all sync.WaitGroup
	run := func(name string, do func(context.Context) error) {
		all.Go(func() {
			if err := do(ctx); err != nil && ctx.Err() == nil {
				stop(fmt.Errorf("%s: %w", name, err))
			}
		})
	}
	run("control socket", func(ctx context.Context) error { return serve(ctx, control, a.controlHandler()) })
	run("metrics", func(ctx context.Context) error { return serve(ctx, metrics, a.metricsHandler()) })
	if a.proxy != nil {
		run("peers", func(ctx context.Context) error {
			return a.peers.Run(ctx, func(l peers.List) error { return a.applyPeers(ctx, l) })
		})
		run("bans", a.loop)
		run("drain", a.drain.run)
	}
	if a.certs != nil {
		run("certificate", func(ctx context.Context) error {
			return a.certs.Run(ctx, func(pem []byte) error { return a.installCertificate(ctx, pem) })
		})
	}
	log.Info("the agent has started", "kernel", config.Kernel, "peers", config.Peers.Mode, "acme", config.ACME != nil,
		"drain", config.Drain != nil)
	if err := notifyReady(); err != nil {
		log.Warn("systemd was not told that the agent is ready", "error", err)
	}
	<-ctx.Done()
	all.Wait()
	if err := context.Cause(ctx); !errors.Is(err, context.Canceled) {
		return err
	}
	return nil
}

func newAgent(config sentry.AgentConfig, log *slog.Logger) (*Agent, error) {
	if err := checkConfig(config); err != nil {
		return nil, fmt.Errorf("the agent's configuration: %w", err)
	}
	users, err := parseUsers(config.Users)
	if err != nil {
		return nil, err
	}
	a := &Agent{config: config, log: log, started: time.Now(), users: users, state: map[string]part{}}
	rules := bans.Rules{
		Strikes: config.Bans.Strikes, First: time.Duration(config.Bans.Seconds) * time.Second,
		Max: time.Duration(config.Bans.MaxSeconds) * time.Second, Network: config.Bans.Network,
	}
	a.book = bans.New(rules)
	if config.AdminSocket != "" {
		a.proxy = proxy.New(config.AdminSocket)
		a.drain = newDrain(config.Drain, filepath.Join(config.StateDir, drainFile), a.proxy, log)
		if a.peers, err = peers.New(config.Peers, config.StateDir, log); err != nil {
			return nil, err
		}
		a.list = a.peers.List()
	}
	if config.Kernel {
		a.table = kernel.New()
		now := time.Now()
		a.book.SetKnown(a.known(a.list), now)
		if err := a.book.Load(filepath.Join(config.StateDir, bansFile), now); err != nil {
			log.Warn("bans of before are not known", "error", err)
		}
	}
	if config.ACME != nil {
		if a.certs, err = certs.New(*config.ACME, config.StateDir, log); err != nil {
			return nil, err
		}
	}
	return a, nil
}

// known are all that are never banned.
func (a *Agent) known(l peers.List) []netip.Prefix {
	return append(l.Prefixes(), a.users...)
}

// note keeps how a part is, and says once when that changes.
func (a *Agent) note(name string, err error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	was, asked := a.state[name]
	now := part{OK: err == nil, Since: time.Now()}
	if err != nil {
		now.Error = err.Error()
	}
	if asked && was.OK == now.OK {
		now.Since = was.Since
	}
	a.state[name] = now
	switch {
	case err != nil && (!asked || was.OK):
		a.log.Warn("something is away; it is tried again", "part", name, "error", err)
	case err == nil && asked && !was.OK:
		a.log.Info("it is there again", "part", name, "after", now.Since.Sub(was.Since).Round(time.Millisecond))
	}
}

// applyPeers has HAProxy and the kernel take a list.
func (a *Agent) applyPeers(ctx context.Context, l peers.List) error {
	a.work.Lock()
	defer a.work.Unlock()
	now := time.Now()
	a.mu.Lock()
	a.list, a.given = l, true
	a.book.SetKnown(a.known(l), now)
	a.mu.Unlock()
	return errors.Join(a.feedProxy(ctx, l), a.feedKernel(now))
}

// feedProxy has HAProxy take a list.
func (a *Agent) feedProxy(ctx context.Context, l peers.List) error {
	var enforce []string
	if l.Enforce {
		enforce = []string{"on"}
	}
	// Who is let in is known before anybody else is refused.
	err := a.proxy.ReplaceACL(ctx, filepath.Join(a.config.StateDir, filepath.Base(sentry.PeersFile)), l.Lines())
	return errors.Join(err, a.proxy.ReplaceACL(ctx, filepath.Join(a.config.StateDir, filepath.Base(sentry.EnforceFile)), enforce))
}

// feedWorker gives a new process of HAProxy what the one before was given: it may have read its files before that was in them, and have
// come into service after the old one was told. Its caller holds work.
func (a *Agent) feedWorker(ctx context.Context) error {
	a.mu.Lock()
	worker, list, given, pair := a.seen.info.Process, a.list, a.given, a.pair
	a.mu.Unlock()
	if worker == "" || worker == a.worker || !given {
		return nil
	}
	err := a.feedProxy(ctx, list)
	if pair != nil {
		err = errors.Join(err, a.proxy.SetCertificate(ctx, a.certificatePath(), pair))
	}
	if err == nil {
		a.worker = worker
	}
	return err
}

func (a *Agent) certificatePath() string {
	return filepath.Join(a.config.StateDir, filepath.Base(sentry.CertificatePath))
}

// installCertificate has HAProxy use a certificate that is in the file already. nginx is told by its unit, which watches the file.
func (a *Agent) installCertificate(ctx context.Context, pem []byte) error {
	if a.proxy == nil {
		return nil
	}
	a.mu.Lock()
	a.pair = pem
	a.mu.Unlock()
	return a.proxy.SetCertificate(ctx, a.certificatePath(), pem)
}
