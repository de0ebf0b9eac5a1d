package bans

import (
	"cmp"
	"net/netip"
	"slices"
	"time"
)

// networkOf is the network whose addresses are banned together.
func networkOf(p netip.Prefix) netip.Prefix { return netip.PrefixFrom(p.Addr(), around).Masked() }

// Wanted is who is not to be let in, and until when. No two networks overlap, and no known address is among them.
func (b *Book) Wanted(now time.Time) (addresses map[netip.Addr]time.Time, networks map[netip.Prefix]time.Time) {
	addresses, networks = map[netip.Addr]time.Time{}, map[netip.Prefix]time.Time{}
	var wide []*Ban
	for p, ban := range b.all {
		switch {
		case !ban.Ends.After(now):
		case p.IsSingleIP():
			addresses[p.Addr()] = ban.Ends
		default:
			wide = append(wide, ban)
		}
	}
	// Of networks in one another the widest is wanted until it ends, and then the next.
	slices.SortFunc(wide, func(x, y *Ban) int {
		return cmp.Or(cmp.Compare(x.Source.Bits(), y.Source.Bits()), x.Source.Addr().Compare(y.Source.Addr()))
	})
	taken := newKnown(nil)
	for _, ban := range wide {
		if taken.covers(ban.Source) {
			continue
		}
		taken.add(ban.Source)
		for _, p := range b.known.without(ban.Source) {
			networks[p] = ban.Ends
		}
	}
	return addresses, networks
}

// known is a set of networks that is fast to ask.
type known struct {
	all map[netip.Prefix]bool
	// bits are the lengths of prefixes that there are.
	bits []int
}

func newKnown(all []netip.Prefix) known {
	k := known{all: map[netip.Prefix]bool{}}
	for _, p := range all {
		if p.IsValid() && p.Addr().Is4() {
			k.add(p.Masked())
		}
	}
	return k
}

func (k *known) add(p netip.Prefix) {
	k.all[p] = true
	if !slices.Contains(k.bits, p.Bits()) {
		k.bits = append(k.bits, p.Bits())
	}
}

func (k known) contains(a netip.Addr) bool { return k.covers(netip.PrefixFrom(a, a.BitLen())) }

// covers tells whether all of a network is known.
func (k known) covers(p netip.Prefix) bool {
	return slices.ContainsFunc(k.bits, func(bits int) bool {
		return bits <= p.Bits() && k.all[netip.PrefixFrom(p.Addr(), bits).Masked()]
	})
}

// without is what of a network is not known.
func (k known) without(p netip.Prefix) []netip.Prefix {
	if k.covers(p) {
		return nil
	}
	inside := false
	for q := range k.all {
		inside = inside || q.Bits() > p.Bits() && p.Contains(q.Addr())
	}
	if !inside {
		return []netip.Prefix{p}
	}
	low, high := halves(p)
	return append(k.without(low), k.without(high)...)
}

// halves of a network that is more than an address.
func halves(p netip.Prefix) (low, high netip.Prefix) {
	bits := p.Bits() + 1
	second := p.Addr().As4()
	second[p.Bits()/8] |= 0x80 >> (p.Bits() % 8)
	return netip.PrefixFrom(p.Addr(), bits), netip.PrefixFrom(netip.AddrFrom4(second), bits)
}
