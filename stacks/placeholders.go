package stacks

import (
	"net"
	"slices"
	"strings"

	"golang.org/x/crypto/ssh"

	"github.com/insight-icon/pulumi-icon/internal/wording"
)

// What the stack files of this directory say where only the operator can know.
const (
	exampleNetwork    = "203.0.113.0/24"
	exampleHostedZone = "Z0123456789EXAMPLE00"
	// exampleKeyPrint is the fingerprint of a key whose private half was thrown away.
	exampleKeyPrint = "SHA256:pPiUi+cQpjWjar7hSpMY8KVFAQW5BGVC+SzwSUsAb9A"
)

// exampleDomains are kept for examples by RFC 2606: no name in them is anybody's.
var exampleDomains = []string{"example.org", "example.net", "example.com"}

// CheckPlaceholders refuses a stack on AWS in which values of the shipped stack files still stand where the operator's own are wanted:
// most of them would be found out only when all machines are made and paid for. Machines that exist cost nothing more, and there it
// refuses nothing. Its error is a Problems.
func (c *Config) CheckPlaceholders() error {
	if c.AWS == nil {
		return nil
	}
	p := newCollector()
	for i, network := range c.Administrators {
		if network == exampleNetwork {
			p.add(wording.Item("administrators", i), "is still the example's, %s, which is nobody's: no machine could be logged in to; wanted "+
				"the networks that you log in from, with the machine that runs pulumi inside", network)
		}
	}
	for i, seed := range c.Network.Seeds {
		if inExampleDomain(seed) {
			p.add(wording.Item("network.seeds", i), "is still the example's, %s, which nobody answers at; wanted the p2pEndpoint of a validator, "+
				"or a seed", seed)
		}
	}
	if c.Node.Container != nil && strings.HasSuffix(c.Node.Container.Image, "@sha256:"+strings.Repeat("0", 64)) {
		p.add("node.container.image", "is still the example's, whose digest is no image's; wanted the digest that the registry says of %s",
			strings.Split(c.Node.Container.Image, "@")[0])
	}
	if c.PRep != nil {
		p.ownName("prep.announce", c.PRep.Announce)
	}
	if c.Sentries != nil {
		p.ownName("sentries.announce", c.Sentries.Announce)
		if c.Sentries.TLS != nil {
			for i, name := range c.Sentries.TLS.Names {
				p.ownName(wording.Item("sentries.tls.names", i), name)
			}
		}
	}
	c.placeholdersOfAWS(p)
	return p.err()
}

func (c *Config) placeholdersOfAWS(p *collector) {
	for i, text := range c.AWS.AdministratorKeys {
		if key, _, _, _, err := ssh.ParseAuthorizedKey([]byte(text)); err == nil && ssh.FingerprintSHA256(key) == exampleKeyPrint {
			p.add("aws."+wording.Item("administratorKeys", i), "is still the example's, whose private half nobody has; wanted the public half of "+
				"icon:sshPrivateKey, or of a key of the agent")
		}
	}
	p.ownZone("aws.front.hostedZone", c.AWS.Front.HostedZone, "icon:sentries.announce")
	if c.AWS.API != nil {
		p.ownName("aws.api.name", c.AWS.API.Name)
		p.ownZone("aws.api.hostedZone", c.AWS.API.HostedZone, "icon:aws.api.name")
	}
}

func (c *collector) ownName(path, name string) {
	if inExampleDomain(name) {
		c.add(path, "is still the example's, %s; wanted a name in a domain of yours", name)
	}
}

func (c *collector) ownZone(path, zone, holds string) {
	if zone == exampleHostedZone {
		c.add(path, "is still the example's, %s; wanted the Route 53 zone that holds %s", zone, holds)
	}
}

// inExampleDomain says whether a name, with or without a port, is one of those that are kept for examples.
func inExampleDomain(name string) bool {
	if host, _, err := net.SplitHostPort(name); err == nil {
		name = host
	}
	name = strings.ToLower(strings.TrimSuffix(name, "."))
	return slices.ContainsFunc(exampleDomains, func(d string) bool { return name == d || strings.HasSuffix(name, "."+d) })
}
