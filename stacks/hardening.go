package stacks

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/insight-icon/pulumi-icon/hardening"
	"github.com/insight-icon/pulumi-icon/internal/awsplan"
	"github.com/insight-icon/pulumi-icon/internal/wording"
)

// Hardening is what differs from the profiles that hosts are hardened by. Every host has its role's; see docs/hardening/controls.md for
// the controls, and for their parameters with units, bounds and defaults.
type Hardening struct {
	// Parameters by control and name, for all hosts that have the control. Values are taken as they are: an empty one stands for itself.
	Parameters map[string]map[string]any `json:"parameters,omitempty"`
	// LeaveOut names controls that are neither applied nor verified, each with the reason, in one line. Every report repeats it.
	LeaveOut map[string]string `json:"leaveOut,omitempty"`
	// Hosts by name: what differs on one host. It takes precedence over what is said for all.
	Hosts map[string]HostHardening `json:"hosts,omitempty"`
}

// HostHardening is what differs on one host. "bastion" is the jump host of a stack on AWS.
type HostHardening struct {
	// Parameters by control and name.
	Parameters map[string]map[string]any `json:"parameters,omitempty"`
	// LeaveOut names controls, each with the reason.
	LeaveOut map[string]string `json:"leaveOut,omitempty"`
}

// hardened is a host as its hardening sees it. Its profile has the name of its role.
type hardened struct {
	name  string
	facts hardening.Facts
}

// Selections are what each host of a complete configuration is hardened by, by the host's name.
func (c *Config) Selections() map[string]*hardening.Selection {
	all := map[string]*hardening.Selection{}
	for _, h := range c.hardenedHosts() {
		if selection, _ := c.harden(h); selection != nil {
			all[h.name] = selection
		}
	}
	return all
}

// NodeRuntime is what nodes run in: "binary", or the container engine, "podman" or "docker".
func (c *Config) NodeRuntime() string {
	if c.Node.Runtime == runtimeContainer && c.Node.Container != nil {
		return c.Node.Container.Engine
	}
	return c.Node.Runtime
}

// harden puts together what one host is hardened by. Problems are those of the stack's overrides, and of the host's.
func (c *Config) harden(h hardened) (*hardening.Selection, [][]hardening.Problem) {
	own := c.Hardening.Hosts[h.name]
	profile, _ := hardening.FindProfile(h.facts.Role)
	return hardening.Resolve(h.facts.Role, h.facts,
		hardening.Overrides{Parameters: c.ofPlatform(usedBy(profile, c.Hardening.Parameters)), LeaveOut: c.Hardening.LeaveOut},
		hardening.Overrides{Parameters: own.Parameters, LeaveOut: own.LeaveOut})
}

// AWSTime is the time server that AWS gives each machine, on a link that nobody else is on (Amazon EC2 User Guide, "Set the time reference
// on your EC2 instance to use the local Amazon Time Sync Service").
const AWSTime = "169.254.169.123"

// ofPlatform adds what a platform has of its own to the stack's parameters, which take precedence.
func (c *Config) ofPlatform(parameters map[string]map[string]any) map[string]map[string]any {
	const control, servers, only = "clock", "localServers", "authenticatedOnly"
	_, chosen := parameters[control][servers]
	if c.AWS == nil || chosen || parameters[control][only] == true || c.Hardening.LeaveOut[control] != "" {
		return parameters
	}
	all, clock := maps.Clone(parameters), maps.Clone(parameters[control])
	if all == nil {
		all = map[string]map[string]any{}
	}
	if clock == nil {
		clock = map[string]any{}
	}
	clock[servers] = []string{AWSTime}
	all[control] = clock
	return all
}

// usedBy are those of the stack's parameters whose controls a profile has: what is said for all hosts is for those that have the control.
func usedBy(p hardening.Profile, parameters map[string]map[string]any) map[string]map[string]any {
	used := maps.Clone(parameters)
	maps.DeleteFunc(used, func(control string, _ map[string]any) bool { return p.Without[control] != "" })
	return used
}

