package hardening

import (
	"fmt"
	"regexp"
)

// packageForm is what Debian's policy takes as a package's name.
var packageForm = regexp.MustCompile(`^[a-z0-9][a-z0-9+.-]+$`)

const packageFormIs = "a package's name, such as haproxy"

// updateControls are listed in registry.
var updateControls = []Control{
	{
		ID:    "packages",
		Title: "Only signed packages, and none that make services nobody asked for",
		Why: "A package is run as root on every host: it must be the distribution's own. What is not installed has no holes. debsums finds " +
			"files of packages that were changed.",
		Breaks: "Tools such as rsync, telnet and ftp go, with their configuration; keep those that somebody uses. A service among them that " +
			"runs, or a package of the machine's own that needs one of them, stops the deploy before anything is changed.",
		Items: append(cis("1.2.1.1", "1.7.1", "2.1.1", "2.1.2", "2.1.3", "2.1.4", "2.1.5", "2.1.6", "2.1.7", "2.1.8", "2.1.9", "2.1.10", "2.1.11",
			"2.1.12", "2.1.13", "2.1.14", "2.1.15", "2.1.16", "2.1.17", "2.1.18", "2.1.19", "2.1.20",
			"2.2.1", "2.2.2", "2.2.3", "2.2.4", "2.2.5", "2.2.6"),
			anssi("R58", "R59", "R62")...),
		Params: []Param{
			{
				Name: "keep", Kind: Words, Form: packageForm, FormIs: packageFormIs, Default: []string{},
				What: "packages that stay although the benchmarks want them gone",
			},
			{
				Name: "unsignedSources", Kind: Words, Form: regexp.MustCompile(`^[a-z+]+:/[^ \[\]]+$`), FormIs: "the beginning of a source's address",
				Default: []string{}, What: "package sources that are trusted without a signature: whoever can answer in their name is root here",
			},
		},
		Packages: []string{"debsums"},
		Purge: []string{
			// Clients that send passwords in clear, and servers of old services (CIS 2.1, 2.2).
			"telnet", "inetutils-telnet", "telnetd", "rsh-client", "rsh-redone-client", "rsh-server", "nis", "ypbind-mt", "talk", "talkd",
			"ftp", "tnftp", "tftp", "tftp-hpa", "tftpd", "tftpd-hpa", "atftpd", "ldap-utils", "xinetd", "openbsd-inetd", "inetutils-inetd", "vsftpd",
			"proftpd-basic", "rsync", "autofs", "avahi-daemon", "cups", "isc-dhcp-server", "kea", "bind9", "dnsmasq", "slapd", "dovecot-core",
			"nfs-kernel-server", "ypserv", "rpcbind", "samba", "snmpd", "snmp", "squid", "apache2", "nginx", "xserver-common", "gdm3",
			"sendmail", "sendmail-bin",
		},
	},
	{
		ID:    "services",
		Title: "Services that no host of an installation needs are masked",
		Why: "What does not run is not attacked, and a masked unit is not started by a package or another unit either. " +
			"Three keys at a console must not restart a validator.",
		Breaks: "A machine that is also something else, such as a file or print server: name the units in keep. Those of packages that stay " +
			"(packages.keep) are left alone.",
		Items: append(cis("2.1.1", "2.1.2", "2.1.3", "2.1.11", "2.1.12", "2.1.21"), anssi("R62")...),
		Params: []Param{{
			Name: "keep", Kind: Words, Form: regexp.MustCompile(`^[A-Za-z0-9@_.\\-]+\.(service|socket|target|timer|path)$`),
			FormIs: "a unit's whole name, such as rsync.service", Default: []string{}, What: "units that are left alone",
		}},
	},
	{
		ID:    "security-updates",
		Title: "Security updates by themselves, without surprise restarts",
		Why: "A known hole is closed within a day, on one host after the other. Only the distribution's security archive is taken, " +
			"and nothing restarts a node: see the control reboot-window for what needs that.",
		Breaks: "An update may be bad on its own; hosts take it at different times of the day so that it shows on one first.",
		Items:  append(cis("1.2.2.1"), anssi("R61")...),
		Params: []Param{
			{
				Name: "hour", Kind: Int, Min: 0, Max: 23, Default: 4,
				What: "hour (UTC) at which the first host installs; each further one 20 minutes later",
			},
			{
				Name: "keep", Kind: Words, Form: packageForm, FormIs: packageFormIs,
				// An upgrade of the daemons stops their containers, the node's among them. Podman has no daemon.
				Default: []string{"docker.io", "docker-ce", "containerd", "containerd.io"},
				What:    "packages that are not upgraded by themselves, because that restarts what runs in them",
			},
		},
		Packages: []string{"unattended-upgrades"},
	},
	{
		ID:    "reboot-window",
		Title: "Restarts for updates in a window, one host at a time, only of hosts that are well",
		Why: "A new kernel is in force after a restart only. Each host has its own slot in the week; it restarts there if an update asks " +
			"for it and its role works, and tells the monitoring whether it does afterwards. The validator never restarts by itself: the " +
			"metric asks for it.",
		Breaks: "A host is away for a minute or two in its slot, for the first time within a week of its first deploy, which asks for it " +
			"(boot-loader). It sees itself and, as a sentry, the node behind it, not its peers: that no two are away at once is because of " +
			"the slots, each host's on another day than the one's before.",
		Items: anssi("R61"),
		Params: []Param{
			{
				Name: "mode", Kind: Word, Choices: []string{"never", "window"}, Default: "window",
				What: "never: only the metric; window: restart in the slot",
			},
			{
				Name: "days", Kind: Words, Choices: weekdays, Default: weekdays,
				What: "days of the window; each host has one slot in the week",
			},
			{
				Name: "from", Kind: Word, Form: regexp.MustCompile(`^([01]\d|2[0-3]):[0-5]\d$`), FormIs: "a time of day (UTC) such as 03:00",
				Default: "03:00", What: "begin of the window (UTC)",
			},
			{Name: "minutes", Kind: Int, Min: 20, Max: 1440, Default: 180, What: "length of the window, minutes"},
			{
				Name: "slotMinutes", Kind: Int, Min: 20, Max: 240, Default: 20,
				What: "minutes that one host has to restart and be well again; it begins in the first half or not at all",
			},
		},
		Check: checkRebootWindow,
	},
	{
		ID:    "leftovers",
		Title: "What a deploy leaves behind is taken away, or for root alone",
		Why: "Copies of binaries and images that an interrupted deploy left need space and invite mistakes. What a cloud told the machine " +
			"at its first boot holds the machine's SSH host key.",
		Items: anssi("R50"),
	},
}

var weekdays = []string{"Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"}

// checkRebootWindow wants a slot of its own for this host.
func checkRebootWindow(s *Selection) []Conflict {
	const id = "reboot-window"
	if s.Word(id, "mode") == "never" {
		return nil
	}
	days, minutes, slot := s.Words(id, "days"), s.Int(id, "minutes"), s.Int(id, "slotMinutes")
	if len(days) == 0 {
		return []Conflict{{"days", `is empty: name a day, or set mode to "never"`}}
	}
	seen := map[string]bool{}
	for _, d := range days {
		if seen[d] {
			return []Conflict{{"days", fmt.Sprintf("names %s twice: two hosts would restart at one time", d)}}
		}
		seen[d] = true
	}
	// Citizens beyond the window's room share slots: they stand in for each other, and stacks may have hundreds.
	if slots := minutes / slot * len(days); s.Facts.Order >= slots && s.Facts.Role != "citizen" {
		return []Conflict{{"minutes", fmt.Sprintf("is %d: with slots of %d minutes on %d days the window has room for %d hosts, this one is "+
			"number %d: lengthen it, shorten slotMinutes or name more days", minutes, slot, len(days), slots, s.Facts.Order+1)}}
	}
	return nil
}
