package graph_test

import (
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/pulumi/pulumi/sdk/v3/go/common/resource"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"github.com/insight-icon/pulumi-icon/tests/graph"
)

// recording counts what a check says, in place of a test.
type recording struct {
	testing.TB
	said int
}

func (r *recording) Helper()               {}
func (r *recording) Errorf(string, ...any) { r.said++ }

const (
	above     = "icon:components:Network"
	groupType = "aws:ec2/securityGroup:SecurityGroup"
)

// below makes a component with options, and one resource of a type in it.
func below(ctx *pulumi.Context, name string, outer []pulumi.ResourceOption, kind, child string, in pulumi.Map,
	inner ...pulumi.ResourceOption,
) (*volume, error) {
	c := &component{}
	if err := ctx.RegisterComponentResource(above, name, c, outer...); err != nil {
		return nil, err
	}
	v := &volume{}
	return v, ctx.RegisterResource(kind, child, in, v, append(inner, pulumi.Parent(c))...)
}

func one(t *testing.T, g *graph.Graph, name string) *graph.Resource {
	t.Helper()
	if named := g.Named(name); len(named) == 1 {
		return named[0]
	}
	t.Fatalf("there is not one %s", name)
	return nil
}

// What a resource says itself counts, and what a component above it says where it says nothing: a no, too.
func TestChildrenAreProtectedAndKeptAsTheEngineHasIt(t *testing.T) {
	type options = []pulumi.ResourceOption
	yes, no := options{pulumi.Protect(true), pulumi.RetainOnDelete(true)}, options{pulumi.Protect(false), pulumi.RetainOnDelete(false)}
	for name, c := range map[string]struct {
		outer, inner options
		want         bool
	}{
		"nobody says anything":    {nil, nil, false},
		"the component says yes":  {yes, nil, true},
		"the resource says yes":   {nil, yes, true},
		"the resource says no":    {yes, no, false},
		"only the component's no": {no, nil, false},
		"the resource's yes wins": {no, yes, true},
	} {
		t.Run(name, func(t *testing.T) {
			r := one(t, graph.Record(t, graph.Options{}, func(ctx *pulumi.Context) error {
				_, err := below(ctx, "network", c.outer, volumeType, "data", pulumi.Map{}, c.inner...)
				return err
			}), "data")
			if r.Protect != c.want || r.RetainOnDelete != c.want {
				t.Errorf("protected %t, retained %t, want %t", r.Protect, r.RetainOnDelete, c.want)
			}
		})
	}
}

func TestAComponentWithAnAliasTakesItsChildrenAlong(t *testing.T) {
	program := func(kind, name string, options ...pulumi.ResourceOption) pulumi.RunFunc {
		return func(ctx *pulumi.Context) error {
			c := &component{}
			if err := ctx.RegisterComponentResource(kind, name, c, options...); err != nil {
				return err
			}
			return ctx.RegisterResource(volumeType, name+"-data", pulumi.Map{}, &volume{}, pulumi.Parent(c))
		}
	}
	older := graph.Record(t, graph.Options{}, program(above, "network")).Detail()
	alias := func(a pulumi.Alias) pulumi.ResourceOption { return pulumi.Aliases([]pulumi.Alias{a}) }
	renamed, retyped := alias(pulumi.Alias{Name: pulumi.String("network")}), alias(pulumi.Alias{Type: pulumi.String(above)})
	for name, c := range map[string]struct {
		now  pulumi.RunFunc
		kept bool
	}{
		"renamed":               {program(above, "net"), false},
		"renamed with an alias": {program(above, "net", renamed), true},
		"another type":          {program("icon:aws:Network", "network"), false},
		"retyped with an alias": {program("icon:aws:Network", "network", retyped), true},
	} {
		t.Run(name, func(t *testing.T) {
			if problems := graph.Upgrade(older, graph.Record(t, graph.Options{}, c.now)); (len(problems) == 0) != c.kept {
				t.Errorf("kept should be %t; problems %q", c.kept, problems)
			}
		})
	}
}

func TestTwoThatClaimToHaveBeenOneAreAProblem(t *testing.T) {
	older := graph.Record(t, graph.Options{}, makes("network", "data", pulumi.Map{})).Detail()
	now := graph.Record(t, graph.Options{}, func(ctx *pulumi.Context) error {
		c := &component{}
		if err := ctx.RegisterComponentResource(above, "network", c); err != nil {
			return err
		}
		was := pulumi.Aliases([]pulumi.Alias{{Name: pulumi.String("data")}})
		for _, name := range []string{"a", "b"} {
			if err := ctx.RegisterResource(volumeType, name, pulumi.Map{}, &volume{}, pulumi.Parent(c), was); err != nil {
				return err
			}
		}
		return nil
	})
	if got := graph.Upgrade(older, now); len(got) != 1 || !strings.Contains(got[0], "claim to have been") {
		t.Errorf("problems %q", got)
	}
}

