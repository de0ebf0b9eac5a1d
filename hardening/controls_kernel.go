package hardening

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
)

// kernelControls are about the kernel, how it is booted, and the files of the system.
var kernelControls = []Control{
	{
		ID:    "kernel-settings",
		Title: "Settings of the running kernel (sysctl)",
		Why: "The kernel's own defaults suit a desktop or a router: they let neighbours change routes, let any program look into others, " +
			"and leave parts of the kernel open to everybody that only debuggers need. Each value's reason is in the file on the host.",
		Breaks: "Strict reverse path filtering drops what comes in through one interface and would be answered through another (tunnels, " +
			"several uplinks): set reversePath to loose there. Without IPv6 nothing listens on ::1. Without user namespaces there are no " +
			"rootless containers. Nobody but root uses perf or BPF, and a debugger attaches to its own children only. A fault in the kernel " +
			"restarts the machine, a validator too; kdump cannot record it (kernel.kexec_load_disabled). Addresses on lo or a dummy interface " +
			"(failover addresses) are answered for again with net.ipv4.conf.all.arp_ignore=0, routers that share one by gratuitous ARP are " +
			"followed at once with net.ipv4.conf.all.drop_gratuitous_arp=0, both in set.",
		Items: slices.Concat(
			cis("1.5.1", "1.5.2", "1.5.3", "3.1.1", "3.3.1", "3.3.2", "3.3.3", "3.3.4", "3.3.5", "3.3.6", "3.3.7", "3.3.8", "3.3.9", "3.3.10",
				"3.3.11"),
			anssi("R9", "R11", "R12", "R13", "R14"),
			devsec("sysctl-01", "sysctl-02", "sysctl-03", "sysctl-04", "sysctl-08", "sysctl-10", "sysctl-11", "sysctl-13", "sysctl-14",
				"sysctl-15", "sysctl-16", "sysctl-17", "sysctl-19", "sysctl-20", "sysctl-25", "sysctl-30", "sysctl-32", "sysctl-34"),
		),
		Params: []Param{
			{
				Name: "reversePath", Kind: Word, Default: "strict", Choices: []string{"strict", "loose"},
				What: "which packets are taken: strict, those that come in where their answer goes out (RFC 3704); loose, those whose sender " +
					"there is any route to",
			},
			{Name: "forwarding", Kind: Bool, Default: false, What: "whether the host passes packets on; on hosts with Docker, dockerd decides"},
			{Name: "ipv6", Kind: Bool, Default: false, What: "whether IPv6 stays on; nothing of this installation's uses it"},
			{
				Name: "ptraceScope", Kind: Int, Default: 1, Min: 1, Max: 3,
				What: "whom a process may look into: 1 its children, 2 none unless root, 3 none at all, until the next boot",
			},
			{
				Name: "userNamespaces", Kind: Bool, Default: false,
				What: "whether users other than root may make user namespaces (rootless containers)",
			},
			{
				Name: "set", Kind: Words, Default: []string{},
				Form:   regexp.MustCompile(`^[a-z][a-z0-9_-]*([./][a-zA-Z0-9_-]+)+=-?[a-zA-Z0-9_,./-]+$`),
				FormIs: `a setting "net.ipv4.tcp_rfc1337=0", several values of one joined by ","`,
				What:   "settings of your own, which take precedence over those of the control",
			},
		},
		Check: checkKernelSettings,
	},
	{
		ID:    "kernel-modules",
		Title: "Parts of the kernel that nothing here uses are not loaded",
		Why: "Any user can have old file systems and network protocols loaded, by asking for them, and most of the kernel's holes are in " +
			"such rarely used parts. Storage by USB or FireWire carries data past every firewall.",
		Breaks: "USB disks, and whatever needs one of the named modules. overlay stays on hosts whose node runs in a container, squashfs on " +
			"Ubuntu (snaps). One that is mounted or a device's stops the deploy before anything is changed: containers of the machine's own " +
			"need overlay, and a machine with its disk on USB would not boot any more.",
		Items: slices.Concat(
			cis("1.1.1.1", "1.1.1.2", "1.1.1.3", "1.1.1.4", "1.1.1.5", "1.1.1.6", "1.1.1.8", "1.1.1.9", "3.2.1", "3.2.2", "3.2.3", "3.2.4"),
			devsec("os-10"),
		),
		Params: []Param{{
			Name: "deny", Kind: Words, What: "modules that are not loaded",
			Form: regexp.MustCompile(`^[a-z0-9][a-z0-9_-]*$`), FormIs: "the name of a module",
			Default: strings.Fields("cramfs freevxfs hfs hfsplus jffs2 udf squashfs overlay usb-storage uas firewire-core firewire-ohci " +
				"firewire-sbp2 dccp sctp rds tipc n-hdlc ax25 netrom rose x25 appletalk can atm af_802154 bluetooth btusb thunderbolt floppy vivid"),
		}},
	},
	{
		ID:    "usb-devices",
		Title: "Of USB devices, only keyboards and hubs are taken",
		Why: "Whoever gets at a machine for a moment needs no password to plug in a disk or a network card. Where the kernel has no USB, " +
			"as on most cloud machines, nothing runs.",
		Breaks: "Other USB devices (a network card, a serial console) are not taken: name them in allow, before the first deploy if the " +
			"machine is reached by one. A network with an address, or a disk in use, stops the deploy before anything is changed.",
		Items:    cis("1.1.1.9"),
		Packages: []string{"usbguard"},
		Params: []Param{{
			Name: "allow", Kind: Words, Default: []string{}, What: "further devices, by the numbers of vendor and product that lsusb shows",
			Form: regexp.MustCompile(`^[0-9a-f]{4}:([0-9a-f]{4}|\*)$`), FormIs: `vendor and product "0403:6001"`,
		}},
	},
	{
		ID:    "mounts",
		Title: "Options of mounts, and processes of others out of sight",
		Why: "In directories that many may write to, nobody runs programs, gains privileges by them or makes devices: a file that an " +
			"intruder got onto the host is no program yet. What other users' processes are called and do is not for everybody to see.",
		Breaks: "Programs in /tmp, /var/tmp, /home, /var/log and /dev/shm do not start (scripts do: bash file). dpkg asks some questions " +
			"late, as it runs scripts in /tmp before. Users without sudo see their own processes only: an agent of a monitoring system that " +
			"is not root needs the group icon-proc. Directories are mounted onto themselves, so a full one still fills the disk. A program " +
			"that runs from one of them, or a unit's, stops the deploy before anything is changed; jobs of cron are not looked at.",
		Items: slices.Concat(
			cis("1.1.2.1.2", "1.1.2.1.3", "1.1.2.1.4", "1.1.2.2.1", "1.1.2.2.2", "1.1.2.2.3", "1.1.2.2.4", "1.1.2.3.2", "1.1.2.3.3", "1.1.2.5.2",
				"1.1.2.5.3", "1.1.2.5.4", "1.1.2.6.2", "1.1.2.6.3", "1.1.2.6.4", "1.1.2.7.2", "1.1.2.7.3", "1.1.2.7.4"),
			anssi("R28"), devsec("os-14"),
		),
		Params: []Param{
			{
				Name: "exec", Kind: Words, Default: []string{}, Choices: []string{"/tmp", "/var/tmp", "/home", "/var/log", "/var/log/audit"},
				What: "directories of which programs may run after all",
			},
			{Name: "hideProcesses", Kind: Bool, Default: true, What: "whether users see their own processes only (hidepid)"},
		},
	},
	{
		ID:    "core-dumps",
		Title: "No core files",
		Why:   "A core file is a copy of a process's memory: the node's has its private key in it.",
		Breaks: "A crash leaves no memory to look into. A Go program's own trace of a crash goes to the journal as before. Services that " +
			"run already have the new limit from their next start on.",
		Items: slices.Concat(cis("1.5.3"), devsec("sysctl-31a")),
	},
	{
		ID:       "apparmor",
		Title:    "AppArmor, with all profiles in force",
		Why:      "Programs with a profile reach only what it names, even if somebody has taken them over.",
		Breaks:   "A program whose profile was only complaining is kept from what the profile does not name: name the profile in except.",
		Items:    slices.Concat(cis("1.3.1.1", "1.3.1.2", "1.3.1.3", "1.3.1.4"), anssi("R37", "R45")),
		Packages: []string{"apparmor", "apparmor-utils"},
		Params: []Param{{
			Name: "except", Kind: Words, Default: []string{}, Form: regexp.MustCompile(`^[A-Za-z0-9/][A-Za-z0-9_./+-]*$`),
			FormIs: "the name of a profile or of its file in /etc/apparmor.d", What: "profiles that may be disabled or complain",
		}},
	},
	{
		ID:    "boot-loader",
		Title: "Arguments of the kernel, and who reads and changes what is in /boot",
		Why: "Auditing from the first process on, AppArmor, and protections against attacks by way of the CPU can only be had by arguments " +
			"at boot. Where things lie in the kernel's memory is in files that are for root alone.",
		Breaks: "Arguments are in force after the next boot, which is left to you or to the reboot window. Protections against CPU " +
			"attacks cost some per cent of speed. With lock, the only way to repair is a rescue system. Hosts that GRUB does not boot " +
			"are left as they are.",
		Items: slices.Concat(cis("1.3.1.2", "1.4.2", "6.2.1.3", "6.2.1.4"), anssi("R7", "R8", "R29", "R37")),
		Params: []Param{
			{
				Name: "arguments", Kind: Words, What: "arguments of the kernel",
				Form: regexp.MustCompile(`^[A-Za-z0-9_.-]+(=[A-Za-z0-9_.,:/-]*)?$`), FormIs: `an argument "audit=1"`,
				Default: kernelArguments,
			},
			{
				Name: "lock", Kind: Bool, Default: false,
				What: "whether nobody changes the boot menu at the console, for good: then only a rescue system gets into a machine that " +
					"does not boot; starting what is in the menu takes no password",
			},
			{
				Name: "passwordHash", Kind: Word, Default: "", Form: regexp.MustCompile(`^(grub\.pbkdf2\.sha512\.[0-9]+\.[0-9A-F]+\.[0-9A-F]+)?$`),
				FormIs: "what grub-mkpasswd-pbkdf2 prints (grub.pbkdf2.sha512.…), or nothing",
				What: "hash of the password (of the user root) that opens the lock, for machines with a console of your own; " +
					"it is no secret in the stack's state",
			},
		},
	},
	{
		ID:    "file-permissions",
		Title: "Owners and permissions of the system's files",
		Why: "Whoever can write a system file, or finds a program that runs as root for everybody, owns the host. Programs that no package " +
			"has brought lose such rights, as do some that nobody needs here.",
		Breaks: "chfn, chsh, newgrp, gpasswd, mount, umount and chage work for root only. A program with set-user-id that you have put " +
			"there yourself loses it: name it in suid.",
		Items: slices.Concat(
			cis("7.1.1", "7.1.2", "7.1.3", "7.1.4", "7.1.5", "7.1.6", "7.1.7", "7.1.8", "7.1.9", "7.1.10", "7.1.11", "7.1.12", "7.1.13"),
			anssi("R50", "R53", "R54", "R56"), devsec("os-02", "os-03", "os-06"),
		),
		Params: []Param{
			{
				Name: "noSuid", Kind: Words, What: "programs that lose set-user-id and set-group-id", Form: programPath, FormIs: programPathIs,
				Default: strings.Fields("/usr/bin/chfn /usr/bin/chsh /usr/bin/newgrp /usr/bin/gpasswd /usr/bin/mount /usr/bin/umount " +
					"/usr/bin/chage /usr/bin/expiry /usr/bin/wall /usr/bin/write.ul /usr/bin/bsd-write /usr/bin/fusermount3 /usr/bin/ntfs-3g " +
					"/usr/bin/pkexec /usr/lib/openssh/ssh-keysign"),
			},
			{
				Name: "suid", Kind: Words, Default: []string{}, Form: programPath, FormIs: programPathIs,
				What: "programs of no package that keep set-user-id or set-group-id",
			},
		},
		Check: checkFilePermissions,
	},
}

