package topologies

import (
	"fmt"
	"time"

	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"github.com/insight-icon/pulumi-icon/components"
	"github.com/insight-icon/pulumi-icon/internal/sentry"
	"github.com/insight-icon/pulumi-icon/stacks"
)

// SecretsOf are those of a stack that a deployment needs. Each stays one.
func SecretsOf(c *stacks.Config) Secrets {
	return Secrets{Keystores: importsOf(c), Certificate: certificateOf(c)}
}

// importsOf takes the keystores apart that the stack holds as a secret. Each stays one.
func importsOf(c *stacks.Config) Keystores {
	imports := Keystores{}
	if len(c.ImportedKeys) == 0 || c.Secrets.Keystores == nil {
		return imports
	}
	parsed := c.Secrets.Keystores.ToStringPtrOutput().Elem().ApplyT(func(text string) (map[string]stacks.Keystore, error) {
		return stacks.ParseKeystores(text, c.ImportedKeys)
	})
	for host, addr := range c.ImportedKeys {
		part := func(take func(stacks.Keystore) string) pulumi.StringOutput {
			return parsed.ApplyT(func(v any) string { return take(v.(map[string]stacks.Keystore)[host]) }).(pulumi.StringOutput)
		}
		imports[host] = components.ImportKey{
			Address:  addr,
			Keystore: part(func(k stacks.Keystore) string { return k.JSON }),
			Password: part(func(k stacks.Keystore) string { return k.Password }),
		}
	}
	return imports
}

// certificateOf is the sentries' own certificate, once it is known to fit; nil where there is none. What is wrong with it fails the
// preview.
func certificateOf(c *stacks.Config) pulumi.StringInput {
	given := c.Secrets.SentryCertificate
	if given == nil || c.Sentries == nil || c.Sentries.TLS == nil {
		return nil
	}
	names := c.Sentries.TLS.Names
	return given.ToStringPtrOutput().Elem().ApplyT(func(text string) (string, error) {
		if err := sentry.CheckPair([]byte(text), names, time.Now()); err != nil {
			return "", fmt.Errorf("icon:sentryCertificate: does not fit icon:sentries.tls.names:\n%w", err)
		}
		return text, nil
	}).(pulumi.StringOutput)
}

// warnOfExpiry warns of a certificate of the operator's that ends soon: nobody renews it.
func warnOfExpiry(ctx *pulumi.Context, c *stacks.Config) {
	given := certificateOf(c)
	if given == nil {
		return
	}
	given.ToStringOutput().ApplyT(func(text string) (bool, error) {
		ends, err := sentry.PairExpires([]byte(text))
		if err != nil || time.Until(ends) > sentry.PairWarning {
			return false, err
		}
		return true, ctx.Log.Warn(fmt.Sprintf("icon:sentryCertificate: ends on %s: get another, and set it before that day",
			ends.UTC().Format(time.DateOnly)), nil)
	})
}
