package hardening

import (
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"strings"
)

// Rule lets one kind of new connection through.
type Rule struct {
	// Protocol is "tcp" or "udp".
	Protocol string
	// Ports are destination ports; at least one.
	Ports []int
	// Networks are the peers: IPv4 addresses or networks (CIDR). 0.0.0.0/0 is anybody.
	Networks []string
	// ExceptNode keeps the node's own process from using the rule: it dials whatever address another node announces, and would show the
	// host's address there. Outbound only.
	ExceptNode bool
	// Untracked says that another table keeps the kernel from tracking these connections. Inbound, answers then pass by the port that they
	// come from. It has no meaning outbound.
	Untracked bool
	// Why is the reason, for whoever reads the rules on the host: one line without quotes.
	Why string
}

// Firewall is one host's whole list: nothing else passes, in either direction.
type Firewall struct {
	In, Out []Rule
	// SSH says from where SSH is answered, and on which ports. Its answers pass whatever the kernel knows of the connection: the kernel
	// begins to track connections with the first rules, so the answers of the very session that loads them would count as new
	// connections to the outside, and it would hang until the other end speaks (behind a bastion: for ever).
	SSH Rule
	// NewSSHPerMinute is how many new connections to SSH one address may open, half of them at once; what is more is not answered until it
	// is less again, so that it waits and is not refused. 0 is no limit. Selection.Ruleset sets it from the control firewall's parameter.
	NewSSHPerMinute int
}

// Render writes the nftables ruleset: one table of our own, replaced in one transaction, so that the host is never without it and
// other tables are left alone.
func (f Firewall) Render() (string, error) {
	in, out, answers := f.In, f.Out, []Rule(nil)
	if len(f.SSH.Networks) > 0 {
		in, answers = append([]Rule{f.SSH}, in...), []Rule{f.SSH}
	}
	set, throttle, err := f.throttle()
	if err != nil {
		return "", fmt.Errorf("SSH: %w", err)
	}
	inText, err := renderRules(in, "saddr", "dport", "")
	if err != nil {
		return "", fmt.Errorf("inbound: %w", err)
	}
	outText, err := renderRules(out, "daddr", "dport", "")
	if err != nil {
		return "", fmt.Errorf("outbound: %w", err)
	}
	answersText, err := renderRules(answers, "daddr", "sport", "")
	if err != nil {
		return "", fmt.Errorf("SSH: %w", err)
	}
	untrackedText, err := untrackedAnswers(in)
	if err != nil {
		return "", fmt.Errorf("inbound: %w", err)
	}
	if len(f.SSH.Networks) > 0 {
		peers, err := peerSet(f.SSH.Networks)
		if err != nil {
			return "", fmt.Errorf("SSH: %w", err)
		}
		inText += fmt.Sprintf("\t\tip saddr %s icmp type echo-request accept\n", peers)
	}
	return fmt.Sprintf(ruleset, set, throttle+inText, answersText+untrackedText+outText), nil
}

// untrackedAnswers let the answers out that belong to no connection for the kernel. One that would open a connection is no answer.
func untrackedAnswers(in []Rule) (string, error) {
	var answers []Rule
	for _, r := range in {
		if r.Untracked && r.Protocol != "tcp" {
			return "", fmt.Errorf("rule %q: Untracked with protocol %q: want tcp", r.Why, r.Protocol)
		}
		if r.Untracked {
			answers = append(answers, r)
		}
	}
	return renderRules(answers, "daddr", "sport", "tcp flags & (syn | ack) != syn ")
}

// throttle gives the set of the addresses that have opened a connection to SSH, and the rule that comes before the one that lets them in.
// A full set limits nobody: only administrators get there.
func (f Firewall) throttle() (set, rule string, err error) {
	if f.NewSSHPerMinute == 0 || len(f.SSH.Networks) == 0 {
		return "", "", nil
	}
	peers, err := peerSet(f.SSH.Networks)
	if err != nil {
		return "", "", err
	}
	if peers != "" {
		peers = "ip saddr " + peers + " "
	}
	set = "\tset ssh_new {\n\t\ttype ipv4_addr\n\t\tsize 65535\n\t\tflags dynamic,timeout\n\t\ttimeout 1m\n\t}\n"
	rule = fmt.Sprintf("\t\t%stcp dport %s ct state new update @ssh_new { ip saddr limit rate over %d/minute burst %d packets } drop\n",
		peers, portSet(f.SSH.Ports), f.NewSSHPerMinute, max(1, f.NewSSHPerMinute/2))
	return set, rule, nil
}

// Ruleset renders a host's firewall with what the selection says about it.
func (s *Selection) Ruleset(f Firewall) (string, error) {
	if s.Has(firewallID) {
		f.NewSSHPerMinute = s.Int(firewallID, "newSSHPerMinute")
	}
	return f.Render()
}

