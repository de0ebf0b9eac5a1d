package kerneltest_test

import (
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"os"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

func TestForgedAddressesThatFillTheSetOfStrangersLiftNoLimitOfPeers(t *testing.T) {
	playAlone(t, "full")
}

func full(w *world) {
	if err := put("peers", "198.18.3.3"); err != nil {
		w.wrong("%v", err)
	}
	// What 22,000 forged packets in a second make of it.
	var elements strings.Builder
	for i := range 65536 {
		fmt.Fprintf(&elements, "add element inet icon_sentry new_syns { 100.64.%d.%d timeout 1m }\n", i>>8, i&255)
	}
	path := os.Getenv(place) + "/elements.nft"
	if err := os.WriteFile(path, []byte(elements.String()), 0o600); err != nil {
		w.wrong("%v", err)
	}
	if err := sh("nft -f " + path); err != nil {
		w.wrong("%v", err)
	}
	sent := w.attack(5_000, inTheNameOf("198.18.3.3"), func() { time.Sleep(time.Second) })
	if sent < 2000 || counter("syn_known") < sent/2 {
		w.wrong("%d sent in a peer's name, %d above its limit", sent, counter("syn_known"))
	}
}

func inTheNameOf(address string) func(*sender) error {
	from := netip.MustParseAddr(address)
	return func(s *sender) error {
		return s.tcp(from, uint16(1024+rand.IntN(60000)), p2p, rand.Uint32(), syn, 0)
	}
}

func TestAFloodInTheNamesOfANetworkOfUsersHasALimitOfItsOwn(t *testing.T) { playAlone(t, "network") }

func networkOfUsers(w *world) {
	if err := put("users", "198.18.0.0/16"); err != nil {
		w.wrong("%v", err)
	}
	begin := time.Now()
	sent := w.attack(20_000, func(s *sender) error {
		from := netip.AddrFrom4([4]byte{198, 18, byte(rand.IntN(256)), byte(rand.IntN(256))})
		return s.tcp(from, uint16(1024+rand.IntN(60000)), api, rand.Uint32(), syn, 0)
	}, func() {
		time.Sleep(time.Second)
		w.reaches("a stranger", "198.19.1.1", api, true)
	})
	// Four times what strangers have, in the first moment and then in each second.
	most := int(1.2 * 1600 * (1 + time.Since(begin).Seconds()))
	if passed := sent - counter("syn_known"); sent < 2*most || passed > most {
		w.wrong("%d sent, %d let in, wanted at most %d", sent, passed, most)
	}
}

func TestWhereThePathIsNarrowItsErrorsComeThrough(t *testing.T) { playAlone(t, "narrow") }

// narrow has a router between say that packets to one who asks are too large.
func narrow(w *world) {
	const from = "198.18.5.5"
	s, err := w.sender()
	if err != nil {
		w.wrong("%v", err)
		return
	}
	told, err := unix.Socket(unix.AF_INET, unix.SOCK_RAW|unix.SOCK_CLOEXEC, unix.IPPROTO_ICMP)
	if err == nil {
		err = unix.SetsockoptTimeval(told, unix.SOL_SOCKET, unix.SO_RCVTIMEO, &unix.Timeval{Sec: 1})
	}
	if err != nil {
		w.wrong("%v", err)
		return
	}
	client, near := netip.MustParseAddr(from).As4(), netip.MustParseAddr(sentryAddress).As4()
	// An error of 10.9.0.2: "fragmentation needed", 1300 bytes, about a packet from the sentry's port to the client.
	p := make([]byte, 20+8+28)
	p[0], p[8], p[9] = 0x45, 64, unix.IPPROTO_ICMP
	copy(p[12:], []byte{10, 9, 0, 2})
	copy(p[16:], near[:])
	icmp := p[20:]
	icmp[0], icmp[1], icmp[6], icmp[7] = 3, 4, 1300>>8, 1300&0xff
	inner := icmp[8:]
	inner[0], inner[3], inner[8], inner[9] = 0x45, 40, 64, unix.IPPROTO_TCP
	copy(inner[12:], near[:])
	copy(inner[16:], client[:])
	binary.BigEndian.PutUint16(inner[20:], p2p)
	binary.BigEndian.PutUint16(inner[22:], 5000)
	sum := uint32(0)
	for i := 0; i < len(icmp); i += 2 {
		sum += uint32(binary.BigEndian.Uint16(icmp[i:]))
	}
	binary.BigEndian.PutUint16(icmp[2:], ^uint16(sum>>16+sum&0xffff))
	if err := s.send(p); err != nil {
		w.wrong("%v", err)
	}
	if n, _, err := unix.Recvfrom(told, make([]byte, 100), 0); err != nil || n != len(p) {
		w.wrong("the error about a connection that is not tracked did not come through: %d bytes, %v", n, err)
	}
}
