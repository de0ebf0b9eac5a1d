package front

import (
	"strconv"

	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/acm"
	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/lb"
	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/route53"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"
)

const (
	// tlsPolicy is the one that AWS recommends since 2025: TLS 1.3, and 1.2 with forward secrecy and GCM alone, with a key exchange for
	// those clients who know it that a quantum computer cannot undo.
	tlsPolicy = "ELBSecurityPolicy-TLS13-1-2-Res-PQ-2025-09"
	// apiIdle is after how many seconds of silence a connection is cut, 4000 at most: long enough for a websocket that waits for rare events
	// (blocks come every two seconds), short enough that a body which never ends does not hold a citizen for long.
	apiIdle = 600
)

// makeAPI publishes the citizens' /api/v3 by HTTPS. Nothing listens on port 80.
func (m *maker) makeAPI() error {
	settings := m.settings.API
	certificate, err := m.certificate()
	if err != nil {
		return err
	}
	logs, err := m.makeLog("alb")
	if err != nil {
		return err
	}
	m.front.ALBLogs = logs.bucket
	subnets := pulumi.StringArray{}
	for _, zone := range albZones(m.made) {
		subnets = append(subnets, m.made.Subnets[balancerSubnet(zone)])
	}
	m.front.ALB, err = lb.NewLoadBalancer(m.ctx, m.called("alb"), &lb.LoadBalancerArgs{
		LoadBalancerType: pulumi.String("application"), Internal: pulumi.Bool(false), IpAddressType: pulumi.String("ipv4"),
		Subnets: subnets, SecurityGroups: pulumi.StringArray{m.made.Groups["alb"].ID()},
		DropInvalidHeaderFields: pulumi.Bool(true),
		// "strictest" refuses what is odd and harmless too, and with it clients that work everywhere else.
		DesyncMitigationMode: pulumi.String("defensive"),
		// Without its web firewall the API refuses rather than answer unguarded.
		EnableWafFailOpen: pulumi.Bool(false),
		IdleTimeout:       pulumi.Int(apiIdle), EnableDeletionProtection: pulumi.Bool(m.protect),
		AccessLogs: lb.LoadBalancerAccessLogsArgs{Bucket: logs.bucket.ID(), Enabled: pulumi.Bool(true)},
		Tags:       m.tags("alb"),
	}, m.kept, m.reachable(albZones(m.made)), pulumi.DependsOn([]pulumi.Resource{logs.written}))
	if err != nil {
		return err
	}
	if err := m.apiListener(certificate); err != nil {
		return err
	}
	if !settings.WithoutWAF {
		if err := m.makeWAF(); err != nil {
			return err
		}
	}
	if settings.HostedZone != "" {
		if err := m.alias("alb-record", settings.HostedZone, settings.Name, m.front.ALB); err != nil {
			return err
		}
	}
	m.front.API = pulumi.String("https://" + settings.Name + "/api/v3").ToStringOutput()
	return nil
}

// apiListener answers 404 to all but /api/v3 of the API's own name: the rest of goloop's port shows its configuration and its peers to
// anyone. goloop itself takes no path with dots for another.
func (m *maker) apiListener(certificate pulumi.StringInput) error {
	targets, err := m.apiTargets()
	if err != nil {
		return err
	}
	listener, err := lb.NewListener(m.ctx, m.called("alb-https"), &lb.ListenerArgs{
		LoadBalancerArn: m.front.ALB.Arn, Protocol: pulumi.String("HTTPS"), Port: pulumi.Int(443),
		SslPolicy: pulumi.String(tlsPolicy), CertificateArn: certificate.ToStringOutput(),
		DefaultActions: lb.ListenerDefaultActionArray{lb.ListenerDefaultActionArgs{
			Type: pulumi.String("fixed-response"),
			FixedResponse: lb.ListenerDefaultActionFixedResponseArgs{
				ContentType: pulumi.String("text/plain"), MessageBody: pulumi.String("not found"), StatusCode: pulumi.String("404"),
			},
		}},
		Tags: m.tags("alb-https"),
	}, m.parent)
	if err != nil {
		return err
	}
	_, err = lb.NewListenerRule(m.ctx, m.called("alb-api"), &lb.ListenerRuleArgs{
		ListenerArn: listener.Arn, Priority: pulumi.Int(1),
		Conditions: lb.ListenerRuleConditionArray{
			lb.ListenerRuleConditionArgs{HostHeader: lb.ListenerRuleConditionHostHeaderArgs{
				Values: pulumi.ToStringArray([]string{m.settings.API.Name}),
			}},
			lb.ListenerRuleConditionArgs{PathPattern: lb.ListenerRuleConditionPathPatternArgs{
				Values: pulumi.ToStringArray([]string{"/api/v3", "/api/v3/*"}),
			}},
		},
		Actions: lb.ListenerRuleActionArray{lb.ListenerRuleActionArgs{
			Type: pulumi.String("forward"), TargetGroupArn: targets.Arn,
		}},
		Tags: m.tags("alb-api"),
	}, m.parent)
	return err
}

