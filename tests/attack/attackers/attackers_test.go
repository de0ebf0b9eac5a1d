package attackers_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/insight-icon/pulumi-icon/tests/attack/attackers"
	"github.com/insight-icon/pulumi-icon/tests/host"
)

// The environment variable that has the test's own binary attack a stand-in of its own, in the isolated place.
const playAttack = "ICON_TEST_PLAY_ATTACK"

// overTLS, behind an attack's name, has the stand-in's API speak TLS.
const overTLS = " over TLS"

func TestMain(m *testing.M) {
	if name := os.Getenv(playAttack); name != "" {
		if err := play(name); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	os.Exit(m.Run())
}

var (
	victims = []netip.Addr{netip.MustParseAddr("10.73.0.1"), netip.MustParseAddr("10.75.0.9")}
	private = netip.MustParsePrefix("10.0.0.0/8")
	network = netip.MustParsePrefix("10.50.0.0/16")
)

// held is the number of connections in these tests: few enough for a busy machine.
const held = 60

func target() attackers.Target {
	return attackers.Target{
		P2P: netip.MustParseAddrPort("10.9.0.1:7100"), API: netip.MustParseAddrPort("10.9.0.1:9000"), Sources: network, Victims: victims,
		Channel: "icon_dex", CID: "0xea5a58", Seconds: 1, Seed: 7, Rate: 4000, Connections: held,
	}
}

// report is what an attack did to the stand-in.
type report struct {
	Result attackers.Result
	Met    *standIn
	// Took is how long an attack of a second lasted, Stopped how long one went on that was told to stop.
	Took, Stopped time.Duration
	// Left are files and goroutines that were not there before.
	Files, Goroutines int
	// BadSums is the kernel's own count of TCP segments with a wrong checksum; Tables are nftables' afterwards.
	BadSums, Tables string
}

// play runs in the isolated place: one attack to its end, and the same once more, stopped early.
func play(name string) error {
	t := target()
	longer := strings.Fields("httplow synspooftwice slowloris slowbody wsslow evasion mixed")
	if strings.HasSuffix(name, overTLS) || slices.Contains(longer, name) {
		t.Seconds = 3
	}
	name, t.TLS = strings.CutSuffix(name, overTLS)
	if name == "bigbody" {
		t.Connections = 20
	}
	attack, err := attackers.Find(name)
	if err != nil {
		return err
	}
	var r report
	// What the runtime opens once, for its first socket, is no leak.
	warm, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		return err
	}
	_ = warm.Close()
	files, goroutines := open(), runtime.NumGoroutine()
	r.Met = newStandIn()
	stop, err := r.Met.serve(t.P2P, t.API, t.TLS)
	if err != nil {
		return err
	}
	began := time.Now()
	if r.Result, err = attack.Run(context.Background(), t); err != nil {
		return err
	}
	r.Took = time.Since(began) - time.Duration(t.Seconds-1)*time.Second
	stop()
	time.Sleep(50 * time.Millisecond)
	if r.Stopped, err = stopped(attack, t); err != nil {
		return err
	}
	for range 100 {
		if r.Files, r.Goroutines = open()-files, runtime.NumGoroutine()-goroutines; r.Files <= 0 && r.Goroutines <= 0 {
			break
		}
		time.Sleep(50 * time.Millisecond)
	}
	tables, err := exec.Command("nft", "list", "tables").Output()
	if err != nil {
		return err
	}
	r.Tables = string(tables)
	if r.BadSums, err = badSums(); err != nil {
		return err
	}
	r.Met.mu.Lock()
	defer r.Met.mu.Unlock()
	return json.NewEncoder(os.Stdout).Encode(r)
}

// stopped gives the time from the word to stop to the end.
func stopped(attack attackers.Attack, t attackers.Target) (time.Duration, error) {
	met := newStandIn()
	stop, err := met.serve(t.P2P, t.API, t.TLS)
	if err != nil {
		return 0, err
	}
	defer stop()
	t.Seconds = 60
	ctx, cancel := context.WithCancel(context.Background())
	var at time.Time
	time.AfterFunc(500*time.Millisecond, func() { at = time.Now(); cancel() })
	began := time.Now()
	if _, err = attack.Run(ctx, t); time.Since(began) < 400*time.Millisecond {
		return 0, err
	}
	return max(0, time.Since(at)), err
}

