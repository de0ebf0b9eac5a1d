package hardening_test

import (
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/insight-icon/pulumi-icon/hardening"
	"github.com/insight-icon/pulumi-icon/tests/golden"
	"github.com/insight-icon/pulumi-icon/tests/host"
)

// firewalls are rulesets of every kind that a plan gives.
var firewalls = map[string]hardening.Firewall{
	"nothing": {},
	"prep": {
		SSH: hardening.Rule{Protocol: "tcp", Ports: []int{22, 2222}, Networks: []string{"203.0.113.0/24", "10.2.0.5/32"}, Why: "administrators"},
		In: []hardening.Rule{
			{Protocol: "tcp", Ports: []int{7100}, Networks: []string{"10.2.0.22", "10.2.0.21"}, Why: "other validators, proxied"},
		},
		Out: []hardening.Rule{
			{Protocol: "tcp", Ports: []int{7101}, Networks: []string{"10.2.0.21", "10.2.0.22"}, Why: "the network's seeds, relayed"},
			{Protocol: "udp", Ports: []int{123, 53}, Networks: []string{"0.0.0.0/0"}, ExceptNode: true, Why: "names and time"},
		},
	},
	"sentry": {
		SSH: hardening.Rule{Protocol: "tcp", Ports: []int{22}, Networks: []string{"203.0.113.0/24"}, Why: "administrators"},
		In: []hardening.Rule{
			{Protocol: "tcp", Ports: []int{7100}, Networks: []string{"0.0.0.0/0"}, Untracked: true, Why: "other validators"},
			{Protocol: "tcp", Ports: []int{80, 443}, Networks: []string{"198.51.100.0/24"}, Untracked: true, Why: "API users"},
			{Protocol: "tcp", Ports: []int{9480}, Networks: []string{"10.2.0.22"}, Why: "challenges"},
		},
		Out: []hardening.Rule{{Protocol: "tcp", Ports: []int{7100}, Networks: []string{"10.2.0.11"}, Untracked: true, Why: "the P-Rep"}},
	},
	"throttled": {
		NewSSHPerMinute: 120,
		SSH:             hardening.Rule{Protocol: "tcp", Ports: []int{22}, Networks: []string{"203.0.113.0/24"}, Why: "administrators"},
	},
	"overlaps": {In: []hardening.Rule{
		{Protocol: "tcp", Ports: []int{443, 80, 443}, Why: `quoted "reason" with ünïcode` + strings.Repeat(" and more", 20), Networks: []string{
			"10.0.0.0/8", "10.2.3.4", "10.2.0.0/16", "192.0.2.7/24", "192.0.2.0/24", "10.0.0.0/8", "172.16.0.1",
		}},
		{Protocol: "tcp", Ports: []int{1}, Networks: []string{"10.0.0.0/8", "0.0.0.0/0"}, Why: "anybody wins"},
	}},
}

func TestFirewallsAreAsReviewedAndTakenByNftables(t *testing.T) {
	for name, f := range firewalls {
		t.Run(name, func(t *testing.T) {
			text, err := f.Render()
			if err != nil {
				t.Fatal(err)
			}
			golden.Check(t, "firewall-"+name+".nft", text)
			path := filepath.Join(t.TempDir(), "firewall.nft")
			if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
			host.Accepted(t, host.Isolated("nft", "-c", "-f", path))
			// Loaded twice, as a reload does: one transaction, no duplicates.
			host.Accepted(t, host.Isolated("bash", "-c", `set -e; nft -f "$1"; nft list ruleset >/tmp/$$.a; nft -f "$1"; nft list ruleset >/tmp/$$.b
				cmp /tmp/$$.a /tmp/$$.b; rm -f /tmp/$$.a /tmp/$$.b`, "reload", path))
		})
	}
}

func TestOtherTablesSurviveTheFirewall(t *testing.T) {
	text, err := firewalls["prep"].Render()
	if err != nil {
		t.Fatal(err)
	}
	out, code := host.Scenario(t, map[string]string{"firewall.nft": text}, `set -e
		nft add table inet other; nft add chain inet other keep
		nft -f "$FILES/firewall.nft"; nft list tables`)
	if code != 0 || !strings.Contains(out, "table inet other") || !strings.Contains(out, "table inet icon") {
		t.Errorf("exit %d\n%s", code, out)
	}
}

