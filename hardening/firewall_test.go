package hardening_test

import (
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
