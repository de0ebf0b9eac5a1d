package bans

import (
	"errors"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/insight-icon/pulumi-icon/internal/sentry"
)

var (
	rules = Rules{Strikes: 20, First: time.Minute, Max: time.Hour, Network: 4}
	begin = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	one   = netip.MustParseAddr("203.0.113.7")
)

func garbage(tb testing.TB) sentry.Verdict {
	tb.Helper()
	v, err := sentry.VerdictByCode(3)
	if err != nil {
		tb.Fatal(err)
	}
	return v
}

func wanted(b *Book, now time.Time) string {
	b.Advance(now)
	addresses, networks := b.Wanted(now)
	var all []string
	for a, end := range addresses {
		all = append(all, fmt.Sprintf("%s %s", a, end.Sub(now)))
	}
	for p, end := range networks {
		all = append(all, fmt.Sprintf("%s %s", p, end.Sub(now)))
	}
	slices.Sort(all)
	return strings.Join(all, ", ")
}

func TestEachFurtherBanIsFourTimesAsLongUntilADayHasPassed(t *testing.T) {
	b, now := New(rules), begin
	for i, want := range []time.Duration{time.Minute, 4 * time.Minute, 16 * time.Minute, time.Hour, time.Hour} {
		b.Observe(one, garbage(t), 19, now)
		if got := wanted(b, now); got != "" {
			t.Fatalf("ban %d: %s with 19 strikes", i, got)
		}
		b.Observe(one, garbage(t), 20, now)
		if got := wanted(b, now); got != one.String()+" "+want.String() {
			t.Fatalf("ban %d: %q; want %s", i, got, want)
		}
		now = now.Add(want)
		if got := wanted(b, now); got != "" || len(b.Active(now)) != 0 {
			t.Fatalf("ban %d: %q after its end", i, got)
		}
		if all := b.Recent(now); len(all) != 1 || all[0].Times != i+1 {
			t.Fatalf("ban %d: %+v; want it told of for a day", i, all)
		}
		b.Settled(b.Settle())
	}
	b.Observe(one, garbage(t), 20, now.Add(24*time.Hour))
	if got := wanted(b, now.Add(24*time.Hour)); got != one.String()+" 1m0s" {
		t.Errorf("%q a day later; want it to begin anew", got)
	}
}

func TestNoStrikeCountsTwice(t *testing.T) {
	b, now := New(rules), begin
	b.Observe(one, garbage(t), 25, now)
	now = now.Add(time.Minute)
	// HAProxy still has the strikes that the ban came of.
	b.Observe(one, garbage(t), 26, now)
	if got := wanted(b, now); got != "" {
		t.Errorf("%q; want no ban of strikes that were counted", got)
	}
	if got := b.Settle(); !slices.Equal(got, []netip.Addr{one}) {
		t.Errorf("%v are to be forgotten; want %s", got, one)
	}
	b.Settled(b.Settle())
	b.Observe(one, garbage(t), 20, now)
	if got := wanted(b, now); got != one.String()+" 4m0s" || len(b.Settle()) != 0 {
		t.Errorf("%q; want a ban of new strikes", got)
	}
}

func TestManyOfOneNetworkAreBannedTogether(t *testing.T) {
	b, now := New(rules), begin
	b.SetKnown([]netip.Prefix{netip.MustParsePrefix("10.1.2.128/26"), netip.MustParsePrefix("10.1.2.3/32")}, now)
	for i := range 4 {
		if got := wanted(b, now); strings.Contains(got, "/") {
			t.Fatalf("%q with %d addresses", got, i)
		}
		b.Observe(netip.AddrFrom4([4]byte{10, 1, 2, byte(10 + i)}), garbage(t), 20, now)
		b.Observe(netip.AddrFrom4([4]byte{10, 1, 3, byte(10 + i%3)}), garbage(t), 20, now)
	}
	_, networks := b.Wanted(now)
	for a := netip.MustParseAddr("10.1.2.0"); a.As4()[2] == 2; a = a.Next() {
		in, known := false, b.known.contains(a)
		for p := range networks {
			in = in || p.Contains(a)
		}
		if in == known {
			t.Errorf("%s: known %v, banned with its network %v", a, known, in)
		}
	}
	if len(networks) != 8 {
		t.Errorf("%v; want the /24 less its known addresses, in 8 parts", networks)
	}
	all := b.Active(now)
	i := slices.IndexFunc(all, func(x Ban) bool { return x.Rule == Network })
	if i < 0 || all[i].Name() != "10.1.2.0/24" || all[i].Strikes != 4 ||
		!strings.Contains(all[i].Why, "4 of its addresses were banned at once, the last: first bytes on the P2P port") {
		t.Errorf("%+v; want the network explained", all)
	}
	lifted, err := b.Remove(netip.MustParsePrefix("10.1.2.0/24"), now)
	if err != nil || len(lifted) != 5 || len(b.Active(now)) != 3 {
		t.Errorf("%d lifted, %v, %d left; want the network and all in it", len(lifted), err, len(b.Active(now)))
	}
}

