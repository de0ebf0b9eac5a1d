package hardening_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/insight-icon/pulumi-icon/hardening"
	"github.com/insight-icon/pulumi-icon/tests/golden"
	"github.com/insight-icon/pulumi-icon/tests/host"
)

// disk is a real block device, over a file of 32 MB: a loop device that goes away with this process, however that ends.
func disk(t *testing.T) (device, file string) {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Fatal("run this as root: it makes block devices of files")
	}
	t.Parallel() // they wait for their disks most of the time
	file = filepath.Join(t.TempDir(), "disk.img")
	run(t, "truncate", "-s", "32M", file)
	device = strings.TrimSpace(run(t, "losetup", "--find", "--show", file))
	held, err := os.Open(device)
	if err != nil {
		run(t, "losetup", "--detach", device)
		t.Fatal(err)
	}
	t.Cleanup(func() {
		held.Close()
		if left := run(t, "losetup", "--associated", file); left != "" {
			t.Errorf("left over: %s", left)
		}
	})
	// In use as it is, it is detached when its last user is gone.
	run(t, "losetup", "--detach", device)
	return device, file
}

func run(tb testing.TB, argv ...string) string {
	tb.Helper()
	out, err := exec.Command(argv[0], argv[1:]...).CombinedOutput()
	if err != nil {
		tb.Fatalf("%s: %v\n%s", strings.Join(argv, " "), err, out)
	}
	return string(out)
}

// What the disk is called in the plan, and where it belongs.
const (
	volume  = "/run/by-id/nvme-Amazon_Elastic_Block_Store_vol0abc"
	dataDir = "/var/tmp/icon-node"
	owner   = "org/icon/mainnet/prep-1"
)

var diskVars = map[string]string{"DEVICE": volume, "DATA_DIR": dataDir, "OWNER": owner, "RESTORED": "false", "SIZE_GIB": "0"}

// diskPrelude lays the stable link, and plays the part of systemd that mounts.
const diskPrelude = `
mkdir -p /run/by-id /run/enabled /run/active
ln -s "$DISK" ` + volume + `
pretend systemctl '
echo "systemctl $*" >>/run/systemctl
unit=${*: -1}
say() { sed -n "s/^$1=//p" "/etc/systemd/system/$unit" 2>/dev/null; }
case $1 in
is-system-running) echo running ;;
is-enabled) [[ -e /run/enabled/$unit ]] ;;
enable) touch "/run/enabled/$unit" ;;
is-active) if [[ $unit == *.mount ]]; then mountpoint -q "$(say Where)"; else [[ -e /run/active/$unit ]]; fi ;;
start) mount -t "$(say Type)" -o "$(say Options)" "$(say What)" "$(say Where)" ;;
stop) rm "/run/active/$unit" ;;
disable) umount "$(say Where)" && rm "/run/enabled/$unit" ;;
esac'
data=` + dataDir + `
# aside DIR COMMAND…: with the disk mounted elsewhere, as another machine would.
aside() { mkdir -p "$1"; mount "$DISK" "$1"; (cd "$1" && eval "$2"); umount "$1"; }
`

// onDisk runs a scenario with the step "disk", and with "disk-restored" where the disk is a copy.
func onDisk(t *testing.T, device, file, scenario string) string {
	t.Helper()
	impatient := strings.Replace(hardening.DiskScript, "\nWAIT=120\n", "\nWAIT=1\n", 1)
	files := map[string]string{
		"disk":          program(t, hardening.DiskScript, diskVars, nil),
		"disk-restored": program(t, hardening.DiskScript, with(diskVars, "RESTORED", "true"), nil),
		"disk-of-other": program(t, hardening.DiskScript, with(diskVars, "OWNER", "org/icon/mainnet/prep-2"), nil),
		"disk-larger":   program(t, impatient, with(diskVars, "SIZE_GIB", "1000"), nil),
		"disk-patience": program(t, impatient, diskVars, nil),
	}
	out, _ := host.Scenario(t, files, "DISK="+device+" FILE="+file+"\n"+diskPrelude+scenario)
	return out
}

// contains reports which of the parts a text lacks.
func contains(t *testing.T, text string, parts ...string) {
	t.Helper()
	for _, p := range parts {
		if !strings.Contains(text, p) {
			t.Errorf("does not say %q:\n%s", p, text)
		}
	}
}

