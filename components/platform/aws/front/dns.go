package front

import (
	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/lb"
	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/route53"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"
)

// recordTTL in seconds. A minute is how long a name server may go on handing out a sentry that has failed. Less would gain little: the
// health check needs longer to notice, and goloop tries the other addresses of the answer in turn meanwhile.
const recordTTL = 60

// makeDNS leads the announced name to the sentries' own elastic addresses. An answer holds up to eight sentries, of the healthy ones if
// there are any.
func (m *maker) makeDNS() error {
	addresses := pulumi.StringArray{}
	for _, sentry := range m.args.serving() {
		addresses = append(addresses, m.made.Addresses[sentry].PublicIp)
	}
	m.front.Addresses = addresses.ToStringArrayOutput()
	zone := m.settings.Front.HostedZone
	if zone == "" {
		return nil
	}
	name, err := m.args.announced()
	if err != nil {
		return err
	}
	for _, sentry := range m.args.serving() {
		address := m.made.Addresses[sentry].PublicIp
		check, err := route53.NewHealthCheck(m.ctx, m.called(sentry+"-check"), &route53.HealthCheckArgs{
			Type: pulumi.String("TCP"), IpAddress: address, Port: pulumi.Int(p2pPort),
			// The shorter interval, 10 s, costs twice as much again and is for what has no second address.
			RequestInterval: pulumi.Int(30), FailureThreshold: pulumi.Int(3),
			Tags: m.tags(sentry + "-check"),
		}, m.parent)
		if err != nil {
			return err
		}
		_, err = route53.NewRecord(m.ctx, m.called(sentry+"-record"), &route53.RecordArgs{
			ZoneId: pulumi.String(zone), Name: pulumi.String(name), Type: pulumi.String("A"), Ttl: pulumi.Int(recordTTL),
			Records:       pulumi.StringArray{address},
			SetIdentifier: pulumi.String(sentry), MultivalueAnswerRoutingPolicy: pulumi.Bool(true), HealthCheckId: check.ID(),
		}, m.parent)
		if err != nil {
			return err
		}
	}
	return nil
}

// alias leads a name to a load balancer.
func (m *maker) alias(suffix, zone, name string, balancer *lb.LoadBalancer) error {
	_, err := route53.NewRecord(m.ctx, m.called(suffix), &route53.RecordArgs{
		ZoneId: pulumi.String(zone), Name: pulumi.String(name), Type: pulumi.String("A"),
		Aliases: route53.RecordAliasArray{route53.RecordAliasArgs{
			Name: balancer.DnsName, ZoneId: balancer.ZoneId, EvaluateTargetHealth: pulumi.Bool(true),
		}},
	}, m.parent)
	return err
}
