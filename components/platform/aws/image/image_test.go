package image_test

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"

	awssdk "github.com/pulumi/pulumi-aws/sdk/v6/go/aws"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"github.com/insight-icon/pulumi-icon/components/platform/aws/image"
	"github.com/insight-icon/pulumi-icon/hardening"
	"github.com/insight-icon/pulumi-icon/tests/graph"
	"github.com/insight-icon/pulumi-icon/tests/policy"
)

func selection(t *testing.T, profile, user string) *hardening.Selection {
	t.Helper()
	s, problems := hardening.Resolve(profile, hardening.Facts{Role: profile, LoginUser: user})
	if s == nil {
		t.Fatal(problems)
	}
	return s
}

func program(args *image.Args) pulumi.RunFunc {
	return func(ctx *pulumi.Context) error {
		provider, err := awssdk.NewProvider(ctx, "aws", &awssdk.ProviderArgs{Region: pulumi.String("eu-central-1")})
		if err != nil {
			return err
		}
		made, err := image.New(ctx, "sentry", args, pulumi.Providers(provider))
		if err == nil {
			ctx.Export("id", made.ID)
		}
		return err
	}
}

func small(t *testing.T) *image.Args {
	t.Helper()
	return &image.Args{
		Hardening: selection(t, "sentry", "admin"), Packages: []string{"haproxy"}, Region: "eu-central-1", Arch: "arm64",
		VPC: pulumi.String("vpc-1"), Subnet: pulumi.String("subnet-1"), Tags: map[string]string{"CostCentre": "nodes", "Project": "theirs"},
	}
}

func TestAnImageKeepsThePolicies(t *testing.T) {
	args := small(t)
	graph.InBothModes(t, program(args), func(t *testing.T, g *graph.Graph) {
		t.Helper()
		graph.UniqueURNs(t, g)
		graph.EveryChildBelow(t, g, image.Type)
		policy.Holds(t, g, policy.AWS())
		if id := g.Outputs["id"]; id.IsString() && id.StringValue() != "ami-sentry-image" {
			t.Errorf("the image's id is %v", id)
		}
	})
}

func one(t *testing.T, g *graph.Graph, name string) *graph.Resource {
	t.Helper()
	found := g.Named(name)
	if len(found) != 1 {
		t.Fatalf("%d resources are named %s", len(found), name)
	}
	return found[0]
}

func TestNobodyCanConnectToTheMachineThatBuilds(t *testing.T) {
	g := graph.Record(t, graph.Options{}, program(small(t)))
	for _, r := range g.Resources {
		if strings.Contains(r.Type, "IngressRule") || strings.Contains(r.Type, "keyPair") {
			t.Errorf("there is %s", r.URN)
		}
	}
	i := one(t, g, "sentry-infrastructure").Inputs
	options := i["instanceMetadataOptions"].ObjectValue()
	if i.HasValue("keyPair") || options["httpTokens"].StringValue() != "required" || !i["terminateInstanceOnFailure"].BoolValue() {
		t.Errorf("machines that build: %v", i)
	}
	if n := len(i["securityGroupIds"].ArrayValue()); n != 1 || i["subnetId"].StringValue() != "subnet-1" {
		t.Errorf("machines that build: %v", i)
	}
}

