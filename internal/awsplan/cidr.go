package awsplan

import (
	"encoding/binary"
	"net/netip"
	"slices"

	"github.com/insight-icon/pulumi-icon/internal/wording"
)

// The VPC's range is cut into 64 equal places: 8 tiers with 8 zones each. A subnet's place follows from its tier and its zone's letter
// alone, so that a zone or a tier that is added later moves no other. Four tiers and the letters up to h have a place.
const (
	placesPerTier = 8
	placeBits     = 6
	widestVPC     = 16 // AWS's own limit
	narrowestVPC  = 22 // subnets are /28 then, AWS's own limit
	// reservedPerSubnet addresses are AWS's in each subnet: the network's, the router's, the resolver's, one kept, and the broadcast's.
	reservedPerSubnet = 5
)

// tiers in the order of their places. Those after the last are free for later.
var tiers = []string{Public, Private, Monitoring, Balancer}

// subnetRange is the range of the subnet of a tier in the zone with the letter. vpc is from /16 to /22.
func subnetRange(vpc netip.Prefix, tier string, letter byte) netip.Prefix {
	place := slices.Index(tiers, tier)*placesPerTier + int(letter-'a')
	bits := vpc.Bits() + placeBits
	base := vpc.Masked().Addr().As4()
	var address [4]byte
	binary.BigEndian.PutUint32(address[:], binary.BigEndian.Uint32(base[:])+uint32(place)<<(32-bits)) //nolint:gosec // below 64
	return netip.PrefixFrom(netip.AddrFrom4(address), bits)
}

// planSubnets lists the subnets of the tiers wanted, in each zone, by tier and then by zone.
func planSubnets(vpc netip.Prefix, zones, wanted []string) []Subnet {
	var subnets []Subnet
	for _, tier := range tiers {
		if !slices.Contains(wanted, tier) {
			continue
		}
		for _, zone := range slices.Sorted(slices.Values(zones)) {
			if _, letter, ok := splitZone(zone); ok {
				subnets = append(subnets, Subnet{
					Name: tier + "-" + letter, Tier: tier, Zone: zone, CIDR: subnetRange(vpc, tier, letter[0]).String(),
				})
			}
		}
	}
	return subnets
}

// privateRanges are those that a VPC's machines may have without taking addresses from the internet (RFC 1918, and RFC 6598's).
var privateRanges = []netip.Prefix{
	netip.MustParsePrefix("10.0.0.0/8"), netip.MustParsePrefix("172.16.0.0/12"), netip.MustParsePrefix("192.168.0.0/16"),
	netip.MustParsePrefix("100.64.0.0/10"),
}

// dockerRange is what docker takes for its bridge on each host: addresses of a VPC there would lead to the bridge, not to the VPC.
var dockerRange = netip.MustParsePrefix("172.17.0.0/16")

// inside says whether all of inner is in outer.
func inside(inner, outer netip.Prefix) bool {
	return inner.Bits() >= outer.Bits() && outer.Contains(inner.Addr())
}

// network wants an IPv4 network in CIDR form, without bits set to the right of its mask.
func (c *collector) network(key, text string) (netip.Prefix, bool) {
	prefix, err := netip.ParsePrefix(text)
	switch {
	case err != nil:
		c.add(key, "is %s; wanted an IPv4 network such as 10.20.0.0/16", wording.Quote(text))
	case !prefix.Addr().Is4():
		c.add(key, "is %s; IPv6 is not served: goloop speaks IPv4 only", wording.Quote(text))
	case prefix.Masked() != prefix:
		c.add(key, "is %s, an address inside a network; the network is %s", wording.Quote(text), prefix.Masked())
	default:
		return prefix, true
	}
	return netip.Prefix{}, false
}

// vpcRange wants a range that a VPC of ours can have, or with existing, that the operator's can.
func (c *collector) vpcRange(v VPC, administrators []string) (netip.Prefix, bool) {
	const key = "vpc.cidr"
	if v.CIDR == "" {
		c.missing(key, "the range of the existing VPC, since icon:aws.vpc.existing is set")
		return netip.Prefix{}, false
	}
	vpc, ok := c.network(key, v.CIDR)
	if !ok {
		return netip.Prefix{}, false
	}
	private := slices.ContainsFunc(privateRanges, func(r netip.Prefix) bool { return inside(vpc, r) })
	switch {
	case v.Existing == nil && (vpc.Bits() < widestVPC || vpc.Bits() > narrowestVPC):
		c.add(key, "is %s, a /%d; wanted from /%d, AWS's widest, to /%d: smaller ones have no place for all subnets", vpc, vpc.Bits(),
			widestVPC, narrowestVPC)
	case v.Existing == nil && !private:
		c.add(key, "is %s, which is not private; wanted a range in 10.0.0.0/8, 172.16.0.0/12, 192.168.0.0/16 or 100.64.0.0/10", vpc)
	case v.Existing == nil && vpc.Overlaps(dockerRange):
		c.add(key, "is %s, which overlaps %s: docker takes that on each host, and machines there could not be reached; wanted another",
			vpc, dockerRange)
	default:
		c.clear(key, vpc, v, administrators)
		return vpc, true
	}
	return netip.Prefix{}, false
}

// clear wants the VPC's range to be nobody else's.
func (c *collector) clear(key string, vpc netip.Prefix, v VPC, administrators []string) {
	for _, text := range administrators {
		office, err := netip.ParsePrefix(text)
		if err == nil && v.Existing == nil && office.Addr().Is4() && office.Bits() > 0 && office.Overlaps(vpc) {
			c.add(key, "is %s, which overlaps the administrators' network %s: they could not be told apart; wanted another range", vpc, office)
		}
	}
	seen := map[netip.Prefix]bool{}
	for i, text := range v.Peers {
		peer, ok := c.network(wording.Item("vpc.peers", i), text)
		switch {
		case !ok:
		case seen[peer]:
			c.add(wording.Item("vpc.peers", i), "is %s, which is in the list already", peer)
		case peer.Overlaps(vpc):
			c.add(wording.Item("vpc.peers", i), "is %s, which overlaps icon:aws.vpc.cidr, %s: no route can lead to both; wanted another there",
				peer, vpc)
		}
		seen[peer] = ok
	}
}
