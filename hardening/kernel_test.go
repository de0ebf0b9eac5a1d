package hardening_test

import (
	"strings"
	"testing"

	"github.com/insight-icon/pulumi-icon/hardening"
	"github.com/insight-icon/pulumi-icon/tests/host"
)

// machineSafe keeps a scenario from this machine: its kernel's own settings are read-only as in a container, /boot is empty, and the state
// is in memory.
const machineSafe = `STATE=/run/state RUN=/run/engine CONTAINER=test IN_TRIAL=false
	mount --bind /proc/sys /proc/sys && mount --bind /proc/sys/net /proc/sys/net && mount -o remount,bind,ro /proc/sys || exit 98
	cd /run && mkdir -p /run/engine
	[[ ! -w /proc/sys/kernel/panic && -w /proc/sys/net/ipv4/ip_forward ]] || exit 98
	mount -t tmpfs tmpfs /boot || exit 98
	pretend systemctl 'case "$*" in "show -p"*) printf "UnitFileState=enabled\nActiveState=active\n" ;; is-active*) exit 1 ;; esac'
`

func TestKernelSettingsAreInForceAtOnceAndWhatAContainerCannotSetIsSaid(t *testing.T) {
	out := scenario(t, "kernel-settings", "prep", nil, machineSafe+`
		ip link add eth7 type veth peer name peer7; echo 1 >/proc/sys/net/ipv4/conf/eth7/accept_redirects
		HALF=apply; kernel_settings >/dev/null; cat /proc/sys/net/ipv4/conf/{all,default,eth7}/accept_redirects | paste -sd' '
		cat /proc/sys/net/ipv6/conf/eth7/disable_ipv6 /proc/sys/net/ipv4/ip_local_port_range
		CHANGES=0; kernel_settings; echo "again $CHANGES"
		KERNEL_ABSENT=() HALF=verify; kernel_settings; kernel_settings_verify; echo "drifts $DRIFTS; $ABSENT_HERE"
		echo 1 >/proc/sys/net/ipv4/conf/eth7/send_redirects; echo 0 >/proc/sys/net/ipv4/tcp_syncookies; kernel_settings`)
	inOrder(t, out, "0 0 0\n", "1\n32768\t65535\n", "again 0\n", "drifts 0; a container cannot set what belongs to the machine's kernel: ",
		"kernel.panic_on_oops", "drift\tkernel-settings\tnet/ipv4/conf/eth7/send_redirects\t0\t1\n",
		"drift\tkernel-settings\tnet.ipv4.tcp_syncookies\t1\t0\n")
}

func TestOwnKernelSettingsTakePrecedence(t *testing.T) {
	out := scenario(t, "kernel-settings", "prep", map[string]any{
		"set":         []any{"net.ipv4.conf.all.arp_ignore=2", "net.core.somaxconn=4096", "net.ipv4.ip_local_port_range=40000,50000"},
		"reversePath": "loose", "ipv6": true, "forwarding": true, "userNamespaces": true,
	}, `kernel_settings_list; echo "$KERNEL_TEXT"`)
	for _, want := range []string{
		"net.ipv4.conf.all.arp_ignore = 2\n", "net.core.somaxconn = 4096\n", "net.ipv4.ip_local_port_range = 40000 50000\n",
		"net.ipv4.ip_forward = 1\n", "net.ipv4.conf.default.rp_filter = 2\n",
	} {
		if strings.Count(out, want) != 1 {
			t.Errorf("wanted %q once in\n%s", want, out)
		}
	}
	for _, unwanted := range []string{"arp_ignore = 1", "disable_ipv6", "accept_ra", "userns"} {
		if strings.Contains(out, unwanted) {
			t.Errorf("%s is in\n%s", unwanted, out)
		}
	}
}

func TestForwardingIsLeftToTheDockerDaemonThatTurnsItOn(t *testing.T) {
	out := scenario(t, "kernel-settings", "prep", nil, `for RUNTIME in docker podman; do
		kernel_settings_list; echo "$RUNTIME $(grep -c ip_forward <<<"$KERNEL_TEXT")"; done`)
	inOrder(t, out, "docker 0\n", "podman 1\n")
}

