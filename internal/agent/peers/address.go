package peers

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// widest is the shortest prefix that an operator may put on the list: a wider network would make strangers of nobody.
const widest = 8

// never are networks whose addresses no peer has, whoever says so: they belong to one host, one link, many hosts or none.
var never = []netip.Prefix{
	netip.MustParsePrefix("0.0.0.0/8"),
	netip.MustParsePrefix("127.0.0.0/8"),
	netip.MustParsePrefix("169.254.0.0/16"),
	netip.MustParsePrefix("224.0.0.0/4"),
	netip.MustParsePrefix("240.0.0.0/4"),
}

// shared is what providers give their customers behind one public address: as private as the others.
var shared = netip.MustParsePrefix("100.64.0.0/10")

// usable tells whether a peer can have the address, and whether it is a private one.
func usable(a netip.Addr) (ok, private bool) {
	if !a.Is4() || slices.ContainsFunc(never, func(p netip.Prefix) bool { return p.Contains(a) }) {
		return false, false
	}
	return true, a.IsPrivate() || shared.Contains(a)
}

// label is one part of a name. goloop's own rule asks for two characters at least; DNS does not.
var label = regexp.MustCompile(`^[A-Za-z0-9_]([A-Za-z0-9_-]{0,61}[A-Za-z0-9_])?$`)

// digits are what no top-level domain ends with: "10.1" and "0x7f.1" are written addresses to some resolvers.
var digits = regexp.MustCompile(`^(0[xX][0-9a-fA-F]*|[0-9]+)$`)

func checkName(name string) error {
	if len(name) > 253 {
		return errors.New("is too long for a name")
	}
	labels := strings.Split(name, ".")
	for _, l := range labels {
		if !label.MatchString(l) {
			return fmt.Errorf("%q is neither an IPv4 address nor a name", shorten(name))
		}
	}
	if digits.MatchString(labels[len(labels)-1]) {
		return fmt.Errorf("%q is neither an IPv4 address nor a name", shorten(name))
	}
	return nil
}

// parseEndpoint reads what a node announces, "host:port". The host is an address, or a name in lower case.
func parseEndpoint(text string) (netip.Addr, string, error) {
	host, port, err := net.SplitHostPort(text)
	if err != nil {
		return netip.Addr{}, "", fmt.Errorf("endpoint %q: wanted host:port", shorten(text))
	}
	if n, err := strconv.ParseUint(port, 10, 16); err != nil || n == 0 {
		return netip.Addr{}, "", fmt.Errorf("endpoint %q: the port is no number from 1 to 65535", shorten(text))
	}
	if a, err := netip.ParseAddr(host); err == nil {
		if a = a.Unmap(); !a.Is4() {
			return netip.Addr{}, "", fmt.Errorf("endpoint %q: goloop's peers use IPv4 alone", shorten(text))
		}
		return a, "", nil
	}
	if err := checkName(host); err != nil {
		return netip.Addr{}, "", fmt.Errorf("endpoint: %w", err)
	}
	// One label alone would be looked up in the host's own domain, which a peer has no say in.
	if !strings.Contains(host, ".") {
		return netip.Addr{}, "", fmt.Errorf("endpoint %q: wanted a whole name, with its domain", shorten(text))
	}
	return netip.Addr{}, strings.ToLower(host), nil
}

// parseStatic reads an operator's entry: an address, a network or a name.
func parseStatic(text string) (netip.Prefix, string, error) {
	if p, err := netip.ParsePrefix(text); err == nil {
		switch {
		case !p.Addr().Is4():
			return p, "", fmt.Errorf("%q: goloop's peers use IPv4 alone", text)
		case p.Bits() < widest:
			return p, "", fmt.Errorf("%q is too wide: at most a /%d, else strangers would be known", text, widest)
		case p != p.Masked():
			return p, "", fmt.Errorf("%q has bits set beyond its prefix; wanted %s", text, p.Masked())
		}
		if ok, _ := usable(p.Addr()); !ok {
			return p, "", fmt.Errorf("%q is no network of peers", text)
		}
		return p, "", nil
	}
	if a, err := netip.ParseAddr(text); err == nil {
		if ok, _ := usable(a); !ok {
			return netip.Prefix{}, "", fmt.Errorf("%q is no address that a peer can have; wanted IPv4", text)
		}
		return netip.PrefixFrom(a, 32), "", nil
	}
	if err := checkName(text); err != nil {
		return netip.Prefix{}, "", fmt.Errorf("%w; wanted an address, a network (CIDR) or a name", err)
	}
	return netip.Prefix{}, strings.ToLower(text), nil
}

// text of a prefix as HAProxy and people write it: an address alone has no length.
func text(p netip.Prefix) string {
	if p.IsSingleIP() {
		return p.Addr().String()
	}
	return p.String()
}

// shorten keeps what others wrote from filling a log.
func shorten(text string) string {
	if len(text) > 80 {
		return text[:80] + "…"
	}
	return text
}

// distinct removes prefixes that another one contains, and sorts: sets of intervals take no element twice.
func distinct(all []netip.Prefix) []netip.Prefix {
	all = slices.Clone(all)
	// Of two that begin alike, the wider comes first.
	slices.SortFunc(all, func(a, b netip.Prefix) int {
		if c := a.Addr().Compare(b.Addr()); c != 0 {
			return c
		}
		return a.Bits() - b.Bits()
	})
	kept := all[:0]
	for _, p := range all {
		if len(kept) == 0 || !kept[len(kept)-1].Contains(p.Addr()) {
			kept = append(kept, p)
		}
	}
	return kept
}
