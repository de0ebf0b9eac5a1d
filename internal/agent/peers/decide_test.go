package peers

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/insight-icon/pulumi-icon/internal/sentry"
)

var (
	dawn    = time.Date(2026, 11, 1, 6, 0, 0, 0, time.UTC)
	usual   = Bounds{Mode: sentry.PeersPrefer, MaxShrinkPercent: 20, Confirm: time.Hour}
	seed    = netip.MustParsePrefix("10.0.0.9/32")
	another = netip.MustParsePrefix("10.9.0.0/16")
)

// some addresses, from one number up to another.
func numbered(from, to int) []netip.Addr {
	var all []netip.Addr
	for i := from; i < to; i++ {
		all = append(all, netip.AddrFrom4([4]byte{198, 51, byte(i / 250), byte(i%250 + 1)}))
	}
	return all
}

func decided(t *testing.T, last List, got Fetched, now time.Time, size int, refused bool) List {
	t.Helper()
	next, d := Decide(last, got, usual, now)
	if len(next.Entries) != size || (d.Refused != "") != refused {
		t.Fatalf("%d entries, refused %q; wanted %d, refused %v", len(next.Entries), d.Refused, size, refused)
	}
	if d.Added-d.Removed != len(next.Entries)-len(last.Entries) {
		t.Fatalf("%d were added and %d removed, from %d to %d", d.Added, d.Removed, len(last.Entries), len(next.Entries))
	}
	return next
}

func TestWhatEachSourceSaysIsOnTheList(t *testing.T) {
	got := Fetched{Static: []netip.Prefix{seed, another}, Chain: numbered(0, 10), Observed: numbered(8, 12), Heard: true}
	l := decided(t, List{}, got, dawn, 14, false)
	if l.Count(Static) != 2 || l.Count(Chain) != 10 || l.Count(Observed) != 4 || !l.Updated.Equal(dawn) {
		t.Errorf("%+v", l)
	}
	for _, a := range append(numbered(0, 12), netip.MustParseAddr("10.9.1.2"), seed.Addr()) {
		if !l.Contains(a) {
			t.Errorf("%s is not on the list", a)
		}
	}
}

func TestNobodyAnsweringLeavesTheList(t *testing.T) {
	all := Fetched{Static: []netip.Prefix{seed}, Chain: numbered(0, 10), Observed: numbered(20, 25), Heard: true}
	l := decided(t, List{}, all, dawn, 16, false)
	for day := range 30 {
		next := decided(t, l, Fetched{Static: []netip.Prefix{seed}}, dawn.AddDate(0, 0, day+1), 16, false)
		if !next.Same(l) || !next.Updated.Equal(dawn) {
			t.Fatalf("after %d days: %+v", day+1, next)
		}
		l = next
	}
}

func TestFiftyRefreshesOfTheSameChangeNothing(t *testing.T) {
	same := Fetched{Chain: numbered(0, 100), Observed: numbered(90, 110), Heard: true}
	var l List
	for i := range 50 {
		l, _ = Decide(l, same, usual, dawn.Add(time.Duration(i)*2*time.Minute))
		again, d := Decide(l, same, usual, l.Updated.Add(2*time.Minute))
		if d.Added+d.Removed != 0 || !again.Same(l) {
			t.Fatalf("refresh %d: %+v", i, d)
		}
	}
}

