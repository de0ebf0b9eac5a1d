package sentry

import (
	_ "embed"
	"fmt"
	"strings"

	"github.com/insight-icon/pulumi-icon/internal/goloop"
)

// Units of a sentry. Debian's own haproxy.service and nginx.service are left alone and off.
const (
	// Unit supervises the proxy, whichever it is.
	Unit = "icon-sentry.service"
	// KernelUnit sets the kernel's settings, and loads its table where there is one, before the proxy starts.
	KernelUnit = "icon-sentry-kernel.service"
	// AgentUnit supervises the agent.
	AgentUnit = "icon-sentry-agent.service"
	// AgentUser runs the agent; its group is the proxy's, which reads what the agent writes.
	AgentUser = "icon-sentry"
)

// ServiceScript is the step "service" of a sentry. Its files: those of Files, and certificate.pem where the operator brings one. Its
// variables: VARIANT, ACME ("true" or "false"), NAMES (of the certificate, separated by spaces), AGENT_STAGED and AGENT_SHA256.
//
//go:embed scripts/service.sh
var ServiceScript string

// VerifyScript is the step "verify" of a sentry: it is up and refuses what it must. Its variables: VARIANT, API ("true" or "false"), TLS
// (the certificate's first name, empty without TLS), PORTS (the public ports) and RELAYS (the relays' listeners, "address:port"),
// separated by spaces.
//
//go:embed scripts/verify.sh
var VerifyScript string

// HasKernel says whether the variant has a table in the kernel, and an agent that feeds it.
func (v Variant) HasKernel() bool { return v == HAProxyNftables || v == "" }

// User runs the proxy.
func (v Variant) User() string {
	if v == Nginx {
		return "www-data"
	}
	return "haproxy"
}

// Packages are what the variant needs, by the distribution's names.
func (v Variant) Packages() []string {
	if v == Nginx {
		return []string{"nginx", "libnginx-mod-stream"}
	}
	return []string{"haproxy"}
}

// UnitFile is the proxy's systemd unit: as its own user from the start, with nothing it could gain or write to. MemoryDenyWriteExecute is
// left out because HAProxy and nginx compile their regular expressions at run time, and HAProxy refuses the configuration where it can't;
// @resources stays because they bind their threads to processors. Each reload leaves a worker of old for up to 15 minutes: TasksMax has
// room for many.
func UnitFile(v Variant) string {
	if v == Nginx {
		return fmt.Sprintf(proxyUnit, "nginx", "exec", "www-data",
			"ExecStartPre=/usr/sbin/nginx -t -q -e stderr -c /etc/icon/sentry/nginx.conf\n"+
				"ExecStart=/usr/sbin/nginx -e stderr -c /etc/icon/sentry/nginx.conf -g 'daemon off;'\n"+
				"ExecReload=/usr/sbin/nginx -t -q -e stderr -c /etc/icon/sentry/nginx.conf\n"+
				"ExecReload=/bin/kill -HUP $MAINPID\n", "/usr/sbin/nginx")
	}
	return fmt.Sprintf(proxyUnit, "HAProxy", "notify", "haproxy",
		"ExecStartPre=/usr/sbin/haproxy -c -q -f /etc/icon/sentry/haproxy.cfg\n"+
			"ExecStart=/usr/sbin/haproxy -Ws -f /etc/icon/sentry/haproxy.cfg -p /run/icon-sentry/haproxy.pid\n"+
			"ExecReload=/usr/sbin/haproxy -c -q -f /etc/icon/sentry/haproxy.cfg\n"+
			"ExecReload=/bin/kill -USR2 $MAINPID\n", "/usr/sbin/haproxy")
}

