package reach_test

import (
	"strings"
	"testing"

	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/ec2"
	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/lb"
	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/vpc"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"github.com/insight-icon/pulumi-icon/tests/graph"
	"github.com/insight-icon/pulumi-icon/tests/reach"
)

// maker makes resources and keeps the first error.
type maker struct {
	ctx *pulumi.Context
	err error
}

func made[A, R any](m *maker, create func(*pulumi.Context, string, A, ...pulumi.ResourceOption) (R, error), name string, args A) R {
	r, err := create(m.ctx, name, args)
	if m.err == nil {
		m.err = err
	}
	return r
}

// program is a sentry behind a network load balancer, with a subnet, its ACL and the ids and ARNs as pulumi-aws hands them on.
func program(ctx *pulumi.Context) error {
	m := &maker{ctx: ctx}
	network := made(m, ec2.NewVpc, "vpc", &ec2.VpcArgs{CidrBlock: pulumi.String("10.20.0.0/16")})
	made(m, ec2.NewDefaultSecurityGroup, "emptied", &ec2.DefaultSecurityGroupArgs{VpcId: network.ID()})
	gateway := made(m, ec2.NewInternetGateway, "gateway", &ec2.InternetGatewayArgs{VpcId: network.ID()})
	table := made(m, ec2.NewRouteTable, "routes", &ec2.RouteTableArgs{VpcId: network.ID()})
	made(m, ec2.NewRoute, "out", &ec2.RouteArgs{
		RouteTableId: table.ID(), GatewayId: gateway.ID(), DestinationCidrBlock: pulumi.String("0.0.0.0/0"),
	})
	subnet := made(m, ec2.NewSubnet, "public", &ec2.SubnetArgs{VpcId: network.ID(), CidrBlock: pulumi.String("10.20.0.0/22")})
	made(m, ec2.NewRouteTableAssociation, "public-routes", &ec2.RouteTableAssociationArgs{SubnetId: subnet.ID(), RouteTableId: table.ID()})
	inside := made(m, ec2.NewSubnet, "private", &ec2.SubnetArgs{VpcId: network.ID(), CidrBlock: pulumi.String("10.20.32.0/22")})
	every := ec2.DefaultNetworkAclIngressArgs{
		RuleNo: pulumi.Int(2), Action: pulumi.String("allow"), Protocol: pulumi.String("-1"), FromPort: pulumi.Int(0), ToPort: pulumi.Int(0),
		CidrBlock: pulumi.String("0.0.0.0/0"),
	}
	made(m, ec2.NewDefaultNetworkAcl, "acl", &ec2.DefaultNetworkAclArgs{
		DefaultNetworkAclId: network.DefaultNetworkAclId,
		Ingress: ec2.DefaultNetworkAclIngressArray{every, ec2.DefaultNetworkAclIngressArgs{
			RuleNo: pulumi.Int(1), Action: pulumi.String("deny"), Protocol: pulumi.String("tcp"), FromPort: pulumi.Int(22),
			ToPort: pulumi.Int(22), CidrBlock: pulumi.String("0.0.0.0/0"),
		}},
		Egress: ec2.DefaultNetworkAclEgressArray{ec2.DefaultNetworkAclEgressArgs(every)},
	})
	front := made(m, ec2.NewSecurityGroup, "front", &ec2.SecurityGroupArgs{VpcId: network.ID()})
	sentries := made(m, ec2.NewSecurityGroup, "sentries", &ec2.SecurityGroupArgs{VpcId: network.ID()})
	for name, port := range map[string]int{"22": 22, "7100": 7100} {
		made(m, vpc.NewSecurityGroupIngressRule, "front-in-"+name, &vpc.SecurityGroupIngressRuleArgs{
			SecurityGroupId: front.ID(), CidrIpv4: pulumi.String("0.0.0.0/0"), IpProtocol: pulumi.String("tcp"), FromPort: pulumi.Int(port),
			ToPort: pulumi.Int(port),
		})
	}
	made(m, vpc.NewSecurityGroupEgressRule, "front-out", &vpc.SecurityGroupEgressRuleArgs{
		SecurityGroupId: front.ID(), ReferencedSecurityGroupId: sentries.ID(), IpProtocol: pulumi.String("-1"),
	})
	made(m, vpc.NewSecurityGroupIngressRule, "sentries-in", &vpc.SecurityGroupIngressRuleArgs{
		SecurityGroupId: sentries.ID(), ReferencedSecurityGroupId: front.ID(), IpProtocol: pulumi.String("tcp"),
		FromPort: pulumi.Int(7100), ToPort: pulumi.Int(7100),
	})
	host := made(m, ec2.NewInstance, "sentry-1-instance", &ec2.InstanceArgs{
		Ami: pulumi.String("ami-1"), InstanceType: pulumi.String("c7i.large"), SubnetId: inside.ID(),
		VpcSecurityGroupIds: pulumi.StringArray{sentries.ID()}, Tags: pulumi.StringMap{"Role": pulumi.String("sentry")},
	})
	balancer := made(m, lb.NewLoadBalancer, "nlb", &lb.LoadBalancerArgs{
		LoadBalancerType: pulumi.String("network"), Subnets: pulumi.StringArray{subnet.ID()}, SecurityGroups: pulumi.StringArray{front.ID()},
	})
	targets := made(m, lb.NewTargetGroup, "targets", &lb.TargetGroupArgs{
		VpcId: network.ID(), Protocol: pulumi.String("TCP"), Port: pulumi.Int(7100),
	})
	made(m, lb.NewTargetGroupAttachment, "target", &lb.TargetGroupAttachmentArgs{TargetGroupArn: targets.Arn, TargetId: host.ID()})
	for name, port := range map[string]int{"22": 22, "7100": 7100} {
		made(m, lb.NewListener, "listener-"+name, &lb.ListenerArgs{
			LoadBalancerArn: balancer.Arn, Port: pulumi.Int(port), Protocol: pulumi.String("TCP"),
			DefaultActions: lb.ListenerDefaultActionArray{lb.ListenerDefaultActionArgs{
				Type: pulumi.String("forward"), TargetGroupArn: targets.Arn,
			}},
		})
	}
	return m.err
}

func TestARecordedProgramIsAnalysed(t *testing.T) {
	r, err := reach.Analyse(graph.Record(t, graph.Options{}, program))
	if err != nil {
		t.Fatal(err)
	}
	same(t, `
internet  nlb       tcp  7100
internet  sentry-1  tcp  7100  through nlb 7100
nlb       sentry-1  tcp  7100  health checks
`, r)
}

func TestAPreviewIsNotAnalysed(t *testing.T) {
	_, err := reach.Analyse(graph.Record(t, graph.Options{Preview: true}, program))
	if want := "is not known: reachability is told of recorded deploys, not of previews"; err == nil || !strings.Contains(err.Error(), want) {
		t.Errorf("got %v\nwant %s", err, want)
	}
}
