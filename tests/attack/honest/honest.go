// Package honest is the load of those whom the sentries are there for: registered users of the API and strangers among them,
// websockets, and validators that come to the P2P port. Each operation is timed from the moment at which it was due, so that a stall
// is not hidden by the operations that it kept from starting.
package honest

import (
	"context"
	"math/rand/v2"
	"net"
	"net/netip"
	"slices"
	"sync"
	"time"
)

// Kinds of operations.
const (
	// Known is a request of a registered user, Unknown of a stranger who asks again and again, Newcomer the first of a stranger who was
	// never seen.
	Known    = "known"
	Unknown  = "unknown"
	Newcomer = "newcomer"
	// WSKnown and WSUnknown open a websocket, wait for the next block and close it. WSKept is a block that came in time on one that
	// stays open.
	WSKnown   = "ws-known"
	WSUnknown = "ws-unknown"
	WSKept    = "ws-kept"
	// PeerKnown is a handshake that goloop answered for a registered address, PeerNew one for a new address each time.
	PeerKnown = "peer-known"
	PeerNew   = "peer-new"
	// VictimKept are requests of a registered user whose address attackers use in forged packets, on a kept connection; VictimNew are
	// those of him and of such a stranger on new ones.
	VictimKept = "victim-kept"
	VictimNew  = "victim-new"
)

// Kinds lists them in the order of reports.
func Kinds() []string {
	return []string{Known, Unknown, Newcomer, WSKnown, WSUnknown, WSKept, PeerKnown, PeerNew, VictimKept, VictimNew}
}

// Networks of the honest ones. All belong to the namespace that the load runs in.
var (
	// All holds the others.
	All = netip.MustParsePrefix("10.72.0.0/13")
	// Users are registered, Peers are on the list of peers. Strangers ask again and again.
	Users = netip.MustParsePrefix("10.73.0.0/24")
	Peers = netip.MustParsePrefix("10.75.0.0/24")

	Strangers    = netip.MustParsePrefix("10.74.0.0/24")
	wsStrangers  = netip.MustParsePrefix("10.74.1.0/24")
	newcomers    = netip.MustParsePrefix("10.72.0.0/16")
	peerNewcomes = netip.MustParsePrefix("10.76.0.0/16")
)

// Config of a load.
type Config struct {
	// API and P2P are where it goes. Only addresses in 10.0.0.0/8 are accepted.
	API, P2P netip.AddrPort
	// Channel of the API's paths and CID of the network.
	Channel, CID string
	// Seconds it lasts; at most 120.
	Seconds float64
	// NewcomerTimeout is how long strangers that were never seen wait. Default 5 s, room for two lost first packets.
	NewcomerTimeout time.Duration
	// Seed chooses the newcomers' addresses.
	Seed uint64
	// Only has one kind alone; empty: all.
	Only string
}

// Sample is one operation.
type Sample struct {
	Kind string `json:"k"`
	// At is when it was due, milliseconds since the load's start; Took how long after that it ended, in microseconds.
	At   int64 `json:"at"`
	Took int64 `json:"took"`
	// Problem is empty where it succeeded.
	Problem string `json:"p,omitempty"`
}

// stream is one kind of operation, so many in a second.
type stream struct {
	kind    string
	rate    float64
	timeout time.Duration
	op      func(ctx context.Context, n int) error
}

// Run applies the load and gives every operation, in the order in which they were due.
func Run(ctx context.Context, c Config) ([]Sample, error) {
	if err := c.check(); err != nil {
		return nil, err
	}
	l := &load{config: c, random: rand.New(rand.NewPCG(c.Seed, 1))}
	defer l.close()
	ctx, cancel := context.WithTimeout(ctx, time.Duration(c.Seconds*float64(time.Second))+10*time.Second)
	defer cancel()
	start := time.Now()
	var wg sync.WaitGroup
	for _, s := range l.streams() {
		if c.Only == "" || c.Only == s.kind {
			wg.Go(func() { l.play(ctx, start, s) })
		}
	}
	if c.Only == "" || c.Only == WSKept {
		wg.Go(func() { l.keepWebSocket(ctx, start) })
	}
	wg.Wait()
	slices.SortStableFunc(l.samples, func(a, b Sample) int { return int(a.At - b.At) })
	return l.samples, nil
}

