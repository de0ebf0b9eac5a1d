package hardening

import (
	"fmt"
	"net/netip"
	"regexp"
	"slices"
	"strings"
)

var (
	userForm        = regexp.MustCompile(`^[a-z_][a-z0-9_-]{0,31}$`)
	networkForm     = regexp.MustCompile(`^[0-9.]+/[0-9]{1,2}$`)
	maxStartupsForm = regexp.MustCompile(`^[1-9][0-9]{0,2}:([1-9][0-9]?|100):[1-9][0-9]{0,2}$`)
	forwardToForm   = regexp.MustCompile(`^(\*|[A-Za-z0-9._-]+):[1-9][0-9]{0,4}$`)
	principalForm   = regexp.MustCompile(`^[A-Za-z0-9._@-]+$`)
	publicKeysForm  = regexp.MustCompile(
		`^((sk-)?(ssh-(ed25519|rsa)|ecdsa-sha2-nistp256)(@openssh\.com)? [A-Za-z0-9+/]+={0,3}( [^\n]*)?(\n|$))*$`)
)

const publicKeysAre = `public keys, one to a line, like "ssh-ed25519 AAAA… name", without options`

// loginControls are about who gets in, and as whom: SSH, PAM, sudo, accounts, banners.
var loginControls = []Control{
	{
		ID:    "banners",
		Title: "A notice before and after login",
		Why: "Whoever logs in without authority has been told; and no banner tells a stranger which distribution and version " +
			"to look up weaknesses of.",
		Items: cis("1.6.1", "1.6.2", "1.6.3", "1.6.4", "1.6.5", "1.6.6"),
		Params: []Param{{
			Name: "text", Kind: Text, What: "the notice",
			Default: "This is a private system. Access is restricted to authorised use only.\n" +
				"All activity is monitored and recorded, and may be used as evidence.",
		}},
	},
	{
		ID:    "cron",
		Title: "Scheduled commands are root's",
		Why:   "A scheduled command is the usual way to come back after an intrusion. Nobody but root makes one, or reads which there are.",
		Breaks: "Users who have a crontab of their own keep it, and can no longer change it: name them in users. " +
			"Jobs in /etc/cron.d and timers go on.",
		Items: cis("2.4.1.2", "2.4.1.3", "2.4.1.4", "2.4.1.5", "2.4.1.6", "2.4.1.7", "2.4.1.8", "2.4.2.1"),
		Params: []Param{{
			Name: "users", Kind: Words, What: "who may use crontab and at", Default: []string{"root"}, Form: userForm, FormIs: "a user's name",
		}},
	},
	{
		ID:    "sessions",
		Title: "Sessions keep their files to themselves, and end when they are idle",
		Why: "What an administrator makes is readable to nobody else unless that is wanted, and a forgotten terminal does not stay " +
			"open for whoever comes by.",
		Breaks: "Files made by hand, such as a program copied to /usr/local/bin, need a chmod before others can use them. " +
			"An idle shell ends; what runs in the foreground goes on.",
		Items: append(cis("5.4.3.2", "5.4.3.3"), anssi("R32", "R36")...),
		Params: []Param{
			{Name: "umask", Kind: Word, What: "permissions that new files lack", Default: "077", Choices: []string{"027", "077"}},
			{Name: "idleSeconds", Kind: Int, What: "after how many seconds an idle shell ends", Default: 600, Min: 60, Max: 3600},
		},
	},
	{
		ID:    "pam",
		Title: "Passwords are strong, and locked after failures",
		Why: "Where a password is still asked for, at the console or by sudo, it cannot be tried for long, is none from a dictionary, " +
			"and is kept in a form that is expensive to break.",
		Breaks: "Three wrong passwords lock a user's passwords for the time that is set; a login by key ends that (so does faillock " +
			"--user NAME --reset). su is for root alone. TMPDIR is /tmp/user/UID in each login: what is run as somebody else by other means than " +
			"sudo has to unset it. Only what Debian's own PAM profile does is replaced: passwords of a directory service, or a " +
			"second factor, stop the deploy before anything is changed.",
		Items: append(cis("5.2.7", "5.3.1.3", "5.3.2.1", "5.3.2.2", "5.3.2.3", "5.3.2.4", "5.3.3.1.1", "5.3.3.1.2", "5.3.3.1.3",
			"5.3.3.2.1", "5.3.3.2.2", "5.3.3.2.3", "5.3.3.2.4", "5.3.3.2.5", "5.3.3.2.6", "5.3.3.2.7", "5.3.3.2.8", "5.3.3.3.1",
			"5.3.3.3.2", "5.3.3.3.3", "5.3.3.4.1", "5.3.3.4.2", "5.3.3.4.3", "5.3.3.4.4"), anssi("R31", "R68")...),
		// Some twenty rules of the benchmarks are about the first. The second holds the dictionary, without which it refuses every password.
		// The third gives each user a directory for temporary files that others do not see into.
		Packages: []string{"libpam-pwquality", "cracklib-runtime", "libpam-tmpdir"},
		Access:   true,
		Params: []Param{
			{Name: "minLength", Kind: Int, What: "the least number of characters of a password", Default: 15, Min: 8, Max: 64},
			{Name: "deny", Kind: Int, What: "the failures that lock a user's passwords", Default: 3, Min: 1, Max: 10},
			{Name: "unlockSeconds", Kind: Int, What: "for how long, in seconds", Default: 900, Min: 60, Max: 86400},
			{Name: "history", Kind: Int, What: "how many old passwords cannot be used again", Default: 24, Min: 1, Max: 400},
			{
				Name: "rounds", Kind: Int, Default: 8, Min: 5, Max: 11,
				What: "the cost of yescrypt, each one twice the time and memory of the one before: 8 takes 128 MiB, 11 takes 1 GiB",
			},
		},
	},
	{
		ID:    "accounts",
		Title: "Accounts that nobody logs in to are locked, passwords age",
		Why: "The deploy and its administrators log in by key. Every password that is left is one to be guessed, found or reused: " +
			"root's and the services' are locked, people's have to be changed.",
		Breaks: "Root can no longer log in with a password at the console, nor in rescue mode: use the cloud's way to a disk, or set " +
			"lockRoot to false. Accounts below 1000 have no shell, for su neither (postgres), unless ssh-server.users names them. " +
			" A password that is too old has to be changed at the next login with it; keys are not affected.",
		Items: append(cis("5.4.1.1", "5.4.1.2", "5.4.1.3", "5.4.1.4", "5.4.1.5", "5.4.1.6", "5.4.2.1", "5.4.2.2", "5.4.2.3",
			"5.4.2.4", "5.4.2.7", "5.4.2.8", "7.2.2", "7.2.9", "7.2.10"), anssi("R30", "R34")...),
		Access: true,
		// Without its no_pass_expiry, an aged password would keep a key from logging in.
		Needs: []string{"pam"},
		Params: []Param{
			{Name: "lockRoot", Kind: Bool, What: "whether root has no password", Default: true},
			{Name: "maxDays", Kind: Int, What: "after how many days a password has to be changed", Default: 365, Min: 7, Max: 365},
			{Name: "inactiveDays", Kind: Int, What: "for how many days after that it can be changed", Default: 30, Min: 1, Max: 365},
		},
	},
	{
		ID:    "sudo",
		Title: "sudo is logged, and for those who are named",
		Why: "Who became root, and for what, is on record; a program that somebody may run as root does not run others; and sudo itself, " +
			"whose faults have made root of anybody before, can only be started by its users.",
		Breaks: "Users of sudo other than the deploy's need a terminal, and what they run by it cannot start other programs: name those " +
			"who need a shell, apt or no terminal (agents) in unrestricted. Who gets a rule later needs the group sudogrp too, and each of " +
			"them a new login.",
		Items:    append(cis("5.2.1", "5.2.2", "5.2.3", "5.2.6"), anssi("R38", "R39")...),
		Packages: []string{"sudo"},
		Access:   true,
		Params: []Param{
			{
				Name: "unrestricted", Kind: Words, Default: []string{}, Form: userForm, FormIs: "a user's name",
				What: "users, beside the deploy's, whose commands may run other commands, without a terminal too",
			},
			{Name: "timeoutMinutes", Kind: Int, What: "after how many minutes sudo asks for the password again", Default: 5, Min: 0, Max: 15},
		},
	},
	sshServer,
}

