package agent

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"os"
	"slices"
	"sync"
	"time"

	"github.com/insight-icon/pulumi-icon/internal/agent/files"
	"github.com/insight-icon/pulumi-icon/internal/agent/proxy"
	"github.com/insight-icon/pulumi-icon/internal/sentry"
)

// DrainStep is where a drain stands. Each waits for something, in this order.
type DrainStep string

// The steps of a drain.
const (
	// DrainOff is a sentry that serves.
	DrainOff DrainStep = "off"
	// DrainAnnounced waits until the announced name does not lead to this sentry any more.
	DrainAnnounced DrainStep = "announced"
	// DrainTTL waits until nobody remembers what the name was.
	DrainTTL DrainStep = "ttl"
	// DrainClosing has closed the public ports, and waits for the sessions to end.
	DrainClosing DrainStep = "closing"
	// DrainDone is a sentry that nobody uses: it can go.
	DrainDone DrainStep = "done"
	// DrainEnding opens the public ports again, because the sentry is not to be drained any more.
	DrainEnding DrainStep = "ending"
)

// DrainSteps lists them in their order.
func DrainSteps() []DrainStep {
	return []DrainStep{DrainOff, DrainAnnounced, DrainTTL, DrainClosing, DrainDone, DrainEnding}
}

// DrainStatus says where a drain stands.
type DrainStatus struct {
	Step DrainStep `json:"step"`
	// Since is when the step began.
	Since time.Time `json:"since,omitzero"`
	// WaitsFor says it for people.
	WaitsFor string `json:"waitsFor,omitempty"`
	// Until is when the step ends at the latest; zero where it may take any time.
	Until time.Time `json:"until,omitzero"`
	// Sessions on the public ports, as of the last look in DrainClosing.
	Sessions uint64 `json:"sessions,omitempty"`
	// Ended is how many sessions did not end by themselves.
	Ended int `json:"ended,omitempty"`
	// Error is why it does not go on, empty otherwise. It is tried again.
	Error string `json:"error,omitempty"`
}

// drainTick is how often a drain looks at what it waits for.
const drainTick = 5 * time.Second

// drain of one sentry. It goes on where it was after a restart of the agent.
type drain struct {
	config *sentry.AgentDrain
	path   string
	proxy  frontends
	log    *slog.Logger
	lookup func(ctx context.Context, name string) ([]netip.Addr, error)
	now    func() time.Time
	every  time.Duration

	mu     sync.Mutex
	status DrainStatus
}

// frontends are what a drain needs of HAProxy.
type frontends interface {
	Frontends(ctx context.Context) ([]proxy.Frontend, error)
	DisableFrontend(ctx context.Context, name string) error
	EnableFrontend(ctx context.Context, name string) error
	ShutdownSessions(ctx context.Context, names ...string) (int, error)
}

// publicFrontends of HAProxy, by their names in its configuration. The relay of the own nodes is none of them.
func publicFrontends() []string { return []string{"p2p", "api"} }

func newDrain(config *sentry.AgentDrain, path string, p frontends, log *slog.Logger) *drain {
	return &drain{
		config: config, path: path, proxy: p, log: log, now: time.Now, every: drainTick, status: DrainStatus{Step: DrainOff},
		lookup: func(ctx context.Context, name string) ([]netip.Addr, error) {
			ctx, cancel := context.WithTimeout(ctx, drainTick)
			defer cancel()
			return net.DefaultResolver.LookupNetIP(ctx, "ip4", name)
		},
	}
}

// Status now.
func (d *drain) Status() DrainStatus {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.status
}

// run drains, or ends a drain of before, until ctx ends.
func (d *drain) run(ctx context.Context) error {
	if err := d.resume(); err != nil {
		d.log.Warn("where the drain stood is not known: it begins anew", "error", err)
	}
	for d.Status().Step != DrainOff {
		next := d.step(ctx, d.Status())
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if d.set(next) {
			continue
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(d.every):
		}
	}
	return nil
}

// resume takes up what the agent's last run left.
func (d *drain) resume() error {
	var kept DrainStatus
	text, err := os.ReadFile(d.path)
	if err == nil {
		err = json.Unmarshal(text, &kept)
	}
	found := err == nil && slices.Contains(DrainSteps(), kept.Step)
	if errors.Is(err, os.ErrNotExist) {
		err = nil
	}
	switch {
	case d.config == nil && len(text) > 0:
		d.set(DrainStatus{Step: DrainEnding, Since: d.now(), WaitsFor: "the public ports to be opened again"})
	case d.config == nil:
	case found && kept.Step != DrainOff && kept.Step != DrainEnding:
		kept.Error = ""
		d.set(kept)
	default:
		d.set(DrainStatus{Step: DrainAnnounced, Since: d.now()})
	}
	return err
}

