package components_test

import (
	"strings"
	"testing"

	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"github.com/insight-icon/pulumi-icon/components"
	"github.com/insight-icon/pulumi-icon/components/platform"
	"github.com/insight-icon/pulumi-icon/tests/graph"
)

// A program that imports one component, and no topology, needs nothing else.
func TestANodeAloneBringsItsSoftwareAndKey(t *testing.T) {
	binary, genesis := writeFile(t, "goloop", "an executable"), writeFile(t, "genesis.zip", "a genesis")
	withHosts(t, func(g *graph.Graph) {
		graph.UniqueURNs(t, g)
		graph.OneAtATime(t, g)
		graph.ResourcesPerHost(t, g, 8)
		graph.EveryChildBelow(t, g, components.NetworkType, components.PRepNodeType)
		for _, step := range []string{"key", "service", "verify"} {
			if g.Step("prep-1", step) == nil {
				t.Errorf("there is no step %q", step)
			}
		}
		copies := g.OfType(graph.CopyType)
		if len(copies) != 1 || !g.Waits(g.Step("prep-1", "key"), copies[0]) {
			t.Errorf("%d copies, wanted one, and the key step to wait for it", len(copies))
		}
	}, func(ctx *pulumi.Context, hosts map[string]*platform.Host) error {
		args := nodeArgs(hosts["prep-1"])
		args.Software, args.Chain.Genesis = components.Software{Binary: binary}, genesis
		_, err := components.NewPRepNode(ctx, "validator", &components.PRepNodeArgs{NodeArgs: args})
		return err
	})
}

func TestAnImportedKeyThatWasNotMarkedBecomesASecret(t *testing.T) {
	withHosts(t, func(g *graph.Graph) {
		graph.SecretsMarked(t, g, "text of the keystore", "hunter2")
		if !graph.Carries(g.Step("prep-1", "key"), "hunter2") {
			t.Error("the key step does not carry the password at all")
		}
	}, func(ctx *pulumi.Context, hosts map[string]*platform.Host) error {
		args := nodeArgs(hosts["prep-1"])
		args.Import = &components.ImportKey{
			Address: "hx00", Keystore: pulumi.String("text of the keystore"), Password: pulumi.String("hunter2"),
		}
		_, err := components.NewPRepNode(ctx, "validator", &components.PRepNodeArgs{NodeArgs: args})
		return err
	})
}

func TestAGenesisThatCannotBeReadFailsTheProgram(t *testing.T) {
	_, err := graph.Run(t, graph.Options{}, func(ctx *pulumi.Context) error {
		network, err := components.NewNetwork(ctx, "net", &components.NetworkArgs{
			Platform: machinesFor("a"), Administrators: []string{"192.0.2.0/24"},
			Hosts: []platform.HostSpec{{Name: "a", Role: platform.PRep, Data: &platform.Data{Dir: "/d", CID: "0x1"}}},
		})
		if err != nil {
			return err
		}
		args := nodeArgs(network.Hosts["a"])
		args.Software, args.Chain.Genesis = components.Software{Binary: writeFile(t, "goloop", "x")}, "/nowhere/genesis.zip"
		_, err = components.NewPRepNode(ctx, "validator", &components.PRepNodeArgs{NodeArgs: args})
		return err
	})
	if err == nil || !strings.Contains(err.Error(), "genesis storage: open /nowhere/genesis.zip") {
		t.Errorf("error %v", err)
	}
}

func TestAnEmptyListOfSeedsFailsTheProgram(t *testing.T) {
	_, err := graph.Run(t, graph.Options{}, func(ctx *pulumi.Context) error {
		network, err := components.NewNetwork(ctx, "net", &components.NetworkArgs{
			Platform: machinesFor("a"), Administrators: []string{"192.0.2.0/24"},
			Hosts: []platform.HostSpec{{Name: "a", Role: platform.PRep, Data: &platform.Data{Dir: "/d", CID: "0x1"}}},
		})
		if err != nil {
			return err
		}
		args := nodeArgs(network.Hosts["a"])
		args.Seeds = pulumi.StringArray{}
		_, err = components.NewPRepNode(ctx, "validator", &components.PRepNodeArgs{NodeArgs: args})
		return err
	})
	if err == nil || !strings.Contains(err.Error(), "Seeds: empty: at least one address is required") {
		t.Errorf("error %v", err)
	}
}

func TestKeysOfOneHostAreGuardedByNothing(t *testing.T) {
	withHosts(t, func(g *graph.Graph) {
		if n := len(g.Named("guard")); n != 0 {
			t.Errorf("a single key has %d guards: there is nothing to compare", n)
		}
	}, func(ctx *pulumi.Context, hosts map[string]*platform.Host) error {
		key, err := components.NewNodeKey(ctx, "key", &components.NodeKeyArgs{Host: hosts["prep-1"], Software: nodeArgs(nil).Software})
		if err != nil {
			return err
		}
		return components.GuardKeys(ctx, "guard", []*components.NodeKey{key})
	})
}
