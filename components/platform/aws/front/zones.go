package front

import (
	"errors"
	"fmt"
	"net"
	"strings"

	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/route53"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"github.com/insight-icon/pulumi-icon/components/platform/aws"
)

// CheckZones asks AWS for the hosted zones of the settings, and refuses those that are not there, are private, or do not hold the name
// that is to be published in them. It waits for the answers, so that a preview and the start of an `up` find what is wrong before anything
// is made. announce is what the sentries are announced as, "name:7100"; empty without sentries. Errors name the key below icon:aws, all at
// once.
func CheckZones(ctx *pulumi.Context, s aws.Settings, announce string, opts ...pulumi.InvokeOption) error {
	var errs []error
	if zone := s.Front.HostedZone; zone != "" {
		name, _, err := net.SplitHostPort(announce)
		if err != nil {
			name = announce
		}
		errs = append(errs, checkZone(ctx, "icon:aws.front.hostedZone", zone, name, opts))
	}
	if s.API != nil && s.API.HostedZone != "" {
		errs = append(errs, checkZone(ctx, "icon:aws.api.hostedZone", s.API.HostedZone, s.API.Name, opts))
	}
	return errors.Join(errs...)
}

func checkZone(ctx *pulumi.Context, where, id, name string, opts []pulumi.InvokeOption) error {
	zone, err := route53.LookupZone(ctx, &route53.LookupZoneArgs{ZoneId: &id}, opts...)
	if err != nil {
		return fmt.Errorf("%s: AWS gives no hosted zone %s (%w); wanted the ID of a public zone of this account that holds %s",
			where, id, err, name)
	}
	domain := strings.TrimSuffix(zone.Name, ".")
	switch {
	case zone.PrivateZone != nil && *zone.PrivateZone:
		return fmt.Errorf("%s: %s (%s) is a private zone, which the internet does not see; wanted a public one", where, id, domain)
	case !strings.EqualFold(name, domain) && !strings.HasSuffix(strings.ToLower(name), "."+strings.ToLower(domain)):
		return fmt.Errorf("%s: %s is the zone of %s, which cannot hold %s; wanted the zone of a name that %s ends in",
			where, id, domain, name, name)
	default:
		return nil
	}
}