const sshServerID = "ssh-server"

var sshServer = Control{
	ID:    sshServerID,
	Title: "SSH by keys alone, with modern algorithms, to named users",
	Why: "The one service that makes root of whoever gets in. There is no password to guess, nothing old to fall back to, and no way " +
		"from one host on to the next.",
	Breaks: "Everybody but users: people who have keys on the machine stop its first deploy before anything is changed, until they are " +
		"named or their keys removed; root is no longer answered where the deploy is another's. Clients older than " +
		"OpenSSH 7.0, ECDSA keys and RSA keys below rsaBits. Files in sshd_config.d are no longer read. An agent " +
		"that offers more keys than maxAuthTries before the right one is turned away: name the key (IdentitiesOnly).",
	Items: append(append(cis("5.1.1", "5.1.2", "5.1.3", "5.1.4", "5.1.5", "5.1.6", "5.1.7", "5.1.8", "5.1.9", "5.1.10", "5.1.11", "5.1.12",
		"5.1.13", "5.1.14", "5.1.15", "5.1.16", "5.1.17", "5.1.18", "5.1.19", "5.1.20", "5.1.21", "5.1.22"), anssi("R33")...),
		devsec("ssh-baseline")...),
	Access: true,
	Params: []Param{
		{
			Name: "users", Kind: Words, Default: []string{}, Form: userForm, FormIs: "a user's name",
			What: "who may log in; empty: the user of the deploy alone",
		},
		{
			Name: "from", Kind: Words, Default: []string{}, Form: networkForm, FormIs: "an IPv4 network like 192.0.2.0/24",
			What: "the networks that logins are answered from, beside what the firewall says; empty: all that it lets through",
		},
		{
			Name: "administratorKeys", Kind: Text, Default: "", Form: publicKeysForm, FormIs: publicKeysAre,
			What: "the only keys that log in as the deploy's user, the deploy's own among them; empty: the file is left alone",
		},
		{
			Name: "userAuthorities", Kind: Text, Default: "", Form: publicKeysForm, FormIs: publicKeysAre,
			What: "authorities whose certificates log in; empty: none",
		},
		{
			Name: "principals", Kind: Words, Default: []string{}, Form: principalForm, FormIs: "a principal of a certificate",
			What: "the principals that a certificate has to name one of; empty: the user that it logs in as",
		},
		{Name: "rsaBits", Kind: Int, What: "the least size of an RSA key, in bits", Default: 3072, Min: 2048, Max: 16384},
		{
			Name: "maxStartups", Kind: Word, Default: "10:30:60", Form: maxStartupsForm, FormIs: "START:PERCENT:FULL",
			What: "logins under way: from START on PERCENT of new ones are turned away, from FULL on all; the deploy tries those again",
		},
		{Name: "maxAuthTries", Kind: Int, What: "keys that a connection may offer", Default: 3, Min: 2, Max: 6},
		{Name: "maxSessions", Kind: Int, What: "sessions in one connection; the deploy needs one", Default: 2, Min: 1, Max: 10},
		{Name: "loginGraceSeconds", Kind: Int, What: "seconds that a login may take", Default: 60, Min: 15, Max: 120},
		{
			Name: "aliveSeconds", Kind: Int, Default: 300, Min: 15, Max: 300,
			What: "seconds of silence after which the client is asked for a sign of life",
		},
		{Name: "aliveCount", Kind: Int, What: "how many of those may go unanswered", Default: 3, Min: 1, Max: 10},
		{Name: "forwarding", Kind: Bool, What: "whether connections are passed on, as a bastion does", Default: false},
		{
			Name: "forwardTo", Kind: Words, Default: []string{"*:22"}, Form: forwardToForm, FormIs: "HOST:PORT, * for any host",
			What: "where to; without forwarding it means nothing",
		},
	},
	Check: checkSSHServer,
}

