//go:build sandbox

package container

import (
	_ "embed"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/insight-icon/pulumi-icon/sandbox"
	"github.com/insight-icon/pulumi-icon/sandbox/image"
)

const (
	prep    = sandbox.PRepHost
	citizen = "citizen-1"
	unit    = "icon-node.service"
	data    = sandbox.DataDir
)

var nodes = []string{prep, citizen}

// archives is where the images are, for as long as the stack names them.
var archives string

// TestANodeInAContainer deploys, looks, changes, cuts the power and destroys; each part builds on the one before it.
func TestANodeInAContainer(t *testing.T) {
	archives = t.TempDir()
	first := prepare(t, "1")
	configure(t, first)
	must(t, box.SetKey(t.Context()))
	part := func(name string, test func(*testing.T)) {
		if !t.Run(name, test) {
			t.FailNow()
		}
	}
	part("deploys, and the P-Rep proposes blocks", func(t *testing.T) { up(t); proposes(t) })
	part("a second up changes nothing", func(t *testing.T) {
		if c := changes(up(t)); len(c) > 0 {
			t.Errorf("a second up changed %v", c)
		}
	})
	part("each step, run again by hand, changes nothing", stepsAgain)
	part("the password is in no command line, journal or file that others can read", passwordIsPrivate)
	part("systemd sees, limits and ends all of the container", supervised)
	part("a changed image replaces the container and keeps data and key", changedImage)
	part("after a power cut the node comes back by itself", powerCut)
	part("a start that fails says why, without the password", failedStart)
	part("destroy leaves no trace but the data", destroyed)
}

// prepare boots hosts and network, and serves the network's files where the image looks for them.
func prepare(t *testing.T, version string) *image.Image {
	t.Helper()
	ctx := t.Context()
	must(t, box.Prepare(ctx))
	must(t, box.Boot(ctx))
	img, err := image.Make(ctx, archives, box.Tools.Goloop, version)
	must(t, err)
	mirror := filepath.Join(box.Lab.FilesDir(), "node_info", "sandbox")
	must(t, os.MkdirAll(mirror, 0o755))
	genesis, err := os.ReadFile(box.Peers.Genesis())
	must(t, err)
	must(t, os.WriteFile(filepath.Join(mirror, "icon_genesis.zip"), genesis, 0o644))
	must(t, os.WriteFile(filepath.Join(mirror, "default_configure.yml"), settings, 0o644))
	return img
}

//go:embed testdata/default_configure.yml
var settings []byte

func configure(t *testing.T, img *image.Image) {
	t.Helper()
	node := box.Node(map[string]any{"runtime": "container", "container": map[string]any{
		"image": img.Reference, "archive": img.Archive, "configURL": box.Lab.FilesURL() + "node_info",
	}})
	delete(node, "binary")
	box.Layout.Override = map[string]any{"node": node}
	must(t, box.Configure(t.Context()))
}

// proposes waits for the P-Rep to propose a block of the network's next ones.
func proposes(t *testing.T) {
	t.Helper()
	ctx := t.Context()
	last, err := box.Block(ctx, sandbox.PeerHost, 0)
	must(t, err)
	const window = 12
	must(t, box.WaitHeight(ctx, sandbox.PeerHost, last.Height+window, 2*time.Minute))
	n, err := box.Proposed(ctx, window)
	must(t, err)
	t.Logf("the P-Rep proposed %d of the last %d blocks", n, window)
	if n == 0 {
		t.Errorf("the P-Rep proposed none of the last %d blocks", window)
	}
	for _, host := range nodes {
		if h := height(t, host); h < last.Height {
			t.Errorf("%s is at height %d, the network was at %d", host, h, last.Height)
		}
	}
}

func height(t *testing.T, host string) int64 {
	t.Helper()
	out := on(t, host, `curl -s -m 5 http://127.0.0.1:9000/admin/chain | sed 's/.*"height":\([0-9]*\).*/\1/'`)
	h, err := strconv.ParseInt(out, 10, 64)
	must(t, err)
	return h
}