var programPath = regexp.MustCompile(`^(/[A-Za-z0-9_.+-]+)+$`)

const programPathIs = `an absolute path "/usr/local/bin/program"`

// kernelArguments in the order of their reasons.
var kernelArguments = []string{
	// The audit system watches processes that start before auditd, and holds that many events until auditd fetches them.
	"audit=1", "audit_backlog_limit=8192",
	"apparmor=1", "security=apparmor",
	// Freed memory of the kernel is harder to misuse: kinds of objects apart, pages in random order and overwritten once freed, and each
	// system call's stack begins somewhere else.
	"slab_nomerge=yes", "page_alloc.shuffle=1", "page_poison=1", "randomize_kstack_offset=on",
	// Attacks by way of the CPU, in full where the CPU is affected, but with all its threads: with "nosmt" a host on many cloud machines would
	// lose half its CPUs, against neighbours that a node does not have: it runs no virtual machines.
	"pti=on", "spectre_v2=on", "spec_store_bypass_disable=seccomp", "l1tf=full", "mds=full",
	// Devices reach only memory that was given to them. Without such hardware it means nothing.
	"iommu=force",
	// The CPU's random numbers count half: they are not trusted alone.
	"rng_core.default_quality=500",
}

// SentryKernelSettings are those of the running kernel that a sentry's own step sets, as they follow its limits and ports
// (/etc/icon/sentry/sysctl.conf); net.netfilter.nf_conntrack_… are more of them.
func SentryKernelSettings() []string {
	return []string{
		"net.core.netdev_max_backlog", "net.core.somaxconn", "net.ipv4.ip_unprivileged_port_start", "net.ipv4.tcp_fin_timeout",
		"net.ipv4.tcp_max_syn_backlog", "net.ipv4.tcp_synack_retries",
	}
}

