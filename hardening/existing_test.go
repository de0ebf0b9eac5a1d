package hardening_test

import (
	"strings"
	"testing"
)

// These are about machines that were in use before: what a control would break there stops the deploy before anything is changed.

func TestWhoHasLoggedInSoFarIsNotLockedOutUnasked(t *testing.T) {
	out := scenario(t, "ssh-server", "prep", nil, `
		mkdir -p /var/tmp/home/{bob,eve,svc,old}/.ssh; cd /var/tmp/home
		echo 'from="192.0.2.1" ssh-ed25519 AAAA bob' >bob/.ssh/authorized_keys; echo '# ssh-ed25519 AAAA gone' >eve/.ssh/authorized_keys
		cp bob/.ssh/authorized_keys svc/.ssh/
		printf '%s:x:1001:1001::/var/tmp/home/%s:%s\n' bob bob /bin/bash eve eve /bin/bash svc svc /usr/sbin/nologin >>/etc/passwd
		mkdir -p /etc/ssh; echo 'UsePAM yes' >/etc/ssh/sshd_config
		ssh_server_before; echo named; SSH_SERVER_USERS=root ssh_server_before
		echo ours; echo '# Made by pulumi-icon.' >/etc/ssh/sshd_config; ssh_server_before; echo end`)
	inOrder(t, out, "user bob logs in by keys of /var/tmp/home/bob/.ssh/authorized_keys", "ssh-server.users", "named\nours\nend\n")
	if strings.Contains(out, "eve") || strings.Contains(out, "svc") {
		t.Errorf("%s", out)
	}
}

func TestProgramsThatRunFromWhereNoneMayAnyMoreAreNamed(t *testing.T) {
	out := scenario(t, "mounts", "prep", map[string]any{"exec": []any{"/home"}}, `
		mkdir -p /etc/systemd/system; cp "$(command -v sleep)" /var/tmp/agent; /var/tmp/agent 60 & 
		printf '[Service]\nExecStart=-/tmp/x/exporter --a\nExecStop=/home/a/stop\n' >/etc/systemd/system/exporter.service
		mounts_before; kill %1`)
	inOrder(t, out, "/var/tmp/agent runs, and programs in /var/tmp ", "exporter.service starts /tmp/x/exporter, and programs in /tmp ")
	if strings.Contains(out, "/home") {
		t.Errorf("%s", out)
	}
}

func TestModulesThatAMountOrADeviceHoldsAreNamed(t *testing.T) {
	out := scenario(t, "kernel-modules", "sentry", nil, `kernel_modules_held <<'MODULES'
overlay 163840 3 - Live 0x0
usb_storage 81920 2 uas, Live 0x0
uas 32768 0 - Live 0x0
bluetooth 974848 34 btusb, Live 0x0
ext4 999999 4 - Live 0x0
squashfs 1 1 zstd, Live 0x0
MODULES`)
	inOrder(t, out, "module overlay is in use", "module usb_storage is in use")
	if n := strings.Count(out, " is in use"); n != 2 {
		t.Errorf("%d in\n%s", n, out)
	}
}

func TestAPurgeTakesNothingThatIsNotOnItsListAndNoServiceThatRuns(t *testing.T) {
	out := scenario(t, "packages", "prep", nil, `
		pretend dpkg-query 'case "$*" in
			*Abbrev*) printf "ii  nginx\nii  rsync\nii  rpcbind\nrc  ftp\n" ;; *standard) echo metapackages ;; *) echo net ;; esac'
		pretend apt-get 'case "$*" in *ftp*) exit 1 ;; esac
			printf "Purg nginx [1]\nPurg rsync [1]\nRemv rsnapshot [1]\nRemv ubuntu-standard [1]\n"'
		pretend systemctl '[[ $* == *nginx.service || $* == *rpcbind.service ]]'
		mkdir -p /var/lib/dpkg/info; cd /var/lib/dpkg/info
		for p in nginx rsync rpcbind; do echo "/lib/systemd/system/$p.service" >$p.list; done
		purge_before`)
	inOrder(t, out, "package nginx is not wanted, and its nginx.service runs", "package rsnapshot needs one that is not wanted")
	if n := strings.Count(out, "\n"); n != 2 {
		t.Errorf("%d lines in\n%s", n, out)
	}
}

func TestAllThatStandsInTheWayIsSaidAtOnceAndNothingIsChanged(t *testing.T) {
	out := scenario(t, "packages", "prep", nil, `
		purge_before() { echo 'package one'; }; firewall_before() { echo 'firewall two'; }
		fail() { echo "FAIL $1"; exit 0; }
		WORD=image look_first; echo image; WORD=apply; look_first; echo changed`)
	want := "image\n" +
		"FAIL this machine is used for what the hardening would break; nothing was changed:\npackage one\nfirewall two\n"
	if out != want {
		t.Errorf("got\n%s\nwant\n%s", out, want)
	}
}

func TestUnitsOfPackagesThatStayAreLeftAlone(t *testing.T) {
	out := scenario(t, "services", "prep", nil, `PACKAGES_KEEP='nginx other' HALF=apply
		mkdir -p /var/lib/dpkg/info /usr/local/lib/systemd/system; echo /lib/systemd/system/nginx.service >/var/lib/dpkg/info/nginx.list
		touch /usr/local/lib/systemd/system/{nginx,squid}.service
		pretend systemctl 'case "$*" in
			show\ -p*) shift 3; for u; do printf "Id=other\nActiveState=inactive\nLoadState=loaded\n\n"; done ;;
			show*) printf "loaded\ninactive\n" ;;
			*mask*) echo "$@" >>/var/tmp/masked ;; esac'
		services >/dev/null; cat /var/tmp/masked`)
	if !strings.Contains(out, "squid.service") || strings.Contains(out, "nginx") {
		t.Errorf("%s", out)
	}
}

