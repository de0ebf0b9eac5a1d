package hardening

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

const aKey = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJzYqBqGf5W0cNTzAkx6xqkqB1Dj9r8vYc1wqvB0o3bT ops"

// loginProblems resolves a profile with parameters, and returns the paths and texts of what is wrong.
func loginProblems(facts Facts, parameters map[string]map[string]any) string {
	_, problems := Resolve(Baseline, facts, Overrides{Parameters: parameters})
	var lines []string
	for _, list := range problems {
		for _, p := range list {
			lines = append(lines, p.Path+" "+p.Text)
		}
	}
	return strings.Join(lines, "\n")
}

func TestSettingsThatLockTheDeployOutAreRefusedBeforeAnyHost(t *testing.T) {
	facts := Facts{LoginUser: "admin", Administrators: []string{"203.0.113.0/24", "198.51.100.7/32"}}
	for _, c := range []struct {
		name, param string
		value       any
		want        string
	}{
		{"others only", "users", []any{"ops"}, "parameters.ssh-server.users is ops, which locks out the deploy: add admin"},
		{"one network missing", "from", []any{"203.0.0.0/16"}, "parameters.ssh-server.from does not hold 198.51.100.7/32"},
		{"a part of a network", "from", []any{"203.0.113.0/25", "198.51.100.0/24"}, "parameters.ssh-server.from does not hold 203.0.113.0/24"},
		{"bits behind the prefix", "from", []any{"203.0.113.9/8"}, "sshd refuses that; write 203.0.0.0/8"},
		{"no network", "from", []any{"999.0.0.0/8"}, "which is no network"},
		{"principals of nobody", "principals", []any{"ops"}, "means nothing without userAuthorities"},
		{"all turned away", "maxStartups", "60:30:10", "whose START is more than its FULL"},
		{"a key with options", "administratorKeys", `command="id" ` + aKey, "wanted: public keys, one to a line"},
		{"a private key", "administratorKeys", "-----BEGIN OPENSSH PRIVATE KEY-----", "wanted: public keys, one to a line"},
	} {
		t.Run(c.name, func(t *testing.T) {
			got := loginProblems(facts, map[string]map[string]any{"ssh-server": {c.param: c.value}})
			if !strings.Contains(got, c.want) {
				t.Errorf("got  %q\nwant %q", got, c.want)
			}
		})
	}
	good := map[string]map[string]any{"ssh-server": {
		"users": []any{"ops", "admin"}, "from": []any{"203.0.113.0/24", "198.51.100.0/24"}, "administratorKeys": aKey + "\n" + aKey + "\n",
		"userAuthorities": aKey, "principals": []any{"ops"},
	}}
	if got := loginProblems(facts, good); got != "" {
		t.Errorf("good settings are refused: %s", got)
	}
}

func TestAccountsAgeOnlyWhereKeysDoNot(t *testing.T) {
	_, problems := Resolve(Baseline, Facts{}, Overrides{LeaveOut: map[string]string{"pam": "a directory service"}})
	if got := fmt.Sprint(problems); !strings.Contains(got, "leaveOut.pam is needed by the control accounts") {
		t.Errorf("aged passwords without the setting that lets keys in: %s", got)
	}
}

func TestLoginParametersKeepTheirBounds(t *testing.T) {
	for path, value := range map[string]any{
		"ssh-server.maxAuthTries": 1, "ssh-server.maxSessions": 0, "ssh-server.rsaBits": 1024, "ssh-server.aliveSeconds": 0,
		"ssh-server.maxStartups": "10",
		"ssh-server.forwardTo":   []any{"*"}, "pam.rounds": 12, "pam.deny": 0, "accounts.maxDays": 366, "accounts.inactiveDays": 0,
		"sudo.timeoutMinutes": 16,
		"sudo.unrestricted":   []any{"%wheel"}, "sessions.umask": "022", "sessions.idleSeconds": 0, "cron.users": []any{"Root!"},
	} {
		control, param, _ := strings.Cut(path, ".")
		if got := loginProblems(Facts{}, map[string]map[string]any{control: {param: value}}); !strings.Contains(got, "parameters."+path+" ") {
			t.Errorf("%s = %v is taken: %q", path, value, got)
		}
	}
}

