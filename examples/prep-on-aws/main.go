// A P-Rep on AWS that the internet reaches directly, in a Pulumi program of one's own: its network, its machine and the node, and nothing
// that it does not use. Whoever imports this much compiles no load balancers, no DNS and no other cloud.
//
// Put your own values in place of the example's and run `pulumi up` here. It needs AWS credentials, and the SSH agent with the private
// half of the administrator's key.
package main

import (
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"github.com/insight-icon/pulumi-icon/components"
	"github.com/insight-icon/pulumi-icon/components/platform"
	"github.com/insight-icon/pulumi-icon/components/platform/aws"
)

const (
	cid   = "0x23cdd9" // Lisbon
	image = "docker.io/iconloop/icon2-node:v1.4.4@sha256:0000000000000000000000000000000000000000000000000000000000000000"
)

// cloud says where on AWS. What it leaves out has a default.
var cloud = aws.Args{
	Settings: aws.Settings{
		Region: "eu-central-1",
		Zones:  []string{"eu-central-1a"},
		AdministratorKeys: []string{
			"ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIL3aYSNhbrSm1qRBXl+EawyXzwWHJmeTw+w32HgX9hTs",
		},
	},
	Network: "lisbon",
}

// edges are the only connections that will be open, besides SSH: from the administrators to the bastion, and from there to the P-Rep.
func edges() []platform.Edge {
	prep, all := platform.HostParty("prep-1"), platform.HostParty("prep-1", "bastion")
	return []platform.Edge{
		{From: platform.Anywhere(), To: prep, Protocol: "tcp", Ports: []int{7100}, Why: "other validators"},
		{From: prep, To: platform.Anywhere(), Protocol: "tcp", Ports: []int{7100}, Why: "the network's nodes"},
		{From: all, To: platform.Anywhere(), Protocol: "tcp", Ports: []int{53, 80, 443}, Why: "packages, images and names"},
		{From: all, To: platform.Anywhere(), Protocol: "udp", Ports: []int{53, 123}, Why: "names and time"},
	}
}

func deploy(ctx *pulumi.Context) error {
	// A provider for the region of the settings, whatever the environment's is.
	provider, err := aws.NewProvider(ctx, "aws", cloud.Settings)
	if err != nil {
		return err
	}
	network, err := components.NewNetwork(ctx, "network", &components.NetworkArgs{
		Platform:       aws.New(cloud),
		Administrators: []string{"203.0.113.0/24"},
		Edges:          edges(),
		Hosts: []platform.HostSpec{
			{
				Name: "prep-1", Role: platform.PRep, Ports: []int{7100, 9000}, Behind: "bastion", Arch: "amd64",
				Data: &platform.Data{Dir: "/var/lib/icon-node", MinDiskGB: 500, CID: cid, Keep: true},
			},
			{Name: "bastion", Role: platform.Bastion},
		},
	}, pulumi.Providers(provider))
	if err != nil {
		return err
	}
	prep := network.Hosts["prep-1"]
	node, err := components.NewPRepNode(ctx, "prep", &components.PRepNodeArgs{NodeArgs: components.NodeArgs{
		Host:     prep,
		Chain:    components.Chain{CID: cid, NID: "0x2", Service: "LisbonNet"},
		Seeds:    pulumi.StringArray{pulumi.String("seed-lisbon.solidwallet.io:7100")},
		Announce: pulumi.Sprintf("%s:7100", prep.PublicAddress),
		Software: components.Software{Container: &components.Container{Image: image}},
	}})
	if err != nil {
		return err
	}
	ctx.Export("nodeAddress", node.Address)
	ctx.Export("announce", node.Announce)
	ctx.Export("bastion", network.Hosts["bastion"].PublicAddress)
	return nil
}

func main() { pulumi.Run(deploy) }
