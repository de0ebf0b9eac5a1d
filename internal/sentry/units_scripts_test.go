package sentry_test

import (
	"crypto/sha256"
	"fmt"
	"maps"
	"strings"
	"testing"

	"github.com/insight-icon/pulumi-icon/internal/remote"
	"github.com/insight-icon/pulumi-icon/internal/sentry"
	"github.com/insight-icon/pulumi-icon/tests/host"
)

func program(tb testing.TB, script string, vars, files map[string]string) string {
	tb.Helper()
	text, err := remote.Program(script, vars, files)
	if err != nil {
		tb.Fatal(err)
	}
	return text
}

// agentText stands for the agent: the step only looks whether it runs.
const agentText = "#!/bin/sh\nexit 0\n"

// service is the step's program for a sentry with all that there is.
func service(tb testing.TB, v sentry.Variant, change func(*sentry.Settings), more map[string]string) string {
	tb.Helper()
	s := settings()
	s.Variant, s.Citizens = v, []string{"10.2.0.12:9000"}
	s.Relay, s.PrivateAddress, s.Seeds = true, "10.2.0.21", []string{"10.9.0.1:7100"}
	if change != nil {
		change(&s)
	}
	files, err := sentry.Files(s, sentry.AgentConfig{Kernel: v.HasKernel()})
	if err != nil {
		tb.Fatal(err)
	}
	maps.Copy(files, more)
	vars := map[string]string{
		"VARIANT": string(v), "ACME": "false", "NAMES": "", "AGENT_STAGED": "/var/tmp/agent",
		"AGENT_SHA256": fmt.Sprintf("%x", sha256.Sum256([]byte(agentText))),
	}
	if s.TLS != nil {
		vars["ACME"], vars["NAMES"] = fmt.Sprint(s.TLS.ACME), strings.Join(s.TLS.Names, " ")
	}
	return program(tb, sentry.ServiceScript, vars, files)
}

func withACME(s *sentry.Settings) {
	s.TLS, s.Sentries = &sentry.TLS{Names: []string{"api.example.org", "rpc.example.org"}, ACME: true}, []string{"10.2.0.21", "10.2.0.22"}
}

func TestScriptsAreCleanAsWholePrograms(t *testing.T) {
	for _, v := range sentry.Variants() {
		host.Shellcheck(t, service(t, v, withACME, nil))
	}
	host.Shellcheck(t, program(t, sentry.VerifyScript, map[string]string{
		"VARIANT": "haproxy", "API": "true", "TLS": "", "PORTS": "7100 9000", "RELAYS": "10.2.0.21:7101",
	}, nil))
}

// sentryDay is a host's systemd, as far as the step asks it, and a place for the agent's state.
const sentryDay = `
	mkdir -p /run/lib/upper /run/lib/work /run/enabled /run/active
	mount -t overlay overlay -o lowerdir=/var/lib,upperdir=/run/lib/upper,workdir=/run/lib/work /var/lib || exit 99
	pretend systemctl '
		unit=${*: -1}
		case $1 in
		is-enabled) [[ -e /run/enabled/$unit ]] ;;
		is-active) [[ -e /run/active/$unit ]] ;;
		enable) touch "/run/enabled/$unit" ;;
		disable) rm -f "/run/enabled/$unit" "/run/active/$unit" ;;
		start | restart | reload)
			touch "/run/active/$unit"; echo "$1 $unit"
			if [[ $unit == icon-sentry-kernel.service ]]; then
				sysctl -q -e -p /etc/icon/sentry/sysctl.conf
				if grep -q ^ExecStart=.*nft "/etc/systemd/system/$unit"; then nft -f /etc/icon/sentry/kernel.nft; fi
			fi ;;
		esac'
	agent() { printf '#!/bin/sh\nexit 0\n' >/var/tmp/agent; }
	run() { echo "== $*"; step "$@" >/run/said 2>&1; echo "exit $?"; cat /run/said
		sed '/^=== .* service /h; /^=== .* service /!H; $!d; x' /var/log/icon/service.log | grep -E '^(changed|start|restart|reload|FAIL)'; }
	agent; ip addr add 10.2.0.21/32 dev lo
`

func inOrder(t *testing.T, text string, parts ...string) {
	t.Helper()
	rest := text
	for _, part := range parts {
		_, after, found := strings.Cut(rest, part)
		if !found {
			t.Fatalf("wanted %q, in this order, in\n%s", part, text)
		}
		rest = after
	}
}

