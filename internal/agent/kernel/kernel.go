// Package kernel keeps the sets of the table icon_sentry as they are wanted, over netlink. It makes no table and no rule: those are loaded
// by the host's own unit, and stay when the agent ends.
package kernel

import (
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"time"

	"github.com/google/nftables"
	"github.com/mdlayher/netlink"
	"golang.org/x/sys/unix"

	"github.com/insight-icon/pulumi-icon/internal/sentry"
)

const (
	// answerTime is how long the kernel may take for one question.
	answerTime = 5 * time.Second
	// sendBuffer takes a transaction with all bans that there may be: it has to be sent in one piece.
	sendBuffer = 32 << 20
	// mostElements are in one message of a transaction, whose length the kernel counts with 16 bits.
	mostElements = 500
	// slack is how much an element's end may differ from what is wanted: clocks and ticks are not exact, and a second more is no harm.
	slack = 2 * time.Second
	// moment is how close to its end an element is left to the kernel: deleting what is gone fails, and the transaction with it.
	moment = 100 * time.Millisecond
)

// ErrNoTable says that the table is not there.
var ErrNoTable = errors.New("the kernel has no table inet " + sentry.Table + "; load it with: systemctl restart icon-sentry-kernel")

// Want is what the sets are to hold.
type Want struct {
	// Peers and Users are known; Enforced are ports where only Peers are let in.
	Peers, Users []netip.Prefix
	Enforced     []uint16
	// Banned and BannedNets are let in again at the time given. No two of BannedNets overlap.
	Banned     map[netip.Addr]time.Time
	BannedNets map[netip.Prefix]time.Time
}

// have is what the sets hold, as far as is known.
type have struct {
	peers, users []span
	enforced     []uint16
	banned       map[uint32]time.Time
	nets         map[span]time.Time
}

// Table of the kernel. It is for one caller at a time.
type Table struct {
	table *nftables.Table
	// have is nil where it is not known, generation the ruleset's number when it was right.
	have       *have
	generation uint32
	// Filled counts how often the sets were written as a whole.
	Filled int
}

// New looks after the table in the network namespace of the calling process.
func New() *Table {
	return &Table{table: &nftables.Table{Name: sentry.Table, Family: nftables.TableFamilyINet}}
}

// conn is a connection for one question, so that none hangs and none is left open.
func conn() (*nftables.Conn, error) {
	return nftables.New(nftables.WithSockOptions(func(c *netlink.Conn) error {
		if err := c.SetWriteBuffer(sendBuffer); err != nil {
			return err
		}
		return c.SetDeadline(time.Now().Add(answerTime))
	}))
}

func (t *Table) set(name string) *nftables.Set {
	s := &nftables.Set{Table: t.table, Name: name, KeyType: nftables.TypeIPAddr}
	switch name {
	case sentry.SetPeers, sentry.SetUsers:
		s.Interval = true
	case sentry.SetEnforced:
		s.KeyType = nftables.TypeInetService
	case sentry.SetBanned:
		s.HasTimeout = true
	case sentry.SetBannedNets:
		s.Interval, s.HasTimeout = true, true
	}
	return s
}

// Apply brings the sets to what is wanted, in one transaction: a packet meets all of the old or all of the new. It notices when somebody
// else has changed the ruleset, as by making the table anew, and writes the sets as a whole then. Where nothing has changed, it costs one
// question to the kernel.
func (t *Table) Apply(want Want, now time.Time) error {
	current, err := generation()
	if err != nil {
		return t.explain(err)
	}
	if current != t.generation {
		t.have = nil
	}
	known := t.have != nil
	err = t.write(want, now, current)
	if err != nil && known {
		// An element that was to be deleted may have gone before its time.
		err = t.write(want, now, current)
	}
	if err != nil {
		return t.explain(err)
	}
	return nil
}

// Current tells whether the sets are as the last Apply left them, but for what has ended by itself since.
func (t *Table) Current() bool {
	current, err := generation()
	return err == nil && t.have != nil && current == t.generation
}

// write does it once. After an error nothing is taken for known.
func (t *Table) write(want Want, now time.Time, current uint32) error {
	c, err := conn()
	if err != nil {
		return fmt.Errorf("netlink: %w", err)
	}
	whole := t.have == nil
	next, changed, err := t.transaction(c, want, now)
	if err == nil && changed {
		err = c.Flush()
	}
	if err != nil {
		t.have = nil
		return fmt.Errorf("nftables: the sets of inet %s were not changed: %w", sentry.Table, err)
	}
	if whole {
		t.Filled++
	}
	t.have, t.generation = next, current
	if changed {
		// Each transaction counts as one. If there was another meanwhile, the next call sees a number that it does not know.
		t.generation++
	}
	return nil
}

