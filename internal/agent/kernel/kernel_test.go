package kernel

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/google/nftables"

	"github.com/insight-icon/pulumi-icon/internal/sentry"
	"github.com/insight-icon/pulumi-icon/tests/host"
)

// The tests run with a network of their own.
func TestMain(m *testing.M) {
	const inside = "ICON_TEST_ISOLATED"
	if os.Getenv(inside) != "" {
		os.Exit(m.Run())
	}
	cmd := host.Isolated(os.Args...)
	cmd.Env = append(os.Environ(), inside+"=1")
	cmd.Stdout, cmd.Stderr = os.Stdout, os.Stderr
	if err := cmd.Run(); err != nil {
		fmt.Fprintln(os.Stderr, "with a network of its own:", err)
		os.Exit(1)
	}
}

func nft(t *testing.T, script string) {
	t.Helper()
	cmd := exec.Command("nft", "-f", "-")
	cmd.Stdin = strings.NewReader(script)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("nft: %v\n%s", err, out)
	}
}

func listed(t *testing.T, set string) string {
	t.Helper()
	out, err := exec.Command("nft", "list", "set", "inet", sentry.Table, set).CombinedOutput()
	if err != nil {
		t.Fatalf("nft: %v\n%s", err, out)
	}
	_, elements, _ := strings.Cut(string(out), "elements = {")
	elements, _, _ = strings.Cut(elements, "}")
	return strings.Join(strings.Fields(elements), " ")
}

func load(t *testing.T) {
	t.Helper()
	text, err := sentry.Kernel(sentry.Settings{PRep: "10.0.0.2:7100", CID: "0x1", Users: []string{"192.0.2.0/24"}})
	if err != nil {
		t.Fatal(err)
	}
	nft(t, text)
	t.Cleanup(func() { nft(t, "table inet icon_sentry\ndelete table inet icon_sentry") })
}

func prefixes(all ...string) []netip.Prefix {
	var p []netip.Prefix
	for _, x := range all {
		p = append(p, netip.MustParsePrefix(x))
	}
	return p
}

func banned(until time.Time, all ...string) map[netip.Addr]time.Time {
	m := map[netip.Addr]time.Time{}
	for _, x := range all {
		m[netip.MustParseAddr(x)] = until
	}
	return m
}

func TestSetsBecomeWhatIsWanted(t *testing.T) {
	load(t)
	table, now := New(), time.Now()
	apply := func(w Want) {
		t.Helper()
		if err := table.Apply(w, time.Now()); err != nil {
			t.Fatal(err)
		}
	}
	want := func(set string, parts ...string) {
		t.Helper()
		got := listed(t, set)
		for _, p := range parts {
			if !strings.Contains(got, p) {
				t.Errorf("%s has %q, and not %q", set, got, p)
			}
		}
		if len(parts) == 0 && got != "" {
			t.Errorf("%s has %q; want nothing", set, got)
		}
		if n := strings.Count(got, ",") + 1; len(parts) > 0 && n != len(parts) {
			t.Errorf("%s has %d elements, %q; want %d", set, n, got, len(parts))
		}
	}
	full := Want{
		Peers:    prefixes("198.51.100.7/32", "198.51.100.8/32", "203.0.113.0/24", "255.255.255.255/32", "0.0.0.0/32"),
		Users:    prefixes("192.0.2.0/24"),
		Enforced: []uint16{7100},
		Banned:   banned(now.Add(time.Minute), "203.0.113.9", "203.0.113.10"),
		BannedNets: map[netip.Prefix]time.Time{
			netip.MustParsePrefix("10.1.0.0/24"): now.Add(time.Minute), netip.MustParsePrefix("10.1.1.0/24"): now.Add(2 * time.Minute),
		},
	}
	apply(full)
	want(sentry.SetPeers, "0.0.0.0", "198.51.100.7-198.51.100.8", "203.0.113.0/24", "255.255.255.255")
	want(sentry.SetUsers, "192.0.2.0/24")
	want(sentry.SetEnforced, "7100")
	want(sentry.SetBanned, "203.0.113.9 timeout 59", "203.0.113.10 timeout 59")
	want(sentry.SetBannedNets, "10.1.0.0/24 timeout 59", "10.1.1.0/24 timeout 1m59")
	changed := full
	changed.Peers, changed.Enforced = prefixes("198.51.100.8/32"), nil
	changed.Banned = banned(now.Add(time.Hour), "203.0.113.9", "203.0.113.11")
	changed.BannedNets = map[netip.Prefix]time.Time{netip.MustParsePrefix("10.1.0.0/16"): now.Add(time.Minute)}
	apply(changed)
	want(sentry.SetPeers, "198.51.100.8")
	want(sentry.SetEnforced)
	want(sentry.SetBanned, "203.0.113.9 timeout 59m", "203.0.113.11 timeout 59m")
	want(sentry.SetBannedNets, "10.1.0.0/16 timeout")
	before, _ := generation()
	apply(changed)
	if after, _ := generation(); after != before {
		t.Error("the ruleset was changed where nothing was to change")
	}
	apply(Want{})
	for _, set := range []string{sentry.SetPeers, sentry.SetUsers, sentry.SetBanned, sentry.SetBannedNets} {
		want(set)
	}
	if table.Filled != 1 {
		t.Errorf("the sets were written %d times; want once", table.Filled)
	}
}

