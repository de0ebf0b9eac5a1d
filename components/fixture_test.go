package components_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"github.com/insight-icon/pulumi-icon/components"
	"github.com/insight-icon/pulumi-icon/components/platform"
	"github.com/insight-icon/pulumi-icon/components/platform/hosts"
	"github.com/insight-icon/pulumi-icon/internal/remote"
	"github.com/insight-icon/pulumi-icon/tests/graph"
)

// machinesFor is the platform of machines that exist, without the login that finds out whether they do.
func machinesFor(names ...string) platform.Platform {
	args := hosts.Args{Machines: map[string]hosts.Machine{}, WithoutLoginCheck: true}
	for i, name := range names {
		args.Machines[name] = hosts.Machine{
			Address: "10.1.0." + string(rune('1'+i)), HostKey: "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAINshC8xUowwfOaLH2MlU21clT/tjXq4QiaAmu0rDjzKt",
		}
	}
	return hosts.New(args)
}

// withHosts records a program that has a network of a P-Rep's host, a citizen's and two sentries, and goes on with use.
func withHosts(t *testing.T, look func(*graph.Graph), use func(*pulumi.Context, map[string]*platform.Host) error) {
	t.Helper()
	withSpecs(t, "", look, use)
}

// withSpecs is withHosts with sentries of a variant.
func withSpecs(t *testing.T, variant string, look func(*graph.Graph), use func(*pulumi.Context, map[string]*platform.Host) error) {
	t.Helper()
	g := graph.Record(t, graph.Options{}, func(ctx *pulumi.Context) error {
		provider, err := remote.NewProvider(ctx, "ssh")
		if err != nil {
			return err
		}
		data := &platform.Data{Dir: "/var/lib/icon-node", MinDiskGB: 1, CID: "0x1"}
		network, err := components.NewNetwork(ctx, "net", &components.NetworkArgs{
			Platform: machinesFor("prep-1", "citizen-1", "sentry-1", "sentry-2"), Administrators: []string{"192.0.2.0/24"},
			Hosts: []platform.HostSpec{
				{Name: "prep-1", Role: platform.PRep, Data: data},
				{Name: "citizen-1", Role: platform.Citizen, Data: data},
				{Name: "sentry-1", Role: platform.Sentry, Variant: variant},
				{Name: "sentry-2", Role: platform.Sentry, Variant: variant},
			},
		}, pulumi.Providers(provider))
		if err != nil {
			return err
		}
		return use(ctx, network.Hosts)
	})
	if look != nil {
		look(g)
	}
}

func nodeArgs(host *platform.Host) components.NodeArgs {
	return components.NodeArgs{
		Host: host, Chain: components.Chain{CID: "0x1", NID: "0x1", Service: "MainNet"}, Announce: pulumi.String("192.0.2.1:7100"),
		Seeds:    pulumi.StringArray{pulumi.String("192.0.2.9:7100")},
		Software: components.Software{Container: &components.Container{Image: "example.org/icon@sha256:00"}},
	}
}

func writeFile(t *testing.T, name, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}
