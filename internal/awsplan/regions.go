package awsplan

import (
	"maps"
	"regexp"
	"slices"
	"strings"

	"github.com/insight-icon/pulumi-icon/internal/wording"
)

// region is what is known of one AWS region.
type region struct {
	// letters are those that zones of the region may have, as any account sees them.
	letters string
	// zones is the greatest number of them that one account sees.
	zones int
}

// regions are those of AWS's commercial partition in November 2026: 34, as listed by AWS's documentation of a service (ImpactedAwsRegion of
// the Security Incident Response API, which also has China's) and by other projects in July 2026. Zones are from a public catalogue of the
// zones of machine types (late 2025 or later), which shows a new account's; where old accounts see one more, it is counted, so that
// nobody's is refused. Regions that the catalogue does not have are taken to have three, the least that AWS builds.
var regions = map[string]region{
	"af-south-1": {"abc", 3}, "ap-east-1": {"abc", 3}, "ap-east-2": {"abc", 3}, "ap-northeast-1": {"abcd", 4},
	"ap-northeast-2": {"abcd", 4}, "ap-northeast-3": {"abc", 3}, "ap-south-1": {"abc", 3}, "ap-south-2": {"abc", 3},
	"ap-southeast-1": {"abc", 3}, "ap-southeast-2": {"abc", 3}, "ap-southeast-3": {"abc", 3}, "ap-southeast-4": {"abc", 3},
	"ap-southeast-5": {"abc", 3}, "ap-southeast-6": {"abc", 3}, "ap-southeast-7": {"abc", 3}, "ca-central-1": {"abcd", 3},
	"ca-west-1": {"abc", 3}, "eu-central-1": {"abc", 3}, "eu-central-2": {"abc", 3}, "eu-north-1": {"abc", 3}, "eu-south-1": {"abc", 3},
	"eu-south-2": {"abc", 3}, "eu-west-1": {"abc", 3}, "eu-west-2": {"abc", 3}, "eu-west-3": {"abc", 3}, "il-central-1": {"abc", 3},
	"me-central-1": {"abc", 3}, "me-south-1": {"abc", 3}, "mx-central-1": {"abc", 3}, "sa-east-1": {"abc", 3},
	"us-east-1": {"abcdef", 6}, "us-east-2": {"abc", 3}, "us-west-1": {"abc", 3}, "us-west-2": {"abcd", 4},
}

// otherPartitions begin the names of regions that are clouds of their own, with other accounts, names and prices.
var otherPartitions = []string{"cn-", "us-gov-", "us-iso", "eu-iso", "eusc-"}

// zonePattern is an availability zone's name: its region's, and a letter.
var zonePattern = regexp.MustCompile(`^([a-z]{2,4}(?:-[a-z]+)+-[0-9])([a-z])$`)

// splitZone is a zone's region and its letter.
func splitZone(zone string) (region, letter string, ok bool) {
	m := zonePattern.FindStringSubmatch(zone)
	if m == nil {
		return "", "", false
	}
	return m[1], m[2], true
}

// names are the zones of the region called name.
func (r region) names(name string) []string {
	var zones []string
	for _, letter := range r.letters {
		zones = append(zones, name+string(letter))
	}
	return zones
}

func (c *collector) region(name string) (region, bool) {
	known, ok := regions[name]
	foreign := slices.ContainsFunc(otherPartitions, func(prefix string) bool { return strings.HasPrefix(name, prefix) })
	_, letter, zone := splitZone(name)
	switch {
	case ok:
	case name == "":
		c.missing("region", `the region to build in, such as "eu-central-1"`)
	case foreign:
		c.add("region", "is %s, of another partition of AWS's, which this library was not made for; %s", wording.Quote(name),
			wording.DidYouMean(name, slices.Collect(maps.Keys(regions))))
	case zone:
		c.add("region", "is %s, a zone; wanted its region, %s: zones have their own key", wording.Quote(name), strings.TrimSuffix(name, letter))
	default:
		c.add("region", "is %s, which is no region of AWS's; %s",
			wording.Quote(name), wording.DidYouMean(name, slices.Collect(maps.Keys(regions))))
	}
	return known, ok
}

// zones are the sound ones of those that the network is to span.
func (c *collector) zones(regionName string, known region, wanted []string, sentries bool) []string {
	var sound []string
	ours := 0
	for i, zone := range wanted {
		if name, _, ok := splitZone(zone); ok && name == regionName && !slices.Contains(wanted[:i], zone) {
			ours++
		}
	}
	tooMany := ours > known.zones
	for i, zone := range wanted {
		key := wording.Item("zones", i)
		name, letter, ok := splitZone(zone)
		switch {
		case slices.Contains(wanted[:i], zone):
			c.add(key, "is %s, which is in the list already", wording.Quote(zone))
		case !ok && strings.HasPrefix(zone, regionName+"-"):
			c.add(key, "is %s, a local or wavelength zone, which has neither the machines nor the NAT gateways that are needed; wanted one of: %s",
				wording.Quote(zone), strings.Join(known.names(regionName), ", "))
		case !ok:
			c.add(key, "is %s, which is no zone; wanted one of: %s", wording.Quote(zone), strings.Join(known.names(regionName), ", "))
		case name != regionName:
			c.add(key, "is %s, a zone of %s, but the region is %s; wanted one of: %s", wording.Quote(zone), name, regionName,
				strings.Join(known.names(regionName), ", "))
		case !strings.Contains(known.letters, letter) && !tooMany:
			c.add(key, "is %s, which %s does not have; wanted one of: %s",
				wording.Quote(zone), regionName, strings.Join(known.names(regionName), ", "))
		case strings.Contains(known.letters, letter):
			sound = append(sound, zone)
		}
	}
	switch {
	case len(wanted) == 0 && sentries:
		c.missing("zones", "two zones of the region or more: sentries of one zone fall together")
	case len(wanted) == 0:
		c.missing("zones", "at least one zone of the region")
	case tooMany:
		c.add("zones", "lists %d zones; %s has %d, of: %s", ours, regionName, known.zones, strings.Join(known.names(regionName), ", "))
	case sentries && len(wanted) == 1:
		c.add("zones", "lists one zone; wanted two or more: sentries of one zone fall together")
	}
	return sound
}
