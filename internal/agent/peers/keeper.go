// Package peers keeps the list of known peers of a sentry: what the operator names, the P-Reps that the chain lists, and the validators
// that own nodes are connected to. What others say is bounded in every way: in size, in which addresses it may name, and in how much it may
// remove.
package peers

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"sync"
	"time"

	"github.com/insight-icon/pulumi-icon/internal/sentry"
)

// applyRetry is how long after a failed apply it is tried again.
const applyRetry = 5 * time.Second

// Keeper keeps the list. New makes it.
type Keeper struct {
	config sentry.AgentPeers
	bounds Bounds
	dir    string
	log    *slog.Logger
	client *http.Client
	now    func() time.Time

	// static are the operator's addresses and networks, staticNames the names. Only Run's goroutine uses names.
	static      []netip.Prefix
	staticNames []string
	names       names

	mu     sync.Mutex
	list   List
	status Status
	// reason is why the last fetched list was refused.
	reason string
	// tried tells that there was an apply, applyError how the last one failed.
	tried      bool
	applyError error
}

// Status is what people and metrics are told.
type Status struct {
	// Mode as configured; Enforced tells that strangers are refused now.
	Mode     string `json:"mode"`
	Enforced bool   `json:"enforced"`
	// Size is how many addresses and networks the list has; Sources how many of its entries each source has named.
	Size    int            `json:"size"`
	Sources map[Source]int `json:"sources"`
	// Updated is when others than the operator were heard last; zero: never. AgeSeconds is how long ago, -1: never.
	Updated    time.Time `json:"updated"`
	AgeSeconds float64   `json:"ageSeconds"`
	// Added and Removed count entries since the agent started.
	Added   int `json:"added"`
	Removed int `json:"removed"`
	// Refreshes counts them since the agent started.
	Refreshes int `json:"refreshes"`
	// Refused says why the last fetched list was not taken, empty if it was. Pending is that list, which will be taken at ConfirmAt if it
	// is still the same.
	Refused   string     `json:"refused,omitempty"`
	Pending   *Pending   `json:"pending,omitempty"`
	ConfirmAt *time.Time `json:"confirmAt,omitempty"`
	// Applied tells that HAProxy and the kernel have the list.
	Applied bool `json:"applied"`
	// Errors of the last refresh and of the last apply; empty: all was well.
	Errors []string `json:"errors,omitempty"`
}

// New checks the configuration, of which it names all problems, and reads the list that was kept in stateDir. A list that can't be read is
// logged, and is no error.
func New(config sentry.AgentPeers, stateDir string, log *slog.Logger) (*Keeper, error) {
	if err := check(config); err != nil {
		return nil, err
	}
	config.RefreshSeconds = cmp.Or(config.RefreshSeconds, 120)
	config.MaxShrinkPercent = cmp.Or(config.MaxShrinkPercent, 20)
	config.ConfirmSeconds = cmp.Or(config.ConfirmSeconds, 3600)
	config.Mode = cmp.Or(config.Mode, sentry.PeersPrefer)
	k := &Keeper{
		config: config, dir: stateDir, log: log, client: newHTTP(), now: time.Now,
		bounds: Bounds{
			Mode: config.Mode, StaticOnly: len(config.Endpoints) == 0 && len(config.Own) == 0,
			MaxShrinkPercent: config.MaxShrinkPercent, Confirm: time.Duration(config.ConfirmSeconds) * time.Second,
		},
		names: names{lookup: func(ctx context.Context, name string) ([]netip.Addr, error) {
			return net.DefaultResolver.LookupNetIP(ctx, "ip4", name)
		}},
	}
	for _, s := range config.Static {
		p, name, err := parseStatic(s)
		switch {
		case err != nil:
			return nil, err
		case name != "":
			k.staticNames = append(k.staticNames, name)
		default:
			k.static = append(k.static, p)
		}
	}
	kept, err := load(stateDir)
	if err != nil {
		log.Warn("the list of peers that was kept can't be read", "error", err)
	}
	k.list, k.names.known = kept.List, kept.Names
	return k, nil
}

func check(c sentry.AgentPeers) error {
	var all []error
	if !slices.Contains([]string{"", sentry.PeersPrefer, sentry.PeersEnforce, sentry.PeersOff}, c.Mode) {
		all = append(all, fmt.Errorf("peers.mode: %q; wanted %s, %s or %s", c.Mode, sentry.PeersPrefer, sentry.PeersEnforce, sentry.PeersOff))
	}
	for i, s := range c.Static {
		if _, _, err := parseStatic(s); err != nil {
			all = append(all, fmt.Errorf("peers.static[%d]: %w", i, err))
		}
	}
	for field, addresses := range map[string][]string{"endpoints": c.Endpoints, "own": c.Own} {
		for i, a := range addresses {
			u, err := url.Parse(a)
			if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" || u.User != nil {
				// The text may hold a password.
				all = append(all, fmt.Errorf("peers.%s[%d]: is no address; wanted https://host/… or http://host:port, without a user", field, i))
			}
		}
	}
	if c.RefreshSeconds < 0 || c.ConfirmSeconds < 0 || c.MaxShrinkPercent < 0 || c.MaxShrinkPercent > 100 {
		all = append(all, errors.New("peers: refreshSeconds and confirmSeconds are at least 0, maxShrinkPercent 0 to 100; 0 is the default"))
	}
	if len(c.Own) > 0 && c.Channel == "" {
		all = append(all, errors.New("peers.channel: is empty; wanted the own nodes' channel, as icon_dex"))
	}
	return errors.Join(all...)
}

