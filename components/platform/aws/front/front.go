// Package front makes the ways from the internet to an installation on AWS: to its sentries by DNS records with health checks or by a
// network load balancer, and to its citizens' API by an application load balancer with TLS and a web firewall. It is apart from
// components/platform/aws so that who imports a P-Rep alone compiles none of these services' SDKs.
package front

import (
	"errors"
	"fmt"
	"net"
	"slices"
	"strconv"
	"strings"

	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/ec2"
	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/lb"
	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/s3"
	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/wafv2"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"github.com/insight-icon/pulumi-icon/components/platform/aws"
	"github.com/insight-icon/pulumi-icon/internal/awsplan"
)

// Type is the type token of Front.
const Type = "icon:aws:Front"

// Ports of goloop, on the sentries and on the citizens.
const (
	p2pPort = 7100
	apiPort = 9000
)

// maxName bounds a Front's name where there are load balancers: AWS allows 32 characters for theirs and their target groups', of which the
// longest suffix ("-nlb-7100") and Pulumi's own ("-1a2b3c4") take 17.
const maxName = 15

// Args are the inputs of New. What kind of front there is, its hosted zones, the API, LogDays and Protect are read from
// Made.Design.Settings.
type Args struct {
	// Made is the network that leads to the hosts. Required.
	Made *aws.Made
	// Announce is what the sentries are announced as, "name:7100". Required with sentries.
	Announce string
	// Sentries and Citizens are names of hosts. Sentries are required with a front of either kind, citizens with an API.
	Sentries, Citizens []string
	// Draining are those of Sentries that leave: no address, record or load balancer leads to them.
	Draining []string
	// APIPorts are where the sentries answer the API (9000, or 443 with TLS, and 80 for a certificate authority): the network load balancer
	// then listens there too. Without web firewall; not together with an API of the settings.
	APIPorts []int
	// Channel is the name of the goloop network's channel, for the health check of the citizens. Default "icon_dex", that of all public
	// networks.
	Channel string
}

// Wanted says whether the settings ask for any way from the internet: without, there is nothing that New would make.
func (a *Args) Wanted() bool {
	if a == nil || a.Made == nil || a.Made.Design == nil {
		return false
	}
	s := a.Made.Design.Settings
	return s.Front.Kind != "" || s.API != nil
}

// Front is the ways from the internet to an installation.
type Front struct {
	pulumi.ResourceState
	// Addresses are the IPv4 addresses that the announced name must lead to: of the sentries, or of the network load balancer. Empty
	// without sentries.
	Addresses pulumi.StringArrayOutput
	// API is the address of the citizens' API, "https://name/api/v3", or empty.
	API pulumi.StringOutput
	// What it consists of, for programs that need more than the settings say. Nil where it is not made.
	NLB *lb.LoadBalancer
	// NLBAddresses are the elastic addresses of NLB by zone.
	NLBAddresses map[string]*ec2.Eip
	ALB          *lb.LoadBalancer
	WebACL       *wafv2.WebAcl
	// NLBLogs and ALBLogs are the buckets of their access logs.
	NLBLogs, ALBLogs *s3.BucketV2
}

// New makes the ways from the internet. Errors name the argument or the key below icon:aws that is wrong, all of them at once, before
// anything is made.
func New(ctx *pulumi.Context, name string, args *Args, opts ...pulumi.ResourceOption) (*Front, error) {
	if err := args.validate(name); err != nil {
		return nil, fmt.Errorf("front %q: %w", name, err)
	}
	f := &Front{}
	if err := ctx.RegisterComponentResource(Type, name, f, opts...); err != nil {
		return nil, fmt.Errorf("register front %q: %w", name, err)
	}
	m := newMaker(ctx, name, *args, f)
	if err := m.make(); err != nil {
		return nil, fmt.Errorf("front %q: %w", name, err)
	}
	return f, ctx.RegisterResourceOutputs(f, pulumi.Map{"addresses": f.Addresses, "api": f.API})
}

