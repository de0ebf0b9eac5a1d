package attack

import (
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/insight-icon/pulumi-icon/tests/attack/arena"
	"github.com/insight-icon/pulumi-icon/tests/attack/attackers"
	"github.com/insight-icon/pulumi-icon/tests/attack/honest"
	"github.com/insight-icon/pulumi-icon/tests/golden"
)

func TestFiguresCountWhatWasDueInTheWindow(t *testing.T) {
	samples := []honest.Sample{{Kind: honest.Known, At: 999, Took: 1}, {Kind: honest.Known, At: 2000, Took: 1}}
	for i := range int64(100) {
		samples = append(samples, honest.Sample{Kind: honest.Known, At: 1000 + i, Took: (i + 1) * 1000})
	}
	samples = append(samples, honest.Sample{Kind: honest.Known, At: 1500, Took: 1e6, Problem: "no answer in time"})
	f := figures(samples, 1000, 2000)[honest.Known]
	if f.OK != 100 || f.All != 101 || f.P50 != 50 || f.P99 != 99 || f.Max != 100 || f.Problems["no answer in time"] != 1 {
		t.Errorf("%+v", f)
	}
	if empty := figures(samples, 5000, 6000)[honest.Known]; empty.Ratio() != 100 || empty.P99 != 0 {
		t.Errorf("of nothing: %+v", empty)
	}
}

func TestABanOfAnHonestAddressIsFoundAndAttackersAreTimed(t *testing.T) {
	of := func(a string) arena.Range {
		p := netip.MustParsePrefix(a)
		last := p.Addr()
		for p.Contains(last.Next()) {
			last = last.Next()
		}
		return arena.Range{From: p.Addr(), To: last}
	}
	sources := netip.MustParsePrefix("10.130.0.0/16")
	c := &Cell{DropSeconds: -1, Attackers: attackers.Result{
		Sources: 4,
		Used: []netip.Addr{
			netip.MustParseAddr("10.130.7.1"), netip.MustParseAddr("10.130.7.2"), netip.MustParseAddr("10.130.7.3"),
			netip.MustParseAddr("10.130.9.9"),
		},
	}}
	c.bans([]arena.Look{
		{At: before + time.Second, Banned: []arena.Range{of("10.130.9.9/32"), of("10.131.0.1/32")}},
		{At: before + 2*time.Second, Banned: []arena.Range{of("10.130.9.9/32"), of("10.130.7.0/24"), of("10.73.0.1/32"), of("10.130.8.1/32")}},
	}, sources)
	if c.Banned != 4 || c.DropSeconds != 2 || !slices.Equal(c.FalseBans, []string{"10.73.0.1"}) {
		t.Errorf("banned %d, after %g s, wrongly %q", c.Banned, c.DropSeconds, c.FalseBans)
	}
}

func TestThePRepsTurnsAreCounted(t *testing.T) {
	const prep = "hx1"
	blocks := []arena.Block{
		{Height: 8, Proposer: prep}, {Height: 9, Proposer: "hx2"}, {Height: 12, Proposer: "hx2"}, {Height: 15, Proposer: prep},
	}
	if turns, missed, rounds := turns(blocks, prep); turns != 2 || missed != 1 || rounds != 2 {
		t.Errorf("%d turns, %d missed, %d rounds", turns, missed, rounds)
	}
}

func good100() *Cell {
	f := Figures{OK: 100, All: 100, P50: 2, P99: 4}
	all := map[string]Figures{}
	for _, kind := range honest.Kinds() {
		all[kind] = f
	}
	return &Cell{
		Variant: "haproxy+nftables", Attack: "httpflood", Run: 1, Seconds: 8, Honest: all, Before: all, Turns: 2, Blocks: 8,
		DropSeconds: 1.5, Banned: 200, Attackers: attackers.Result{Sources: 200}, Reached: 100,
	}
}

