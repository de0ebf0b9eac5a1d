package sentry_test

import (
	"bytes"
	"fmt"
	"io"
	"maps"
	"net"
	"os"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/insight-icon/pulumi-icon/internal/sentry"
)

// firstPacket is goloop's first packet: a header of 30 bytes that begins with the protocol, then a msgpack array of four that begins
// with the chain id.
func firstPacket(protocol, channel string) []byte {
	packet := append([]byte(protocol), make([]byte, 26)...)
	packet = append(packet, 0x94, 0xa0|byte(len(channel)))
	return append(append(packet, channel...), 0x90, 0x90, 0x90)
}

const (
	handshake = "\x00\x00\x01\x00"
	p2p       = "127.0.0.1:7100"
)

var ours = firstPacket(handshake, "1ecbb6")

// firsts are what peers may begin with; those that pass must reach the P-Rep byte for byte. The others get a verdict.
var firsts = map[string]struct {
	bytes   []byte
	verdict string
}{
	"ours":            {ours, ""},
	"another network": {firstPacket(handshake, "1ecbb7"), "p2p-garbage"},
	"shorter id":      {firstPacket(handshake, "1ecbb"), "p2p-garbage"},
	"longer id":       {firstPacket(handshake, "1ecbb61"), "p2p-garbage"},
	"another packet":  {firstPacket("\x00\x00\x02\x00", "1ecbb6"), "p2p-garbage"},
	"HTTP":            {[]byte("GET / HTTP/1.1\r\nHost: localhost\r\nUser-Agent: nobody\r\n\r\n"), "p2p-garbage"},
	"TLS":             {append([]byte("\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"), make([]byte, 60)...), "p2p-garbage"},
	"half a header":   {[]byte(handshake + "\x00\x00"), "p2p-silent"},
	"nothing":         {nil, "p2p-silent"},
}

func p2pSettings() sentry.Settings {
	s := settings()
	s.CID = "0x1ecbb6"
	return s
}

func TestOnlyHandshakesForOurNetworkPass(t *testing.T) {
	if !inIsolation(t) {
		return
	}
	p := startHAProxy(t, p2pSettings(), nil, echo, nil)
	var wg sync.WaitGroup
	for i, name := range slices.Sorted(maps.Keys(firsts)) {
		first, source := firsts[name], fmt.Sprintf("127.0.2.%d", i+1)
		wg.Go(func() {
			want := first.bytes
			if first.verdict != "" {
				want = nil
			}
			if got := probe(t, source, first.bytes); !bytes.Equal(got, want) {
				t.Errorf("%s: the P-Rep got %q, wanted %q", name, got, want)
			}
			strikes := min(1, len(first.verdict))
			p.blamed(source, first.verdict, strikes)
		})
	}
	wg.Wait()
	if garbage, silent := p.gave("p2p-garbage"), p.gave("p2p-silent"); garbage != 6 || silent != 2 {
		t.Errorf("counted %d times garbage and %d times silence, wanted 6 and 2", garbage, silent)
	}
}

// probe sends a first packet and gives what comes back: everything, if the P-Rep was reached.
func probe(t *testing.T, source string, first []byte) []byte {
	t.Helper()
	conn := dial(t, source, p2p)
	defer func() { _ = conn.Close() }()
	// In two parts, as a slow network may bring them.
	for part := range slices.Chunk(first, max(1, len(first)*2/3)) {
		if _, err := conn.Write(part); err != nil {
			return nil
		}
		time.Sleep(50 * time.Millisecond)
	}
	// A connection that is still open after the 3 s of the filter, and silent, has not been cut.
	_ = conn.SetReadDeadline(time.Now().Add(5 * time.Second))
	back := make([]byte, max(1, len(first)))
	n, err := io.ReadFull(conn, back)
	if os.IsTimeout(err) {
		return []byte("still open")
	}
	return back[:n]
}

// shakes says whether somebody who opens a connection from there reaches the P-Rep; the connection stays.
func shakes(t *testing.T, source string) bool {
	t.Helper()
	conn := dial(t, source, p2p)
	_, _ = conn.Write(ours)
	_ = conn.SetReadDeadline(time.Now().Add(2 * time.Second))
	_, err := io.ReadFull(conn, make([]byte, len(ours)))
	return err == nil
}

