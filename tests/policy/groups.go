package policy

import (
	"net/netip"
	"slices"

	"github.com/insight-icon/pulumi-icon/tests/graph"
)

// Ports of a node.
const (
	portSSH = 22
	portP2P = 7100
	portRPC = 9000
)

// forEveryone are the TCP ports that the internet may reach: HTTPS, goloop's own, and HTTP on load balancers, which redirect it.
var forEveryone = []int{443, portP2P}

// highRisk are the ports of FSBP EC2.19; administrative those of tools that run commands, hold data or measure, beside them.
var (
	highRisk = []int{
		20, 21, 22, 23, 25, 110, 135, 143, 445, 1433, 1434, 3000, 3306, 3389, 4333, 5000, 5432, 5500, 5601, 8080, 8088, 8888, 9200, 9300,
	}
	administrative = []int{
		2375, 2376, 2379, 2380, 5900, 5901, 5985, 5986, 6443, 9090, 9093, 9100, 10250,
	}
)

func groupRules() []Rule {
	return []Rule{
		{
			ID: "EC2.13", Source: "Security Hub EC2.13", Title: "No security group lets everyone reach port 22.",
			Why: "SSH is for administrators, from networks that are named.", Check: closedToWorld(portSSH),
		},
		{
			ID: "EC2.14", Source: "Security Hub EC2.14", Title: "No security group lets everyone reach port 3389.",
			Why: "Remote desktops are attacked as soon as they are seen.", Check: closedToWorld(3389),
		},
		{
			ID: "EC2.53", Source: "Security Hub EC2.53; CIS AWS 3.0.0 5.2", Title: "No administrator's port is open to 0.0.0.0/0.",
			Why:   "Beside SSH: Docker, etcd, VNC, WinRM, Kubernetes, Prometheus and their kind run commands or tell what they know.",
			Check: closedToWorld(append([]int{portSSH, 3389}, administrative...)...),
		},
		{
			ID: "EC2.54", Source: "Security Hub EC2.54; CIS AWS 3.0.0 5.3", Title: "No administrator's port is open to ::/0.",
			Why: "IPv6 is forgotten easily, and scanned too.", Check: over(closedToIPv6),
		},
		{
			ID: "EC2.18", Source: "FSBP EC2.18", Title: "Everyone reaches ports 443 and 7100 only, and 80 on load balancers.",
			Why: "Every other port has users that are known.", Check: over(onlyAuthorised),
		},
		{
			ID: "EC2.19", Source: "FSBP EC2.19", Title: "Nobody from outside reaches ports of high risk.",
			Why: "Databases, mail and file sharing have no place on a node, open or not.", Check: closedToWorld(highRisk...),
		},
		{
			ID: "ICON.4", Source: "icon", Title: "SSH reaches every machine but the bastion from the bastion only, and the bastion from no machine.",
			Why: "One way in can be watched; a second one will be forgotten.", Check: over(sshByBastion),
		},
		{
			ID: "ICON.5", Source: "icon", Title: "With sentries in front, a P-Rep takes port 7100 from them alone.",
			Why: "Who reaches a validator directly can cut it off from the network.", Check: over(p2pBySentries),
		},
		{
			ID: "ICON.6", Source: "icon", Title: "Nothing outside reaches port 9000 of a P-Rep.",
			Why: "A validator answers no queries: each one costs it time to sign blocks.", Check: over(noQueriesOfPRep),
		},
		{
			ID: "ICON.7", Source: "icon", Title: "The internet reaches port 9000 through a load balancer only.",
			Why: "goloop has neither TLS nor limits of its own.", Check: over(apiByBalancer),
		},
		{
			ID: "ICON.8", Source: "icon", Title: "Rules of security groups are resources of their own.",
			Why: "Inline rules and separate ones take each other away, at every other deployment.", Check: over(noInlineRules),
		},
		{
			ID: "ICON.9", Source: "icon", Title: "Every security group and every rule says what it is for.",
			Why: "Who finds an open port at night must know whether it may be closed.", Check: over(described),
		},
		{
			ID: "ICON.10", Source: "icon", Title: "No machine may open every port everywhere.",
			Why:   "What breaks in must not get out by any way it likes; and goloop dials whatever address another node announces.",
			Check: over(egressNamed),
		},
	}
}

// closedToWorld wants no opening for everyone to cover one of these ports.
func closedToWorld(ports ...int) func(*graph.Graph) []Finding {
	return over(func(l *look) {
		for _, o := range l.in() {
			if i := slices.IndexFunc(ports, o.covers); i >= 0 && o.world() {
				l.at(o.r, "everyone reaches port %d (ports %s)%s", ports[i], portList(o.ports()), unsure(o))
			}
		}
	})
}

// unsure says in a message that an opening is not known in full.
func unsure(o opening) string {
	if o.plain() {
		return ""
	}
	return ", or may: its protocol, ports or networks are not known here; plain values are wanted"
}

