// Package components holds the building blocks of an ICON installation as Pulumi component resources. They are cloud-neutral: they get
// their machines from a platform and use nothing of it but the Host contract.
package components

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"github.com/insight-icon/pulumi-icon/components/platform"
	"github.com/insight-icon/pulumi-icon/hardening"
	"github.com/insight-icon/pulumi-icon/internal/goloop"
	"github.com/insight-icon/pulumi-icon/internal/remote"
	"github.com/insight-icon/pulumi-icon/internal/sentry"
)

// NetworkType is the type token of Network.
const NetworkType = "icon:components:Network"

// NetworkArgs are the inputs of NewNetwork.
type NetworkArgs struct {
	// Platform provides the machines. Required.
	Platform platform.Platform
	// Hosts are the machines wanted. Required, at least one.
	Hosts []platform.HostSpec
	// Edges are the only connections that may be opened; everything else is refused, in both directions. SSH from Administrators is
	// added for each host.
	Edges []platform.Edge
	// Administrators are the IPv4 networks (CIDR) that SSH is answered to. Required; 0.0.0.0/0 is refused.
	Administrators []string
}

// Network is the hosts of an installation: reached with known host keys, checked, with a clock, and firewalled by the plan's edges.
type Network struct {
	pulumi.ResourceState
	// Hosts by name.
	Hosts map[string]*platform.Host
}

func (a *NetworkArgs) spec() platform.NetworkSpec {
	return platform.NetworkSpec{Hosts: a.Hosts, Edges: a.Edges, Administrators: a.Administrators}
}

// withDefaults has every host hardened: one that does not say by what, by its role's profile as it is.
func (a *NetworkArgs) withDefaults() *NetworkArgs {
	if a == nil || a.Platform == nil {
		return a
	}
	full := *a
	full.Hosts = slices.Clone(a.Hosts)
	for i := range full.Hosts {
		h := &full.Hosts[i]
		if _, known := hardening.FindProfile(string(h.Role)); h.Hardening != nil || !known {
			continue
		}
		facts := hardening.Facts{
			Role: string(h.Role), LoginUser: a.Platform.LoginUser(h.Name), SSHPorts: h.SSHPorts, Order: i, Administrators: a.Administrators,
		}
		if h.Data != nil {
			facts.DataDir, facts.Runtime = h.Data.Dir, h.Data.Runtime
		}
		// A profile as it is has no problems: a test of the package hardening sees to that.
		h.Hardening, _ = hardening.Resolve(string(h.Role), facts)
	}
	return &full
}

// NewNetwork makes the hosts, checks them (step "ready"), and hardens them and puts them behind their firewall (step "harden").
func NewNetwork(ctx *pulumi.Context, name string, args *NetworkArgs, opts ...pulumi.ResourceOption) (*Network, error) {
	args = args.withDefaults()
	if err := args.validate(); err != nil {
		return nil, fmt.Errorf("network %q: %w", name, err)
	}
	n := &Network{}
	if err := ctx.RegisterComponentResource(NetworkType, name, n, opts...); err != nil {
		return nil, fmt.Errorf("register network %q: %w", name, err)
	}
	hosts, err := args.Platform.Network(ctx, name, args.spec(), n)
	if err != nil {
		return nil, fmt.Errorf("network %q: %w", name, err)
	}
	n.Hosts = hosts
	if err := n.secure(ctx, name, args); err != nil {
		return nil, err
	}
	names := pulumi.StringArray{}
	for _, spec := range args.Hosts {
		names = append(names, pulumi.String(spec.Name))
	}
	return n, ctx.RegisterResourceOutputs(n, pulumi.Map{"hosts": names})
}

// Verify asks every host, once all that this program does to it is done, whether it is as its hardening wants it, and exports under the
// name what came of it. A difference fails the program, with what was expected and what was found. Call it after all else: what is added to
// a host later is not waited for. In a preview, and with Pulumi's mocks, it asks nobody.
func (n *Network) Verify(ctx *pulumi.Context, export string) {
	var sessions []*remote.Session
	for _, name := range slices.Sorted(maps.Keys(n.Hosts)) {
		sessions = append(sessions, n.Hosts[name].Session)
	}
	remote.Verify(ctx, export, sessions...)
}

