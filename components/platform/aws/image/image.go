// Package image makes machine images on AWS that were hardened when they were built, with EC2 Image Builder. A machine that is made from
// one is ready in the time that it takes to boot: the deploy finds everything as it wants it, but for what is a host's own. It is apart
// from components/platform/aws so that who makes machines does not compile Image Builder's SDK.
package image

import (
	"errors"
	"fmt"
	"maps"
	"regexp"
	"slices"

	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/ec2"
	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/iam"
	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/imagebuilder"
	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/vpc"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"github.com/insight-icon/pulumi-icon/hardening"
)

// Type is the type token of Image.
const Type = "icon:aws:Image"

// Args are the inputs of New.
type Args struct {
	// Hardening is what the image is hardened by: a profile for the login user "admin", that of Debian's images on AWS. Required.
	Hardening *hardening.Selection
	// Packages of the role that come with the image, such as "haproxy". Optional.
	Packages []string
	// Region where the image is built and kept, such as "eu-central-1". Required.
	Region string
	// Arch is "amd64" (default) or "arm64", as the machines have it.
	Arch string
	// VPC and Subnet are where the image is built, on a machine that nobody can connect to. Required. The subnet needs a way out to ports
	// 80 and 443: a NAT gateway, or an internet gateway and public addresses given by the subnet.
	VPC, Subnet pulumi.StringInput
	// InstanceType of the machine that builds. Default: t3.small, or t4g.small for arm64.
	InstanceType string
	// KMSKey is the ARN of the key that the image is encrypted with. Default: the account's own key for EBS, which is AWS's. An image holds
	// nothing that is secret; machines encrypt their volumes with their stack's key all the same.
	KMSKey pulumi.StringInput
	// Tags for everything that takes tags, the image included. Optional.
	Tags map[string]string
}

// Image is an image of a machine (AMI). It is built when it is made, which takes about half an hour, and built anew when its hardening, its
// packages or Debian's newest image have changed. Earlier images stay in the account, since machines may have been made from them.
type Image struct {
	pulumi.ResourceState
	// ID of the image, "ami-…", for icon:aws.machines.<host>.image.
	ID pulumi.StringOutput
	// Parent is the image of Debian's that it was made from.
	Parent pulumi.StringOutput
}

// debianAccount is Debian's own on AWS, which publishes its official images there
// (https://wiki.debian.org/Cloud/AmazonEC2Image/Bookworm).
const debianAccount = "136693071363"

// rootDevice is what Debian's images call their first volume; rootGiB is its size, which a machine's own may exceed.
const (
	rootDevice = "/dev/xvda"
	rootGiB    = 8
)

// buildTimeout bounds the build and its tests, half an hour by experience of others.
const buildTimeout = "90m"

var (
	regionPattern = regexp.MustCompile(`^[a-z]{2}(-[a-z]+)+-\d$`)
	machines      = map[string]string{"amd64": "x86_64", "arm64": "arm64"}
	builders      = map[string]string{"amd64": "t3.small", "arm64": "t4g.small"}
)

func (a *Args) validate() error {
	if a == nil {
		return errors.New("no arguments: Hardening, Region, VPC and Subnet are required")
	}
	var errs []error
	if a.Hardening == nil {
		errs = append(errs, errors.New("Hardening: is missing; wanted what hardening.Resolve gives for a profile"))
	} else if user := a.Hardening.Facts.LoginUser; user != "admin" {
		errs = append(errs, fmt.Errorf("Hardening: is for the login user %q; wanted \"admin\", whom Debian's images on AWS make", user))
	}
	if !regionPattern.MatchString(a.Region) {
		errs = append(errs, fmt.Errorf("Region: is %q; wanted a region of AWS such as eu-central-1", a.Region))
	}
	if machines[a.Arch] == "" {
		errs = append(errs, fmt.Errorf("Arch: is %q; wanted amd64 or arm64", a.Arch))
	}
	if a.VPC == nil || a.Subnet == nil {
		errs = append(errs, errors.New("VPC, Subnet: are missing; wanted the network where the image is built"))
	}
	return errors.Join(errs...)
}

