package agent

import (
	"context"
	"errors"
	"net/netip"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/insight-icon/pulumi-icon/internal/agent/bans"
	"github.com/insight-icon/pulumi-icon/internal/agent/kernel"
	"github.com/insight-icon/pulumi-icon/internal/agent/proxy"
	"github.com/insight-icon/pulumi-icon/internal/sentry"
)

const (
	// tick is how often HAProxy is asked whom it has seen misbehave.
	tick = 250 * time.Millisecond
	// perSecond ticks counters are read, and a HAProxy or a table that is away is looked for.
	perSecond = 4
	// perProven ticks the proven addresses are counted, which takes the kernel a while where they are many.
	perProven = 60
)

// seen is what was counted last.
type seen struct {
	limits    map[string]uint64
	frontends []proxy.Frontend
	info      proxy.Info
	kernel    map[string]uint64
	fills     int
	proven    int
	tracked   uint64
	trackable uint64
	// offenders are those that HAProxy refuses by itself, where no kernel does.
	offenders []bans.Ban
	// saved and fed are the book's version that is on the disk and in the kernel.
	saved, fed uint64
	// told is how many bans the journal has been told of.
	told uint64
}

// loop looks at HAProxy and feeds the kernel until ctx ends.
func (a *Agent) loop(ctx context.Context) error {
	ticker := time.NewTicker(tick)
	defer ticker.Stop()
	for n := 0; ; n++ {
		a.step(ctx, n)
		select {
		case <-ctx.Done():
			a.save()
			return ctx.Err()
		case <-ticker.C:
		}
	}
}

func (a *Agent) step(ctx context.Context, n int) {
	a.work.Lock()
	defer a.work.Unlock()
	if n%perSecond == 0 || a.ok(partProxy) {
		a.notice(ctx, partProxy, a.observe(ctx))
	}
	if a.table != nil && (n%perSecond == 0 || a.ok(partKernel)) {
		_ = a.feedKernel(time.Now())
	}
	if n%perSecond == 0 {
		a.count(ctx)
		if err := a.feedWorker(ctx); err != nil {
			a.notice(ctx, partProxy, err)
		}
		a.tell()
	}
	a.saveSoon()
	if n%perProven == 0 && a.table != nil && a.ok(partKernel) {
		if proven, err := a.table.Proven(); err == nil {
			a.mu.Lock()
			a.seen.proven = proven
			a.mu.Unlock()
		}
	}
}

func (a *Agent) ok(name string) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	p, asked := a.state[name]
	return !asked || p.OK
}

// notice is note, but for what failed because the agent ends.
func (a *Agent) notice(ctx context.Context, name string, err error) {
	if ctx.Err() == nil {
		a.note(name, err)
	}
}

// observe reads whom HAProxy has seen misbehave often enough.
func (a *Agent) observe(ctx context.Context) error {
	entries, err := a.proxy.Offenders(ctx, sentry.BadTable, a.config.Bans.Strikes)
	if err != nil {
		return err
	}
	now := time.Now()
	a.mu.Lock()
	a.seen.offenders = nil
	for _, e := range entries {
		source, err := netip.ParseAddr(e.Key)
		if err != nil {
			continue
		}
		verdict, err := sentry.VerdictByCode(int(min(e.GPT0, 1<<20))) //nolint:gosec // bounded
		if err != nil {
			// HAProxy's configuration is newer than the agent: the strikes are still the source's.
			verdict = sentry.Verdict{Name: "unknown", What: "a limit that the agent does not know: it is older than HAProxy's configuration"}
		}
		strikes := int(min(e.Rate, 1<<30)) //nolint:gosec // bounded
		if a.table != nil {
			a.book.Observe(source.Unmap(), verdict, strikes, now)
			continue
		}
		a.seen.offenders = append(a.seen.offenders, bans.Ban{
			Source: netip.PrefixFrom(source, source.BitLen()), Rule: verdict.Name, Strikes: strikes, Times: 1,
			LastSeen: now, Ends: now.Add(e.Expires),
			Why: "HAProxy refuses it until its limits met are a minute ago: " + verdict.What,
		})
	}
	a.book.Advance(now)
	a.mu.Unlock()
	return a.settle(ctx)
}