// hardenedHosts are the stack's hosts as far as they are known: bastion, P-Rep, sentries, citizens, and those of a role by name. The order
// counts: each host has a number of its own, and another citizen must not change that of a sentry.
func (c *Config) hardenedHosts() []hardened {
	var all []hardened
	from, seen := c.sshFrom(), map[string]bool{"": true}
	add := func(role string, names ...string) {
		for _, name := range sorted(names) {
			if !seen[name] {
				all = append(all, hardened{name, c.factsOf(name, role, len(all), from(name))})
			}
			seen[name] = true
		}
	}
	if c.AWS != nil {
		add(awsplan.Bastion, awsplan.Bastion)
	}
	if prep := c.wantedPRep(); prep != nil {
		add(awsplan.PRep, prep.Host)
	}
	if sentries := c.wantedSentries(); sentries != nil {
		add(awsplan.Sentry, sentries.Hosts...)
	}
	if c.Citizens != nil {
		add(awsplan.Citizen, c.Citizens.Hosts...)
	}
	return all
}

func (c *Config) factsOf(name, role string, order int, administrators []string) hardening.Facts {
	facts := hardening.Facts{Role: role, SSHPorts: []int{22}, Order: order, LoginUser: "admin", Administrators: administrators}
	if role == awsplan.PRep || role == awsplan.Citizen {
		facts.Runtime, facts.DataDir = c.NodeRuntime(), c.Node.DataDir
	}
	if machine, ok := c.machine(name); ok {
		facts.LoginUser = machine.User
		if machine.Port != 0 && machine.Port != 22 {
			facts.SSHPorts = append(facts.SSHPorts, machine.Port)
		}
	}
	return facts
}

// sshFrom says where the administrators' SSH connections to a host come from, as far as that is known before anything exists: their own
// networks, and the jump hosts that they come through.
func (c *Config) sshFrom() func(host string) []string {
	if c.AWS != nil {
		design, _ := c.AWS.Complete(c.soundNeed())
		return func(host string) []string {
			if from := design.SSHFrom(); host != awsplan.Bastion && from != "" {
				return []string{from}
			}
			return slices.Clone(c.Administrators)
		}
	}
	return func(host string) []string {
		networks := slices.Clone(c.Administrators)
		if m, _ := c.machine(host); m.Bastion != nil && validIPv4(m.Bastion.PrivateAddress) {
			networks = append(networks, m.Bastion.PrivateAddress+"/32")
		}
		return networks
	}
}

func (c *Config) validateHardening(p *collector) {
	hosts := c.hardenedHosts()
	names := make([]string, len(hosts))
	for i, h := range hosts {
		names[i] = h.name
	}
	for _, name := range sortedKeys(c.Hardening.Hosts) {
		if c.knowsHosts(p) && !slices.Contains(names, name) {
			p.add(wording.Under("hardening.hosts", name), "is no host of this stack: %s", wording.DidYouMean(name, names))
		}
	}
	if len(hosts) == 0 { // which was reported; the overrides can be read all the same
		hosts = []hardened{{facts: hardening.Facts{Role: hardening.Baseline}}}
	}
	c.reportUnused(p, hosts)
	found := map[hardening.Problem][]string{}
	for _, h := range hosts {
		_, problems := c.harden(h)
		for i, list := range problems {
			for _, problem := range list {
				problem.Path = "hardening." + problem.Path
				if i > 0 {
					problem.Path = wording.Under("hardening.hosts", h.name) + strings.TrimPrefix(problem.Path, "hardening")
				}
				found[problem] = append(found[problem], h.name)
			}
		}
	}
	for problem, on := range found {
		if !p.readable(problem.Path) {
			continue
		}
		message := problem.Text
		if len(on) < len(hosts) && !strings.HasPrefix(problem.Path, "hardening.hosts.") {
			message += " (on " + strings.Join(on, ", ") + ")"
		}
		p.report(problem.Path, message, message)
	}
}

// reportUnused tells of parameters for all hosts that are for none.
func (c *Config) reportUnused(p *collector, hosts []hardened) {
	for _, control := range sortedKeys(c.Hardening.Parameters) {
		reason := ""
		for _, h := range hosts {
			profile, _ := hardening.FindProfile(h.facts.Role)
			if reason = profile.Without[control]; reason == "" {
				break
			}
		}
		if path := wording.Under("hardening.parameters", control); reason != "" && p.readable(path) {
			message := fmt.Sprintf("is for a control that no host of this stack has: %s; remove it", reason)
			p.report(path, message, message)
		}
	}
}