func (a *Args) withDefaults() *Args {
	if a == nil {
		return nil
	}
	full := *a
	if full.Arch == "" {
		full.Arch = "amd64"
	}
	if full.InstanceType == "" {
		full.InstanceType = builders[full.Arch]
	}
	return &full
}

// New builds an image. Errors name the argument, all of them at once, before anything is made.
func New(ctx *pulumi.Context, name string, args *Args, opts ...pulumi.ResourceOption) (*Image, error) {
	args = args.withDefaults()
	if err := args.validate(); err != nil {
		return nil, fmt.Errorf("image %q: %w", name, err)
	}
	program, err := args.Hardening.Program(hardening.Live{Packages: args.Packages})
	if err != nil {
		return nil, fmt.Errorf("image %q: %w", name, err)
	}
	documents, err := documentsOf(program)
	if err != nil {
		return nil, fmt.Errorf("image %q: %w", name, err)
	}
	image := &Image{}
	if err := ctx.RegisterComponentResource(Type, name, image, opts...); err != nil {
		return nil, fmt.Errorf("register image %q: %w", name, err)
	}
	b := &builder{ctx: ctx, name: name, args: args, parent: pulumi.Parent(image), image: image}
	if err := b.make(documents); err != nil {
		return nil, fmt.Errorf("image %q: %w", name, err)
	}
	return image, ctx.RegisterResourceOutputs(image, pulumi.Map{"id": image.ID, "parent": image.Parent})
}

// builder makes the children of one Image. Those of Image Builder can't be changed: another content is another one, with a name of its own
// that the provider gives, which is why every version is the first.
type builder struct {
	ctx    *pulumi.Context
	name   string
	args   *Args
	parent pulumi.ResourceOption
	image  *Image
}

const version = "1.0.0"

func (b *builder) make(documents []string) error {
	recipe, err := b.makeRecipe(documents)
	if err != nil {
		return err
	}
	infrastructure, err := b.makeInfrastructure()
	if err != nil {
		return err
	}
	name := b.name + "-distribution"
	distribution, err := imagebuilder.NewDistributionConfiguration(b.ctx, name, &imagebuilder.DistributionConfigurationArgs{
		Description: pulumi.String("icon: images hardened as " + b.args.Hardening.Profile),
		Distributions: imagebuilder.DistributionConfigurationDistributionArray{imagebuilder.DistributionConfigurationDistributionArgs{
			Region: pulumi.String(b.args.Region),
			AmiDistributionConfiguration: imagebuilder.DistributionConfigurationDistributionAmiDistributionConfigurationArgs{
				Name:        pulumi.String("icon-" + b.args.Hardening.Profile + "-" + b.args.Arch + "-{{ imagebuilder:buildDate }}"),
				Description: pulumi.String("icon: Debian 12, hardened as " + b.args.Hardening.Profile),
				AmiTags:     b.tags(name),
			},
		}},
		Tags: b.tags(name),
	}, b.parent)
	if err != nil {
		return fmt.Errorf("distribution: %w", err)
	}
	name = b.name + "-image"
	made, err := imagebuilder.NewImage(b.ctx, name, &imagebuilder.ImageArgs{
		ImageRecipeArn: recipe.Arn, InfrastructureConfigurationArn: infrastructure.Arn, DistributionConfigurationArn: distribution.Arn,
		// On by default, and said all the same: the tests are what shows that the image boots as it was built.
		ImageTestsConfiguration: imagebuilder.ImageImageTestsConfigurationArgs{
			ImageTestsEnabled: pulumi.Bool(true), TimeoutMinutes: pulumi.Int(60),
		},
		Tags: b.tags(name),
	}, b.parent, pulumi.Timeouts(&pulumi.CustomTimeouts{Create: buildTimeout}))
	if err != nil {
		return fmt.Errorf("image: %w", err)
	}
	b.image.ID = made.OutputResources.ApplyT(imageOf).(pulumi.StringOutput)
	return nil
}