func TestTheDisksScriptIsCleanAndItsUnitsAreTakenBySystemd(t *testing.T) {
	host.Shellcheck(t, program(t, hardening.DiskScript, diskVars, nil))
	unit := func(name string) string {
		_, rest, _ := strings.Cut(hardening.DiskScript, "\n"+name+"='")
		text, _, found := strings.Cut(rest, "'\n")
		if !found {
			text, _, found = strings.Cut(rest, "'")
		}
		if !found {
			t.Fatalf("disk.sh has no %s", name)
		}
		return strings.NewReplacer("@DATA_DIR@", "/var/lib/icon-node", "@DEVICE@", "/dev/disk/by-id/nvme-x").Replace(text) + "\n"
	}
	golden.Check(t, "disk.mount", unit("MOUNT_UNIT"))
	golden.Check(t, "disk.conf", unit("NODE_UNIT"))
	host.VerifyUnit(t, `var-lib-icon\x2dnode.mount`, unit("MOUNT_UNIT"), nil, nil)
	node := strings.Replace(unit("NODE_UNIT"), "[Unit]\n", "[Unit]\nDescription=node\n", 1) + "[Service]\nExecStart=/bin/true\n"
	host.VerifyUnit(t, "icon-node.service", node, nil, nil)
}

func TestABlankDiskIsFormattedMountedAndLeftAloneAfterwards(t *testing.T) {
	device, file := disk(t)
	out := onDisk(t, device, file, `
		step disk apply; echo "exit $?"
		findmnt -no SOURCE,FSTYPE,OPTIONS "$data"; cat "$data/.icon-host"; ls "$data"
		dumpe2fs -h "$DISK" 2>/dev/null | grep -E '^(Filesystem volume name|Reserved block count)' | tr -s ' '
		ls /run/icon /etc/icon /run/enabled; grep -c daemon-reload /run/systemctl
		echo again; touch "$data/mine"; chown 1:1 "$data/.icon-host"; chmod 0700 "$data"
		step disk apply; grep -c daemon-reload /run/systemctl
		echo boot; umount "$data"; step disk apply; ls "$data"
		echo ready; step disk remove; echo "exit $?"; ls -d "$data" /etc/icon /var/log/icon /etc/systemd/system/*icon* 2>/dev/null
		aside /run/look 'cat .icon-host; ls'`)
	out = regexp.MustCompile(`(?m)^`+device+` ext4 .*$`).ReplaceAllStringFunc(out, func(line string) string {
		var kept []string
		for _, option := range []string{"rw", "nosuid", "nodev", "noexec"} {
			if strings.Contains(line, option) {
				kept = append(kept, option)
			}
		}
		return "ext4 " + strings.Join(kept, ",")
	})
	const want = `disk=` + volume + `
changed=8
exit 0
ext4 rw,nosuid,nodev,noexec
` + owner + `
lost+found
Filesystem volume name: icon-data
Reserved block count: 0
/etc/icon:
owners

/run/enabled:
var-tmp-icon\x2dnode.mount

/run/icon:
lock
2
again
disk=` + volume + `
changed=0
2
boot
disk=` + volume + `
changed=1
lost+found
mine
ready
changed=1
exit 0
` + owner + `
lost+found
mine
`
	if out != want {
		t.Errorf("said\n%s\nwanted\n%s", out, want)
	}
}

// Where root itself may not grow what is mounted (CAP_SYS_RESOURCE), as in many containers, the file system is unmounted for it.
const growing = `
if ((($(sed -n 's/^CapEff:[[:space:]]*/0x/p' /proc/self/status) >> 24 & 1) == 0)); then
	pretend resize2fs 'd=` + dataDir + `; umount "$d" && e2fsck -fp "$1" && /usr/sbin/resize2fs "$1" && mount -o noexec "$1" "$d"'
fi
`

func TestAFileSystemGrowsWithItsDisk(t *testing.T) {
	device, file := disk(t)
	out := onDisk(t, device, file, growing+`
		step disk apply >/dev/null; echo kept >"$data/mine"
		truncate -s 96M "$FILE"; losetup --set-capacity "$DISK"
		step disk apply; step disk apply; cat "$data/mine"; df --output=size -m "$data" | tail -n 1; grep grown /var/log/icon/disk.log`)
	lines := strings.Split(strings.TrimSpace(out), "\n")
	if len(lines) != 7 || lines[1] != "changed=1" || lines[3] != "changed=0" || lines[4] != "kept" {
		t.Fatalf("said\n%s", out)
	}
	if size := strings.TrimSpace(lines[5]); len(size) != 2 || size < "80" {
		t.Errorf("the file system has %s MB of 96", size)
	}
}