func TestAMuchSmallerListIsTakenOnlyWhenItComesAgain(t *testing.T) {
	l := decided(t, List{}, Fetched{Chain: numbered(0, 100)}, dawn, 100, false)
	l = decided(t, l, Fetched{Chain: numbered(20, 100)}, dawn, 80, false) // Twenty of a hundred may go.
	refused := decided(t, l, Fetched{Chain: numbered(60, 100)}, dawn, 80, true)
	if refused.Pending == nil || refused.Pending.Lost != 40 || !refused.Pending.Since.Equal(dawn) {
		t.Fatalf("pending: %+v", refused.Pending)
	}
	// The same again, but too early; then nobody answers for a while; then again, but for one.
	early := decided(t, refused, Fetched{Chain: numbered(60, 100)}, dawn.Add(59*time.Minute), 80, true)
	silent := decided(t, early, Fetched{}, dawn.Add(60*time.Minute), 80, false)
	decided(t, silent, Fetched{Chain: numbered(60, 99)}, dawn.Add(time.Hour), 39, false)
	// Another list starts anew, and the whole list again forgets the matter.
	other := decided(t, early, Fetched{Chain: numbered(20, 50)}, dawn.Add(time.Hour), 80, true)
	if !other.Pending.Since.Equal(dawn.Add(time.Hour)) {
		t.Errorf("another list is confirmed by the first: %+v", other.Pending)
	}
	whole := decided(t, early, Fetched{Chain: numbered(20, 100)}, dawn.Add(time.Hour), 80, false)
	if whole.Pending != nil {
		t.Errorf("still pending: %+v", whole.Pending)
	}
	// A list of the same size with other addresses is as suspicious.
	decided(t, l, Fetched{Chain: numbered(200, 280)}, dawn, 80, true)
	// What own nodes see is added also then, and the operator's entries are changed.
	few := Fetched{Static: []netip.Prefix{seed}, Chain: numbered(60, 70), Observed: numbered(300, 305), Heard: true}
	mixed := decided(t, l, few, dawn, 86, true)
	if mixed.Count(Observed) != 5 || mixed.Count(Static) != 1 {
		t.Errorf("%d observed, %d static", mixed.Count(Observed), mixed.Count(Static))
	}
}

func TestAListDoesNotMeltAwayALittleAtATime(t *testing.T) {
	l := decided(t, List{}, Fetched{Chain: numbered(0, 100)}, dawn, 100, false)
	left := 100
	for i := range 29 {
		// A fifth of what is left, every two minutes.
		got := Fetched{Chain: numbered(0, max(1, len(l.Entries)*8/10))}
		l, _ = Decide(l, got, usual, dawn.Add(time.Duration(i+1)*2*time.Minute))
		left = len(l.Entries)
	}
	if left < 80 {
		t.Errorf("%d of 100 are left within an hour; wanted at least 80", left)
	}
	if l, d := Decide(l, Fetched{Chain: numbered(0, 100)}, usual, dawn.Add(time.Hour)); len(l.Entries) != 100 || d.Refused != "" {
		t.Errorf("the whole list again: %d entries, refused %q", len(l.Entries), d.Refused)
	}
}

func TestAnEmptyListNeverReplacesOne(t *testing.T) {
	l := decided(t, List{}, Fetched{Chain: numbered(0, 10)}, dawn, 10, false)
	l = decided(t, l, Fetched{Chain: []netip.Addr{}, Heard: true}, dawn, 10, false)
	// A validator that has just started sees nobody; what was seen two days ago stays.
	seen := decided(t, List{}, Fetched{Observed: numbered(0, 4), Heard: true}, dawn, 4, false)
	for hour := range 100 {
		at := dawn.Add(time.Duration(48+hour) * time.Hour)
		seen = decided(t, seen, Fetched{Heard: true}, at, 4, true)
		l = decided(t, l, Fetched{Heard: true}, at, 10, false)
	}
}

func TestAnObservedPeerLeavesADayAfterItWasSeenLast(t *testing.T) {
	l := decided(t, List{}, Fetched{Observed: numbered(0, 10), Heard: true}, dawn, 10, false)
	l = decided(t, l, Fetched{Observed: numbered(0, 9), Heard: true}, dawn.Add(23*time.Hour), 10, false)
	// Not while own nodes are silent: they may be what is away.
	l = decided(t, l, Fetched{}, dawn.Add(25*time.Hour), 10, false)
	decided(t, l, Fetched{Observed: numbered(0, 9), Heard: true}, dawn.Add(25*time.Hour), 9, false)
}

