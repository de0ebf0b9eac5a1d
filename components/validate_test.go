package components_test

import (
	"path/filepath"
	"strings"
	"testing"

	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"github.com/insight-icon/pulumi-icon/components"
	"github.com/insight-icon/pulumi-icon/components/platform"
	"github.com/insight-icon/pulumi-icon/hardening"
	"github.com/insight-icon/pulumi-icon/tests/graph"
)

// refused runs a program that must fail with all of the given texts, and must have registered nothing of a type.
func refused(t *testing.T, program pulumi.RunFunc, unregistered string, wants ...string) {
	t.Helper()
	g, err := graph.Run(t, graph.Options{}, program)
	if err == nil {
		t.Fatal("accepted")
	}
	for _, want := range wants {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("the error does not say %q:\n%v", want, err)
		}
	}
	if len(g.OfType(unregistered)) > 0 {
		t.Errorf("a %s was registered before its arguments were checked", unregistered)
	}
}

func TestNetworkNamesAllThatIsWrongAtOnce(t *testing.T) {
	refused(t, func(ctx *pulumi.Context) error {
		_, err := components.NewNetwork(ctx, "net", &components.NetworkArgs{
			Hosts: []platform.HostSpec{{Name: "a"}, {Name: "a"}},
			Edges: []platform.Edge{{
				From: platform.HostParty("a"), To: platform.HostParty("ghost"), Protocol: "tcp", Ports: []int{1}, Why: "haunting",
			}},
			Administrators: []string{"0.0.0.0/0", "not a network"},
		})
		return err
	}, components.NetworkType,
		`network "net"`, "Platform is required", `Hosts: "a" is there twice`, "Administrators: 0.0.0.0/0 would open SSH to the whole internet",
		`Administrators: "not a network" is neither`, `Edges[0] (haunting): there is no host "ghost"`)
}

// A login to the bastion itself, by which it would keep such a hardening, goes on to work.
func TestABastionThatPassesNothingOnIsRefused(t *testing.T) {
	hardened := func(o hardening.Overrides) *hardening.Selection {
		s, problems := hardening.Resolve("bastion", hardening.Facts{Role: "bastion"}, o)
		if s == nil {
			t.Fatal(problems)
		}
		return s
	}
	deploy := func(s *hardening.Selection, port int) pulumi.RunFunc {
		return func(ctx *pulumi.Context) error {
			_, err := components.NewNetwork(ctx, "net", &components.NetworkArgs{Hosts: []platform.HostSpec{
				{Name: "jump", Role: platform.Bastion, Hardening: s},
				{Name: "b", Role: platform.Sentry, Behind: "jump", SSHPorts: []int{port}, Hardening: s},
			}})
			return err
		}
	}
	shut := hardening.Overrides{Parameters: map[string]map[string]any{"ssh-server": {"forwarding": false}}}
	refused(t, deploy(hardened(shut), 22), components.NetworkType,
		`the hardening of "jump" has ssh-server.forwarding false, and "b" is behind it`, `Set it to true for "jump"`)
	refused(t, deploy(hardened(hardening.Overrides{}), 2222), components.NetworkType,
		`"b", which is behind it, answers on port 2222`, `Add "*:2222"`)
	_, err := graph.Run(t, graph.Options{}, deploy(hardened(hardening.Overrides{}), 22))
	if err == nil || strings.Contains(err.Error(), "ssh-server") {
		t.Errorf("a bastion as its profile has it: %v", err)
	}
}

func TestNetworkNamesWhatIsMissing(t *testing.T) {
	refused(t, func(ctx *pulumi.Context) error {
		_, err := components.NewNetwork(ctx, "net", &components.NetworkArgs{})
		return err
	}, components.NetworkType, "Platform is required", "Hosts: at least one is required", "Administrators: at least one network is required")
	refused(t, func(ctx *pulumi.Context) error {
		_, err := components.NewNetwork(ctx, "net", nil)
		return err
	}, components.NetworkType, "args are required")
}

func TestNetworkAsksThePlatform(t *testing.T) {
	refused(t, func(ctx *pulumi.Context) error {
		_, err := components.NewNetwork(ctx, "net", &components.NetworkArgs{
			Platform: machinesFor("other"), Hosts: []platform.HostSpec{{Name: "a", Role: platform.PRep}}, Administrators: []string{"192.0.2.0/24"},
		})
		return err
	}, components.NetworkType, `icon:hosts.machines.a: missing: the plan has a host "a" (prep)`)
}

