package front_test

import (
	"maps"
	"slices"
	"testing"

	awssdk "github.com/pulumi/pulumi-aws/sdk/v6/go/aws"
	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/ec2"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"github.com/insight-icon/pulumi-icon/components/platform/aws"
	"github.com/insight-icon/pulumi-icon/components/platform/aws/front"
	"github.com/insight-icon/pulumi-icon/internal/awsplan"
	"github.com/insight-icon/pulumi-icon/tests/graph"
)

// network is the fixture's VPC with its hosts, made by hand, so that these tests depend on no other component.
const network = "net"

// settings of a stack, complete as a design has them.
func settings(kind string) awsplan.Settings {
	protect := true
	return awsplan.Settings{
		Region: "eu-central-1", Zones: []string{"eu-central-1a", "eu-central-1b"},
		Front: awsplan.Front{Kind: kind, HostedZone: "ZSENTRIES"}, LogDays: 365, Protect: &protect,
	}
}

func withAPI(s awsplan.Settings) awsplan.Settings {
	s.API = &awsplan.API{Name: "api.example.org", HostedZone: "ZAPI", RequestsPerSource: 2000}
	return s
}

// args of a front before two sentries and two citizens.
func args(made *aws.Made) *front.Args {
	a := &front.Args{Made: made, Citizens: []string{"citizen-1", "citizen-2"}}
	if made.Design.Settings.Front.Kind != "" {
		a.Announce, a.Sentries = "prep.example.org:7100", []string{"sentry-1", "sentry-2"}
	}
	return a
}

// makeNetwork makes what the aws platform would hand on.
func makeNetwork(ctx *pulumi.Context, s awsplan.Settings, opts ...pulumi.ResourceOption) (*aws.Made, error) {
	made := &aws.Made{
		Design: &awsplan.Design{Settings: s, ElasticIPs: []string{"bastion"}}, VPC: pulumi.String("vpc-1").ToStringOutput(),
		Subnets: map[string]pulumi.StringOutput{}, Groups: map[string]*ec2.SecurityGroup{}, Instances: map[string]*ec2.Instance{},
		Addresses: map[string]*ec2.Eip{}, KeyARN: pulumi.String("arn:aws:kms:eu-central-1:123456789012:key/k").ToStringOutput(),
		Account: pulumi.String("123456789012").ToStringOutput(), Partition: pulumi.String("aws").ToStringOutput(),
		WAFLogPrefix: "aws-waf-logs-icon-test-net", Ready: map[string][]pulumi.Resource{},
		Tags: func(name string) pulumi.StringMap {
			return pulumi.StringMap{
				"Name": pulumi.String(name), "Project": pulumi.String("icon"), "Stack": pulumi.String("test"), "ManagedBy": pulumi.String("pulumi"),
			}
		},
	}
	public := []string{"bastion"}
	switch s.Front.Kind {
	case awsplan.FrontNLB:
		made.Design.ElasticIPs = append(made.Design.ElasticIPs, "nlb-eu-central-1a", "nlb-eu-central-1b")
	case awsplan.FrontDNS:
		public = append(public, "sentry-1", "sentry-2")
	}
	for _, letter := range []string{"a", "b"} {
		made.Subnets["balancer-"+letter] = pulumi.String("subnet-balancer-" + letter).ToStringOutput()
		made.Subnets["public-"+letter] = pulumi.String("subnet-public-" + letter).ToStringOutput()
	}
	out, err := ec2.NewRoute(ctx, network+"-out", &ec2.RouteArgs{RouteTableId: pulumi.String("rtb-1")}, opts...)
	if err != nil {
		return nil, err
	}
	made.Ready["balancer-b"] = []pulumi.Resource{out}
	for _, group := range []string{"nlb", "alb"} {
		if made.Groups[group], err = ec2.NewSecurityGroup(ctx, network+"-group-"+group, &ec2.SecurityGroupArgs{}, opts...); err != nil {
			return nil, err
		}
	}
	for _, h := range []string{"sentry-1", "sentry-2", "citizen-1", "citizen-2"} {
		if made.Instances[h], err = ec2.NewInstance(ctx, network+"-"+h+"-instance", &ec2.InstanceArgs{}, opts...); err != nil {
			return nil, err
		}
	}
	for _, h := range public {
		if made.Addresses[h], err = ec2.NewEip(ctx, network+"-"+h+"-address", &ec2.EipArgs{}, opts...); err != nil {
			return nil, err
		}
	}
	return made, nil
}

// program makes a front with these settings; change may alter its arguments, look sees what was made.
func program(s awsplan.Settings, change func(*front.Args), look func(*front.Front)) pulumi.RunFunc {
	return func(ctx *pulumi.Context) error {
		provider, err := awssdk.NewProvider(ctx, "aws", &awssdk.ProviderArgs{Region: pulumi.String(s.Region)})
		if err != nil {
			return err
		}
		made, err := makeNetwork(ctx, s, pulumi.Provider(provider))
		if err != nil {
			return err
		}
		a := args(made)
		if change != nil {
			change(a)
		}
		f, err := front.New(ctx, "front", a, pulumi.Providers(provider))
		if err == nil && look != nil {
			look(f)
		}
		return err
	}
}

// below are the resources of the front; those of the fixture are left out.
func below(g *graph.Graph) []*graph.Resource {
	var all []*graph.Resource
	for _, r := range g.Resources {
		if parent := g.Get(r.Parent); parent != nil && parent.Type == front.Type {
			all = append(all, r)
		}
	}
	return all
}

func names(resources []*graph.Resource) []string {
	set := map[string]bool{}
	for _, r := range resources {
		set[r.Name] = true
	}
	return slices.Sorted(maps.Keys(set))
}

// same checks two lists for equality and says what is more and what is less.
func same(t *testing.T, what string, got, want []string) {
	t.Helper()
	for _, g := range got {
		if !slices.Contains(want, g) {
			t.Errorf("%s: %s is there and was not wanted", what, g)
		}
	}
	for _, w := range want {
		if !slices.Contains(got, w) {
			t.Errorf("%s: %s is missing", what, w)
		}
	}
}
