package topologies

import (
	"net"

	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"github.com/insight-icon/pulumi-icon/internal/remote"
	"github.com/insight-icon/pulumi-icon/stacks"
)

// Run is the whole program: stack → plan → components → outputs.
func Run(ctx *pulumi.Context) error {
	c, err := stacks.Load(ctx)
	if err != nil {
		return err
	}
	if err := c.CheckFiles("."); err != nil {
		return err
	}
	if warning := announcedWarning(ctx.Context(), c, net.DefaultResolver.LookupNetIP); warning != "" {
		if err := ctx.Log.Warn(warning, nil); err != nil {
			return err
		}
	}
	plan, err := PlanOf(c)
	if err != nil {
		return err
	}
	on, err := PlatformOf(c)
	if err != nil {
		return err
	}
	// Default providers are off in this project, so that a forgotten one is an error.
	provider, err := remote.NewProvider(ctx, "ssh")
	if err != nil {
		return err
	}
	out, err := Deploy(ctx, plan, on, ImportsOf(c), pulumi.Providers(provider))
	if err != nil {
		return err
	}
	ctx.Export("nodeAddresses", out.Addresses)
	ctx.Export("announce", out.Announce)
	if plan.Sentries != nil {
		ctx.Export("sentryAddresses", out.SentryAddresses)
	}
	return nil
}
