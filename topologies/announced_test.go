package topologies

import (
	"context"
	"errors"
	"net/netip"
	"strings"
	"testing"
)

func TestAnAnnouncedNameThatLeadsElsewhereIsToldOf(t *testing.T) {
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
	const name = "prep.example.org:7100"
	for what, c := range map[string]struct {
		announce string
		draining []string
		find     lookup
		want     string
		grave    bool
	}{
		"all sentries":                     {name, nil, answers("192.0.2.2", "::ffff:192.0.2.1", "192.0.2.2"), "", false},
		"one is missing":                   {name, nil, answers("192.0.2.1"), "the sentries that serve are 192.0.2.1, 192.0.2.2", false},
		"another address":                  {name, nil, answers("192.0.2.1", "192.0.2.9"), "resolves to 192.0.2.1, 192.0.2.9", true},
		"no sentry":                        {name, nil, answers("192.0.2.9"), "misses its blocks", true},
		"no answer":                        {name, nil, fails, "not resolve here (no such host); wanted A records 192.0.2.1, 192.0.2.2", true},
		"an address":                       {"192.0.2.7:7100", nil, fails, "", false},
		"one drains and is gone from it":   {name, []string{"192.0.2.3"}, answers("192.0.2.1", "192.0.2.2"), "", false},
		"one drains and waits for its end": {name, []string{"192.0.2.3"}, answers("192.0.2.1", "192.0.2.2", "192.0.2.3"), "", false},
		"one drains and another is missing": {
			name, []string{"192.0.2.3"}, answers("192.0.2.1", "192.0.2.3"), "192.0.2.3 drains, and is not wanted", false,
		},
		"only one that drains": {name, []string{"192.0.2.3"}, answers("192.0.2.3"), "misses its blocks", true},
	} {
		got, grave := announcedProblem(t.Context(), c.announce, sentries, c.draining, c.find)
		if (c.want == "") != (got == "") || !strings.Contains(got, c.want) || grave != c.grave {
			t.Errorf("%s: %q (grave: %v), wanted %q (%v)", what, got, grave, c.want, c.grave)
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