// secure puts every host behind its firewall, bastions before the hosts behind them: pulumi-command's tries through a bastion that does not
// answer yet are in vain, and its firewall must know the way to them.
func (n *Network) secure(ctx *pulumi.Context, name string, args *NetworkArgs) error {
	edges := indexEdges(args.Edges)
	for _, spec := range args.Hosts {
		if spec.Behind != "" {
			edges[spec.Behind] = append(edges[spec.Behind], platform.Edge{
				From: platform.HostParty(spec.Behind), To: platform.HostParty(spec.Name), Protocol: "tcp", Ports: sshPorts(spec),
				Why: "administrators, to " + spec.Name,
			})
		}
	}
	for _, behind := range []bool{false, true} {
		for _, spec := range args.Hosts {
			if behind != (spec.Behind != "") {
				continue
			}
			h := n.Hosts[spec.Name]
			from := pulumi.ToStringArray(args.Administrators).ToStringArrayOutput()
			if behind {
				h.Session.After(n.Hosts[spec.Behind].Session.Last()...)
				from = pulumi.StringArray{n.Hosts[spec.Behind].SSHFrom}.ToStringArrayOutput()
			}
			program := programOf(spec, firewallOf(spec, edges[spec.Name], n.Hosts, from), from)
			if err := secure(ctx, name+"-"+spec.Name, h, program); err != nil {
				return err
			}
		}
	}
	return nil
}

// packagesOf are installed with what the hardening needs, on all hosts at once; what configures them may run host by host.
func packagesOf(h platform.HostSpec) []string {
	switch {
	case h.Role == platform.Sentry:
		return sentry.Variant(h.Variant).Packages()
	case h.Data != nil && h.Data.Runtime == "podman":
		return []string{"podman", "crun"}
	case h.Data != nil && h.Data.Runtime == "docker":
		return []string{"docker.io"}
	}
	return nil
}

// roleUnits are the systemd units that hold the roles' ports.
var roleUnits = map[platform.Role]string{platform.PRep: goloop.Unit, platform.Citizen: goloop.Unit, platform.Sentry: sentry.Unit}

func secure(ctx *pulumi.Context, name string, h *platform.Host, program pulumi.StringOutput) error {
	if err := mountData(ctx, name, h); err != nil {
		return err
	}
	vars := map[string]pulumi.StringInput{
		"PORTS": pulumi.String(words(h.Spec.Ports)), "DATA_DIR": pulumi.String(""), "MIN_DISK_GB": pulumi.String("0"), "CID": pulumi.String(""),
		"UNIT": pulumi.String(roleUnits[h.Spec.Role]),
	}
	if d := h.Spec.Data; d != nil {
		vars["DATA_DIR"], vars["MIN_DISK_GB"], vars["CID"] = pulumi.String(d.Dir), pulumi.String(strconv.Itoa(d.MinDiskGB)), pulumi.String(d.CID)
	}
	_, err := h.Session.Run(ctx, name+"-ready", remote.Step{
		Name: "ready", Script: hardening.ReadyScript, Vars: vars, Timeout: 5 * time.Minute, Remove: true,
	}, pulumi.Parent(h))
	if err != nil {
		return err
	}
	_, err = h.Session.Run(ctx, name+"-harden", remote.Step{
		Name: "harden", Script: hardening.HardenScript, Remove: true, Trial: true, Timeout: 15 * time.Minute,
		Controls: len(h.Spec.Hardening.Controls),
		Files:    map[string]pulumi.StringInput{"hardening": program},
	}, pulumi.Parent(h))
	return err
}

// programOf is what hardens a host, once its firewall's rules are known.
func programOf(spec platform.HostSpec, firewall pulumi.StringOutput, from pulumi.StringArrayOutput) pulumi.StringOutput {
	return pulumi.All(firewall, from).ApplyT(func(in []any) (string, error) {
		text, err := spec.Hardening.Program(hardening.Live{
			Administrators: in[1].([]string), Firewall: in[0].(string), Packages: packagesOf(spec),
		})
		if err != nil {
			return "", fmt.Errorf("hardening of host %s: %w", spec.Name, err)
		}
		return text, nil
	}).(pulumi.StringOutput)
}