// settle has HAProxy forget the strikes of bans that have ended.
func (a *Agent) settle(ctx context.Context) error {
	a.mu.Lock()
	due := a.book.Settle()
	a.mu.Unlock()
	if len(due) == 0 {
		return nil
	}
	if err := a.proxy.ForgetStrikes(ctx, sentry.BadTable, due); err != nil {
		return err
	}
	a.mu.Lock()
	a.book.Settled(due)
	a.mu.Unlock()
	return nil
}

// feedKernel brings the kernel's sets to what is wanted. Its caller holds work.
func (a *Agent) feedKernel(now time.Time) error {
	if a.table == nil {
		return nil
	}
	a.mu.Lock()
	a.book.Advance(now)
	want := kernel.Want{Peers: a.list.Prefixes(), Users: a.users}
	if a.list.Enforce {
		want.Enforced = []uint16{sentry.P2PPort}
	}
	version := a.book.Version()
	// What is wanted is made anew only when something has changed: it may be much.
	unchanged := version == a.seen.fed && version != 0
	if unchanged = unchanged && a.table.Current(); !unchanged {
		want.Banned, want.BannedNets = a.book.Wanted(now)
	}
	a.mu.Unlock()
	var err error
	if !unchanged {
		err = a.table.Apply(want, now)
	}
	a.note(partKernel, err)
	a.mu.Lock()
	defer a.mu.Unlock()
	a.seen.fills = a.table.Filled
	if err == nil {
		a.seen.fed = version
	} else {
		a.seen.fed = 0
	}
	return err
}

// count reads all counters.
func (a *Agent) count(ctx context.Context) {
	var s seen
	if a.ok(partProxy) {
		entries, err := a.proxy.Table(ctx, sentry.LimitsTable, 0)
		s.limits = map[string]uint64{}
		for _, e := range entries {
			s.limits[e.Key] = e.GPC0
		}
		var wrong error
		s.frontends, wrong = a.proxy.Frontends(ctx)
		err = errors.Join(err, wrong)
		s.info, wrong = a.proxy.Info(ctx)
		if err = errors.Join(err, wrong); err != nil {
			a.notice(ctx, partProxy, err)
		}
	}
	if a.table != nil && a.ok(partKernel) {
		if counters, err := a.table.Counters(); err == nil {
			s.kernel = counters
		}
	}
	s.tracked, s.trackable = tracked("count"), tracked("max")
	a.mu.Lock()
	defer a.mu.Unlock()
	s.fills, s.proven, s.offenders = a.seen.fills, a.seen.proven, a.seen.offenders
	s.saved, s.fed, s.told = a.seen.saved, a.seen.fed, a.seen.told
	a.seen = s
}

// tracked reads one of the numbers that the kernel tells of the connections that it tracks; 0 where it tracks none.
func tracked(what string) uint64 {
	text, err := os.ReadFile("/proc/sys/net/netfilter/nf_conntrack_" + what)
	if err != nil {
		return 0
	}
	n, _ := strconv.ParseUint(strings.TrimSpace(string(text)), 10, 64)
	return n
}

// tell says in the journal that somebody was banned, in one line a second however many they are.
func (a *Agent) tell() {
	a.mu.Lock()
	defer a.mu.Unlock()
	made := uint64(0)
	for _, n := range a.book.Made() {
		made += n
	}
	if made > a.seen.told {
		a.log.Info("banned; see: icon-sentry bans", "new", made-a.seen.told, "inForce", len(a.active()))
		a.seen.told = made
	}
}

// saveSoon keeps the bans, unless that took long lately: where there are many, it is done less often.
func (a *Agent) saveSoon() {
	begin := time.Now()
	if begin.Before(a.nextSave) {
		return
	}
	a.save()
	a.nextSave = time.Now().Add(20 * time.Since(begin))
}

// save keeps the bans, if there is something new.
func (a *Agent) save() {
	if a.table == nil {
		return
	}
	a.mu.Lock()
	version := a.book.Version()
	if version == a.seen.saved {
		a.mu.Unlock()
		return
	}
	err := a.book.Save(filepath.Join(a.config.StateDir, bansFile))
	if err == nil {
		a.seen.saved = version
	}
	a.mu.Unlock()
	a.note(partState, err)
}
