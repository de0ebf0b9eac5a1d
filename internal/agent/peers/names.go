package peers

import (
	"context"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"time"
)

const (
	// perName is how many addresses a name stands for at most.
	perName = 8
	// sticky is how long an address stays a name's after an answer without it: names whose answers take turns keep all.
	sticky = time.Hour
	// lookups run at the same time, each for lookupTimeout at most, and all of a refresh for lookupsTimeout.
	lookups        = 16
	lookupTimeout  = 5 * time.Second
	lookupsTimeout = time.Minute
)

// lookup finds the IPv4 addresses of a name.
type lookup func(ctx context.Context, name string) ([]netip.Addr, error)

// names remembers what names stood for. A name that is not answered keeps what it had, for as long as it is asked for.
type names struct {
	lookup lookup
	known  map[string]map[netip.Addr]time.Time
}

// resolve looks up all names, forgets all others, and returns each name's addresses, those seen last first. The errors tell of names that
// are not answered.
func (n *names) resolve(ctx context.Context, wanted []string, now time.Time) (map[string][]netip.Addr, []error) {
	ctx, cancel := context.WithTimeout(ctx, lookupsTimeout)
	defer cancel()
	slices.Sort(wanted)
	wanted = slices.Compact(wanted)
	answers, failures := make([][]netip.Addr, len(wanted)), make([]error, len(wanted))
	var group sync.WaitGroup
	turn := make(chan struct{}, lookups)
	for i, name := range wanted {
		turn <- struct{}{}
		group.Go(func() {
			defer func() { <-turn }()
			answers[i], failures[i] = n.one(ctx, name)
		})
	}
	group.Wait()
	known, out := map[string]map[netip.Addr]time.Time{}, map[string][]netip.Addr{}
	var problems []error
	for i, name := range wanted {
		known[name] = remember(n.known[name], answers[i], now)
		out[name] = latest(known[name])
		if failures[i] != nil {
			problems = append(problems, fmt.Errorf("name %s: %w", name, failures[i]))
		}
	}
	n.known = known
	return out, problems
}

func (n *names) one(ctx context.Context, name string) ([]netip.Addr, error) {
	ctx, cancel := context.WithTimeout(ctx, lookupTimeout)
	defer cancel()
	// A name with its domain is whole: it is not tried in the host's own domain.
	if strings.Contains(name, ".") && !strings.HasSuffix(name, ".") {
		name += "."
	}
	found, err := n.lookup(ctx, name)
	if err != nil {
		return nil, err
	}
	var all []netip.Addr
	for _, a := range found {
		if a = a.Unmap(); a.Is4() {
			all = append(all, a)
		}
	}
	if len(all) == 0 {
		return nil, fmt.Errorf("has no IPv4 address")
	}
	return all, nil
}

// remember adds an answer to what a name stood for. No answer changes nothing.
func remember(before map[netip.Addr]time.Time, answer []netip.Addr, now time.Time) map[netip.Addr]time.Time {
	if len(answer) == 0 {
		return before
	}
	next := map[netip.Addr]time.Time{}
	for a, seen := range before {
		if age := now.Sub(seen); age >= 0 && age <= sticky {
			next[a] = seen
		}
	}
	for _, a := range answer {
		next[a] = now
	}
	all := latest(next)
	for _, a := range all[min(len(all), perName):] {
		delete(next, a)
	}
	return next
}

// latest sorts addresses by when they were seen, those of one answer by their number, so that the same answers give the same list.
func latest(seen map[netip.Addr]time.Time) []netip.Addr {
	var all []netip.Addr
	for a := range seen {
		all = append(all, a)
	}
	slices.SortFunc(all, func(a, b netip.Addr) int {
		if c := seen[b].Compare(seen[a]); c != 0 {
			return c
		}
		return a.Compare(b)
	})
	return all
}
