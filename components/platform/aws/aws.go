package aws

import (
	"fmt"

	awssdk "github.com/pulumi/pulumi-aws/sdk/v6/go/aws"
	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/ec2"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"github.com/insight-icon/pulumi-icon/components/platform"
	"github.com/insight-icon/pulumi-icon/internal/awsplan"
)

// The settings of a stack file below icon:aws, under the names by which programs that import this package write them.
type (
	// Settings are an operator's wishes for AWS.
	Settings = awsplan.Settings
	// VPC is the network.
	VPC = awsplan.VPC
	// ExistingVPC names a VPC of the operator's and its subnets, by zone.
	ExistingVPC = awsplan.ExistingVPC
	// Machine is what an operator wishes of one machine.
	Machine = awsplan.Machine
	// Front is how the internet is led to the sentries.
	Front = awsplan.Front
	// API publishes the citizens' API.
	API = awsplan.API
	// Snapshots are daily copies of the chain-data volumes.
	Snapshots = awsplan.Snapshots
)

// Design is what will be made, which follows from Settings and the plan.
type Design = awsplan.Design

// Args are the inputs of New.
type Args struct {
	// Settings are the wishes. Region, Zones and AdministratorKeys are required.
	Settings Settings
	// Network is the goloop network's profile, "mainnet", "lisbon", "berlin" or "custom": machine types and volumes follow from it.
	Network string
	// Announce is what the sentries are announced as, "name:7100"; empty without sentries.
	Announce string
	// PrivateKey logs in to all machines, Passphrase opens it: secrets. Its public half must be one of Settings.AdministratorKeys. Nil
	// PrivateKey: the SSH agent, whose keys are not checked.
	PrivateKey, Passphrase pulumi.StringPtrInput
	// Where is the configuration path that messages name. Default "icon:aws".
	Where string
}

// AWS is the platform; see platform.Platform. Its resources are made with a provider such as NewProvider makes; hand it to the component
// by pulumi.Providers. After Network, the method Made has what was made.
type AWS struct {
	args Args
	made *Made
}

var _ platform.Platform = (*AWS)(nil)

// New makes the platform. Nothing is asked of AWS before Network.
func New(args Args) *AWS {
	if args.Where == "" {
		args.Where = "icon:aws"
	}
	return &AWS{args: args}
}

// NewProvider makes the provider that all resources of a stack are made with, and hands it to components by pulumi.Providers.
// Credentials come from the environment, as for any AWS tool; with Settings.Account those for any other account are refused.
func NewProvider(ctx *pulumi.Context, name string, s Settings, opts ...pulumi.ResourceOption) (pulumi.ProviderResource, error) {
	args := &awssdk.ProviderArgs{Region: pulumi.String(s.Region)}
	if s.Account != "" {
		args.AllowedAccountIds = pulumi.StringArray{pulumi.String(s.Account)}
	}
	p, err := awssdk.NewProvider(ctx, name, args, opts...)
	if err != nil {
		return nil, fmt.Errorf("aws provider %q: %w", name, err)
	}
	return p, nil
}

// Made is what Network made, for programs that add to it: load balancers, records, monitoring.
type Made struct {
	// Design is what was decided.
	Design *Design
	// VPC is the network's id, and Subnets are the subnets' by name, "public-a": tier and zone letter, also in an existing VPC.
	VPC     pulumi.StringOutput
	Subnets map[string]pulumi.StringOutput
	// Groups are the security groups by role ("prep", "citizen", "sentry", "bastion") and by front ("nlb", "alb"). Their rules are those
	// of the plan's edges, and are made already.
	Groups map[string]*ec2.SecurityGroup
	// Instances are the machines by host name.
	Instances map[string]*ec2.Instance
	// Addresses are the elastic addresses that the platform made, by their names in Design.ElasticIPs: those of hosts and NAT gateways.
	Addresses map[string]*ec2.Eip
	// KeyARN is the key of volumes and logs: the stack's own or Settings.KMSKey. The stack's own serves log groups whose name begins with
	// LogPrefix or, for web firewalls, whose logs AWS wants to be named so, WAFLogPrefix; no others, and no buckets.
	KeyARN                  pulumi.StringOutput
	LogPrefix, WAFLogPrefix string
	// Tags are what every resource of the stack carries, with this name.
	Tags func(name string) pulumi.StringMap
	// Account and Partition ("aws") are where it all is.
	Account, Partition pulumi.StringOutput
	// Ready are, by subnet name, what a machine in the subnet needs to reach the outside: routes and gateways. Empty with an existing VPC.
	Ready map[string][]pulumi.Resource
}

