package stacks

import (
	"regexp"
	"slices"
	"strings"

	"github.com/insight-icon/pulumi-icon/internal/awsplan"
)

// AWSNeed is what a stack on AWS wants there. c is complete, but c.AWS is as it was written, since its defaults depend on the whole stack:
// c.AWS.Complete(c.AWSNeed()) gives them, and what will be made. The bastion is the last of the hosts.
func (c *Config) AWSNeed() awsplan.Need {
	need := awsplan.Need{Network: c.Network.Profile, Administrators: slices.Clone(c.Administrators)}
	node := awsplan.Host{Arch: c.Node.Arch, MinDiskGB: c.Node.MinDiskGB}
	if prep := c.wantedPRep(); prep != nil {
		node.Name, node.Role, node.Exposed = prep.Host, awsplan.PRep, c.Topology == TopologySingleNode
		need.Hosts = append(need.Hosts, node)
	}
	if c.Citizens != nil {
		for _, host := range sorted(c.Citizens.Hosts) {
			node.Name, node.Role, node.Exposed = host, awsplan.Citizen, false
			need.Hosts = append(need.Hosts, node)
		}
	}
	if sentries := c.wantedSentries(); sentries != nil {
		need.Announce = sentries.Announce
		exposed := c.AWS == nil || c.AWS.Front.Kind != awsplan.FrontNLB
		for _, host := range sorted(sentries.Hosts) {
			need.Hosts = append(need.Hosts, awsplan.Host{Name: host, Role: awsplan.Sentry, Exposed: exposed, Generation: sentries.Rotate[host]})
		}
	}
	need.Hosts = append(need.Hosts, awsplan.Host{Name: awsplan.Bastion, Role: awsplan.Bastion, Exposed: true})
	return need
}

// takenNames are those of load balancers, the API's certificate and NAT gateways: a machine's address, record or shield would have the name
// that theirs has.
var takenNames = regexp.MustCompile(`^(alb|nlb|certificate|nat-[a-z])$`)

func sorted(list []string) []string {
	return slices.Sorted(slices.Values(list))
}

func (c *Config) validateAWS(p *collector) {
	switch {
	case c.AWS == nil && c.Platform == PlatformAWS:
		p.missing("aws", "the region, its zones and the administrators' public keys, since icon:platform is aws")
	case c.AWS != nil && c.Platform == PlatformHosts:
		p.add("aws", "contradicts icon:platform, which is hosts; remove it, or set icon:platform to aws")
	case c.AWS != nil:
		need := c.soundNeed()
		known := c.knowsHosts(p)
		_, problems := c.AWS.Complete(need)
		for _, problem := range problems {
			if path := "aws." + problem.Key; p.readable(path) && (known || !aboutHosts(problem.Key, need)) {
				p.report(path, problem.Rule, problem.Message)
			}
		}
	}
}

// soundNeed is AWSNeed without what other rules report: names that are missing, given twice or the bastion's.
func (c *Config) soundNeed() awsplan.Need {
	need := c.AWSNeed()
	seen := map[string]bool{"": true, awsplan.Bastion: true}
	need.Hosts = slices.DeleteFunc(need.Hosts, func(h awsplan.Host) bool {
		again := seen[h.Name] && h.Role != awsplan.Bastion
		seen[h.Name] = true
		return again
	})
	return need
}

// roleKeys are the keys that say which hosts there are.
var roleKeys = regexp.MustCompile(`^(topology|prep(\.host)?|(citizens|sentries)(\.hosts.*)?)$`)

// knowsHosts says whether the names of all hosts could be read; if not, that was reported.
func (c *Config) knowsHosts(p *collector) bool {
	for path := range p.broken {
		if roleKeys.MatchString(path) {
			return false
		}
	}
	prep, sentries := c.PRep != nil && c.PRep.Host != "", c.Sentries != nil && len(c.Sentries.Hosts) > 0
	citizens := c.Citizens != nil && len(c.Citizens.Hosts) > 0
	switch c.Topology {
	case TopologySingleNode:
		return prep && (citizens || c.Citizens == nil)
	case TopologySentryFronted:
		return prep && sentries && (citizens || c.Citizens == nil)
	default:
		return c.Topology == TopologyCitizens && citizens
	}
}

// aboutHosts says whether a problem of awsplan may only be there because hosts are not known.
func aboutHosts(key string, need awsplan.Need) bool {
	section, rest, _ := strings.Cut(key, ".")
	name, _, _ := strings.Cut(rest, ".")
	switch section, _, _ = strings.Cut(section, "["); section {
	case "machines":
		return !slices.ContainsFunc(need.Hosts, func(h awsplan.Host) bool { return h.Name == name })
	default:
		return slices.Contains([]string{"zones", "front", "api"}, section)
	}
}