func TestStrictFilteringThatWouldLockTheDeployOutIsRefusedBeforeItIsSet(t *testing.T) {
	const way = machineSafe + `for i in 1 2; do
		ip link add eth$i type veth peer name peer$i; ip link set peer$i up; ip link set eth$i up; ip address add 192.0.2.$i/32 dev eth$i; done
		ip route add 198.51.100.0/24 dev eth2; HALF=apply SESSION="198.51.100.9 5000 192.0.2.`
	out := scenario(t, "kernel-settings", "prep", nil, way+`2 22"; kernel_settings_before; echo none
		kernel_settings >/dev/null; cat /proc/sys/net/ipv4/conf/all/rp_filter`)
	inOrder(t, out, "none\n", "1\n")
	out = scenario(t, "kernel-settings", "prep", nil, way+`1 22"; (look_first) || true; cat /proc/sys/net/ipv4/conf/all/rp_filter`)
	inOrder(t, out, "nothing was changed", "leave through eth2, while it comes in through eth1 (192.0.2.1)",
		"kernel-settings.reversePath to loose\n", "0\n")
}

func TestDirectoriesAreMountedOntoThemselvesWithTheirFilesAndDataStayWhereTheyAre(t *testing.T) {
	out := scenario(t, "mounts", "prep", map[string]any{"exec": []any{"/var/log"}}, machineSafe+`
		mount -t tmpfs tmpfs /home && mkdir -p /home/node/data /home/data && mount -t tmpfs tmpfs /home/data; echo kept >/home/data/file
		umount /var/tmp; HALF=apply; mounts >/dev/null; mounts_apply; mounts_missing
		cat /home/data/file
		for p in /var/tmp /home /var/log; do findmnt -no OPTIONS "$p" | tail -n 1 | grep -oE 'nosuid|nodev|noexec' | paste -sd,; done
		findmnt -no OPTIONS /proc | grep -o hidepid=invisible; grep -E '^(tmpfs|proc) ' /etc/fstab
		HALF=verify; mounts; mounts_verify; echo "drifts $DRIFTS"
		mount -o remount,bind,exec /home; mounts_verify
		DATA_DIR=/home/node/data HALF=apply; mounts >/dev/null; echo "${MOUNTS[@]}"; cat /etc/systemd/system/icon-mounts.service`)
	inOrder(t, out, "kept\n", "nosuid,nodev,noexec\n", "nosuid,nodev,noexec\n", "nosuid,nodev\n", "hidepid=invisible\n",
		"tmpfs /dev/shm tmpfs nodev,nosuid,noexec 0 0\n", "proc /proc proc nosuid,nodev,noexec,hidepid=invisible,gid=", "drifts 0\n",
		"drift\tmounts\tmount options of /home\tnodev,nosuid,noexec\t")
	_, rest, _ := strings.Cut(out, "drift\tmounts")
	list, _, _ := strings.Cut(rest, "[Unit]")
	if strings.Contains(list, "/home nodev") {
		t.Errorf("a directory that holds chain data is remounted:\n%s", out)
	}
	_, unit, _ := strings.Cut(out, "# Made by pulumi-icon.\n[Unit]")
	host.VerifyUnit(t, "icon-mounts.service", "[Unit]"+unit, []string{"/usr/local/lib/icon/mounts"}, nil)
}

// grub is what of Debian's GRUB the control meets: update-grub reads the drop-ins, and makes the menu for all to read.
const grub = machineSafe + `mkdir -p /etc/default/grub.d /boot/grub /etc/grub.d
	echo 'GRUB_CMDLINE_LINUX="console=ttyS0"' >/etc/default/grub
	touch /boot/grub/grub.cfg /boot/System.map-6.1; echo 'CLASS="--class os"' >/etc/grub.d/10_linux
	pretend update-grub '. /etc/default/grub; for f in /etc/default/grub.d/*.cfg; do . $f; done; . /etc/grub.d/10_linux; echo run >>/run/runs
		{ [[ ! -x /etc/grub.d/05_icon_password ]] || /etc/grub.d/05_icon_password; echo "menuentry Debian $CLASS {"
		echo "  linux /boot/vmlinuz-6.1 root=UUID=1 ro $GRUB_CMDLINE_LINUX quiet"; cat /run/other 2>/dev/null; } >/boot/grub/grub.cfg
		chmod 444 /boot/grub/grub.cfg'
	both() { HALF=apply CHANGES=0; boot_loader; boot_loader_apply
		HALF=verify DRIFTS=0; boot_loader; boot_loader_verify; echo "changes $CHANGES drifts $DRIFTS"; }
`

