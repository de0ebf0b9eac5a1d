// Package bans decides who is banned, for how long, and can say why. It has no effects: what it wants is put into the kernel by others.
package bans

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/insight-icon/pulumi-icon/internal/sentry"
)

const (
	// most is how many sources are remembered, banned now or before.
	most = 100_000
	// memory is for how long a ban that has ended makes the next one longer.
	memory = 24 * time.Hour
	// longer is how much longer each further ban of a source lasts.
	longer = 4
	// widest is the shortest prefix that may be banned by hand, longest the longest time.
	widest  = 8
	longest = 30 * 24 * time.Hour
	// around is the prefix of a network whose addresses are banned together.
	around = 24
)

// Names of what is no verdict of a proxy.
const (
	// ByHand is the rule of a ban that an operator made.
	ByHand = "by-hand"
	// Network is the rule of a ban that many bans of one network made.
	Network = "network"
)

// Rules say when a source is banned, and for how long.
type Rules struct {
	// Strikes is how many limits a source may meet.
	Strikes int
	// First is how long a first ban lasts, Max how long any.
	First, Max time.Duration
	// Network is how many addresses of a /24 have to be banned at once for all of it to be.
	Network int
}

// Ban of a source, now or before.
type Ban struct {
	// Source is an address (/32) or a network.
	Source netip.Prefix `json:"source"`
	// Rule is a Verdict's name, ByHand or Network. Why says it for people.
	Rule string `json:"rule"`
	Why  string `json:"why"`
	// Strikes is how many limits the source has met; of a network, how many of its addresses were banned.
	Strikes int `json:"strikes"`
	// Times is how often it was banned, this one included, with no more than a day in between.
	Times int `json:"times"`
	// FirstSeen and LastSeen are when the source's strikes were seen.
	FirstSeen time.Time `json:"firstSeen"`
	LastSeen  time.Time `json:"lastSeen"`
	// Since and Ends bound the ban.
	Since time.Time `json:"since"`
	Ends  time.Time `json:"ends"`
}

// Name of the source as people write it: an address has no prefix.
func (b Ban) Name() string { return Name(b.Source) }

// Name of a source as people write it.
func Name(p netip.Prefix) string {
	if p.IsSingleIP() {
		return p.Addr().String()
	}
	return p.String()
}

// Parse reads an IPv4 address or network.
func Parse(text string) (netip.Prefix, error) {
	a, err := netip.ParseAddr(text)
	p := netip.PrefixFrom(a, 32)
	if err != nil {
		p, err = netip.ParsePrefix(text)
	}
	if err != nil || !p.Addr().Is4() {
		return netip.Prefix{}, fmt.Errorf("%q is no IPv4 address or network; wanted one like 203.0.113.7 or 203.0.113.0/24", text)
	}
	if p != p.Masked() {
		return netip.Prefix{}, fmt.Errorf("%q has bits set beyond its prefix; wanted %s", text, p.Masked())
	}
	return p, nil
}

// ErrNotBanned says that there is nothing to lift.
var ErrNotBanned = errors.New("is not banned")

// Book of all bans. It is for one caller at a time.
type Book struct {
	rules Rules
	known known
	// all has the bans of now and of the last day.
	all map[netip.Prefix]*Ban
	// crowd counts, for each network, its addresses that are banned now and not by hand.
	crowd map[netip.Prefix]int
	// settle are addresses whose strikes HAProxy has to forget before they count again.
	settle map[netip.Addr]bool
	// next is when something ends, swept when room was last looked for.
	next, swept time.Time
	version     uint64
	// made counts bans by their rule, refused those for which there was no room.
	made    map[string]uint64
	refused uint64
}

// New is an empty book.
func New(rules Rules) *Book {
	return &Book{
		rules: rules, all: map[netip.Prefix]*Ban{}, crowd: map[netip.Prefix]int{}, settle: map[netip.Addr]bool{}, made: map[string]uint64{},
	}
}

// Version changes with every change of what is wanted or has to be kept.
func (b *Book) Version() uint64 { return b.version }

// SetKnown says who is never banned. Who is, is let in.
func (b *Book) SetKnown(prefixes []netip.Prefix, now time.Time) {
	b.Advance(now)
	b.known = newKnown(prefixes)
	b.version++
	for p := range b.all {
		if b.known.covers(p) {
			b.lift(p, now)
		}
	}
}

