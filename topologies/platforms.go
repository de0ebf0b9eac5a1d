package topologies

import (
	"fmt"
	"time"

	"github.com/insight-icon/pulumi-icon/components/platform"
	"github.com/insight-icon/pulumi-icon/components/platform/hosts"
	"github.com/insight-icon/pulumi-icon/stacks"
)

// PlatformOf makes the platform that a stack names.
func PlatformOf(c *stacks.Config) (platform.Platform, error) {
	if c.Platform != stacks.PlatformHosts {
		return nil, fmt.Errorf("icon:platform: %q is not known", c.Platform)
	}
	return hosts.New(hostsArgs(c)), nil
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