// imageOf is the image that a build came to: there is one, in the region where it was built.
func imageOf(resources []imagebuilder.ImageOutputResource) (string, error) {
	for _, r := range resources {
		for _, ami := range r.Amis {
			if ami.Image != nil {
				return *ami.Image, nil
			}
		}
	}
	return "", errors.New("Image Builder names no image that it made: look at the build in its console")
}

func (b *builder) makeRecipe(documents []string) (*imagebuilder.ImageRecipe, error) {
	var steps imagebuilder.ImageRecipeComponentArray
	for i, text := range documents {
		name := fmt.Sprintf("%s-part-%02d", b.name, i+1)
		component, err := imagebuilder.NewComponent(b.ctx, name, &imagebuilder.ComponentArgs{
			Platform: pulumi.String("Linux"), Version: pulumi.String(version), Data: pulumi.String(text),
			Description: pulumi.Sprintf("icon: hardening as %s, part %d of %d", b.args.Hardening.Profile, i+1, len(documents)),
			Tags:        b.tags(name),
		}, b.parent)
		if err != nil {
			return nil, fmt.Errorf("part %d of the program: %w", i+1, err)
		}
		steps = append(steps, imagebuilder.ImageRecipeComponentArgs{ComponentArn: component.Arn})
	}
	b.image.Parent = b.newestDebian()
	ebs := imagebuilder.ImageRecipeBlockDeviceMappingEbsArgs{
		Encrypted: pulumi.String("true"), DeleteOnTermination: pulumi.String("true"), VolumeType: pulumi.String("gp3"),
		VolumeSize: pulumi.Int(rootGiB),
	}
	if b.args.KMSKey != nil {
		ebs.KmsKeyId = b.args.KMSKey.ToStringOutput().ToStringPtrOutput()
	}
	name := b.name + "-recipe"
	recipe, err := imagebuilder.NewImageRecipe(b.ctx, name, &imagebuilder.ImageRecipeArgs{
		Description: pulumi.String("icon: Debian 12, hardened as " + b.args.Hardening.Profile), ParentImage: b.image.Parent,
		Version: pulumi.String(version), Components: steps, UserDataBase64: pulumi.String(userData(b.args.Region)),
		BlockDeviceMappings: imagebuilder.ImageRecipeBlockDeviceMappingArray{
			imagebuilder.ImageRecipeBlockDeviceMappingArgs{DeviceName: pulumi.String(rootDevice), Ebs: ebs},
		},
		// Image Builder puts its own program there, and can't run it from the usual /tmp once that takes none.
		WorkingDirectory:    pulumi.String("/root"),
		SystemsManagerAgent: imagebuilder.ImageRecipeSystemsManagerAgentArgs{UninstallAfterBuild: pulumi.Bool(true)},
		Tags:                b.tags(name),
	}, b.parent)
	if err != nil {
		return nil, fmt.Errorf("recipe: %w", err)
	}
	return recipe, nil
}

// newestDebian is Debian's newest official image.
func (b *builder) newestDebian() pulumi.StringOutput {
	filter := func(name, value string) ec2.GetAmiFilterInput {
		return ec2.GetAmiFilterArgs{Name: pulumi.String(name), Values: pulumi.StringArray{pulumi.String(value)}}
	}
	return ec2.LookupAmiOutput(b.ctx, ec2.LookupAmiOutputArgs{
		Owners: pulumi.StringArray{pulumi.String(debianAccount)}, MostRecent: pulumi.BoolPtr(true),
		Filters: ec2.GetAmiFilterArray{
			filter("name", "debian-12-"+b.args.Arch+"-*"), filter("architecture", machines[b.args.Arch]), filter("root-device-type", "ebs"),
			filter("virtualization-type", "hvm"), filter("state", "available"),
		},
	}, b.parent.(pulumi.InvokeOption)).Id()
}