func TestKernelArgumentsAreInTheMenuAndAskForABootOnce(t *testing.T) {
	out := scenario(t, "boot-loader", "prep", nil, grub+`both; cat /boot/grub/grub.cfg
		stat -c %a /boot/grub/grub.cfg /boot/System.map-6.1 | paste -sd' '
		cat /run/reboot-required.pkgs; both; cat /run/runs; sed -i s/audit=1// /boot/grub/grub.cfg; HALF=verify; boot_loader_verify; both
		HALF=apply; rm -r /etc/default/grub /etc/default/grub.d; boot_loader; HALF=verify; boot_loader_verify; echo "$ABSENT_HERE"`)
	inOrder(t, out, "ro console=ttyS0 audit=1 audit_backlog_limit=8192 apparmor=1", "600 600\nicon-hardening\n", "changes 0 drifts 0\nrun\n",
		"drift\tboot-loader\t/boot/grub/grub.cfg\tthe wanted kernel arguments", "changes 2 drifts 0\n", "no GRUB here: ")
}

func TestTheBootMenuIsLockedOnceAndNeverStopsABoot(t *testing.T) {
	locked := map[string]any{"lock": true}
	out := scenario(t, "boot-loader", "prep", locked, grub+`both; sum=$(sha256sum </boot/grub/grub.cfg); cat /boot/grub/grub.cfg; both
		[[ $sum == "$(sha256sum </boot/grub/grub.cfg)" ]] && echo the same
		sed -i '/^password/d' /etc/grub.d/05_icon_password; HALF=verify; boot_loader; boot_loader_verify; both; cat /boot/grub/grub.cfg
		printf 'menuentry Other {\n}\n' >/run/other; : >/boot/grub/grub.cfg; both; cat /boot/grub/grub.cfg; both`)
	const lock = "set superusers=\"root\"\npassword_pbkdf2 root grub.pbkdf2.sha512.10000."
	inOrder(t, out, "drifts 0\n", lock, "menuentry Debian --unrestricted ", "changes 0 drifts 0\nthe same\n",
		"drift\tboot-loader\t/etc/grub.d/05_icon_password", "drifts 0\n", lock, "the boot menu is not locked", "drifts 0\n", "menuentry Other",
		"changes 0 drifts 0\n")
	if _, after, _ := strings.Cut(out, "menu is not locked"); strings.Contains(after, "superusers") {
		t.Errorf("the lock stays in a menu that would stop at it:\n%s", out)
	}
	out = scenario(t, "boot-loader", "prep", nil, grub+`both; cat /boot/grub/grub.cfg`)
	if strings.Contains(out, "superusers") {
		t.Errorf("locked though that is not wanted:\n%s", out)
	}
}

func TestAPasswordOfTheBootMenuNeverStopsABoot(t *testing.T) {
	const hash = "grub.pbkdf2.sha512.10000.AB.CD"
	out := scenario(t, "boot-loader", "prep", map[string]any{"passwordHash": hash}, grub+`both; cat /boot/grub/grub.cfg
		printf 'menuentry Other {\n}\n' >/run/other; rm /boot/grub/grub.cfg; touch /boot/grub/grub.cfg
		HALF=apply; (boot_loader; boot_loader_apply) || true; cat /boot/grub/grub.cfg`)
	inOrder(t, out, "drifts 0\n", "set superusers=\"root\"\npassword_pbkdf2 root "+hash+"\nmenuentry Debian --unrestricted ",
		"FAIL: ", "entries that would ask for the password at each boot", "menuentry Debian", "menuentry Other")
	if _, after, _ := strings.Cut(out, "FAIL: "); strings.Contains(after, "superusers") {
		t.Errorf("the password stays:\n%s", out)
	}
}

func TestContainersKeepTheirFileSystemAndUbuntuItsSnaps(t *testing.T) {
	out := scenario(t, "kernel-modules", "prep", nil, `for h in :debian-12 binary:debian-12 podman:debian-12 docker:ubuntu-24.04; do
		RUNTIME=${h%:*} OS=${h#*:}
		echo "$h $(kernel_modules_denied | tr ' ' '\n' | grep -xE 'overlay|squashfs|usb-storage' | paste -sd,)"; done`)
	inOrder(t, out, ":debian-12 squashfs,overlay,usb-storage\n", "binary:debian-12 squashfs,overlay,usb-storage\n",
		"podman:debian-12 squashfs,usb-storage\n",
		"docker:ubuntu-24.04 usb-storage\n")
}

