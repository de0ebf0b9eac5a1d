package awsplan

import (
	"cmp"
	"maps"
	"net/netip"
	"slices"
)

// completion is the work on one stack's settings.
type completion struct {
	collector
	// s has its defaults filled in; its Zones are the sound ones only, and listed those that were written.
	s      Settings
	listed []string
	need   Need
	vpc    netip.Prefix
}

// Complete fills in the defaults of s, checks it against n and returns what will be made, with every mistake found, sorted by key. The
// design is never nil; with problems it holds what could be told all the same. s is not changed.
func (s Settings) Complete(n Need) (*Design, []Problem) {
	c := &completion{s: s.withDefaults(n), listed: s.Zones, need: n}
	c.place()
	c.access()
	c.s.VPC = c.s.VPC.withDefaults()
	if c.s.VPC.Existing == nil {
		c.oneOf("vpc.nat", c.s.VPC.NAT, NATOne, NATPerZone)
	}
	var sound bool
	c.vpc, sound = c.vpcRange(c.s.VPC, n.Administrators)
	c.front()
	c.api()
	c.snapshots(s.Snapshots)
	d := &Design{Hosts: c.machines()}
	c.existing(d.Hosts)
	if len(n.Administrators) > mostAdministrators {
		c.add("machines.bastion", "lets in %d networks (icon:administrators); wanted at most %d, which is what a network ACL has room for",
			len(n.Administrators), mostAdministrators)
	}
	c.networks(d, sound)
	c.addresses(d)
	c.room(d)
	d.Settings = c.s
	d.Settings.Zones = slices.Clone(s.Zones)
	return d, c.sorted()
}

// withDefaults is a copy of s in which what was left out has its default, as settings.go documents it. Machines keep what was written:
// their defaults are in Design.Hosts.
func (s Settings) withDefaults(n Need) Settings {
	s.Zones, s.AdministratorKeys = slices.Clone(s.Zones), slices.Clone(s.AdministratorKeys)
	s.Machines, s.Tags = maps.Clone(s.Machines), maps.Clone(s.Tags)
	s.LogDays = cmp.Or(s.LogDays, leastLogDays)
	s.ElasticIPQuota = cmp.Or(s.ElasticIPQuota, 5)
	if s.Protect == nil {
		protect := true
		s.Protect = &protect
	}
	if n.has(Sentry) {
		s.Front.Kind = cmp.Or(s.Front.Kind, FrontDNS)
	}
	if !s.Snapshots.Off {
		s.Snapshots.Keep = cmp.Or(s.Snapshots.Keep, 7)
		s.Snapshots.At = cmp.Or(s.Snapshots.At, "03:00")
	}
	if s.API != nil {
		api := *s.API
		if !api.WithoutWAF {
			api.RequestsPerSource = cmp.Or(api.RequestsPerSource, 2000)
		}
		s.API = &api
	}
	return s
}

func (v VPC) withDefaults() VPC {
	v.Peers = slices.Clone(v.Peers)
	if v.Existing != nil {
		existing := *v.Existing
		v.Existing = &existing
		return v
	}
	v.CIDR = cmp.Or(v.CIDR, "10.20.0.0/16")
	v.NAT = cmp.Or(v.NAT, NATOne)
	return v
}

// has says whether a host of the role is wanted.
func (n Need) has(role string) bool {
	return slices.ContainsFunc(n.Hosts, func(h Host) bool { return h.Role == role })
}

// place checks where things will be made.
func (c *completion) place() {
	if c.s.Account != "" {
		c.matches("account", c.s.Account, accountPattern, "an account number of 12 digits, in quotes")
	}
	known, ok := c.region(c.s.Region)
	if !ok {
		// What a zone is cannot be told without its region; that none is named can.
		if len(c.listed) == 0 {
			c.zones(c.s.Region, known, nil, c.need.has(Sentry))
		}
		c.s.Region, c.s.Zones = "", nil
		return
	}
	c.s.Zones = c.zones(c.s.Region, known, c.s.Zones, c.need.has(Sentry))
}

const (
	leastLogDays = 365 // AWS Foundational Security Best Practices, CloudWatch.16
	mostKept     = 1000
)

// logDays are the retentions that CloudWatch Logs knows, from the least that is sound.
var logDays = []int{365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288, 3653}

// access checks keys, logs and tags.
func (c *completion) access() {
	c.administratorKeys(c.s.AdministratorKeys)
	c.tags(c.s.Tags)
	if c.s.KMSKey != "" {
		c.arn("kmsKey", c.s.KMSKey, keyPattern, `the ARN of a key, "arn:aws:kms:<region>:<account>:key/…"; an alias may come to mean another`)
	}
	if !slices.Contains(logDays, c.s.LogDays) {
		c.add("logDays", "is %d; wanted a year or more, of those that CloudWatch knows: %v", c.s.LogDays, logDays)
	}
	if c.s.ElasticIPQuota < 0 {
		c.add("elasticIPQuota", "is %d; wanted the number of elastic addresses that the account may have in the region", c.s.ElasticIPQuota)
	}
}

// snapshots checks the copies of the chain data; wished is what the operator wrote.
func (c *completion) snapshots(wished Snapshots) {
	if wished.Off {
		if wished.Keep != 0 || wished.At != "" {
			c.add("snapshots.off", "is true, which contradicts icon:aws.snapshots.keep and at; remove it or them")
		}
		return
	}
	c.between("snapshots.keep", c.s.Snapshots.Keep, 1, mostKept)
	c.matches("snapshots.at", c.s.Snapshots.At, timePattern, `a time of day in UTC, "hh:mm"`)
}

// networks fills in what the design has of the network.
func (c *completion) networks(d *Design, sound bool) {
	if c.s.VPC.Existing != nil {
		d.BalancerCIDRs = slices.Clone(c.s.VPC.Existing.BalancerCIDRs)
		return
	}
	if sound {
		wanted := []string{Public, Private}
		if c.balanced() {
			wanted = append(wanted, Balancer)
		}
		d.Subnets = planSubnets(c.vpc, c.s.Zones, wanted)
	}
	for _, s := range d.Subnets {
		if s.Tier == Balancer {
			d.BalancerCIDRs = append(d.BalancerCIDRs, s.CIDR)
		}
	}
	d.NATZones = c.natZones(d.Hosts)
}

// natZones are the zones with a NAT gateway: the first of the list, or each with private machines. Without any there is none.
func (c *completion) natZones(hosts []HostDesign) []string {
	var private []string
	for _, h := range hosts {
		if h.Tier == Private && h.Zone != "" {
			private = append(private, h.Zone)
		}
	}
	slices.Sort(private)
	private = slices.Compact(private)
	if len(private) == 0 || c.s.VPC.NAT != NATOne {
		return private
	}
	if len(c.s.Zones) == 0 { // which was reported; it is one gateway all the same
		return private[:1:1]
	}
	return c.s.Zones[:1:1]
}

// balanced says whether there is a load balancer.
func (c *completion) balanced() bool { return c.s.Front.Kind == FrontNLB || c.s.API != nil }