// mountData has the disk that a platform made for a node's data formatted, if it is blank, and mounted.
func mountData(ctx *pulumi.Context, name string, h *platform.Host) error {
	if h.DataDevice == nil {
		return nil
	}
	// Another disk holds no key, or has lost the one that it held, and no chain, or another: every step has work to do there.
	h.Session.Holds(h.DataDevice)
	_, err := h.Session.Run(ctx, name+"-disk", remote.Step{
		Name: "disk", Script: hardening.DiskScript, Timeout: 10 * time.Minute, Remove: true,
		Vars: map[string]pulumi.StringInput{
			"DEVICE": h.DataDevice, "DATA_DIR": pulumi.String(h.Spec.Data.Dir),
			// Hosts of the same name are in other stacks too.
			"OWNER":    pulumi.String(strings.Join([]string{ctx.Organization(), ctx.Project(), ctx.Stack(), h.Spec.Name}, "/")),
			"RESTORED": pulumi.String(strconv.FormatBool(h.DataRestored)),
			// A larger disk has this step run again, which grows the file system.
			"SIZE_GIB": pulumi.String(strconv.Itoa(h.DataGiB)),
		},
	}, pulumi.Parent(h))
	return err
}

func sshPorts(h platform.HostSpec) []int {
	if len(h.SSHPorts) == 0 {
		return []int{22}
	}
	return h.SSHPorts
}

// indexEdges lists, for each host, the edges that it is part of.
func indexEdges(edges []platform.Edge) map[string][]platform.Edge {
	index := map[string][]platform.Edge{}
	for _, e := range edges {
		for _, h := range slices.Compact(slices.Sorted(slices.Values(slices.Concat(e.From.Hosts, e.To.Hosts)))) {
			index[h] = append(index[h], e)
		}
	}
	return index
}

// firewallOf renders a host's firewall once the addresses of the hosts at the other ends are known.
func firewallOf(
	spec platform.HostSpec, edges []platform.Edge, hosts map[string]*platform.Host, from pulumi.StringArrayOutput,
) pulumi.StringOutput {
	name, addresses := spec.Name, pulumi.StringMap{}
	add := func(peers []string) {
		for _, peer := range peers {
			addresses[peer] = hosts[peer].PrivateAddress
		}
	}
	// Only the other ends: all hosts of this end, for each of them, would be quadratic in a large plan.
	for _, e := range edges {
		if slices.Contains(e.To.Hosts, name) {
			add(e.From.Hosts)
		}
		if slices.Contains(e.From.Hosts, name) {
			add(e.To.Hosts)
		}
	}
	return pulumi.All(addresses, from).ApplyT(func(in []any) (string, error) {
		f := FirewallOf(name, edges, in[0].(map[string]string))
		f.SSH = hardening.Rule{Protocol: "tcp", Ports: sshPorts(spec), Networks: in[1].([]string), Why: "administrators"}
		text, err := spec.Hardening.Ruleset(f)
		if err != nil {
			return "", fmt.Errorf("firewall of host %s: %w", name, err)
		}
		return text, nil
	}).(pulumi.StringOutput)
}

// FirewallOf is the firewall of one host but for SSH, from the edges that it is part of and the private addresses of the plan's hosts.
func FirewallOf(host string, edges []platform.Edge, address map[string]string) hardening.Firewall {
	var f hardening.Firewall
	for _, e := range edges {
		if slices.Contains(e.To.Hosts, host) {
			f.In = append(f.In, ruleOf(e, e.From, host, address))
		}
		if slices.Contains(e.From.Hosts, host) {
			f.Out = append(f.Out, ruleOf(e, e.To, host, address))
		}
	}
	return f
}

func ruleOf(e platform.Edge, peer platform.Party, host string, address map[string]string) hardening.Rule {
	networks := slices.Clone(peer.Networks)
	for _, h := range peer.Hosts {
		if h != host {
			networks = append(networks, address[h])
		}
	}
	return hardening.Rule{
		Protocol: e.Protocol, Ports: e.Ports, Networks: networks, ExceptNode: e.ExceptNode, Untracked: e.Untracked, Why: e.Why,
	}
}

func words(ports []int) string {
	s := make([]string, len(ports))
	for i, p := range ports {
		s[i] = strconv.Itoa(p)
	}
	return strings.Join(s, " ")
}
