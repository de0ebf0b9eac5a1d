package attackers

import (
	"bufio"
	"bytes"
	"context"
	"encoding/hex"
	"net/netip"
	"strings"
	"testing"

	"github.com/insight-icon/pulumi-icon/tests/attack/honest"
)

func good() Target {
	return Target{
		P2P: netip.MustParseAddrPort("10.9.0.1:7100"), API: netip.MustParseAddrPort("10.9.0.2:9000"),
		Sources: netip.MustParsePrefix("10.50.0.0/16"), Channel: "icon_dex", CID: "0xea5a58", Seconds: 1,
	}
}

func TestATargetOutsideOfTheBoundsIsRefused(t *testing.T) {
	if err := good().check(); err != nil {
		t.Fatalf("a good target: %v", err)
	}
	for want, change := range map[string]func(*Target){
		"p2p is 192.0.2.1; wanted":             func(t *Target) { t.P2P = netip.MustParseAddrPort("192.0.2.1:7100") },
		"api is 11.0.0.1; wanted":              func(t *Target) { t.API = netip.MustParseAddrPort("11.0.0.1:9000") },
		"api is ::ffff:10.0.0.1; wanted":       func(t *Target) { t.API = netip.MustParseAddrPort("[::ffff:10.0.0.1]:9000") },
		"api is invalid IP; wanted":            func(t *Target) { t.API = netip.AddrPort{} },
		"port of p2p is 0":                     func(t *Target) { t.P2P = netip.MustParseAddrPort("10.9.0.1:0") },
		"sources is 172.16.0.0/16; wanted":     func(t *Target) { t.Sources = netip.MustParsePrefix("172.16.0.0/16") },
		"sources is 10.0.0.0/7; wanted":        func(t *Target) { t.Sources = netip.MustParsePrefix("10.0.0.0/7") },
		"sources is 10.50.0.0/28; wanted":      func(t *Target) { t.Sources = netip.MustParsePrefix("10.50.0.0/28") },
		"sources is invalid Prefix; wanted":    func(t *Target) { t.Sources = netip.Prefix{} },
		"a victim is 8.8.8.8; wanted":          func(t *Target) { t.Victims = []netip.Addr{netip.MustParseAddr("8.8.8.8")} },
		"seconds is 61; wanted 1 to 60":        func(t *Target) { t.Seconds = 61 },
		"seconds is 0; wanted 1 to 60":         func(t *Target) { t.Seconds = 0 },
		"rate is 300001; wanted":               func(t *Target) { t.Rate = 300_001 },
		"connections is 40001; wanted":         func(t *Target) { t.Connections = 40_001 },
		`channel is "a b"; wanted`:             func(t *Target) { t.Channel = "a b" },
		`cid is "ea5a58"; wanted`:              func(t *Target) { t.CID = "ea5a58" },
		`cid is "0x1234567890123456"; wanted`:  func(t *Target) { t.CID = "0x1234567890123456" },
		"seconds is -1; wanted 1 to 60":        func(t *Target) { t.Seconds = -1 },
		"connections is -5; wanted 0 to 40000": func(t *Target) { t.Connections = -5 },
	} {
		target := good()
		change(&target)
		for _, a := range All() {
			result, err := a.Run(context.Background(), target)
			if err == nil || !strings.Contains(err.Error(), want) || !strings.HasPrefix(err.Error(), "attack "+a.Name+": ") {
				t.Errorf("%s: %v; want %q", a.Name, err, want)
			}
			if result.Sent+result.Connected > 0 {
				t.Errorf("%s: something was sent: %+v", a.Name, result)
			}
		}
	}
}

func TestANetworkThatLeadsOutsideIsRefused(t *testing.T) {
	const head = "Iface\tDestination\tGateway\tFlags\tRefCnt\tUse\tMetric\tMask\tMTU\tWindow\tIRTT\n"
	route := func(device, to, mask string) string {
		return strings.Join([]string{device, to, "010200C0", "0003", "0", "0", "0", mask, "0", "0", "0"}, "\t") + "\n"
	}
	inside := route("inet", "0000460A", "00FFFFFF")
	for lines, want := range map[string]string{
		"":     "",
		inside: "",
		inside + route("eth0", "00000000", "00000000"): "route to 0.0.0.0/0 by eth0",
		route("eth0", "000200C0", "00FFFFFF"):          "route to 192.0.2.0/24 by eth0",
		route("eth0", "00000000", "00000080"):          "route to 0.0.0.0/1 by eth0",
		route("eth0", "0000000A", "000000FE"):          "route to 10.0.0.0/7 by eth0",
		"eth0\t0000000A\n":                             "wanted 8 fields",
		route("eth0", "numbers!", "000000FE"):          `has the address "numbers!"`,
	} {
		err := routesInside(strings.NewReader(head + lines))
		if want == "" && err != nil || want != "" && (err == nil || !strings.Contains(err.Error(), want)) {
			t.Errorf("%q: %v; want %q", lines, err, want)
		}
	}
}

