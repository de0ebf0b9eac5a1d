package stacks

import (
	"errors"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"
)

func shippedStacks(t *testing.T) map[string]*Config {
	t.Helper()
	all := map[string]*Config{}
	for _, name := range shipped {
		text, err := os.ReadFile("Pulumi." + name + ".yaml")
		if err != nil {
			t.Fatal(err)
		}
		if all[name], err = Parse(text, Secrets{SSHPrivateKey: pulumi.String("x")}); err != nil {
			t.Fatal(err)
		}
	}
	return all
}

func placeholders(t *testing.T, c *Config) []string {
	t.Helper()
	err := c.CheckPlaceholders()
	var problems Problems
	if err != nil && !errors.As(err, &problems) {
		t.Fatalf("the error is %v, not a list of problems", err)
	}
	var paths []string
	for _, p := range problems {
		paths = append(paths, strings.TrimPrefix(p.Path, "icon:"))
	}
	return paths
}

func TestWhatTheShippedStacksLeaveToReplaceIsAsked(t *testing.T) {
	everywhere := []string{"administrators[0]", "aws.administratorKeys[0]", "node.container.image"}
	want := map[string][]string{
		"lisbon-prep":     everywhere,
		"mainnet-prep":    append([]string{"aws.front.hostedZone", "network.seeds[1]", "sentries.announce"}, everywhere...),
		"citizen-archive": append([]string{"aws.api.hostedZone", "aws.api.name"}, everywhere...),
		"hosts-example":   nil, // its machines are there already, and the login comes first
	}
	for name, c := range shippedStacks(t) {
		if got := placeholders(t, c); !slices.Equal(got, sorted(want[name])) {
			t.Errorf("%s: asked for %v, wanted %v", name, got, sorted(want[name]))
		}
	}
}

func TestAStackOfTheOperatorsOwnIsAskedForNothing(t *testing.T) {
	const own = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIL3aYSNhbrSm1qRBXl+EawyXzwWHJmeTw+w32HgX9hTs"
	c := shippedStacks(t)["mainnet-prep"]
	c.Administrators = []string{"198.18.0.0/24"}
	c.Network.Seeds[1], c.Sentries.Announce = "example.org.validators.test:7100", "prep.icon.test:7100"
	c.Node.Container.Image = strings.ReplaceAll(c.Node.Container.Image, "0000", "0a0b")
	c.AWS.AdministratorKeys, c.AWS.Front.HostedZone = []string{own}, "Z0123456789ABCDEFGHI"
	if got := placeholders(t, c); len(got) > 0 {
		t.Errorf("asked for %v", got)
	}
	c.PRep.Announce = "EXAMPLE.net.:7100"
	if got := placeholders(t, c); !slices.Equal(got, []string{"prep.announce"}) {
		t.Errorf("asked for %v, wanted prep.announce", got)
	}
}
