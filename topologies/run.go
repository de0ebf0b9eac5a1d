package topologies

import (
	"errors"
	"fmt"
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
		serving, draining := publicAddresses(c)
		if err := checkAnnounced(ctx, c, serving, draining); err != nil {
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
			return true, checkAnnounced(ctx, c, addresses, nil)
		})
	}
	warnOfExpiry(ctx, c)
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
	out, err := Deploy(ctx, plan, on, SecretsOf(c), provided)
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

// checkAnnounced is an error, or a warning where the stack wants that, if the announced name does not lead to the sentries: at once where
// their addresses are the operator's, later where the platform makes them. A name whose records the stack makes itself needs neither.
func checkAnnounced(ctx *pulumi.Context, c *stacks.Config, serving, draining []string) error {
	problem, grave := announcedProblem(ctx.Context(), c.Sentries.Announce, serving, draining, net.DefaultResolver.LookupNetIP)
	switch {
	case problem == "":
		return nil
	case grave && c.Sentries.AnnounceCheck == "require":
		return fmt.Errorf("%s. Nothing was changed. Publish the records first; where only other resolvers know them, or the name leads to a "+
			"load balancer, set icon:sentries.announceCheck to warn", problem)
	default:
		return ctx.Log.Warn(problem, nil)
	}
}