func TestASecondRunChangesNothingAndLimitsAreTakenByAReload(t *testing.T) {
	out, code := host.Scenario(t, map[string]string{
		"service-1": service(t, sentry.HAProxyNftables, nil, nil),
		"service-2": service(t, sentry.HAProxyNftables, func(s *sentry.Settings) { s.Limits.APIPerSource = 7 }, nil),
		"service-3": service(t, sentry.HAProxyNftables, func(s *sentry.Settings) { s.Limits.APIPerSource, s.Limits.SYNs = 7, 5000 }, nil),
	}, sentryDay+`
		run service-1 apply; stat -c '%a %U:%G %n' /var/lib/icon-sentry /var/lib/icon-sentry/*.lst /etc/icon/sentry /etc/icon/sentry/keys.map
		nft list tables; run service-1 apply
		run service-2 apply; run service-3 apply
		nft delete table inet icon_sentry; run service-3 apply; nft list tables`)
	if code != 0 {
		t.Errorf("exit %d", code)
	}
	inOrder(t, out, "== service-1", "exit 0",
		"start icon-sentry-kernel.service", "start icon-sentry.service", "start icon-sentry-agent.service",
		"750 icon-sentry:haproxy /var/lib/icon-sentry\n", "640 icon-sentry:haproxy /var/lib/icon-sentry/enforce.lst",
		"750 root:haproxy /etc/icon/sentry\n", "640 root:haproxy /etc/icon/sentry/keys.map",
		"table inet icon_sentry\n== service-1 apply\nexit 0\nchanged=0\n== service-2",
		"changed: /etc/icon/sentry/haproxy.cfg\n", "reload icon-sentry.service\n", "== service-3", "reload icon-sentry-kernel.service\n",
		"== service-3", "changed=1\n", "restart icon-sentry-kernel.service\n", "table inet icon_sentry\n")
	if strings.Contains(out, "restart icon-sentry.service") {
		t.Errorf("a new limit restarts the proxy:\n%s", out)
	}
}

func TestSwitchingVariantsLeavesNothingOfTheOtherAndRemovalNothingAtAll(t *testing.T) {
	out, code := host.Scenario(t, map[string]string{
		"service-1": service(t, sentry.HAProxyNftables, withACME, nil),
		"service-2": service(t, sentry.Nginx, withACME, nil),
		"service-3": service(t, sentry.HAProxy, nil, nil),
	}, sentryDay+`
		show() { ls /etc/icon/sentry /var/lib/icon-sentry | paste -sd' '; nft list tables; sysctl -n net.ipv4.ip_unprivileged_port_start; }
		sysctl -q net.core.somaxconn=777
		run service-1 apply; show; stat -c '%a %U:%G' /var/lib/icon-sentry/certificate.pem
		openssl x509 -in /var/lib/icon-sentry/certificate.pem -noout -ext subjectAltName | tail -n 1
		sum=$(sha256sum /var/lib/icon-sentry/certificate.pem); echo 10.0.0.1 >>/var/lib/icon-sentry/peers.lst
		run service-2 apply; show; [[ $sum == "$(sha256sum /var/lib/icon-sentry/certificate.pem)" ]] && echo the same certificate
		stat -c '%a %U:%G' /var/lib/icon-sentry/certificate.pem; cat /var/lib/icon-sentry/peers.lst
		run service-2 apply
		run service-3 apply; show; run service-3 apply; cat /var/lib/icon-sentry/peers.lst
		run service-1 apply; show
		run service-1 remove; ls -d /etc/icon/sentry* /var/lib/icon-sentry* /usr/local/sbin/icon-sentry* 2>/dev/null
		ls /etc/systemd/system/icon-sentry* 2>/dev/null
		nft list tables; id icon-sentry 2>/dev/null; sysctl -n net.ipv4.ip_unprivileged_port_start net.core.somaxconn; echo end`)
	if code != 0 {
		t.Errorf("exit %d", code)
	}
	inOrder(t, out, "exit 0",
		"agent.json expensive.map haproxy.cfg jsonrpc.lua kernel.nft keys.map quota.map sysctl.conf users.lst",
		"certificate.pem enforce.lst peers.lst",
		"table inet icon_sentry\n80\n640 icon-sentry:haproxy\n", "DNS:api.example.org, DNS:rpc.example.org\n",
		"== service-2", "restart icon-sentry.service\n", "agent.json nginx.conf resolver.conf sysctl.conf  /var/lib",
		"peers.lst\n80\nthe same certificate\n640 icon-sentry:www-data\n10.0.0.1\n",
		"== service-2", "exit 0\nchanged=0\n", "== service-3", "restart icon-sentry.service\n",
		"agent.json expensive.map haproxy.cfg jsonrpc.lua keys.map quota.map sysctl.conf users.lst  /var/lib",
		": enforce.lst peers.lst\n1024\n",
		"== service-3", "exit 0\nchanged=0\n10.0.0.1\n", "== service-1", "table inet icon_sentry\n80\n",
		"== service-1 remove\nexit 0\n", "1024\n777\nend\n")
	_, removed, _ := strings.Cut(out, "== service-1 remove")
	if strings.Contains(removed, "icon-sentry\n") || strings.Contains(removed, "uid=") || strings.Contains(removed, "table inet") {
		t.Errorf("something stays:\n%s", removed)
	}
}

