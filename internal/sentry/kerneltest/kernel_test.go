// Package kerneltest holds the sentry's kernel table against real packets. It is a package of its own, since the test's own binary is run
// again as the network.
package kerneltest_test

import (
	"fmt"
	"math/rand/v2"
	"net/netip"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/insight-icon/pulumi-icon/hardening"
	"github.com/insight-icon/pulumi-icon/internal/sentry"
	"github.com/insight-icon/pulumi-icon/tests/host"
)

// The environment's variables that have the test's own binary play a scenario in a place of its own.
const (
	play  = "ICON_TEST_KERNEL"
	place = "ICON_TEST_PLACE"
)

func TestMain(m *testing.M) {
	name := os.Getenv(play)
	if name == "" {
		os.Exit(m.Run())
	}
	w, err := newWorld(rules()...)
	if err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
	scenarios[name](w)
	for _, err := range w.errs {
		fmt.Println(err)
	}
	os.Exit(min(1, len(w.errs)))
}

// rules are the host's firewall, which tracks connections, and the sentry's table with limits that a test reaches.
func rules() []string {
	anybody := []string{"0.0.0.0/0"}
	firewall, err := hardening.Firewall{In: []hardening.Rule{
		{Protocol: "tcp", Ports: []int{p2p, api}, Networks: anybody, Untracked: true, Why: "public"},
	}}.Render()
	if err != nil {
		panic(err)
	}
	table, err := sentry.Kernel(sentry.Settings{
		Citizens: []string{"10.2.0.12:9000"}, Users: []string{"198.19.9.0/24"},
		Limits: sentry.Limits{SYNs: 400, SYNsPerKnown: 20, SYNsPerProven: 5},
	})
	if err != nil {
		panic(err)
	}
	return []string{firewall, table}
}

var scenarios = map[string]func(*world){
	"bans": bans, "flood": underFlood, "oneSource": oneSource, "acks": acks, "proven": proven, "enforced": enforced,
	"noise": noise, "known": known, "full": full, "network": networkOfUsers, "narrow": narrow,
}

func playAlone(t *testing.T, name string) {
	t.Helper()
	cmd := host.Isolated(os.Args[0])
	cmd.Env = append(os.Environ(), play+"="+name, place+"="+t.TempDir())
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Errorf("%v\n%s", err, out)
	}
}

func TestABannedAddressIsDroppedBeforeItIsTrackedAndAKnownOneNever(t *testing.T) {
	playAlone(t, "bans")
}

func bans(w *world) {
	w.reaches("nobody is banned", "198.18.0.1", p2p, true)
	for set, element := range map[string]string{
		"banned": "198.18.0.1 timeout 2s", "banned_nets": "198.19.0.0/16 timeout 1m", "peers": "198.19.0.7",
	} {
		if err := put(set, element); err != nil {
			w.wrong("%v", err)
		}
	}
	w.reaches("banned", "198.18.0.1", p2p, false)
	w.reaches("banned", "198.18.0.1", api, false)
	w.reaches("not banned", "198.18.0.2", p2p, true)
	w.reaches("in a banned network", "198.19.0.8", p2p, false)
	w.reaches("a peer in a banned network", "198.19.0.7", p2p, true)
	w.reaches("a user in a banned network", "198.19.9.1", api, true)
	if counter("banned") < 2 || counter("banned_nets") < 1 {
		w.wrong("banned %d, banned_nets %d", counter("banned"), counter("banned_nets"))
	}
	time.Sleep(1500 * time.Millisecond)
	w.reaches("the ban is over", "198.18.0.1", p2p, true)
	if n := tracked(); n != "0" {
		w.wrong("the kernel tracks %s connections", n)
	}
}

func tracked() string {
	return strings.TrimSpace(output("cat", "/proc/sys/net/netfilter/nf_conntrack_count"))
}

func TestAForgedFloodBansNobodyAndKeepsNoNewcomerOut(t *testing.T) { playAlone(t, "flood") }

