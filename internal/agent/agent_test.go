package agent

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/insight-icon/pulumi-icon/internal/agent/proxy"
	"github.com/insight-icon/pulumi-icon/internal/sentry"
)

func TestOffenderIsBannedInTheKernelExplainedAndLetInAgain(t *testing.T) {
	p := newPlace(t)
	if !send(attacker, "hello") || !send(peer, "hello") {
		t.Fatal("nobody is let in")
	}
	attack(peer)
	attack(attacker)
	took := eventually(t, time.Second, "the offender is banned in the kernel", func() bool { return isBanned(t, attacker) })
	t.Logf("banned %s after the last of 20 strikes", took)
	if send(attacker, "hello") {
		t.Error("a banned one is let in")
	}
	if !send(peer, "hello") || isBanned(t, peer) {
		t.Error("a known one is banned")
	}
	if list := p.ask(t, 0, "bans", "list"); !strings.Contains(list, attacker) || !strings.Contains(list, "p2p-garbage") ||
		!strings.Contains(list, "first bytes on the P2P port") || strings.Contains(list, peer) {
		t.Errorf("the ban is not explained:\n%s", list)
	}
	p.ask(t, 0, "bans", "remove", attacker)
	if !send(attacker, "hello") {
		t.Error("who was let in again is not")
	}
	time.Sleep(600 * time.Millisecond)
	if isBanned(t, attacker) {
		t.Error("strikes of before the ban was lifted count again")
	}
	p.ask(t, 1, "bans", "remove", attacker)
	p.ask(t, 1, "bans", "add", peer, "--why", "test")

	attack(attacker)
	eventually(t, time.Second, "the offender is banned again", func() bool { return isBanned(t, attacker) })
	eventually(t, 4*time.Second, "the ban ends by itself", func() bool { return !isBanned(t, attacker) && send(attacker, "hello") })
	time.Sleep(600 * time.Millisecond)
	if isBanned(t, attacker) {
		t.Error("strikes that the ban came of count again when it has ended")
	}
	if all := p.ask(t, 0, "bans", "--all"); !strings.Contains(all, attacker) || !strings.Contains(all, "ended") ||
		strings.Contains(p.ask(t, 0, "bans"), attacker) {
		t.Errorf("the ban that has ended is not told of:\n%s", all)
	}
	checkMetrics(t, `icon_sentry_bans_total{limit="p2p-garbage"} 2`, "icon_sentry_haproxy_up 1", "icon_sentry_kernel_up 1",
		"icon_sentry_peers 1", `icon_sentry_limited_total{limit="p2p-garbage"} 60`, `icon_sentry_limited_total{limit="api-body"} 0`,
		`icon_sentry_connections{frontend="p2p"}`,
		`icon_sentry_kernel_packets_total{counter="banned"}`, `icon_sentry_drain_state{state="off"} 1`, "icon_sentry_proven ")
	if text := p.ask(t, 0, "status"); !strings.Contains(text, "well, 2.") || strings.Contains(text, "AWAY") {
		t.Errorf("status:\n%s", text)
	}
	if text := p.ask(t, 0, "peers"); !strings.Contains(text, peer) || !strings.Contains(text, "static") {
		t.Errorf("peers:\n%s", text)
	}
	if text := p.ask(t, 0, "drain"); !strings.Contains(text, "off") {
		t.Errorf("drain: %s", text)
	}
}

func TestSentryGoesOnWithoutItsAgentAndIsFilledWhenItIsBack(t *testing.T) {
	p := newPlace(t)
	p.config.Bans.Seconds = 3
	p.configure(t)
	_ = p.agent.Process.Signal(syscall.SIGTERM)
	if err := p.agent.Wait(); err != nil {
		t.Errorf("the agent was asked to end: %v", err)
	}
	p.startAgent(t)
	p.ask(t, 0, "bans", "add", unwanted, "--why", "test", "--for", "1h")
	attack(attacker)
	eventually(t, time.Second, "the offender is banned", func() bool { return isBanned(t, attacker) })

	p.loadTable(t)
	took := eventually(t, time.Second, "a table that was made anew is filled", func() bool {
		return isBanned(t, attacker) && isBanned(t, unwanted) && strings.Contains(set(t, sentry.SetPeers), peer)
	})
	t.Logf("filled after %s", took)

	_ = p.agent.Process.Kill()
	_ = p.agent.Wait()
	if !send(stranger, "hello") || !send(peer, "hello") || send(unwanted, "hello") {
		t.Error("without its agent the sentry is another")
	}
	eventually(t, 5*time.Second, "without an agent a ban ends by itself", func() bool {
		return !isBanned(t, attacker) && send(attacker, "hello")
	})
	if !strings.Contains(set(t, sentry.SetPeers), peer) {
		t.Error("without its agent the kernel has lost the list of peers")
	}
	p.ask(t, 3, "status")
	sh(t, "nft delete table inet icon_sentry")
	if !send(unwanted, "hello") {
		t.Fatal("a ban is in force without a table")
	}
	// An agent that starts without a table goes on looking for it.
	p.agent = p.run(t, p.binary, "agent", "-config", filepath.Join(p.dir, "agent.json"))
	eventually(t, 5*time.Second, "the agent says that the table is away", func() bool {
		out, _ := exec.Command(p.binary, "status", "--socket", p.socket).CombinedOutput()
		return strings.Contains(string(out), "the kernel has no table inet icon_sentry")
	})
	p.loadTable(t)
	eventually(t, 2*time.Second, "a ban of before a restart is in force", func() bool {
		return isBanned(t, unwanted) && !isBanned(t, attacker)
	})
	if list := p.ask(t, 0, "bans"); !strings.Contains(list, unwanted) || !strings.Contains(list, "59m") || strings.Contains(list, attacker) {
		t.Errorf("bans after a restart:\n%s", list)
	}
}

