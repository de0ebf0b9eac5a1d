package stacks

import "slices"

// The known topologies, platforms and network profiles.
const (
	TopologySingleNode    = "single-node"
	TopologySentryFronted = "sentry-fronted"
	TopologyCitizens      = "citizens"

	PlatformHosts = "hosts"
	PlatformAWS   = "aws"

	NetworkMainnet = "mainnet"
	NetworkLisbon  = "lisbon"
	NetworkBerlin  = "berlin"
	NetworkCustom  = "custom"
)

// Profile is all that a node must know of its network.
type Profile struct {
	// Name is the profile's name, or the custom network's own.
	Name string
	// Service is the directory below the container's configURL that holds the network's files, the official image's SERVICE. For a
	// custom network it is its name.
	Service string
	// CID and NID are chain id and network id, hexadecimal with "0x".
	CID, NID string
	// Seeds are "host:port" addresses where a node finds the network.
	Seeds []string
	// Endpoints are the public API addresses that know the network's P-Reps.
	Endpoints []string
	// Platform is goloop's service platform, "icon" or "basic".
	Platform string
	// Channel is the chain's name in the API: /api/v3/<channel>.
	Channel string
	// MinDiskGB is the least size in GB (10^9 bytes) of the data directory's file system, if the stack names none.
	MinDiskGB int
	// Genesis is the path of the genesis storage, relative to the Pulumi project. Empty for a public network, whose genesis the
	// official image fetches.
	Genesis string
}

// publicProfiles holds the public networks. Chain ids, network ids, seeds and API addresses are those of the network operator's repository
// icon-project/icon_network_info (README.md and info.yml, 2025-03-20); SERVICE is as in icon-project/icon2-docker. The disk of mainnet is
// the 2.5 TB that docs.icon.community asks of a validator; nobody states one for the test networks, 500 is this library's own figure.
func publicProfiles() map[string]Profile {
	return map[string]Profile{
		NetworkMainnet: {
			Name: NetworkMainnet, Service: "MainNet", CID: "0x1", NID: "0x1",
			Seeds:     []string{"seed-ctz.solidwallet.io:7100"},
			Endpoints: []string{"https://api.icon.community/api/v3", "https://ctz.solidwallet.io/api/v3"},
			Platform:  platformIcon, Channel: defaultChannel, MinDiskGB: 2500,
		},
		NetworkLisbon: {
			Name: NetworkLisbon, Service: "LisbonNet", CID: "0x23cdd9", NID: "0x2",
			Seeds:     []string{"seed-lisbon.solidwallet.io:7100"},
			Endpoints: []string{"https://lisbon.net.solidwallet.io/api/v3"},
			Platform:  platformIcon, Channel: defaultChannel, MinDiskGB: 500,
		},
		NetworkBerlin: {
			Name: NetworkBerlin, Service: "BerlinNet", CID: "0xee03d9", NID: "0x7",
			Seeds:     []string{"seed-berlin.solidwallet.io:7100"},
			Endpoints: []string{"https://berlin.net.solidwallet.io/api/v3"},
			Platform:  platformIcon, Channel: defaultChannel, MinDiskGB: 500,
		},
	}
}

// Resolve gives the network's data: a public profile's, with the stack's own seeds if it names any, or the custom network's fields.
func (n Network) Resolve() Profile {
	profile, public := publicProfiles()[n.Profile]
	if !public {
		return Profile{
			Name: n.Name, Service: n.Name, CID: n.CID, NID: n.NID, Seeds: slices.Clone(n.Seeds),
			Platform: n.Platform, Channel: n.Channel, MinDiskGB: 1, Genesis: n.Genesis,
		}
	}
	if len(n.Seeds) > 0 {
		profile.Seeds = slices.Clone(n.Seeds)
	}
	return profile
}