func TestAnImageIsEncryptedTestedAndOfTheParentsNewest(t *testing.T) {
	args := small(t)
	args.KMSKey = pulumi.String("arn:aws:kms:eu-central-1:123456789012:key/k")
	g := graph.Record(t, graph.Options{}, program(args))
	recipe := one(t, g, "sentry-recipe").Inputs
	disk := recipe["blockDeviceMappings"].ArrayValue()[0].ObjectValue()
	ebs := disk["ebs"].ObjectValue()
	if disk["deviceName"].StringValue() != "/dev/xvda" || ebs["encrypted"].StringValue() != "true" ||
		!strings.HasSuffix(ebs["kmsKeyId"].StringValue(), "key/k") {
		t.Errorf("the image's volume: %v", disk)
	}
	tests := one(t, g, "sentry-image").Inputs["imageTestsConfiguration"].ObjectValue()
	if !tests["imageTestsEnabled"].BoolValue() {
		t.Error("the image is not tested")
	}
	if !strings.HasPrefix(recipe["parentImage"].StringValue(), "ami-") {
		t.Errorf("the parent is %v", recipe["parentImage"])
	}
	parts := recipe["components"].ArrayValue()
	if len(parts) < 2 {
		t.Errorf("only these components: %v", parts)
	}
	without := graph.Record(t, graph.Options{}, program(small(t)))
	ebs = one(t, without, "sentry-recipe").Inputs["blockDeviceMappings"].ArrayValue()[0].ObjectValue()["ebs"].ObjectValue()
	if ebs.HasValue("kmsKeyId") || ebs["encrypted"].StringValue() != "true" {
		t.Errorf("without a key of the operator's: %v", ebs)
	}
}

func TestAnotherHardeningIsAnotherImage(t *testing.T) {
	last := func(s *hardening.Selection) string {
		args := small(t)
		args.Hardening = s
		g := graph.Record(t, graph.Options{}, program(args))
		var data []string
		for _, r := range g.Resources {
			if strings.HasSuffix(r.Type, ":Component") && strings.HasPrefix(r.Type, "aws:") {
				data = append(data, r.Inputs["data"].StringValue())
			}
		}
		slices.Sort(data)
		return strings.Join(data, "\n")
	}
	first, again := last(selection(t, "sentry", "admin")), last(selection(t, "sentry", "admin"))
	if first != again {
		t.Error("the same hardening makes another program each time: every up would build an image")
	}
	if first == last(selection(t, "bastion", "admin")) {
		t.Error("another profile makes the same program")
	}
}

func TestThePolicyOfTheMachineThatBuildsReadsNoParametersAndNoKeys(t *testing.T) {
	for region, partition := range map[string]string{"eu-central-1": "aws", "cn-north-1": "aws-cn", "us-gov-west-1": "aws-us-gov"} {
		args := small(t)
		args.Region = region
		g := graph.Record(t, graph.Options{}, program(args))
		var p struct {
			Statement []struct{ Action, Resource []string }
		}
		if err := json.Unmarshal([]byte(one(t, g, "sentry-policy").Inputs["policy"].StringValue()), &p); err != nil {
			t.Fatal(err)
		}
		for _, s := range p.Statement {
			for _, action := range s.Action {
				if strings.HasPrefix(action, "ssm:GetParameter") || strings.HasPrefix(action, "kms:") || strings.Contains(action, "*") {
					t.Errorf("the policy allows %s", action)
				}
			}
			for _, resource := range s.Resource {
				if resource != "*" && !strings.HasPrefix(resource, "arn:"+partition+":") {
					t.Errorf("%s: the policy names %s", region, resource)
				}
			}
		}
	}
}

func TestMistakesAreNamedAllAtOnceBeforeAnythingIsMade(t *testing.T) {
	for _, c := range []struct {
		args *image.Args
		want []string
	}{
		{nil, []string{"no arguments: Hardening, Region, VPC and Subnet are required"}},
		{&image.Args{Region: "Frankfurt", Arch: "riscv"}, []string{
			"Hardening: is missing", `Region: is "Frankfurt"; wanted`, `Arch: is "riscv"; wanted amd64 or arm64`, "VPC, Subnet: are missing",
		}},
		{
			&image.Args{Hardening: selection(t, "sentry", "root"), Region: "eu-central-1", VPC: pulumi.String("v"), Subnet: pulumi.String("s")},
			[]string{`Hardening: is for the login user "root"; wanted "admin"`},
		},
	} {
		g, err := graph.Run(t, graph.Options{}, program(c.args))
		if err == nil {
			t.Errorf("%+v: accepted", c.args)
			continue
		}
		for _, want := range c.want {
			if !strings.Contains(err.Error(), want) {
				t.Errorf("%+v: the error does not say %q: %v", c.args, want, err)
			}
		}
		if g != nil && len(g.Named("sentry-group")) > 0 {
			t.Error("something was made")
		}
	}
}
