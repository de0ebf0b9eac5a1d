package policy

import (
	"slices"

	"github.com/insight-icon/pulumi-icon/tests/graph"
)

// tlsPolicies are the ones that AWS recommends (the list of FSBP ELB.17, of 2025): TLS 1.3, or 1.2 with forward secrecy and AEAD ciphers.
var tlsPolicies = []string{
	"ELBSecurityPolicy-TLS13-1-3-2021-06", "ELBSecurityPolicy-TLS13-1-3-FIPS-2023-04",
	"ELBSecurityPolicy-TLS13-1-3-PQ-2025-09", "ELBSecurityPolicy-TLS13-1-3-FIPS-PQ-2025-09",
	"ELBSecurityPolicy-TLS13-1-2-Res-2021-06", "ELBSecurityPolicy-TLS13-1-2-Res-FIPS-2023-04",
	"ELBSecurityPolicy-TLS13-1-2-Res-PQ-2025-09", "ELBSecurityPolicy-TLS13-1-2-Res-FIPS-PQ-2025-09",
}

func balancerRules() []Rule {
	return []Rule{
		{
			ID: "ELB.1", Source: "FSBP ELB.1", Title: "HTTP is redirected to HTTPS.",
			Why: "What is answered in the clear can be read and changed on its way.", Check: each(redirected, listenerTypes...),
		},
		{
			ID: "ELB.4", Source: "FSBP ELB.4", Title: "Application load balancers drop invalid headers.",
			Why: "Headers that two programs read differently smuggle requests past one of them.", Check: each(headersDropped, balancerTypes...),
		},
		{
			ID: "ELB.5", Source: "FSBP ELB.5", Title: "Load balancers log their access, network ones too.",
			Why:   "They are where the internet comes in. (Network ones log TLS connections only; flow logs have the rest.)",
			Check: each(balancerLogged, balancerTypes...),
		},
		{
			ID: "ELB.6", Source: "FSBP ELB.6", Title: "Load balancers are protected from deletion.",
			Why: "Their name or their addresses are in other people's settings.", Check: each(balancerKept, balancerTypes...),
		},
		{
			ID: "ELB.12", Source: "FSBP ELB.12", Title: "Application load balancers answer ambiguous requests defensively.",
			Why: "Requests that two programs read differently reach what they should not.", Check: each(desyncMitigated, balancerTypes...),
		},
		{
			ID: "ELB.13", Source: "FSBP ELB.13", Title: "Load balancers stand in two zones at least.",
			Why: "Otherwise one zone's failure takes the whole front away.", Check: each(severalZones, balancerTypes...),
		},
		{
			ID: "ELB.16", Source: "Security Hub ELB.16", Title: "A web firewall stands before every public application load balancer.",
			Why: "Nothing else limits what one address may ask of a citizen.", Check: each(behindFirewall, balancerTypes...),
		},
		{
			ID: "ELB.17", Source: "FSBP ELB.17", Title: "TLS listeners have a recommended policy: TLS 1.3, or 1.2 with forward secrecy.",
			Why: "The default still speaks to clients of 2010, and so does who pretends to be one.", Check: each(modernTLS, listenerTypes...),
		},
		{
			ID: "ELB.18", Source: "FSBP ELB.18", Title: "Listeners speak TLS, but goloop's own port 7100.",
			Why:   "The API has no encryption of its own. goloop's peers, whose messages are signed, dial port 7100 without TLS.",
			Check: each(encryptedListener, listenerTypes...),
		},
		{
			ID: "ICON.26", Source: "icon", Title: "Load balancers speak no PROXY protocol to nodes.",
			Why:   "goloop takes it for its own first message, and no connection comes about.",
			Check: each(noProxyProtocol, "aws:lb/targetGroup:TargetGroup", "aws:alb/targetGroup:TargetGroup"),
		},
	}
}

// isNetwork and isApplication tell the kinds of load balancers apart; the default is an application load balancer.
func isNetwork(r *graph.Resource) bool { return input(r, "loadBalancerType").is("network") }

func isApplication(r *graph.Resource) bool {
	kind := input(r, "loadBalancerType")
	return !kind.given() || kind.is("application") || kind.unknown()
}

