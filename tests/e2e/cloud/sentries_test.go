//go:build sandbox

package cloud

import (
	"net/netip"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/insight-icon/pulumi-icon/sandbox"
)

// TestSentryFronted is the life of a stack whose P-Rep is hidden, in order.
func TestSentryFronted(t *testing.T) {
	prepared(t, "")
	ctx := t.Context()
	cloud := newAWS(t)
	must(t, box.BootPeers(ctx))
	private, public := administrator(t)
	must(t, box.Engine.SetSecret(ctx, "sshPrivateKey", private))
	config := base("sentry-fronted", public)
	config["importedKeys"] = map[string]any{sandbox.PRepHost: setKeystore(t, sandbox.PRepHost)}
	config["sentries"] = box.SentriesConfig(nil)
	config["citizens"] = map[string]any{"hosts": box.Layout.Citizens}
	a, machines := ofAWS(config), map[string]any{}
	for host, zone := range map[string]string{"bastion": "a", sandbox.PRepHost: "a", "sentry-1": "a", "sentry-2": "b", "citizen-1": "b"} {
		machines[host] = map[string]any{"zone": "eu-central-1" + zone}
	}
	// Sentries are arm64 by default, and the lab's hosts are what this machine is.
	for _, host := range box.Layout.Sentries {
		machines[host].(map[string]any)["instanceType"] = map[string]string{"amd64": "t3.small", "arm64": "t4g.small"}[runtime.GOARCH]
	}
	a["zones"], a["machines"], a["protect"] = []string{"eu-central-1a", "eu-central-1b"}, machines, false
	for _, part := range []struct {
		promise string
		test    func(*testing.T)
	}{
		{"the P-Rep proposes through its sentries and is hidden", func(t *testing.T) {
			begin := time.Now()
			up(t, config)
			t.Logf("pulumi up: %s", time.Since(begin).Round(time.Second))
			must(t, box.Announce(ctx))
			look(t)
			hidden(t)
		}},
		{"a second up changes nothing", func(t *testing.T) {
			if c := changes(up(t, config)); len(c) > 0 {
				t.Errorf("changed: %v", c)
			}
		}},
		{"a sentry's address is exchanged and nothing else is made anew", func(t *testing.T) { rotates(t, config) }},
		{"machines of another image have the node's chain and key, and a new bastion is let in", func(t *testing.T) {
			for _, host := range []string{sandbox.PRepHost, "bastion"} {
				machines[host].(map[string]any)["image"] = "ami-0fedcba9876543210"
			}
			replaces(t, config)
		}},
		{"a copy of another's volume has the chain and not the key", func(t *testing.T) { restores(t, cloud, config) }},
		{"destroy leaves the chain data and their key, and nothing else", func(t *testing.T) {
			_, err := box.Engine.Destroy(ctx)
			must(t, err)
			left, err := cloud.there()
			must(t, err)
			if want := []string{
				"network-citizen-1-data", "network-citizen-1-data", "network-citizen-2-data", "network-key", "network-prep-1-data",
			}; !slices.Equal(left, want) {
				t.Errorf("left are %v, wanted %v: the volume that was given up, too", left, want)
			}
		}},
	} {
		if !t.Run(strings.ReplaceAll(part.promise, " ", "_"), part.test) {
			t.FailNow()
		}
	}
}

// look asks the nodes and the network.
func look(t *testing.T) {
	t.Helper()
	r, err := box.Look(t.Context(), 10, false)
	must(t, err)
	for _, p := range r.Problems {
		t.Error(p)
	}
}

// hidden tries the P-Rep's address from the internet: directly, and with each sentry as a gateway. The suite of the platform hosts tries
// every port.
func hidden(t *testing.T) {
	t.Helper()
	prep := box.Address(sandbox.PRepHost)
	for _, gateway := range append([]string{""}, box.Layout.Sentries...) {
		if gateway != "" {
			route := "ip route replace " + prep.String() + "/32 via " + box.Address(gateway).String()
			on(t, sandbox.PeerHost, route)
		}
		r, err := box.Lab.ScanPorts(t.Context(), sandbox.PeerHost, prep, 1, 10000)
		must(t, err)
		if len(r.Open)+r.Refused > 0 {
			t.Errorf("the P-Rep answers the internet, by way of %q: open %v, refused %d", gateway, r.Open, r.Refused)
		}
	}
	on(t, sandbox.PeerHost, "ip route del "+prep.String()+"/32")
}