func TestKnownAreNeverBannedAndLiftedWhenTheyBecomeKnown(t *testing.T) {
	b, now := New(rules), begin
	b.Observe(one, garbage(t), 20, now)
	b.SetKnown([]netip.Prefix{netip.MustParsePrefix("203.0.113.0/28")}, now)
	if got := wanted(b, now); got != "" {
		t.Errorf("%q; want it lifted", got)
	}
	b.Settled(b.Settle())
	b.Observe(one, garbage(t), 100, now)
	if got := wanted(b, now); got != "" {
		t.Errorf("%q; want no ban of a known one", got)
	}
	_, err := b.Add(netip.MustParsePrefix("203.0.113.7/32"), "test", time.Hour, now)
	if err == nil || !strings.Contains(err.Error(), "203.0.113.7 is known") {
		t.Errorf("%v; want to be told that it is known", err)
	}
	_, err = b.Add(netip.MustParsePrefix("203.0.113.0/27"), "test", time.Hour, now)
	if err != nil || wanted(b, now) != "203.0.113.16/28 1h0m0s" {
		t.Errorf("%v, %q; want what of the network is not known", err, wanted(b, now))
	}
}

func TestBansByHandHaveAReasonAndAnEnd(t *testing.T) {
	b, now := New(rules), begin
	network := netip.MustParsePrefix("198.51.100.0/24")
	for _, c := range []struct {
		source netip.Prefix
		why    string
		length time.Duration
		want   string
	}{
		{network, "", time.Hour, "needs a reason"},
		{network, "a\nb", time.Hour, "needs a reason"},
		{network, "test", 0, "wanted 1 second to 30 days"},
		{network, "test", 31 * 24 * time.Hour, "wanted 1 second to 30 days"},
		{netip.MustParsePrefix("0.0.0.0/0"), "test", time.Hour, "wanted a /8 or narrower"},
		{netip.MustParsePrefix("2001:db8::/32"), "test", time.Hour, "no IPv4"},
		{netip.MustParsePrefix("198.51.100.7/24"), "test", time.Hour, "no IPv4 address or network"},
	} {
		if _, err := b.Add(c.source, c.why, c.length, now); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s %q %s: %v; want %q", c.source, c.why, c.length, err, c.want)
		}
	}
	ban, err := b.Add(network, "scans us", 2*time.Hour, now)
	if err != nil || ban.Rule != ByHand || ban.Why != "scans us" || wanted(b, now) != "198.51.100.0/24 2h0m0s" {
		t.Errorf("%+v, %v", ban, err)
	}
	inside := netip.MustParsePrefix("198.51.100.7/32")
	if _, err := b.Remove(inside, now); !errors.Is(err, ErrNotBanned) || !strings.Contains(err.Error(), "but the network 198.51.100.0/24 is") {
		t.Errorf("%v; want to be told which network is", err)
	}
	// The wider one holds until it ends, and then the narrower.
	_, err = b.Add(netip.MustParsePrefix("198.51.0.0/16"), "scan us", time.Hour, now)
	if err != nil || wanted(b, now) != "198.51.0.0/16 1h0m0s" {
		t.Errorf("%v, %q; want the wider network alone", err, wanted(b, now))
	}
	if got := wanted(b, now.Add(time.Hour)); got != "198.51.100.0/24 1h0m0s" {
		t.Errorf("%q; want the narrower again", got)
	}
	_, err = b.Add(network, "for longer", 5*time.Hour, now.Add(time.Hour))
	if err != nil || wanted(b, now.Add(time.Hour)) != "198.51.100.0/24 5h0m0s" {
		t.Errorf("%v, %q; want its new end", err, wanted(b, now.Add(time.Hour)))
	}
	if _, err := b.Remove(network, now.Add(2*time.Hour)); err != nil || wanted(b, now.Add(2*time.Hour)) != "" {
		t.Errorf("%v, %q; want none", err, wanted(b, now.Add(2*time.Hour)))
	}
	if _, err := b.Remove(network, now.Add(2*time.Hour)); !errors.Is(err, ErrNotBanned) {
		t.Errorf("%v; want to be told that it is not banned", err)
	}
}

