//go:build sandbox

package firstboot

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/crypto/ssh"

	"github.com/insight-icon/pulumi-icon/hardening"
	"github.com/insight-icon/pulumi-icon/internal/cloudinit"
	"github.com/insight-icon/pulumi-icon/sandbox/lab"
)

const (
	dataDir = "/var/lib/icon-node"
	volume  = "/dev/disk/by-id/nvme-Amazon_Elastic_Block_Store_vol0abc"
)

// TestAMachineThatACloudMade boots, looks, and boots again; each part builds on the one before it.
func TestAMachineThatACloudMade(t *testing.T) {
	l := openLab(t)
	on := func(command string) string {
		t.Helper()
		out, err := l.Exec(t.Context(), machine, nil, "bash", "-c", command)
		must(t, err)
		return strings.TrimSpace(out)
	}
	again := func() {
		t.Helper()
		must(t, l.Kill(t.Context(), machine))
		must(t, l.Start(t.Context(), machine))
	}
	private, public, _ := key(t)
	_, administrator, admin := key(t)
	_, _, stranger := key(t)
	userData, err := cloudinit.Render(cloudinit.Settings{
		HostKeyPrivate: private, HostKeyPublic: public, User: "admin", AdministratorKeys: []string{administrator},
	})
	must(t, err)

	// The image: as a cloud's, with cloud-init, and keys of its own that must not stay.
	must(t, l.Boot(t.Context(), lab.HostSpec{Name: machine, Private: address}))
	on(`exec 2>&1; apt-get -qq update && apt-get -y -qq install --no-install-recommends cloud-init
		printf 'datasource_list: [NoCloud, None]\nnetwork: {config: disabled}\nlocale: C.UTF-8\n' >/etc/cloud/cloud.cfg.d/99-lab.cfg
		ssh-keygen -q -t rsa -N '' -f /etc/ssh/ssh_host_rsa_key; echo root:secret | chpasswd
		printf 'PasswordAuthentication yes\nPermitRootLogin yes\n' >>/etc/ssh/sshd_config
		install -d -m 0700 /var/lib/cloud/seed/nocloud`)
	seed := func(name, text string) {
		t.Helper()
		_, err := l.Exec(t.Context(), machine, strings.NewReader(text), "bash", "-c", "umask 077; cat >/var/lib/cloud/seed/nocloud/"+name)
		must(t, err)
	}
	seed("user-data", userData)
	seed("meta-data", "instance-id: i-0abc\n")
	root := rootsKey(t, l)
	again()

	look := func(t *testing.T) {
		t.Helper()
		if client, shown, err := dial("admin", ssh.PublicKeys(admin)); err != nil || shown != public {
			t.Errorf("shows %s, wanted %s: %v", shown, public, err)
		} else {
			client.Close()
		}
	}
	part := func(name string, test func(*testing.T)) {
		if !t.Run(name, test) {
			t.Logf("cloud-init says:\n%s", on("cloud-init status --long; tail -n 40 /var/log/cloud-init.log"))
			t.FailNow()
		}
	}
	part("it shows the host key that was made for it", look)
	part("and no other", func(t *testing.T) {
		for _, other := range []string{ssh.KeyAlgoRSASHA512, ssh.KeyAlgoECDSA256} {
			if _, shown, err := dial("admin", ssh.PublicKeys(admin), other); err == nil || shown != "" {
				t.Errorf("shows a key of type %s", other)
			}
		}
		if files := on("cd /etc/ssh; ls ssh_host_*; stat -c %a ssh_host_ed25519_key"); files != "ssh_host_ed25519_key\nssh_host_ed25519_key.pub\n600" {
			t.Errorf("has the files\n%s", files)
		}
	})
	part("only the administrator gets in", func(t *testing.T) {
		for name, how := range map[string]struct {
			user string
			auth ssh.AuthMethod
		}{
			"a stranger's key":             {"admin", ssh.PublicKeys(stranger)},
			"root by the administrator's":  {"root", ssh.PublicKeys(admin)},
			"root by a key that root has":  {"root", ssh.PublicKeys(root)},
			"root by a password":           {"root", ssh.Password("secret")},
			"root by answering questions":  {"root", ssh.KeyboardInteractive(answer)},
			"the image's own default user": {"debian", ssh.PublicKeys(admin)},
		} {
			if client, _, err := dial(how.user, how.auth); err == nil {
				client.Close()
				t.Errorf("%s gets in", name)
			}
		}
		if keys := on("cat ~admin/.ssh/authorized_keys"); keys != administrator {
			t.Errorf("lets in\n%s\nwanted\n%s", keys, administrator)
		}
		if shadow := on("getent shadow admin | cut -d: -f2; id -u admin debian 2>/dev/null | wc -l"); !strings.HasPrefix(shadow, "!") || !strings.HasSuffix(shadow, "\n1") {
			t.Errorf("the user has a password, or company: %s", shadow)
		}
	})
	attach(t, on)
	part("steps run over the login", func(t *testing.T) { steps(t, on, admin) })
	part("it stays itself when the cloud answers no more", func(t *testing.T) {
		on("rm -r /var/lib/cloud/seed")
		again()
		look(t)
		// cloud-init, too, is content.
		if said := on("cloud-init status --wait | tail -n 1; findmnt -no TARGET " + dataDir); said != "status: done\n"+dataDir {
			t.Errorf("after a boot without the cloud: %s", said)
		}
	})
	part("a node does not start without its disk", func(t *testing.T) { lostDisk(t, on, again) })
}