// loginFile is what a function of a control's script prints, on this machine, with the values of a selection.
func loginFile(t *testing.T, profile, user, function string, parameters map[string]map[string]any) string {
	t.Helper()
	s, problems := Resolve(profile, Facts{Role: profile, LoginUser: user, SSHPorts: []int{22, 2222}}, Overrides{Parameters: parameters})
	if s == nil {
		t.Fatal(problems)
	}
	program, err := s.Program(Live{})
	if err != nil {
		t.Fatal(err)
	}
	return runFunction(t, program, function)
}

// runFunction runs a function of a program, in place of all that the program does.
func runFunction(t *testing.T, program, function string) string {
	t.Helper()
	cmd := exec.Command("bash", "-s")
	cmd.Stdin = strings.NewReader(strings.TrimSuffix(program, "main \"$@\" </dev/null\n") + function + "\n")
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%s: %v\n%s", function, err, out)
	}
	return string(out)
}

func TestOnlyABastionPassesConnectionsOn(t *testing.T) {
	for _, p := range Profiles() {
		text := loginFile(t, p.Name, "admin", "ssh_server_config", nil)
		closed := strings.Contains(text, "\nDisableForwarding yes\n") && strings.Contains(text, "\nAllowTcpForwarding no\n")
		open := strings.Contains(text, "\nAllowTcpForwarding local\nPermitOpen *:22\nPermitListen none\n")
		if bastion := p.Name == "bastion"; open != bastion || closed == bastion {
			t.Errorf("profile %s: forwarding open %v, closed %v", p.Name, open, closed)
		}
	}
}

func TestSSHLetsInTheDeployAndNobodyElse(t *testing.T) {
	for user, want := range map[string]string{"root": "prohibit-password", "admin": "no"} {
		text := loginFile(t, "prep", user, "ssh_server_config", nil)
		for _, line := range []string{"PermitRootLogin " + want, "AllowUsers " + user, "AuthenticationMethods publickey", "Port 22\nPort 2222"} {
			if !strings.Contains(text, "\n"+line+"\n") {
				t.Errorf("login user %s: no line %q", user, line)
			}
		}
		if regexp.MustCompile(`(?m)^(Include|Match)`).MatchString(text) {
			t.Errorf("login user %s: an Include or Match can undo what comes before it", user)
		}
	}
	text := loginFile(t, "prep", "admin", "ssh_server_config", map[string]map[string]any{"ssh-server": {
		"users": []any{"admin", "ops"}, "from": []any{"192.0.2.0/24", "198.51.100.0/24"},
	}})
	if want := "\nAllowUsers admin@192.0.2.0/24 admin@198.51.100.0/24 ops@192.0.2.0/24 ops@198.51.100.0/24\n"; !strings.Contains(text, want) {
		t.Errorf("no line %q", want)
	}
}

// TestSSHTakesItsSettings has the real sshd read them.
func TestSSHTakesItsSettings(t *testing.T) {
	key := filepath.Join(t.TempDir(), "key")
	if out, err := exec.Command("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", key).CombinedOutput(); err != nil {
		t.Fatalf("ssh-keygen: %v: %s", err, out)
	}
	text := loginFile(t, "bastion", "root", "ssh_server_config", map[string]map[string]any{"ssh-server": {
		"userAuthorities": aKey, "principals": []any{"ops"}, "from": []any{"192.0.2.0/24"},
	}})
	file := filepath.Join(t.TempDir(), "sshd_config")
	text = strings.ReplaceAll(text, "/etc/ssh/ssh_host_ed25519_key", key)
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	out, err := exec.Command("/usr/sbin/sshd", "-t", "-f", file).CombinedOutput()
	if err != nil && !bytes.Contains(out, []byte("privilege separation")) {
		t.Errorf("sshd -t: %v: %s", err, out)
	}
}

