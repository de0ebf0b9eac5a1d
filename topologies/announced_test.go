package topologies

import (
	"context"
	"errors"
	"net/netip"
	"strings"
	"testing"
)

func TestAnAnnouncedNameThatLeadsElsewhereIsWarnedOf(t *testing.T) {
	sentries := []string{"192.0.2.2", "192.0.2.1"}
	answers := func(addresses ...string) lookup {
		return func(context.Context, string, string) ([]netip.Addr, error) {
			var all []netip.Addr
			for _, a := range addresses {
				all = append(all, netip.MustParseAddr(a))
			}
			return all, nil
		}
	}
	fails := func(context.Context, string, string) ([]netip.Addr, error) { return nil, errors.New("no such host") }
	for name, c := range map[string]struct {
		announce string
		find     lookup
		want     string
	}{
		"all sentries":    {"prep.example.org:7100", answers("192.0.2.2", "::ffff:192.0.2.1", "192.0.2.2"), ""},
		"one is missing":  {"prep.example.org:7100", answers("192.0.2.1"), "to 192.0.2.1, the sentries are 192.0.2.1, 192.0.2.2"},
		"another address": {"prep.example.org:7100", answers("192.0.2.1", "192.0.2.9"), "resolves to 192.0.2.1, 192.0.2.9"},
		"no answer":       {"prep.example.org:7100", fails, "not resolve here (no such host); wanted A records 192.0.2.1, 192.0.2.2"},
		"an address":      {"192.0.2.7:7100", fails, ""},
	} {
		got := announcedWarning(t.Context(), c.announce, sentries, c.find)
		if (c.want == "") != (got == "") || !strings.Contains(got, c.want) {
			t.Errorf("%s: %q, wanted %q", name, got, c.want)
		}
	}
}

func TestAnAnnouncedAddressThatIsNoSentrysIsWarnedOf(t *testing.T) {
	made := []string{"198.51.100.2", "198.51.100.1"}
	for announce, want := range map[string]string{
		"198.51.100.1:7100":     "",
		"prep.example.org:7100": "", // a name is looked up
		"192.0.2.9:7100":        "192.0.2.9 is not an address of the sentries, which are at 198.51.100.1, 198.51.100.2",
	} {
		if got := strayWarning(announce, made); (want == "") != (got == "") || !strings.Contains(got, want) {
			t.Errorf("%s: %q, wanted %q", announce, got, want)
		}
	}
}
