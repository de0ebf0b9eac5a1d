package peers

import (
	"encoding/json"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// recorded is an answer of goloop v1.4.4: of a chain with P-Reps (one is elected, two are candidates), and of two validators without.
func recorded(tb testing.TB, name string) []byte {
	tb.Helper()
	text, err := os.ReadFile(filepath.Join("testdata", name))
	if err != nil {
		tb.Fatal(err)
	}
	return text
}

func TestElectedAndJailedPRepsAreReadAndNoCandidates(t *testing.T) {
	for _, name := range []string{"term.json", "preps.json"} {
		result, err := parseAnswer(recorded(t, name))
		if err != nil {
			t.Fatal(err)
		}
		if all, err := parsePReps(result); err != nil || !slices.Equal(all, []string{"10.77.0.1:7100"}) {
			t.Errorf("%s: %q, %v", name, all, err)
		}
	}
	all, err := parsePReps([]byte(`{"preps": [
		{"grade":"0x0","status":"0x0","p2pEndpoint":"main:1"}, {"grade":"0x1","status":"0x0","p2pEndpoint":"sub:1"},
		{"grade":"0x2","status":"0x0","p2pEndpoint":"candidate:1","jailFlags":"0x0"},
		{"grade":"0x2","status":"0x0","p2pEndpoint":"jailed:1","jailFlags":"0x1"},
		{"grade":"0x0","status":"0x1","p2pEndpoint":"gone:1"}, {"grade":"0x0","status":"0x0"}, {"p2pEndpoint":"nothing:1"},
		{"grade":"zero","status":"0x0","p2pEndpoint":"odd:1"}]}`))
	if err != nil || !slices.Equal(all, []string{"main:1", "sub:1", "jailed:1"}) {
		t.Errorf("%q, %v", all, err)
	}
}

func TestOnlyProvenValidatorsAreObserved(t *testing.T) {
	if all, err := parseObserved(recorded(t, "inspect.json")); err != nil || !slices.Equal(all, []string{"10.77.0.2:7100"}) {
		t.Errorf("%q, %v", all, err)
	}
	// Anybody may call itself a seed, and tell of roots and seeds.
	all, err := parseObserved([]byte(`{"module":{"network":{"p2p":{
		"friends":[{"addr":"friend:1","role":2}], "parent":{"addr":"parent:1","role":3}, "uncles":[{"addr":"seed:1","role":1}],
		"children":[{"addr":"citizen:1","role":0},{"addr":"child:1","role":2}], "others":[{"addr":"liar:1","role":1,"rrole":3}],
		"orphanages":[{"addr":"orphan:1","role":2}], "roots":{"told:1":""}, "seeds":{"told:2":""}, "trustSeeds":{"ours:1":"x"}}}}}`))
	if err != nil || !slices.Equal(all, []string{"friend:1", "parent:1", "child:1", "ours:1"}) {
		t.Errorf("%q, %v", all, err)
	}
	if _, err := parseObserved([]byte(`{"module":{}}`)); err == nil || !strings.Contains(err.Error(), "is it started?") {
		t.Errorf("a chain that is stopped: %v", err)
	}
}

func TestAnswersOfNodesThatCanNotHelpAreErrors(t *testing.T) {
	if _, err := parseAnswer(recorded(t, "no-preps.json")); err == nil || !strings.Contains(err.Error(), "-30003") {
		t.Errorf("a chain without P-Reps: %v", err)
	}
	for _, text := range []string{"", "null", "{}", "[]", "<html>", `{"result":`, `{"error":"no"}`} {
		if _, err := parseAnswer([]byte(text)); err == nil {
			t.Errorf("%q is taken for an answer", text)
		}
	}
	for _, text := range []string{`{"preps":7}`, `{"preps":{"0":{}}}`, `{"preps":[7]}`, `{"preps":[{"grade":0}]}`} {
		if _, err := parsePReps([]byte(text)); err == nil {
			t.Errorf("%q is taken for a list of P-Reps", text)
		}
	}
	block, err := parseAnswer(recorded(t, "last-block.json"))
	if err != nil {
		t.Fatal(err)
	}
	made := time.UnixMicro(1795380512886941)
	if err := current(block, made.Add(14*time.Minute)); err != nil {
		t.Error(err)
	}
	if err := current(block, made.Add(16*time.Minute)); err == nil || !strings.Contains(err.Error(), "catching up") {
		t.Errorf("a node that is behind is believed: %v", err)
	}
}

func TestAddressesThatNoPeerHasAreRefused(t *testing.T) {
	for _, a := range []string{
		"0.0.0.0", "0.1.2.3", "127.0.0.1", "169.254.169.254", "224.0.0.1", "255.255.255.255", "240.0.0.1", "::1", "2001:db8::1",
	} {
		if ok, _ := usable(netip.MustParseAddr(a)); ok {
			t.Errorf("%s is taken for a peer's", a)
		}
	}
	for a, want := range map[string]bool{
		"198.51.100.7": false, "8.8.8.8": false, "10.0.0.1": true, "172.31.0.1": true, "192.168.1.1": true, "100.64.0.1": true,
	} {
		if ok, private := usable(netip.MustParseAddr(a)); !ok || private != want {
			t.Errorf("%s: usable %v, private %v", a, ok, private)
		}
	}
}

func TestPrivateAddressesOfAPublicChainAreLeftOut(t *testing.T) {
	hosts, bad := parseEndpoints([]string{
		"198.51.100.7:7100", "10.0.0.5:7100", "127.0.0.1:7100", "a.example.org:7100", "B.example.org:7100", "10.0.0.5:7100",
	})
	if len(bad) > 0 {
		t.Fatal(bad)
	}
	found := map[string][]netip.Addr{"a.example.org": {netip.MustParseAddr("192.168.0.1"), netip.MustParseAddr("198.51.100.8")}}
	text := func(all []netip.Addr) string {
		var b strings.Builder
		for _, a := range all {
			b.WriteString(a.String() + " ")
		}
		return b.String()
	}
	if got := text(addresses(hosts, found, false)); got != "198.51.100.7 198.51.100.8 " {
		t.Errorf("of the chain: %s", got)
	}
	if got := text(addresses(hosts, found, true)); got != "198.51.100.7 10.0.0.5 192.168.0.1 198.51.100.8 " {
		t.Errorf("observed: %s", got)
	}
	private, _ := parseEndpoints([]string{"10.0.0.5:7100", "127.0.0.1:7100", "10.0.0.6:7100"})
	if got := text(addresses(private, nil, false)); got != "10.0.0.5 10.0.0.6 " {
		t.Errorf("of a private chain: %s", got)
	}
}

func TestEndpointsAndStaticEntriesAreRead(t *testing.T) {
	for _, bad := range []string{
		"", "host", ":7100", "1.2.3.4", "1.2.3.4:0", "1.2.3.4:65536", "1.2.3.4:+80", "[::1]:7100", "localhost:7100", "node:7100",
		"a b.c:1", "1.2.3:7100", "0x7f.1:7100",
		"1.2.3.4/8:7100", "a..b:1", "-a.b:1", strings.Repeat("a.", 130) + "org:1", "a.b\n10.0.0.0/8:1", "2130706433:7100", "example.org.:7100",
	} {
		if a, name, err := parseEndpoint(bad); err == nil {
			t.Errorf("%q is read as %v %q", bad, a, name)
		}
	}
	if a, name, err := parseEndpoint("Node-1.Example.org:7100"); err != nil || a.IsValid() || name != "node-1.example.org" {
		t.Errorf("%v %q %v", a, name, err)
	}
	if a, name, err := parseEndpoint("198.51.100.7:7100"); err != nil || a.String() != "198.51.100.7" || name != "" {
		t.Errorf("%v %q %v", a, name, err)
	}
	for _, bad := range []string{
		"", "0.0.0.0/0", "10.0.0.0/7", "10.0.0.1/24", "127.0.0.1", "::/0", "2001:db8::/32", "0.0.0.0", "a b", "10.0.0.300", "224.0.0.0/8",
		"10.0.0.5:7100",
	} {
		if p, name, err := parseStatic(bad); err == nil {
			t.Errorf("%q is read as %v %q", bad, p, name)
		}
	}
	for good, want := range map[string]string{"10.0.0.0/8": "10.0.0.0/8", "10.0.0.5": "10.0.0.5/32", "seed.example.org": "", "sentry-2": ""} {
		p, name, err := parseStatic(good)
		if err != nil || want != "" && p.String() != want || want == "" && name != good {
			t.Errorf("%q: %v %q %v", good, p, name, err)
		}
	}
}

func FuzzAnswersOfNodes(f *testing.F) {
	for _, name := range []string{"term.json", "preps.json", "inspect.json", "no-preps.json", "last-block.json"} {
		f.Add(recorded(f, name))
	}
	f.Add([]byte(`{"result":{"preps":[{"grade":"0x0","status":"0x0","p2pEndpoint":"0.0.0.0:1"},
		{"grade":"0x0","status":"0x0","p2pEndpoint":"127.0.0.1:7100"}]}}`))
	f.Fuzz(func(t *testing.T, answer []byte) {
		var all []string
		if result, err := parseAnswer(answer); err == nil {
			_ = current(result, dawn)
			if some, err := parsePReps(result); err == nil {
				all = some
			}
		}
		if some, err := parseObserved(answer); err == nil {
			all = append(all, some...)
		}
		hosts, _ := parseEndpoints(all)
		for _, private := range []bool{true, false} {
			for _, a := range addresses(hosts, nil, private) {
				if ok, _ := usable(a); !ok {
					t.Fatalf("%s is on the list", a)
				}
			}
		}
		for _, h := range hosts {
			if h.name != "" && (checkName(h.name) != nil || !strings.Contains(h.name, ".")) {
				t.Fatalf("%q would be looked up", h.name)
			}
		}
		if len(all) > 2*listed {
			t.Fatalf("%d endpoints", len(all))
		}
	})
}

func FuzzStaticEntries(f *testing.F) {
	for _, s := range []string{"0.0.0.0/0", "10.0.0.0/8", "10.0.0.5", "seed.example.org", "::ffff:10.0.0.1", "1.2.3.4/33"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, entry string) {
		p, name, err := parseStatic(entry)
		if err != nil {
			return
		}
		if name == "" && (!p.IsValid() || p != p.Masked() || p.Bits() < widest || !p.Addr().Is4()) {
			t.Fatalf("%q gives %v", entry, p)
		}
	})
}

