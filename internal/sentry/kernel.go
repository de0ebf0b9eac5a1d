package sentry

import (
	_ "embed"
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"text/template"
)

//go:embed kernel.nft.tmpl
var kernelText string

var kernelTemplate = template.Must(template.New("kernel.nft").Option("missingkey=error").Parse(kernelText))

// Counter is one of the kernel's table: it counts packets.
type Counter struct {
	// Name of the counter; What it counts, in a few words.
	Name, What string
	// Passed says that the packets were let in after all. All others were dropped, or, those with a name that begins with "syn_", had to come
	// again.
	Passed bool
}

// KernelCounters lists the counters of the kernel's table.
func KernelCounters() []Counter {
	return []Counter{
		{Name: "banned", What: "packets of banned addresses"},
		{Name: "banned_nets", What: "packets of banned networks"},
		{Name: "enforced", What: "packets of others than peers, to a port for peers only"},
		{Name: "malformed", What: "packets of no connection that there could be"},
		{Name: "fragments", What: "fragments above their limit"},
		{Name: "strangers", What: "packets of strangers that open no connection and belong to none"},
		{Name: "syn_known", What: "new connections of known addresses above the limit of one or of all"},
		{Name: "syn_proven", What: "new connections of addresses that were served, above the limit of one or of all"},
		{Name: "syn_stranger", What: "new connections of one stranger above its limit"},
		{Name: "syn_strangers", What: "new connections of all strangers above their limit"},
		{Name: "syn_again", What: "packets above a limit that came again and were let in", Passed: true},
	}
}

// PublicPorts are the sentry's ports that the internet reaches.
func PublicPorts(s Settings) []int {
	ports := []int{P2PPort}
	switch {
	case len(s.Citizens) == 0:
	case s.TLS == nil:
		ports = append(ports, APIPort)
	case s.TLS.ACME:
		ports = append(ports, ACMEPort, TLSPort)
	default:
		ports = append(ports, TLSPort)
	}
	return ports
}

// Kernel renders the table of the variant HAProxyNftables, made anew in one transaction. Its sets are empty but for the users: the agent
// fills them.
func Kernel(s Settings) (string, error) {
	users, err := intervals(s.Users)
	if err != nil {
		return "", fmt.Errorf("kernel.nft: users: %w", err)
	}
	ports := make([]string, 0, 3)
	for _, port := range PublicPorts(s) {
		ports = append(ports, strconv.Itoa(port))
	}
	l := s.Limits.WithDefaults()
	var b strings.Builder
	err = kernelTemplate.Execute(&b, struct {
		Limits
		Public, Users                                  string
		Counters                                       []Counter
		SYNSets                                        []string
		BurstPerKnown, BurstPerProven, MostSYNs, Again int
	}{
		Limits: l, Public: "{ " + strings.Join(ports, ", ") + " }", Users: strings.Join(users, ", "), Counters: KernelCounters(),
		SYNSets: []string{"known_syns", "proven_syns", "new_syns"},
		// Anybody can use the name of a known address, and who was served has many: all together have four times what strangers have.
		MostSYNs: 4 * l.SYNs,
		// Twice a second's worth: a browser or a node that starts opens several connections at once.
		BurstPerKnown: 2 * l.SYNsPerKnown, BurstPerProven: 2 * l.SYNsPerProven,
		Again: max(100, l.SYNs/4),
	})
	if err != nil {
		return "", fmt.Errorf("kernel.nft: %w", err)
	}
	return b.String(), nil
}

// intervals are the networks (IPv4 addresses or CIDR) in order, without those that another contains: nftables takes no overlaps.
func intervals(networks []string) ([]string, error) {
	var all []netip.Prefix
	for _, n := range networks {
		p, err := netip.ParsePrefix(n)
		if a, wrong := netip.ParseAddr(n); wrong == nil {
			p, err = netip.PrefixFrom(a, a.BitLen()), nil
		}
		if err != nil || !p.Addr().Is4() {
			return nil, fmt.Errorf("%q is neither an IPv4 address nor an IPv4 network (CIDR)", n)
		}
		all = append(all, p.Masked())
	}
	slices.SortFunc(all, func(a, b netip.Prefix) int {
		if c := a.Addr().Compare(b.Addr()); c != 0 {
			return c
		}
		return a.Bits() - b.Bits()
	})
	var kept []string
	var last netip.Prefix
	for _, p := range all {
		// In this order, what contains a network comes right before those in it.
		if last.IsValid() && last.Contains(p.Addr()) {
			continue
		}
		last = p
		kept = append(kept, strings.TrimSuffix(p.String(), "/32"))
	}
	return kept, nil
}