// Without the kernel's table the proxy goes on by itself, with its own limits: Wants, not Requires.
const proxyUnit = `# Made by pulumi-icon.
[Unit]
Description=ICON sentry (%[1]s)
Wants=network-online.target icon-sentry-kernel.service
Requires=icon-firewall.service
After=network-online.target icon-firewall.service icon-sentry-kernel.service
StartLimitIntervalSec=0

[Service]
Type=%[2]s
User=%[3]s
Group=%[3]s
RuntimeDirectory=icon-sentry
RuntimeDirectoryMode=0750
%[4]sKillMode=mixed
SuccessExitStatus=143
Restart=always
RestartSec=1
LimitNOFILE=524288
UMask=0077
TasksMax=2048
` + goloop.Sandboxing + `ExecPaths=%[5]s /usr/bin/kill /usr/lib /usr/lib64
SystemCallFilter=~@privileged

[Install]
WantedBy=multi-user.target
`

// KernelUnitFile sets what the sentry wants of the kernel. Stopping it changes nothing: a sentry is never without its table. What a
// container may not set does not keep the rest from being set; the step "verify" says what is not in force.
func KernelUnitFile(v Variant) string {
	table := ""
	if v.HasKernel() {
		table = "ExecStart=/usr/sbin/nft -f /etc/icon/sentry/kernel.nft\n"
	}
	return fmt.Sprintf(kernelUnit, table, strings.ReplaceAll(table, "ExecStart", "ExecReload"))
}

// After the firewall's rules the kernel tracks connections, and there are settings for that.
const kernelUnit = `# Made by pulumi-icon.
[Unit]
Description=ICON sentry: what the kernel does for it
After=icon-firewall.service systemd-sysctl.service
Before=icon-sentry.service

[Service]
Type=oneshot
RemainAfterExit=yes
ExecStart=-/usr/sbin/sysctl -q -e -p /etc/icon/sentry/sysctl.conf
%[1]sExecReload=-/usr/sbin/sysctl -q -e -p /etc/icon/sentry/sysctl.conf
%[2]sCapabilityBoundingSet=CAP_NET_ADMIN
NoNewPrivileges=yes
NoExecPaths=/
ExecPaths=/usr/sbin/sysctl /usr/sbin/nft /usr/lib /usr/lib64
ProtectSystem=strict
ProtectHome=yes
PrivateTmp=yes
PrivateDevices=yes
ProtectClock=yes
ProtectControlGroups=yes
ProtectHostname=yes
ProtectKernelLogs=yes
ProtectProc=invisible
RestrictAddressFamilies=AF_UNIX AF_NETLINK
RestrictNamespaces=yes
RestrictRealtime=yes
RestrictSUIDSGID=yes
LockPersonality=yes
MemoryDenyWriteExecute=yes
SystemCallArchitectures=native
SystemCallFilter=@system-service
UMask=0077

[Install]
WantedBy=multi-user.target
`

// AgentUnitFile is the agent's: it writes to its directory, speaks to HAProxy's socket, and, with a table to feed, may change the network's
// rules, which takes the machine's own user numbers. It sees all of /proc for the number of connections that the kernel tracks.
func AgentUnitFile(v Variant) string {
	kernel := ""
	if v.HasKernel() {
		kernel = "PrivateUsers=no\nCapabilityBoundingSet=CAP_NET_ADMIN\nAmbientCapabilities=CAP_NET_ADMIN\nRestrictAddressFamilies=AF_NETLINK\n"
	}
	return fmt.Sprintf(agentUnit, v.User(), kernel)
}

const agentUnit = `# Made by pulumi-icon.
[Unit]
Description=ICON sentry: agent (bans, list of peers, certificate)
Wants=network-online.target
After=network-online.target icon-firewall.service icon-sentry-kernel.service
StartLimitIntervalSec=0

[Service]
Type=notify
User=icon-sentry
Group=%[1]s
StateDirectory=icon-sentry
StateDirectoryMode=0750
RuntimeDirectory=icon-sentry-agent
RuntimeDirectoryMode=0700
ExecStart=/usr/local/sbin/icon-sentry agent -config /etc/icon/sentry/agent.json
Restart=always
RestartSec=1
UMask=0027
TasksMax=256
` + goloop.Sandboxing + `ProcSubset=all
%[2]sExecPaths=/usr/local/sbin/icon-sentry
MemoryDenyWriteExecute=yes
SystemCallFilter=~@privileged @resources

[Install]
WantedBy=multi-user.target
`
