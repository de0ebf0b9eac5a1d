package graph_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/pulumi/pulumi/sdk/v3/go/common/resource"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"github.com/insight-icon/pulumi-icon/tests/graph"
)

type component struct{ pulumi.ResourceState }

type volume struct {
	pulumi.CustomResourceState
}

const volumeType = "aws:ebs/volume:Volume"

// makes is a program that makes one volume below a component.
func makes(above, name string, inputs pulumi.Map, aliases ...pulumi.Alias) pulumi.RunFunc {
	return func(ctx *pulumi.Context) error {
		c := &component{}
		if err := ctx.RegisterComponentResource("icon:components:Network", above, c); err != nil {
			return err
		}
		return ctx.RegisterResource(volumeType, name, inputs, &volume{}, pulumi.Parent(c), pulumi.Aliases(aliases))
	}
}

func TestAnUpgradeThatDeletesOrReplacesIsSeen(t *testing.T) {
	inputs := pulumi.Map{"availabilityZone": pulumi.String("eu-central-1a"), "size": pulumi.Int(10)}
	moved := pulumi.Map{"availabilityZone": pulumi.String("eu-central-1b"), "size": pulumi.Int(10)}
	larger := pulumi.Map{"availabilityZone": pulumi.String("eu-central-1a"), "size": pulumi.Int(20)}
	older := graph.Record(t, graph.Options{}, makes("network", "data", inputs)).Detail()
	for name, c := range map[string]struct {
		now  pulumi.RunFunc
		want string
	}{
		"the same":                 {makes("network", "data", inputs), ""},
		"a change in place":        {makes("network", "data", larger), ""},
		"another zone":             {makes("network", "data", moved), `its availabilityZone was "eu-central-1a" and is "eu-central-1b"`},
		"an input is gone":         {makes("network", "data", pulumi.Map{}), `its availabilityZone was "eu-central-1a" and is not set`},
		"renamed":                  {makes("network", "volume", inputs), "::data would be deleted: if it has a new name"},
		"renamed with an alias":    {makes("network", "volume", inputs, pulumi.Alias{Name: pulumi.String("data")}), ""},
		"renamed with a wrong one": {makes("network", "volume", inputs, pulumi.Alias{Name: pulumi.String("date")}), "::data would be deleted"},
		"renamed and moved": {
			makes("network", "volume", moved, pulumi.Alias{Name: pulumi.String("data")}), "::data would be replaced: its availabilityZone",
		},
		"the component renamed": {makes("net", "data", inputs), ""},
	} {
		t.Run(name, func(t *testing.T) {
			got := graph.Upgrade(older, graph.Record(t, graph.Options{}, c.now))
			said := slices.ContainsFunc(got, func(p string) bool { return strings.Contains(p, c.want) })
			if c.want == "" && len(got) > 0 || c.want != "" && !said {
				t.Errorf("problems %q, wanted %q", got, c.want)
			}
		})
	}
}

func TestADetailShowsSecretsAndUnknownsAsSuch(t *testing.T) {
	g := graph.New(&graph.Resource{
		URN: "urn:pulumi:test::icon::a:b/c:C::x", Type: "a:b/c:C", Name: "x", Custom: true, Protect: true,
		Inputs: resource.PropertyMap{
			"password": resource.MakeSecret(resource.NewProperty("hunter2")),
			"later":    resource.MakeComputed(resource.NewProperty("")),
			"list":     resource.NewProperty([]resource.PropertyValue{resource.NewProperty("a"), resource.NewProperty(true)}),
		}, IgnoreChanges: []string{"ami"}, RetainOnDelete: true,
	})
	const want = `urn:pulumi:test::icon::a:b/c:C::x
  parent: 
  protected
  retained
  ignores changes of ami
  later = (not known yet)
  list = ["a", true]
  password = (secret)
`
	if got := g.Detail(); got != want {
		t.Errorf("detail\n%s\nwanted\n%s", got, want)
	}
}
