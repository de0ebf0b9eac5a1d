// A P-Rep behind two sentries, on machines that already exist, in a Pulumi program of one's own. It takes the components alone: no
// stack file of pulumi-icon, no topology.
//
// Put your own values in place of the example's, add the key that logs in to the SSH agent, and run `pulumi up` here.
package main

import (
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"github.com/insight-icon/pulumi-icon/components"
	"github.com/insight-icon/pulumi-icon/components/platform"
	"github.com/insight-icon/pulumi-icon/components/platform/hosts"
)

const (
	cid      = "0x23cdd9"              // Lisbon
	announce = "prep.example.org:7100" // resolves to both sentries
	image    = "docker.io/iconloop/icon2-node:v1.4.4@sha256:0000000000000000000000000000000000000000000000000000000000000000"
)

// seeds are where the network is found. A P-Rep that dials nobody but the sentries needs a validator among them.
var seeds = []string{"seed-lisbon.solidwallet.io:7100", "validator.example.org:7100"}

// machines are reached with the keys of the SSH agent. PrivateAddress defaults to Address.
var machines = hosts.Args{Machines: map[string]hosts.Machine{
	"prep-1": {
		Address: "10.20.0.11",
		HostKey: "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIL3aYSNhbrSm1qRBXl+EawyXzwWHJmeTw+w32HgX9hTs",
	},
	"sentry-1": {
		Address: "198.51.100.21", PrivateAddress: "10.20.0.21",
		HostKey: "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIPbA2ASC/qHIel7S13vXBAd+1xdK2WYd+Lmp+PBBpaOL",
	},
	"sentry-2": {
		Address: "198.51.100.22", PrivateAddress: "10.20.0.22",
		HostKey: "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAINoVo86XpWGXuET9YziWS4qdeOJWOcv2+uov3mRlqJTp",
	},
}}

// edges are the only connections that will be open, besides SSH from the administrators.
func edges() []platform.Edge {
	prep, sentries := platform.HostParty("prep-1"), platform.HostParty("sentry-1", "sentry-2")
	all := platform.HostParty("prep-1", "sentry-1", "sentry-2")
	return []platform.Edge{
		{From: platform.Anywhere(), To: sentries, Protocol: "tcp", Ports: []int{7100}, Untracked: true, Why: "other validators"},
		{From: sentries, To: prep, Protocol: "tcp", Ports: []int{7100}, Why: "other validators, proxied"},
		{From: prep, To: sentries, Protocol: "tcp", Ports: []int{7101, 7102}, Why: "the network's seeds, relayed"},
		{From: sentries, To: platform.Anywhere(), Protocol: "tcp", Ports: []int{7100}, Why: "the network's seeds"},
		{From: all, To: platform.Anywhere(), Protocol: "tcp", Ports: []int{53, 80, 443}, Why: "packages, images and names"},
		{From: all, To: platform.Anywhere(), Protocol: "udp", Ports: []int{53, 123}, Why: "names and time"},
	}
}

func deploy(ctx *pulumi.Context, on platform.Platform) error {
	network, err := components.NewNetwork(ctx, "network", &components.NetworkArgs{
		Platform:       on,
		Administrators: []string{"203.0.113.0/24"},
		Edges:          edges(),
		Hosts: []platform.HostSpec{
			{
				Name: "prep-1", Role: platform.PRep, Ports: []int{7100, 9000},
				Data: &platform.Data{Dir: "/var/lib/icon-node", MinDiskGB: 500, CID: cid},
			},
			{Name: "sentry-1", Role: platform.Sentry, Ports: []int{7100, 7101, 7102}},
			{Name: "sentry-2", Role: platform.Sentry, Ports: []int{7100, 7101, 7102}},
		},
	})
	if err != nil {
		return err
	}
	prep, sentry1, sentry2 := network.Hosts["prep-1"], network.Hosts["sentry-1"], network.Hosts["sentry-2"]

	layer, err := components.NewSentryLayer(ctx, "sentries", &components.SentryLayerArgs{
		Hosts: []*platform.Host{sentry1, sentry2},
		PRep:  pulumi.Sprintf("%s:7100", prep.PrivateAddress),
		CID:   cid,
		Relay: true,
		Seeds: seeds,
	})
	if err != nil {
		return err
	}

	// The P-Rep finds the network through the sentries' relays: it starts when the last sentry has been verified.
	prep.Session.After(sentry2.Session.Last()...)
	node, err := components.NewPRepNode(ctx, "prep", &components.PRepNodeArgs{NodeArgs: components.NodeArgs{
		Host:         prep,
		Chain:        components.Chain{CID: cid, NID: "0x2", Service: "LisbonNet"},
		Relays:       layer.Relays,
		RelayedSeeds: layer.RelayedSeeds,
		Announce:     pulumi.String(announce),
		Software:     components.Software{Container: &components.Container{Image: image}},
	}})
	if err != nil {
		return err
	}

	ctx.Export("nodeAddress", node.Address)
	ctx.Export("sentryAddresses", layer.Addresses)
	return nil
}

func main() {
	pulumi.Run(func(ctx *pulumi.Context) error { return deploy(ctx, hosts.New(machines)) })
}