func open() int {
	// The directory that is read is itself one of them, in each call.
	entries, _ := os.ReadDir("/proc/self/fd")
	return len(entries)
}

func badSums() (string, error) {
	text, err := os.ReadFile("/proc/net/snmp")
	if err != nil {
		return "", err
	}
	var names []string
	for line := range strings.Lines(string(text)) {
		fields := strings.Fields(line)
		if fields[0] != "Tcp:" {
			continue
		}
		if names == nil {
			names = fields
			continue
		}
		for i, name := range names {
			if name == "InCsumErrors" {
				return fields[i], nil
			}
		}
	}
	return "", fmt.Errorf("the kernel says nothing of wrong checksums:\n%s", text)
}

// isolated runs one attack in a network of its own.
func isolated(t *testing.T, name, prepare string) ([]byte, string, error) {
	t.Helper()
	cmd := host.Isolated("sh", "-c", "ip link set lo up && ip address add 10.9.0.1/32 dev lo && ip route add local "+network.String()+
		` dev lo && `+prepare+` exec "$0"`, os.Args[0])
	cmd.Env = append(os.Environ(), playAttack+"="+name)
	var out, log bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &log
	err := cmd.Run()
	return out.Bytes(), log.String(), err
}

// expectations say what each attack does to who has no defence.
var expectations = map[string]func(attackers.Result, *standIn) bool{
	"syn": func(r attackers.Result, s *standIn) bool {
		// The kernel believes them, and is not told otherwise until the attack is over.
		return s.Packets.SYNs > 1000 && s.Packets.Resets < s.Packets.SYNs/4 && s.Packets.SYNACKs > 500 && r.Sources == 200 && s.own(200, 200)
	},
	"synfast": func(r attackers.Result, s *standIn) bool {
		return s.Packets.SYNs > 1000 && s.Packets.Resets < s.Packets.SYNs/4 && r.Sources == 4000 && s.own(1000, 4000)
	},
	"synspoof": func(r attackers.Result, s *standIn) bool {
		return s.Packets.SYNs > 1000 && len(s.Packets.From) > 1000 && s.Packets.Again == 0 && s.none(private) && r.Sources == 0
	},
	"synspoofvictim": func(_ attackers.Result, s *standIn) bool {
		return s.Packets.SYNs > 1000 && len(s.Packets.From) == 2 && s.Packets.From[victims[0]] > 500 && s.Packets.From[victims[1]] > 500
	},
	"synspooftwice": func(_ attackers.Result, s *standIn) bool {
		return s.Packets.SYNs > 1000 && s.Packets.Again > 500 && s.none(private)
	},
	"ackflood": func(_ attackers.Result, s *standIn) bool { return s.Packets.ACKs > 1000 && len(s.Packets.From) > 1000 },
	"udpicmp": func(r attackers.Result, s *standIn) bool {
		return s.Packets.UDP > 1000 && s.Packets.Echoes > 500 && r.Sources == 500 && s.own(400, 501)
	},
	"connflood": func(r attackers.Result, s *standIn) bool {
		return s.API == 2*held/3 && s.P2P == held/3 && r.Held == held && len(s.Sources) == held && s.Bytes == 0 && s.networks() <= 3
	},
	"connwide": func(r attackers.Result, s *standIn) bool {
		return s.API == 2*held/3 && s.P2P == held/3 && r.Held == held && len(s.Sources) == held && s.Bytes == 0 && s.networks() > held/2
	},
	"churn": func(r attackers.Result, s *standIn) bool {
		return s.Packets.SYNs > 500 && s.Packets.Resets > 500 && s.API > 200 && s.P2P > 200 && s.Bytes == 0 && r.Held <= 128
	},
	"httpflood": func(r attackers.Result, s *standIn) bool {
		return r.Answered > 500 && s.Paths["POST /api/v3/icon_dex"] >= int(r.Answered) && len(s.Sources) == held && s.API == held
	},
	"httplow": func(r attackers.Result, s *standIn) bool {
		// 4 times in each of 3 seconds.
		return r.Answered >= held*8 && r.Answered <= held*13 && len(s.Sources) == held && s.API == held
	},
	"slowloris": func(r attackers.Result, s *standIn) bool {
		return s.API == held && len(s.Paths) == 0 && s.Bytes > held*70 && s.Bytes < held*90 && r.Held == held
	},
	"slowbody": func(r attackers.Result, s *standIn) bool {
		return s.API == held && len(s.Paths) == 0 && s.Bytes > held*100 && s.Bytes < held*120 && r.Held == held
	},
	"bigbody": func(r attackers.Result, s *standIn) bool {
		// 20 of them, no more than once in a second.
		return s.Bytes > 50<<20 && s.Bytes <= 421<<20 && len(s.Sources) == 20 && r.Bytes >= s.Bytes
	},
	"expensive": func(r attackers.Result, s *standIn) bool {
		return s.Paths["POST /api/v3d/icon_dex"] > 0 && s.Paths["GET /metrics"] > 0 && s.Paths["GET /admin/chain"] > 0 && r.Answered > 100
	},
	"batches": func(r attackers.Result, s *standIn) bool {
		return s.Largest > 30_000 && s.Largest < 200_000 && r.Answered > 50 && len(s.Sources) == held
	},
	"ws": func(r attackers.Result, s *standIn) bool {
		return s.WebSockets == held && s.Frames == held && r.Answered == held && len(s.Sources) == held
	},
	"wsslow": func(r attackers.Result, s *standIn) bool {
		return s.WebSockets == held && s.Frames > held && r.Held == held && s.Paths["GET /api/v3/icon_dex/block"] == held
	},
	"httpflood over TLS": func(r attackers.Result, s *standIn) bool {
		return r.Answered > held && s.Paths["POST /api/v3/icon_dex"] >= int(r.Answered) && len(s.Sources) == held && s.API == held
	},
	"slowbody over TLS": func(r attackers.Result, s *standIn) bool {
		return s.API == held && len(s.Paths) == 0 && r.Bytes > held*100 && r.Bytes < held*120 && r.Held == held
	},
	"ws over TLS": func(r attackers.Result, s *standIn) bool {
		return s.WebSockets == held && s.Frames == held && r.Answered == held && len(s.Sources) == held
	},
	"p2pgarbage": func(_ attackers.Result, s *standIn) bool {
		return s.P2P > 2*held && len(s.Sources) == held && len(s.Firsts) > held/2 && s.Firsts["GET / HT"] > 20
	},
	"p2pidle": func(_ attackers.Result, s *standIn) bool {
		return s.P2P == held && s.Bytes == 0 && len(s.Sources) == held
	},
	"p2preplay": func(r attackers.Result, s *standIn) bool {
		// The same packet from all, and the answer awaited.
		return s.P2P == held && len(s.Firsts) == 1 && r.Answered == held && r.Held == held
	},
	"p2psign": func(r attackers.Result, s *standIn) bool {
		return s.Firsts["then \x00\x00\x03\x00"] > held && r.Answered >= held && len(s.Sources) == held
	},
	"evasion": func(r attackers.Result, _ *standIn) bool {
		return len(r.Evaded) == int(r.Answered) && slices.Contains(r.Evaded, "GET /metrics") && slices.Contains(r.Evaded, "a batch of 11") &&
			!slices.Contains(r.Evaded, "allowed, X-Original-URL: /metrics") && r.Failed == 0 && r.Sources == int(r.Sent)+1
	},
	"mixed": func(_ attackers.Result, s *standIn) bool {
		return s.Packets.SYNs > 1000 && s.WebSockets > 50 && s.P2P > 100 && s.Paths["GET /metrics"] > 0 && s.Paths["POST /api/v3/icon_dex"] > 500
	},
}

