package aws

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/insight-icon/pulumi-icon/components/platform"
	"github.com/insight-icon/pulumi-icon/internal/awsplan"
)

const anywhere = "0.0.0.0/0"

// rulesPerGroup is AWS's default quota of a security group's rules in one direction.
const rulesPerGroup = 60

// Validate refuses what AWS, or the settings, cannot do, all at once. A problem of the settings starts with its path.
func (a *AWS) Validate(spec platform.NetworkSpec) error {
	_, err := a.checked(spec)
	return err
}

// checked is what will be made, if there is nothing wrong with it.
func (a *AWS) checked(spec platform.NetworkSpec) (*awsplan.Design, error) {
	design, problems := a.args.Settings.Complete(a.need(spec))
	errs := a.errorsOf(problems)
	errs = append(errs, bastionProblems(spec)...)
	errs = append(errs, edgeProblems(spec)...)
	errs = append(errs, administratorProblems(spec)...)
	for _, h := range spec.Hosts {
		if slices.ContainsFunc(h.SSHPorts, func(p int) bool { return p != 22 }) {
			errs = append(errs, fmt.Errorf("host %s: its SSH ports are %v: machines on AWS answer SSH at port 22 alone", h.Name, h.SSHPorts))
		}
	}
	return design, errors.Join(errs...)
}

func (a *AWS) errorsOf(problems []awsplan.Problem) []error {
	var errs []error
	for _, p := range problems {
		errs = append(errs, fmt.Errorf("%s.%s: %s", a.args.Where, p.Key, p.Message))
	}
	return errs
}

// need is what a plan wants of AWS.
func (a *AWS) need(spec platform.NetworkSpec) awsplan.Need {
	n := awsplan.Need{Network: a.args.Network, Announce: a.args.Announce, Administrators: spec.Administrators}
	open := exposed(spec)
	for _, h := range spec.Hosts {
		host := awsplan.Host{
			Name: h.Name, Role: string(h.Role), Exposed: h.Role == platform.Bastion || open[h.Name], Arch: h.Arch,
			Generation: h.Generation,
		}
		if h.Data != nil {
			host.MinDiskGB = h.Data.MinDiskGB
		}
		n.Hosts = append(n.Hosts, host)
	}
	return n
}

// exposed are the hosts that the internet reaches directly.
func exposed(spec platform.NetworkSpec) map[string]bool {
	open := map[string]bool{}
	for _, e := range spec.Edges {
		if e.From.Front == "" && slices.Contains(e.From.Networks, anywhere) {
			for _, h := range e.To.Hosts {
				open[h] = true
			}
		}
	}
	return open
}

func bastionProblems(spec platform.NetworkSpec) []error {
	var errs []error
	bastion := bastionOf(spec)
	switch n := len(hostsOf(spec, platform.Bastion)); {
	case n == 0:
		errs = append(errs, errors.New("Hosts: there is no host with the role bastion: on AWS the plan needs one, which SSH goes through"))
	case n > 1:
		errs = append(errs, fmt.Errorf("Hosts: there are %d hosts with the role bastion: exactly one is wanted", n))
	default:
		for _, h := range spec.Hosts {
			want := bastion
			if h.Name == bastion {
				want = ""
			}
			if h.Behind != want {
				errs = append(errs, fmt.Errorf("host %s: is behind %q: wanted %q, since SSH reaches machines on AWS through the bastion alone",
					h.Name, h.Behind, want))
			}
		}
	}
	return errs
}

// bastionOf is the name of the first bastion, empty if there is none.
func bastionOf(spec platform.NetworkSpec) string {
	if names := hostsOf(spec, platform.Bastion); len(names) > 0 {
		return names[0]
	}
	return ""
}

func hostsOf(spec platform.NetworkSpec, role platform.Role) []string {
	var names []string
	for _, h := range spec.Hosts {
		if h.Role == role {
			names = append(names, h.Name)
		}
	}
	return names
}

// edgeProblems refuses edges that security groups, one for each role, cannot express.
func edgeProblems(spec platform.NetworkSpec) []error {
	var errs []error
	all := map[platform.Role][]string{}
	role := map[string]platform.Role{}
	for _, h := range spec.Hosts {
		role[h.Name] = h.Role
		all[h.Role] = append(all[h.Role], h.Name)
	}
	for i, e := range spec.Edges {
		for _, p := range []platform.Party{e.From, e.To} {
			named := map[platform.Role][]string{}
			for _, h := range p.Hosts {
				named[role[h]] = append(named[role[h]], h)
			}
			for _, r := range sortedKeys(named) {
				missing := slices.DeleteFunc(slices.Clone(all[r]), func(h string) bool { return slices.Contains(named[r], h) })
				if len(missing) > 0 {
					errs = append(errs, fmt.Errorf("Edges[%d] (%s): names %s and not %s: on AWS all hosts of the role %s share a security group, "+
						"so an edge names all of them or none", i, e.Why, strings.Join(named[r], " "), strings.Join(missing, " "), r))
				}
			}
		}
		if e.Protocol != "tcp" && e.Protocol != "udp" || len(e.Ports) == 0 {
			errs = append(errs, fmt.Errorf("Edges[%d] (%s): has the protocol %q and the ports %v: wanted tcp or udp, and ports",
				i, e.Why, e.Protocol, e.Ports))
		}
	}
	return append(errs, quotaProblems(spec)...)
}

func quotaProblems(spec platform.NetworkSpec) []error {
	var errs []error
	count := map[string]int{}
	for _, r := range rulesOf(spec) {
		direction := "out of"
		if r.in {
			direction = "into"
		}
		count[direction+" the security group of "+r.group]++
	}
	for _, k := range sortedKeys(count) {
		if count[k] > rulesPerGroup {
			errs = append(errs, fmt.Errorf("Edges: make %d rules %s, and AWS allows %d by default: name fewer networks or ports",
				count[k], k, rulesPerGroup))
		}
	}
	return errs
}

func administratorProblems(spec platform.NetworkSpec) []error {
	var errs []error
	if len(spec.Administrators) == 0 {
		errs = append(errs, errors.New("Administrators: at least one network is required, or nobody could log in"))
	}
	if slices.ContainsFunc(spec.Administrators, func(n string) bool { return strings.HasSuffix(n, "/0") }) {
		errs = append(errs, fmt.Errorf("Administrators: %s would open SSH to the whole internet: name the administrators' networks", anywhere))
	}
	return errs
}
