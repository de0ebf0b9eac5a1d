package policy

import (
	"net/netip"
	"slices"
	"strconv"
	"strings"

	"github.com/insight-icon/pulumi-icon/tests/graph"
)

// widest is the least number of bits of a network that is not the whole internet, or much of it: nobody holds more than a /8.
const widest = 8

// isWorld says that a network is the internet, or so much of it that it makes no difference. What is no network counts as such, so that
// it is found; what is not given or not known yet does not.
func isWorld(v value) bool {
	if v.text() == "" {
		return false
	}
	prefix, err := netip.ParsePrefix(v.text())
	return err != nil || prefix.Bits() < widest
}

func networkRules() []Rule {
	return []Rule{
		{
			ID: "EC2.2", Source: "FSBP EC2.2; CIS AWS 3.0.0 5.4", Title: "The default security group of every VPC lets nothing in or out.",
			Why: "What is launched without a group gets this one.", Check: each(defaultGroupClosed, typeVPC),
		},
		{
			ID: "EC2.6", Source: "FSBP EC2.6; CIS AWS 3.0.0 3.7", Title: "Every VPC logs its flows, accepted and rejected.",
			Why: "After an incident they are the only record of who spoke to whom.", Check: each(flowsLogged, typeVPC),
		},
		{
			ID: "EC2.15", Source: "FSBP EC2.15", Title: "No subnet gives out public addresses by itself.",
			Why: "A public address is a decision for one machine, not a property of a place.", Check: each(noAutomaticAddress, typeSubnet),
		},
		{
			ID: "EC2.21", Source: "FSBP EC2.21; CIS AWS 3.0.0 5.1", Title: "No network ACL lets anyone reach port 22 or 3389.",
			Why:   "It is the second layer: a mistake in a security group opens nothing.",
			Check: each(aclClosed, "aws:ec2/networkAcl:NetworkAcl", "aws:ec2/defaultNetworkAcl:DefaultNetworkAcl"),
		},
		{
			ID: "ICON.1", Source: "icon", Title: "Every subnet is under a network ACL of the program's.",
			Why: "The VPC's default ACL lets everything through.", Check: each(underACL, typeSubnet),
		},
		{
			ID: "ICON.2", Source: "icon", Title: "Nothing has IPv6.",
			Why: "goloop speaks IPv4 only; what nobody uses, nobody watches.", Check: over(noIPv6),
		},
		{
			ID: "ICON.3", Source: "icon", Title: "Machines without a public address get out by a NAT gateway, not by an internet gateway.",
			Why:   "Without it they get no updates; by an internet gateway they would be one address away from the internet.",
			Check: each(waysOut, typeInstance),
		},
	}
}

func defaultGroupClosed(l *look, vpc *graph.Resource) {
	group := l.companion(vpc, "vpcId", "aws:ec2/defaultSecurityGroup:DefaultSecurityGroup")
	if group == nil {
		l.at(vpc, "its default security group is left as AWS made it: take it over with a DefaultSecurityGroup without rules")
		return
	}
	for _, way := range []string{"ingress", "egress"} {
		if rules := input(group, way); rules.given() {
			l.at(group, "its %s is %s; none is wanted", way, rules)
		}
	}
	for _, o := range l.openings() {
		if o.group == group && o.r != group {
			l.at(o.r, "it is a rule of the VPC's default security group; none is wanted")
		}
	}
}

func flowsLogged(l *look, vpc *graph.Resource) {
	for _, log := range l.all("aws:ec2/flowLog:FlowLog") {
		if l.means(log, input(log, "vpcId"), vpc) {
			if traffic := input(log, "trafficType"); !traffic.is("ALL") {
				l.at(log, "trafficType is %s; ALL is wanted", traffic)
			}
			return
		}
	}
	l.at(vpc, "it has no flow log: add a FlowLog with its vpcId")
}

func noAutomaticAddress(l *look, subnet *graph.Resource) {
	if v := input(subnet, "mapPublicIpOnLaunch"); v.given() && !v.no() {
		l.at(subnet, "mapPublicIpOnLaunch is %s; false is wanted", v)
	}
}

// aclRule is one rule of a network ACL, of those that let in or keep out.
type aclRule struct {
	number                     int
	deny                       bool
	source, protocol, from, to value
}

func (r aclRule) covers(port int) bool {
	if slices.Contains([]string{"udp", "17", "icmp", "1"}, strings.ToLower(r.protocol.text())) {
		return false
	}
	if r.protocol.is("-1") || r.protocol.is("all") {
		return true
	}
	from, known := r.from.number()
	to, alsoKnown := r.to.number()
	if !known || !alsoKnown {
		return !r.deny // what is not known may open, and does not close
	}
	return from <= port && port <= to
}

