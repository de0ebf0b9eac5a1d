package stacks

import (
	"fmt"
	"regexp"
	"slices"

	"github.com/insight-icon/pulumi-icon/internal/wording"
)

// Complete is for programs that make a Config in Go: a copy of c with the defaults filled in and validated as Load does it. The error is
// a Problems.
func (c *Config) Complete() (*Config, error) {
	full := c.withDefaults()
	problems := newCollector()
	full.validate(problems)
	if err := problems.err(); err != nil {
		return nil, err
	}
	return full, nil
}

// validate reports every broken rule of a Config with its defaults filled in.
func (c *Config) validate(p *collector) {
	p.chosen("topology", c.Topology, TopologySingleNode, TopologySentryFronted, TopologyCitizens)
	p.chosen("platform", c.Platform, PlatformHosts, PlatformAWS)
	c.validateAdministrators(p)
	c.validateMaintenance(p)
	c.validateNetwork(p)
	c.validateNode(p)
	c.validateRoles(p)
	c.validateImportedKeys(p)
	c.validateHosts(p)
	c.validateAWS(p)
	c.validateSSHKey(p)
	c.validateHardening(p)
}

func (c *Config) validateAdministrators(p *collector) {
	if len(c.Administrators) == 0 {
		p.missing("administrators", "at least one IPv4 network from which SSH is answered, such as 203.0.113.0/24")
	}
	p.closedNetworks("administrators", c.Administrators, "SSH is answered from there")
}

func (c *Config) validateMaintenance(p *collector) {
	p.networks("maintenance.to", c.Maintenance.To)
	for i, port := range c.Maintenance.Ports {
		path := wording.Item("maintenance.ports", i)
		p.between(path, port, 1, 65535)
		if slices.Contains(c.Maintenance.Ports[:i], port) {
			p.add(path, "is %d, which is in the list already", port)
		}
	}
}

// addressPattern is a node's address on the chain.
var addressPattern = regexp.MustCompile(`^hx[0-9a-f]{40}$`)

func (c *Config) validateImportedKeys(p *collector) {
	holders := map[string]string{}
	for _, host := range sortedKeys(c.ImportedKeys) {
		path, address := wording.Under("importedKeys", host), c.ImportedKeys[host]
		p.matches(path, address, addressPattern, `a node's address: "hx" and 40 hexadecimal digits in lower case`)
		if other, taken := holders[address]; taken && address != "" {
			p.add(path, "is the same address as that of %s; two hosts never hold one node key: both would sign, which the network punishes",
				other)
		}
		holders[address] = namespace + ":" + path
		if p.readable("prep") && p.readable("citizens") && !slices.Contains(c.nodeHosts(), host) {
			p.add(path, "names %s, which carries no node (%s)", wording.Quote(host), wording.DidYouMean(host, c.nodeHosts()))
		}
	}
	switch {
	case len(c.ImportedKeys) > 0 && c.Secrets.Keystores == nil:
		p.missing("keystores", "the keystores of the hosts in icon:importedKeys: pulumi config set --secret icon:keystores < keystores.json")
	case len(c.ImportedKeys) == 0 && c.Secrets.Keystores != nil && p.readable("importedKeys"):
		p.add("keystores", "is set, but no icon:importedKeys say which host gets which key; add them or run: pulumi config rm icon:keystores")
	}
}

// nodeHosts are the machines that carry a node.
func (c *Config) nodeHosts() []string {
	hosts := []string{}
	if prep := c.wantedPRep(); prep != nil && prep.Host != "" {
		hosts = append(hosts, prep.Host)
	}
	if c.Citizens != nil {
		hosts = append(hosts, c.Citizens.Hosts...)
	}
	return hosts
}

func (c *Config) validateSSHKey(p *collector) {
	key := c.Secrets.SSHPrivateKey
	switch {
	case !p.readable("sshAgent"):
	case key == nil && !c.SSHAgent:
		p.missing("sshPrivateKey", "the key that logs in to the hosts: pulumi config set --secret icon:sshPrivateKey < key "+
			"(or set icon:sshAgent to true)")
	case key != nil && c.SSHAgent:
		p.add("sshAgent", "is true, but icon:sshPrivateKey is set too; keep one of them")
	}
	if c.Secrets.SSHPrivateKeyPassphrase != nil && key == nil && p.readable("sshPrivateKey") {
		p.add("sshPrivateKeyPassphrase", "is set, but there is no icon:sshPrivateKey that it could open")
	}
}

// sortedKeys are a map's keys in the order of the alphabet, so that two runs report the same.
func sortedKeys[V any](m map[string]V) []string {
	keys := make([]string, 0, len(m))
	for key := range m {
		keys = append(keys, key)
	}
	slices.Sort(keys)
	return keys
}

// at is "icon:<path>" for messages that point at another key.
func at(path string) string { return fmt.Sprintf("%s:%s", namespace, path) }
