package awsplan

import (
	"maps"
	"slices"
	"strings"

	"github.com/insight-icon/pulumi-icon/internal/wording"
)

// Limits of AWS WAF's rate-based rules: requests of one address in the window.
const (
	leastRequests = 10
	mostRequests  = 2_000_000_000
)

// narrowestForALB is the narrowest VPC whose balancer subnets are /27, the least that an application load balancer takes.
const narrowestForALB = 21

// front checks how the internet is led to the sentries.
func (c *completion) front() {
	f := c.s.Front
	if !c.need.has(Sentry) {
		if f != (Front{}) {
			c.add("front", "is set, but this stack has no sentries to lead the internet to; remove it")
		}
		return
	}
	c.oneOf("front.kind", f.Kind, FrontDNS, FrontNLB)
	if f.HostedZone == "" {
		return
	}
	c.matches("front.hostedZone", f.HostedZone, hostedZonePattern, `a Route 53 zone, "Z" and capital letters or digits`)
	if host, named := hostOf(c.need.Announce); !named {
		c.add("front.hostedZone", "is set, but the sentries are announced as the address %s, for which there is no record to make; "+
			"announce a name (icon:sentries.announce), or remove it", host)
	}
}

// api checks how the citizens' API is published.
func (c *completion) api() {
	a := c.s.API
	if a == nil {
		return
	}
	if !c.need.has(Citizen) {
		c.add("api", "is set, but this stack has no citizens to answer it; remove it, or set icon:citizens")
	}
	host, _ := hostOf(c.need.Announce)
	switch {
	case a.Name == "":
		c.missing("api.name", `the API's host name, such as "api.example.org"`)
	case len(a.Name) > 253 || !hostNamePattern.MatchString(a.Name):
		c.add("api.name", "is %s; wanted a host name in small letters, such as api.example.org", wording.Quote(a.Name))
	case strings.EqualFold(a.Name, host):
		c.add("api.name", "is %s, the name that the sentries are announced as; wanted another: they are not at the same addresses", a.Name)
	}
	if a.HostedZone == "" && a.Certificate == "" {
		c.missing("api.hostedZone", "the Route 53 zone of icon:aws.api.name, to make a certificate in, or icon:aws.api.certificate")
	}
	if a.HostedZone != "" {
		c.matches("api.hostedZone", a.HostedZone, hostedZonePattern, `a Route 53 zone, "Z" and capital letters or digits`)
	}
	if a.Certificate != "" {
		c.arn("api.certificate", a.Certificate, certPattern, `the ARN of a certificate, "arn:aws:acm:<region>:<account>:certificate/…"`)
	}
	switch {
	case !a.WithoutWAF:
		c.between("api.requestsPerSource", a.RequestsPerSource, leastRequests, mostRequests)
	case a.RequestsPerSource != 0:
		c.add("api.requestsPerSource", "is set, but icon:aws.api.withoutWAF leaves out what would count; remove one of them")
	}
	if len(c.listed) == 1 {
		c.add("api", "is set, but icon:aws.zones lists one zone; wanted two or more: AWS makes application load balancers in no fewer")
	}
	if c.vpc.IsValid() && c.s.VPC.Existing == nil && c.vpc.Bits() > narrowestForALB {
		c.add("vpc.cidr", "is %s; wanted /%d or wider with icon:aws.api: an application load balancer's subnets have 32 addresses or more",
			c.vpc, narrowestForALB)
	}
}

// existing checks the operator's own network.
func (c *completion) existing(hosts []HostDesign) {
	e := c.s.VPC.Existing
	if e == nil {
		return
	}
	const key = "vpc.existing"
	if c.s.VPC.NAT != "" {
		c.add("vpc.nat", "is %s, but the network is the operator's, and so are its gateways; remove it", wording.Quote(c.s.VPC.NAT))
	}
	if e.ID == "" {
		c.missing(key+".id", `the VPC, "vpc-…"`)
	} else {
		c.matches(key+".id", e.ID, vpcPattern, `a VPC, "vpc-" and 8 or 17 hexadecimal digits`)
	}
	used := map[string]string{}
	maps.Copy(used, c.subnets(key+".public", e.Public, used))
	maps.Copy(used, c.subnets(key+".private", e.Private, used))
	c.subnets(key+".balancer", e.Balancer, used)
	c.subnetsInUse(key, e, hosts)
	c.balancerRanges(key+".balancerCIDRs", e)
}

// subnets checks one tier's subnets by zone, and returns their keys by what they are. used are those of other tiers.
func (c *completion) subnets(key string, byZone, used map[string]string) map[string]string {
	mine := map[string]string{}
	for _, zone := range slices.Sorted(maps.Keys(byZone)) {
		path, id := wording.Under(key, zone), byZone[zone]
		if len(c.s.Zones) > 0 && !slices.Contains(c.listed, zone) {
			c.add(path, "is for a zone that is not in icon:aws.zones: %s", strings.Join(c.s.Zones, ", "))
		}
		other := used[id]
		if other == "" {
			other = mine[id]
		}
		switch {
		case !c.matches(path, id, subnetPattern, `a subnet, "subnet-" and 8 or 17 hexadecimal digits`):
		case other != "":
			c.add(path, "is %s, which is icon:aws.%s already; wanted a subnet of its own", wording.Quote(id), other)
		default:
			mine[id] = path
		}
	}
	return mine
}

// subnetsInUse wants a subnet for each machine and each load balancer.
func (c *completion) subnetsInUse(key string, e *ExistingVPC, hosts []HostDesign) {
	lacking := map[string][]string{}
	note := func(tier, zone, what string, have map[string]string) {
		if _, ok := have[zone]; zone != "" && !ok {
			path := wording.Under(key+"."+tier, zone)
			lacking[path] = append(lacking[path], what)
		}
	}
	for _, h := range hosts {
		if h.Tier == Public {
			note(Public, h.Zone, h.Name, e.Public)
		} else {
			note(Private, h.Zone, h.Name, e.Private)
		}
	}
	if c.balanced() {
		for _, zone := range c.s.Zones {
			note(Balancer, zone, "the load balancer", e.Balancer)
		}
	}
	for _, path := range slices.Sorted(maps.Keys(lacking)) {
		c.add(path, "is missing; wanted the subnet for %s", strings.Join(lacking[path], ", "))
	}
}

// balancerRanges wants the ranges that load balancers speak from: hosts let nobody else in.
func (c *completion) balancerRanges(key string, e *ExistingVPC) {
	if len(e.BalancerCIDRs) == 0 && c.balanced() {
		c.missing(key, "the ranges of the balancer subnets: hosts let load balancers in from there alone")
	}
	for i, text := range e.BalancerCIDRs {
		prefix, ok := c.network(wording.Item(key, i), text)
		switch {
		case !ok:
		case c.vpc.IsValid() && !inside(prefix, c.vpc):
			c.add(wording.Item(key, i), "is %s, which is not in icon:aws.vpc.cidr, %s", prefix, c.vpc)
		case slices.Contains(e.BalancerCIDRs[:i], text):
			c.add(wording.Item(key, i), "is %s, which is in the list already", prefix)
		}
	}
}
