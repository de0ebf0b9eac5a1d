package front

import (
	"slices"

	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/ec2"
	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/shield"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"github.com/insight-icon/pulumi-icon/internal/awsplan"
)

// makeShield puts what the internet reaches under Shield Advanced: elastic addresses (which is how it takes in machines and network load
// balancers), the application load balancer, and the hosted zones. The account must have subscribed; this never does. It does not take in
// NAT gateways.
func (m *maker) makeShield() error {
	type thing struct {
		suffix string
		arn    pulumi.StringInput
	}
	var things []thing
	after := []pulumi.Resource{}
	switch m.settings.Front.Kind {
	case awsplan.FrontDNS:
		for _, sentry := range m.args.Sentries {
			things = append(things, thing{sentry, m.addressARN(m.made.Addresses[sentry])})
		}
	case awsplan.FrontNLB:
		for _, zone := range nlbZones(m.made.Design) {
			things = append(things, thing{"nlb-" + zone, m.addressARN(m.front.NLBAddresses[zone])})
		}
		// Shield finds out what an address leads to when it is put under it.
		after = append(after, m.front.NLB)
	}
	if m.front.ALB != nil {
		things = append(things, thing{"alb", m.front.ALB.Arn})
	}
	for _, zone := range m.hostedZones() {
		things = append(things, thing{zone, pulumi.Sprintf("arn:%s:route53:::hostedzone/%s", m.made.Partition, zone)})
	}
	for _, t := range things {
		suffix := "shield-" + t.suffix
		_, err := shield.NewProtection(m.ctx, m.called(suffix), &shield.ProtectionArgs{ResourceArn: t.arn, Tags: m.tags(suffix)},
			m.parent, pulumi.DependsOn(after))
		if err != nil {
			return err
		}
	}
	return nil
}

// hostedZones that hold names of this front, each once.
func (m *maker) hostedZones() []string {
	all := []string{m.settings.Front.HostedZone}
	if m.settings.API != nil {
		all = append(all, m.settings.API.HostedZone)
	}
	slices.Sort(all)
	return slices.DeleteFunc(slices.Compact(all), func(zone string) bool { return zone == "" })
}

// addressARN names an elastic address as Shield does: "eip-allocation" where all other services say "elastic-ip".
func (m *maker) addressARN(address *ec2.Eip) pulumi.StringOutput {
	return pulumi.Sprintf("arn:%s:ec2:%s:%s:eip-allocation/%s", m.made.Partition, m.settings.Region, m.made.Account, address.AllocationId)
}