// Only root asks the cloud about the machine: with an edge that is open to everybody, and with none.
func TestOnlyRootReachesWhatACloudTellsItsMachine(t *testing.T) {
	const ask = `set -e
		ip link add cloud type veth peer name far
		ip addr add 169.254.169.1/24 dev cloud; ip link set cloud up; ip link set far up
		ip netns add far 2>/dev/null || { mkdir -p /run/netns; ip netns add far; }
		ip link set far netns far
		ip -n far addr add 169.254.169.254/24 dev far; ip -n far addr add 169.254.169.9/24 dev far; ip -n far link set far up
		printf '%s\n' 'defaults' ' mode http' ' timeout client 2s' ' timeout server 2s' ' timeout connect 2s' \
			'frontend x' ' bind 169.254.169.254:80' ' bind 169.254.169.254:81' ' bind 169.254.169.9:80' \
			' http-request return status 200' >/run/far.cfg
		ip netns exec far haproxy -db -f /run/far.cfg &
		try() { # USER ADDRESS PORT
			if setpriv --reuid "$1" --clear-groups timeout 3 bash -c "exec 5<>/dev/tcp/$2/$3; printf 'GET / HTTP/1.0\r\n\r\n' >&5; grep -q 200 <&5" \
				2>/dev/null; then echo "$* yes"; else echo "$* no"; fi
		}
		for i in $(seq 50); do if try 0 169.254.169.254 80 | grep -q yes; then break; fi; sleep 0.1; done
		nft -f "$FILES/firewall.nft"
		# At once: the kernel takes a second to believe that it was refused.
		for way in '0 169.254.169.254 80' '1 169.254.169.254 80' '1 169.254.169.254 81' '0 169.254.169.9 80' '1 169.254.169.9 80'; do
			try $way >"/run/said $way" & all+=($!)
		done
		wait "${all[@]}"; cat /run/said* | sort`
	open := hardening.Firewall{Out: []hardening.Rule{
		{Protocol: "tcp", Ports: []int{80, 81}, Networks: []string{"0.0.0.0/0"}, Why: "package mirrors"},
	}}
	for name, c := range map[string]struct {
		firewall hardening.Firewall
		want     string
	}{
		"no edge":                  {hardening.Firewall{}, "0 254 80 yes, 0 9 80 no, 1 254 80 no, 1 254 81 no, 1 9 80 no"},
		"an edge to the whole net": {open, "0 254 80 yes, 0 9 80 yes, 1 254 80 no, 1 254 81 yes, 1 9 80 yes"},
	} {
		t.Run(name, func(t *testing.T) {
			text, err := c.firewall.Render()
			if err != nil {
				t.Fatal(err)
			}
			out, code := host.Scenario(t, map[string]string{"firewall.nft": text}, ask)
			got := strings.ReplaceAll(strings.ReplaceAll(strings.TrimSpace(out), "169.254.169.", ""), "\n", ", ")
			if code != 0 || got != c.want {
				t.Errorf("exit %d\n%s\nwanted %s", code, got, c.want)
			}
		})
	}
}

func TestRulesThatMeanNothingAreRefused(t *testing.T) {
	for want, rule := range map[string]hardening.Rule{
		`rule "x": protocol "icmp": want tcp or udp`: {Protocol: "icmp", Ports: []int{1}, Networks: []string{"10.0.0.1"}, Why: "x"},
		`rule "x": needs ports and networks`:         {Protocol: "tcp", Networks: []string{"10.0.0.1"}, Why: "x"},
		`rule "y": needs ports and networks`:         {Protocol: "tcp", Ports: []int{1}, Why: "y"},
		`rule "x": "" is neither`:                    {Protocol: "tcp", Ports: []int{1}, Networks: []string{""}, Why: "x"},
		`rule "x": "fe80::1" is neither`:             {Protocol: "tcp", Ports: []int{1}, Networks: []string{"fe80::1"}, Why: "x"},
	} {
		for side, f := range map[string]hardening.Firewall{
			"inbound: ": {In: []hardening.Rule{rule}}, "outbound: ": {Out: []hardening.Rule{rule}},
		} {
			if _, err := f.Render(); err == nil || !strings.Contains(err.Error(), side+want) {
				t.Errorf("error %v, wanted %s", err, side+want)
			}
		}
	}
}

