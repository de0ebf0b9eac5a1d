package peers

import (
	"fmt"
	"net/netip"
	"slices"
	"time"

	"github.com/insight-icon/pulumi-icon/internal/sentry"
)

const (
	// most is how many entries a list has at most: the operator's first, then the chain's in their order, then the observed.
	most = 5000
	// observedAge is how long an own node may have had no connection to a peer that stays on the list.
	observedAge = 24 * time.Hour
)

// Fetched is what one refresh brought.
type Fetched struct {
	// Static are the operator's entries.
	Static []netip.Prefix
	// Chain are the P-Reps' addresses; nil: nobody answered.
	Chain []netip.Addr
	// Observed are validators that own nodes are connected to; Heard says that an own node answered at all.
	Observed []netip.Addr
	Heard    bool
}

// Bounds of what a refresh may change.
type Bounds struct {
	// Mode is sentry.PeersPrefer, PeersEnforce or PeersOff.
	Mode string
	// StaticOnly says that there is nobody to ask, so that the operator's entries are all there will be.
	StaticOnly bool
	// MaxShrinkPercent is how much of a list may go within Confirm, which is also how long a smaller one has to be the same before it is
	// believed.
	MaxShrinkPercent int
	Confirm          time.Duration
}

// Decision is what came of a refresh.
type Decision struct {
	// Added and Removed are entries.
	Added, Removed int
	// Refused is why the fetched list was not taken; empty: it was.
	Refused string
	// Dropped is how many addresses had no room.
	Dropped int
}

// Decide makes the next list of the last one and what was fetched. What others say can add addresses, and remove a few; a list that is
// much smaller is taken only when the same comes again, and an empty one never. It is always right about the operator's own entries.
func Decide(last List, got Fetched, b Bounds, now time.Time) (List, Decision) {
	var next List
	var d Decision
	if b.Mode == sentry.PeersOff {
		next.Entries, d.Dropped = join(got.Static, nil, nil, now)
	} else {
		next, d = learn(last, got, b, now)
	}
	next.Enforce = b.Mode == sentry.PeersEnforce && (len(next.learned()) > 0 || b.StaticOnly && len(next.Entries) > 0)
	before, after := prefixes(last.Entries), prefixes(next.Entries)
	d.Added, d.Removed = len(without(after, before)), len(without(before, after))
	return next, d
}

func learn(last List, got Fetched, b Bounds, now time.Time) (List, Decision) {
	var d Decision
	next := List{Updated: last.Updated, Pending: last.Pending}
	if len(got.Chain) > 0 || got.Heard {
		next.Updated = now
	}
	chain := seenNow(got.Chain, now)
	if len(chain) == 0 {
		chain = lastSeen(last, Chain)
	}
	observed := merge(lastSeen(last, Observed), got.Observed, now)
	young := observed
	if got.Heard {
		young = slices.DeleteFunc(slices.Clone(observed), func(s sighting) bool { return now.Sub(s.seen) > observedAge })
	}
	next.Entries, d.Dropped = join(got.Static, chain, young, now)

	before := last.learned()
	if next.Base = last.Base; stale(next.Base, b, now) {
		next.Base = &Base{Since: now, Learned: before}
	}
	gone := without(before, prefixes(next.Entries))
	tooMany := func(gone, all []netip.Prefix) bool { return len(gone)*100 > b.MaxShrinkPercent*len(all) }
	if !tooMany(gone, before) {
		// As often as it is asked, a fifth each time would be nearly all of it within the hour.
		if since := without(next.Base.Learned, prefixes(next.Entries)); tooMany(since, next.Base.Learned) {
			gone, before = since, next.Base.Learned
		}
	}
	if !tooMany(gone, before) {
		if len(got.Chain) > 0 || got.Heard && last.Count(Chain) == 0 {
			next.Pending = nil
		}
		return next, d
	}
	small := next.learned()
	next.Pending = pending(last.Pending, small, len(gone), b, now)
	confirmed := now.Sub(next.Pending.Since) >= b.Confirm
	if confirmed && len(small) > 0 {
		next.Pending, next.Base = nil, nil
		return next, d
	}
	d.Refused = fmt.Sprintf("%d of %d addresses would go, more than %d %%", len(gone), len(before), b.MaxShrinkPercent)
	if len(small) == 0 {
		d.Refused += "; a list with none is never taken"
	} else {
		d.Refused += fmt.Sprintf("; taken if it is the same at %s", next.Pending.Since.Add(b.Confirm).UTC().Format(time.RFC3339))
	}
	// What own nodes see is added all the same: it came from elsewhere.
	next.Entries, d.Dropped = join(got.Static, lastSeen(last, Chain), observed, now)
	return next, d
}