func TestEachBrokenPromiseIsNamed(t *testing.T) {
	if got := good100().Problems(4); len(got) > 0 {
		t.Fatalf("of a good cell: %q", got)
	}
	set := func(kind string, f Figures) func(*Cell) {
		return func(c *Cell) {
			c.Honest, c.Reached = map[string]Figures{honest.Known: c.Honest[honest.Known], kind: f}, 0
		}
	}
	for want, change := range map[string]func(*Cell){
		"1 of 110 operations of known ones failed":     set(honest.WSKnown, Figures{OK: 9, All: 10}),
		"99.8 % of strangers were served, wanted 99.9": set(honest.Newcomer, Figures{OK: 499, All: 500}),
		"known users' p99 is 16.1 ms":                  set(honest.Known, Figures{OK: 100, All: 100, P99: 16.1}),
		"the P-Rep missed 1 of 2 blocks":               func(c *Cell) { c.Missed = 1 },
		"1 connections of validators were cut":         func(c *Cell) { c.PeersLost = 1 },
		"300 connections reached the P-Rep":            func(c *Cell) { c.Reached = 300 },
		"honest addresses were banned: 10.73.0.1":      func(c *Cell) { c.FalseBans = []string{"10.73.0.1"} },
		"ended: citizen":                               func(c *Cell) { c.Ended = []string{"citizen"} },
	} {
		c := good100()
		change(c)
		if got := c.Problems(4); len(got) != 1 || !strings.Contains(got[0], want) {
			t.Errorf("wanted %q, got %q", want, got)
		}
	}
	busy := good100()
	set(honest.Known, Figures{OK: 100, All: 100, P99: 90})(busy)
	busy.ForeignCPU = 80
	if got := busy.Problems(4); len(got) > 0 {
		t.Errorf("times of a busy machine are held against the sentry: %q", got)
	}
}

func TestAnAttackHarmsWhenAFewFail(t *testing.T) {
	if good100().Harmed() {
		t.Error("nothing happened")
	}
	c := good100()
	c.Honest = map[string]Figures{honest.WSUnknown: {OK: 5, All: 10}}
	if !c.Harmed() {
		t.Error("half of the websockets failed")
	}
}

func TestTheReportIsWrittenFromTheResults(t *testing.T) {
	slow := good100()
	slow.Variant, slow.Missed, slow.Ended = Direct, 1, []string{"citizen"}
	slow.Honest = map[string]Figures{honest.Known: {OK: 10, All: 100, P99: 900}, honest.Newcomer: {All: 10}}
	second := good100()
	second.Run, second.FalseBans = 2, []string{"10.73.0.1"}
	clean := good100()
	clean.Attack, clean.Attackers, clean.DropSeconds = Clean, attackers.Result{}, -1
	r := &Results{
		Date: "2026-01-02",
		Machine: Machine{
			Cores: 2, CPU: "a processor", Kernel: "6.1.0", Realtime: true, Versions: map[string]string{"HAProxy": "2.6.12"},
		},
		Cells:  []*Cell{clean, good100(), second, slow},
		Losses: []Loss{{How: "killed", Attack: "httpflood", Seconds: 1.5, Limit: 2, Turns: 5, Known: Figures{OK: 10, All: 10, P99: 3}}},
		Cost:   &Cost{P50: 1.7, P50Plain: 1.5, Throughput: 900, ThroughputPlain: 1000, Rounds: 5},
	}
	// What the attacks say of themselves is theirs.
	page, _, _ := strings.Cut(r.Report(), "## What the attacks are")
	golden.Check(t, "report.md", page)
	golden.Check(t, "success.svg", r.successChart())
	path := t.TempDir() + "/results.json"
	if err := r.write(path); err != nil {
		t.Fatal(err)
	}
	again, err := readResults(path)
	if err != nil || again.Report() != r.Report() {
		t.Errorf("results that were kept give another report: %v", err)
	}
}

func TestMistakesOfARunAreNamedTogether(t *testing.T) {
	_, err := (&Work{Variants: []string{"caddy"}, Attacks: []string{"rain"}, Seconds: 90, Runs: 0}).check()
	for _, want := range []string{`variant "caddy"`, `"rain"`, "90 seconds", "0 runs"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v: wanted %q in it", err, want)
		}
	}
}