// maker makes the children of one Front.
type maker struct {
	ctx      *pulumi.Context
	name     string
	args     Args
	made     *aws.Made
	settings awsplan.Settings
	// protect is the stack's setting; kept are the options of what it keeps.
	protect bool
	parent  pulumi.ResourceOption
	kept    pulumi.ResourceOption
	front   *Front
}

func newMaker(ctx *pulumi.Context, name string, args Args, f *Front) *maker {
	if args.Channel == "" {
		args.Channel = "icon_dex"
	}
	s := args.Made.Design.Settings
	protect := s.Protect == nil || *s.Protect
	parent := pulumi.Parent(f)
	return &maker{
		ctx: ctx, name: name, args: args, made: args.Made, settings: s, protect: protect,
		parent: parent, kept: pulumi.Composite(parent, pulumi.Protect(protect)), front: f,
	}
}

func (m *maker) make() error {
	m.front.Addresses = pulumi.StringArray{}.ToStringArrayOutput()
	m.front.API = pulumi.String("").ToStringOutput()
	steps := []func() error{}
	switch m.settings.Front.Kind {
	case awsplan.FrontDNS:
		steps = append(steps, m.makeDNS)
	case awsplan.FrontNLB:
		steps = append(steps, m.makeNLB)
	}
	if m.settings.API != nil {
		steps = append(steps, m.makeAPI)
	}
	if m.settings.Front.ShieldAdvanced {
		steps = append(steps, m.makeShield)
	}
	for _, step := range steps {
		if err := step(); err != nil {
			return err
		}
	}
	return nil
}

// called is the name of a child.
func (m *maker) called(suffix string) string { return m.name + "-" + suffix }

// tags of a child.
func (m *maker) tags(suffix string) pulumi.StringMap { return m.made.Tags(m.called(suffix)) }

// reachable is an option of a load balancer in these zones: AWS refuses it before its subnets lead to the VPC's internet gateway, which no
// input of its own names.
func (m *maker) reachable(zones []string) pulumi.ResourceOption {
	var ways []pulumi.Resource
	for _, zone := range zones {
		ways = append(ways, m.made.Ready[balancerSubnet(zone)]...)
	}
	return pulumi.DependsOn(ways)
}

// announced is the name that the sentries are announced as.
func (a *Args) announced() (string, error) {
	host, port, err := net.SplitHostPort(a.Announce)
	if err != nil || host == "" || port != strconv.Itoa(p2pPort) {
		return "", fmt.Errorf("Announce: %q, wanted \"name:%d\"", a.Announce, p2pPort)
	}
	return host, nil
}

// serving are the sentries that the internet is led to.
func (a *Args) serving() []string {
	return slices.DeleteFunc(slices.Clone(a.Sentries), func(s string) bool { return slices.Contains(a.Draining, s) })
}

// balancerSubnet is the name in Made.Subnets of a zone's subnet for load balancers.
func balancerSubnet(zone string) string {
	return awsplan.Balancer + "-" + zone[max(len(zone)-1, 0):]
}

// nlbZones are the zones of the network load balancer: those that the design counts an elastic address for.
func nlbZones(d *awsplan.Design) []string {
	var zones []string
	for _, address := range d.ElasticIPs {
		if zone, ok := strings.CutPrefix(address, "nlb-"); ok {
			zones = append(zones, zone)
		}
	}
	return zones
}

// albZones are the zones of the application load balancer: all that have a subnet for it.
func albZones(made *aws.Made) []string {
	var zones []string
	for _, zone := range made.Design.Settings.Zones {
		if _, ok := made.Subnets[balancerSubnet(zone)]; ok {
			zones = append(zones, zone)
		}
	}
	return zones
}

