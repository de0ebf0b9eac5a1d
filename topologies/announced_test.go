package topologies

import (
	"context"
	"errors"
	"net/netip"
	"strings"
	"testing"

	"github.com/insight-icon/pulumi-icon/stacks"
)

func TestAnAnnouncedNameThatLeadsElsewhereIsWarnedOf(t *testing.T) {
	stack := func(announce string) *stacks.Config {
		return &stacks.Config{
			Sentries: &stacks.Sentries{Hosts: []string{"sentry-2", "sentry-1"}, Announce: announce},
			Hosts: &stacks.Hosts{Machines: map[string]stacks.Machine{
				"sentry-1": {PublicAddress: "192.0.2.1"}, "sentry-2": {PublicAddress: "192.0.2.2"},
			}},
		}
	}
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
		config *stacks.Config
		find   lookup
		want   string
	}{
		"all sentries":       {stack("prep.example.org:7100"), answers("192.0.2.2", "::ffff:192.0.2.1", "192.0.2.2"), ""},
		"one is missing":     {stack("prep.example.org:7100"), answers("192.0.2.1"), "to 192.0.2.1, the sentries are 192.0.2.1, 192.0.2.2"},
		"another address":    {stack("prep.example.org:7100"), answers("192.0.2.1", "192.0.2.9"), "resolves to 192.0.2.1, 192.0.2.9"},
		"no answer":          {stack("prep.example.org:7100"), fails, "not resolve here (no such host); wanted A records 192.0.2.1, 192.0.2.2"},
		"an address":         {stack("192.0.2.7:7100"), fails, ""},
		"no sentries at all": {&stacks.Config{}, fails, ""},
	} {
		got := announcedWarning(t.Context(), c.config, c.find)
		if (c.want == "") != (got == "") || !strings.Contains(got, c.want) {
			t.Errorf("%s: %q, wanted %q", name, got, c.want)
		}
	}
}