func TestBansSurviveARestartWithTheTimeTheyHadLeft(t *testing.T) {
	path := filepath.Join(t.TempDir(), "bans.json")
	b, now := New(rules), begin
	if err := b.Load(path, now); err != nil {
		t.Errorf("%v; want no error without a file", err)
	}
	b.Observe(one, garbage(t), 23, now)
	b.Observe(netip.MustParseAddr("203.0.113.8"), garbage(t), 23, now)
	if _, err := b.Add(netip.MustParsePrefix("10.0.0.0/8"), "test", time.Hour, now); err != nil {
		t.Fatal(err)
	}
	if err := b.Save(path); err != nil {
		t.Fatal(err)
	}
	again := New(rules)
	again.SetKnown([]netip.Prefix{netip.MustParsePrefix("203.0.113.8/32")}, now)
	now = now.Add(10 * time.Second)
	if err := again.Load(path, now); err != nil || wanted(again, now) != "10.0.0.0/8 59m50s, 203.0.113.7 50s" {
		t.Errorf("%v, %q", err, wanted(again, now))
	}
	all := again.Active(now)
	if len(all) != 2 || all[1].Strikes != 23 || all[1].Rule != "p2p-garbage" || !all[1].FirstSeen.Equal(begin) {
		t.Errorf("%+v; want its explanation", all)
	}
	// One that ended while nobody looked: its strikes may still stand in HAProxy.
	late := New(rules)
	then := begin.Add(90 * time.Second)
	if err := late.Load(path, then); err != nil || wanted(late, then) != "10.0.0.0/8 58m30s" || len(late.Settle()) != 2 {
		t.Errorf("%v, %q, %v", err, wanted(late, then), late.Settle())
	}
	// A clock that was wrong when it was written makes no ban longer than one may be.
	early := New(rules)
	then = begin.Add(-1000 * time.Hour)
	if err := early.Load(path, then); err != nil || !strings.Contains(wanted(early, then), "203.0.113.7 1h0m0s") {
		t.Errorf("%v, %q", err, wanted(early, then))
	}
	if err := os.WriteFile(path, []byte(`[{"source":"0.0.0.0/0","times":1,"rule":"x"}]`), 0o600); err != nil {
		t.Fatal(err)
	}
	err := New(rules).Load(path, now)
	if err == nil || !strings.Contains(err.Error(), "bans.json: 0.0.0.0/0 is no ban; it begins without them") {
		t.Errorf("%v", err)
	}
}

func TestMemoryIsBounded(t *testing.T) {
	b, now := New(rules), begin
	v := garbage(t)
	for i := range most + 1000 {
		// One of each /24.
		b.Observe(netip.AddrFrom4([4]byte{byte(1 + i>>16), byte(i >> 8), byte(i), 1}), v, 20, now)
	}
	if len(b.all) != most || b.Refused() != 1000 {
		t.Errorf("%d remembered, %d refused", len(b.all), b.Refused())
	}
	now = now.Add(2 * time.Minute)
	b.Observe(one, v, 20, now)
	if got, _ := b.Wanted(now); len(got) != 0 {
		t.Errorf("%d wanted; want those remembered that HAProxy has still to forget", len(got))
	}
	now = now.Add(2 * time.Second)
	for len(b.Settle()) > 0 {
		b.Settled(b.Settle())
	}
	b.Observe(one, v, 20, now)
	if got, _ := b.Wanted(now); len(got) != 1 || len(b.all) != 1 {
		t.Errorf("%d wanted of %d; want room made of what has ended", len(got), len(b.all))
	}
}