func TestNodesNameAllThatIsWrongAtOnce(t *testing.T) {
	missing := []string{
		"Host is required", "Chain.CID and Chain.NID are required", "Seeds, Relays: exactly one of them is required", "Announce is required",
		"Software: exactly one of Binary and Container is required",
	}
	refused(t, func(ctx *pulumi.Context) error {
		_, err := components.NewPRepNode(ctx, "validator", &components.PRepNodeArgs{})
		return err
	}, components.PRepNodeType, append(missing, `P-Rep "validator"`)...)
	refused(t, func(ctx *pulumi.Context) error {
		_, err := components.NewCitizenNode(ctx, "follower", &components.CitizenNodeArgs{})
		return err
	}, components.CitizenNodeType, append(missing, `citizen "follower"`)...)
}

func TestNodesWantADataDirectoryAndWhatTheirRuntimeNeeds(t *testing.T) {
	withHosts(t, nil, func(ctx *pulumi.Context, hosts map[string]*platform.Host) error {
		args := nodeArgs(hosts["sentry-1"])
		args.Chain.Genesis, args.Chain.Service = "", ""
		args.Import = &components.ImportKey{Address: "hx00"}
		args.Software = components.Software{Binary: "goloop", Container: &components.Container{}}
		_, err := components.NewPRepNode(ctx, "validator", &components.PRepNodeArgs{NodeArgs: args})
		for _, want := range []string{
			`Host "sentry-1": its spec needs Data`, "Software: exactly one of Binary and Container", "Software.Container.Image is required",
			"Import: Address, Keystore and Password are required", `Chain.Genesis is required for the runtime "binary"`,
			`Chain.Service is required for the runtime "container"`,
		} {
			if err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("the error does not say %q:\n%v", want, err)
			}
		}
		return nil
	})
}

func TestANodeTakesOnlyTheKeyOfItsOwnHost(t *testing.T) {
	withHosts(t, nil, func(ctx *pulumi.Context, hosts map[string]*platform.Host) error {
		args := nodeArgs(hosts["prep-1"])
		key, err := components.NewNodeKey(ctx, "key", &components.NodeKeyArgs{Host: hosts["prep-1"], Software: args.Software})
		if err != nil {
			return err
		}
		args.Key, args.Host = key, hosts["citizen-1"]
		_, err = components.NewCitizenNode(ctx, "follower", &components.CitizenNodeArgs{NodeArgs: args})
		for _, want := range []string{
			"Key: is of host prep-1, not of citizen-1", "Key: not together with Software, Import or Wipe",
		} {
			if err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("the error does not say %q:\n%v", want, err)
			}
		}
		return nil
	})
}

func TestAMissingBinaryIsNamed(t *testing.T) {
	path := filepath.Join(t.TempDir(), "no-goloop")
	withHosts(t, nil, func(ctx *pulumi.Context, hosts map[string]*platform.Host) error {
		_, err := components.NewNodeKey(ctx, "key", &components.NodeKeyArgs{Host: hosts["prep-1"], Software: components.Software{Binary: path}})
		if err == nil || !strings.Contains(err.Error(), path) {
			t.Errorf("the error does not name %s: %v", path, err)
		}
		return nil
	})
}

func TestSentryLayerNamesAllThatIsWrongAtOnce(t *testing.T) {
	refused(t, func(ctx *pulumi.Context) error {
		_, err := components.NewSentryLayer(ctx, "front", &components.SentryLayerArgs{
			Relay: true, Limits: components.SentryLimits{P2PConnections: 10, P2PPerSource: 11},
		})
		return err
	}, components.SentryLayerType, `sentry layer "front"`, "Hosts: 0 given, at least two are required", "PRep is required", "CID is required",
		"Seeds: 0 given, with Relay 1 to 32 are required", "Limits: p2pPerSource is 11")
	refused(t, func(ctx *pulumi.Context) error {
		_, err := components.NewSentryLayer(ctx, "front", nil)
		return err
	}, components.SentryLayerType, "args are required")
}