// Run refreshes and applies until ctx ends, whose error it returns. Apply gets every list that differs from the one before, first the one
// that was kept; one that fails is given again.
func (k *Keeper) Run(ctx context.Context, apply func(List) error) error {
	// What was kept serves until somebody answers, and the operator's own entries need nobody.
	k.decide(Fetched{Static: append(slices.Clone(k.static), k.keptNames()...)}, nil)
	var applied *List
	due := time.Now()
	for {
		list, next := k.List(), due
		if applied == nil || !list.Same(*applied) {
			if k.applied(publish(k.dir, list), apply(list)) {
				applied = &list
			} else if retry := time.Now().Add(applyRetry); retry.Before(due) {
				next = retry
			}
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(time.Until(next)):
		}
		if !time.Now().Before(due) {
			k.refresh(ctx)
			due = time.Now().Add(k.interval())
		}
	}
}

// keptNames are what the operator's names stood for when the agent ran last.
func (k *Keeper) keptNames() []netip.Prefix {
	var all []netip.Prefix
	for _, name := range k.staticNames {
		for _, a := range latest(k.names.known[name]) {
			if ok, _ := usable(a); ok {
				all = append(all, netip.PrefixFrom(a, 32))
			}
		}
	}
	return all
}

// interval is a little longer or shorter each time, so that sentries do not ask all at once.
func (k *Keeper) interval() time.Duration {
	whole := time.Duration(k.config.RefreshSeconds) * time.Second
	return whole*9/10 + time.Duration(rand.Int64N(int64(whole/5)+1)) //nolint:gosec // Nothing hangs on when it is.
}

// refresh asks everybody, decides, and keeps the result.
func (k *Keeper) refresh(ctx context.Context) {
	got, problems := k.fetch(ctx)
	if ctx.Err() != nil {
		return
	}
	k.decide(got, problems)
	k.mu.Lock()
	k.status.Refreshes++
	k.mu.Unlock()
	if err := save(k.dir, state{k.List(), k.names.known}); err != nil {
		k.log.Warn("the list of peers can't be kept for the next start", "error", err)
	}
}

func (k *Keeper) decide(got Fetched, problems []error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	next, d := Decide(k.list, got, k.bounds, k.now())
	if d.Added+d.Removed > 0 {
		k.log.Info("the list of peers has changed", "entries", len(next.Entries), "added", d.Added, "removed", d.Removed)
	}
	if d.Refused != k.reason && d.Refused != "" {
		k.log.Warn("a new list of peers was not taken: the last one stays", "reason", d.Refused)
	}
	if d.Dropped > 0 {
		problems = append(problems, fmt.Errorf("%d addresses have no room on the list, which takes %d", d.Dropped, most))
	}
	k.list, k.reason = next, d.Refused
	s := &k.status
	s.Added, s.Removed, s.Refused, s.Errors = s.Added+d.Added, s.Removed+d.Removed, d.Refused, nil
	for _, p := range problems {
		s.Errors = append(s.Errors, p.Error())
	}
}

// applied notes whether HAProxy, the kernel and the files have the list.
func (k *Keeper) applied(results ...error) bool {
	err := errors.Join(results...)
	k.mu.Lock()
	defer k.mu.Unlock()
	was := k.status.Applied
	k.status.Applied = err == nil
	defer func() { k.tried = true }()
	if err != nil {
		// Said once for each change of state, and at the start.
		if was || !k.tried {
			k.log.Warn("the list of peers can't be applied; it is tried again", "error", err)
		}
	}
	k.applyError = err
	return err == nil
}

// List in force.
func (k *Keeper) List() List {
	k.mu.Lock()
	defer k.mu.Unlock()
	l := k.list
	l.Entries = slices.Clone(l.Entries)
	for i := range l.Entries {
		l.Entries[i] = l.Entries[i].clone()
	}
	return l
}

// Status now.
func (k *Keeper) Status() Status {
	k.mu.Lock()
	defer k.mu.Unlock()
	s := k.status
	s.Mode, s.Enforced, s.Size, s.Updated, s.AgeSeconds = k.config.Mode, k.list.Enforce, len(k.list.Prefixes()), k.list.Updated, -1
	if !s.Updated.IsZero() {
		s.AgeSeconds = max(0, k.now().Sub(s.Updated).Seconds())
	}
	s.Sources = map[Source]int{}
	for _, source := range []Source{Static, Chain, Observed} {
		s.Sources[source] = k.list.Count(source)
	}
	if s.Pending = k.list.Pending; s.Pending != nil {
		at := s.Pending.Since.Add(k.bounds.Confirm)
		s.ConfirmAt = &at
	}
	s.Errors = slices.Clone(s.Errors)
	if k.applyError != nil {
		s.Errors = append(s.Errors, "apply: "+k.applyError.Error())
	}
	return s
}