func (l *load) streams() []stream {
	api := l.config
	late := api.NewcomerTimeout
	if late == 0 {
		late = 5 * time.Second
	}
	return []stream{
		{Known, 40, time.Second, func(ctx context.Context, n int) error { return l.call(ctx, nth(Users, n%4), n%5 == 0) }},
		{Unknown, 20, time.Second, func(ctx context.Context, n int) error { return l.call(ctx, nth(Strangers, n%5), n%25 >= 20) }},
		{Newcomer, 10, late, func(ctx context.Context, n int) error { return l.call(ctx, l.fresh(newcomers, n), true) }},
		{WSKnown, 1, 3 * time.Second, func(ctx context.Context, n int) error { return l.websocket(ctx, nth(Users, 10+n%4)) }},
		{WSUnknown, 1, 3 * time.Second, func(ctx context.Context, n int) error { return l.websocket(ctx, nth(wsStrangers, n)) }},
		{PeerKnown, 4, time.Second, func(ctx context.Context, n int) error { return l.peer(ctx, nth(Peers, n%8)) }},
		{VictimKept, 5, time.Second, func(ctx context.Context, n int) error { return l.call(ctx, Victims()[0], false) }},
		{VictimNew, 2, late, func(ctx context.Context, n int) error { return l.call(ctx, Victims()[n%2], true) }},
		{PeerNew, 2, late, func(ctx context.Context, n int) error { return l.peer(ctx, l.fresh(peerNewcomes, n)) }},
	}
}

type load struct {
	config  Config
	random  *rand.Rand
	mu      sync.Mutex
	samples []Sample
	clients map[netip.Addr]*client
	height  int64
}

// play starts a stream's operations when they are due, whether those before have ended or not.
func (l *load) play(ctx context.Context, start time.Time, s stream) {
	gap := time.Duration(float64(time.Second) / s.rate)
	var wg sync.WaitGroup
	for n := range int(l.config.Seconds * s.rate) {
		due := start.Add(time.Duration(n) * gap)
		if wait(ctx, due) != nil {
			break
		}
		wg.Go(func() {
			ctx, cancel := context.WithDeadline(ctx, due.Add(s.timeout))
			defer cancel()
			l.note(s.kind, start, due, s.op(ctx, n))
		})
	}
	wg.Wait()
}

func (l *load) note(kind string, start, due time.Time, err error) {
	s := Sample{Kind: kind, At: due.Sub(start).Milliseconds(), Took: time.Since(due).Microseconds()}
	if err != nil {
		s.Problem = err.Error()
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.samples = append(l.samples, s)
}

// fresh is an address of the network that no other operation of this load has.
func (l *load) fresh(of netip.Prefix, n int) netip.Addr {
	l.mu.Lock()
	defer l.mu.Unlock()
	// Loads follow one another in one arena: each begins somewhere else.
	return nth(of, 1+(int(l.config.Seed%61)*1009+n)%(1<<(32-of.Bits())-2))
}

func nth(of netip.Prefix, n int) netip.Addr {
	b := of.Masked().Addr().As4()
	v := uint32(b[0])<<24 | uint32(b[1])<<16 | uint32(b[2])<<8 | uint32(b[3])
	v += uint32(n%(1<<(32-of.Bits())-2)) + 1
	return netip.AddrFrom4([4]byte{byte(v >> 24), byte(v >> 16), byte(v >> 8), byte(v)})
}

func wait(ctx context.Context, until time.Time) error {
	t := time.NewTimer(time.Until(until))
	defer t.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-t.C:
		return nil
	}
}

func dialer(from netip.Addr) *net.Dialer {
	return &net.Dialer{LocalAddr: &net.TCPAddr{IP: from.AsSlice()}, KeepAlive: -1}
}

// Victims are a registered user and a stranger whose addresses attackers use in forged packets.
func Victims() []netip.Addr { return []netip.Addr{nth(Users, 200), nth(Strangers, 200)} }

// IsHonest says whether an address is of the honest ones: in the load's networks, or a validator's or a sentry's.
func IsHonest(a netip.Addr) bool { return All.Contains(a) || segment.Contains(a) }

// segment is the internet's part that sentries and validators are on.
var segment = netip.MustParsePrefix("10.70.0.0/24")