// reached is how many of n connections from there reach the P-Rep.
func reached(t *testing.T, source string, n int) int {
	t.Helper()
	all := 0
	for range n {
		if shakes(t, source) {
			all++
		}
	}
	return all
}

// generous is a P-Rep that sends a true peer what makes it proven.
func generous(conn net.Conn) {
	first := make([]byte, len(ours))
	if _, err := io.ReadFull(conn, first); err == nil {
		_, _ = conn.Write(append(first, make([]byte, 8192)...))
		_, _ = io.Copy(io.Discard, conn)
	}
}

func TestStrangersStayWithinTheirShareOfThePRepAndKnownPeersAlwaysPass(t *testing.T) {
	if !inIsolation(t) {
		return
	}
	s := p2pSettings()
	s.Limits = sentry.Limits{P2PConnections: 22, P2PReserved: 6, P2PPerSource: 5, P2PNewPerSource: 10}.WithDefaults()
	p := startHAProxy(t, s, nil, generous, nil)
	_ = p.ask("add acl " + p.dir + "/peers.lst 127.0.9.0/24")

	// One that was never here has two places, and one that was has what is allowed.
	if n := reached(t, "127.0.0.5", 3); n != 2 {
		t.Errorf("a new peer has %d connections, wanted 2", n)
	}
	p.blamed("127.0.0.5", "p2p-concurrent", 1)
	was := dial(t, "127.0.0.7", p2p)
	_, _ = was.Write(ours)
	_, _ = io.CopyN(io.Discard, was, 8192)
	_ = was.Close()
	time.Sleep(200 * time.Millisecond)
	if n := reached(t, "127.0.0.7", 7); n != 5 {
		t.Errorf("one that was here before has %d connections, wanted 5", n)
	}
	p.blamed("127.0.0.7", "p2p-concurrent", 2)
	// A flood of new connections from one address.
	for range 12 {
		_ = dial(t, "127.0.0.6", p2p).Close()
	}
	time.Sleep(300 * time.Millisecond)
	if n := p.entry(sentry.BadTable, "127.0.0.6", "gpc0"); p.gave("p2p-new") == 0 || n < 2 {
		t.Errorf("a flood of connections has %d strikes", n)
	}
	// All strangers together take 16: seven are taken. A second connection comes in while there are no more than eight, a first while
	// there are no more than 14.
	_ = p.gave("p2p-stranger")
	all := 0
	for i := range 20 {
		all += reached(t, fmt.Sprintf("127.0.3.%d", i+1), 1)
	}
	if all != 7 {
		t.Errorf("%d more new strangers were let in, wanted 7", all)
	}
	if n := reached(t, "127.0.3.1", 1); n != 0 {
		t.Error("a second connection was let in while there is not even room for first ones")
	}
	if n := reached(t, "127.0.0.7", 1); n != 0 {
		t.Error("one source has a sixth connection")
	}
	if n := p.gave("p2p-stranger"); n != 21-all {
		t.Errorf("%d refusals for want of room were counted, wanted %d", n, 21-all)
	}
	if p.entry(sentry.BadTable, "127.0.3.20", "gpc0") != 0 {
		t.Error("who was refused for want of room is blamed for it")
	}
	if n := reached(t, "127.0.9.7", 6); n != 6 {
		t.Errorf("%d of 6 known peers were let in while strangers are refused", n)
	}
	// Enforced, no stranger comes in, and known peers do.
	_ = p.ask("add acl " + p.dir + "/enforce.lst on")
	if shakes(t, "127.0.4.1") || !shakes(t, "127.0.9.8") {
		t.Error("enforced: a stranger was let in, or a peer was not")
	}
}

func TestAKnownPeerTakesNoOthersPlace(t *testing.T) {
	if !inIsolation(t) {
		return
	}
	p := startHAProxy(t, p2pSettings(), nil, generous, nil)
	_ = p.ask("add acl " + p.dir + "/peers.lst 127.0.9.0/24")
	if n := reached(t, "127.0.9.7", 50); n != 40 {
		t.Errorf("one known peer has %d connections, wanted twice a stranger's 20", n)
	}
	if !shakes(t, "127.0.9.8") || p.entry(sentry.BadTable, "127.0.9.7", "gpc0") != 0 || p.gave("p2p-concurrent") != 10 {
		t.Errorf("another was refused, or the first has %d strikes", p.entry(sentry.BadTable, "127.0.9.7", "gpc0"))
	}
}