func TestSudoBindsEverybodyButTheDeploy(t *testing.T) {
	text := loginFile(t, "prep", "admin", "sudo_rules", map[string]map[string]any{"sudo": {"unrestricted": []any{"ops"}}})
	want := "Defaults noexec\nDefaults requiretty\n" +
		"Defaults:root !noexec,!requiretty\nDefaults:admin !noexec,!requiretty\nDefaults:ops !noexec,!requiretty\n"
	if !strings.HasSuffix(text, want) {
		t.Errorf("got\n%s\nwant at its end\n%s", text, want)
	}
	if strings.Contains(text, "NOPASSWD") || strings.Contains(text, "authenticate") {
		t.Error("the rules let somebody in without a password")
	}
	cmd := exec.Command("/usr/sbin/visudo", "-cf", "-")
	cmd.Stdin = strings.NewReader(text)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Errorf("visudo: %v: %s", err, out)
	}
}

func TestPAMFilesKeepTheOrderThatLocks(t *testing.T) {
	text := loginFile(t, "prep", "root", `printf '%s\n' "${PAM_AUTH[@]}"`, nil)
	script, err := controlScripts.ReadFile("scripts/controls/pam.sh")
	if err != nil {
		t.Fatal(err)
	}
	// What is looked for afterwards is what the profile has pam-auth-update write.
	profile := regexp.MustCompile(`[ \t]+`).ReplaceAllString(string(script), " ")
	for line := range strings.Lines(text) {
		if line = strings.TrimPrefix(strings.TrimSpace(line), "auth "); !strings.Contains(profile, "\n "+line+"\n") {
			t.Errorf("the profile has no line %q", line)
		}
	}
	if n := strings.Count(profile, "nullok"); n != 4 {
		t.Errorf("nullok is named %d times, wanted 4: in a comment and where it is looked for", n)
	}
}

// accountsFound runs the comparison on accounts of our making, after what is said before it.
func accountsFound(t *testing.T, passwd, shadow string, before ...string) string {
	t.Helper()
	dir := t.TempDir()
	for name, text := range map[string]string{"passwd": passwd, "shadow": shadow} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	s, _ := Resolve(Baseline, Facts{LoginUser: "admin"})
	program, err := s.Program(Live{})
	if err != nil {
		t.Fatal(err)
	}
	program = strings.NewReplacer(
		`"/etc/passwd"`, `"`+dir+`/passwd"`, "/etc/passwd /etc/shadow\n", dir+"/passwd "+dir+"/shadow\n",
	).Replace(program)
	return runFunction(t, program, strings.Join(append(before, "accounts_found"), "\n"))
}

func TestAccountsThatAreNamedToLogInKeepTheirShell(t *testing.T) {
	out := accountsFound(t, "one:x:997:9::/:/bin/bash\ntwo:x:996:9::/:/bin/bash\n", "one:*:1::::::\ntwo:*:1::::::\n",
		"SSH_SERVER_USERS='root one'")
	if !strings.Contains(out, "shell|two|") || strings.Contains(out, "|one|") {
		t.Errorf("%s", out)
	}
}

func TestAccountsThatShouldNotLogInAreNamedWithoutTheirPasswords(t *testing.T) {
	const hash = "$y$j9T$secretsecret$secret"
	got := accountsFound(t, `root:x:0:0:root:/root:/bin/bash
toor:x:0:0::/root:/bin/bash
daemon:x:1:1::/:/bin/sh
sync:x:4:65534::/bin:/bin/sync
news:x:9:9::/:/usr/sbin/nologin
icon-node:x:998:998::/nonexistent:/usr/sbin/nologin
admin:x:1000:1000::/home/admin:/bin/bash
ops:x:1001:1001::/home/ops:/bin/bash
`, "root:"+hash+`:19000:0:99999:7:::
toor:*:19000:0:99999:7:::
daemon:*:19000:0:99999:7:::
sync:*:19000:0:99999:7:::
news::19000:0:99999:7:::
icon-node:!:19000::::::
admin:!:19000:0:99999:7:::
ops:`+hash+`:19000:1:365:7:30::
`)
	for _, want := range []string{
		"uid|toor|another than 0|0", "gid|toor|another than 0|0", "shell|daemon|/usr/sbin/nologin|/bin/sh", "password|news|locked|empty",
		"password|root|locked|set", "age|root|",
	} {
		if !strings.Contains(got, want) {
			t.Errorf("%q is not told", want)
		}
	}
	for _, not := range []string{"secret", "|sync|", "|icon-node|", "|admin|", "|ops|"} {
		if strings.Contains(got, not) {
			t.Errorf("%q is told:\n%s", not, got)
		}
	}
}