// stale tells whether a base has done its service.
func stale(base *Base, b Bounds, now time.Time) bool {
	return base == nil || len(base.Learned) == 0 || base.Since.After(now) || now.Sub(base.Since) >= b.Confirm
}

// pending goes on with a list that was refused before, or starts with this one.
func pending(before *Pending, small []netip.Prefix, gone int, b Bounds, now time.Time) *Pending {
	p := &Pending{Since: now, Learned: small, Lost: gone}
	if before == nil || before.Since.After(now) {
		return p
	}
	// The same but for what changes every day.
	differ := len(without(before.Learned, small)) + len(without(small, before.Learned))
	if differ*100 <= b.MaxShrinkPercent*max(len(before.Learned), len(small)) {
		p.Since = before.Since
	}
	return p
}

// sighting is an address and when a source named it.
type sighting struct {
	prefix netip.Prefix
	seen   time.Time
}

func seenNow(all []netip.Addr, now time.Time) []sighting {
	var out []sighting
	for _, a := range all {
		out = append(out, sighting{netip.PrefixFrom(a, 32), now})
	}
	return out
}

func lastSeen(l List, s Source) []sighting {
	var out []sighting
	for _, e := range l.Entries {
		if seen, named := e.Seen[s]; named {
			out = append(out, sighting{e.Prefix, seen})
		}
	}
	return out
}

// merge has those that are seen now first: they are the last to be without room.
func merge(before []sighting, seen []netip.Addr, now time.Time) []sighting {
	out := seenNow(seen, now)
	fresh := map[netip.Prefix]bool{}
	for _, s := range out {
		fresh[s.prefix] = true
	}
	for _, s := range before {
		if fresh[s.prefix] {
			continue
		}
		// A clock that was set back must not keep an entry for ever.
		if s.seen.After(now) {
			s.seen = now
		}
		out = append(out, s)
	}
	return out
}

// join makes entries, sorted, and tells how many had no room.
func join(static []netip.Prefix, chain, observed []sighting, now time.Time) ([]Entry, int) {
	at := map[netip.Prefix]int{}
	var all []Entry
	dropped := 0
	add := func(p netip.Prefix, s Source, seen time.Time) {
		i, known := at[p]
		if !known {
			if len(all) == most {
				dropped++
				return
			}
			i, at[p] = len(all), len(all)
			all = append(all, Entry{p, map[Source]time.Time{}})
		}
		all[i].Seen[s] = seen
	}
	for _, p := range static {
		add(p, Static, now)
	}
	for _, s := range chain {
		add(s.prefix, Chain, s.seen)
	}
	for _, s := range observed {
		add(s.prefix, Observed, s.seen)
	}
	sortEntries(all)
	return all, dropped
}

func prefixes(all []Entry) []netip.Prefix {
	out := make([]netip.Prefix, len(all))
	for i, e := range all {
		out[i] = e.Prefix
	}
	return out
}

// without are those of all that are not among others.
func without(all, others []netip.Prefix) []netip.Prefix {
	known := make(map[netip.Prefix]bool, len(others))
	for _, p := range others {
		known[p] = true
	}
	var out []netip.Prefix
	for _, p := range all {
		if !known[p] {
			out = append(out, p)
		}
	}
	return out
}