// makeInfrastructure says what the image is built on: a machine without a key and without any way in, which takes its orders from Systems
// Manager, by connections that it opens itself.
func (b *builder) makeInfrastructure() (*imagebuilder.InfrastructureConfiguration, error) {
	profile, err := b.makeProfile()
	if err != nil {
		return nil, err
	}
	group, err := b.makeGroup()
	if err != nil {
		return nil, err
	}
	name := b.name + "-infrastructure"
	infrastructure, err := imagebuilder.NewInfrastructureConfiguration(b.ctx, name, &imagebuilder.InfrastructureConfigurationArgs{
		Description: pulumi.String("icon: where images are built"), InstanceProfileName: profile.Name,
		InstanceTypes:    pulumi.StringArray{pulumi.String(b.args.InstanceType)},
		SubnetId:         b.args.Subnet.ToStringOutput().ToStringPtrOutput(),
		SecurityGroupIds: pulumi.StringArray{group.ID()},
		InstanceMetadataOptions: imagebuilder.InfrastructureConfigurationInstanceMetadataOptionsArgs{
			HttpTokens: pulumi.String("required"), HttpPutResponseHopLimit: pulumi.Int(1),
		},
		TerminateInstanceOnFailure: pulumi.Bool(true), ResourceTags: b.tags(name), Tags: b.tags(name),
	}, b.parent)
	if err != nil {
		return nil, fmt.Errorf("infrastructure: %w", err)
	}
	return infrastructure, nil
}

func (b *builder) makeProfile() (*iam.InstanceProfile, error) {
	name := b.name + "-role"
	role, err := iam.NewRole(b.ctx, name, &iam.RoleArgs{
		Description:      pulumi.String("icon: machines that build images; may take their orders, and write their log"),
		AssumeRolePolicy: pulumi.String(assumedByEC2), Tags: b.tags(name),
	}, b.parent)
	if err != nil {
		return nil, fmt.Errorf("role: %w", err)
	}
	name = b.name + "-policy"
	policy, err := iam.NewRolePolicy(b.ctx, name, &iam.RolePolicyArgs{
		Role: role.ID(), Policy: pulumi.String(buildPolicy(b.args.Region)),
	}, b.parent)
	if err != nil {
		return nil, fmt.Errorf("policy: %w", err)
	}
	name = b.name + "-profile"
	// After the policy: a machine that starts without it is given up on.
	profile, err := iam.NewInstanceProfile(b.ctx, name, &iam.InstanceProfileArgs{Role: role.ID(), Tags: b.tags(name)},
		b.parent, pulumi.DependsOn([]pulumi.Resource{policy}))
	if err != nil {
		return nil, fmt.Errorf("instance profile: %w", err)
	}
	return profile, nil
}

func (b *builder) makeGroup() (*ec2.SecurityGroup, error) {
	name := b.name + "-group"
	group, err := ec2.NewSecurityGroup(b.ctx, name, &ec2.SecurityGroupArgs{
		Description: pulumi.String("icon: machines that build images"), VpcId: b.args.VPC.ToStringOutput(), Tags: b.tags(name),
	}, b.parent)
	if err != nil {
		return nil, fmt.Errorf("security group: %w", err)
	}
	for _, out := range []struct {
		port int
		why  string
	}{{80, "packages, which are signed"}, {443, "packages, Systems Manager and Image Builder"}} {
		name := fmt.Sprintf("%s-group-out-tcp-%d", b.name, out.port)
		if _, err := vpc.NewSecurityGroupEgressRule(b.ctx, name, &vpc.SecurityGroupEgressRuleArgs{
			SecurityGroupId: group.ID(), IpProtocol: pulumi.String("tcp"), FromPort: pulumi.Int(out.port), ToPort: pulumi.Int(out.port),
			CidrIpv4: pulumi.StringPtr("0.0.0.0/0"), Description: pulumi.String(out.why), Tags: b.tags(name),
		}, b.parent); err != nil {
			return nil, fmt.Errorf("rule of the security group: %w", err)
		}
	}
	return group, nil
}

// tags are those of every resource: the operator's, and the library's, which win.
func (b *builder) tags(name string) pulumi.StringMap {
	tags := pulumi.StringMap{}
	for _, k := range slices.Sorted(maps.Keys(b.args.Tags)) {
		tags[k] = pulumi.String(b.args.Tags[k])
	}
	for k, v := range map[string]string{"Name": name, "Project": "icon", "Stack": b.ctx.Stack(), "ManagedBy": "pulumi"} {
		tags[k] = pulumi.String(v)
	}
	return tags
}