func underFlood(w *world) {
	w.reaches("proven before", "198.18.7.7", p2p, true)
	begin := time.Now()
	var mu sync.Mutex
	atOnce, waves := 0, 0
	sent := w.attack(20_000, newSYN, func() {
		time.Sleep(500 * time.Millisecond)
		for range 3 {
			if took, err := w.connect("198.18.7.7", p2p, true, 900*time.Millisecond); err != nil {
				w.wrong("one who was served before: %v after %v", err, took)
			}
		}
		// A busy machine may hold the flood up just when they come, and nobody is above the limit then: more come.
		for ; waves < 5 && counter("syn_again") < 20; waves++ {
			var wg sync.WaitGroup
			for i := range 40 {
				wg.Go(func() {
					took, err := w.connect(fmt.Sprintf("198.19.%d.%d", 200+waves, i), p2p, true, 5*time.Second)
					mu.Lock()
					defer mu.Unlock()
					if err != nil {
						w.wrong("newcomer %d: %v", i, err)
					}
					if took < 900*time.Millisecond {
						atOnce++
					}
				})
			}
			wg.Wait()
		}
	})
	seconds := time.Since(begin).Seconds()
	if again := counter("syn_again"); again < 20 || again > 200*waves {
		w.wrong("%d packets came again", again)
	}
	// The burst, what is let in each second, and some room for clocks of a busy machine.
	most := int(1.2 * (400 + 400*seconds))
	if passed := sent - counter("syn_strangers"); sent < 10_000 || passed > most {
		w.wrong("%d sent, %d let in, wanted at most %d", sent, passed, most)
	}
	if atOnce == 40*waves {
		w.wrong("all newcomers were let in at once: the flood is none")
	}
	for set, name := range map[string]string{"banned": "bans", "banned_nets": "banned networks"} {
		if strings.Contains(output("nft", "list", "set", "inet", "icon_sentry", set), "elements") {
			w.wrong("a forged flood made %s", name)
		}
	}
	if n := strings.Count(output("nft", "list", "set", "inet", "icon_sentry", "proven"), "expires"); n > 40*waves+1 || tracked() != "0" {
		w.wrong("%d addresses are proven, %s connections tracked", n, tracked())
	}
}

func TestAFloodInOneAddressesNameKeepsNobodyElseOutAndThatOneWaitsASecond(t *testing.T) {
	playAlone(t, "oneSource")
}

func oneSource(w *world) {
	victim := netip.MustParseAddr("198.18.1.1")
	w.attack(5_000, func(s *sender) error {
		return s.tcp(victim, uint16(1024+rand.IntN(60000)), p2p, rand.Uint32(), syn, 0)
	}, func() {
		time.Sleep(500 * time.Millisecond)
		for i := range 5 {
			if took, err := w.connect(fmt.Sprintf("198.19.1.%d", i), p2p, true, 900*time.Millisecond); err != nil {
				w.wrong("another: %v after %v", err, took)
			}
		}
		if _, err := w.connect(victim.String(), p2p, true, 4*time.Second); err != nil {
			w.wrong("the one whose name is used: %v", err)
		}
	})
	if counter("syn_stranger") < 1000 || counter("syn_strangers") > 0 {
		w.wrong("of one %d, of all %d", counter("syn_stranger"), counter("syn_strangers"))
	}
}

func TestAFloodOfPacketsOfNoConnectionKeepsNoNewcomerOut(t *testing.T) { playAlone(t, "acks") }

func acks(w *world) {
	w.attack(20_000, func(s *sender) error {
		return s.tcp(forged(), uint16(1024+rand.IntN(60000)), p2p, rand.Uint32(), ack, 0)
	}, func() {
		time.Sleep(500 * time.Millisecond)
		for i := range 10 {
			if took, err := w.connect(fmt.Sprintf("198.19.1.%d", i), p2p, true, 900*time.Millisecond); err != nil {
				w.wrong("newcomer: %v after %v", err, took)
			}
		}
	})
	if counter("strangers") < 1000 {
		w.wrong("%d packets of no connection were dropped", counter("strangers"))
	}
}

func TestOnlyWhoWasSentDataIsProven(t *testing.T) { playAlone(t, "proven") }