// Made is what Network made, nil before.
func (a *AWS) Made() *Made { return a.made }

// Name is "aws".
func (*AWS) Name() string { return "aws" }

// LoginUser is the user that the images' cloud-init makes.
func (*AWS) LoginUser(string) string { return user }

// Network makes the network and the machines. Children are named after name and belong to parent, whose providers they are made with.
func (a *AWS) Network(ctx *pulumi.Context, name string, spec platform.NetworkSpec, parent pulumi.Resource) (
	map[string]*platform.Host, error,
) {
	design, err := a.checked(spec)
	if err != nil {
		return nil, err
	}
	b := &builder{
		ctx: ctx, name: name, parent: pulumi.Parent(parent), args: a.args, design: design, settings: design.Settings, spec: spec,
		protect: design.Settings.Protect == nil || *design.Settings.Protect,
	}
	b.begin()
	for _, build := range []func() error{
		b.makeKey, b.makeNetwork, b.makeFlowLogs, b.makeGroups, b.makeProfile, b.makePlacement, b.makeMachines, b.makeSnapshots,
	} {
		if err := build(); err != nil {
			return nil, err
		}
	}
	a.made = b.made
	return b.makeHosts(parent)
}

// builder makes one network.
type builder struct {
	ctx      *pulumi.Context
	name     string
	parent   pulumi.ResourceOption
	args     Args
	design   *awsplan.Design
	settings awsplan.Settings
	spec     platform.NetworkSpec
	protect  bool
	made     *Made

	account, partition pulumi.StringOutput
	// login is the private key of the deploy, nil for an agent; admitted are the administrators' keys. Both resolve once they are known to
	// belong together.
	login    pulumi.StringPtrInput
	admitted pulumi.StringArrayOutput
	// rules of the security groups, by group: a machine that must be reached needs them.
	rules     map[string][]pulumi.Resource
	placement map[string]*ec2.PlacementGroup
	profile   pulumi.StringOutput
	machines  map[string]*machine
}

// begin asks AWS where we are, and prepares what the others fill.
func (b *builder) begin() {
	invoke := b.parent.(pulumi.InvokeOption)
	b.account = awssdk.GetCallerIdentityOutput(b.ctx, awssdk.GetCallerIdentityOutputArgs{}, invoke).AccountId()
	b.partition = awssdk.GetPartitionOutput(b.ctx, awssdk.GetPartitionOutputArgs{}, invoke).Partition()
	b.login, b.admitted = b.checkedLogin()
	b.rules, b.placement, b.machines = map[string][]pulumi.Resource{}, map[string]*ec2.PlacementGroup{}, map[string]*machine{}
	stack := b.ctx.Project() + "/" + b.ctx.Stack() + "/" + b.name
	b.made = &Made{
		Design: b.design, Subnets: map[string]pulumi.StringOutput{}, Groups: map[string]*ec2.SecurityGroup{},
		Instances: map[string]*ec2.Instance{}, Addresses: map[string]*ec2.Eip{}, Ready: map[string][]pulumi.Resource{},
		LogPrefix: "/" + stack + "/", WAFLogPrefix: "aws-waf-logs-" + b.ctx.Project() + "-" + b.ctx.Stack() + "-" + b.name,
		Account: b.account, Partition: b.partition, Tags: func(name string) pulumi.StringMap { return b.tags(name) },
	}
}

// options are those of every child, and more.
func (b *builder) options(more ...pulumi.ResourceOption) []pulumi.ResourceOption {
	return append([]pulumi.ResourceOption{b.parent}, more...)
}

// kept are the options of what Settings.Protect protects.
func (b *builder) kept(more ...pulumi.ResourceOption) []pulumi.ResourceOption {
	return b.options(append(more, pulumi.Protect(b.protect))...)
}
