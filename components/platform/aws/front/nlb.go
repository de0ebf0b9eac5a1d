package front

import (
	"strconv"

	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/ec2"
	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/lb"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"
)

// service is one port that the network load balancer passes on to the sentries.
type service struct {
	port int
	// idle is after how many silent seconds the load balancer forgets a connection, without a word to either end (60 to 6000).
	idle int
	// drain is how many seconds connections to a sentry that is taken out live on (0 to 3600).
	drain int
}

// services of a sentry. On 7100 both ends speak every few seconds, and HAProxy cuts who is silent for a minute: it comes before the load
// balancer, so that the ends are told. Peers never finish: waiting for them to leave a sentry gains nothing. Where it
// answers the API, HAProxy lets websockets be silent for an hour, and requests are given the time to end.
func (m *maker) services() []service {
	all := []service{{port: p2pPort, idle: 120, drain: 0}}
	for _, port := range m.args.APIPorts {
		all = append(all, service{port: port, idle: 3600, drain: 30})
	}
	return all
}

// makeNLB puts a network load balancer before the sentries, which need no public address then. Its access log is on, but AWS writes there
// of TLS listeners alone: as long as it has none, the bucket stays empty. What is recorded of goloop's connections is in the VPC's flow
// logs, with the clients' addresses.
func (m *maker) makeNLB() error {
	mappings, err := m.nlbAddresses()
	if err != nil {
		return err
	}
	logs, err := m.makeLog("nlb")
	if err != nil {
		return err
	}
	m.front.NLBLogs = logs.bucket
	m.front.NLB, err = lb.NewLoadBalancer(m.ctx, m.called("nlb"), &lb.LoadBalancerArgs{
		LoadBalancerType: pulumi.String("network"), Internal: pulumi.Bool(false), IpAddressType: pulumi.String("ipv4"),
		SubnetMappings: mappings, SecurityGroups: pulumi.StringArray{m.made.Groups["nlb"].ID()},
		// A zone whose sentry is down is served by the sentries of the others.
		EnableCrossZoneLoadBalancing: pulumi.Bool(true),
		EnableDeletionProtection:     pulumi.Bool(m.protect),
		AccessLogs:                   lb.LoadBalancerAccessLogsArgs{Bucket: logs.bucket.ID(), Enabled: pulumi.Bool(true)},
		Tags:                         m.tags("nlb"),
		// A zone less replaces it, and two balancers can't have the same elastic addresses.
	}, m.kept, m.reachable(nlbZones(m.made.Design)), pulumi.DependsOn([]pulumi.Resource{logs.written}), pulumi.DeleteBeforeReplace(true))
	if err != nil {
		return err
	}
	for _, s := range m.services() {
		if err := m.nlbService(s); err != nil {
			return err
		}
	}
	if zone := m.settings.Front.HostedZone; zone != "" {
		name, err := m.args.announced()
		if err != nil {
			return err
		}
		return m.alias("nlb-record", zone, name, m.front.NLB)
	}
	return nil
}

// nlbAddresses makes an elastic address for each zone of the load balancer. They outlive it: the announced name may be published elsewhere.
func (m *maker) nlbAddresses() (lb.LoadBalancerSubnetMappingArray, error) {
	m.front.NLBAddresses = map[string]*ec2.Eip{}
	mappings, addresses := lb.LoadBalancerSubnetMappingArray{}, pulumi.StringArray{}
	for _, zone := range nlbZones(m.made.Design) {
		suffix := "nlb-" + zone + "-address"
		address, err := ec2.NewEip(m.ctx, m.called(suffix), &ec2.EipArgs{Domain: pulumi.String("vpc"), Tags: m.tags(suffix)}, m.kept)
		if err != nil {
			return nil, err
		}
		m.front.NLBAddresses[zone] = address
		addresses = append(addresses, address.PublicIp)
		mappings = append(mappings, lb.LoadBalancerSubnetMappingArgs{
			SubnetId: m.made.Subnets[balancerSubnet(zone)], AllocationId: address.AllocationId,
		})
	}
	m.front.Addresses = addresses.ToStringArrayOutput()
	return mappings, nil
}

// nlbService passes one port on to all sentries. A sentry that fails is left after about ten seconds: two checks, five seconds apart.
func (m *maker) nlbService(s service) error {
	suffix := "nlb-" + strconv.Itoa(s.port)
	targets, err := lb.NewTargetGroup(m.ctx, m.called(suffix), &lb.TargetGroupArgs{
		VpcId: m.made.VPC, TargetType: pulumi.String("instance"), Protocol: pulumi.String("TCP"), Port: pulumi.Int(s.port),
		// The sentries' limits are for each source, so they must see the clients' own addresses. HAProxy is told of no PROXY protocol.
		PreserveClientIp: pulumi.String("true"), ProxyProtocolV2: pulumi.Bool(false),
		HealthCheck: lb.TargetGroupHealthCheckArgs{
			Protocol: pulumi.String("TCP"), Port: pulumi.String("traffic-port"),
			Interval: pulumi.Int(5), Timeout: pulumi.Int(3), UnhealthyThreshold: pulumi.Int(2), HealthyThreshold: pulumi.Int(2),
		},
		// Connections to a sentry that fails, or is taken out, are reset rather than left to hang: peers then dial another at once. AWS
		// would otherwise keep those of one taken out for as long as they speak.
		TargetHealthStates: lb.TargetGroupTargetHealthStateArray{lb.TargetGroupTargetHealthStateArgs{
			EnableUnhealthyConnectionTermination: pulumi.Bool(true),
		}},
		ConnectionTermination: pulumi.Bool(true), DeregistrationDelay: pulumi.Int(s.drain),
		Tags: m.tags(suffix),
	}, m.parent)
	if err != nil {
		return err
	}
	if err := m.attach(suffix, targets, m.args.serving()); err != nil {
		return err
	}
	_, err = lb.NewListener(m.ctx, m.called(suffix+"-listener"), &lb.ListenerArgs{
		LoadBalancerArn: m.front.NLB.Arn, Protocol: pulumi.String("TCP"), Port: pulumi.Int(s.port),
		TcpIdleTimeoutSeconds: pulumi.Int(s.idle),
		DefaultActions: lb.ListenerDefaultActionArray{lb.ListenerDefaultActionArgs{
			Type: pulumi.String("forward"), TargetGroupArn: targets.Arn,
		}},
		Tags: m.tags(suffix + "-listener"),
	}, m.parent)
	return err
}

// attach makes hosts the targets of a group.
func (m *maker) attach(suffix string, targets *lb.TargetGroup, hosts []string) error {
	for _, h := range hosts {
		_, err := lb.NewTargetGroupAttachment(m.ctx, m.called(suffix+"-"+h), &lb.TargetGroupAttachmentArgs{
			TargetGroupArn: targets.Arn, TargetId: m.made.Instances[h].ID(),
		}, m.parent)
		if err != nil {
			return err
		}
	}
	return nil
}