// What a cloud tells a machine at 169.254.169.254 holds its SSH host key, and on some machines credentials: no process but root's gets
// there, whatever the edges open. Root's must: cloud-init asks again at a boot, and takes a machine that gets no answer for a new one, with
// another host key. Packets of no process, as the last ones of a connection, match neither line and go the usual way.
//
// The output chain rejects instead of dropping: goloop waits 5 seconds for each dial that gets no answer, which would stop it from
// finding peers (measured: reference of the node's network protocol).
const ruleset = `#!/usr/sbin/nft -f
# Made by pulumi-icon from the plan's edges. Changes here are lost: change the stack.
# The user that the node runs as: each host has its own number here.
define icon_node = 4294967294
table inet icon
delete table inet icon
table inet icon {
%s	chain input {
		type filter hook input priority filter; policy drop;
		ct state established,related accept
		ct state invalid drop
		iif lo accept
		ip saddr 127.0.0.0/8 drop
		ip6 saddr ::1 drop
		ip protocol icmp icmp type { destination-unreachable, time-exceeded, parameter-problem } accept
		icmpv6 type { destination-unreachable, packet-too-big, time-exceeded, parameter-problem } accept
		icmpv6 type { nd-router-advert, nd-neighbor-solicit, nd-neighbor-advert } accept
		udp sport 67 udp dport 68 accept comment "DHCP"
%s	}
	chain forward {
		type filter hook forward priority filter; policy drop;
	}
	chain output {
		type filter hook output priority filter; policy drop;
		ip daddr 169.254.169.254 tcp dport 80 meta skuid != 0 reject with icmpx admin-prohibited
		ct state established,related accept
		oif lo accept
		ip protocol icmp accept
		icmpv6 type { destination-unreachable, packet-too-big, time-exceeded, parameter-problem } accept
		icmpv6 type { nd-router-solicit, nd-neighbor-solicit, nd-neighbor-advert } accept
		udp sport 68 udp dport 67 accept comment "DHCP"
		ip daddr 169.254.169.254 tcp dport 80 meta skuid 0 accept comment "what the cloud tells this machine, for root alone"
%s		reject with icmpx admin-prohibited
	}
}
`

// renderRules gives a line for each rule; match is what else a packet needs.
func renderRules(rules []Rule, address, port, match string) (string, error) {
	var b strings.Builder
	for _, r := range rules {
		if r.Protocol != "tcp" && r.Protocol != "udp" {
			return "", fmt.Errorf("rule %q: protocol %q: want tcp or udp", r.Why, r.Protocol)
		}
		if len(r.Ports) == 0 || len(r.Networks) == 0 {
			return "", fmt.Errorf("rule %q: needs ports and networks", r.Why)
		}
		peers, err := peerSet(r.Networks)
		if err != nil {
			return "", fmt.Errorf("rule %q: %w", r.Why, err)
		}
		b.WriteString("\t\t")
		if r.ExceptNode {
			b.WriteString("meta skuid != $icon_node ")
		}
		if peers != "" {
			fmt.Fprintf(&b, "ip %s %s ", address, peers)
		} else {
			b.WriteString("meta nfproto ipv4 ")
		}
		fmt.Fprintf(&b, "%s %s %s %saccept comment \"%s\"\n", r.Protocol, port, portSet(r.Ports), match, comment(r.Why))
	}
	return b.String(), nil
}

// peerSet is the nftables set of the networks, without those that another contains (nftables refuses overlaps); "" is anybody.
func peerSet(networks []string) (string, error) {
	var all []netip.Prefix
	for _, n := range networks {
		p, err := ParseNetwork(n)
		if err != nil {
			return "", err
		}
		if p.Bits() == 0 {
			return "", nil
		}
		all = append(all, p)
	}
	slices.SortFunc(all, func(a, b netip.Prefix) int {
		if c := a.Bits() - b.Bits(); c != 0 {
			return c
		}
		return a.Addr().Compare(b.Addr())
	})
	var kept []netip.Prefix
	for _, p := range all {
		if !slices.ContainsFunc(kept, func(k netip.Prefix) bool { return k.Contains(p.Addr()) }) {
			kept = append(kept, p)
		}
	}
	slices.SortFunc(kept, func(a, b netip.Prefix) int { return a.Addr().Compare(b.Addr()) })
	words := make([]string, len(kept))
	for i, p := range kept {
		words[i] = p.String()
		if p.IsSingleIP() {
			words[i] = p.Addr().String()
		}
	}
	return "{ " + strings.Join(words, ", ") + " }", nil
}

// ParseNetwork reads an IPv4 address or network (CIDR).
func ParseNetwork(s string) (netip.Prefix, error) {
	if a, err := netip.ParseAddr(s); err == nil && a.Is4() {
		return netip.PrefixFrom(a, 32), nil
	}
	p, err := netip.ParsePrefix(s)
	if err != nil || !p.Addr().Is4() {
		return netip.Prefix{}, fmt.Errorf("%q is neither an IPv4 address nor an IPv4 network (CIDR)", s)
	}
	return p.Masked(), nil
}

func portSet(ports []int) string {
	sorted := slices.Compact(slices.Sorted(slices.Values(ports)))
	words := make([]string, len(sorted))
	for i, p := range sorted {
		words[i] = strconv.Itoa(p)
	}
	if len(words) == 1 {
		return words[0]
	}
	return "{ " + strings.Join(words, ", ") + " }"
}

// comment fits nftables' limit of 128 bytes and its quoting.
func comment(s string) string {
	s = strings.Map(func(r rune) rune {
		if r == '"' || r < ' ' || r > '~' {
			return '_'
		}
		return r
	}, s)
	if len(s) > 120 {
		s = s[:120]
	}
	return s
}
