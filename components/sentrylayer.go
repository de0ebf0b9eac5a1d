package components

import (
	"errors"
	"fmt"
	"net"
	"strconv"
	"strings"
	"time"

	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"github.com/insight-icon/pulumi-icon/components/platform"
	"github.com/insight-icon/pulumi-icon/internal/goloop"
	"github.com/insight-icon/pulumi-icon/internal/remote"
	"github.com/insight-icon/pulumi-icon/internal/sentry"
)

// SentryLayerType is the type token of SentryLayer.
const SentryLayerType = "icon:components:SentryLayer"

// SentryLimits bound what one sentry lets through. Zero takes the default.
type SentryLimits struct {
	// P2PConnections on 7100 (default 1000), P2PPerSource from one address (20), P2PNewPerSource new ones from one address in 10 s (30).
	P2PConnections, P2PPerSource, P2PNewPerSource int
	// APIConnections on 9000 (default 2000), APIPerSource from one address (10), APIRequestsPerSource requests from one address in
	// 10 s (300), APIBodyKiB the largest body in KiB (64).
	APIConnections, APIPerSource, APIRequestsPerSource, APIBodyKiB int
}

func (l SentryLimits) withDefaults() sentry.Limits {
	or := func(v, def int) int {
		if v == 0 {
			return def
		}
		return v
	}
	return sentry.Limits{
		P2PConnections: or(l.P2PConnections, 1000), P2PPerSource: or(l.P2PPerSource, 20), P2PNewPerSource: or(l.P2PNewPerSource, 30),
		APIConnections: or(l.APIConnections, 2000), APIPerSource: or(l.APIPerSource, 10),
		APIRequestsPerSource: or(l.APIRequestsPerSource, 300), APIBodyKiB: or(l.APIBodyKiB, 64),
	}
}

// SentryLayerArgs are the inputs of NewSentryLayer.
type SentryLayerArgs struct {
	// Hosts of the sentries. Required; two or more, or one failure takes the P-Rep off the network.
	Hosts []*platform.Host
	// PRep is the validator behind, "address:port". Required.
	PRep pulumi.StringInput
	// CID is the network's chain id, hexadecimal ("0x…"). Required: first packets for another network are refused.
	CID string
	// Relay leads the plan's own nodes to the network's seeds, so that they need no way out of their own: from the ports 7101 and up, one
	// for each seed, of each sentry's private address. Seeds ("host:port", at most 32) are required with it.
	Relay bool
	Seeds []string
	// Citizens answer the API, "address:port" each. None: the sentries publish no API.
	Citizens []pulumi.StringInput
	// Limits of each sentry.
	Limits SentryLimits
}

// SentryLayer is the reverse proxies in front of a P-Rep: the only hosts that the internet reaches.
type SentryLayer struct {
	pulumi.ResourceState
	// Relays are the private addresses where the plan's own nodes find the network's seeds (NodeArgs.Relays). Empty without Relay.
	Relays pulumi.StringArrayOutput
	// RelayedSeeds is the number of seeds that they lead to (NodeArgs.RelayedSeeds).
	RelayedSeeds int
	// Addresses are the public addresses, to be published under the announced name.
	Addresses pulumi.StringArrayOutput
}

func (a *SentryLayerArgs) validate() error {
	if a == nil {
		return errors.New("args are required")
	}
	var errs []error
	if len(a.Hosts) < 2 {
		errs = append(errs, fmt.Errorf("Hosts: %d given, at least two are required", len(a.Hosts)))
	}
	if a.PRep == nil {
		errs = append(errs, errors.New("PRep is required"))
	}
	if a.CID == "" {
		errs = append(errs, errors.New("CID is required"))
	}
	if n := len(a.Seeds); a.Relay && (n == 0 || n > goloop.MaxSeeds) {
		errs = append(errs, fmt.Errorf("Seeds: %d given, with Relay 1 to %d are required", n, goloop.MaxSeeds))
	}
	l := a.Limits.withDefaults()
	if l.P2PPerSource > l.P2PConnections || l.APIPerSource > l.APIConnections {
		errs = append(errs, errors.New("Limits: a limit per source is above its total"))
	}
	return errors.Join(errs...)
}