func TestStrangersAreRefusedOnlyOnceThereIsAList(t *testing.T) {
	enforce := usual
	enforce.Mode = sentry.PeersEnforce
	static := Fetched{Static: []netip.Prefix{seed}}
	if l, _ := Decide(List{}, static, enforce, dawn); l.Enforce {
		t.Error("only the operator's entries are known, and the chain was not heard yet")
	}
	known, _ := Decide(List{}, Fetched{Static: static.Static, Chain: numbered(0, 4)}, enforce, dawn)
	if later, _ := Decide(known, static, enforce, dawn.Add(time.Hour)); !known.Enforce || !later.Enforce {
		t.Error("there is a list, and strangers are let in")
	}
	alone := enforce
	alone.StaticOnly = true
	if l, _ := Decide(List{}, static, alone, dawn); !l.Enforce {
		t.Error("there is nobody to ask, and the operator's entries are not enforced")
	}
	if l, _ := Decide(List{}, Fetched{}, alone, dawn); l.Enforce {
		t.Error("nobody at all is let in")
	}
	if l, _ := Decide(known, static, usual, dawn); l.Enforce || len(l.Entries) != 5 {
		t.Errorf("back in mode prefer: %+v", l)
	}
	off := usual
	off.Mode = sentry.PeersOff
	if l, _ := Decide(known, static, off, dawn); l.Enforce || len(l.Entries) != 1 {
		t.Errorf("off: %+v", l)
	}
}

func TestAListIsBoundedAndTheOperatorsEntriesAreFirst(t *testing.T) {
	many := Fetched{Static: []netip.Prefix{seed}, Chain: numbered(0, 4000), Observed: numbered(4000, 6000), Heard: true}
	next, d := Decide(List{}, many, usual, dawn)
	if len(next.Entries) != most || d.Dropped != 1001 || next.Count(Static) != 1 || next.Count(Chain) != 4000 {
		t.Errorf("%d entries, %d dropped", len(next.Entries), d.Dropped)
	}
}

func TestPrefixesDoNotOverlap(t *testing.T) {
	wide, inner := netip.MustParsePrefix("198.51.0.0/24"), netip.MustParsePrefix("198.51.0.0/28")
	l, _ := Decide(List{}, Fetched{Static: []netip.Prefix{inner, wide, seed}, Chain: numbered(0, 300)}, usual, dawn)
	all := l.Prefixes()
	for i, p := range all {
		if i > 0 && (all[i-1].Overlaps(p) || !all[i-1].Addr().Less(p.Addr())) {
			t.Errorf("%s after %s", p, all[i-1])
		}
	}
	if len(all) != 2+50 || !slices.Contains(l.Lines(), "198.51.0.0/24") || !slices.Contains(l.Lines(), "10.0.0.9") {
		t.Errorf("%d prefixes: %s", len(all), strings.Join(l.Lines(), " "))
	}
}

// FuzzAListKeepsItsPromises plays hours of answers of any kind.
func FuzzAListKeepsItsPromises(f *testing.F) {
	f.Add([]byte{10, 0, 10, 3, 0, 200, 9, 1, 40, 250, 7, 7})
	f.Add([]byte{255, 255, 0, 0, 0, 1, 2, 3, 200, 100, 50, 25, 12, 6, 3, 1})
	f.Fuzz(func(t *testing.T, play []byte) {
		var l List
		now := dawn
		for len(play) >= 4 {
			now = now.Add(time.Duration(play[0]) * time.Minute)
			got := Fetched{Static: []netip.Prefix{seed}}
			if play[1] > 0 {
				got.Chain = numbered(int(play[1])%8, int(play[1]))
			}
			if got.Heard = play[3] > 100; got.Heard {
				got.Observed = numbered(500, 500+int(play[2])%40)
			}
			next, d := Decide(l, got, usual, now)
			before := l.learned()
			gone := len(without(before, prefixes(next.Entries)))
			confirmed := l.Pending != nil && now.Sub(l.Pending.Since) >= usual.Confirm
			if gone*100 > usual.MaxShrinkPercent*len(before) && !confirmed {
				t.Fatalf("%d of %d went at once", gone, len(before))
			}
			if len(before) > 0 && len(next.learned()) == 0 {
				t.Fatal("the list is empty")
			}
			if next.Count(Static) != 1 || len(next.Entries) > most || d.Refused != "" && next.Pending == nil {
				t.Fatal(fmt.Sprint(d), len(next.Entries))
			}
			l, play = next, play[4:]
		}
	})
}