// Observe takes that a source has met so many limits, lately this one. What was counted before its last ban ended has to be forgotten first
// (Settle), so that no strike counts twice.
func (b *Book) Observe(source netip.Addr, verdict sentry.Verdict, strikes int, now time.Time) {
	b.Advance(now)
	if !source.Is4() || strikes < b.rules.Strikes || b.settle[source] || b.known.contains(source) {
		return
	}
	p := netip.PrefixFrom(source, 32)
	ban := b.all[p]
	if ban != nil && ban.Ends.After(now) {
		// What was under way when the ban came.
		if strikes > ban.Strikes && ban.Rule == verdict.Name {
			ban.Strikes, ban.LastSeen = strikes, now
		}
		return
	}
	why := fmt.Sprintf("%d limits met within a minute, the last: %s", strikes, verdict.What)
	if !b.begin(p, verdict.Name, why, strikes, now) {
		return
	}
	net := networkOf(p)
	b.crowd[net]++
	if n := b.crowd[net]; n >= b.rules.Network && !b.active(net, now) {
		b.begin(net, Network, fmt.Sprintf("%d of its addresses were banned at once, the last: %s", n, verdict.What), n, now)
	}
}

// begin a ban of the length that is due.
func (b *Book) begin(p netip.Prefix, rule, why string, strikes int, now time.Time) bool {
	ban := b.all[p]
	if ban == nil {
		if !b.room(now) {
			b.refused++
			return false
		}
		ban = &Ban{Source: p, FirstSeen: now}
		b.all[p] = ban
	} else if now.Sub(ban.Ends) > memory {
		*ban = Ban{Source: p, FirstSeen: now}
	}
	ban.Rule, ban.Why, ban.Strikes, ban.LastSeen, ban.Since = rule, why, strikes, now, now
	ban.Times++
	length := b.rules.First
	for i := 1; i < ban.Times && length < b.rules.Max; i++ {
		length *= longer
	}
	ban.Ends = now.Add(min(length, b.rules.Max))
	b.changed(rule, ban.Ends)
	return true
}

func (b *Book) changed(rule string, ends time.Time) {
	b.made[rule]++
	b.version++
	if b.next.IsZero() || ends.Before(b.next) {
		b.next = ends
	}
}

// lift a ban if it is in force, and forget it.
func (b *Book) lift(p netip.Prefix, now time.Time) {
	if b.active(p, now) {
		b.ended(b.all[p])
	}
	delete(b.all, p)
}

// ended does what follows when a ban was in force, and is not any more.
func (b *Book) ended(ban *Ban) {
	b.version++
	if !ban.Source.IsSingleIP() {
		return
	}
	b.settle[ban.Source.Addr()] = true
	if ban.Rule == ByHand {
		return
	}
	net := networkOf(ban.Source)
	if b.crowd[net]--; b.crowd[net] <= 0 {
		delete(b.crowd, net)
	}
}

// Advance ends the bans whose time has come, and forgets those of more than a day ago. All that takes the time does so itself.
func (b *Book) Advance(now time.Time) {
	if b.next.IsZero() || now.Before(b.next) {
		return
	}
	due := b.next
	b.next = time.Time{}
	for p, ban := range b.all {
		// What was in force until the last look, and has ended since.
		if !ban.Ends.Before(due) && !ban.Ends.After(now) {
			b.ended(ban)
		}
		end := ban.Ends
		if !end.After(now) {
			if end = end.Add(memory); !end.After(now) {
				delete(b.all, p)
				b.version++
				continue
			}
		}
		if b.next.IsZero() || end.Before(b.next) {
			b.next = end
		}
	}
}

// room makes some by forgetting what has ended. What is in force is never forgotten.
func (b *Book) room(now time.Time) bool {
	if len(b.all) < most {
		return true
	}
	if now.Sub(b.swept) < time.Second {
		return false
	}
	b.swept = now
	maps.DeleteFunc(b.all, func(_ netip.Prefix, ban *Ban) bool { return !ban.Ends.After(now) && !b.settle[ban.Source.Addr()] })
	return len(b.all) < most
}

func (b *Book) active(p netip.Prefix, now time.Time) bool {
	ban := b.all[p]
	return ban != nil && ban.Ends.After(now)
}