// FuzzBook plays any sequence of events, and holds the book to what it promises after each.
func FuzzBook(f *testing.F) {
	f.Add([]byte{0, 1, 25, 0, 2, 30, 0, 3, 40, 1, 200, 0, 0, 4, 20, 2, 1, 3, 3, 2, 0, 4, 1, 9, 5, 0, 0, 1, 255, 0})
	f.Add([]byte{0, 16, 25, 0, 17, 25, 0, 18, 25, 0, 19, 25, 4, 17, 0, 6, 0, 0, 1, 250, 0, 0, 16, 25})
	f.Fuzz(func(t *testing.T, events []byte) {
		path := filepath.Join(t.TempDir(), "bans.json")
		b, now := New(rules), begin
		evidence := map[netip.Addr]bool{}
		// 64 addresses in 4 networks.
		address := func(n byte) netip.Addr { return netip.AddrFrom4([4]byte{10, 0, n >> 4 & 3, n & 15}) }
		var known []netip.Prefix
		for ; len(events) >= 3; events = events[3:] {
			x, y := events[1], events[2]
			p, _ := address(x).Prefix(32 - int(y)%10)
			switch events[0] % 7 {
			case 0:
				b.Observe(address(x), garbage(t), int(y), now)
				evidence[address(x)] = evidence[address(x)] || int(y) >= rules.Strikes
			case 1:
				now = now.Add(time.Duration(x) * time.Duration(1+int(y)) * time.Second / 4)
				b.Advance(now)
			case 2:
				_, _ = b.Add(p, "test", time.Duration(y)*time.Minute, now)
			case 3:
				_, _ = b.Remove(p, now)
			case 4:
				known = append(known, p)
				b.SetKnown(known, now)
			case 5:
				known = nil
				b.SetKnown(known, now)
				b.Settled(b.Settle())
			case 6:
				if err := b.Save(path); err != nil {
					t.Fatal(err)
				}
				b = New(rules)
				b.SetKnown(known, now)
				if err := b.Load(path, now); err != nil {
					t.Fatal(err)
				}
			}
			promises(t, b, now, known, evidence)
		}
	})
}

func promises(t *testing.T, b *Book, now time.Time, known []netip.Prefix, evidence map[netip.Addr]bool) {
	t.Helper()
	b.Advance(now)
	addresses, networks := b.Wanted(now)
	for a, end := range addresses {
		if !end.After(now) || end.After(now.Add(longest)) {
			t.Errorf("%s is banned until %s", a, end)
		}
		for _, p := range known {
			if p.Contains(a) {
				t.Errorf("%s is banned and known", a)
			}
		}
		ban := b.all[netip.PrefixFrom(a, 32)]
		if ban.Rule != ByHand && (!evidence[a] || ban.Ends.After(now.Add(rules.Max))) {
			t.Errorf("%+v has no evidence, or lasts too long", ban)
		}
		if ban.Why == "" || ban.Rule == "" || ban.Since.After(now) {
			t.Errorf("%+v is not explained", ban)
		}
	}
	var all []netip.Prefix
	for p, end := range networks {
		if !end.After(now) || end.After(now.Add(longest)) {
			t.Errorf("%s is banned until %s", p, end)
		}
		for _, q := range append(all, known...) {
			if p.Overlaps(q) {
				t.Errorf("%s is banned, and so is or known is %s", p, q)
			}
		}
		all = append(all, p)
	}
	crowd := map[netip.Prefix]int{}
	for p, ban := range b.all {
		if ban.Ends.After(now) && p.IsSingleIP() && ban.Rule != ByHand {
			crowd[networkOf(p)]++
		}
	}
	for p := range crowd {
		if crowd[p] != b.crowd[p] {
			t.Errorf("%s: %d of its addresses are counted; want %d", p, b.crowd[p], crowd[p])
		}
	}
	if len(crowd) != len(b.crowd) {
		t.Errorf("counted %v; want %v", b.crowd, crowd)
	}
}

func BenchmarkTickWith100000Bans(bench *testing.B) {
	b := New(rules)
	v := sentry.Verdicts()[2]
	for i := range most {
		b.Observe(netip.AddrFrom4([4]byte{byte(1 + i>>16), byte(i >> 8), byte(i), 1}), v, 20, begin)
	}
	for bench.Loop() {
		b.Advance(begin)
		if addresses, _ := b.Wanted(begin); len(addresses) != most {
			bench.Fatal(len(addresses))
		}
	}
}