// apiTargets are the citizens. A load balancer can only ask them with GET, to which /api/v3 itself says 404 whatever the node's state. The
// channel's websocket says 400, for want of an upgrade, while the chain runs, and 404 while it does not.
func (m *maker) apiTargets() (*lb.TargetGroup, error) {
	suffix := "alb-" + strconv.Itoa(apiPort)
	targets, err := lb.NewTargetGroup(m.ctx, m.called(suffix), &lb.TargetGroupArgs{
		VpcId: m.made.VPC, TargetType: pulumi.String("instance"), Protocol: pulumi.String("HTTP"), Port: pulumi.Int(apiPort),
		// Requests differ much in cost, and websockets stay.
		LoadBalancingAlgorithmType: pulumi.String("least_outstanding_requests"),
		DeregistrationDelay:        pulumi.Int(30),
		HealthCheck: lb.TargetGroupHealthCheckArgs{
			Protocol: pulumi.String("HTTP"), Port: pulumi.String("traffic-port"),
			Path: pulumi.String("/api/v3/" + m.args.Channel + "/block"), Matcher: pulumi.String("400"),
			Interval: pulumi.Int(10), Timeout: pulumi.Int(5), UnhealthyThreshold: pulumi.Int(2), HealthyThreshold: pulumi.Int(2),
		},
		Tags: m.tags(suffix),
	}, m.parent)
	if err != nil {
		return nil, err
	}
	return targets, m.attach(suffix, targets, m.args.Citizens)
}

// certificate is the ARN of the API's certificate: the given one, or one that is made, and renewed by AWS as long as its record stands.
func (m *maker) certificate() (pulumi.StringInput, error) {
	settings := m.settings.API
	if settings.Certificate != "" {
		return pulumi.String(settings.Certificate), nil
	}
	made, err := acm.NewCertificate(m.ctx, m.called("certificate"), &acm.CertificateArgs{
		DomainName: pulumi.String(settings.Name), ValidationMethod: pulumi.String("DNS"), Tags: m.tags("certificate"),
	}, m.parent)
	if err != nil {
		return nil, err
	}
	proof := made.DomainValidationOptions.Index(pulumi.Int(0))
	record, err := route53.NewRecord(m.ctx, m.called("certificate-record"), &route53.RecordArgs{
		ZoneId: pulumi.String(settings.HostedZone), Name: proof.ResourceRecordName().Elem(), Type: proof.ResourceRecordType().Elem(),
		Records: pulumi.StringArray{proof.ResourceRecordValue().Elem()}, Ttl: pulumi.Int(recordTTL),
		// One account's certificates for one name all have the same record: it may be there already.
		AllowOverwrite: pulumi.Bool(true),
	}, m.parent)
	if err != nil {
		return nil, err
	}
	valid, err := acm.NewCertificateValidation(m.ctx, m.called("certificate-valid"), &acm.CertificateValidationArgs{
		CertificateArn: made.Arn, ValidationRecordFqdns: pulumi.StringArray{record.Fqdn},
	}, m.parent)
	if err != nil {
		return nil, err
	}
	return valid.CertificateArn, nil
}
