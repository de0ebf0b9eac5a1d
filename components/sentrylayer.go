package components

import (
	"fmt"
	"slices"

	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"github.com/insight-icon/pulumi-icon/components/platform"
	"github.com/insight-icon/pulumi-icon/internal/goloop"
	"github.com/insight-icon/pulumi-icon/internal/sentry"
)

// SentryLayerType is the type token of SentryLayer.
const SentryLayerType = "icon:components:SentryLayer"

// SentryLimits bound what one sentry lets through. Zero takes the default.
type SentryLimits = sentry.Limits

// SentryKey is what the holder of an API key may do.
type SentryKey = sentry.Key

// SentryLayerArgs are the inputs of NewSentryLayer.
type SentryLayerArgs struct {
	// Hosts of the sentries. Required; two or more, or one failure takes the P-Rep off the network.
	Hosts []*platform.Host
	// Variant is what stands on them: "haproxy+nftables" (default), "haproxy" or "nginx". Network installs it by HostSpec.Variant.
	Variant string
	// Agent is the path of the sentries' agent on this machine. Default: built from this module with the Go on PATH.
	Agent string
	// PRep is the validator behind, "address:port". Required.
	PRep pulumi.StringInput
	// CID is the network's chain id, hexadecimal ("0x…"). Required: first packets for another network are refused.
	CID string
	// Channel of the network, default "icon_dex": own nodes are asked for their peers on it.
	Channel string
	// Relay leads the plan's own nodes to the network's seeds, so that they need no way out of their own: from the ports 7101 and up, one
	// for each seed, of each sentry's private address. Seeds ("host:port", at most 32) are required with it.
	Relay bool
	Seeds []string
	// Citizens answer the API, "address:port" each. None: the sentries publish no API.
	Citizens []pulumi.StringInput
	// Users are the networks (CIDR) of known users of the API, who have a reserved share.
	Users []string
	// Peers says who is known on the P2P port.
	Peers SentryPeers
	// TLS has the API on port 443, encrypted. Nil: on port 9000, in the clear.
	TLS *SentryTLS
	// CORS are the origins ("https://app.example.org") whose pages may ask the API; "*" alone is any.
	CORS []string
	// Keys are the API keys, by the names of who holds them; KeysOnly refuses requests without one.
	Keys     map[string]SentryKey
	KeysOnly bool
	// Announce is the name ("name:port", or without port) that validators find the sentries by. A draining sentry waits until that no longer
	// leads to it; empty or an address: it does not wait for that.
	Announce string
	// Draining are the names of hosts that leave: their addresses are no longer in Addresses, and they end once nobody is led to them.
	Draining []string
	// Limits of each sentry.
	Limits SentryLimits
}

// SentryPeers says where the list of known peers comes from.
type SentryPeers struct {
	// Mode is "prefer" (default: they have a reserved share), "enforce" (nobody else is let in, once there is a list) or "off".
	Mode string
	// Static are addresses, networks (CIDR) and names that are always on the list. The seeds and the sentries are added.
	Static []string
	// Endpoints are API addresses ("https://…/api/v3") that are asked for the P-Reps, in this order.
	Endpoints []string
	// Own are own nodes' API addresses, "address:port", asked for the P-Reps after Endpoints, and for the peers that they see.
	Own []pulumi.StringInput
	// RefreshSeconds between two refreshes, default 120. MaxShrinkPercent is how much smaller a new list may be at once, default 20.
	RefreshSeconds, MaxShrinkPercent int
}

// SentryTLS is where the API's certificate comes from: exactly one of ACME and Certificate.
type SentryTLS struct {
	// Names that users call. Required.
	Names []string
	// ACME has each sentry get and renew a certificate of its own. Port 80 of the sentries has to be reached by the authority.
	ACME *SentryACME
	// Certificate is the operator's own: the chain and its key, PEM. It becomes a secret.
	Certificate pulumi.StringInput
}

// SentryACME is a certificate authority.
type SentryACME struct {
	// Directory is its address. Required. Email is warned of certificates that end; may be empty.
	Directory, Email string
}

// SentryLayer is the reverse proxies in front of a P-Rep: the only hosts that the internet reaches.
type SentryLayer struct {
	pulumi.ResourceState
	// Relays are the private addresses where the plan's own nodes find the network's seeds (NodeArgs.Relays). Empty without Relay.
	Relays pulumi.StringArrayOutput
	// RelayedSeeds is the number of seeds that they lead to (NodeArgs.RelayedSeeds).
	RelayedSeeds int
	// Addresses are the public addresses, to be published under the announced name: those of the hosts that are not draining.
	Addresses pulumi.StringArrayOutput
}

// NewSentryLayer runs the sentries. A change reaches them one after the other: the next is touched when the one before has been
// verified.
func NewSentryLayer(ctx *pulumi.Context, name string, args *SentryLayerArgs, opts ...pulumi.ResourceOption) (*SentryLayer, error) {
	args = args.withDefaults()
	if err := args.validate(); err != nil {
		return nil, fmt.Errorf("sentry layer %q: %w", name, err)
	}
	agents, err := args.agents(ctx.Context())
	if err != nil {
		return nil, fmt.Errorf("sentry layer %q: %w", name, err)
	}
	s := &SentryLayer{}
	if err := ctx.RegisterComponentResource(SentryLayerType, name, s, opts...); err != nil {
		return nil, fmt.Errorf("register sentry layer %q: %w", name, err)
	}
	relays, addresses := pulumi.StringArray{}, pulumi.StringArray{}
	values := args.values()
	var before []pulumi.Resource
	for i, h := range args.Hosts {
		h.Session.After(before...)
		host := &sentryHost{args: args, host: h, name: name + "-" + h.Spec.Name, agents: agents[i], values: values, parent: s}
		if err := host.run(ctx); err != nil {
			return nil, err
		}
		before = h.Session.Last()
		if !slices.Contains(args.Draining, h.Spec.Name) {
			addresses = append(addresses, h.PublicAddress)
		}
		if args.Relay {
			relays = append(relays, h.PrivateAddress)
		}
	}
	s.RelayedSeeds = len(args.relayPorts())
	s.Relays, s.Addresses = relays.ToStringArrayOutput(), addresses.ToStringArrayOutput()
	return s, ctx.RegisterResourceOutputs(s, pulumi.Map{"relays": s.Relays, "addresses": s.Addresses})
}

func (a *SentryLayerArgs) relayPorts() []int {
	if !a.Relay {
		return nil
	}
	return goloop.RelayPorts(len(a.Seeds))
}
