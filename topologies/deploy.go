package topologies

import (
	"fmt"
	"net"
	"strconv"
	"time"

	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"github.com/insight-icon/pulumi-icon/components"
	"github.com/insight-icon/pulumi-icon/components/platform"
	"github.com/insight-icon/pulumi-icon/components/platform/aws"
	"github.com/insight-icon/pulumi-icon/components/platform/aws/front"
	"github.com/insight-icon/pulumi-icon/internal/goloop"
)

// Outputs are what a deployment tells its operator.
type Outputs struct {
	// Addresses of the node keys ("hx…") by host. The P-Rep's is the one to register.
	Addresses pulumi.StringMap
	// Announce is what the P-Rep tells other validators, "host:port".
	Announce pulumi.StringOutput
	// SentryAddresses are to be published under the announced name. Unset without sentries.
	SentryAddresses pulumi.StringArrayOutput
	// API is where a cloud's load balancer publishes the citizens' API, "https://…". Unset without one.
	API pulumi.StringOutput
	// APIBalancer is the load balancer's own name, to which the API's must lead (a CNAME record). Unset where the stack makes the record.
	APIBalancer pulumi.StringOutput
	// Bastion is the address that SSH goes through. Unset where the platform makes none.
	Bastion pulumi.StringOutput
	// Network is the hosts; its Verify belongs at the end of a program.
	Network *components.Network
}

// Keystores are the keys to import, by host; their text is a secret.
type Keystores map[string]components.ImportKey

// Secrets are what a plan does not hold.
type Secrets struct {
	// Keystores of the hosts whose keys are imported.
	Keystores Keystores
	// Certificate of the sentries and its key, PEM; nil where they get one by ACME, or need none.
	Certificate pulumi.StringInput
}

// Deploy makes a plan real on a platform.
func Deploy(ctx *pulumi.Context, p *Plan, on platform.Platform, secrets Secrets, opts ...pulumi.ResourceOption) (*Outputs, error) {
	network, err := components.NewNetwork(ctx, "network", &components.NetworkArgs{
		Platform: on, Hosts: p.Hosts, Edges: p.Edges, Administrators: p.Administrators,
	}, opts...)
	if err != nil {
		return nil, err
	}
	d := &deployment{ctx: ctx, plan: p, secrets: secrets, hosts: network.Hosts, keys: map[string]*components.NodeKey{}, opts: opts}
	d.outputs.Network = network
	if err := d.makeKeys(secrets.Keystores, network); err != nil {
		return nil, err
	}
	if err := d.runSentries(); err != nil {
		return nil, err
	}
	if err := d.runNodes(); err != nil {
		return nil, err
	}
	for _, name := range p.hostsOf(platform.Bastion) {
		d.outputs.Bastion = d.hosts[name].Address
	}
	if made, ok := on.(*aws.AWS); ok {
		if err := d.makeFront(made); err != nil {
			return nil, err
		}
	}
	return &d.outputs, nil
}

// makeFront leads the internet to the sentries and to the citizens' API, once they run.
func (d *deployment) makeFront(on *aws.AWS) error {
	args := &front.Args{Made: on.Made(), Citizens: d.plan.hostsOf(platform.Citizen), Channel: d.plan.Network.Channel}
	if s := d.plan.Sentries; s != nil {
		args.Sentries, args.Draining, args.Announce, args.APIPorts = s.Hosts, s.Draining, d.plan.Nodes[s.PRep].Announce, s.apiPorts()
	}
	if !args.Wanted() {
		return nil
	}
	f, err := front.New(d.ctx, "front", args, d.opts...)
	if err != nil {
		return err
	}
	d.outputs.API = f.API
	if f.ALB != nil {
		d.outputs.APIBalancer = f.ALB.DnsName
	}
	if d.plan.Sentries != nil {
		d.outputs.SentryAddresses = f.Addresses
	}
	return nil
}

type deployment struct {
	ctx     *pulumi.Context
	plan    *Plan
	secrets Secrets
	hosts   map[string]*platform.Host
	keys    map[string]*components.NodeKey
	layer   *components.SentryLayer
	sentry  []pulumi.Resource
	opts    []pulumi.ResourceOption
	outputs Outputs
}

// makeKeys has every node's key in place, and compared, before any node starts.
func (d *deployment) makeKeys(imports Keystores, network *components.Network) error {
	var all []*components.NodeKey
	d.outputs.Addresses = pulumi.StringMap{}
	for _, h := range d.plan.Hosts {
		node, ok := d.plan.Nodes[h.Name]
		if !ok {
			continue
		}
		args := &components.NodeKeyArgs{Host: d.hosts[h.Name], Software: d.plan.Software, Wipe: d.plan.Wipe}
		if node.ImportAddress != "" {
			key, ok := imports[h.Name]
			if !ok {
				return fmt.Errorf("icon:keystores: holds no keystore for host %s, whose key icon:importedKeys wants to import", h.Name)
			}
			args.Import = &key
		}
		key, err := components.NewNodeKey(d.ctx, h.Name, args)
		if err != nil {
			return err
		}
		d.keys[h.Name] = key
		d.outputs.Addresses[h.Name] = key.Address
		all = append(all, key)
	}
	return components.GuardKeys(d.ctx, "node-keys", all, pulumi.Parent(network))
}