func TestProgramsThatRunAsRootForEverybodyBelongToAPackage(t *testing.T) {
	out := scenario(t, "file-permissions", "prep", map[string]any{"suid": []any{"/opt/own/tool"}}, machineSafe+`
		HALF=verify; file_permissions_programs /usr/bin/passwd /usr/bin/su /opt/own/tool "/usr/local/bin/a b"; echo "drifts $DRIFTS"
		mkdir /usr/local/x; touch "/usr/local/x/a b"; chmod 6755 "/usr/local/x/a b"
		HALF=apply; file_permissions_programs "/usr/local/x/a b"; stat -c %a /usr/local/x/*`)
	inOrder(t, out, "drift\tfile-permissions\t/usr/local/bin/a b\tneither set-user-id nor set-group-id\tof no package\ndrifts 1\n",
		"755\n")
}

func TestWhatWouldBreakTheHostIsRefusedAsAParameter(t *testing.T) {
	for _, c := range []struct {
		control, param string
		value          any
		want           string
	}{
		{"kernel-settings", "set", []any{"net.ipv4.ip_forward=1"}, "sets net.ipv4.ip_forward, which is the parameter forwarding: set that"},
		{"kernel-settings", "set", []any{"net/ipv4/conf/all/rp_filter=0"}, "which is the parameter reversePath"},
		{"kernel-settings", "set", []any{"net.netfilter.nf_conntrack_max=10"}, "follows the sentry's limits"},
		{"kernel-settings", "set", []any{"kernel.modules_disabled=1"}, "leave it out"},
		{"kernel-settings", "set", []any{"vm.swappiness=1", "vm/swappiness=2"}, "sets vm.swappiness twice"},
		{"kernel-settings", "set", []any{"vm.swappiness = 1"}, `wanted: a list, each a setting "net.ipv4.tcp_rfc1337=0"`},
		{"kernel-settings", "set", []any{"vm.swappiness=$(id)"}, "wanted: a list"},
		{"kernel-settings", "ptraceScope", 0, "wanted: a whole number from 1 to 3"},
		{"kernel-settings", "reversePath", "off", "wanted: one of strict, loose"},
		{"kernel-modules", "deny", []any{"../x"}, "wanted: a list, each the name of a module"},
		{"usb-devices", "allow", []any{"046D:c31c"}, "wanted: a list, each vendor and product"},
		{"mounts", "exec", []any{"/var"}, "wanted: a list of any of /tmp"},
		{"boot-loader", "arguments", []any{`x"$(id)`}, "wanted: a list, each an argument"},
		{"boot-loader", "passwordHash", "secret", "wanted: what grub-mkpasswd-pbkdf2 prints"},
		{"file-permissions", "noSuid", []any{"/usr/bin/sudo"}, "the deploy user becomes root by it; leave it out"},
		{"file-permissions", "suid", []any{"/usr/bin/mount"}, "which noSuid holds too"},
		{"file-permissions", "suid", []any{"bin/x"}, "an absolute path"},
	} {
		o := hardening.Overrides{Parameters: map[string]map[string]any{c.control: {c.param: c.value}}}
		_, problems := hardening.Resolve("prep", hardening.Facts{}, o)
		found := ""
		if len(problems) == 1 && len(problems[0]) == 1 && problems[0][0].Path == "parameters."+c.control+"."+c.param {
			found = problems[0][0].Text
		}
		if !strings.Contains(found, c.want) {
			t.Errorf("%s.%s = %v: got %q, want %q (%v)", c.control, c.param, c.value, found, c.want, problems)
		}
	}
}

func TestWhatASentrySetsItselfCannotBeSetBesideIt(t *testing.T) {
	for role, wanted := range map[string]int{"sentry": 1, "prep": 0} {
		for _, key := range hardening.SentryKernelSettings() {
			o := hardening.Overrides{Parameters: map[string]map[string]any{"kernel-settings": {"set": []any{key + "=1"}}}}
			_, problems := hardening.Resolve(role, hardening.Facts{Role: role}, o)
			n := 0
			for _, p := range problems {
				n += len(p)
			}
			if n != wanted {
				t.Errorf("%s on a %s: %d problems, wanted %d: %v", key, role, n, wanted, problems)
			}
		}
	}
}
