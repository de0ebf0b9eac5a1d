package awsplan

import (
	"cmp"
	"maps"
	"slices"
	"strings"

	"github.com/insight-icon/pulumi-icon/internal/wording"
)

// Limits of gp3 volumes: those of AWS since September 2025, but for the throughput, whose limit of 2,000 MiB/s the AWS provider that this
// module is built with (pulumi-aws v6) does not know yet.
const (
	leastRootGB       = 8 // the official Debian image's own size
	defaultRootGB     = 20
	mostGB            = 65536
	leastIOPS         = 3000 // in the price of the volume
	mostIOPS          = 80000
	iopsPerGB         = 500
	leastThroughput   = 125 // in the price of the volume
	mostThroughput    = 1000
	iopsPerThroughput = 4
)

// mostSpread is how many machines of a spread placement group a zone can have.
const mostSpread = 7

// dataGB is the least volume, in GiB, on which an ext4 file system has minGB times 10^9 bytes. The file system's own share is 256 bytes
// of inode for 16 KiB (1.6 %), at most 1 GiB of journal, and some bitmaps. It is rounded up to tens.
func dataGB(minGB int) int {
	const gib = 1 << 30
	bytes := int64(minGB) * 1_000_000_000
	least := (bytes+bytes/50)/gib + 2
	return int((least + 9) / 10 * 10)
}

// defaultSpeed are the IOPS and MiB/s of a chain-data volume. Mainnet's chain data is far larger than any cache, so that its reads are
// random: twice the speed that is in the price, which an m7i.2xlarge keeps up without its burst (12,000 IOPS, 312 MB/s). This is judged,
// not measured. Other networks start with what is in the price.
func defaultSpeed(network string) (iops, throughput int) {
	if network == "mainnet" {
		return 2 * leastIOPS, 2 * leastThroughput
	}
	return leastIOPS, leastThroughput
}

// machines decides on each host, in the order of the need.
func (c *completion) machines() []HostDesign {
	names := []string{}
	for _, h := range c.need.Hosts {
		names = append(names, h.Name)
	}
	for _, name := range slices.Sorted(maps.Keys(c.s.Machines)) {
		if !slices.Contains(names, name) {
			c.add(wording.Under("machines", name), "is the machine of no host of this stack; %s", wording.DidYouMean(name, names))
		}
	}
	var designs []HostDesign
	for _, h := range c.need.Hosts {
		designs = append(designs, c.machine(h))
	}
	c.spread(designs)
	return designs
}

func (c *completion) machine(h Host) HostDesign {
	key, m := wording.Under("machines", h.Name), c.s.Machines[h.Name]
	if h.Role == Sentry && c.s.Front.Kind == FrontNLB {
		h.Exposed = false
	}
	d := HostDesign{Host: h, Tier: Private, Image: m.Image, RootGB: cmp.Or(m.RootGB, defaultRootGB)}
	if h.Exposed || h.Role == Bastion {
		d.Tier = Public
	}
	d.Zone = c.zoneOf(key+".zone", m.Zone)
	d.InstanceType = cmp.Or(m.InstanceType, defaultType(h, c.need.Network))
	d.Arch = c.machineType(key+".instanceType", d.InstanceType, h, c.need.Network).arch()
	if m.Image != "" {
		c.matches(key+".image", m.Image, imagePattern, `an AMI, "ami-" and 8 or 17 hexadecimal digits`)
	}
	c.between(key+".rootGB", d.RootGB, leastRootGB, mostGB)
	if h.MinDiskGB > 0 {
		d.Data = c.volume(key, m, h)
	} else {
		c.noVolume(key, m, h)
	}
	return d
}

// zoneOf is the zone that a machine stands in.
func (c *completion) zoneOf(key, wanted string) string {
	list := strings.Join(c.s.Zones, ", ")
	switch {
	case wanted == "" && len(c.s.Zones) == 1:
		return c.s.Zones[0]
	case wanted == "" && len(c.s.Zones) > 1:
		c.add(key, "is missing; wanted one of: %s (a default that followed the list would move machines when the list grows)", list)
	case slices.Contains(c.listed, wanted) && !slices.Contains(c.s.Zones, wanted):
		return "" // what is wrong with the zone is told where it is listed
	case wanted != "" && len(c.s.Zones) > 0 && !slices.Contains(c.s.Zones, wanted):
		c.add(key, "is %s, which is not in icon:aws.zones; wanted one of: %s", wording.Quote(wanted), list)
	default:
		return wanted
	}
	return ""
}

