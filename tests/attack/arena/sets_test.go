package arena

import (
	"net/netip"
	"testing"

	"github.com/google/nftables"
)

func TestTheKernelsIntervalsAreReadInItsOrder(t *testing.T) {
	element := func(a string, end bool) nftables.SetElement {
		return nftables.SetElement{Key: netip.MustParseAddr(a).AsSlice(), IntervalEnd: end}
	}
	got, err := ranges([]nftables.SetElement{
		element("10.2.1.0", true), element("10.2.0.0", false), element("10.1.0.8", true), element("10.1.0.7", false),
	}, true)
	if err != nil || len(got) != 2 {
		t.Fatal(got, err)
	}
	for address, in := range map[string]bool{
		"10.2.0.0": true, "10.2.0.255": true, "10.2.1.0": false, "10.1.0.7": true, "10.1.0.8": false, "10.1.255.255": false,
	} {
		if Contained(got, netip.MustParseAddr(address)) != in {
			t.Errorf("%s: %v in %v", address, !in, got)
		}
	}
	single, err := ranges([]nftables.SetElement{element("10.1.0.7", false)}, false)
	one := netip.MustParseAddr("10.1.0.7")
	if err != nil || len(single) != 1 || !single[0].Contains(one) || single[0].Contains(one.Next()) {
		t.Errorf("%v, %v", single, err)
	}
	if _, err := ranges([]nftables.SetElement{{Key: []byte{1, 2}}}, false); err == nil {
		t.Error("two bytes are taken for an address")
	}
}
