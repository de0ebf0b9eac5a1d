package stacks

import (
	"cmp"
	"fmt"
	"net/netip"

	"github.com/insight-icon/pulumi-icon/internal/sentry"
)

// Defaults that more than one place needs.
const (
	defaultChannel   = "icon_dex"
	defaultConfigURL = "https://networkinfo.solidwallet.io/node_info"

	platformBasic = "basic"
	platformIcon  = "icon"

	runtimeBinary    = "binary"
	runtimeContainer = "container"

	archAMD64 = "amd64"
	archARM64 = "arm64"

	p2pPort = 7100

	announceRequired = "require"
	announceWarned   = "warn"

	letsEncrypt = "https://acme-v02.api.letsencrypt.org/directory"
)

// withDefaults is a copy of c in which every key that was left out has its default, as config.go documents it. c keeps its values.
func (c *Config) withDefaults() *Config {
	full := *c
	full.Network = c.Network.withDefaults()
	full.Maintenance = c.Maintenance.withDefaults()
	full.Node = c.Node.withDefaults(full.Network)
	full.Hosts = c.Hosts.withDefaults()
	full.PRep = c.PRep.withDefaults(c)
	full.Sentries = c.Sentries.withDefaults(c)
	return &full
}

func (n Network) withDefaults() Network {
	if n.Profile == NetworkCustom {
		n.Platform = cmp.Or(n.Platform, platformBasic)
		n.Channel = cmp.Or(n.Channel, defaultChannel)
	}
	return n
}

func (m Maintenance) withDefaults() Maintenance {
	if m.To == nil {
		m.To = []string{"0.0.0.0/0"}
	}
	if m.Ports == nil {
		m.Ports = []int{80, 443}
	}
	return m
}

func (n Node) withDefaults(network Network) Node {
	n.Runtime = cmp.Or(n.Runtime, runtimeContainer)
	n.Arch = cmp.Or(n.Arch, archAMD64)
	n.DataDir = cmp.Or(n.DataDir, "/var/lib/icon-node")
	n.MinDiskGB = cmp.Or(n.MinDiskGB, network.Resolve().MinDiskGB)
	n.OnDestroy = cmp.Or(n.OnDestroy, "keep")
	n.LogLevel = cmp.Or(n.LogLevel, "info")
	n.SyncTimeout = cmp.Or(n.SyncTimeout, 300)
	if n.Container != nil {
		container := *n.Container
		container.Engine = cmp.Or(container.Engine, "podman")
		if network.Profile != NetworkCustom {
			container.ConfigURL = cmp.Or(container.ConfigURL, defaultConfigURL)
		}
		n.Container = &container
	}
	return n
}

func (p *PRep) withDefaults(c *Config) *PRep {
	if p == nil {
		return nil
	}
	full := *p
	switch c.Topology {
	case TopologySentryFronted:
		full.Egress = cmp.Or(full.Egress, "sealed")
	case TopologySingleNode:
		machine, _ := c.machine(full.Host)
		if address := reachableIPv4(cmp.Or(machine.PublicAddress, machine.Address)); address != "" {
			full.Announce = cmp.Or(full.Announce, fmt.Sprintf("%s:%d", address, p2pPort))
		}
	}
	return &full
}

func (s *Sentries) withDefaults(c *Config) *Sentries {
	if s == nil {
		return nil
	}
	full := *s
	if full.API == nil {
		api := c.Citizens != nil && (c.AWS == nil || c.AWS.API == nil)
		full.API = &api
	}
	full.Variant = cmp.Or(s.Variant, string(sentry.HAProxyNftables))
	full.AnnounceCheck = cmp.Or(s.AnnounceCheck, announceRequired)
	if c.Platform == PlatformAWS {
		full.AnnounceCheck = cmp.Or(s.AnnounceCheck, announceWarned)
	}
	full.Limits = s.Limits.WithDefaults()
	full.Peers = s.Peers.withDefaults(full.Variant, c.Network.Resolve().Endpoints)
	if s.TLS != nil && s.TLS.ACME != nil {
		acme := *s.TLS.ACME
		acme.Directory = cmp.Or(acme.Directory, letsEncrypt)
		full.TLS = &TLS{Names: s.TLS.Names, ACME: &acme}
	}
	if s.APIKeys != nil {
		full.APIKeys = make(map[string]APIKey, len(s.APIKeys))
	}
	for name, key := range s.APIKeys {
		key.RequestsPer10s = cmp.Or(key.RequestsPer10s, 10*full.Limits.APIRequestsPerSource)
		key.ExpensivePer10s = cmp.Or(key.ExpensivePer10s, min(10*full.Limits.APIExpensivePerSource, key.RequestsPer10s))
		full.APIKeys[name] = key
	}
	return &full
}

func (p Peers) withDefaults(variant string, endpoints []string) Peers {
	if variant == string(sentry.Nginx) {
		p.Mode, endpoints = cmp.Or(p.Mode, sentry.PeersOff), nil
	}
	p.Mode = cmp.Or(p.Mode, sentry.PeersPrefer)
	if p.Endpoints == nil && p.Mode != sentry.PeersOff {
		p.Endpoints = endpoints
	}
	p.RefreshSeconds = cmp.Or(p.RefreshSeconds, 120)
	p.MaxShrinkPercent = cmp.Or(p.MaxShrinkPercent, 20)
	return p
}

func (h *Hosts) withDefaults() *Hosts {
	if h == nil {
		return nil
	}
	full := *h
	full.User = cmp.Or(h.User, "root")
	full.Port = cmp.Or(h.Port, 22)
	full.ConnectTimeout = cmp.Or(h.ConnectTimeout, 60)
	full.Bastion = h.Bastion.withDefaults()
	full.Machines = make(map[string]Machine, len(h.Machines))
	for name, m := range h.Machines {
		m.User = cmp.Or(m.User, full.User)
		m.Port = cmp.Or(m.Port, full.Port)
		m.PrivateAddress = cmp.Or(m.PrivateAddress, reachableIPv4(m.Address))
		m.PublicAddress = cmp.Or(m.PublicAddress, reachableIPv4(m.Address))
		if m.Bastion == nil {
			m.Bastion = full.Bastion
		} else {
			m.Bastion = m.Bastion.withDefaults()
		}
		full.Machines[name] = m
	}
	return &full
}

func (b *Bastion) withDefaults() *Bastion {
	if b == nil {
		return nil
	}
	full := *b
	full.User = cmp.Or(b.User, "root")
	full.Port = cmp.Or(b.Port, 22)
	full.PrivateAddress = cmp.Or(b.PrivateAddress, reachableIPv4(b.Address))
	return &full
}

// reachableIPv4 is text if that is the IPv4 address of a host, else "". A loopback address is a forwarded port: no other host reaches it.
func reachableIPv4(text string) string {
	address, err := netip.ParseAddr(text)
	if err != nil || !address.Is4() || address.IsLoopback() || !assignable(address) {
		return ""
	}
	return text
}
