package aws

import (
	"fmt"

	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/ec2"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"github.com/insight-icon/pulumi-icon/internal/awsplan"
)

// routes leads public subnets and those of load balancers to the internet gateway, and private ones to a NAT gateway if there is any.
type routes struct {
	b        *builder
	gateway  *ec2.InternetGateway
	endpoint *ec2.VpcEndpoint
	nat      map[string]*ec2.NatGateway
	public   *ec2.RouteTable
	out      *ec2.Route
}

func (r *routes) make() error {
	b := r.b
	name := b.name + "-s3"
	var err error
	// Images and packages that lie in S3 go there directly: free, and not through NAT.
	r.endpoint, err = ec2.NewVpcEndpoint(b.ctx, name, &ec2.VpcEndpointArgs{
		VpcId: b.made.VPC, ServiceName: pulumi.String("com.amazonaws." + b.settings.Region + ".s3"), VpcEndpointType: pulumi.String("Gateway"),
		Tags: b.tags(name),
	}, b.options()...)
	if err != nil {
		return fmt.Errorf("endpoint for S3: %w", err)
	}
	if r.public, r.out, err = r.table("public", func(a *ec2.RouteArgs) { a.GatewayId = r.gateway.ID() }); err != nil {
		return err
	}
	for _, zone := range b.design.NATZones {
		if err := r.makeNAT(zone); err != nil {
			return err
		}
	}
	for _, s := range b.design.Subnets {
		if err := r.lead(s); err != nil {
			return err
		}
	}
	return nil
}

// lead gives a subnet its routes.
func (r *routes) lead(s awsplan.Subnet) error {
	b := r.b
	table, out := r.public, r.out
	if s.Tier != awsplan.Public && s.Tier != awsplan.Balancer {
		var to func(*ec2.RouteArgs)
		if nat := r.natOf(s.Zone); nat != nil {
			to = func(a *ec2.RouteArgs) { a.NatGatewayId = nat.ID() }
		}
		var err error
		if table, out, err = r.table(s.Name, to); err != nil {
			return err
		}
	}
	led, err := ec2.NewRouteTableAssociation(b.ctx, b.name+"-subnet-"+s.Name+"-routes", &ec2.RouteTableAssociationArgs{
		RouteTableId: table.ID(), SubnetId: b.made.Subnets[s.Name],
	}, b.options()...)
	if err != nil {
		return fmt.Errorf("routes of subnet %s: %w", s.Name, err)
	}
	b.made.Ready[s.Name] = append(b.made.Ready[s.Name], led)
	if out != nil {
		b.made.Ready[s.Name] = append(b.made.Ready[s.Name], out)
	}
	return nil
}

// table makes a route table with the way to S3, and to everywhere if to says how.
func (r *routes) table(suffix string, to func(*ec2.RouteArgs)) (*ec2.RouteTable, *ec2.Route, error) {
	b := r.b
	name := b.name + "-routes-" + suffix
	table, err := ec2.NewRouteTable(b.ctx, name, &ec2.RouteTableArgs{VpcId: b.made.VPC, Tags: b.tags(name)}, b.options()...)
	if err != nil {
		return nil, nil, fmt.Errorf("route table %s: %w", suffix, err)
	}
	_, err = ec2.NewVpcEndpointRouteTableAssociation(b.ctx, name+"-s3", &ec2.VpcEndpointRouteTableAssociationArgs{
		RouteTableId: table.ID(), VpcEndpointId: r.endpoint.ID(),
	}, b.options()...)
	if err != nil {
		return nil, nil, fmt.Errorf("way to S3 of route table %s: %w", suffix, err)
	}
	if to == nil {
		return table, nil, nil
	}
	args := &ec2.RouteArgs{RouteTableId: table.ID(), DestinationCidrBlock: pulumi.String(anywhere)}
	to(args)
	out, err := ec2.NewRoute(b.ctx, name+"-out", args, b.options()...)
	if err != nil {
		return nil, nil, fmt.Errorf("way out of route table %s: %w", suffix, err)
	}
	return table, out, nil
}

// natOf is the NAT gateway of a zone, or the one for all.
func (r *routes) natOf(zone string) *ec2.NatGateway {
	if nat := r.nat[zone]; nat != nil {
		return nat
	}
	for _, z := range r.b.design.NATZones {
		return r.nat[z]
	}
	return nil
}

func (r *routes) makeNAT(zone string) error {
	b := r.b
	name := b.name + "-nat-" + letter(zone)
	address, err := b.makeAddress(name+"-address", true, pulumi.DependsOn([]pulumi.Resource{r.gateway}))
	if err != nil {
		return err
	}
	b.made.Addresses["nat-"+zone] = address
	// A NAT gateway fails where the VPC has no internet gateway yet, which it does not name.
	r.nat[zone], err = ec2.NewNatGateway(b.ctx, name, &ec2.NatGatewayArgs{
		AllocationId: address.ID(), SubnetId: b.made.Subnets[awsplan.Public+"-"+letter(zone)], ConnectivityType: pulumi.String("public"),
		Tags: b.tags(name),
	}, b.options(pulumi.DependsOn([]pulumi.Resource{r.gateway}))...)
	if err != nil {
		return fmt.Errorf("NAT gateway in %s: %w", zone, err)
	}
	return nil
}

// makeAddress makes an elastic address. Others know it by its number, so Settings.Protect keeps it, unless it is one that is exchanged.
func (b *builder) makeAddress(name string, kept bool, option pulumi.ResourceOption, tags ...string) (*ec2.Eip, error) {
	args := &ec2.EipArgs{Domain: pulumi.String("vpc"), Tags: b.tags(name, tags...)}
	address, err := ec2.NewEip(b.ctx, name, args, b.options(option, pulumi.Protect(b.protect && kept))...)
	if err != nil {
		return nil, fmt.Errorf("elastic address %s: %w", name, err)
	}
	return address, nil
}