func (a *Args) validate(name string) error {
	if a == nil || a.Made == nil || a.Made.Design == nil || a.Made.Tags == nil {
		return errors.New("Made is required, with Design and Tags, as the aws platform gives it after its Network")
	}
	s := a.Made.Design.Settings
	var errs []error
	errs = append(errs, a.validateFront(s.Front)...)
	if s.API != nil {
		errs = append(errs, a.validateAPI(s.API)...)
	}
	if (s.Front.Kind == awsplan.FrontNLB || s.API != nil) && len(name) > maxName {
		errs = append(errs, fmt.Errorf("the name has %d characters, at most %d are allowed: AWS bounds the names of load balancers",
			len(name), maxName))
	}
	return errors.Join(errs...)
}

func (a *Args) validateFront(f awsplan.Front) []error {
	var errs []error
	wrong := func(format string, values ...any) { errs = append(errs, fmt.Errorf(format, values...)) }
	switch f.Kind {
	case "":
		if len(a.Sentries) > 0 {
			wrong("icon:aws.front.kind: empty, wanted dns or nlb, since there are sentries")
		}
		return errs
	case awsplan.FrontDNS, awsplan.FrontNLB:
	default:
		wrong("icon:aws.front.kind: %q, wanted dns or nlb", f.Kind)
		return errs
	}
	if len(a.Sentries) == 0 {
		wrong("Sentries: at least one is required with icon:aws.front.kind %s", f.Kind)
	} else if len(a.serving()) == 0 {
		wrong("Draining: names all sentries; at least one must serve")
	}
	if _, err := a.announced(); err != nil {
		errs = append(errs, err)
	}
	if f.Kind == awsplan.FrontDNS {
		for _, s := range a.Sentries {
			if a.Made.Addresses[s] == nil {
				wrong("Sentries: %s has no elastic address in Made.Addresses", s)
			}
		}
		return errs
	}
	errs = append(errs, a.validateTargets("Sentries", a.Sentries, "nlb")...)
	zones := nlbZones(a.Made.Design)
	if len(zones) == 0 {
		wrong("Made.Design.ElasticIPs: names no \"nlb-<zone>\"")
	}
	for _, zone := range zones {
		if _, ok := a.Made.Subnets[balancerSubnet(zone)]; !ok {
			wrong("Made.Subnets: has no %s, the load balancer's in %s", balancerSubnet(zone), zone)
		}
	}
	return errs
}

func (a *Args) validateAPI(api *awsplan.API) []error {
	var errs []error
	wrong := func(format string, values ...any) { errs = append(errs, fmt.Errorf(format, values...)) }
	if api.Name == "" {
		wrong("icon:aws.api.name: empty, wanted the API's host name")
	}
	if api.HostedZone == "" && api.Certificate == "" {
		wrong("icon:aws.api: has neither hostedZone nor certificate, one is required")
	}
	if len(a.Citizens) == 0 {
		wrong("Citizens: at least one is required with icon:aws.api")
	}
	if prefix := a.Made.WAFLogPrefix; !api.WithoutWAF && !strings.HasPrefix(prefix, "aws-waf-logs-") {
		wrong("Made.WAFLogPrefix: %q, wanted one that begins with \"aws-waf-logs-\", as AWS WAF does", prefix)
	}
	if len(a.APIPorts) > 0 {
		wrong("APIPorts: not together with icon:aws.api, or the web firewall could be gone around")
	}
	if n := len(albZones(a.Made)); n < 2 {
		wrong("icon:aws.api: an application load balancer needs subnets in two zones at least, there are balancer subnets in %d", n)
	}
	return append(errs, a.validateTargets("Citizens", a.Citizens, "alb")...)
}

// validateTargets are the mistakes in what a load balancer leads to.
func (a *Args) validateTargets(field string, hosts []string, group string) []error {
	var errs []error
	if a.Made.Groups[group] == nil {
		errs = append(errs, fmt.Errorf("Made.Groups: has no %q, the load balancer's security group", group))
	}
	for _, h := range hosts {
		if a.Made.Instances[h] == nil {
			errs = append(errs, fmt.Errorf("%s: %s is not in Made.Instances", field, h))
		}
	}
	return errs
}