// set keeps where the drain stands, and tells whether that is another step.
func (d *drain) set(next DrainStatus) bool {
	d.mu.Lock()
	last := d.status
	d.status = next
	d.mu.Unlock()
	if next.Error != "" && last.Error == "" {
		d.log.Warn("the drain does not go on; it is tried again", "step", next.Step, "error", next.Error)
	}
	if next.Step == last.Step {
		return false
	}
	d.log.Info("drain", "step", next.Step, "waitsFor", next.WaitsFor)
	if err := d.keep(next); err != nil {
		d.log.Warn("where the drain stands is not kept for a restart", "error", err)
	}
	return true
}

func (d *drain) keep(s DrainStatus) error {
	if s.Step == DrainOff {
		if err := os.Remove(d.path); err != nil && !errors.Is(err, os.ErrNotExist) {
			return err
		}
		return nil
	}
	text, err := json.Marshal(s)
	if err != nil {
		return err
	}
	return files.Write(d.path, append(text, '\n'), 0o640)
}

// step does what is due now, and gives where the drain stands then.
func (d *drain) step(ctx context.Context, s DrainStatus) DrainStatus {
	var err error
	switch s.Step {
	case DrainAnnounced:
		s, err = d.announced(ctx, s)
	case DrainTTL:
		if !d.now().Before(s.Until) {
			s = d.closing()
		}
	case DrainClosing:
		s, err = d.close(ctx, s)
	case DrainDone:
		// A HAProxy that was reloaded has opened its ports again.
		_, err = d.shut(ctx)
	case DrainEnding:
		if err = d.open(ctx); err == nil {
			s = DrainStatus{Step: DrainOff}
		}
	case DrainOff:
	}
	s.Error = ""
	if err != nil {
		s.Error = err.Error()
	}
	return s
}

// announced waits for the name. One that can't be looked up, or stands for nothing, may still be known to others: it is waited on.
func (d *drain) announced(ctx context.Context, s DrainStatus) (DrainStatus, error) {
	after := DrainStatus{Step: DrainTTL, Since: d.now(), Until: d.now().Add(time.Duration(d.config.TTLSeconds) * time.Second)}
	after.WaitsFor = fmt.Sprintf("those who looked up %s before to forget it", d.config.Announced)
	if d.config.Announced == "" {
		return d.closing(), nil
	}
	name := d.config.Announced
	if host, _, err := net.SplitHostPort(name); err == nil {
		name = host
	}
	s.WaitsFor = fmt.Sprintf("%s to lead to others than %s alone: change it where the name is kept", name, d.config.PublicAddress)
	addresses, err := d.lookup(ctx, name)
	if err != nil {
		return s, fmt.Errorf("%s is not looked up: %w", name, err)
	}
	own, err := netip.ParseAddr(d.config.PublicAddress)
	if err != nil {
		return s, err
	}
	if len(addresses) == 0 || slices.ContainsFunc(addresses, func(a netip.Addr) bool { return a.Unmap() == own }) {
		return s, nil
	}
	return after, nil
}

func (d *drain) closing() DrainStatus {
	return DrainStatus{
		Step: DrainClosing, Since: d.now(), Until: d.now().Add(time.Duration(d.config.WaitSeconds) * time.Second),
		WaitsFor: "the sessions on the public ports to end",
	}
}

// close refuses new connections, waits for the open ones, and ends them when their time is over.
func (d *drain) close(ctx context.Context, s DrainStatus) (DrainStatus, error) {
	sessions, err := d.shut(ctx)
	if err != nil {
		return s, err
	}
	if s.Sessions = sessions; sessions > 0 {
		if d.now().Before(s.Until) {
			return s, nil
		}
		if s.Ended, err = d.proxy.ShutdownSessions(ctx, publicFrontends()...); err != nil {
			return s, err
		}
	}
	return DrainStatus{Step: DrainDone, Since: d.now(), Ended: s.Ended, WaitsFor: "nothing: the sentry can go"}, nil
}

// shut closes what public frontends are open, and counts their sessions.
func (d *drain) shut(ctx context.Context) (uint64, error) {
	sessions := uint64(0)
	return sessions, d.each(ctx, func(f proxy.Frontend) error {
		sessions += f.Sessions
		if !f.Open {
			return nil
		}
		return d.proxy.DisableFrontend(ctx, f.Name)
	})
}

func (d *drain) open(ctx context.Context) error {
	return d.each(ctx, func(f proxy.Frontend) error {
		if f.Open {
			return nil
		}
		return d.proxy.EnableFrontend(ctx, f.Name)
	})
}

func (d *drain) each(ctx context.Context, do func(proxy.Frontend) error) error {
	all, err := d.proxy.Frontends(ctx)
	if err != nil {
		return err
	}
	for _, f := range all {
		if slices.Contains(publicFrontends(), f.Name) {
			if err := do(f); err != nil {
				return err
			}
		}
	}
	return nil
}