func TestALinkOfTheAgentsIsNotFollowedByRoot(t *testing.T) {
	out, _ := host.Scenario(t, map[string]string{"service-1": service(t, sentry.HAProxyNftables, withACME, nil)}, sentryDay+`
		run service-1 apply
		mv /var/lib/icon-sentry/certificate.pem /run/another.pem; chown root:root /run/another.pem; chmod 0600 /run/another.pem
		ln -s /run/another.pem /var/lib/icon-sentry/certificate.pem
		run service-1 apply; stat -c 'it is %a %U' /run/another.pem`)
	inOrder(t, out, "== service-1", "exit 0", "== service-1", "it is 600 root\n")
}

func TestWhatAParserRefusesReplacesNothingAndIsNamed(t *testing.T) {
	files := map[string]string{"service-0": service(t, sentry.HAProxyNftables, nil, nil), "service-9": service(t, sentry.Nginx, nil, nil)}
	wants := map[string]string{}
	for name, c := range map[string]struct {
		variant    sentry.Variant
		file, want string
	}{
		"service-1": {sentry.HAProxyNftables, "haproxy.cfg", "HAProxy refuses the configuration"},
		"service-2": {sentry.HAProxyNftables, "kernel.nft", "nftables refuses the table"},
		"service-3": {sentry.HAProxyNftables, "jsonrpc.lua", "HAProxy refuses the configuration"},
		"service-4": {sentry.Nginx, "nginx.conf", "nginx refuses the configuration"},
	} {
		files[name] = service(t, c.variant, nil, map[string]string{c.file: "this is nonsense {\n"})
		wants[name] = c.want
	}
	out, code := host.Scenario(t, files, sentryDay+`
		sum() { find /etc/icon/sentry /etc/systemd/system/icon-* -type f | sort | xargs sha256sum | sha256sum; nft -s list ruleset | sha256sum; }
		run service-0 apply; a=$(sum)
		for i in 1 2 3 4; do run service-$i apply; [[ $a == "$(sum)" ]] && echo "unchanged $i"; done
		run service-0 apply`)
	if code != 0 {
		t.Errorf("exit %d", code)
	}
	for i := 1; i <= 4; i++ {
		name := fmt.Sprintf("service-%d", i)
		inOrder(t, out, "== "+name+" apply\nexit 1\nhost host-1, step service: "+wants[name], fmt.Sprintf("unchanged %d\n", i))
	}
}

func TestAnAgentThatIsAnotherOrDoesNotRunIsRefused(t *testing.T) {
	out, _ := host.Scenario(t, map[string]string{"service-1": service(t, sentry.HAProxy, nil, nil)}, sentryDay+`
		echo changed >>/var/tmp/agent; run service-1 apply; rm /var/tmp/agent; run service-1 apply; agent; run service-1 apply
		ls /usr/local/sbin/icon-sentry* /var/tmp/agent`)
	inOrder(t, out, "the copied agent has SHA-256 ", "was not found at /var/tmp/agent", "exit 0", "/usr/local/sbin/icon-sentry\n")
	if strings.Contains(out, "icon-sentry.new\n") || strings.Contains(out, "\n/var/tmp/agent\n") {
		t.Errorf("a copy stays:\n%s", out)
	}
}
