package topologies

import (
	"fmt"
	"time"

	"github.com/pulumi/pulumi-tls/sdk/v5/go/tls"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"github.com/insight-icon/pulumi-icon/components/platform"
	"github.com/insight-icon/pulumi-icon/components/platform/aws"
	"github.com/insight-icon/pulumi-icon/components/platform/aws/front"
	"github.com/insight-icon/pulumi-icon/components/platform/hosts"
	"github.com/insight-icon/pulumi-icon/internal/remote"
	"github.com/insight-icon/pulumi-icon/stacks"
)

// PlatformOf makes the platform that a stack names.
func PlatformOf(c *stacks.Config) (platform.Platform, error) {
	switch c.Platform {
	case stacks.PlatformHosts:
		return hosts.New(hostsArgs(c)), nil
	case stacks.PlatformAWS:
		return aws.New(awsArgs(c)), nil
	default:
		return nil, fmt.Errorf("icon:platform: %q is not known", c.Platform)
	}
}

func awsArgs(c *stacks.Config) aws.Args {
	need := c.AWSNeed()
	args := aws.Args{Settings: *c.AWS, Network: need.Network, Announce: need.Announce}
	if !c.SSHAgent {
		args.PrivateKey = c.Secrets.SSHPrivateKey
		args.Passphrase = c.Secrets.SSHPrivateKeyPassphrase
	}
	return args
}

// providers makes the providers that a stack's resources need. Default providers are off in this project, so that a forgotten one is an
// error. What only the cloud itself can tell of the configuration is asked first.
func providers(ctx *pulumi.Context, c *stacks.Config) (pulumi.ResourceOption, error) {
	ssh, err := remote.NewProvider(ctx, "ssh")
	if err != nil || c.AWS == nil {
		return pulumi.Providers(ssh), err
	}
	cloud, err := aws.NewProvider(ctx, "aws", *c.AWS)
	if err != nil {
		return nil, err
	}
	if err := front.CheckZones(ctx, *c.AWS, c.AWSNeed().Announce, pulumi.Provider(cloud)); err != nil {
		return nil, err
	}
	keys, err := tls.NewProvider(ctx, "tls", nil)
	if err != nil {
		return nil, fmt.Errorf("tls provider: %w", err)
	}
	return pulumi.Providers(ssh, cloud, keys), nil
}

func hostsArgs(c *stacks.Config) hosts.Args {
	args := hosts.Args{
		Machines: map[string]hosts.Machine{}, ConnectTimeout: time.Duration(c.Hosts.ConnectTimeout) * time.Second,
	}
	if !c.SSHAgent {
		args.PrivateKey = c.Secrets.SSHPrivateKey
		args.Passphrase = c.Secrets.SSHPrivateKeyPassphrase
	}
	for name, m := range c.Hosts.Machines {
		args.Machines[name] = hosts.Machine{
			Address: m.Address, PrivateAddress: m.PrivateAddress, PublicAddress: m.PublicAddress,
			User: m.User, Port: m.Port, HostKey: m.HostKey, Bastion: bastion(m.Bastion),
		}
	}
	return args
}

func bastion(b *stacks.Bastion) *hosts.Bastion {
	if b == nil {
		return nil
	}
	return &hosts.Bastion{Address: b.Address, User: b.User, Port: b.Port, HostKey: b.HostKey}
}