// NewSentryLayer runs the sentries. A change reaches them one after the other: the next is touched when the one before has been
// verified.
func NewSentryLayer(ctx *pulumi.Context, name string, args *SentryLayerArgs, opts ...pulumi.ResourceOption) (*SentryLayer, error) {
	if err := args.validate(); err != nil {
		return nil, fmt.Errorf("sentry layer %q: %w", name, err)
	}
	s := &SentryLayer{}
	if err := ctx.RegisterComponentResource(SentryLayerType, name, s, opts...); err != nil {
		return nil, fmt.Errorf("register sentry layer %q: %w", name, err)
	}
	relays, addresses := pulumi.StringArray{}, pulumi.StringArray{}
	var before []pulumi.Resource
	for _, h := range args.Hosts {
		h.Session.After(before...)
		if err := args.run(ctx, name+"-"+h.Spec.Name, h, s); err != nil {
			return nil, err
		}
		before = h.Session.Last()
		addresses = append(addresses, h.PublicAddress)
		if args.Relay {
			relays = append(relays, h.PrivateAddress)
		}
	}
	s.RelayedSeeds = len(args.relayPorts())
	s.Relays, s.Addresses = relays.ToStringArrayOutput(), addresses.ToStringArrayOutput()
	return s, ctx.RegisterResourceOutputs(s, pulumi.Map{"relays": s.Relays, "addresses": s.Addresses})
}

func (a *SentryLayerArgs) run(ctx *pulumi.Context, name string, h *platform.Host, parent *SentryLayer) error {
	config := a.config(h)
	_, err := h.Session.Run(ctx, name+"-service", remote.Step{
		Name: "service", Script: sentry.ServiceScript, Remove: true,
		Files: map[string]pulumi.StringInput{"haproxy.cfg": config, "icon-sentry.service": pulumi.String(sentry.UnitFile)},
	}, pulumi.Parent(parent))
	if err != nil {
		return err
	}
	relays := h.PrivateAddress.ApplyT(func(address string) string {
		var all []string
		for _, port := range a.relayPorts() {
			all = append(all, net.JoinHostPort(address, strconv.Itoa(port)))
		}
		return strings.Join(all, " ")
	}).(pulumi.StringOutput)
	_, err = h.Session.Run(ctx, name+"-verify", remote.Step{
		Name: "verify", Script: sentry.VerifyScript, Timeout: time.Minute,
		Vars: map[string]pulumi.StringInput{"API": pulumi.String(fmt.Sprint(len(a.Citizens) > 0)), "RELAYS": relays},
		// Verified anew whenever the configuration changes.
		Files: map[string]pulumi.StringInput{"haproxy.cfg": config},
	}, pulumi.Parent(parent), pulumi.Protect(h.Protected))
	return err
}

func (a *SentryLayerArgs) relayPorts() []int {
	if !a.Relay {
		return nil
	}
	return goloop.RelayPorts(len(a.Seeds))
}

func (a *SentryLayerArgs) config(h *platform.Host) pulumi.StringOutput {
	citizens := pulumi.StringArray{}
	for _, c := range a.Citizens {
		citizens = append(citizens, c)
	}
	return pulumi.All(h.PrivateAddress, a.PRep, citizens.ToStringArrayOutput()).ApplyT(func(in []any) (string, error) {
		s := sentry.Settings{PRep: in[1].(string), Citizens: in[2].([]string), CID: a.CID, Limits: a.Limits.withDefaults()}
		if a.Relay {
			s.PrivateAddress, s.Seeds = in[0].(string), a.Seeds
		}
		return sentry.Config(s)
	}).(pulumi.StringOutput)
}
