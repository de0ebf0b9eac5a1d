package peers

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"github.com/insight-icon/pulumi-icon/internal/sentry"
)

// fetch asks everybody who may be asked. What failed is among the errors; the rest counts all the same.
func (k *Keeper) fetch(ctx context.Context) (Fetched, []error) {
	var got Fetched
	var problems []error
	var chain, seen []string
	if k.config.Mode != sentry.PeersOff {
		var err error
		if chain, err = k.askChain(ctx); err != nil {
			problems = append(problems, err)
		}
		seen, got.Heard, err = k.askOwn(ctx)
		if err != nil {
			problems = append(problems, err)
		}
	}
	chainHosts, bad := parseEndpoints(chain)
	problems = append(problems, bad...)
	seenHosts, bad := parseEndpoints(seen)
	problems = append(problems, bad...)
	wanted := slices.Clone(k.staticNames)
	for _, h := range append(slices.Clone(chainHosts), seenHosts...) {
		if h.name != "" {
			wanted = append(wanted, h.name)
		}
	}
	found, bad := k.names.resolve(ctx, wanted, k.now())
	problems = append(problems, bad...)

	got.Static = slices.Clone(k.static)
	for _, name := range k.staticNames {
		for _, a := range found[name] {
			if ok, _ := usable(a); ok {
				got.Static = append(got.Static, netip.PrefixFrom(a, 32))
			}
		}
	}
	got.Chain = addresses(chainHosts, found, false)
	got.Observed = addresses(seenHosts, found, true)
	return got, problems
}

// askChain asks the endpoints, then the own nodes, until one has P-Reps to tell of.
func (k *Keeper) askChain(ctx context.Context) ([]string, error) {
	ask := slices.Clone(k.config.Endpoints)
	for _, own := range k.config.Own {
		ask = append(ask, strings.TrimSuffix(own, "/")+"/api/v3/"+k.config.Channel)
	}
	var problems []error
	for _, address := range ask {
		all, err := preps(ctx, k.client, address, k.now())
		if err == nil {
			return all, nil
		}
		if errors.Is(err, errNone) && k.List().Count(Chain) == 0 {
			// Such a chain has never had any: its peers are those that own nodes see.
			continue
		}
		problems = append(problems, fmt.Errorf("%s: %w", shorten(address), err))
	}
	return nil, errors.Join(problems...)
}

// askOwn asks all own nodes. Heard tells that one answered at least.
func (k *Keeper) askOwn(ctx context.Context) (all []string, heard bool, err error) {
	var problems []error
	for _, node := range k.config.Own {
		one, err := observed(ctx, k.client, node, k.config.Channel)
		if err != nil {
			problems = append(problems, fmt.Errorf("peers of %s: %w", shorten(node), err))
			continue
		}
		heard = true
		all = append(all, one...)
	}
	return all, heard, errors.Join(problems...)
}

// place is an address, or a name to be looked up.
type place struct {
	address netip.Addr
	name    string
}

// parseEndpoints reads what nodes announce, in order. One that can't be read costs only itself.
func parseEndpoints(all []string) ([]place, []error) {
	var hosts []place
	var problems []error
	for _, e := range all {
		a, name, err := parseEndpoint(e)
		if err != nil {
			problems = append(problems, err)
			continue
		}
		hosts = append(hosts, place{a, name})
	}
	if len(problems) > 5 {
		problems = append(problems[:5:5], fmt.Errorf("%d more endpoints can't be read", len(problems)-5))
	}
	return hosts, problems
}

// addresses of the hosts, in order, once each. Private ones are taken from own nodes, which have seen them, and of a chain on which there
// are no others: on a public chain, a P-Rep that registers one would make a known peer of a host of ours.
func addresses(hosts []place, found map[string][]netip.Addr, private bool) []netip.Addr {
	var all []netip.Addr
	var inner []bool
	public := false
	known := map[netip.Addr]bool{}
	for _, h := range hosts {
		of := found[h.name]
		if h.name == "" {
			of = []netip.Addr{h.address}
		}
		for _, a := range of {
			ok, isPrivate := usable(a)
			if !ok || known[a] {
				continue
			}
			known[a] = true
			public = public || !isPrivate
			all, inner = append(all, a), append(inner, isPrivate)
		}
	}
	if private || !public {
		return all
	}
	var kept []netip.Addr
	for i, a := range all {
		if !inner[i] {
			kept = append(kept, a)
		}
	}
	return kept
}
