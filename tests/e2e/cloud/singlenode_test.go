//go:build sandbox

package cloud

import (
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/insight-icon/pulumi-icon/sandbox"
	"github.com/insight-icon/pulumi-icon/sandbox/peers"
)

// base is what the stacks of the tests have in common: the lab's network of nodes, small disks.
func base(topology, public string) map[string]any {
	relative := func(path string) string {
		if dir, err := filepath.Abs("../../.."); err == nil {
			if rel, err := filepath.Rel(dir, path); err == nil {
				return rel
			}
		}
		return path
	}
	return map[string]any{
		"topology": topology, "platform": "aws",
		"network": map[string]any{
			"profile": "custom", "name": "sandbox", "cid": box.Peers.CID, "nid": box.Peers.CID, "genesis": relative(box.Peers.Genesis()),
			"seeds": peers.Seeds(box.Address(sandbox.PeerHost)),
		},
		"administrators": []string{administrators},
		"maintenance":    map[string]any{"to": []string{administrators}},
		"node":           box.Node(map[string]any{"minDiskGB": 1}),
		"prep":           map[string]any{"host": sandbox.PRepHost},
		// A machine of AWS has one interface. The lab's have two, and what comes in by one is answered by the other.
		"hardening": map[string]any{"parameters": map[string]any{"kernel-settings": map[string]any{"reversePath": "loose"}}},
		"aws": map[string]any{
			"region": "eu-central-1", "zones": []string{"eu-central-1a"}, "administratorKeys": []string{public},
			"vpc": map[string]any{"cidr": vpc.String()},
		},
	}
}

const nodePID = "systemctl show -p MainPID --value icon-node"

// ofAWS are the settings below icon:aws.
func ofAWS(config map[string]any) map[string]any { return config["aws"].(map[string]any) }

// TestSingleNode is the life of the cheapest stack, in order.
func TestSingleNode(t *testing.T) {
	prepared(t, "")
	ctx := t.Context()
	cloud := newAWS(t)
	must(t, box.BootPeers(ctx))
	private, public := administrator(t)
	must(t, box.Engine.SetSecret(ctx, "sshPrivateKey", private))
	config := base("single-node", public)
	config["importedKeys"] = map[string]any{sandbox.PRepHost: setKeystore(t, sandbox.PRepHost)}
	for _, part := range []struct {
		promise string
		test    func(*testing.T)
	}{
		{"one command makes the machines and the node", func(t *testing.T) {
			begin := time.Now()
			up(t, config)
			t.Logf("pulumi up: %s", time.Since(begin).Round(time.Second))
			follows(t, sandbox.PRepHost)
		}},
		{"an administrator comes in through the bastion", func(t *testing.T) { logsIn(t, private) }},
		{"the chain is on the volume", func(t *testing.T) { chainIsOnTheVolume(t, cloud, sandbox.PRepHost) }},
		{"a second up changes nothing", func(t *testing.T) {
			if c := changes(up(t, config)); len(c) > 0 {
				t.Errorf("changed: %v", c)
			}
		}},
		{"no secret of the machines is in the state", func(t *testing.T) { keepsSecrets(t, private) }},
		{"a larger volume has a larger file system, and the node runs on", func(t *testing.T) { grows(t, config) }},
		{"administrators do not lock themselves out", func(t *testing.T) {
			config["administrators"] = []string{"198.51.100.0/24"}
			must(t, box.Engine.Configure(config))
			contains(t, refused(t, box.Engine.Up), "host bastion, step harden", "this deploy connects from 10.77.48.1", "nothing was changed")
			config["administrators"] = []string{administrators}
			up(t, config)
			logsIn(t, private)
		}},
		{"what is protected is not destroyed", func(t *testing.T) {
			node := on(t, sandbox.PRepHost, nodePID)
			if _, err := box.Engine.DestroyAfterPreview(ctx); err == nil || !strings.Contains(err.Error(), "because it is protected") {
				t.Errorf("destroy ends with %v", err)
			}
			if now := on(t, sandbox.PRepHost, nodePID); now != node {
				t.Errorf("the node was process %s, and is %s", node, now)
			}
			follows(t, sandbox.PRepHost)
		}},
		{"destroy leaves the chain data and its key, and nothing else", func(t *testing.T) {
			ofAWS(config)["protect"] = false
			up(t, config)
			_, err := box.Engine.Destroy(ctx)
			must(t, err)
			left, err := cloud.there()
			must(t, err)
			if want := []string{"network-key", "network-prep-1-data"}; !slices.Equal(left, want) {
				t.Errorf("left are %v, wanted %v", left, want)
			}
			if _, err := box.Lab.Host(sandbox.PRepHost); err == nil {
				t.Error("the P-Rep's machine is still there")
			}
		}},
	} {
		if !t.Run(strings.ReplaceAll(part.promise, " ", "_"), part.test) {
			t.FailNow()
		}
	}
}

// follows waits until a node has the network's height, and follows it.
func follows(t *testing.T, host string) {
	t.Helper()
	last, err := box.Block(t.Context(), sandbox.PeerHost, 0)
	must(t, err)
	must(t, box.WaitHeight(t.Context(), host, last.Height+3, time.Minute))
}