func TestSentryIsDrainedAndServesAgain(t *testing.T) {
	p := newPlace(t)
	p.config.Drain = &sentry.AgentDrain{}
	p.configure(t)
	restart := func() {
		_ = p.agent.Process.Signal(syscall.SIGTERM)
		_ = p.agent.Wait()
		p.startAgent(t)
	}
	restart()
	eventually(t, 8*time.Second, "the sentry takes no connections", func() bool { return !send(stranger, "hello") })
	eventually(t, 8*time.Second, "the drain is done", func() bool { return strings.HasPrefix(p.ask(t, 0, "drain", "status"), "done") })
	checkMetrics(t, `icon_sentry_drain_state{state="done"} 1`)
	restart()
	if text := p.ask(t, 0, "drain"); !strings.HasPrefix(text, "done") || send(stranger, "hello") {
		t.Errorf("a restart of the agent ends the drain: %s", text)
	}
	p.config.Drain = nil
	p.configure(t)
	restart()
	eventually(t, 8*time.Second, "the sentry serves again", func() bool { return send(stranger, "hello") })
	eventually(t, time.Second, "the drain is off", func() bool { return strings.HasPrefix(p.ask(t, 0, "drain"), "off") })
}

func TestAgentEndsWhenItsPlaceIsTaken(t *testing.T) {
	dir := t.TempDir()
	config := sentry.AgentConfig{
		AdminSocket: filepath.Join(dir, "none.sock"), StateDir: dir, ControlSocket: filepath.Join(dir, "c.sock"), Metrics: "127.0.0.1:9471",
		Bans: sentry.AgentBans{Strikes: 20, Seconds: 60, MaxSeconds: 3600, Network: 16}, Peers: sentry.AgentPeers{Mode: sentry.PeersPrefer},
	}
	ctx, stop := context.WithCancel(t.Context())
	done := make(chan error)
	go func() { done <- Run(ctx, config, quiet()) }()
	client := NewClient(config.ControlSocket)
	var status Status
	eventually(t, 5*time.Second, "the agent answers although HAProxy is away", func() bool {
		var err error
		status, err = client.Status(ctx)
		return err == nil && len(status.Parts) > 0
	})
	if status.Parts[partProxy].OK || !strings.Contains(status.Parts[partProxy].Error, "icon-sentry.service") {
		t.Errorf("%+v; want to be told what to look at", status.Parts)
	}
	if info, err := os.Stat(config.ControlSocket); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("the control socket is open to others: %v, %v", info.Mode(), err)
	}
	if err := Run(ctx, config, quiet()); err == nil || !strings.Contains(err.Error(), "another agent answers there") {
		t.Errorf("%v; want to be told of the other agent", err)
	}
	_, err := client.Ban(ctx, NewBan{Source: "192.0.2.1", Why: "test", Seconds: 60})
	if err == nil || !strings.Contains(err.Error(), "no table in the kernel") {
		t.Errorf("%v; want to be told that this variant has no bans by hand", err)
	}
	stop()
	if err := <-done; err != nil {
		t.Errorf("the agent ended with %v", err)
	}
	if _, err := client.Status(t.Context()); err == nil || !strings.Contains(err.Error(), "systemctl status icon-sentry-agent") {
		t.Errorf("%v; want to be told how to look", err)
	}
}

func TestAnotherHAProxyThatHasReadOldFilesIsGivenTheList(t *testing.T) {
	p := newPlace(t)
	_ = p.proxy.Process.Kill()
	_ = p.proxy.Wait()
	// As of a reload that has read its files before the agent wrote them, and serves after the agent has told the old process.
	p.write(t, "peers.lst", "")
	p.run(t, "haproxy", "-db", "-f", filepath.Join(p.dir, "haproxy.cfg"))
	client := proxy.New(p.config.AdminSocket)
	eventually(t, 5*time.Second, "the new process has the list", func() bool {
		known, err := client.ACL(t.Context(), filepath.Join(p.dir, "peers.lst"))
		return err == nil && slices.Contains(known, peer)
	})
}