func TestTableMadeAnewOrChangedByOthersIsFilledAgain(t *testing.T) {
	table, now := New(), time.Now()
	w := Want{Peers: prefixes("198.51.100.7/32"), Banned: banned(now.Add(time.Hour), "203.0.113.9")}
	if err := table.Apply(w, now); !errors.Is(err, ErrNoTable) {
		t.Errorf("%v; want to be told that there is no table", err)
	}
	if _, err := table.Counters(); !errors.Is(err, ErrNoTable) {
		t.Errorf("%v; want to be told that there is no table", err)
	}
	if _, err := table.Proven(); !errors.Is(err, ErrNoTable) {
		t.Errorf("%v; want to be told that there is no table", err)
	}
	load(t)
	filled := func(why string) {
		t.Helper()
		if err := table.Apply(w, time.Now()); err != nil {
			t.Fatal(err)
		}
		if p, b, u := listed(t, sentry.SetPeers), listed(t, sentry.SetBanned), listed(t, sentry.SetUsers); p != "198.51.100.7" ||
			!strings.HasPrefix(b, "203.0.113.9 timeout") || strings.Contains(b, ",") || u != "" {
			t.Errorf("%s: peers %q, banned %q, users %q", why, p, b, u)
		}
	}
	filled("loaded")
	load(t)
	filled("made anew")
	nft(t, "flush set inet icon_sentry banned\nadd element inet icon_sentry banned { 203.0.113.77 }\n"+
		"add element inet icon_sentry users { 10.0.0.0/8 }")
	filled("changed by hand")
	nft(t, "delete table inet icon_sentry\ntable inet icon_sentry {\nset peers { type ipv4_addr; flags interval; }\n}\n")
	if err := table.Apply(w, now); err == nil || errors.Is(err, ErrNoTable) || !strings.Contains(err.Error(), "the sets of inet icon_sentry") {
		t.Errorf("%v; want to be told that sets are missing", err)
	}
}

func TestBansEndByThemselvesWithoutTheAgent(t *testing.T) {
	load(t)
	table, now := New(), time.Now()
	w := Want{
		Banned:     banned(now.Add(700*time.Millisecond), "203.0.113.9"),
		BannedNets: map[netip.Prefix]time.Time{netip.MustParsePrefix("10.1.0.0/24"): now.Add(700 * time.Millisecond)},
	}
	if err := table.Apply(w, now); err != nil {
		t.Fatal(err)
	}
	time.Sleep(time.Second)
	if b, n := listed(t, sentry.SetBanned), listed(t, sentry.SetBannedNets); b != "" || n != "" {
		t.Errorf("banned %q, %q after their end", b, n)
	}
	// The same again, and others, although the kernel has not swept the first away.
	end := time.Now().Add(time.Minute)
	w = Want{
		Banned:     banned(end, "203.0.113.9"),
		BannedNets: map[netip.Prefix]time.Time{netip.MustParsePrefix("10.1.0.0/16"): end, netip.MustParsePrefix("10.2.0.0/24"): end},
	}
	if err := table.Apply(w, time.Now()); err != nil {
		t.Error(err)
	}
	b, n := listed(t, sentry.SetBanned), listed(t, sentry.SetBannedNets)
	if !strings.HasPrefix(b, "203.0.113.9") || !strings.Contains(n, "10.1.0.0/16") {
		t.Errorf("banned %q, %q; want the new ones", b, n)
	}
}