func TestOthersThanRootMayUseTheirCrontabIfTheyAreNamed(t *testing.T) {
	out := scenario(t, "cron", "prep", map[string]any{"users": []any{"root", "bob"}}, `
		getent group crontab >/dev/null || echo 'crontab:x:4242:' >>/etc/group
		HALF=apply; cron >/dev/null; stat -c '%a %U:%G' /etc/cron.allow /etc/at.allow
		CRON_USERS=root; cron >/dev/null; stat -c '%a %U:%G' /etc/cron.allow /etc/at.allow`)
	inOrder(t, out, "640 root:crontab\n640 root:daemon\n600 root:root\n600 root:root\n")
}

func TestDockersImagesStayWhereTheyAre(t *testing.T) {
	out := scenario(t, "container-runtime", "prep", nil, `
		mkdir -p /etc/docker; echo '{"data-root": "/data/docker", "bip": "1.2.3.4/24"}' >/etc/docker/daemon.json
		HALF=apply; container_runtime_docker >/dev/null; cat /etc/docker/daemon.json
		python3 -m json.tool /etc/docker/daemon.json >/dev/null && echo json
		HALF=verify; container_runtime_docker; echo "drifts $DRIFTS"; rm /etc/docker/daemon.json
		HALF=apply; container_runtime_docker >/dev/null
		python3 -m json.tool /etc/docker/daemon.json >/dev/null && echo json; cat /etc/docker/daemon.json`)
	inOrder(t, out, `"data-root": "/data/docker",`, "json\ndrifts 0\njson\n", `"bridge": "none"`)
	if strings.Contains(out, "bip") || strings.Count(out, "data-root") != 1 {
		t.Errorf("%s", out)
	}
}

func TestTheIntegrityDatabaseLeavesOutChainDataWhereverTheyAre(t *testing.T) {
	out := scenario(t, "integrity", "prep", nil, `DATA_DIR=/opt/icon.data; integrity_settings`)
	if !strings.Contains(out, "\n!/opt/icon[.]data(/|$)\n") {
		t.Errorf("%s", out)
	}
}

func TestSudoIsForTheMembersOfEveryGroupWithARule(t *testing.T) {
	out := scenario(t, "sudo", "prep", nil, `
		printf 'root:x:0:0::/root:/bin/bash\n' >/etc/passwd
		printf '%s:x:2001:%d::/:/bin/sh\n' eve 100 own 500 bob 100 >>/etc/passwd
		printf 'root:x:0:\nsudogrp:x:990:\nwheel:x:500:eve\n' >/etc/group; mkdir -p /etc/sudoers.d
		echo '%wheel ALL=(ALL:ALL) ALL' >/etc/sudoers.d/wheel; echo 'Defaults env_reset' >/etc/sudoers
		pretend gpasswd 'echo "gpasswd $2"'; keep() { :; }; HALF=verify; sudo_members`)
	if !strings.Contains(out, "eve in it") || !strings.Contains(out, "own in it") || strings.Contains(out, "bob") {
		t.Errorf("%s", out)
	}
}

func TestANetworkByUSBThatIsInUseIsNamedUnlessItIsAllowed(t *testing.T) {
	const used = `
		d=/var/tmp/usb1/1-1; mkdir -p $d/1-1:1.0/net/eth7 $d/1-1:1.0/net/eth8; echo 0b95 >$d/idVendor; echo 1790 >$d/idProduct
		ip link add eth7 type veth peer name eth8; ip addr add 192.0.2.1/24 dev eth7; ip link set eth7 up
		pretend readlink "printf '%s\\n' $d/1-1:1.0/net/eth7 $d/1-1:1.0/net/eth8 /sys/devices/pci/net/eth0"
		usb_devices_before; echo end`
	out := scenario(t, "usb-devices", "prep", nil, used)
	if out != "the USB device 0b95:1790 (eth7) is in use, and would be cut off at once: name it in usb-devices.allow\nend\n" {
		t.Errorf("%s", out)
	}
	if out := scenario(t, "usb-devices", "prep", map[string]any{"allow": []any{"0b95:*"}}, used); out != "end\n" {
		t.Errorf("%s", out)
	}
}

func TestADeployOverIPv6IsNotCutOffByItself(t *testing.T) {
	const sessions = `for SESSION in '' '192.0.2.1 5 192.0.2.2 22' '::ffff:192.0.2.1 5 ::ffff:192.0.2.2 22' '2001:db8::1 5 2001:db8::2 22'; do
		kernel_settings_before; done`
	out := scenario(t, "kernel-settings", "prep", nil, sessions)
	if strings.Count(out, "\n") != 1 || !strings.HasPrefix(out, "this deploy comes from 2001:db8::1: IPv6 is turned off") {
		t.Errorf("%s", out)
	}
	if out := scenario(t, "kernel-settings", "prep", map[string]any{"ipv6": true}, sessions); out != "" {
		t.Errorf("%s", out)
	}
}

func TestPasswordsOfADirectoryAreNotShutOutUnasked(t *testing.T) {
	out := scenario(t, "pam", "prep", nil, `
		mkdir -p /etc/pam.d; printf 'auth\t[success=2 default=ignore]\tpam_unix.so nullok\n' >/etc/pam.d/common-auth; pam_before; echo Debian
		printf 'auth\t[success=1 default=ignore]\tpam_sss.so use_first_pass\n' >>/etc/pam.d/common-auth; pam_before`)
	if !strings.HasPrefix(out, "Debian\npasswords are also checked by pam_sss.so ") {
		t.Errorf("%s", out)
	}
}