// sets of the table that are kept.
func sets() []string {
	return []string{sentry.SetPeers, sentry.SetUsers, sentry.SetEnforced, sentry.SetBanned, sentry.SetBannedNets}
}

// transaction puts into c what leads from what the kernel has to what is wanted.
func (t *Table) transaction(c *nftables.Conn, want Want, now time.Time) (next *have, changed bool, err error) {
	old := t.have
	if old == nil {
		old, changed = &have{}, true
		for _, name := range sets() {
			c.FlushSet(t.set(name))
		}
	}
	next = &have{peers: spansOf(want.Peers), users: spansOf(want.Users), enforced: slices.Sorted(slices.Values(want.Enforced))}
	replace := func(name string, all []nftables.SetElement) {
		s := t.set(name)
		c.FlushSet(s)
		err = errors.Join(err, add(c, s, all))
		changed = true
	}
	for _, s := range []struct {
		name      string
		old, next []span
	}{{sentry.SetPeers, old.peers, next.peers}, {sentry.SetUsers, old.users, next.users}} {
		if !slices.Equal(s.old, s.next) {
			var all []nftables.SetElement
			for _, x := range s.next {
				all = append(all, x.elements(nftables.SetElement{})...)
			}
			replace(s.name, all)
		}
	}
	if !slices.Equal(old.enforced, next.enforced) {
		var all []nftables.SetElement
		for _, port := range next.enforced {
			all = append(all, nftables.SetElement{Key: []byte{byte(port >> 8), byte(port)}}) //nolint:gosec // both halves
		}
		replace(sentry.SetEnforced, all)
	}
	addresses := map[uint32]time.Time{}
	for a, end := range want.Banned {
		addresses[number(a)] = end
	}
	nets := map[span]time.Time{}
	for p, end := range want.BannedNets {
		nets[spanOf(p)] = end
	}
	one := func(n uint32, e nftables.SetElement) []nftables.SetElement {
		e.Key = key(n)
		return []nftables.SetElement{e}
	}
	var more bool
	var wrong error
	next.banned, more, wrong = timed(c, t.set(sentry.SetBanned), old.banned, addresses, now, one)
	changed, err = changed || more, errors.Join(err, wrong)
	next.nets, more, wrong = timed(c, t.set(sentry.SetBannedNets), old.nets, nets, now, span.elements)
	return next, changed || more, errors.Join(err, wrong)
}

// timed puts into c what leads from the elements that a set has, and their ends, to those that are wanted.
func timed[K comparable](c *nftables.Conn, s *nftables.Set, old, want map[K]time.Time, now time.Time,
	elements func(K, nftables.SetElement) []nftables.SetElement,
) (next map[K]time.Time, changed bool, err error) {
	next = make(map[K]time.Time, len(want))
	var gone, come []nftables.SetElement
	for k, end := range old {
		wanted, is := want[k]
		if is && end.Sub(wanted).Abs() <= slack {
			next[k] = end
			continue
		}
		if left := end.Sub(now); left > moment {
			gone = append(gone, elements(k, nftables.SetElement{})...)
		} else if left > 0 {
			next[k] = end
		}
	}
	for k, end := range want {
		if _, kept := next[k]; kept || !end.After(now) {
			continue
		}
		come = append(come, elements(k, nftables.SetElement{Timeout: end.Sub(now)})...)
		next[k] = end
	}
	for part := range slices.Chunk(gone, mostElements) {
		err = errors.Join(err, c.SetDeleteElements(s, part))
	}
	return next, len(gone)+len(come) > 0, errors.Join(err, add(c, s, come))
}

func add(c *nftables.Conn, s *nftables.Set, all []nftables.SetElement) error {
	for part := range slices.Chunk(all, mostElements) {
		if err := c.SetAddElements(s, part); err != nil {
			return fmt.Errorf("nftables: set %s: %w", s.Name, err)
		}
	}
	return nil
}

// explain says that there is no table where that is why something failed.
func (t *Table) explain(err error) error {
	c, wrong := conn()
	if wrong != nil {
		return err
	}
	tables, wrong := c.ListTablesOfFamily(nftables.TableFamilyINet)
	if wrong != nil {
		if errors.Is(wrong, unix.EPERM) {
			return fmt.Errorf("nftables: %w: CAP_NET_ADMIN is needed", wrong)
		}
		return err
	}
	if slices.ContainsFunc(tables, func(x *nftables.Table) bool { return x.Name == sentry.Table }) {
		return err
	}
	return ErrNoTable
}