func FuzzKeptLists(f *testing.F) {
	l, _ := Decide(List{}, Fetched{Static: numberedPrefixes(2), Chain: numbered(5, 9)}, usual, dawn)
	text, err := json.Marshal(state{List: l})
	if err != nil {
		f.Fatal(err)
	}
	f.Add(text)
	f.Add([]byte(`{"list":{"entries":[{"prefix":"0.0.0.0/0","seen":{"static":"2026-01-01T00:00:00Z"}}]}}`))
	f.Add([]byte("10.0.0.1\n0.0.0.0/0\n127.0.0.1\n"))
	f.Fuzz(func(t *testing.T, kept []byte) {
		lists := []List{decodeLines(kept)}
		if s, err := decodeState(kept); err == nil {
			lists = append(lists, s.List)
		}
		for _, l := range lists {
			for _, p := range l.Prefixes() {
				if p.Bits() < widest || !p.Addr().Is4() {
					t.Fatalf("%v is on the list", p)
				}
			}
			_, _ = Decide(l, Fetched{Chain: numbered(0, 3)}, usual, dawn)
		}
	})
}

func numberedPrefixes(n int) []netip.Prefix {
	var all []netip.Prefix
	for _, a := range numbered(0, n) {
		all = append(all, netip.PrefixFrom(a, 32))
	}
	return all
}