func redirected(l *look, r *graph.Resource) {
	if !input(r, "protocol").is("HTTP") {
		return
	}
	for _, action := range several(input(r, "defaultActions")) {
		if !action.at("type").is("redirect") || !action.at("redirect", "protocol").is("HTTPS") {
			l.at(r, "it answers HTTP with %s; a redirect to HTTPS is wanted", action.at("type"))
		}
	}
}

func headersDropped(l *look, r *graph.Resource) {
	if v := input(r, "dropInvalidHeaderFields"); isApplication(r) && !v.yes() {
		l.at(r, "dropInvalidHeaderFields is %s; true is wanted", v)
	}
}

func balancerLogged(l *look, r *graph.Resource) {
	if v := input(r, "accessLogs", "enabled"); !v.yes() || !input(r, "accessLogs", "bucket").given() {
		l.at(r, "accessLogs.enabled is %s and accessLogs.bucket %s; true and a bucket are wanted", v, input(r, "accessLogs", "bucket"))
	}
}

func balancerKept(l *look, r *graph.Resource) {
	if v := input(r, "enableDeletionProtection"); !v.yes() {
		l.at(r, "enableDeletionProtection is %s; true is wanted", v)
	}
}

func desyncMitigated(l *look, r *graph.Resource) {
	if v := input(r, "desyncMitigationMode"); isApplication(r) && v.given() && !v.is("defensive") && !v.is("strictest") {
		l.at(r, "desyncMitigationMode is %s; \"defensive\", the default, or \"strictest\" is wanted", v)
	}
}

func severalZones(l *look, r *graph.Resource) {
	subnets, mappings := input(r, "subnets"), input(r, "subnetMappings")
	if n := len(subnets.list()) + len(mappings.list()); n < 2 {
		l.at(r, "it has %d subnets; two at least are wanted, of two zones", n)
		return
	}
	zones := map[string]bool{}
	for _, id := range append(subnets.list(), mappings.list()...) {
		if id.v.IsObject() {
			id = id.at("subnetId")
		}
		of := l.madeOf(r, id, typeSubnet)
		if subnet := l.refer(r, id, typeSubnet); subnet != nil {
			of = []*graph.Resource{subnet}
		}
		if !id.unknown() && l.refer(r, id, typeSubnet) == nil || len(of) == 0 {
			return // a network of somebody else's
		}
		for _, subnet := range of {
			zones[input(subnet, "availabilityZone").text()] = true
		}
	}
	if len(zones) < 2 {
		l.at(r, "its subnets are of one zone; two zones at least are wanted")
	}
}

func behindFirewall(l *look, r *graph.Resource) {
	if !isApplication(r) || input(r, "internal").yes() {
		return
	}
	if l.companion(r, "resourceArn", "aws:wafv2/webAclAssociation:WebAclAssociation") == nil {
		l.at(r, "no WebAclAssociation names it")
	}
}

func modernTLS(l *look, r *graph.Resource) {
	if protocol := input(r, "protocol"); !protocol.is("HTTPS") && !protocol.is("TLS") {
		return
	}
	if v := input(r, "sslPolicy"); !slices.Contains(tlsPolicies, v.text()) {
		l.at(r, "sslPolicy is %s; one that AWS recommends is wanted, such as %q", v, "ELBSecurityPolicy-TLS13-1-2-Res-2021-06")
	}
}

func encryptedListener(l *look, r *graph.Resource) {
	protocol := input(r, "protocol")
	port, _ := input(r, "port").number()
	switch {
	case protocol.is("HTTPS"), protocol.is("TLS"), protocol.is("TCP") && port == portP2P:
	case protocol.is("HTTP"):
		for _, action := range several(input(r, "defaultActions")) {
			if !action.at("type").is("redirect") {
				l.at(r, "it serves HTTP; HTTPS is wanted")
			}
		}
	default:
		l.at(r, "protocol is %s on port %s; HTTPS or TLS is wanted", protocol, input(r, "port"))
	}
}

func noProxyProtocol(l *look, r *graph.Resource) {
	if v := input(r, "proxyProtocolV2"); v.given() && !v.no() {
		l.at(r, "proxyProtocolV2 is %s; false, the default, is wanted", v)
	}
}