func closedToIPv6(l *look) {
	for _, o := range l.in() {
		ports := slices.Concat([]int{portSSH, 3389}, administrative)
		if i := slices.IndexFunc(ports, o.covers); i >= 0 && o.worldIPv6() {
			l.at(o.r, "everyone reaches port %d by IPv6", ports[i])
		}
	}
}

func onlyAuthorised(l *look) {
	for _, o := range l.in() {
		if !o.world() || slices.ContainsFunc([]string{"icmp", "1", "icmpv6", "58"}, o.protocol.is) {
			continue
		}
		from, to := o.ports()
		allowed := from == to && o.carries(false) && !o.carries(true) && slices.Contains(forEveryone, from)
		if from == 80 && to == 80 && o.carries(false) && !o.carries(true) && o.group != nil {
			users := l.usersOf(o.group)
			allowed = len(users) > 0 && len(l.rolesOf(o.group)) == 0
		}
		if !allowed {
			l.at(o.r, "everyone reaches %s %s%s; only TCP 443 and 7100 are for everyone", o.protocol, portList(from, to), unsure(o))
		}
	}
}

// inOf are the openings that let in to machines of these roles and cover a port.
func (l *look) inOf(port int, roles ...string) []opening {
	return slices.DeleteFunc(l.in(), func(o opening) bool {
		return !o.covers(port) || o.group == nil ||
			!slices.ContainsFunc(l.rolesOf(o.group), func(r string) bool { return slices.Contains(roles, r) })
	})
}

func sshByBastion(l *look) {
	if len(l.machines(roleBastion)) == 0 {
		return
	}
	for _, o := range l.in() {
		if !o.covers(portSSH) || o.group == nil || l.onlyFrom(o, roleBastion) {
			continue
		}
		for _, m := range l.usersOf(o.group) {
			if m.Type == typeInstance && role(m) != roleBastion {
				l.at(o.r, "port 22 of %s is open to others than the bastion's group", m.Name)
				break // one tells enough
			}
			if role(m) == roleBastion && (len(o.groups) > 0 || o.self || l.withinVPC(o)) {
				l.at(o.r, "port 22 of %s is open to machines; networks of administrators are wanted", m.Name)
				break
			}
		}
	}
}

// withinVPC says that an opening is for addresses of a VPC of the graph.
func (l *look) withinVPC(o opening) bool {
	return slices.ContainsFunc(l.all(typeVPC), func(vpc *graph.Resource) bool {
		ours, err := netip.ParsePrefix(input(vpc, "cidrBlock").text())
		return err == nil && slices.ContainsFunc(o.networks, func(v value) bool {
			prefix, err := netip.ParsePrefix(v.text())
			return err == nil && prefix.Overlaps(ours)
		})
	})
}

func p2pBySentries(l *look) {
	if len(l.machines(roleSentry)) == 0 {
		return
	}
	for _, o := range l.inOf(portP2P, rolePRep) {
		if !l.onlyFrom(o, roleSentry) {
			l.at(o.r, "port 7100 of a P-Rep is open to others than the sentries' group")
		}
	}
}

func noQueriesOfPRep(l *look) {
	for _, o := range l.inOf(portRPC, rolePRep) {
		if !l.onlyFrom(o, rolePRep, roleCitizen, roleSentry, roleBastion) || len(l.machines(roleSentry)) > 0 {
			l.at(o.r, "port 9000 of a P-Rep is open%s", unsure(o))
		}
	}
}

func apiByBalancer(l *look) {
	for _, o := range l.in() {
		if !o.covers(portRPC) || !o.world() {
			continue
		}
		if o.group == nil || len(l.usersOf(o.group)) == 0 || len(l.rolesOf(o.group)) > 0 {
			l.at(o.r, "everyone reaches port 9000 of what is no load balancer%s", unsure(o))
		}
	}
}

func noInlineRules(l *look) {
	for _, g := range l.all(groupTypes...) {
		for _, way := range []string{"ingress", "egress"} {
			if input(g, way).given() {
				l.at(g, "it has %s rules of its own: make them SecurityGroupIngressRule and SecurityGroupEgressRule", way)
			}
		}
	}
	for _, r := range l.all(typeGroupRule) {
		l.at(r, "it is a SecurityGroupRule, which AWS's rule identifiers pass by: make it a SecurityGroupIngressRule or -EgressRule")
	}
}

func described(l *look) {
	for _, r := range l.all(groupTypes[0], typeIngress, typeEgress, typeGroupRule) {
		if d := input(r, "description"); d.text() == "" || d.is("Managed by Pulumi") {
			l.at(r, "description is %s; what it is for is wanted", d)
		}
	}
}

func egressNamed(l *look) {
	for _, o := range l.openings() {
		from, to := o.ports()
		if o.out && o.world() && to-from > 1024 {
			l.at(o.r, "it may open %s %s everywhere%s; name the ports, or the networks", o.protocol, portList(from, to), unsure(o))
		}
	}
}
