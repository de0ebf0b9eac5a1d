package hardening

import "regexp"

// auditControls are about what is recorded: the kernel's audit, logs, changes of files, and the time of all of it.
var auditControls = []Control{clockControl, logsControl, auditControl, integrityControl}

var (
	hostName = regexp.MustCompile(`^[A-Za-z0-9]([A-Za-z0-9.-]*[A-Za-z0-9])?$`)
	hostPort = regexp.MustCompile(`^([A-Za-z0-9]([A-Za-z0-9.-]*[A-Za-z0-9])?:[1-9][0-9]{1,4})?$`)
)

var clockControl = Control{
	ID:    "clock",
	Title: "The right time, from several sources",
	Why: "Blocks and votes carry the time, certificates are valid by it, and logs of several hosts are put together by it. Four independent " +
		"operators with authenticated answers (NTS): nobody on the way can move the clock.",
	Breaks: "NTS needs TCP 4460 to the servers beside UDP 123; where it is closed, the unauthenticated pool is followed.",
	Items:  append(cis("2.3.1.1", "2.3.3.1", "2.3.3.2", "2.3.3.3"), anssi("R71")...),
	Params: []Param{
		{
			Name: "ntsServers", Kind: Words, What: "servers that are asked with NTS", Form: hostName, FormIs: "the name or address of a host",
			Default: []string{"time.cloudflare.com", "nts.netnod.se", "ptbtime1.ptb.de", "ntppool1.time.nl"},
		},
		{
			Name: "pools", Kind: Words, What: "pools that are followed while no NTS server answers", Form: hostName,
			FormIs:  "the name of a host",
			Default: []string{"0.debian.pool.ntp.org", "1.debian.pool.ntp.org", "2.debian.pool.ntp.org", "3.debian.pool.ntp.org"},
		},
		{
			Name: "localServers", Kind: Words, Form: hostName, FormIs: "the name or address of a host",
			What:    "the platform's own time servers, preferred, such as 169.254.169.123 on AWS",
			Default: []string{},
		},
		{
			Name: "authenticatedOnly", Kind: Bool, Default: false,
			What: "never follow an unauthenticated source; without an answer the clock runs free",
		},
		{Name: "minSources", Kind: Int, Min: 1, Max: 8, What: "sources that have to agree", Default: 2},
	},
	Packages: []string{"chrony"},
	Purge:    []string{"systemd-timesyncd", "ntp", "ntpsec", "openntpd"},
	Check:    checkClock,
}

func checkClock(s *Selection) []Conflict {
	const id = "clock"
	nts, pools, local := s.Words(id, "ntsServers"), s.Words(id, "pools"), s.Words(id, "localServers")
	require, least := s.Bool(id, "authenticatedOnly"), s.Int(id, "minSources")
	count := len(nts) + len(local)
	if !require {
		// A pool gives two sources.
		count += 2 * len(pools)
	}
	var found []Conflict
	if require && len(local) > 0 {
		found = append(found, Conflict{"authenticatedOnly", "is true, and localServers are not authenticated: they would never be " +
			"followed. Set one of the two"})
	}
	if require {
		count = len(nts)
	}
	if count < least {
		found = append(found, Conflict{"minSources", "is more than the sources that there are: the clock would never be set. " +
			"Name more servers, or ask for fewer"})
	}
	return found
}

var logsControl = Control{
	ID:    "logs",
	Title: "Logs that last, end, and can leave the host",
	Why: "After a crash or a break-in the logs are what is left to find out from. They are kept on disk, bounded so that they never " +
		"take the space of the chain, and can be forwarded as they are written, beyond an intruder's reach.",
	Breaks: "Only root and the group adm read the logs, who was logged in when included (last, lastlog).",
	Items: append(cis("6.1.1.1", "6.1.1.4", "6.1.2.3", "6.1.2.4", "6.1.3.1", "6.1.3.2", "6.1.3.3", "6.1.3.4", "6.1.3.7", "6.1.4.1"),
		append(anssi("R71"), devsec("package-07")...)...),
	Params: []Param{
		{Name: "size", Kind: Int, Min: 64, Max: 65536, What: "space that the journal may take, MiB", Default: 2048},
		{Name: "keepFree", Kind: Int, Min: 64, Max: 1048576, What: "space that the journal leaves free, MiB", Default: 2048},
		{Name: "keepDays", Kind: Int, Min: 7, Max: 3650, What: "days after which logs are deleted", Default: 90},
		{Name: "rateBurst", Kind: Int, Min: 100, Max: 1000000, What: "lines that one service may log in 30 seconds", Default: 10000},
		{
			Name: "forwardTo", Kind: Word, Default: "", Form: hostPort, FormIs: "host:port, or empty",
			What: "log host that gets all lines: syslog (RFC 5424) over TLS, port 6514 by custom; the firewall needs an edge to it",
		},
		{Name: "forwardAuthority", Kind: Text, Default: "", What: "certificates (PEM) of the authority that the log host's is signed by"},
		{
			Name: "forwardName", Kind: Word, Default: "", Form: regexp.MustCompile(`^([A-Za-z0-9]([A-Za-z0-9.-]*[A-Za-z0-9])?)?$`),
			FormIs: "a host's name, or empty", What: "name in the log host's certificate; the host of forwardTo if empty",
		},
	},
	Packages:    []string{"rsyslog", "logrotate"},
	PackagesFor: logsPackages,
	Check:       checkLogs,
}