func TestOnlyABlankDiskIsEverFormatted(t *testing.T) {
	for name, c := range map[string]struct{ before, want string }{
		"another file system": {`mke2fs -q -t ext2 "$DISK"`, "holds ext2: only a blank disk is formatted, and only ext4 is used"},
		"swap":                {`mkswap -q "$DISK"`, "holds swap: only a blank disk"},
		"a partition table": {
			`printf 'label: gpt\n' | sfdisk -q --no-tell-kernel --no-reread "$DISK"`, "holds PMBR,gpt: only a blank disk",
		},
		"the copy of a partition table, at the end": {
			`printf 'label: gpt\n' | sfdisk -q --no-tell-kernel --no-reread "$DISK"
				dd if=/dev/zero of="$DISK" bs=1M count=1 conv=notrunc status=none`,
			"holds gpt: only a blank disk",
		},
		"one byte":            {`printf x | dd of="$DISK" bs=1 seek=9000000 conv=notrunc status=none`, "holds data of an unknown kind"},
		"one byte at the end": {`printf x | dd of="$DISK" bs=1 seek=33554431 conv=notrunc status=none`, "holds data of an unknown kind"},
		"mounted elsewhere": {
			`mke2fs -q -t ext4 "$DISK"; mkdir /run/other; mount "$DISK" /run/other`, "is mounted at /run/other: it is in use for something else",
		},
		"another host's disk": {
			`mke2fs -q -t ext4 "$DISK"; aside /run/x 'echo org/icon/lisbon/prep-1 >.icon-host'`,
			"is org/icon/lisbon/prep-1's, this is " + owner + ": it was neither changed nor mounted",
		},
		"a directory on the root disk": {
			`mkdir -p "$data/key"; echo k >"$data/key/keystore.json"`, "holds data on the root disk, which the disk " + volume + " would hide",
		},
		"a directory on another disk": {
			`mkdir -p "$data"; mount -t tmpfs tmpfs "$data"`, "data directory " + dataDir + " is on tmpfs, the plan wants it on " + volume,
		},
		"a link in place of the directory": {`ln -s /run "$data"`, "data directory " + dataDir + " is a symbolic link"},
	} {
		t.Run(name, func(t *testing.T) {
			device, file := disk(t)
			out := onDisk(t, device, file, c.before+`
				sync "$DISK"; sum=$(sha256sum <"$DISK")
				step disk apply; echo "exit $?"
				sync "$DISK"; [[ $(sha256sum <"$DISK") == "$sum" ]] || echo DIFFERS
				ls /run/enabled /etc/icon; ls "$data/key" 2>/dev/null; findmnt -no TARGET -S "$DISK"`)
			contains(t, out, "host host-1, step disk: ", c.want, "exit 1")
			// A mount and its end write to a file system's superblock, even when nothing else does.
			if strings.Contains(out, "DIFFERS") && name != "another host's disk" {
				t.Errorf("the disk was changed:\n%s", out)
			}
			if strings.Contains(out, ".mount") || strings.Contains(out, "formatting") || strings.Contains(out, "/run/icon/volume") {
				t.Errorf("something was left or enabled:\n%s", out)
			}
		})
	}
}

func TestAPartitionedDiskIsRefusedWhereTheKernelKnowsThePartitions(t *testing.T) {
	device, file := disk(t)
	out := onDisk(t, device, file, `
		pretend lsblk 'if [[ $* == *NAME,TYPE* ]]; then printf "nvme1n1 disk\nnvme1n1p1 part\n"; else exec /usr/bin/lsblk "$@"; fi'
		step disk apply; echo "exit $?"`)
	contains(t, out, "holds nvme1n1p1 part: only a blank disk is formatted", "exit 1")
}

func TestAFormatThatWasCutOffIsDoneAgain(t *testing.T) {
	device, file := disk(t)
	out := onDisk(t, device, file, `
		pretend mkfs.ext4 'printf x | dd of="${*: -1}" bs=1 seek=9000000 conv=notrunc status=none; kill -9 $PPID'
		step disk apply 2>/dev/null; cat /etc/icon/formatting
		rm /usr/local/sbin/mkfs.ext4; rm -rf /run/icon/unfinished-disk
		step disk apply; echo "exit $?"; ls /etc/icon; findmnt -no FSTYPE "$data"
		echo other >/etc/icon/formatting; touch "$data/mine"; umount "$data"; step disk apply; ls "$data"`)
	contains(t, out, volume+"\ndisk="+volume+"\nchanged=8\nexit 0\nowners\next4\n", "changed=1\nlost+found\nmine\n")
}

func TestADiskThatDoesNotComeIsNamed(t *testing.T) {
	device, file := disk(t)
	out := onDisk(t, device, file, `
		rm `+volume+`; step disk-patience apply; echo "exit $?"
		ln -s /dev/null `+volume+`; step disk-patience apply`)
	contains(t, out, "the data disk "+volume+" did not appear within 1 s: is the volume attached", "exit 1")
	if strings.Count(out, "did not appear") != 2 {
		t.Errorf("what is no disk is taken for one:\n%s", out)
	}
	late := onDisk(t, device, file, `rm `+volume+`; (sleep 2; ln -s "$DISK" `+volume+`) & step disk apply; echo "exit $?"`)
	contains(t, late, "exit 0")
}

