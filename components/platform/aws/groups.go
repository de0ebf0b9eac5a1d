package aws

import (
	"fmt"

	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/ec2"
	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/vpc"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"
)

// makeGroups makes a security group for each role and front, and rules from the edges. A group starts with no rule at all, the one to
// everywhere that EC2 gives it included: the provider takes that away.
func (b *builder) makeGroups() error {
	rules := rulesOf(b.spec)
	roles := map[string]bool{}
	for _, h := range b.spec.Hosts {
		roles[string(h.Role)] = true
	}
	wanted := map[string]bool{}
	for role := range roles {
		wanted[role] = true
	}
	for _, r := range rules {
		wanted[r.group] = true
	}
	for _, g := range sortedKeys(wanted) {
		name, what, more := b.name+"-group-"+g, "hosts of the role ", []string{"Role", g}
		if !roles[g] {
			what, more = "the load balancer ", nil
		}
		group, err := ec2.NewSecurityGroup(b.ctx, name, &ec2.SecurityGroupArgs{
			// A description cannot be changed without replacing the group.
			Description: pulumi.String("icon: " + what + g),
			VpcId:       b.made.VPC, Tags: b.tags(name, more...),
		}, b.options()...)
		if err != nil {
			return fmt.Errorf("security group of %s: %w", g, err)
		}
		b.made.Groups[g] = group
	}
	for _, r := range rules {
		if err := b.makeRule(r); err != nil {
			return err
		}
	}
	return nil
}

func (b *builder) makeRule(r rule) error {
	name := b.name + "-" + r.name()
	var cidr, peer pulumi.StringPtrInput
	if r.peer != "" {
		peer = b.made.Groups[r.peer].ID().ToStringOutput().ToStringPtrOutput()
	} else {
		cidr = pulumi.StringPtr(r.cidr)
	}
	var made pulumi.Resource
	var err error
	if r.in {
		made, err = vpc.NewSecurityGroupIngressRule(b.ctx, name, &vpc.SecurityGroupIngressRuleArgs{
			SecurityGroupId: b.made.Groups[r.group].ID(), IpProtocol: pulumi.String(r.protocol), FromPort: pulumi.IntPtr(r.from),
			ToPort: pulumi.IntPtr(r.to), CidrIpv4: cidr, ReferencedSecurityGroupId: peer, Description: pulumi.StringPtr(described(r.why)),
			Tags: b.tags(name),
		}, b.options()...)
	} else {
		made, err = vpc.NewSecurityGroupEgressRule(b.ctx, name, &vpc.SecurityGroupEgressRuleArgs{
			SecurityGroupId: b.made.Groups[r.group].ID(), IpProtocol: pulumi.String(r.protocol), FromPort: pulumi.IntPtr(r.from),
			ToPort: pulumi.IntPtr(r.to), CidrIpv4: cidr, ReferencedSecurityGroupId: peer, Description: pulumi.StringPtr(described(r.why)),
			Tags: b.tags(name),
		}, b.options()...)
	}
	if err != nil {
		return fmt.Errorf("security group rule %s: %w", name, err)
	}
	b.rules[r.group] = append(b.rules[r.group], made)
	return nil
}
