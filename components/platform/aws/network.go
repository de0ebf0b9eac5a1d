package aws

import (
	"fmt"
	"slices"

	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/ec2"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"github.com/insight-icon/pulumi-icon/internal/awsplan"
)

// letter is what a zone adds to its region: "a" of "eu-central-1a".
func letter(zone string) string { return zone[len(zone)-1:] }

// makeNetwork makes the VPC and what is in it, or takes an existing one. There is no IPv6 in it: goloop speaks IPv4 alone, and what
// nothing listens on need not be guarded.
//
// What belongs to one subnet is a resource of its own, so that another zone adds resources and changes none.
func (b *builder) makeNetwork() error {
	if e := b.settings.VPC.Existing; e != nil {
		b.useExisting(e)
		return nil
	}
	name := b.name + "-vpc"
	network, err := ec2.NewVpc(b.ctx, name, &ec2.VpcArgs{
		CidrBlock: pulumi.String(b.settings.VPC.CIDR), EnableDnsSupport: pulumi.Bool(true), EnableDnsHostnames: pulumi.Bool(true),
		Tags: b.tags(name),
	}, b.options()...)
	if err != nil {
		return fmt.Errorf("vpc: %w", err)
	}
	b.made.VPC = network.ID().ToStringOutput()
	// Every new VPC has a group whose members may talk to each other and to everywhere: emptied, and used by nothing.
	name = b.name + "-default-group"
	_, err = ec2.NewDefaultSecurityGroup(b.ctx, name, &ec2.DefaultSecurityGroupArgs{
		VpcId: b.made.VPC, Ingress: ec2.DefaultSecurityGroupIngressArray{}, Egress: ec2.DefaultSecurityGroupEgressArray{}, Tags: b.tags(name),
	}, b.options()...)
	if err != nil {
		return fmt.Errorf("default security group: %w", err)
	}
	name = b.name + "-internet-gateway"
	gateway, err := ec2.NewInternetGateway(b.ctx, name, &ec2.InternetGatewayArgs{VpcId: b.made.VPC, Tags: b.tags(name)}, b.options()...)
	if err != nil {
		return fmt.Errorf("internet gateway: %w", err)
	}
	return b.makeSubnets(gateway)
}

// useExisting takes the operator's subnets under the names that the stack's own would have.
func (b *builder) useExisting(e *awsplan.ExistingVPC) {
	b.made.VPC = pulumi.String(e.ID).ToStringOutput()
	for tier, subnets := range map[string]map[string]string{
		awsplan.Public: e.Public, awsplan.Private: e.Private, awsplan.Balancer: e.Balancer,
	} {
		for zone, id := range subnets {
			b.made.Subnets[tier+"-"+letter(zone)] = pulumi.String(id).ToStringOutput()
		}
	}
}

func (b *builder) makeSubnets(gateway *ec2.InternetGateway) error {
	acl, err := b.makeACL()
	if err != nil {
		return err
	}
	for _, s := range b.design.Subnets {
		name := b.name + "-subnet-" + s.Name
		subnet, err := ec2.NewSubnet(b.ctx, name, &ec2.SubnetArgs{
			VpcId: b.made.VPC, CidrBlock: pulumi.String(s.CIDR), AvailabilityZone: pulumi.String(s.Zone),
			// Elastic addresses only, which are asked for one by one.
			MapPublicIpOnLaunch: pulumi.Bool(false),
			Tags:                b.tags(name, "Tier", s.Tier),
		}, b.options()...)
		if err != nil {
			return fmt.Errorf("subnet %s: %w", s.Name, err)
		}
		b.made.Subnets[s.Name] = subnet.ID().ToStringOutput()
		guarded, err := ec2.NewNetworkAclAssociation(b.ctx, name+"-acl", &ec2.NetworkAclAssociationArgs{
			NetworkAclId: acl.ID(), SubnetId: subnet.ID(),
		}, b.options()...)
		if err != nil {
			return fmt.Errorf("network ACL of subnet %s: %w", s.Name, err)
		}
		b.made.Ready[s.Name] = []pulumi.Resource{guarded}
	}
	r := &routes{b: b, gateway: gateway, nat: map[string]*ec2.NatGateway{}}
	return r.make()
}

// makeACL is a second layer below the security groups: remote administration from anywhere but the administrators' networks and the VPC
// itself is turned away at the subnets.
func (b *builder) makeACL() (*ec2.NetworkAcl, error) {
	name := b.name + "-acl"
	acl, err := ec2.NewNetworkAcl(b.ctx, name, &ec2.NetworkAclArgs{
		VpcId: b.made.VPC, Ingress: aclIngress(b.spec.Administrators, b.settings.VPC.CIDR), Tags: b.tags(name),
		Egress: ec2.NetworkAclEgressArray{ec2.NetworkAclEgressArgs{
			RuleNo: pulumi.Int(100), Action: pulumi.String("allow"), Protocol: pulumi.String("-1"), CidrBlock: pulumi.String(anywhere),
			FromPort: pulumi.Int(0), ToPort: pulumi.Int(0),
		}},
	}, b.options()...)
	if err != nil {
		return nil, fmt.Errorf("network ACL: %w", err)
	}
	return acl, nil
}

// aclIngress allows SSH to administrators, all within the VPC, and from elsewhere every port above 22 but 3389, remote desktop: what no
// entry allows is denied. Nothing of ours listens below. An ACL does not know connections, so answers must be let in too. A NAT gateway
// that happens to use port 3389 for a connection, one in 64,512, gets none, and the connection is tried again. With the 15 networks of
// administrators that awsplan allows, these are the 20 entries of AWS's default quota.
func aclIngress(administrators []string, vpc string) ec2.NetworkAclIngressArray {
	var entries ec2.NetworkAclIngressArray
	number := 100
	allow := func(protocol, cidr string, from, to int) {
		e := ec2.NetworkAclIngressArgs{
			RuleNo: pulumi.Int(number), Action: pulumi.String("allow"), Protocol: pulumi.String(protocol), CidrBlock: pulumi.String(cidr),
			FromPort: pulumi.Int(from), ToPort: pulumi.Int(to),
		}
		if protocol == "icmp" {
			e.IcmpType, e.IcmpCode = pulumi.IntPtr(-1), pulumi.IntPtr(-1)
		}
		entries = append(entries, e)
		number += 10
	}
	for _, n := range slices.Sorted(slices.Values(administrators)) {
		allow("tcp", n, 22, 22)
	}
	number = 300
	allow("-1", vpc, 0, 0)
	number = 400
	allow("tcp", anywhere, 23, 3388)
	allow("tcp", anywhere, 3390, 65535)
	allow("udp", anywhere, 0, 65535)
	allow("icmp", anywhere, 0, 0)
	return entries
}