func FuzzParseNetwork(f *testing.F) {
	for _, s := range []string{
		"10.0.0.1", "10.0.0.0/8", "10.0.0.1/8", "0.0.0.0/0", "::1", "::ffff:10.0.0.1", "10.0.0.1/33", "10.0.0", " 10.0.0.1", "a{b", "",
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		p, err := hardening.ParseNetwork(s)
		if err != nil {
			if p != (netip.Prefix{}) {
				t.Errorf("%q: both a network and an error", s)
			}
			return
		}
		if !p.IsValid() || !p.Addr().Is4() || p != p.Masked() {
			t.Errorf("%q gives %v, which is no IPv4 network", s, p)
		}
		if strings.Trim(s, "0123456789./") != "" {
			t.Errorf("%q is taken for %v", s, p)
		}
		again, err := hardening.ParseNetwork(p.String())
		if err != nil || again != p {
			t.Errorf("%q gives %v, which gives %v (%v)", s, p, again, err)
		}
	})
}

func FuzzRuleComments(f *testing.F) {
	f.Add("other validators")
	f.Add("\" accept; }\n\tflush ruleset")
	render := func(t *testing.T, why string) string {
		t.Helper()
		rule := hardening.Rule{Protocol: "tcp", Ports: []int{1}, Networks: []string{"10.0.0.1"}, Why: why}
		text, err := hardening.Firewall{In: []hardening.Rule{rule}}.Render()
		if err != nil {
			t.Fatal(err)
		}
		return text
	}
	f.Fuzz(func(t *testing.T, why string) {
		text, plain := render(t, why), render(t, "x")
		if strings.Count(text, "\n") != strings.Count(plain, "\n") || strings.Count(text, `"`) != strings.Count(plain, `"`) {
			t.Errorf("the reason %q leaves its comment", why)
		}
	})
}

// controlProgram is the program of one control and of those that cannot be left out, without its last line: what it defines, and no more.
func controlProgram(t *testing.T, profile string, live hardening.Live, parameters map[string]any, id string) string {
	t.Helper()
	o := hardening.Overrides{LeaveOut: map[string]string{}, Parameters: map[string]map[string]any{}}
	for _, c := range hardening.Controls() {
		if c.ID != id && c.Required == "" {
			o.LeaveOut[c.ID] = "not looked at here"
		}
	}
	if parameters != nil {
		o.Parameters[id] = parameters
	}
	s, problems := hardening.Resolve(profile, hardening.Facts{Role: profile, SSHPorts: []int{22}}, o)
	if s == nil {
		t.Fatal(problems)
	}
	text, err := s.Program(live)
	if err != nil {
		t.Fatal(err)
	}
	definitions, _, ok := strings.Cut(text, "\nmain \"$@\"")
	if !ok {
		t.Fatal("the program does not end in main")
	}
	// Where a scenario may write, and what the engine would have found out.
	return definitions + `
STATE=/var/tmp/state RUN=/var/tmp/run METRICS=/var/tmp/metrics WORD=apply OS=debian-12 CONTAINER=none CONTROL=` + id + `
mkdir -p $STATE $RUN $METRICS; exec 3>&1; trap 'on_error $? $LINENO "$BASH_COMMAND"' ERR
`
}

func rendered(t *testing.T, f hardening.Firewall) hardening.Live {
	t.Helper()
	text, err := f.Render()
	if err != nil {
		t.Fatal(err)
	}
	return hardening.Live{Administrators: []string{"203.0.113.0/24", "10.2.0.5/32"}, Firewall: text}
}

