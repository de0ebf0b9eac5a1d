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

// lookupTimeout bounds the look-up of the announced name.
const lookupTimeout = 5 * time.Second

type lookup func(ctx context.Context, network, name string) ([]netip.Addr, error)

// announcedProblem says what is wrong with the announced name as this machine sees it, "" for nothing: a P-Rep whose name leads elsewhere
// than to its sentries follows the chain, but no validator reaches it and it misses its blocks. grave is false where the name leads to some
// of them and nowhere else, as it does until a new sentry is published. To those that drain it may still lead: they wait until it does not.
func announcedProblem(ctx context.Context, announce string, serving, draining []string, find lookup) (text string, grave bool) {
	name, _, err := net.SplitHostPort(announce)
	if err != nil {
		return "", false
	}
	if _, err := netip.ParseAddr(name); err == nil {
		return "", false
	}
	ctx, cancel := context.WithTimeout(ctx, lookupTimeout)
	defer cancel()
	const consequence = "Until it does, other validators can't reach the P-Rep, and it misses its blocks"
	wanted := sorted(serving)
	found, err := find(ctx, "ip4", name)
	if err != nil {
		return fmt.Sprintf("icon:sentries.announce: %s does not resolve here (%v); wanted A records %s. %s",
			name, err, strings.Join(wanted, ", "), consequence), true
	}
	var got []string
	for _, a := range found {
		got = append(got, a.Unmap().String())
	}
	slices.Sort(got)
	got = slices.Compact(got)
	without := slices.DeleteFunc(slices.Clone(got), func(a string) bool { return slices.Contains(draining, a) })
	if slices.Equal(without, wanted) {
		return "", false
	}
	strays := slices.DeleteFunc(slices.Clone(without), func(a string) bool { return slices.Contains(wanted, a) })
	text = fmt.Sprintf("icon:sentries.announce: %s resolves to %s, the sentries that serve are %s.", name, strings.Join(got, ", "),
		strings.Join(wanted, ", "))
	if len(draining) > 0 {
		text += fmt.Sprintf(" %s drains, and is not wanted.", strings.Join(sorted(draining), ", "))
	}
	if len(strays) > 0 || len(without) == 0 {
		return text + " " + consequence, true
	}
	return text + " Publish those that are missing, once they are deployed: nobody is led to them yet", false
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

// publicAddresses are those of the sentries that serve, and of those that drain, where the operator has given them.
func publicAddresses(c *stacks.Config) (serving, draining []string) {
	for _, host := range c.Sentries.Hosts {
		address := c.Hosts.Machines[host].PublicAddress
		if slices.Contains(c.Sentries.Draining, host) {
			draining = append(draining, address)
		} else {
			serving = append(serving, address)
		}
	}
	return serving, draining
}