func TestAnInputThatIsIgnoredReplacesNothingAndAPartOfOneDoes(t *testing.T) {
	program := func(ami string, encrypted bool, options ...pulumi.ResourceOption) *graph.Graph {
		return graph.Record(t, graph.Options{}, func(ctx *pulumi.Context) error {
			_, err := below(ctx, "network", nil, "aws:ec2/instance:Instance", "host", pulumi.Map{
				"ami": pulumi.String(ami), "rootBlockDevice": pulumi.Map{"encrypted": pulumi.Bool(encrypted), "volumeSize": pulumi.Int(8)},
			}, options...)
			return err
		})
	}
	older := program("ami-1", true).Detail()
	if got := graph.Upgrade(older, program("ami-2", true, pulumi.IgnoreChanges([]string{"ami"}))); len(got) > 0 {
		t.Errorf("an image that is ignored: %q", got)
	}
	if got := graph.Upgrade(older, program("ami-2", true)); len(got) != 1 || !strings.Contains(got[0], "its ami was") {
		t.Errorf("an image that is not: %q", got)
	}
	const want = "its rootBlockDevice.encrypted was true and is false"
	if got := graph.Upgrade(older, program("ami-1", false)); len(got) != 1 || !strings.Contains(got[0], want) {
		t.Errorf("a root volume: %q", got)
	}
}

func TestTheGraphTellsWhatEachInputIsMadeOf(t *testing.T) {
	program := func(ctx *pulumi.Context) error {
		var a, b, c pulumi.CustomResourceState
		if err := ctx.RegisterResource(groupType, "a", pulumi.Map{}, &a); err != nil {
			return err
		}
		if err := ctx.RegisterResource(groupType, "b", pulumi.Map{}, &b); err != nil {
			return err
		}
		return ctx.RegisterResource("aws:vpc/securityGroupIngressRule:SecurityGroupIngressRule", "c", pulumi.Map{
			"securityGroupId": a.ID(), "referencedSecurityGroupId": b.ID(), "fromPort": pulumi.Int(22),
		}, &c)
	}
	graph.InBothModes(t, program, func(t *testing.T, g *graph.Graph) {
		t.Helper()
		of := one(t, g, "c").PropertyDependencies
		if len(of) != 2 || !slices.Equal(of["securityGroupId"], []string{one(t, g, "a").URN}) ||
			!slices.Equal(of["referencedSecurityGroupId"], []string{one(t, g, "b").URN}) {
			t.Errorf("made of %v", of)
		}
	})
}

// A secret stays one on its way through outputs: those that are marked by hand, those of components, those of the stack.
func TestSecretsAreFollowedThroughOutputs(t *testing.T) {
	record := func(text pulumi.StringInput, options ...pulumi.ResourceOption) *graph.Graph {
		return graph.Record(t, graph.Options{}, func(ctx *pulumi.Context) error {
			c := &component{}
			if err := ctx.RegisterComponentResource(above, "network", c); err != nil {
				return err
			}
			var v struct {
				pulumi.CustomResourceState
				Text pulumi.StringOutput `pulumi:"text"`
			}
			if err := ctx.RegisterResource("icon:test:Text", "text", pulumi.Map{"text": text}, &v, options...); err != nil {
				return err
			}
			ctx.Export("text", v.Text)
			return ctx.RegisterResourceOutputs(c, pulumi.Map{"text": v.Text})
		})
	}
	for name, c := range map[string]struct {
		g    *graph.Graph
		said int
	}{
		"in the clear":         {record(pulumi.String("hunter2")), 3},
		"secret":               {record(pulumi.ToSecret("hunter2").(pulumi.StringOutput)), 0},
		"marked at the output": {record(pulumi.String("hunter2"), pulumi.AdditionalSecretOutputs([]string{"text"})), 1},
	} {
		t.Run(name, func(t *testing.T) {
			tb := &recording{TB: t}
			graph.SecretsMarked(tb, c.g, "hunter2")
			if tb.said != c.said {
				t.Errorf("it said %d things, want %d", tb.said, c.said)
			}
			if _, exported := c.g.Outputs[resource.PropertyKey("text")]; !exported {
				t.Errorf("the outputs of the stack are %v", c.g.Outputs)
			}
		})
	}
}

func TestTheTypesWhoseReplacementCountsAreTypesOfTheProvider(t *testing.T) {
	known, err := os.ReadFile("../policy/aws-types.txt")
	if err != nil {
		t.Fatal(err)
	}
	for _, kind := range graph.TypesWithFixedInputs() {
		if strings.HasPrefix(kind, "aws:") && !strings.Contains(string(known), kind+" ") {
			t.Errorf("pulumi-aws has no %s", kind)
		}
	}
}