func TestAFirewallKnowsTheNetworksOfItsAdministrators(t *testing.T) {
	script, want := "", ""
	for _, c := range []struct {
		network, address string
		inside           bool
	}{
		{"203.0.113.0/24", "203.0.113.255", true},
		{"203.0.113.0/24", "203.0.114.0", false},
		{"10.0.0.0/8", "10.255.0.1", true},
		{"10.2.0.5/32", "10.2.0.4", false},
		{"10.2.0.5", "10.2.0.5", true},
		{"128.0.0.0/1", "127.255.255.255", false},
		{"198.51.100.64/31", "198.51.100.65", true},
		{"203.0.113.0/24", "::ffff:203.0.113.9", true},
		{"203.0.113.0/24", "::1", false},
		{"203.0.113.0/24", "fe80::1%eth0", false},
		{"0.0.0.0/0", "1.2.3.4", true},
	} {
		script += fmt.Sprintf("if firewall_contains %s %s; then echo '%[1]s %[2]s true'; else echo '%[1]s %[2]s false'; fi\n",
			c.network, c.address)
		want += fmt.Sprintf("%s %s %v\n", c.network, c.address, c.inside)
	}
	program := controlProgram(t, "prep", hardening.Live{}, nil, "firewall")
	if out, code := host.Scenario(t, map[string]string{"p": program}, ". $FILES/p\n"+script); out != want || code != 0 {
		t.Errorf("exit %d, said\n%s\nwanted\n%s", code, out, want)
	}
}

func TestAFirewallThatWouldLockThisSessionOutIsNotLoaded(t *testing.T) {
	program := controlProgram(t, "prep", rendered(t, firewalls["prep"]), nil, "firewall")
	for session, want := range map[string]string{
		"192.0.2.7 50000 10.0.0.1 22":     "this deploy connects from 192.0.2.7, which is in none of icon:administrators (203.0.113.0/24 10.2",
		"203.0.113.9 50000 10.0.0.1 2222": "this host's SSH listens on port 2222, the plan knows 22 only",
		"fe80::1%eth0 50000 fe80::2 22":   "this deploy connects from fe80::1%eth0, which is in none of",
	} {
		out, code := host.Scenario(t, map[string]string{"p": program}, fmt.Sprintf(
			"(. $FILES/p; HALF=apply SESSION='%s'; look_first; echo loaded); echo exit $?", session))
		refused := strings.Contains(out, "nothing was changed:\n"+want) && strings.Contains(out, "exit 1")
		if !refused || strings.Contains(out, "loaded") {
			t.Errorf("%q: exit %d, wanted %q:\n%s", session, code, want, out)
		}
	}
}

// What the firewall's script does, with systemd's part pretended: it is not there in a throw-away place.
const firewallDay = `pretend systemctl 'case "$*" in show*) printf "UnitFileState=enabled\nActiveState=active\n" ;; esac'
	. $FILES/p; SESSION='203.0.113.9 5 10.0.0.1 22'
	half() { HALF=$1 CHANGES=0 DRIFTS=0; firewall; "firewall_$1"; echo "$1 $CHANGES $DRIFTS"; }
`

func TestAFirewallIsVerifiedAgainstWhatTheKernelHolds(t *testing.T) {
	program := controlProgram(t, "sentry", rendered(t, firewalls["throttled"]), nil, "firewall")
	out, code := host.Scenario(t, map[string]string{"p": program}, firewallDay+`
		half apply; half verify; half apply
		echo an open port; nft insert rule inet icon input tcp dport 4444 accept; half verify; half apply; half verify
		echo nothing left; nft flush ruleset; half verify; half apply; half verify
		echo somebody came; nft add element inet icon ssh_new '{ 203.0.113.9 limit rate over 120/minute burst 60 packets }'
		half verify`)
	for _, want := range []string{
		"apply 5 0\nverify 0 0\napply 0 0\nan open port\ndrift\tfirewall\tthe kernel's table inet icon\t",
		"\tno further rule\ttcp dport 4444 accept\nverify 0 1\n", "firewall rules loaded\napply 1 0\nverify 0 0\nnothing left\ndrift\t",
		"\ttable inet icon {\tnot there\nverify 0 1\n", "apply 1 0\nverify 0 0\nsomebody came\nverify 0 0\n",
	} {
		if code != 0 || !strings.Contains(out, want) {
			t.Errorf("exit %d, wanted %q in\n%s", code, want, out)
		}
	}
}

