//go:build sandbox

package e2e

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/insight-icon/pulumi-icon/sandbox"
	"github.com/insight-icon/pulumi-icon/sandbox/engine"
	"github.com/insight-icon/pulumi-icon/sandbox/peers"
)

// TestSingleNode deploys the other topology on machines that face the internet, by way of a bastion: a P-Rep whose key is imported, a
// citizen whose key is born, data that is wiped in the end.
func TestSingleNode(t *testing.T) {
	const prep, citizen, bastion = "sentry-8", "sentry-9", "spare-1"
	ctx := t.Context()
	must(t, box.Prepare(ctx))
	must(t, box.BootPeers(ctx))
	must(t, box.BootMore(ctx, prep, citizen, bastion))
	layout := box.Layout
	defer func() { box.Layout = layout }()
	address, keystore, password, err := box.Peers.Key("prep")
	must(t, err)
	box.Layout = sandbox.Layout{Machines: []string{prep, citizen}}
	machines, err := box.Machines()
	must(t, err)
	jump, err := box.Lab.Host(bastion)
	must(t, err)
	box.Layout = sandbox.Layout{Machines: []string{prep, citizen}, Override: map[string]any{
		"topology": "single-node", "sentries": nil,
		"prep":     map[string]any{"host": prep},
		"citizens": map[string]any{"hosts": []string{citizen}, "apiFrom": []string{box.Address(sandbox.PeerHost).String() + "/32"}},
		"node":     box.Node(map[string]any{"onDestroy": "wipe"}), "importedKeys": map[string]any{prep: address},
		"hosts": map[string]any{"machines": machines, "bastion": map[string]any{
			"address": jump.Private.String(), "hostKey": strings.Join(strings.Fields(jump.HostKey)[:2], " "),
		}},
	}}
	must(t, box.Configure(ctx))
	must(t, box.SetKey(ctx))
	setKeystore := func(host, password string) {
		text, err := json.Marshal(map[string]any{host: map[string]any{"keystore": json.RawMessage(keystore), "password": password}})
		must(t, err)
		must(t, box.Engine.SetSecret(ctx, "keystores", string(text)))
	}

	setKeystore(prep, "not the password")
	_, message := refused(t, box.Engine.Up)
	contains(t, message, "host "+prep+", step key", "does not open with its password")
	if strings.Contains(message, "not the password") {
		t.Error("the message shows the password")
	}

	setKeystore(prep, password)
	up(t)
	if c := changes(up(t)); len(c) > 0 {
		t.Errorf("a second up changed %v", c)
	}
	from := on(t, prep, "journalctl -u ssh --no-pager -o cat | sed -n 's/^Accepted publickey for root from \\([0-9.]*\\) .*/\\1/p' | sort -u")
	if from != jump.Private.String() {
		t.Errorf("the P-Rep's host was logged in to from %q, want the bastion %s only", from, jump.Private)
	}
	last, err := box.Block(ctx, sandbox.PeerHost, 0)
	must(t, err)
	must(t, box.WaitHeight(ctx, prep, last.Height, 5*time.Minute))
	must(t, box.WaitHeight(ctx, sandbox.PeerHost, last.Height+20, 2*time.Minute))
	n, err := box.Proposed(ctx, 12)
	must(t, err)
	if n == 0 {
		t.Error("the P-Rep proposed none of the last 12 blocks")
	}
	ask := `curl -s -o /dev/null -m 3 -w '%%{http_code}' http://%s:9000/api/v3/` + peers.Channel +
		` -H 'Content-Type: application/json' -d '{"jsonrpc":"2.0","id":1,"method":"icx_getLastBlock"}' || true`
	if got := on(t, sandbox.PeerHost, fmt.Sprintf(ask, box.Address(citizen))); got != "200" {
		t.Errorf("the citizen's API answers %s to a network of apiFrom, want 200", got)
	}
	if got := on(t, sandbox.PeerHost, fmt.Sprintf(ask, box.Address(prep))); got != "000" {
		t.Errorf("the P-Rep's API answers %s to the internet, want no answer", got)
	}

	const next = "sentry-7"
	movePRep(t, prep, next, address, func() { setKeystore(next, password) })

	_, err = box.Engine.Destroy(ctx)
	must(t, err)
	must(t, box.Engine.RemoveSecret(ctx, "keystores"))
	for _, host := range []string{prep, citizen, next} {
		clean(t, host)
		if got := on(t, host, "ls -d "+sandbox.DataDir+" 2>/dev/null || true"); got != "" {
			t.Errorf("%s: %s is still there, but was to be wiped", host, got)
		}
	}
}

// movePRep moves the P-Rep with its key to another machine: at no time may both sign.
func movePRep(t *testing.T, from, to, address string, setKey func()) {
	t.Helper()
	ctx := t.Context()
	must(t, box.BootMore(ctx, to))
	box.Layout.Machines = append(box.Layout.Machines, to)
	machines, err := box.Machines()
	must(t, err)
	box.Layout.Override["hosts"] = map[string]any{"machines": machines}
	box.Layout.Override["prep"] = map[string]any{"host": to}
	box.Layout.Override["importedKeys"] = map[string]any{to: address}
	setKey()
	r := up(t)
	var stopped, started *engine.StepEvent
	for _, s := range r.Steps {
		switch {
		case s.Name == "prep-service" && s.Op == "delete-replaced":
			stopped = &s
		case s.Name == "prep-service" && s.Op == "create-replacement":
			started = &s
		}
	}
	if stopped == nil || started == nil || started.Began < stopped.Ended {
		t.Errorf("the old node was not stopped before the new one was started: %v", changes(r))
	}
	if got := on(t, from, "systemctl is-active icon-node || true; ls -d "+sandbox.DataDir+" 2>/dev/null || true"); got != "inactive" {
		t.Errorf("the machine that the P-Rep has left: %s", got)
	}
	last, err := box.Block(ctx, sandbox.PeerHost, 0)
	must(t, err)
	must(t, box.WaitHeight(ctx, to, last.Height, 5*time.Minute))
	must(t, box.WaitHeight(ctx, sandbox.PeerHost, last.Height+20, 2*time.Minute))
	if n, err := box.Proposed(ctx, 12); err != nil || n == 0 {
		t.Errorf("after its move the P-Rep proposed %d of the last 12 blocks (%v)", n, err)
	}
}
