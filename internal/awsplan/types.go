package awsplan

import (
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/insight-icon/pulumi-icon/internal/wording"
)

// Architectures, as the Debian images call them.
const (
	amd64 = "amd64"
	arm64 = "arm64"
)

// instanceType is what a type's name tells: "m7i.2xlarge" is the family "m", generation 7, with attributes "i", of the size "2xlarge".
type instanceType struct {
	family, attributes, size string
	generation               int
}

var typePattern = regexp.MustCompile(
	`^([a-z]{1,5})([0-9]{1,2})([a-z]*(?:-[a-z0-9]+)*)\.(nano|micro|small|medium|large|[0-9]{0,3}xlarge|metal(?:-[0-9]{1,3}xl)?)$`)

// parseType reads a type's name. It does not know whether AWS has such a type in a region.
func parseType(name string) (instanceType, bool) {
	m := typePattern.FindStringSubmatch(name)
	if m == nil {
		return instanceType{}, false
	}
	generation, err := strconv.Atoi(m[2])
	return instanceType{family: m[1], attributes: m[3], size: m[4], generation: generation}, err == nil
}

// arch tells Graviton machines, whose attributes have a "g" (and the first of them, a1), from all others.
func (t instanceType) arch() string {
	attributes, _, _ := strings.Cut(t.attributes, "-")
	if strings.Contains(attributes, "g") || t.family == "a" {
		return arm64
	}
	return amd64
}

// burstable types live on credits: who has spent them gets a fraction of a core.
func (t instanceType) burstable() bool { return t.family == "t" }

// withoutNVMe says whether the type is of before Nitro (AWS, "Instances built on the Nitro System"): its volumes show under names that
// change, not under /dev/disk/by-id.
func (t instanceType) withoutNVMe() bool {
	if t.size == "metal" {
		return false
	}
	last := map[string]int{"t": 2, "m": 4, "c": 4, "r": 4, "i": 2, "d": 2, "h": 1, "g": 3, "p": 2, "f": 1, "x": 1}
	if t.family == "i" && t.generation == 3 {
		return t.attributes == ""
	}
	return t.generation <= last[t.family]
}

// cores are the type's vCPUs, and memory its GiB; 0 where the name does not tell.
func (t instanceType) cores() (cores, memory int) {
	switch multiple, ok := strings.CutSuffix(t.size, "xlarge"); {
	case ok && multiple == "":
		cores = 4
	case ok:
		n, _ := strconv.Atoi(multiple)
		cores = 4 * n
	case t.size == "large" || t.family == "t":
		cores = 2
	case t.size == "medium":
		cores = 1
	}
	perCore := map[string]int{"c": 2, "m": 4, "r": 8}
	memory = cores * perCore[t.family]
	if t.family == "t" {
		memory = map[string]int{"nano": 0, "micro": 1, "small": 2, "medium": 4, "large": 8, "xlarge": 16, "2xlarge": 32}[t.size]
	}
	return cores, memory
}

// What ICON asks of a validator at the least (icon2-docker's README), in vCPUs and GiB.
const (
	leastCores  = 4
	leastMemory = 16
)

// defaultTypes by role, network and architecture, for amd64 and for arm64. ICON asks mainnet's validators and citizens alike for 4 cores
// and 16 GB at the least and recommends 8 and 32 GB, which is m7i.2xlarge. The test networks get what it asks at the least; a network of
// the operator's own starts small. A proxy needs little memory and no burst of credits that runs out while it is flooded, so mainnet's
// sentries are of a family without credits. The bastion only forwards SSH. m7i, c7g, c7i and t4g are in all regions whose prices are known
// here and in most others; where one is missing, name another in machines.
var defaultTypes = map[string]map[string][2]string{
	"mainnet": {PRep: {"m7i.2xlarge", "m7g.2xlarge"}, Citizen: {"m7i.2xlarge", "m7g.2xlarge"}, Sentry: {"c7i.large", "c7g.large"}},
	"lisbon":  {PRep: {"m7i.xlarge", "m7g.xlarge"}, Citizen: {"m7i.xlarge", "m7g.xlarge"}, Sentry: {"t3.small", "t4g.small"}},
	"berlin":  {PRep: {"m7i.xlarge", "m7g.xlarge"}, Citizen: {"m7i.xlarge", "m7g.xlarge"}, Sentry: {"t3.small", "t4g.small"}},
	"custom":  {PRep: {"t3.medium", "t4g.medium"}, Citizen: {"t3.medium", "t4g.medium"}, Sentry: {"t3.small", "t4g.small"}},
}

// defaultType is the machine for h. Where its software exists for both architectures, nodes get x86-64, on which goloop is run most, and
// the others arm64, which costs less.
func defaultType(h Host, network string) string {
	byRole, ok := defaultTypes[network]
	if !ok {
		byRole = defaultTypes["custom"]
	}
	types, ok := byRole[h.Role]
	if !ok {
		types = [2]string{"t3.nano", "t4g.nano"}
	}
	node := h.Role == PRep || h.Role == Citizen
	if h.Arch == arm64 || h.Arch == "" && !node {
		return types[1]
	}
	return types[0]
}

// machineType wants a type that the host's software runs on, and its role can live with.
func (c *collector) machineType(key, name string, h Host, network string) instanceType {
	t, ok := parseType(name)
	cores, memory := t.cores()
	validator := h.Role == PRep && network == "mainnet"
	switch {
	case !ok:
		c.add(key, "is %s, which is no instance type; wanted one such as %q", wording.Quote(name), defaultType(h, network))
	case h.Arch != "" && t.arch() != h.Arch:
		c.add(key, "is %s, a machine of %s, but the software of %s is for %s; wanted one such as %q",
			wording.Quote(name), t.arch(), h.Name, h.Arch,
			defaultType(h, network))
	case t.withoutNVMe():
		c.add(key, "is %s, of a generation whose volumes are not NVMe devices; wanted a later one, such as %q", wording.Quote(name),
			defaultType(h, network))
	case t.burstable() && validator:
		c.add(key, "is %s, which is slowed down once its CPU credits are spent: the P-Rep would miss blocks; wanted one such as %q",
			wording.Quote(name), defaultType(h, network))
	case t.burstable() && h.Role == Sentry && network == "mainnet":
		c.add(key, "is %s, which is slowed down once its CPU credits are spent, as in a flood; wanted one such as %q", wording.Quote(name),
			defaultType(h, network))
	case validator && (cores != 0 && cores < leastCores || memory != 0 && memory < leastMemory):
		c.add(key, "is %s, with %d vCPUs and %d GiB; ICON asks a validator of mainnet for %d and %d at the least: wanted one such as %q",
			wording.Quote(name), cores, memory, leastCores, leastMemory, defaultType(h, network))
	}
	return t
}

// oneOf wants text to be one of the known values.
func (c *collector) oneOf(key, text string, known ...string) {
	if !slices.Contains(known, text) {
		c.add(key, "is %s; wanted one of: %s", wording.Quote(text), strings.Join(known, ", "))
	}
}
