package arena

import (
	"errors"
	"fmt"
	"net/netip"
	"os"

	"github.com/google/nftables"

	"github.com/insight-icon/pulumi-icon/internal/sentry"
)

// setElements are the ranges that a set of the sentry's table holds in a namespace.
func setElements(namespace, set string) ([]Range, error) {
	handle, err := os.Open("/run/netns/" + namespace)
	if err != nil {
		return nil, err
	}
	defer handle.Close()
	c, err := nftables.New(nftables.WithNetNSFd(int(handle.Fd())))
	if err != nil {
		return nil, err
	}
	table := &nftables.Table{Family: nftables.TableFamilyINet, Name: sentry.Table}
	found, err := c.GetSetByName(table, set)
	if err != nil {
		return nil, fmt.Errorf("set %s: %w", set, err)
	}
	elements, err := c.GetSetElements(found)
	if err != nil {
		return nil, fmt.Errorf("set %s: %w", set, err)
	}
	return ranges(elements, found.Interval)
}

// Range of addresses, both ends included.
type Range struct{ From, To netip.Addr }

// Contains says whether an address is in the range.
func (r Range) Contains(a netip.Addr) bool { return !a.Less(r.From) && !r.To.Less(a) }

// ranges reads what the kernel tells of a set: single addresses, or the begin of each interval and the first address after it.
func ranges(elements []nftables.SetElement, interval bool) ([]Range, error) {
	var all []Range
	// The kernel lists an interval's end before its begin.
	var end netip.Addr
	for _, e := range elements {
		address, ok := netip.AddrFromSlice(e.Key)
		switch {
		case !ok:
			return nil, errors.New("a set's element is no address")
		case e.IntervalEnd:
			end = address
		case !interval:
			all = append(all, Range{address, address})
		case !end.IsValid() || end.Less(address):
			// An interval up to the last address has no end.
			all = append(all, Range{address, netip.AddrFrom4([4]byte{255, 255, 255, 255})})
		default:
			all = append(all, Range{address, end.Prev()})
			end = netip.Addr{}
		}
	}
	return all, nil
}