func aclClosed(l *look, acl *graph.Resource) {
	var rules []aclRule
	add := func(number, action, source, protocol, from, to value) {
		n, _ := number.number()
		if source.unknown() || number.unknown() || action.unknown() {
			l.at(acl, "a rule's number, action or network is not known yet; a plain value is wanted")
		}
		rules = append(rules, aclRule{n, action.is("deny"), source, protocol, from, to})
	}
	if all := input(acl, "ingress"); all.unknown() {
		l.at(acl, "ingress is not known yet; plain rules are wanted")
	}
	for _, r := range input(acl, "ingress").list() {
		add(r.at("ruleNo"), r.at("action"), r.at("cidrBlock"), r.at("protocol"), r.at("fromPort"), r.at("toPort"))
	}
	for _, r := range l.all("aws:ec2/networkAclRule:NetworkAclRule") {
		if l.means(r, input(r, "networkAclId"), acl) && !input(r, "egress").yes() {
			add(input(r, "ruleNumber"), input(r, "ruleAction"), input(r, "cidrBlock"), input(r, "protocol"), input(r, "fromPort"),
				input(r, "toPort"))
		}
	}
	slices.SortStableFunc(rules, func(a, b aclRule) int { return a.number - b.number })
	for _, port := range []int{22, 3389} {
		for _, r := range rules {
			if !isWorld(r.source) || !r.covers(port) {
				continue
			}
			// Only a rule for really everyone keeps everyone out.
			if r.deny && r.source.is("0.0.0.0/0") {
				break
			}
			if !r.deny {
				l.at(acl, "its rule %d lets %s reach port %d", r.number, r.source.text(), port)
				break
			}
		}
	}
}

func underACL(l *look, subnet *graph.Resource) {
	for _, acl := range l.all("aws:ec2/networkAcl:NetworkAcl") {
		ids := input(acl, "subnetIds")
		if ids.unknown() && l.means(acl, ids, subnet) {
			return
		}
		if slices.ContainsFunc(ids.list(), func(id value) bool { return l.means(acl, id, subnet) }) {
			return
		}
	}
	under := l.companion(subnet, "subnetId", "aws:ec2/networkAclAssociation:NetworkAclAssociation")
	if under == nil || l.refer(under, input(under, "networkAclId"), "aws:ec2/networkAcl:NetworkAcl") == nil {
		l.at(subnet, "it is under no network ACL of the program's: name it in subnetIds of one")
	}
}

// noIPv6 looks at every input: networks and addresses, and switches that bring them.
func noIPv6(l *look) {
	for _, r := range l.g.Resources {
		if !isAWS(r) {
			continue
		}
		if r.Type == "aws:ec2/egressOnlyInternetGateway:EgressOnlyInternetGateway" {
			l.at(r, "it is for IPv6 alone")
		}
		if r.Type == "aws:route53/record:Record" && input(r, "type").is("AAAA") {
			l.at(r, "it is a record of IPv6 addresses")
		}
		for _, one := range leaves(r) {
			if strings.Contains(strings.ToLower(one.where()), "ipv6") && bringsIPv6(one.value) {
				l.at(r, "%s is %s; none is wanted", one.where(), one.value)
				continue
			}
			if one.is("dualstack") || one.is("dualstack-without-public-ipv4") || isIPv6(one.text()) {
				l.at(r, "%s is %s; IPv4 is wanted", one.where(), one.value)
			}
		}
	}
}

// bringsIPv6 says that an input with a name of IPv6 is switched on, given or not known.
func bringsIPv6(v value) bool {
	n, isNumber := v.number()
	return !v.no() && !v.is("disabled") && !v.is("ipv4") && (!isNumber || n != 0)
}

func isIPv6(text string) bool {
	if prefix, err := netip.ParsePrefix(text); err == nil {
		return prefix.Addr().Is6()
	}
	address, err := netip.ParseAddr(text)
	return err == nil && address.Is6()
}

func waysOut(l *look, machine *graph.Resource) {
	subnet := l.refer(machine, input(machine, "subnetId"), typeSubnet)
	if subnet == nil || len(l.addressesOf(machine)) > 0 {
		return // a network of somebody else's, or a machine that is public on purpose: EC2.9 judges that
	}
	hops, known := l.defaultRoutes(subnet)
	if !known {
		l.at(machine, "no route table of the graph is that of its subnet %s", subnet.Name)
		return
	}
	nat := false
	for _, h := range hops {
		if h.internet.given() {
			l.at(machine, "it has no public address, but its subnet %s routes to an internet gateway", subnet.Name)
		}
		nat = nat || h.nat.given()
	}
	if !nat {
		l.at(machine, "its subnet %s has no route to a NAT gateway", subnet.Name)
	}
}

// portList shows ports in a message.
func portList(from, to int) string {
	if from == to {
		return strconv.Itoa(from)
	}
	return strconv.Itoa(from) + "-" + strconv.Itoa(to)
}