// logsPackages: TLS is only needed where something is forwarded.
func logsPackages(s *Selection) []string {
	if s.Word("logs", "forwardTo") == "" {
		return nil
	}
	return []string{"rsyslog-gnutls"}
}

var pem = regexp.MustCompile(`^-----BEGIN CERTIFICATE-----\n[A-Za-z0-9+/=\n]+\n-----END CERTIFICATE-----\n?`)

func checkLogs(s *Selection) []Conflict {
	to, ca := s.Word("logs", "forwardTo"), s.Word("logs", "forwardAuthority")
	switch {
	case to == "" && ca != "":
		return []Conflict{{"forwardAuthority", "is set, and forwardTo is not: nothing is forwarded. Set both or neither"}}
	case to != "" && !pem.MatchString(ca):
		return []Conflict{{"forwardAuthority", "holds no certificate; wanted: that of the authority of the log host (PEM, " +
			"-----BEGIN CERTIFICATE-----), for logs are only sent to who can prove to be " + to}}
	}
	return nil
}

var auditControl = Control{
	ID:    "audit",
	Title: "A record of who did what",
	Why: "The kernel records, with the person who once logged in, who read the node's key or its memory, changed configuration, users, " +
		"rights or the clock, loaded modules, used sudo or any program with root's rights, and was refused; and, in a line each, every " +
		"process that has run at all (lastcomm), services' included.",
	Breaks: "With immutable, new rules are in force only after the next boot (until the first boot they are changeable). When its log's " +
		"file system is full, the oldest records are given up, and under a flood some are dropped: the node never waits or stops for it.",
	Items: append(append(cis("6.2.1.1", "6.2.1.2", "6.2.2.1", "6.2.3.1", "6.2.3.2", "6.2.3.3", "6.2.3.4", "6.2.3.5", "6.2.3.6",
		"6.2.3.7", "6.2.3.8", "6.2.3.9", "6.2.3.10", "6.2.3.11", "6.2.3.12", "6.2.3.13", "6.2.3.14", "6.2.3.15", "6.2.3.16", "6.2.3.17",
		"6.2.3.18", "6.2.3.19", "6.2.3.20", "6.2.4.1", "6.2.4.2", "6.2.4.3", "6.2.4.4", "6.2.4.5", "6.2.4.6", "6.2.4.7", "6.2.4.8", "6.2.4.9",
		"6.2.4.10"), anssi("R73")...), devsec("package-08")...),
	Params: []Param{
		{Name: "fileSize", Kind: Int, Min: 6, Max: 1024, What: "size of one file of the log, MiB", Default: 32},
		{Name: "files", Kind: Int, Min: 2, Max: 99, What: "files that are kept; more stay for up to an hour", Default: 10},
		{Name: "immutable", Kind: Bool, What: "no change of the rules without a reboot, root's included, from the next boot on", Default: true},
		{
			Name: "whenFull", Kind: Word, Choices: []string{"rotate", "halt"}, Default: "rotate",
			What: "what happens when there is no space for records: the oldest go, or the machine stops (as CIS asks)",
		},
	},
	Packages: []string{"auditd", "audispd-plugins", "acct"},
	Check:    checkAudit,
}

func checkAudit(s *Selection) []Conflict {
	if s.Word("audit", "whenFull") == "halt" && s.Profile == "prep" {
		return []Conflict{{"whenFull", "is halt: a full log would stop the validator, which costs more than lost records; " +
			"wanted: rotate on a P-Rep"}}
	}
	return nil
}

var integrityControl = Control{
	ID:    "integrity",
	Title: "A watch over the system's files",
	Why: "An intruder who stays changes programs, units or keys of access. A database of their sums, compared every day, tells which, and " +
		"the monitoring alarms. Updates by packages and deploys are told apart, and what a deploy accepts is listed in the journal.",
	Breaks: "Some seconds of one processor a day, at the lowest priority. Who is root can also renew the database: its age is a metric, and " +
		"each renewal is in the log that can be forwarded.",
	Items: append(cis("6.3.1", "6.3.2", "6.3.3"), anssi("R76", "R77")...),
	Params: []Param{
		{
			Name: "at", Kind: Word, Default: "04:00", Form: regexp.MustCompile(`^([01][0-9]|2[0-3]):[0-5][0-9]$`),
			FormIs: "a time of day, HH:MM", What: "when the files are compared each day (UTC), within two hours after it",
		},
	},
	// The second looks for what a compromised host shows, not for what has changed: hidden processes, cleared logins, known kits.
	Packages: []string{"aide", "chkrootkit"},
}