// A disk with chain, key and logs of the host named in STAMP.
const used = `
	step disk apply >/dev/null
	mkdir -p "$data"/{chain/1,key,logs}; echo k >"$data/key/keystore.json"; echo p >"$data/key/password"
	echo c >"$data/chain/1/db"; echo l >"$data/logs/x"
	if [[ -n $STAMP ]]; then echo "$STAMP" >"$data/.icon-host"; else rm "$data/.icon-host"; fi
	umount "$data"; rm /run/enabled/*; : >/run/systemctl
`

func TestARestoredDiskLosesTheKeyOfAnotherHostAndKeepsItsOwn(t *testing.T) {
	const own, kept, lost = owner + "\n", "chain/1/db\nkey/keystore.json\nkey/password\nlogs/x\n", "chain/1/db\n"
	for name, c := range map[string]struct{ stamp, step, said, left string }{
		"its own":                        {owner, "disk-restored", "", kept},
		"another's":                      {"org/icon/lisbon/prep-1", "disk-restored", "removed-key-of=org/icon/lisbon/prep-1\n", lost},
		"nobody's":                       {"", "disk-restored", "removed-key-of=unknown\n", lost},
		"nobody's, and no copy":          {"", "disk", "", kept},
		"the like-named of another plan": {"org/icon/lisbon/host-1", "disk-restored", "removed-key-of=org/icon/lisbon/host-1\n", lost},
	} {
		t.Run(name, func(t *testing.T) {
			device, file := disk(t)
			out := onDisk(t, device, file, "STAMP="+c.stamp+used+`
				step `+c.step+` apply | grep -v '^changed='; cat "$data/.icon-host"; cd "$data"; find chain key logs -type f 2>/dev/null | sort; cd /
				step `+c.step+` apply`)
			if want := c.said + "disk=" + volume + "\n" + own + c.left + "disk=" + volume + "\nchanged=0\n"; out != want {
				t.Errorf("said\n%s\nwanted\n%s", out, want)
			}
		})
	}
}

func TestAForeignKeyIsGoneBeforeTheDiskIsWhereANodeLooks(t *testing.T) {
	device, file := disk(t)
	out := onDisk(t, device, file, "STAMP=org/icon/lisbon/prep-1"+used+`
		pretend shred 'mountpoint -q "$data" && echo "mounted already"; ls /run/enabled; kill -9 $(ps -o ppid= -p $PPID)'
		export data; step disk-restored apply 2>/dev/null; ls /run/enabled; mountpoint "$data"; findmnt -no TARGET -S "$DISK"
		rm /usr/local/sbin/shred; step disk-restored apply; ls -d /run/icon/volume 2>/dev/null; ls "$data" /run/enabled | sed '/enabled/d'`)
	const want = dataDir + " is not a mountpoint\n/run/icon/volume\nremoved-key-of=org/icon/lisbon/prep-1\ndisk=" + volume + "\n"
	if !strings.HasPrefix(out, want) || !strings.HasSuffix(out, dataDir+":\nchain\nlost+found\n") {
		t.Errorf("said\n%s\nwanted\n%s", out, want)
	}
}

func TestANodeThatRunsIsStoppedBeforeItsForeignKeyIsRemoved(t *testing.T) {
	device, file := disk(t)
	out := onDisk(t, device, file, "STAMP=org/icon/lisbon/prep-1"+used+`
		mount "$DISK" "$data"; touch /run/active/icon-node.service
		step disk-restored apply; ls /run/active "$data"; step disk-of-other apply; echo "exit $?"; mountpoint "$data"`)
	contains(t, out, "removed-key-of=org/icon/lisbon/prep-1\n", "/run/active:\n\n", dataDir+":\nchain\nlost+found\n",
		"is "+owner+"'s, this is org/icon/mainnet/prep-2", "exit 1\n"+dataDir+" is a mountpoint")
}

func TestANodesDiskIsNoForeignDataToReady(t *testing.T) {
	vars := with(readyVars, "DATA_DIR", dataDir, "CID", "0x1")
	for file, want := range map[string]string{".icon-host": "exit 0", ".icon-hosts": "holds what is no node's: .icon-hosts"} {
		out := ready(t, "", vars, "mkdir -p "+dataDir+"/{chain,key,logs,lost+found}; touch "+dataDir+"/"+file)
		contains(t, out, want)
	}
}

func TestADiskThatIsSmallerThanWantedIsNotTouched(t *testing.T) {
	device, file := disk(t)
	out := onDisk(t, device, file, `step disk-larger apply; echo "exit $?"; blkid -p "$DISK" || echo blank`)
	contains(t, out, "GiB after 1 s, wanted 1000 GiB", "exit 1\nblank\n")
}