// own tells whether packets came from so many of the attackers' addresses, and from no others but the target's own.
func (s *standIn) own(least, most int) bool {
	for a := range s.Packets.From {
		if !network.Contains(a) && a != target().API.Addr() {
			return false
		}
	}
	return len(s.Packets.From) >= least && len(s.Packets.From) <= most
}

func (s *standIn) none(of netip.Prefix) bool {
	for a := range s.Packets.From {
		if of.Contains(a) {
			return false
		}
	}
	return true
}

// networks counts the /24 that connections came from.
func (s *standIn) networks() int {
	all := map[netip.Prefix]bool{}
	for a := range s.Sources {
		p, _ := a.Prefix(24)
		all[p] = true
	}
	return len(all)
}

func TestEveryAttackDoesWhatItSaysAndEnds(t *testing.T) {
	// Most of them wait most of the time, so that more than one goes on for each processor.
	free := make(chan struct{}, 4)
	type outcome struct {
		out []byte
		log string
		err error
	}
	attacks := attackers.All()
	for _, name := range []string{"httpflood", "slowbody", "ws"} {
		a, err := attackers.Find(name)
		if err != nil {
			t.Fatal(err)
		}
		a.Name += overTLS
		attacks = append(attacks, a)
	}
	outcomes := map[string]chan outcome{}
	for _, a := range attacks {
		c := make(chan outcome, 1)
		outcomes[a.Name] = c
		go func() {
			free <- struct{}{}
			out, log, err := isolated(t, a.Name, "")
			<-free
			c <- outcome{out, log, err}
		}()
	}
	for _, a := range attacks {
		t.Run(a.Name, func(t *testing.T) {
			o := <-outcomes[a.Name]
			if o.err != nil {
				t.Fatalf("%v\n%s", o.err, o.log)
			}
			r := report{Met: newStandIn()}
			if err := json.Unmarshal(o.out, &r); err != nil {
				t.Fatalf("%v\n%s", err, o.out)
			}
			checkReport(t, a, r)
		})
	}
}

