package awsplan

import (
	"maps"
	"net/netip"
	"slices"
	"strings"
)

// mostAdministrators leaves room for the other entries of a network ACL, which has 20 in each direction, AWS's default quota: one for the
// VPC itself, and four for what everybody may send.
const mostAdministrators = 15

// addresses lists the elastic addresses by what they are for, and wants the account to be allowed that many.
func (c *completion) addresses(d *Design) {
	for _, h := range d.Hosts {
		if h.Tier == Public {
			d.ElasticIPs = append(d.ElasticIPs, h.Name)
		}
	}
	for _, zone := range d.NATZones {
		d.ElasticIPs = append(d.ElasticIPs, "nat-"+zone)
	}
	if c.s.Front.Kind == FrontNLB {
		for _, zone := range c.s.Zones {
			d.ElasticIPs = append(d.ElasticIPs, "nlb-"+zone)
		}
	}
	n := len(d.ElasticIPs)
	for _, h := range d.Hosts {
		if h.Generation != 0 && h.Tier == Public && n == c.s.ElasticIPQuota {
			c.add("elasticIPQuota", "is %d, and as many elastic addresses are needed: that of %s could not be exchanged while the others serve, "+
				"which takes a spare one; raise the quota in AWS (Service Quotas, EC2-VPC Elastic IPs) and then here", c.s.ElasticIPQuota, h.Name)
			return
		}
	}
	if n > c.s.ElasticIPQuota && c.s.ElasticIPQuota > 0 {
		c.add("elasticIPQuota", "is %d, but %d elastic addresses are needed: %s; raise the quota in AWS (Service Quotas, EC2-VPC Elastic IPs) "+
			"and then here%s", c.s.ElasticIPQuota, n, strings.Join(d.ElasticIPs, ", "), c.savings(d))
	}
}

// standardFamilies are those of AWS's quota "Running On-Demand Standard instances".
var standardFamilies = []string{"a", "c", "d", "h", "i", "im", "is", "m", "r", "t", "z"}

// VCPUs are the virtual processors that AWS counts against the account's quota "Running On-Demand Standard (A, C, D, H, I, M, R, T, Z)
// instances", which is 5 in a new account (as one in eu-north-1 told in October 2026) and which AWS raises as it is used. exactly is
// false where a type's name does not tell.
func (d *Design) VCPUs() (n int, exactly bool) {
	exactly = true
	for _, h := range d.Hosts {
		t, _ := parseType(h.InstanceType)
		if !slices.Contains(standardFamilies, t.family) {
			continue
		}
		cores, _ := t.cores()
		n += cores
		exactly = exactly && cores > 0
	}
	return n, exactly
}

// savings are what would need fewer addresses.
func (c *completion) savings(d *Design) string {
	var ways []string
	if len(d.NATZones) > 1 {
		ways = append(ways, "set icon:aws.vpc.nat to one")
	}
	sentries := 0
	for _, h := range d.Hosts {
		if h.Role == Sentry && h.Tier == Public {
			sentries++
		}
	}
	if sentries > len(c.s.Zones) && len(c.s.Zones) > 1 {
		ways = append(ways, "set icon:aws.front.kind to nlb, one address for each zone")
	}
	if len(ways) == 0 {
		return ""
	}
	return ", or " + strings.Join(ways, ", or ")
}

// room wants each subnet to have an address for each machine and gateway in it.
func (c *completion) room(d *Design) {
	inUse := map[string]int{}
	for _, h := range d.Hosts {
		inUse[h.Tier+" "+h.Zone]++
	}
	for _, zone := range d.NATZones {
		inUse[Public+" "+zone]++
	}
	names := map[string]Subnet{}
	for _, s := range d.Subnets {
		names[s.Tier+" "+s.Zone] = s
	}
	for _, place := range slices.Sorted(maps.Keys(names)) {
		s := names[place]
		prefix, err := netip.ParsePrefix(s.CIDR)
		if err != nil {
			continue
		}
		if has := 1<<(32-prefix.Bits()) - reservedPerSubnet; inUse[place] > has {
			c.add("vpc.cidr", "is %s, whose subnet %s has %d addresses, but %d are needed; wanted a wider one", c.vpc, s.Name, has, inUse[place])
		}
	}
}
