package honest

import (
	"bufio"
	"bytes"
	"context"
	"encoding/binary"
	"hash/fnv"
	"net"
	"net/netip"
	"strings"
	"testing"
)

func TestTheLoadGoesNowhereElse(t *testing.T) {
	inside := netip.MustParseAddrPort("10.70.0.11:9000")
	for _, c := range []Config{
		{API: netip.MustParseAddrPort("192.0.2.1:9000"), P2P: inside, Seconds: 1},
		{API: inside, P2P: netip.MustParseAddrPort("11.0.0.1:7100"), Seconds: 1},
		{API: inside, Seconds: 1},
		{API: inside, P2P: inside},
		{API: inside, P2P: inside, Seconds: 121},
	} {
		if _, err := Run(context.Background(), c); err == nil {
			t.Errorf("%+v is accepted", c)
		}
	}
}

func TestTheFirstPacketIsGoloops(t *testing.T) {
	p, err := FirstPacket("0xef7bd6")
	if err != nil {
		t.Fatal(err)
	}
	payload := []byte("\x94\xa6ef7bd6\xc4\x03\x01\x02\x03\xc4\x03\x01\x02\x03\xc4\x41\x04")
	if !bytes.HasPrefix(p, []byte{0, 0, 1, 0}) || !bytes.HasPrefix(p[30:], payload) {
		t.Errorf("%x", p)
	}
	length := int(binary.BigEndian.Uint32(p[26:30]))
	sum := fnv.New64a()
	_, _ = sum.Write(p[:30+length])
	if len(p) != 30+length+10 || binary.BigEndian.Uint64(p[30+length:]) != sum.Sum64() {
		t.Errorf("%d bytes, payload %d: %x", len(p), length, p)
	}
}

func TestNewcomersAreNeverTheSame(t *testing.T) {
	seen := map[netip.Addr]bool{}
	for seed := range uint64(10) {
		l := &load{config: Config{Seed: seed}}
		for n := range 600 {
			a := l.fresh(newcomers, n)
			if seen[a] || !newcomers.Contains(a) {
				t.Fatalf("load %d: %s comes again, or is of another network", seed, a)
			}
			seen[a] = true
		}
	}
	for _, a := range append(Victims(), nth(Users, 3), nth(Peers, 7), nth(wsStrangers, 250)) {
		if !IsHonest(a) || seen[a] {
			t.Errorf("%s is not honest, or a newcomer", a)
		}
	}
	if IsHonest(netip.MustParseAddr("10.130.0.1")) {
		t.Error("an attacker is honest")
	}
}

func TestABlockIsReadFromAWebSocket(t *testing.T) {
	long := `{"hash":"` + strings.Repeat("a", 300) + `"}`
	const refused = `{"code":-31005,"message":"too many monitor"}`
	for name, c := range map[string]struct{ bytes, problem string }{
		"a block":       {"\x81\x0a{\"code\":0}\x81\x0e{\"hash\":\"0xa\"}", ""},
		"a long block":  {"\x81\x7e" + string(binary.BigEndian.AppendUint16(nil, uint16(len(long)))) + long, ""},
		"too many":      {"\x81" + string(rune(len(refused))) + refused, "too many monitor"},
		"a goodbye":     {"\x88\x02\x03\xe8", "closed"},
		"half a frame":  {"\x81\x7e\x01", "closed without an answer"},
		"a giant frame": {"\x81\x7f\x00\x00\x00\x01\x00\x00\x00\x00", "frame of"},
	} {
		client, server := net.Pipe()
		go func() {
			_, _ = server.Write([]byte(c.bytes))
			_ = server.Close()
		}()
		err := plain((&subscription{client, bufio.NewReader(client)}).block())
		if (err == nil) != (c.problem == "") || err != nil && !strings.Contains(err.Error(), c.problem) {
			t.Errorf("%s: %v, wanted %q", name, err, c.problem)
		}
	}
}