func (d *deployment) runSentries() error {
	s := d.plan.Sentries
	if s == nil {
		return nil
	}
	args := &components.SentryLayerArgs{
		PRep: address(d.hosts[s.PRep], goloop.P2PPort), CID: d.plan.Network.CID, Channel: d.plan.Network.Channel,
		Relay: s.Relay, Seeds: d.plan.Network.Seeds, Limits: s.Limits,
		Variant: s.Variant, Agent: s.Agent, Users: s.Users, CORS: s.CORS, Keys: s.Keys, KeysOnly: s.KeysOnly,
		Draining: s.Draining, Announce: d.plan.Nodes[s.PRep].Announce, TLS: d.sentryTLS(),
		Peers: components.SentryPeers{
			Mode: s.Peers.Mode, Static: s.Peers.Static, Endpoints: s.Peers.Endpoints,
			RefreshSeconds: s.Peers.RefreshSeconds, MaxShrinkPercent: s.Peers.MaxShrinkPercent,
		},
	}
	for _, name := range s.Hosts {
		args.Hosts = append(args.Hosts, d.hosts[name])
	}
	for _, name := range s.Citizens {
		args.Citizens = append(args.Citizens, address(d.hosts[name], goloop.RPCPort))
	}
	for _, name := range s.Observed {
		args.Peers.Own = append(args.Peers.Own, address(d.hosts[name], goloop.RPCPort))
	}
	layer, err := components.NewSentryLayer(d.ctx, "sentries", args, d.opts...)
	if err != nil {
		return err
	}
	d.layer, d.outputs.SentryAddresses = layer, layer.Addresses
	// The last sentry comes after all others.
	d.sentry = d.hosts[s.Hosts[len(s.Hosts)-1]].Session.Last()
	return nil
}

// sentryTLS is nil for an API in the clear.
func (d *deployment) sentryTLS() *components.SentryTLS {
	from := d.plan.Sentries.TLS
	if from == nil {
		return nil
	}
	if from.ACME == nil {
		return &components.SentryTLS{Names: from.Names, Certificate: d.secrets.Certificate}
	}
	return &components.SentryTLS{
		Names: from.Names, ACME: &components.SentryACME{Directory: from.ACME.Directory, Email: from.ACME.Email},
	}
}

func (d *deployment) runNodes() error {
	for _, h := range d.plan.Hosts {
		node, ok := d.plan.Nodes[h.Name]
		if !ok {
			continue
		}
		args := d.nodeArgs(h.Name, node)
		if node.ThroughSentries {
			d.hosts[h.Name].Session.After(d.sentry...)
		}
		switch node.Role {
		case platform.PRep:
			prep, err := components.NewPRepNode(d.ctx, "prep", &components.PRepNodeArgs{NodeArgs: args}, d.opts...)
			if err != nil {
				return err
			}
			d.outputs.Announce = prep.Announce
		case platform.Citizen:
			if _, err := components.NewCitizenNode(d.ctx, h.Name, &components.CitizenNodeArgs{NodeArgs: args}, d.opts...); err != nil {
				return err
			}
		case platform.Sentry, platform.Bastion:
			return fmt.Errorf("host %s: a %s runs no node: the plan contradicts itself", h.Name, node.Role)
		}
	}
	return nil
}

func (d *deployment) nodeArgs(host string, node Node) components.NodeArgs {
	n := d.plan.Network
	args := components.NodeArgs{
		Host:     d.hosts[host],
		Chain:    components.Chain{CID: n.CID, NID: n.NID, Service: n.Service, Channel: n.Channel, Platform: n.Platform, Genesis: n.Genesis},
		Announce: d.announce(host, node), Key: d.keys[host],
		LogLevel: d.plan.LogLevel, SyncTimeout: time.Duration(d.plan.SyncTimeout) * time.Second, WebSockets: node.WebSockets,
	}
	if node.ThroughSentries {
		args.Relays, args.RelayedSeeds = d.layer.Relays, d.layer.RelayedSeeds
	} else {
		args.Seeds = pulumi.ToStringArray(n.Seeds)
	}
	return args
}

func (d *deployment) announce(host string, node Node) pulumi.StringInput {
	if node.Announce != "" {
		return pulumi.String(node.Announce)
	}
	return endpoint(d.hosts[host].PublicAddress, goloop.P2PPort)
}

func address(h *platform.Host, port int) pulumi.StringOutput { return endpoint(h.PrivateAddress, port) }

func endpoint(address pulumi.StringOutput, port int) pulumi.StringOutput {
	return address.ApplyT(func(a string) string { return net.JoinHostPort(a, strconv.Itoa(port)) }).(pulumi.StringOutput)
}