func proven(w *world) {
	s, err := w.sender()
	if err != nil {
		w.wrong("%v", err)
		return
	}
	for range 5 {
		_ = s.tcp(netip.MustParseAddr("198.18.1.1"), 5000, p2p, 1, syn, 0)
		_ = s.tcp(netip.MustParseAddr("198.18.1.2"), 5000, p2p, 1, ack, 0)
	}
	if _, err := w.connect("198.18.1.3", p2p, false, time.Second); err != nil {
		w.wrong("%v", err)
	}
	w.reaches("one that asks", "198.18.1.4", p2p, true)
	time.Sleep(200 * time.Millisecond)
	for address, want := range map[string]bool{"198.18.1.1": false, "198.18.1.2": false, "198.18.1.3": false, "198.18.1.4": true} {
		if holds("proven", address) != want {
			w.wrong("%s is proven: %v, wanted %v", address, !want, want)
		}
	}
}

func TestOnlyPeersReachAPortThatIsTheirs(t *testing.T) { playAlone(t, "enforced") }

func enforced(w *world) {
	if err := put("peers", "198.18.3.0/24"); err != nil {
		w.wrong("%v", err)
	}
	w.reaches("not enforced", "198.18.1.1", p2p, true)
	if err := put("enforced", "7100"); err != nil {
		w.wrong("%v", err)
	}
	w.reaches("a stranger", "198.18.1.1", p2p, false)
	w.reaches("a stranger to the API", "198.18.1.1", api, true)
	w.reaches("a peer", "198.18.3.3", p2p, true)
	w.reaches("a user", "198.19.9.9", p2p, false)
	w.reaches("a user to the API", "198.19.9.9", api, true)
	if counter("enforced") < 2 {
		w.wrong("enforced %d", counter("enforced"))
	}
}

func TestNoiseIsDroppedOrMeansNothing(t *testing.T) { playAlone(t, "noise") }

func noise(w *world) {
	w.attack(20_000, func(s *sender) error {
		if rand.IntN(2) == 0 {
			// A piece of a packet that never becomes whole.
			return s.tcp(forged(), 5000, p2p, rand.Uint32(), ack, 0x2000|uint16(rand.IntN(100)))
		}
		p := make([]byte, 60)
		p[0], p[8], p[9] = 0x45, 64, []byte{1, 17}[rand.IntN(2)]
		from, to := forged().As4(), netip.MustParseAddr(sentryAddress).As4()
		copy(p[12:], from[:])
		copy(p[16:], to[:])
		p[20], p[22], p[23] = 8, p2p>>8, p2p&0xff
		return s.send(p)
	}, func() {
		time.Sleep(300 * time.Millisecond)
		w.reaches("in the noise", "198.19.1.1", p2p, true)
	})
	s, err := w.sender()
	if err != nil {
		w.wrong("%v", err)
		return
	}
	for _, flags := range []byte{0, fin, syn | ack, syn | fin, syn | rst, psh} {
		_ = s.tcp(netip.MustParseAddr("198.18.1.1"), 5000, p2p, 1, flags, 0)
	}
	time.Sleep(100 * time.Millisecond)
	if counter("malformed") != 6 || counter("fragments") < 100 {
		w.wrong("malformed %d, wanted 6; fragments %d", counter("malformed"), counter("fragments"))
	}
}

func TestAFloodInAPeersNameLeavesItsConnectionsAndLetsNewOnesInAfterASecond(t *testing.T) {
	playAlone(t, "known")
}

func known(w *world) {
	if err := put("peers", "198.18.3.3"); err != nil {
		w.wrong("%v", err)
	}
	w.attack(5_000, func(s *sender) error {
		return s.tcp(netip.MustParseAddr("198.18.3.3"), uint16(1024+rand.IntN(60000)), p2p, rand.Uint32(), syn, 0)
	}, func() {
		time.Sleep(500 * time.Millisecond)
		if _, err := w.connect("198.18.3.3", p2p, true, 4*time.Second); err != nil {
			w.wrong("the peer: %v", err)
		}
		if took, err := w.connect("198.18.1.1", p2p, true, 900*time.Millisecond); err != nil {
			w.wrong("a stranger: %v after %v", err, took)
		}
	})
	if counter("syn_known") < 1000 || holds("banned", "198.18.3.3") {
		w.wrong("above the limit %d", counter("syn_known"))
	}
}
