//go:build sandbox

package e2e

import (
	"bytes"
	"crypto/ed25519"
	"crypto/rand"
	"encoding/pem"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/crypto/ssh"

	"github.com/insight-icon/pulumi-icon/sandbox"
)

// refusesBadInput has everything refused that an operator gets wrong with machines, and looks each time whether the installation is
// as it was.
func refusesBadInput(t *testing.T) {
	citizens := slices.Clone(box.Layout.Citizens)
	defer func() { box.Layout.Citizens, box.Layout.Override = citizens, nil }()
	t.Run("another host key, an unreachable host: all named, with both fingerprints", wrongHostKeyAndUnreachable)
	t.Run("a wrong SSH key", wrongSSHKey)
	t.Run("system, disk, port, chain: each host says all that is wrong with it", wrongMachines)
	t.Run("a node key that is on another host of the plan", keyOnTwoHosts)
	box.Layout.Citizens, box.Layout.Override = citizens, nil
	up(t)
	// Its steps had to be taken away first.
	off(t, "citizen-14")
	if c := changes(up(t)); len(c) > 0 {
		t.Errorf("after all refusals, a second up still changes %v", c)
	}
	hidden(t)
}

func wrongHostKeyAndUnreachable(t *testing.T) {
	right, err := box.Lab.Host(sandbox.PRepHost)
	must(t, err)
	machines, err := box.Machines()
	must(t, err)
	machines[sandbox.PRepHost].(map[string]any)["hostKey"] = freshKey(t)
	machines["sentry-2"].(map[string]any)["address"] = box.Nth(99).String()
	box.Layout.Override = map[string]any{"hosts": map[string]any{"machines": machines, "connectTimeout": 5}}
	begin := time.Now()
	_, message := refused(t, box.Engine.Preview)
	if took := time.Since(begin); took > 40*time.Second {
		t.Errorf("it took %s to say so", took)
	}
	contains(t, message, "host "+sandbox.PRepHost, "another host key", fingerprint(t, right.HostKey),
		fingerprint(t, machines[sandbox.PRepHost].(map[string]any)["hostKey"].(string)),
		"host sentry-2 (icon:hosts.machines.sentry-2)", "not reached within 5s", "nothing was changed")
}

func freshKey(t *testing.T) string {
	t.Helper()
	public, _, err := ed25519.GenerateKey(rand.Reader)
	must(t, err)
	k, err := ssh.NewPublicKey(public)
	must(t, err)
	return strings.TrimSpace(string(ssh.MarshalAuthorizedKey(k)))
}

func fingerprint(t *testing.T, line string) string {
	t.Helper()
	k, _, _, _, err := ssh.ParseAuthorizedKey([]byte(line))
	must(t, err)
	return ssh.FingerprintSHA256(k)
}

func wrongSSHKey(t *testing.T) {
	box.Layout.Override = nil
	_, private, err := ed25519.GenerateKey(rand.Reader)
	must(t, err)
	block, err := ssh.MarshalPrivateKey(private, "")
	must(t, err)
	must(t, box.Engine.SetSecret(t.Context(), "sshPrivateKey", string(pem.EncodeToMemory(block))))
	_, message := refused(t, box.Engine.Preview)
	contains(t, message, "host "+sandbox.PRepHost, "refuses the SSH key for user \"root\"", "host citizen-1", "host sentry-3")
	must(t, box.SetKey(t.Context()))
}

// wrongMachines deploys citizens on machines that can't take one.
func wrongMachines(t *testing.T) {
	hosts := []string{"citizen-11", "citizen-12", "citizen-13"}
	must(t, box.BootMore(t.Context(), hosts...))
	on(t, "citizen-11", "sed -i 's/^VERSION_ID=.*/VERSION_ID=\"11\"/' $(readlink -f /etc/os-release)")
	on(t, "citizen-12", "systemd-run -q --unit squatter perl -MIO::Socket::INET -e 'push @kept, IO::Socket::INET->new(LocalPort => 9000, Listen => 1) or die; sleep 900'")
	waitFor(t, "the squatter", func() bool { return on(t, "citizen-12", "ss -Hltn 'sport = :9000'") != "" })
	on(t, "citizen-13", "mkdir -p "+sandbox.DataDir+"/chain/abc123 && echo '{}' > "+sandbox.DataDir+"/chain/abc123/config.json")
	box.Layout.Citizens = append([]string{"citizen-1"}, hosts...)
	result, message := refused(t, box.Engine.Up)
	contains(t, message,
		"host citizen-11, step ready", "operating system is debian 11: supported are debian 12 and ubuntu 24.04",
		"host citizen-12, step ready", "port 9000/tcp is taken by perl",
		"host citizen-13, step ready", "holds the chain 0xabc123, the plan wants "+box.Peers.CID, "it is never overwritten")
	for _, s := range result.Changed() {
		if strings.Contains(s.Name, "prep") {
			t.Errorf("the P-Rep was touched: %s %s", s.Op, s.Name)
		}
	}
	if got := on(t, "citizen-13", "cat "+sandbox.DataDir+"/chain/abc123/config.json"); got != "{}" {
		t.Errorf("the other network's chain was touched: %s", got)
	}
	off(t, hosts...)
	box.Layout.Override = map[string]any{"node": box.Node(map[string]any{"minDiskGB": 900000})}
	box.Layout.Citizens = []string{"citizen-1"}
	_, message = refused(t, box.Engine.Up)
	contains(t, message, "host "+sandbox.PRepHost+", step ready", "disk too small", "icon:node.minDiskGB wants 900000 GB")
	box.Layout.Override = nil
}

// keyOnTwoHosts copies the P-Rep's key to a new citizen's host, as a cloned disk image would.
func keyOnTwoHosts(t *testing.T) {
	must(t, box.BootMore(t.Context(), "citizen-14"))
	copied, err := box.Lab.Exec(t.Context(), sandbox.PRepHost, nil, "tar", "-C", sandbox.DataDir, "-cf", "-", "key")
	must(t, err)
	on(t, "citizen-14", "mkdir -p "+sandbox.DataDir)
	_, err = box.Lab.Exec(t.Context(), "citizen-14", bytes.NewReader([]byte(copied)), "tar", "-C", sandbox.DataDir, "-xf", "-")
	must(t, err)
	prep := on(t, sandbox.PRepHost, nodePID)
	box.Layout.Citizens = []string{"citizen-1", "citizen-14"}
	_, message := refused(t, box.Engine.Up)
	contains(t, message, "the node key "+box.Peers.PRep+" is on several hosts of this plan", sandbox.PRepHost, "citizen-14", "No node was started")
	if on(t, "citizen-14", "systemctl is-active icon-node || true") == "active" {
		t.Error("a second node runs with the P-Rep's key")
	}
	if now := on(t, sandbox.PRepHost, nodePID); now != prep {
		t.Error("the P-Rep was restarted")
	}
	box.Layout.Citizens = []string{"citizen-1"}
}