func TestAHealthCheckIsNeverBannedHoweverLongItGoesOn(t *testing.T) {
	if !inIsolation(t) {
		return
	}
	s := p2pSettings()
	s.Limits.BanStrikes = 5
	s.Limits = s.Limits.WithDefaults()
	// A minute is a second and a half here.
	p := startHAProxy(t, s, nil, echo, func(text string) string {
		text = replaced(t, text, "gpc0_rate(2m),bytes_out_rate(2m)", "gpc0_rate(3s),bytes_out_rate(3s)")
		return replaced(t, text, "expire 60s store gpt0,gpc0,gpc0_rate(60s)", "expire 1500ms store gpt0,gpc0,gpc0_rate(1500ms)")
	})
	for range 10 {
		_ = dial(t, "127.0.0.5", p2p).Close()
		time.Sleep(700 * time.Millisecond)
	}
	if n := p.entry(sentry.BadTable, "127.0.0.5", "gpc0"); n < 8 || !shakes(t, "127.0.0.5") {
		t.Errorf("one that only opens connections, two or three in a minute, has %d strikes and is not answered any more", n)
	}
	for range 20 {
		_ = dial(t, "127.0.0.6", p2p).Close()
	}
	time.Sleep(100 * time.Millisecond)
	if shakes(t, "127.0.0.6") {
		t.Error("one that does it 20 times at once is still answered")
	}
}

func TestARecordedFirstPacketHoldsNoPlaceForLongAndIsRecognised(t *testing.T) {
	if !inIsolation(t) {
		return
	}
	// The P-Rep answers the first packet and then waits for a signature.
	p := startHAProxy(t, p2pSettings(), nil, func(conn net.Conn) {
		_, _ = io.CopyN(conn, conn, int64(len(ours)))
		_, _ = io.Copy(io.Discard, conn)
	}, func(text string) string { return replaced(t, text, "timeout server 20s", "timeout server 1s") })
	held := dial(t, "127.0.0.5", p2p)
	_, _ = held.Write(ours)
	began := time.Now()
	go func() {
		// What the stranger sends does not keep it open.
		for range 40 {
			_, _ = held.Write([]byte{0})
			time.Sleep(100 * time.Millisecond)
		}
	}()
	_, _ = io.Copy(io.Discard, held)
	if took := time.Since(began); took > 3*time.Second {
		t.Errorf("a replayed handshake held its place for %s", took)
	}
	if n := reached(t, "127.0.0.6", 10); n != 2 {
		t.Errorf("a replayer has %d connections at once, wanted 2", n)
	}
	all := 2
	for range 4 {
		time.Sleep(2200 * time.Millisecond)
		all += reached(t, "127.0.0.6", 5)
	}
	if all > 10 {
		t.Errorf("%d replays of one source reached the P-Rep, wanted 10 at most", all)
	}
	if p.gave("p2p-silent") == 0 {
		t.Error("the replays were not recognised")
	}
	// Who has enough strikes is not even told.
	for range 25 {
		_ = dial(t, "127.0.0.6", p2p).Close()
	}
	before := p.entry(sentry.BadTable, "127.0.0.6", "gpc0")
	if before != 20 {
		t.Errorf("%d strikes, wanted the 20 after which nothing is counted any more", before)
	}
	// Known peers of the same behaviour are left alone.
	_ = p.ask("add acl " + p.dir + "/peers.lst 127.0.9.7")
	if n := reached(t, "127.0.9.7", 30); n != 30 || p.entry(sentry.BadTable, "127.0.9.7", "gpc0") != 0 {
		t.Errorf("%d of 30 connections of a known peer passed", n)
	}
}

// replaced is a text with one of its parts changed, which has to be there.
func replaced(t *testing.T, text, old, by string) string {
	t.Helper()
	if !bytes.Contains([]byte(text), []byte(old)) {
		t.Fatalf("%q is not in the configuration", old)
	}
	return string(bytes.ReplaceAll([]byte(text), []byte(old), []byte(by)))
}