// Add bans a source by hand. Of a network, known addresses stay let in.
func (b *Book) Add(p netip.Prefix, why string, length time.Duration, now time.Time) (Ban, error) {
	switch {
	case !p.IsValid() || !p.Addr().Is4() || p != p.Masked():
		return Ban{}, fmt.Errorf("%s is no IPv4 address or network", p)
	case p.Bits() < widest:
		return Ban{}, fmt.Errorf("%s is too wide; wanted a /%d or narrower", p, widest)
	case b.known.covers(p):
		return Ban{}, fmt.Errorf("%s is known, as a peer or a user, and known ones are never banned: take it off that list first", Name(p))
	case strings.TrimSpace(why) == "" || len(why) > 200 || strings.ContainsFunc(why, func(r rune) bool { return r < ' ' }):
		return Ban{}, errors.New("a ban needs a reason: one line of up to 200 characters")
	case length < time.Second || length > longest:
		return Ban{}, fmt.Errorf("a ban of %s; wanted 1 second to %d days", length, longest/(24*time.Hour))
	}
	b.Advance(now)
	ban := b.all[p]
	if ban == nil {
		if !b.room(now) {
			return Ban{}, fmt.Errorf("%d sources are banned already, and there is no room for more", len(b.all))
		}
		ban = &Ban{Source: p, FirstSeen: now, LastSeen: now}
		b.all[p] = ban
	}
	if ban.Ends.After(now) {
		b.ended(ban)
		delete(b.settle, p.Addr())
	} else {
		ban.Since = now
	}
	ban.Rule, ban.Why, ban.Ends = ByHand, why, now.Add(length)
	ban.Times++
	b.changed(ByHand, ban.Ends)
	return *ban, nil
}

// Remove lifts a ban, and forgets it: the source's next ban is a first one. With a network go the bans of all in it. It gives what was
// lifted.
func (b *Book) Remove(p netip.Prefix, now time.Time) ([]Ban, error) {
	b.Advance(now)
	var lifted []Ban
	for q, ban := range b.all {
		if p.Bits() <= q.Bits() && p.Contains(q.Addr()) {
			if b.active(q, now) {
				lifted = append(lifted, *ban)
			}
			b.lift(q, now)
		}
	}
	if len(lifted) > 0 {
		sortBans(lifted)
		return lifted, nil
	}
	if ban, is := b.Banned(p.Addr(), now); is {
		return nil, fmt.Errorf("%s %w itself, but the network %s is", Name(p), ErrNotBanned, ban.Name())
	}
	return nil, fmt.Errorf("%s %w", Name(p), ErrNotBanned)
}

// Settle lists addresses whose strikes have to be forgotten by HAProxy, some thousand at most; Settled says that they were.
func (b *Book) Settle() []netip.Addr {
	all := make([]netip.Addr, 0, min(len(b.settle), 2000))
	for a := range b.settle {
		if len(all) == cap(all) {
			break
		}
		all = append(all, a)
	}
	return all
}

// Settled says that HAProxy has forgotten the strikes of these addresses.
func (b *Book) Settled(all []netip.Addr) {
	for _, a := range all {
		delete(b.settle, a)
	}
}

// Made counts the bans that were made since the book was opened, by their rule.
func (b *Book) Made() map[string]uint64 { return maps.Clone(b.made) }

// Refused counts bans that were not made because there was no room.
func (b *Book) Refused() uint64 { return b.refused }

// Active lists the bans in force, those that end last first.
func (b *Book) Active(now time.Time) []Ban { return b.since(now) }

// Recent lists the bans of the last day in the same order, also those that have ended. One that was lifted is none of them.
func (b *Book) Recent(now time.Time) []Ban { return b.since(now.Add(-memory)) }

func (b *Book) since(t time.Time) []Ban {
	var all []Ban
	for _, ban := range b.all {
		if ban.Ends.After(t) {
			all = append(all, *ban)
		}
	}
	sortBans(all)
	return all
}

func sortBans(all []Ban) {
	slices.SortFunc(all, func(x, y Ban) int {
		return cmp.Or(y.Ends.Compare(x.Ends), x.Source.Addr().Compare(y.Source.Addr()), cmp.Compare(x.Source.Bits(), y.Source.Bits()))
	})
}