// checkSSHServer finds what would lock out the deploy or the administrators.
func checkSSHServer(s *Selection) []Conflict {
	const id = sshServerID
	var found []Conflict
	add := func(param, format string, args ...any) {
		found = append(found, Conflict{Param: param, Text: fmt.Sprintf(format, args...)})
	}
	if users := s.Words(id, "users"); len(users) > 0 && !slices.Contains(users, s.Facts.LoginUser) {
		add("users", "is %s, which locks out the deploy: add %s, whom it logs in as", strings.Join(users, ", "), s.Facts.LoginUser)
	}
	var from []netip.Prefix
	for _, text := range s.Words(id, "from") {
		network, err := netip.ParsePrefix(text)
		switch {
		case err != nil:
			add("from", "holds %q, which is no network; wanted: an IPv4 network like 192.0.2.0/24", text)
		case network != network.Masked():
			add("from", "holds %s, which has bits set behind the prefix, and sshd refuses that; write %s", text, network.Masked())
		default:
			from = append(from, network)
		}
	}
	for _, a := range s.Facts.Administrators {
		network, err := netip.ParsePrefix(a)
		if err != nil || len(from) == 0 || slices.ContainsFunc(from, func(f netip.Prefix) bool {
			return f.Bits() <= network.Bits() && f.Contains(network.Addr())
		}) {
			continue
		}
		add("from", "does not hold %s, which administrators connect from (icon:administrators, or the bastion): it would lock them out. "+
			"Add it, or a network around it", a)
	}
	if len(s.Words(id, "principals")) > 0 && s.Word(id, "userAuthorities") == "" {
		add("principals", "means nothing without userAuthorities: set the authority's public key, or take principals away")
	}
	if s.Bool(id, "forwarding") && len(s.Words(id, "forwardTo")) == 0 {
		add("forwardTo", "is empty: a bastion passes connections on to some host; wanted: HOST:PORT, * for any host")
	}
	if start, full := startups(s.Word(id, "maxStartups")); start > full {
		add("maxStartups", "is %s, whose START is more than its FULL; wanted: START:PERCENT:FULL, like 10:30:60", s.Word(id, "maxStartups"))
	}
	return found
}

// startups are the first and the last number of START:PERCENT:FULL.
func startups(text string) (start, full int) {
	var percent int
	if _, err := fmt.Sscanf(text, "%d:%d:%d", &start, &percent, &full); err != nil {
		return 0, 0
	}
	return start, full
}
