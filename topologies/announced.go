package topologies

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/insight-icon/pulumi-icon/stacks"
)

// lookupTimeout bounds the look-up of the announced name: it only makes a warning.
const lookupTimeout = 2 * time.Second

type lookup func(ctx context.Context, network, name string) ([]netip.Addr, error)

// announcedWarning says what is wrong with the announced name as this machine sees it, "" for nothing: a P-Rep whose name leads elsewhere
// than to its sentries follows the chain, but no validator reaches it and it misses its blocks. A warning and no error, because the name
// may be published after the deployment, and other resolvers may see another answer.
func announcedWarning(ctx context.Context, announce string, addresses []string, find lookup) string {
	name, _, err := net.SplitHostPort(announce)
	if err != nil {
		return ""
	}
	if _, err := netip.ParseAddr(name); err == nil {
		return ""
	}
	ctx, cancel := context.WithTimeout(ctx, lookupTimeout)
	defer cancel()
	const consequence = "Until it does, other validators can't reach the P-Rep, and it misses its blocks"
	wanted := sorted(addresses)
	found, err := find(ctx, "ip4", name)
	if err != nil {
		return fmt.Sprintf("icon:sentries.announce: %s does not resolve here (%v); wanted A records %s. %s",
			name, err, strings.Join(wanted, ", "), consequence)
	}
	var got []string
	for _, a := range found {
		got = append(got, a.Unmap().String())
	}
	slices.Sort(got)
	got = slices.Compact(got)
	if slices.Equal(got, wanted) {
		return ""
	}
	return fmt.Sprintf("icon:sentries.announce: %s resolves to %s, the sentries are %s. %s",
		name, strings.Join(got, ", "), strings.Join(wanted, ", "), consequence)
}

// strayWarning says that an announced address is none of those that the platform made for the sentries, "" for nothing: the same
// consequence, where there is no name that could be published later.
func strayWarning(announce string, addresses []string) string {
	host, _, err := net.SplitHostPort(announce)
	if err != nil || slices.Contains(addresses, host) {
		return ""
	}
	if _, err := netip.ParseAddr(host); err != nil {
		return ""
	}
	return fmt.Sprintf("icon:sentries.announce: %s is not an address of the sentries, which are at %s. Announce a name, or one of these: "+
		"other validators can't reach the P-Rep, and it misses its blocks", host, strings.Join(sorted(addresses), ", "))
}

func publicAddresses(c *stacks.Config) []string {
	var all []string
	for _, host := range c.Sentries.Hosts {
		all = append(all, c.Hosts.Machines[host].PublicAddress)
	}
	return all
}
