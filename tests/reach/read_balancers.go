package reach

import (
	"cmp"
	"fmt"
	"strconv"
	"strings"
)

func (m *maker) readBalancer(i input) {
	b := &balancer{party: &party{name: i.r.Name}}
	b.balancer = b
	switch kind := cmp.Or(i.str("loadBalancerType"), "application"); kind {
	case "application":
	case "network":
		b.network = true
	default:
		i.problem("loadBalancerType", "is %q, which is not analysed", kind)
		return
	}
	if t := cmp.Or(i.str("ipAddressType"), "ipv4"); t != "ipv4" {
		i.problem("ipAddressType", "is %q: only ipv4 is analysed", t)
	}
	addresses := map[*subnet]string{}
	var subnets []*subnet
	for n, id := range i.strs("subnets") {
		subnets = append(subnets, m.subnets[i.resolve(fmt.Sprintf("subnets[%d]", n), id, subnetType)])
	}
	for _, b := range i.blocks("subnetMappings") {
		s := m.subnets[b.owner("subnetId", subnetType)]
		subnets = append(subnets, s)
		if e := m.find(b.str("allocationId"), eipType); e != nil {
			addresses[s] = "elastic address " + e.Name
		}
	}
	internal := i.flag("internal", false)
	for _, s := range subnets {
		if s == nil {
			continue
		}
		card := &iface{party: b.party, subnet: s}
		if card.open = b.network && len(i.strs("securityGroups")) == 0; !card.open {
			card.groups = m.groupsOf(i, "securityGroups", s)
		}
		if !internal {
			card.public = cmp.Or(addresses[s], "public address of "+b.name+" in "+s.name)
		}
		b.interfaces = append(b.interfaces, card)
	}
	if len(subnets) == 0 {
		i.problem("subnets", "or subnetMappings are required to tell reachability")
	}
	m.balancers[i.r] = b
	m.w.balancers = append(m.w.balancers, b)
}

// layer4 gives the protocols that a listener or target group speaks on the wire.
func (i input) layer4(key string) []string {
	switch p := strings.ToUpper(i.str(key)); p {
	case "TCP", "TLS", "HTTP", "HTTPS":
		return []string{"tcp"}
	case "UDP":
		return []string{"udp"}
	case "TCP_UDP":
		return []string{"tcp", "udp"}
	default:
		i.problem(key, "is %q, which is not analysed", p)
		return nil
	}
}

func (m *maker) readTargets(i input) {
	t := &targets{name: i.r.Name, port: i.num("port", -1), protocols: i.layer4("protocol")}
	kind := cmp.Or(i.str("targetType"), "instance")
	if kind != "instance" && kind != "ip" {
		i.problem("targetType", "is %q, which is not analysed", kind)
	}
	// A network load balancer's targets see its clients' addresses unless they are known by address and speak TCP; where UDP is spoken
	// that cannot be switched off. An application load balancer speaks HTTP, and for itself.
	switch protocol := strings.ToUpper(i.str("protocol")); protocol {
	case "UDP", "TCP_UDP":
		t.preserve = true
	case "TCP", "TLS":
		t.preserve = i.flag("preserveClientIp", kind == "instance")
	}
	for _, h := range i.blocks("healthCheck") {
		port := cmp.Or(h.str("port"), "traffic-port")
		n, err := strconv.Atoi(port)
		switch {
		case !h.flag("enabled", true):
			t.health = -1
		case port == "traffic-port":
		case err != nil:
			h.problem("port", "is %q, no port", port)
		default:
			t.health = n
		}
	}
	m.targets[i.r] = t
}

func (m *maker) readTarget(i input) {
	t := m.targets[i.owner("targetGroupArn", targetsType)]
	if t == nil {
		return
	}
	id := i.str("targetId")
	var host *party
	if card := m.interfaces[m.find(id, instanceType)]; card != nil {
		host = card.party
	}
	for _, p := range m.w.parties {
		for _, card := range p.interfaces {
			if host == nil && card.addr.IsValid() && card.addr.String() == id {
				host = p
			}
		}
	}
	if host == nil {
		i.problem("targetId", "is %q, neither an instance of the graph nor an address that one was given as an input", id)
		return
	}
	port := i.num("port", t.port)
	if port < 1 {
		i.problem("port", "is required here or in the target group")
	}
	t.members = append(t.members, member{host, port})
}

func (m *maker) readListener(i input) {
	b := m.balancers[i.owner("loadBalancerArn", balancerType)]
	if b == nil {
		return
	}
	l := &listener{name: i.r.Name, port: i.num("port", -1), protocols: i.layer4("protocol")}
	if l.port < 1 {
		i.problem("port", "is required to tell reachability")
	}
	for _, action := range i.blocks("defaultActions") {
		m.addForward(action, l, "")
	}
	m.listeners[i.r] = l
	b.listeners = append(b.listeners, l)
}

func (m *maker) readListenerRule(i input) {
	l := m.listeners[i.owner("listenerArn", listenerType)]
	if l == nil {
		return
	}
	var words []string
	for _, c := range i.blocks("conditions") {
		for _, key := range []string{"pathPattern", "hostHeader", "httpRequestMethod", "sourceIp", "httpHeader"} {
			for _, b := range c.blocks(key) {
				if what := map[string]string{
					"hostHeader": "host", "httpRequestMethod": "method", "sourceIp": "from",
					"httpHeader": "header " + b.str("httpHeaderName"),
				}[key]; what != "" {
					words = append(words, what)
				}
				words = append(words, b.strs("values")...)
			}
		}
		for _, b := range c.blocks("queryStrings") {
			words = append(words, "query", b.str("key")+"="+b.str("value"))
		}
	}
	for _, action := range i.blocks("actions") {
		m.addForward(action, l, strings.Join(words, " "))
	}
}

// addForward reads an action. What answers by itself forwards to nobody.
func (m *maker) addForward(i input, l *listener, condition string) {
	add := func(i input, key string) {
		if t := m.targets[i.owner(key, targetsType)]; t != nil {
			l.forwards = append(l.forwards, forward{condition, t})
		}
	}
	switch kind := i.str("type"); kind {
	case "forward":
		blocks := i.blocks("forward")
		for _, f := range blocks {
			for _, t := range f.blocks("targetGroups") {
				add(t, "arn")
			}
		}
		if len(blocks) == 0 {
			add(i, "targetGroupArn")
		}
	case "redirect", "fixed-response":
	default:
		i.problem("type", "is %q, which is not analysed", kind)
	}
}