func TestAttacksHaveNamesThatAreFound(t *testing.T) {
	seen := map[string]bool{}
	for _, a := range All() {
		if !isWord(a.Name) || seen[a.Name] || !strings.HasSuffix(a.About, ".") || a.Layer == "" {
			t.Errorf("%+v", a)
		}
		seen[a.Name] = true
		if found, err := Find(a.Name); err != nil || found.About != a.About {
			t.Errorf("%s: found %+v, %v", a.Name, found, err)
		}
	}
	for _, name := range strings.Fields("syn synfast synspoof synspoofvictim connflood connwide churn httpflood httplow slowloris slowbody " +
		"bigbody expensive batches ws wsslow p2pgarbage p2pidle p2preplay udpicmp mixed evasion") {
		if !seen[name] {
			t.Errorf("there is no attack %s", name)
		}
	}
	if _, err := Find("none"); err == nil || !strings.Contains(err.Error(), `attack "none": there is none; wanted one of syn, `) {
		t.Error(err)
	}
}

func TestSourcesAreDistinctAndFollowTheSeed(t *testing.T) {
	all := func(seed int64, choose func(*scene) *pool) []netip.Addr {
		target := good()
		target.Seed = seed
		s := newScene(context.Background(), target, "x")
		p := choose(s)
		var list []netip.Addr
		for i := range p.n {
			list = append(list, p.at(i))
		}
		if len(s.sources) != p.n || p.at(p.n) != list[0] {
			t.Errorf("%d addresses for %d workers", len(s.sources), p.n)
		}
		for a := range s.sources {
			if !target.Sources.Contains(a) {
				t.Errorf("%v is not an attacker's", a)
			}
		}
		return list
	}
	for name, choose := range map[string]func(*scene) *pool{
		"neighbours": func(s *scene) *pool { return s.neighbours(200) },
		"scattered":  func(s *scene) *pool { return s.scattered(5000) },
		"everything": func(s *scene) *pool { return s.scattered(1 << 20) },
	} {
		a, b, c := all(1, choose), all(1, choose), all(2, choose)
		if a[0] != b[0] || a[len(a)-1] != b[len(b)-1] || a[0] == c[0] {
			t.Errorf("%s: %v and %v for one seed, %v for another", name, a[0], b[0], c[0])
		}
	}
}

// recorded is goloop v1.4.4's own first packet, as a listener got it.
const recorded = "00000100d270c52d509daafbb60e6842a935275a0ee4893aff010000005594a6656135613538c403010203c403010203c44104cad2677d42ff" +
	"0076c113ca0a56243dacd5f7c4264a9e2c5783f5ba38e6129f60337add6dd874fc7e5fa836be33a2a4a02422be44cb73904c458eb57e14504b84c61d1dfb7177ce810000"

func TestPacketsAreAsGoloopSendsThem(t *testing.T) {
	want, err := hex.DecodeString(recorded)
	if err != nil {
		t.Fatal(err)
	}
	if got := packet(1, want[4:24], want[30:len(want)-10]); !bytes.Equal(got, want) {
		t.Errorf("got  %x\nwant %x", got, want)
	}
	first, err := honest.FirstPacket("0xea5a58")
	if err != nil {
		t.Fatal(err)
	}
	// All but the node's id, its key and the sum, which are another node's.
	same := func(from, to int) bool { return bytes.Equal(first[from:to], want[from:to]) }
	if len(first) != len(want) || !same(0, 4) || !same(24, 51) || !same(len(want)-2, len(want)) {
		t.Errorf("got  %x\nwant %x", first, want)
	}
}

func TestAnswersAreReadToTheirEnd(t *testing.T) {
	for text, want := range map[string]answer{
		"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok":                                         {200, false},
		"HTTP/1.1 200 OK\r\ncontent-length:2\r\nConnection: Close\r\n\r\nok":                     {200, true},
		"HTTP/1.1 429 Too Many\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0;x=y\r\n\r\n":    {429, false},
		"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: upgrade\r\n\r\n":  {101, false},
		"HTTP/1.1 204 No Content\r\n\r\n":                                                        {204, false},
		"HTTP/1.0 200 OK\r\n\r\nto the end of the connection":                                    {200, true},
		"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n":                                           {200, false},
		"HTTP/1.1 503 Service Unavailable\r\ncontent-length: 3\r\nconnection: close\r\n\r\nbusy": {503, true},
	} {
		got, err := readAnswer(bufio.NewReaderSize(strings.NewReader(text), 2048))
		if err != nil || got != want {
			t.Errorf("%q: %+v, %v; want %+v", text, got, err, want)
		}
	}
	for _, text := range []string{
		"", "HTTP/1.1 200", "SSH-2.0-OpenSSH_9.2\r\n\r\n", "HTTP/1.1 abc OK\r\n\r\n", "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nok",
		"HTTP/1.1 200 OK\r\nContent-Length: -5\r\n\r\n", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
		"HTTP/1.1 200 OK\r\nX: " + strings.Repeat("x", 4000) + "\r\n\r\n",
	} {
		if got, err := readAnswer(bufio.NewReaderSize(strings.NewReader(text), 2048)); err == nil {
			t.Errorf("%.60q: %+v; want an error", text, got)
		}
	}
}

func FuzzReadAnswer(f *testing.F) {
	f.Add([]byte("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"))
	f.Add([]byte("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n"))
	f.Add([]byte("HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\n\r\n"))
	f.Add([]byte("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n7fffffffffffffff\r\n"))
	f.Fuzz(func(t *testing.T, b []byte) {
		if a, err := readAnswer(bufio.NewReaderSize(bytes.NewReader(b), 64)); err == nil && a.status < -99 {
			t.Errorf("%q has the status %d", b, a.status)
		}
	})
}