func TestAnAttackOnANetworkThatLeadsOutsideSendsNothing(t *testing.T) {
	out, log, err := isolated(t, "syn", "ip route add 192.0.2.0/24 dev lo &&")
	if err == nil || !strings.Contains(log, "attack syn: there is a route to 192.0.2.0/24 by lo; wanted a network namespace whose routes") {
		t.Errorf("%v\n%s\n%s", err, log, out)
	}
}

func checkReport(t *testing.T, a attackers.Attack, r report) {
	t.Helper()
	check := expectations[a.Name]
	if check == nil {
		t.Fatal("nothing says what this attack does")
	}
	met, p := r.Met, r.Met.Packets
	r.Result.Used = nil
	summary := fmt.Sprintf("%+v; met: %d P2P and %d API connections from %d sources, %d bytes, largest body %d, paths %v, %d websockets, "+
		"%d frames, %d kinds of first bytes; packets: %d SYNs, %d again, %d ACKs, %d resets, %d UDP, %d echoes from %d sources, %d SYN-ACKs",
		r.Result, met.P2P, met.API, len(met.Sources), met.Bytes, met.Largest, met.Paths, met.WebSockets, met.Frames, len(met.Firsts), p.SYNs,
		p.Again, p.ACKs, p.Resets, p.UDP, p.Echoes, len(p.From), p.SYNACKs)
	if !check(r.Result, r.Met) {
		t.Errorf("did not what it says: %s", summary)
	}
	if a.Layer == attackers.LayerPackets && p.BadSums > 0 || r.BadSums != "0" {
		t.Errorf("%d packets had a wrong checksum, and %s for the kernel", p.BadSums, r.BadSums)
	}
	// Only the probes can be done before the time is over.
	if r.Took > 2500*time.Millisecond || r.Took < 900*time.Millisecond && a.Name != "evasion" {
		t.Errorf("a second's attack took %v", r.Took)
	}
	if r.Stopped > 1500*time.Millisecond {
		t.Errorf("went on for %v when told to stop", r.Stopped)
	}
	if r.Files > 0 || r.Goroutines > 0 || r.Tables != "" {
		t.Errorf("left %d files, %d goroutines and the tables %q", r.Files, r.Goroutines, r.Tables)
	}
	t.Logf("stopped after %v", r.Stopped)
}
