package kernel

import (
	"cmp"
	"encoding/binary"
	"net/netip"
	"slices"

	"github.com/google/nftables"
)

// span is one interval of a set, both ends in it.
type span struct{ from, to uint32 }

func number(a netip.Addr) uint32 {
	b := a.As4()
	return binary.BigEndian.Uint32(b[:])
}

func key(n uint32) []byte { return binary.BigEndian.AppendUint32(nil, n) }

func spanOf(p netip.Prefix) span {
	from := number(p.Masked().Addr())
	return span{from, from | uint32(uint64(1)<<(32-p.Bits())-1)} //nolint:gosec // at most 32 ones
}

// spansOf are the networks as a set of intervals takes them: in order, no two overlapping or touching. What is not IPv4 is left out.
func spansOf(all []netip.Prefix) []span {
	spans := make([]span, 0, len(all))
	for _, p := range all {
		if p.IsValid() && p.Addr().Is4() {
			spans = append(spans, spanOf(p))
		}
	}
	slices.SortFunc(spans, func(a, b span) int { return cmp.Or(cmp.Compare(a.from, b.from), cmp.Compare(a.to, b.to)) })
	kept := spans[:0]
	for _, s := range spans {
		if last := len(kept) - 1; last >= 0 && uint64(s.from) <= uint64(kept[last].to)+1 {
			kept[last].to = max(kept[last].to, s.to)
			continue
		}
		kept = append(kept, s)
	}
	return kept
}

// elements of a set for an interval: its first address, and the one after its last, unless there is none.
func (s span) elements(e nftables.SetElement) []nftables.SetElement {
	e.Key = key(s.from)
	if s.to == 1<<32-1 {
		return []nftables.SetElement{e}
	}
	return []nftables.SetElement{e, {Key: key(s.to + 1), IntervalEnd: true}}
}
