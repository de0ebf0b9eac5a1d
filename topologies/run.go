package topologies

import (
	"errors"
	"net"

	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"github.com/insight-icon/pulumi-icon/components/platform"
	"github.com/insight-icon/pulumi-icon/stacks"
)

// Run is the whole program: stack → plan → components → outputs, and whether all hosts are as wanted.
func Run(ctx *pulumi.Context) error {
	c, err := stacks.Load(ctx)
	if err != nil {
		return err
	}
	if err := errors.Join(c.CheckPlaceholders(), c.CheckFiles(".")); err != nil {
		return err
	}
	if c.Sentries != nil && c.Hosts != nil {
		if err := warnOfAnnounced(ctx, c, publicAddresses(c)); err != nil {
			return err
		}
	}
	plan, out, err := deployAll(ctx, c)
	if err != nil {
		return err
	}
	if c.Sentries != nil && c.AWS != nil && c.AWS.Front.HostedZone == "" {
		out.SentryAddresses.ApplyT(func(addresses []string) (bool, error) {
			if warning := strayWarning(c.Sentries.Announce, addresses); warning != "" {
				return true, ctx.Log.Warn(warning, nil)
			}
			return true, warnOfAnnounced(ctx, c, addresses)
		})
	}
	out.export(ctx, plan)
	out.Network.Verify(ctx, "hardening")
	return nil
}

// deployAll is Run for a configuration that has been loaded, up to the outputs.
func deployAll(ctx *pulumi.Context, c *stacks.Config) (*Plan, *Outputs, error) {
	plan, err := PlanOf(c)
	if err != nil {
		return nil, nil, err
	}
	on, err := PlatformOf(c)
	if err != nil {
		return nil, nil, err
	}
	provided, err := providers(ctx, c)
	if err != nil {
		return nil, nil, err
	}
	out, err := Deploy(ctx, plan, on, ImportsOf(c), provided)
	return plan, out, err
}

func (o *Outputs) export(ctx *pulumi.Context, p *Plan) {
	ctx.Export("nodeAddresses", o.Addresses)
	if len(p.hostsOf(platform.PRep)) > 0 {
		ctx.Export("announce", o.Announce)
	}
	if p.Sentries != nil {
		ctx.Export("sentryAddresses", o.SentryAddresses)
	}
	if p.fronted(frontALB) {
		ctx.Export("api", o.API)
		if p.design.Settings.API.HostedZone == "" {
			ctx.Export("apiBalancer", o.APIBalancer)
		}
	}
	if len(p.hostsOf(platform.Bastion)) > 0 {
		ctx.Export("bastion", o.Bastion)
	}
}

// warnOfAnnounced warns where the announced name does not lead to the sentries: at once where their addresses are the operator's, later
// where the platform makes them. A name whose records the stack makes itself needs no warning.
func warnOfAnnounced(ctx *pulumi.Context, c *stacks.Config, addresses []string) error {
	warning := announcedWarning(ctx.Context(), c.Sentries.Announce, addresses, net.DefaultResolver.LookupNetIP)
	if warning == "" {
		return nil
	}
	return ctx.Log.Warn(warning, nil)
}