// passwordIsPrivate starts the node while somebody watches all command lines, and looks for the password everywhere afterwards.
func passwordIsPrivate(t *testing.T) {
	for _, host := range nodes {
		want(t, host, "stat -c '%a %U' /etc/icon/node/{node,password}.env "+data+" "+data+"/{key,logs} "+data+"/key/{keystore.json,password}",
			"600 root\n600 root\n700 icon-node\n700 icon-node\n700 icon-node\n400 icon-node\n400 icon-node")
		seen := on(t, host, `
			find_it() { cat /proc/[0-9]*/cmdline 2>/dev/null | tr '\0' ' ' | grep -cFf `+data+`/key/password; }
			systemctl restart --no-block `+unit+`
			for i in {1..60}; do find_it; sleep 0.1; done | sort -u
			find_it || true
			echo journal; journalctl --no-pager -o cat | grep -cFf `+data+`/key/password || true
			echo log; grep -cFf `+data+`/key/password /var/log/icon/*.log | cut -d: -f2 | sort -u`)
		if seen != "0\n0\njournal\n0\nlog\n0" {
			t.Errorf("%s: the password was seen:\n%s", host, seen)
		}
		// What root can see, and nobody else: the engine's own records, the image's log of its start.
		others := on(t, host, `
			find / -xdev -type f -perm -o=r -newer /etc/icon/node/images 2>/dev/null |
			while read -r f; do
				if grep -qFf `+data+`/key/password "$f" 2>/dev/null; then
					runuser -u nobody -- test -r "$f" && echo "$f"
				fi
			done; true`)
		if others != "" {
			t.Errorf("%s: others can read the password in\n%s", host, others)
		}
	}
}

func supervised(t *testing.T) {
	for _, host := range nodes {
		got := on(t, host, `grep -l /`+unit+` /proc/[0-9]*/cgroup | sed 's,cgroup$,exe,' |
			while read -r exe; do basename "$(readlink $exe)"; done | sort | uniq -c | sed 's/^ *//'`)
		t.Logf("%s: processes of the unit: %s", host, strings.ReplaceAll(got, "\n", ", "))
		for _, process := range []string{"1 conmon", "1 goloop", "1 init"} {
			if !slices.Contains(strings.Split(got, "\n"), process) {
				t.Errorf("%s: the unit's cgroup lacks %q:\n%s", host, process, got)
			}
		}
		want(t, host, "pgrep -c -x goloop", "1")
		begin := time.Now()
		on(t, host, "systemctl stop "+unit)
		t.Logf("%s: stopped in %.1f s", host, time.Since(begin).Seconds())
		if d := time.Since(begin); d > 20*time.Second {
			t.Errorf("%s: systemctl stop took %s", host, d)
		}
		want(t, host, "systemctl show -p Result --value "+unit+"; pgrep -c 'goloop|conmon|podman' || true; podman ps -aq", "success\n0")
		on(t, host, "d=/run/systemd/system/"+unit+".d; mkdir -p $d; printf '[Service]\\nLimitNOFILE=4321\\n' >$d/test.conf; "+
			"systemctl daemon-reload; systemctl start "+unit)
		rises(t, host)
		want(t, host, "sed -n 's/^Max open files *//p' /proc/$(pgrep -x goloop)/limits | tr -s ' '", "4321 4321 files")
		on(t, host, "rm -r /run/systemd/system/"+unit+".d; systemctl daemon-reload")
		// The engine's own process killed: nothing is left behind, and systemd starts anew.
		on(t, host, "kill -KILL $(pgrep -o -x goloop)")
		time.Sleep(2 * time.Second)
		rises(t, host)
		on(t, host, "kill -KILL $(systemctl show -p MainPID --value "+unit+")")
		time.Sleep(2 * time.Second)
		rises(t, host)
		want(t, host, "pgrep -c -x goloop; pgrep -c -x conmon; podman ps -aq | wc -l", "1\n1\n1")
	}
}

// rises waits for the node to answer and its height to rise.
func rises(t *testing.T, host string) {
	t.Helper()
	begin := time.Now()
	out := on(t, host, `
		ask() { curl -s -m 5 http://127.0.0.1:9000/admin/chain | sed -n 's/.*"state":"started","height":\([0-9]*\).*/\1/p'; }
		for i in {1..240}; do
			h=$(ask) || true
			[[ -n $h && -n ${f:-} && $h -gt $f ]] && exit 0
			f=${f:-$h}
			sleep 0.25
		done
		echo "stays at ${h:-nothing}"`)
	if out != "" {
		t.Fatalf("%s: the node's height %s for a minute:\n%s", host, out,
			on(t, host, "systemctl status --no-pager "+unit+" || true; tail -n 5 "+data+"/logs/*.log"))
	}
	t.Logf("%s: rises after %.1f s", host, time.Since(begin).Seconds())
}