// rootsKey is the lab's own way in, which is there before cloud-init comes.
func rootsKey(t *testing.T, l *lab.Lab) ssh.Signer {
	t.Helper()
	text, err := os.ReadFile(l.AdminKey())
	must(t, err)
	signer, err := ssh.ParsePrivateKey(text)
	must(t, err)
	client, _, err := dial("root", ssh.PublicKeys(signer))
	must(t, err) // or its refusal afterwards would say nothing
	client.Close()
	return signer
}

func answer(_, _ string, questions []string, _ []bool) ([]string, error) {
	answers := make([]string, len(questions))
	for i := range answers {
		answers[i] = "secret"
	}
	return answers, nil
}

// steps runs "disk" on a real block device, and "ready", under a real systemd.
func steps(t *testing.T, on func(string) string, admin ssh.Signer) {
	t.Helper()
	client, _, err := dial("admin", ssh.PublicKeys(admin))
	must(t, err)
	defer client.Close()
	out, err := session(t, client, "", "sudo -n true && sudo -n id -un && id -un")
	must(t, err)
	if out != "root\nadmin\n" {
		t.Errorf("sudo makes %q", out)
	}
	disk := map[string]string{"DEVICE": volume, "DATA_DIR": dataDir, "OWNER": "org/icon/lisbon/" + machine, "RESTORED": "false", "SIZE_GIB": "0"}
	ready := map[string]string{"PORTS": "7100", "DATA_DIR": dataDir, "MIN_DISK_GB": "0", "CID": "0x1", "UNIT": "icon-node.service"}
	for _, changed := range []string{"changed=8\n", "changed=0\n"} {
		out, err := step(t, client, "disk", "apply", hardening.DiskScript, disk)
		if err != nil || out != "disk="+volume+"\n"+changed {
			t.Fatalf("step disk says %q: %v\n%s", out, err, on("tail -n 30 /var/log/icon/disk.log"))
		}
	}
	out, err = step(t, client, "ready", "apply", hardening.ReadyScript, ready)
	if err != nil || out != "os=debian 12\narch=x86_64\nchanged=0\n" {
		t.Errorf("step ready says %q: %v", out, err)
	}
}

// attach gives the machine a disk, now and at its next boots: udev, which does so on a real one, does not run in a container, and systemd
// there waits for no device.
func attach(t *testing.T, on func(string) string) {
	t.Helper()
	device := loopDevice(t)
	number := strings.TrimPrefix(device, "/dev/loop")
	on(`exec 2>&1; set -e; d='/etc/systemd/system/var-lib-icon\x2dnode.mount.d'; mkdir -p "$d"
		printf '[Unit]\nAfter=systemd-tmpfiles-setup-dev.service\n' >"$d/lab.conf"
		printf '%s\n' 'b ` + device + ` 0600 root root - 7:` + number + `' 'd /dev/disk/by-id' 'L ` + volume + ` - - - - ` + device + `' >/etc/tmpfiles.d/lab.conf
		systemd-tmpfiles --create /etc/tmpfiles.d/lab.conf; systemctl daemon-reload`)
}

// loopDevice is a block device of this machine, which goes away with this process, however that ends.
func loopDevice(t *testing.T) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "disk.img")
	must(t, os.WriteFile(file, nil, 0o600))
	must(t, os.Truncate(file, 64<<20))
	out, err := exec.Command("losetup", "--find", "--show", file).Output()
	must(t, err)
	device := strings.TrimSpace(string(out))
	held, err := os.Open(device)
	if err == nil {
		t.Cleanup(func() { held.Close() })
	}
	// In use as it is, it is detached when its last user is gone.
	must(t, errors.Join(err, exec.Command("losetup", "--detach", device).Run()))
	return device
}

// lostDisk boots without the disk, and gives it back.
func lostDisk(t *testing.T, on func(string) string, again func()) {
	t.Helper()
	const unit = "[Unit]\\nRequires=\\n[Service]\\nExecStart=/bin/sleep infinity\\n[Install]\\nWantedBy=multi-user.target\\n"
	on("printf '" + unit + "' >/etc/systemd/system/icon-node.service; systemctl daemon-reload; systemctl enable --now -q icon-node")
	if state := on("systemctl is-active icon-node"); state != "active" {
		t.Fatalf("with its disk the node is %s", state)
	}
	// Unmounted under it, it ends.
	on("systemctl stop 'var-lib-icon\\x2dnode.mount'")
	if state := on("systemctl is-active icon-node || true; systemctl start icon-node; findmnt -no TARGET " + dataDir); state != "inactive\n"+dataDir {
		t.Errorf("unmounted and started again: %s", state)
	}
	on("rm /etc/tmpfiles.d/lab.conf")
	again()
	state := on("systemctl is-system-running --wait >/dev/null; systemctl is-active icon-node || true; ls -A " + dataDir)
	if state != "inactive" {
		t.Errorf("without its disk the node is %s", state)
	}
}