// volume is the chain-data volume of a host with a node.
func (c *completion) volume(key string, m Machine, h Host) *Volume {
	iops, throughput := defaultSpeed(c.need.Network)
	least := dataGB(h.MinDiskGB)
	v := &Volume{GB: cmp.Or(m.DataGB, least), RestoreFrom: m.RestoreFrom}
	// A volume of the operator's size may be too small for the default speed.
	v.IOPS = cmp.Or(m.DataIOPS, min(iops, max(leastIOPS, v.GB*iopsPerGB)))
	v.Throughput = cmp.Or(m.DataThroughput, min(throughput, max(leastThroughput, v.IOPS/iopsPerThroughput)))
	if least > mostGB {
		c.add(key, "needs a chain-data volume of %d GiB for the file system of %d GB that icon:node.minDiskGB asks for; wanted at most %d GiB, "+
			"AWS's largest", least, h.MinDiskGB, mostGB)
		return v
	}
	sized := c.between(key+".dataGB", v.GB, 1, mostGB)
	if sized && v.GB < least {
		c.add(key+".dataGB", "is %d; wanted at least %d GiB, since %s needs a file system of %d GB (icon:node.minDiskGB)", v.GB, least, h.Name,
			h.MinDiskGB)
	}
	fast := c.between(key+".dataIOPS", v.IOPS, leastIOPS, mostIOPS)
	if fast && sized && v.IOPS > max(leastIOPS, v.GB*iopsPerGB) {
		c.add(key+".dataIOPS", "is %d; wanted at most %d, %d for each of the volume's %d GiB", v.IOPS, max(leastIOPS, v.GB*iopsPerGB), iopsPerGB,
			v.GB)
	}
	if c.between(key+".dataThroughput", v.Throughput, leastThroughput, mostThroughput) && fast && v.Throughput*iopsPerThroughput > v.IOPS {
		c.add(key+".dataThroughput", "is %d; wanted at most %d, a MiB/s for each %d of the volume's %d IOPS", v.Throughput,
			v.IOPS/iopsPerThroughput, iopsPerThroughput, v.IOPS)
	}
	if m.RestoreFrom != "" {
		c.matches(key+".restoreFrom", m.RestoreFrom, snapshotPattern, `a snapshot, "snap-" and 8 or 17 hexadecimal digits`)
	}
	return v
}

// noVolume refuses what only a node's host can have.
func (c *completion) noVolume(key string, m Machine, h Host) {
	for _, s := range []struct {
		name string
		set  bool
	}{
		{"dataGB", m.DataGB != 0},
		{"dataIOPS", m.DataIOPS != 0},
		{"dataThroughput", m.DataThroughput != 0},
		{"restoreFrom", m.RestoreFrom != ""},
	} {
		if s.set {
			c.add(wording.Under(key, s.name), "is set, but %s is a %s, which has no chain data; remove it", h.Name, h.Role)
		}
	}
}

// spread wants no zone to hold more machines of a role than can be kept apart, and not all sentries to be in one.
func (c *completion) spread(designs []HostDesign) {
	byZone := map[string]map[string]int{Sentry: {}, PRep: {}}
	for _, d := range designs {
		if zones, apart := byZone[d.Role]; apart && d.Zone != "" {
			zones[d.Zone]++
		}
	}
	for _, role := range slices.Sorted(maps.Keys(byZone)) {
		for _, zone := range slices.Sorted(maps.Keys(byZone[role])) {
			if n := byZone[role][zone]; n > mostSpread {
				c.add("machines", "put %d machines of the role %s into %s; AWS keeps at most %d of a group apart in one zone: wanted more zones", n,
					role, zone, mostSpread)
			}
		}
	}
	sentries := 0
	for _, n := range byZone[Sentry] {
		sentries += n
	}
	for zone, n := range byZone[Sentry] {
		if len(c.s.Zones) > 1 && n == sentries && n > 1 {
			c.add("machines", "put all %d sentries into %s: they would fall together; wanted them in two zones or more", n, zone)
		}
	}
}