func TestAllBansThatThereMayBeAreOneTransaction(t *testing.T) {
	load(t)
	now := time.Now()
	w := Want{Banned: map[netip.Addr]time.Time{}}
	for i := range uint32(100_000) {
		w.Banned[netip.AddrFrom4([4]byte(binary.BigEndian.AppendUint32(nil, 0x0a000000+i*7)))] = now.Add(time.Hour)
	}
	table := New()
	before, _ := generation()
	begin := time.Now()
	if err := table.Apply(w, now); err != nil {
		t.Fatal(err)
	}
	t.Logf("100,000 bans took %s", time.Since(begin))
	if after, _ := generation(); after != before+1 {
		t.Errorf("%d transactions; want 1", after-before)
	}
	begin = time.Now()
	n, err := count(sentry.Table, sentry.SetBanned)
	t.Logf("counting them took %s", time.Since(begin))
	// The kernel lays out a set anew that has grown, for a moment; what it lists meanwhile may lack some.
	for i := 0; n != 100_000 && i < 50; i++ {
		time.Sleep(100 * time.Millisecond)
		n, err = count(sentry.Table, sentry.SetBanned)
	}
	if n != 100_000 || err != nil {
		t.Errorf("counted %d, %v", n, err)
	}
	if err := table.Apply(Want{}, time.Now()); err != nil || listed(t, sentry.SetBanned) != "" {
		t.Errorf("not all are lifted: %v", err)
	}
}

func TestCountersAndProvenAreRead(t *testing.T) {
	load(t)
	nft(t, "add element inet icon_sentry proven { 203.0.113.9, 203.0.113.10 }")
	table := New()
	if n, err := table.Proven(); n != 2 || err != nil {
		t.Errorf("%d proven, %v; want 2", n, err)
	}
	counters, err := table.Counters()
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range sentry.KernelCounters() {
		if n, is := counters[c.Name]; !is || n != 0 {
			t.Errorf("counter %s: %d, %v", c.Name, n, is)
		}
	}
}

func FuzzCount(f *testing.F) {
	f.Add([]byte{20, 0, 0, 0, 3, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0})
	f.Add([]byte{36, 0, 0, 0, 12, 10, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 12, 0, 3, 0x80, 8, 0, 1, 0x80, 4, 0, 0, 0, 0, 0, 0, 0})
	f.Fuzz(func(t *testing.T, piece []byte) {
		if n, _, _ := countElements(piece); n > len(piece)/4 {
			t.Errorf("%d elements in %d bytes", n, len(piece))
		}
	})
}

func FuzzSpans(f *testing.F) {
	f.Add([]byte{10, 0, 0, 0, 24, 10, 0, 1, 0, 24, 255, 255, 255, 255, 32, 0, 0, 0, 0, 0})
	f.Fuzz(func(t *testing.T, raw []byte) {
		var all []netip.Prefix
		for ; len(raw) >= 5; raw = raw[5:] {
			all = append(all, netip.PrefixFrom(netip.AddrFrom4([4]byte(raw)), int(raw[4])%33))
		}
		spans := spansOf(all)
		var elements []nftables.SetElement
		for i, s := range spans {
			if s.from > s.to || i > 0 && uint64(spans[i-1].to)+1 >= uint64(s.from) {
				t.Errorf("%v of %v", spans, all)
			}
			elements = append(elements, s.elements(nftables.SetElement{})...)
		}
		for _, p := range all {
			n, is := number(p.Addr()), false
			for _, s := range spans {
				is = is || s.from <= n && n <= s.to
			}
			if !is {
				t.Errorf("%s is not in %v", p, spans)
			}
		}
		if len(elements) > 2*len(spans) || 2*len(spans)-len(elements) > 1 {
			t.Errorf("%v became %v", spans, elements)
		}
	})
}