// rotates gives a sentry another address, which the announced name then leads to.
func rotates(t *testing.T, config map[string]any) {
	t.Helper()
	before := box.Address("sentry-1")
	config["sentries"] = box.SentriesConfig(map[string]any{"rotate": map[string]any{"sentry-1": 2}})
	for _, s := range up(t, config).Changed() {
		// A copy follows the host's address, as another machine may be behind it: the same file is laid there again.
		copied := s.Name == "sentries-sentry-1-agent"
		if s.Op != "update" && !copied && !strings.HasPrefix(s.Name, "network-sentry-1-address") {
			t.Errorf("%s %s: wanted nothing made anew but the address of sentry-1", s.Op, s.Name)
		}
	}
	if now := box.Address("sentry-1"); now == before {
		t.Errorf("sentry-1 still has the address %s", before)
	}
	must(t, box.Announce(t.Context()))
	if c := changes(up(t, config)); len(c) > 0 {
		t.Errorf("the up after that still changed %v", c)
	}
	look(t)
}

const keyOf = "sha256sum < " + sandbox.DataDir + "/key/keystore.json"

// replaces has the P-Rep and the bastion on other machines than before, of other addresses.
func replaces(t *testing.T, config map[string]any) {
	t.Helper()
	const chain = "stat -c %i " + sandbox.DataDir + "/chain/*/genesis.zip " + sandbox.DataDir + "/chain/*/"
	key, data := on(t, sandbox.PRepHost, keyOf), on(t, sandbox.PRepHost, chain)
	before := map[string]netip.Addr{}
	for _, host := range []string{sandbox.PRepHost, "bastion"} {
		h, err := box.Lab.Host(host)
		must(t, err)
		before[host] = h.Private
	}
	for _, s := range up(t, config).Changed() {
		of := regexp.MustCompile(`^(network-)?(prep-1|prep|bastion)(-|$)`).MatchString(s.Name)
		if s.Op != "update" && !of {
			t.Errorf("%s %s: wanted nothing replaced but what belongs to the machines", s.Op, s.Name)
		}
		if strings.HasSuffix(s.Name, "-data") || strings.HasSuffix(s.Name, "-host-key") || strings.HasSuffix(s.Name, "-address") {
			t.Errorf("%s %s: wanted volume, host key and elastic address as they were", s.Op, s.Name)
		}
	}
	for host, old := range before {
		h, err := box.Lab.Host(host)
		must(t, err)
		if h.Private == old {
			t.Errorf("the new %s has the old one's address, %s: this test would not see who knows it", host, old)
		}
	}
	if on(t, sandbox.PRepHost, keyOf) != key || on(t, sandbox.PRepHost, chain) != data {
		t.Error("the node has another key, or began its chain anew")
	}
	if c := changes(up(t, config)); len(c) > 0 {
		t.Errorf("the up after that still changed %v", c)
	}
	look(t)
}

// restores makes a new citizen from a snapshot of the P-Rep's volume, key included, and gives an old one such a volume in place of its own.
func restores(t *testing.T, cloud *aws, config map[string]any) {
	t.Helper()
	const snapshot = "snap-0123456789abcdef0"
	citizens := []string{"citizen-1", "citizen-2"}
	volume, err := cloud.id("network-prep-1-data")
	must(t, err)
	on(t, sandbox.PRepHost, "sync")
	must(t, cloud.snapshot(t.Context(), volume, snapshot))
	prep := on(t, sandbox.PRepHost, keyOf)
	config["citizens"] = map[string]any{"hosts": citizens}
	for _, host := range citizens {
		ofAWS(config)["machines"].(map[string]any)[host] = map[string]any{"zone": "eu-central-1b", "restoreFrom": snapshot}
	}
	up(t, config)
	for _, host := range citizens {
		if on(t, host, keyOf) == prep {
			t.Errorf("%s has the P-Rep's key", host)
		}
		contains(t, on(t, host, "cat /var/log/icon/disk.log"), "the node key of ", "removed")
		follows(t, host)
	}
	if c := changes(up(t, config)); len(c) > 0 {
		t.Errorf("the up after that still changed %v", c)
	}
	look(t)
}
