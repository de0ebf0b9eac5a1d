package attackers

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math/bits"
	"net/netip"
	"os"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// What no attack goes beyond.
const (
	mostSeconds     = 60
	mostConnections = 40_000
	mostRate        = 300_000
	// mostBytes is for all large bodies of one attack together.
	mostBytes = 2 << 30
)

// private is where everything is that an attack may reach.
var private = netip.MustParsePrefix("10.0.0.0/8")

func (t Target) check() error {
	var all []error
	inside := func(what string, a netip.Addr) {
		if !private.Contains(a) {
			all = append(all, fmt.Errorf("%s is %v; wanted an address inside %v: an attack reaches nothing else", what, a, private))
		}
	}
	within := func(what string, value, least, most int) {
		if value < least || value > most {
			all = append(all, fmt.Errorf("%s is %d; wanted %d to %d", what, value, least, most))
		}
	}
	inside("p2p", t.P2P.Addr())
	inside("api", t.API.Addr())
	within("the port of p2p", int(t.P2P.Port()), 1, 65535)
	within("the port of api", int(t.API.Port()), 1, 65535)
	if !t.Sources.IsValid() || !private.Contains(t.Sources.Addr()) || t.Sources.Bits() < private.Bits() || t.Sources.Bits() > 24 {
		all = append(all, fmt.Errorf("sources is %v; wanted a network of 256 addresses or more inside %v", t.Sources, private))
	}
	for _, v := range t.Victims {
		inside("a victim", v)
	}
	within("seconds", t.Seconds, 1, mostSeconds)
	within("rate", t.Rate, 0, mostRate)
	within("connections", t.Connections, 0, mostConnections)
	if !isWord(t.Channel) {
		all = append(all, fmt.Errorf("channel is %q; wanted letters, digits and _", t.Channel))
	}
	if cid, found := strings.CutPrefix(t.CID, "0x"); !found || len(cid) > 15 || !isWord(cid) {
		all = append(all, fmt.Errorf("cid is %q; wanted 0x and a hexadecimal number", t.CID))
	}
	return errors.Join(all...)
}

func isWord(text string) bool {
	return text != "" && strings.Trim(text, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_") == ""
}

// leadsNowhere refuses a network from which something outside of the private range can be reached: the machine's own, for example.
func leadsNowhere() error {
	file, err := os.Open("/proc/thread-self/net/route")
	if err != nil {
		return err
	}
	defer func() { _ = file.Close() }()
	return routesInside(file)
}

// routesInside reads the kernel's table of routes. (Addresses of the machine itself are in another.)
func routesInside(table io.Reader) error {
	lines := bufio.NewScanner(table)
	lines.Scan()
	for lines.Scan() {
		fields := strings.Fields(lines.Text())
		if len(fields) < 8 {
			return fmt.Errorf("the kernel's table of routes has the line %q; wanted 8 fields or more", lines.Text())
		}
		to, err1 := routeWord(fields[1])
		mask, err2 := routeWord(fields[7])
		if err := errors.Join(err1, err2); err != nil {
			return err
		}
		address := netip.AddrFrom4([4]byte(binary.BigEndian.AppendUint32(nil, to)))
		if length := bits.OnesCount32(mask); length < private.Bits() || !private.Contains(address) {
			return fmt.Errorf("there is a route to %v/%d by %s; wanted a network namespace whose routes all are inside %v: "+
				"attacks run in one that is made for them", address, length, fields[0], private)
		}
	}
	return lines.Err()
}

// routeWord reads an address as the kernel prints it there: the number that its bytes are on this machine.
func routeWord(text string) (uint32, error) {
	n, err := strconv.ParseUint(text, 16, 32)
	if err != nil {
		return 0, fmt.Errorf("the kernel's table of routes has the address %q: %w", text, err)
	}
	var b [4]byte
	binary.NativeEndian.PutUint32(b[:], uint32(n))
	return binary.BigEndian.Uint32(b[:]), nil
}

// openable is how many connections this process may hold: what is asked for, or as many as the system lets it have.
func openable(wanted int) int {
	const others = 200
	limit := unix.Rlimit{Cur: mostConnections + others, Max: mostConnections + others}
	var now unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &now); err != nil {
		return min(wanted, 500)
	}
	if now.Cur < limit.Cur {
		limit.Max = max(limit.Max, now.Max)
		if unix.Setrlimit(unix.RLIMIT_NOFILE, &limit) == nil {
			return min(wanted, mostConnections)
		}
		// Only root of the whole machine may raise the hard limit; the soft one up to it may be raised by all.
		now.Cur = now.Max
		_ = unix.Setrlimit(unix.RLIMIT_NOFILE, &now)
		_ = unix.Getrlimit(unix.RLIMIT_NOFILE, &now)
	}
	return max(1, min(wanted, mostConnections, int(min(now.Cur, 1<<20))-others))
}
