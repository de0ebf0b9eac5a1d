package stacks

import (
	"regexp"

	"github.com/insight-icon/pulumi-icon/internal/wording"
)

var (
	networkNamePattern = regexp.MustCompile(`^[a-z][a-z0-9-]{0,39}$`)
	channelPattern     = regexp.MustCompile(`^[a-z][a-z0-9_]{0,31}$`)
	hexPattern         = regexp.MustCompile(`^0x(0|[1-9a-f][0-9a-f]{0,15})$`)
)

// maxSeeds is the number of the sentries' relay ports, 7101 to 7132.
const maxSeeds = 32

func (c *Config) validateNetwork(p *collector) {
	n := c.Network
	if n.Profile == "" {
		p.missing("network.profile", "one of: mainnet, lisbon, berlin, custom")
		return
	}
	p.oneOf("network.profile", n.Profile, NetworkMainnet, NetworkLisbon, NetworkBerlin, NetworkCustom)
	if len(n.Seeds) > maxSeeds {
		p.add("network.seeds", "names %d seeds; wanted at most %d (sentries relay each of them on a port of its own)", len(n.Seeds), maxSeeds)
	}
	for i, seed := range n.Seeds {
		p.endpoint(wording.Item("network.seeds", i), seed)
	}
	switch _, public := publicProfiles()[n.Profile]; {
	case public:
		n.refuseCustomKeys(p)
	case n.Profile == NetworkCustom:
		n.validateCustom(p)
	}
}

// refuseCustomKeys reports keys that would contradict a public profile's own data.
func (n Network) refuseCustomKeys(p *collector) {
	for _, key := range []struct{ name, value string }{
		{"name", n.Name}, {"cid", n.CID}, {"nid", n.NID}, {"genesis", n.Genesis}, {"platform", n.Platform}, {"channel", n.Channel},
	} {
		if key.value != "" {
			p.add(wording.Under("network",
				key.name), "is set, but the profile %s brings its own; leave it out, or set icon:network.profile to custom",
				n.Profile)
		}
	}
}

func (n Network) validateCustom(p *collector) {
	if n.Name == "" {
		p.missing("network.name", "the custom network's name: lower-case letters, digits and \"-\"")
	} else {
		p.matches("network.name", n.Name, networkNamePattern, `lower-case letters, digits and "-", a letter first, at most 40`)
	}
	if n.CID == "" {
		p.missing("network.cid", "the custom network's chain id: goloop gs info -c genesis.zip")
	} else {
		p.matches("network.cid", n.CID, hexPattern, `a hexadecimal number with lower-case digits and no leading zeros, such as "0x1a2b3c"`)
	}
	if n.NID == "" {
		p.missing("network.nid", "the custom network's network id: goloop gs info -n genesis.zip")
	} else {
		p.matches("network.nid", n.NID, hexPattern, `a hexadecimal number with lower-case digits and no leading zeros, such as "0x1a2b3c"`)
	}
	if n.Genesis == "" {
		p.missing("network.genesis", "the path of the custom network's genesis storage (zip)")
	}
	if len(n.Seeds) == 0 {
		p.missing("network.seeds", "at least one \"host:port\" where a node finds the custom network")
	}
	p.oneOf("network.platform", n.Platform, platformBasic, platformIcon)
	p.matches("network.channel", n.Channel, channelPattern, `lower-case letters, digits and "_", a letter first, at most 32`)
}
