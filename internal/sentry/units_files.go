package sentry

import (
	"encoding/json"
	"fmt"
	"strings"
)

// Files are what the step "service" lays onto a sentry, by their names: units, and what is in ConfigDir. An operator's own certificate
// comes beside them (certificate.pem).
func Files(s Settings, agent AgentConfig) (map[string]string, error) {
	config, err := json.MarshalIndent(agent, "", "  ")
	if err != nil {
		return nil, fmt.Errorf("agent.json: %w", err)
	}
	files := map[string]string{
		Unit: UnitFile(s.Variant), KernelUnit: KernelUnitFile(s.Variant), AgentUnit: AgentUnitFile(s.Variant),
		"sysctl.conf": Sysctl(s), "agent.json": string(config) + "\n",
	}
	if s.Variant.HasKernel() {
		if files["kernel.nft"], err = Kernel(s); err != nil {
			return nil, err
		}
	}
	if s.Variant == Nginx {
		files["nginx.conf"], err = NginxConfig(s)
		return files, err
	}
	files["jsonrpc.lua"] = LuaText
	// The host itself looks whether it refuses what it must; that counts for nothing.
	files["users.lst"] = "127.0.0.1\n" + UsersList(s)
	files["keys.map"], files["quota.map"], files["expensive.map"] = KeysMap(s), QuotaMap(s), ExpensiveMap(s)
	files["haproxy.cfg"], err = Config(s)
	return files, err
}

// Sysctl is the kernel's settings of a sentry, beside those that every host has (the control kernel-settings: SYN cookies, the ports of
// outgoing connections, reverse path filtering). They follow the limits and the ports.
func Sysctl(s Settings) string {
	l := s.Limits.WithDefaults()
	var b strings.Builder
	set := func(why, key string, value int) { fmt.Fprintf(&b, "# %s\n%s = %d\n", why, key, value) }
	b.WriteString("# Made by pulumi-icon. Changes here are lost: change the stack.\n")
	set("Connections that are made, and wait for the proxy to take them: a burst is not refused.", "net.core.somaxconn", 4096)
	set("Half-open connections before the kernel goes over to cookies, which keep nothing.", "net.ipv4.tcp_max_syn_backlog", 4096)
	set("A half-open connection of a forged sender is forgotten after 7 s, not 63.", "net.ipv4.tcp_synack_retries", 2)
	set("A connection that the other end does not close is forgotten after 15 s, not 60.", "net.ipv4.tcp_fin_timeout", 15)
	set("Packets that wait for a processor: 16384 is 80 ms of a flood of 200,000 a second.", "net.core.netdev_max_backlog", 16384)
	if s.TLS != nil {
		set("HAProxy and nginx open the ports 80 and 443 without any right of root's.", "net.ipv4.ip_unprivileged_port_start", ACMEPort)
	}
	if s.Variant.HasKernel() {
		// Each public connection has at most one to a node, which the kernel remembers for two minutes after its end.
		set("The public ports are not tracked. What remains are the proxy's own connections, and those of before.",
			"net.netfilter.nf_conntrack_max", max(262144, 16*(l.P2PConnections+l.APIConnections)))
		return b.String()
	}
	set("The public ports are tracked in this variant: a flood fills the table (about 320 bytes for each entry).",
		"net.netfilter.nf_conntrack_max", 524288)
	set("Half-open connections leave the table after 10 s, not 60.", "net.netfilter.nf_conntrack_tcp_timeout_syn_recv", 10)
	set("Ended connections leave the table after 30 s, not 120.", "net.netfilter.nf_conntrack_tcp_timeout_time_wait", 30)
	return b.String()
}

// FileNames are the names of Files.
func FileNames(v Variant) []string {
	names := []string{Unit, KernelUnit, AgentUnit, "sysctl.conf", "agent.json"}
	if v.HasKernel() {
		names = append(names, "kernel.nft")
	}
	if v == Nginx {
		return append(names, "nginx.conf")
	}
	return append(names, "haproxy.cfg", "jsonrpc.lua", "users.lst", "keys.map", "quota.map", "expensive.map")
}