func changedImage(t *testing.T) {
	key := map[string]string{}
	for _, host := range nodes {
		key[host] = on(t, host, "sha256sum "+data+"/key/*; stat -c %i "+data+"/chain/*/config.json")
	}
	before := height(t, citizen)
	second := prepare(t, "2")
	wrong := *second
	wrong.Reference = image.Name + "@sha256:" + strings.Repeat("0", 64)
	configure(t, &wrong)
	_, err := box.Engine.Up(t.Context())
	if err == nil || !strings.Contains(err.Error(), "the image archive does not hold "+wrong.Reference) ||
		!strings.Contains(err.Error(), second.Reference) {
		t.Errorf("an archive of another digest: wanted a refusal that names both digests, got\n%v", err)
	}
	configure(t, second)
	t.Logf("changed: %v", changes(up(t)))
	for _, host := range nodes {
		want(t, host, "sha256sum "+data+"/key/*; stat -c %i "+data+"/chain/*/config.json", key[host])
		want(t, host, "podman images -q --no-trunc | wc -l; podman inspect icon-node --format '{{.ImageDigest}}'",
			"1\n"+strings.TrimPrefix(second.Reference, image.Name+"@"))
		want(t, host, "ls /var/tmp/icon-upload", "")
		rises(t, host)
	}
	if h := height(t, citizen); h < before {
		t.Errorf("the citizen was at height %d and is at %d: it began anew", before, h)
	}
	proposes(t)
	if c := changes(up(t)); len(c) > 0 {
		t.Errorf("a second up changed %v", c)
	}
}

func powerCut(t *testing.T) {
	for _, host := range nodes {
		must(t, box.Lab.Kill(t.Context(), host))
		must(t, box.Lab.Start(t.Context(), host))
		rises(t, host)
		want(t, host, "pgrep -c -x goloop; podman ps -aq | wc -l; systemctl is-failed "+unit+" || true", "1\n1\nactive")
	}
	proposes(t)
	if c := changes(up(t)); len(c) > 0 {
		t.Errorf("an up after the power cut changed %v", c)
	}
}

// failedStart takes the network's files away: the image does not start without them.
func failedStart(t *testing.T) {
	mirror := filepath.Join(box.Lab.FilesDir(), "node_info")
	must(t, os.Rename(mirror, mirror+".away"))
	defer func() { must(t, os.Rename(mirror+".away", mirror)) }()
	on(t, citizen, "systemctl restart "+unit)
	verify := steps(t)[citizen+" verify"]
	verify.Stdin = strings.Replace(verify.Stdin, "\nTIMEOUT='90'\n", "\nTIMEOUT='8'\n", 1)
	out, err := again(t, verify, citizen)
	if err == nil {
		t.Fatalf("the verification of a node that does not start ended well:\n%s", out)
	}
	for _, part := range []string{
		"host " + citizen + ", step verify: the node does not answer", "API status code is 404", "default_configure.yml",
	} {
		if !strings.Contains(err.Error(), part) {
			t.Errorf("the message does not say %q:\n%v", part, err)
		}
	}
	want(t, citizen, "grep -cFf "+data+"/key/password /var/log/icon/verify.log || true", "0")
}

func destroyed(t *testing.T) {
	key := on(t, prep, "sha256sum "+data+"/key/*")
	_, err := box.Engine.Destroy(t.Context())
	must(t, err)
	for _, host := range nodes {
		want(t, host, fmt.Sprintf(`
			ls -d /etc/systemd/system/icon-* /etc/icon /usr/local/lib/icon /var/log/icon /var/tmp/icon-upload 2>/dev/null
			getent passwd icon-node; nft list tables; pgrep 'goloop|conmon'
			podman ps -aq; podman images -q; podman volume ls -q
			stat -c '%%a %%U' %s; ls %[1]s`, data), "700 root\nchain\nkey\nlogs")
	}
	want(t, prep, "sha256sum "+data+"/key/*", key)
}