func TestARollBackOfTheFirewallPutsBackTheRulesOfBeforeOrNone(t *testing.T) {
	program := controlProgram(t, "sentry", rendered(t, firewalls["prep"]), nil, "firewall")
	out, code := host.Scenario(t, map[string]string{"p": program}, firewallDay+`
		half apply; cp /etc/icon/firewall.nft /var/tmp/old
		sed -i 's/7100/7777/' /etc/icon/firewall.nft; nft -f /etc/icon/firewall.nft; nft list table inet icon | grep -c 7777
		cp /var/tmp/old /etc/icon/firewall.nft; firewall_rollback; nft list table inet icon | grep -c 7100
		rm /etc/icon/firewall.nft; firewall_rollback; nft list tables; firewall_rollback; echo end`)
	if code != 0 || !strings.HasSuffix(out, "apply 5 0\n1\n1\nend\n") {
		t.Errorf("exit %d\n%s", code, out)
	}
}

func TestAnImageHasNoRulesYet(t *testing.T) {
	program := controlProgram(t, "sentry", hardening.Live{}, nil, "firewall")
	out, code := host.Scenario(t, map[string]string{"p": program}, firewallDay+`
		half apply; half verify; echo "$ABSENT_HERE"; nft list tables; ls /etc/icon || true`)
	said := code == 0 && strings.HasPrefix(out, "apply 0 0\nverify 0 0\nan image has no rules")
	if !said || strings.Contains(out, "table") || strings.Contains(out, "firewall.nft") {
		t.Errorf("exit %d\n%s", code, out)
	}
}

func TestTooManyConnectionsToSSHWaitAndFewerDoNot(t *testing.T) {
	ssh := hardening.Rule{Protocol: "tcp", Ports: []int{22}, Networks: []string{"10.9.0.0/24"}, Why: "x"}
	f := hardening.Firewall{NewSSHPerMinute: 60, SSH: ssh}
	out, code := host.Scenario(t, map[string]string{"firewall.nft": rendered(t, f).Firewall}, `set -e
		mkdir -p /run/netns; ip netns add far; ip link add near type veth peer name away netns far
		ip addr add 10.9.0.1/24 dev near; ip link set near up; ip -n far addr add 10.9.0.2/24 dev away
		ip -n far link set away up; ip -n far link set lo up
		printf '%s\n' 'defaults' ' mode tcp' ' timeout client 9s' ' timeout server 9s' ' timeout connect 9s' 'frontend x' \
			' bind 10.9.0.1:22' >/run/near.cfg
		haproxy -db -f /run/near.cfg & for i in $(seq 50); do if ss -Hltn | grep -q :22; then break; fi; sleep 0.05; done
		nft -f "$FILES/firewall.nft"
		knock() { ip netns exec far timeout "$2" bash -c "exec 5<>/dev/tcp/10.9.0.1/22" 2>/dev/null; }
		good=0; for i in $(seq 28); do if knock . 2; then good=$((good + 1)); fi; done; echo "answered $good"
		for i in $(seq 5); do if ! knock . 0.3; then echo throttled; break; fi; done
		# One who waits gets in: the connection is tried again after a second, and the rate has room for it.
		sleep 1; if knock . 4; then echo 'in again'; fi`)
	if code != 0 || !strings.Contains(out, "answered 28\nthrottled\nin again\n") {
		t.Errorf("exit %d\n%s", code, out)
	}
}

func TestTheSelectionSaysHowManyConnectionsSSHTakes(t *testing.T) {
	for profile, want := range map[string]string{
		"sentry": "rate over 600/minute burst 300 ", "bastion": "rate over 6000/minute burst 3000 ",
	} {
		s, problems := hardening.Resolve(profile, hardening.Facts{})
		if s == nil {
			t.Fatal(problems)
		}
		if text, err := s.Ruleset(firewalls["prep"]); err != nil || !strings.Contains(text, want) {
			t.Errorf("%s: %v, wanted %q in\n%s", profile, err, want, text)
		}
	}
}