// checkKernelSettings: what is set by name must not undo what the installation rests on.
func checkKernelSettings(s *Selection) []Conflict {
	var found []Conflict
	names := map[string]string{
		"net.ipv4.ip_forward": "forwarding", "net.ipv4.conf.all.rp_filter": "reversePath", "net.ipv4.conf.default.rp_filter": "reversePath",
		"net.ipv6.conf.all.disable_ipv6": "ipv6", "net.ipv6.conf.default.disable_ipv6": "ipv6", "kernel.yama.ptrace_scope": "ptraceScope",
		"kernel.unprivileged_userns_clone": "userNamespaces",
	}
	seen := map[string]bool{}
	for _, entry := range s.Words("kernel-settings", "set") {
		key, _, _ := strings.Cut(entry, "=")
		key = strings.ReplaceAll(key, "/", ".")
		if name, ok := names[key]; ok {
			found = append(found, Conflict{"set", fmt.Sprintf("sets %s, which is the parameter %s: set that", key, name)})
		}
		if strings.HasPrefix(key, "net.netfilter.nf_conntrack") {
			found = append(found, Conflict{"set", fmt.Sprintf("sets %s, which follows the sentry's limits: leave it out", key)})
		}
		if s.Facts.Role == "sentry" && slices.Contains(SentryKernelSettings(), key) {
			found = append(found, Conflict{"set", fmt.Sprintf("sets %s, which the step service of a sentry sets: leave it out", key)})
		}
		if key == "kernel.modules_disabled" {
			found = append(found, Conflict{"set", "sets kernel.modules_disabled: the firewall's and the containers' modules are loaded when they " +
				"are first used, and no setting before that can take it back; leave it out"})
		}
		if seen[key] {
			found = append(found, Conflict{"set", fmt.Sprintf("sets %s twice: keep one", key)})
		}
		seen[key] = true
	}
	return found
}

// checkFilePermissions: a program that sudo or a login rests on must not lose its rights, and none can both lose and keep them.
func checkFilePermissions(s *Selection) []Conflict {
	var found []Conflict
	needed := map[string]string{
		"/usr/bin/sudo": "the deploy user becomes root by it", "/usr/bin/passwd": "users change their passwords by it",
		"/usr/sbin/unix_chkpwd": "PAM checks passwords by it", "/usr/lib/dbus-1.0/dbus-daemon-launch-helper": "system services are started by it",
	}
	for _, path := range s.Words("file-permissions", "noSuid") {
		if why, ok := needed[path]; ok {
			found = append(found, Conflict{"noSuid", fmt.Sprintf("holds %s: %s; leave it out", path, why)})
		}
		if slices.Contains(s.Words("file-permissions", "suid"), path) {
			found = append(found, Conflict{"suid", fmt.Sprintf("holds %s, which noSuid holds too: decide for one", path)})
		}
	}
	return found
}