// logsIn goes the way that docs tell administrators, with the host keys that the cloud was given.
func logsIn(t *testing.T, private string) {
	t.Helper()
	dir := t.TempDir()
	key, known, config := filepath.Join(dir, "key"), filepath.Join(dir, "known"), filepath.Join(dir, "config")
	must(t, os.WriteFile(key, []byte(private), 0o600))
	outputs, err := box.Engine.Outputs(t.Context())
	must(t, err)
	bastion, _ := outputs["bastion"].(string)
	prep, err := box.Lab.Host(sandbox.PRepHost)
	must(t, err)
	lines := ""
	for host, address := range map[string]string{"bastion": bastion, sandbox.PRepHost: prep.Private.String()} {
		lines += address + " " + on(t, host, "cut -d' ' -f1,2 /etc/ssh/ssh_host_ed25519_key.pub") + "\n"
	}
	must(t, os.WriteFile(known, []byte(lines), 0o600))
	must(t, os.WriteFile(config, []byte("Host *\n  User admin\n  IdentityFile "+key+"\n  UserKnownHostsFile "+known+
		"\n  StrictHostKeyChecking yes\n  BatchMode yes\n  IdentitiesOnly yes\n  ConnectTimeout 2\n  LogLevel ERROR\n"), 0o600))
	ssh := func(args ...string) (string, error) {
		out, err := exec.CommandContext(t.Context(), "ssh", append([]string{"-F", config}, args...)...).CombinedOutput()
		return strings.TrimSpace(string(out)), err
	}
	if out, err := ssh("-J", bastion, prep.Private.String(), "id -un; sudo -n id -un; hostname"); err != nil || out != "admin\nroot\n"+sandbox.PRepHost {
		t.Errorf("through the bastion: %q, %v", out, err)
	}
	// Not even from the administrators' network is there another way.
	if out, err := ssh(prep.Private.String(), "true"); err == nil {
		t.Errorf("the P-Rep answers SSH from elsewhere than the bastion: %s", out)
	}
	if out, err := ssh("-l", "root", bastion, "true"); err == nil {
		t.Errorf("root logs in at the bastion: %s", out)
	}
}

func chainIsOnTheVolume(t *testing.T, cloud *aws, host string) {
	t.Helper()
	id, err := cloud.id("network-" + host + "-data")
	must(t, err)
	v := cloud.volume(id)
	if got := on(t, host, "findmnt -no SOURCE,FSTYPE,OPTIONS "+sandbox.DataDir); !strings.HasPrefix(got, v.device+" ext4 ") ||
		!strings.Contains(got, "nosuid") {
		t.Errorf("%s: %s is on %q, wanted %s, ext4, nosuid", host, sandbox.DataDir, got, v.device)
	}
	if got := on(t, host, "ls -d "+sandbox.DataDir+"/chain/*/ | wc -l"); got != "1" {
		t.Errorf("%s: there are %s chains", host, got)
	}
}

func keepsSecrets(t *testing.T, private string) {
	t.Helper()
	open, err := box.Engine.Secrets(t.Context())
	must(t, err)
	sealed, err := box.Engine.Sealed(t.Context())
	must(t, err)
	secrets := map[string]string{"the administrator's key": strings.Split(private, "\n")[1]}
	for _, host := range []string{"bastion", sandbox.PRepHost} {
		secrets["the host key of "+host] = on(t, host, "sed -n 3p /etc/ssh/ssh_host_ed25519_key")
	}
	for what, text := range secrets {
		if !strings.Contains(open, text) {
			t.Errorf("%s is not in the opened state: this test would see nothing", what)
		}
		if strings.Contains(sealed, text) {
			t.Errorf("%s is readable in the state", what)
		}
	}
	// The key's keystore is configuration, and secret; its password must not be in the open.
	_, _, password, err := box.Peers.Key("prep")
	must(t, err)
	if strings.Contains(sealed, password) {
		t.Error("the password of the imported key is readable in the state")
	}
}

// grows makes the volume larger: nothing is replaced, and the node is not stopped.
func grows(t *testing.T, config map[string]any) {
	t.Helper()
	const size = "df --output=size -B1M " + sandbox.DataDir + " | tail -1"
	node, before := on(t, sandbox.PRepHost, nodePID), on(t, sandbox.PRepHost, size)
	ofAWS(config)["machines"] = map[string]any{sandbox.PRepHost: map[string]any{"dataGB": 12}}
	online := on(t, sandbox.PRepHost, "(( 0x$(sed -n 's/^CapEff:\\s*//p' /proc/1/status) >> 24 & 1 )) && echo yes || echo no") == "yes"
	if !online {
		// To grow a file system that is mounted takes CAP_SYS_RESOURCE in the kernel's first namespace, which a machine that is itself a container
		// may lack. The step must say so; what comes of it is then tested with the file system grown by hand.
		t.Log("this machine has no CAP_SYS_RESOURCE: the file system is grown while it is not mounted")
		must(t, box.Engine.Configure(config))
		contains(t, refused(t, box.Engine.Up), "host "+sandbox.PRepHost+", step disk", "could not be grown to the disk's size")
		if on(t, sandbox.PRepHost, nodePID) != node {
			t.Error("the step that failed has stopped the node")
		}
		on(t, sandbox.PRepHost, "set -e; systemctl stop icon-node; umount "+sandbox.DataDir+"; d=$(readlink -f /dev/disk/by-id/nvme-*); "+
			"e2fsck -fp $d >/dev/null; resize2fs $d 2>/dev/null; systemctl start icon-node")
		node = on(t, sandbox.PRepHost, nodePID)
	}
	got := changes(up(t, config))
	slices.Sort(got)
	want := []string{"update network-prep-1-data", "update network-prep-1-disk"}
	if !online {
		want = want[1:]
	}
	if !slices.Equal(got, want) {
		t.Errorf("changed %v, wanted %v", got, want)
	}
	if after := on(t, sandbox.PRepHost, size); after == before || on(t, sandbox.PRepHost, nodePID) != node {
		t.Errorf("the file system had %s MiB, and has %s; the node was process %s, and is %s", before, after, node, on(t, sandbox.PRepHost, nodePID))
	}
}
