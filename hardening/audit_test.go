package hardening

import (
	"bufio"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/insight-icon/pulumi-icon/tests/host"
)

// says runs functions of a profile's program and gives their output. What the program needs of a host is not asked.
func says(t *testing.T, facts Facts, parameters map[string]map[string]any, script string) string {
	t.Helper()
	s, problems := Resolve(facts.Role, facts, Overrides{Parameters: parameters})
	if s == nil {
		t.Fatal(problems)
	}
	text, err := s.Program(Live{})
	if err != nil {
		t.Fatal(err)
	}
	text = strings.TrimSuffix(text, "main \"$@\" </dev/null\n")
	path := filepath.Join(t.TempDir(), "program")
	if err := os.WriteFile(path, []byte(text+script+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	out, err := exec.Command("bash", path).Output()
	if err != nil {
		t.Fatalf("%s: %v\n%s", script, err, out)
	}
	return string(out)
}

// refused gives what is wrong with overrides of one control's parameters.
func refused(t *testing.T, role, control string, parameters map[string]any) string {
	t.Helper()
	s, problems := Resolve(role, Facts{}, Overrides{Parameters: map[string]map[string]any{control: parameters}})
	if s != nil {
		t.Fatalf("%v is taken", parameters)
	}
	var text []string
	for _, p := range slices.Concat(problems...) {
		text = append(text, p.Path+" "+p.Text)
	}
	return strings.Join(text, "\n")
}

func TestAFullLogOfTheAuditNeverStopsAValidator(t *testing.T) {
	conf := says(t, Facts{Role: "prep"}, nil, "audit_daemon_settings")
	if regexp.MustCompile(`(?mi)= *(halt|single|suspend)`).MatchString(conf) {
		t.Errorf("auditd.conf of a P-Rep:\n%s", conf)
	}
	if text := refused(t, "prep", "audit", map[string]any{"whenFull": "halt"}); !strings.Contains(text, "stop the validator") {
		t.Error(text)
	}
	conf = says(t, Facts{Role: "bastion"}, map[string]map[string]any{"audit": {"whenFull": "halt"}}, "audit_daemon_settings")
	for _, line := range []string{"disk_full_action = halt", "admin_space_left_action = halt"} {
		if !strings.Contains(conf, "\n"+line+"\n") {
			t.Errorf("without %q:\n%s", line, conf)
		}
	}
}

func TestNothingWaitsForTheAudit(t *testing.T) {
	base := says(t, Facts{Role: "prep"}, nil, "audit_base")
	if !strings.Contains(base, "\n-f 1\n") {
		t.Errorf("without -f 1:\n%s", base)
	}
	script := scriptsOf()["audit"]
	for _, line := range []string{"--backlog_wait_time 0", "-i"} {
		if !strings.Contains(script, "\n"+line+"\n") {
			t.Errorf("without %q:\n%s", line, script)
		}
	}
}

var auditRule = regexp.MustCompile(`^(-a (always|never),exit -F (arch=b(32|64) -S [a-z0-9_,]+|path=/\S+)( -[FC] \S+)*` +
	`|-w /\S+ -p [rwxa]+ -k [a-z_-]+)$`)

func TestRulesOfTheAuditAreWhatAuditctlTakes(t *testing.T) {
	for _, machine := range []string{"x86_64", "aarch64"} {
		rules := says(t, Facts{Role: "prep", Runtime: "binary", DataDir: "/srv/chain"}, nil, "HOSTTYPE="+machine+" audit_rules")
		count := 0
		for lines := bufio.NewScanner(strings.NewReader(rules)); lines.Scan(); {
			line := lines.Text()
			if strings.HasPrefix(line, "#") {
				continue
			}
			count++
			if !auditRule.MatchString(line) {
				t.Errorf("%s: %s", machine, line)
			}
			if machine == "aarch64" && regexp.MustCompile(`b64 .*[ ,](open|chmod|unlink|rename|rmdir|creat)[ ,]`).MatchString(line) {
				t.Errorf("a call that the architecture does not have: %s", line)
			}
		}
		if count < 60 {
			t.Errorf("%s: only %d rules", machine, count)
		}
		// The first rule that fits counts.
		if first := strings.Index(rules, "-a always"); first < strings.Index(rules, "-a never") {
			t.Error("what is left out comes after what is recorded")
		}
	}
}

func TestTheNodesKeyAndMemoryAreWatchedWhereThereIsANode(t *testing.T) {
	const key, memory = "\n-w /srv/chain/key -p rwa -k icon-key\n", "ptrace,process_vm_readv"
	rules := says(t, Facts{Role: "prep", Runtime: "binary", DataDir: "/srv/chain"}, nil, "audit_rules")
	if !strings.Contains(rules, key) || !strings.Contains(rules, memory) {
		t.Errorf("the key is not watched:\n%s", rules)
	}
	if rules := says(t, Facts{Role: "sentry"}, nil, "audit_rules"); strings.Contains(rules, "icon-key") {
		t.Error("a key is watched where there is none")
	}
}

const certificate = "-----BEGIN CERTIFICATE-----\nMIIBszCCAVmgAwIBAgIUQ0E=\n-----END CERTIFICATE-----\n"

func TestLogsAreOnlySentToWhoProvesToBeTheLogHost(t *testing.T) {
	forward := map[string]map[string]any{"logs": {
		"forwardTo": "10.0.9.9:6514", "forwardAuthority": certificate, "forwardName": "logs.example.org",
	}}
	conf := says(t, Facts{Role: "prep"}, forward, "logs_forwarding")
	for _, want := range []string{
		`target="10.0.9.9"`, `port="6514"`, `StreamDriverMode="1"`, `StreamDriverAuthMode="x509/name"`,
		`StreamDriverPermittedPeers="logs.example.org"`, `queue.saveOnShutdown="on"`,
	} {
		if !strings.Contains(conf, want) {
			t.Errorf("without %s:\n%s", want, conf)
		}
	}
	if plugin := says(t, Facts{Role: "prep"}, forward, "audit_forwarding"); !strings.Contains(plugin, "active = yes") {
		t.Error("the records of the audit are not sent along")
	}
	for _, bad := range []map[string]any{
		{"forwardTo": "logs.example.org:6514"},
		{"forwardTo": "logs.example.org:6514", "forwardAuthority": "-----BEGIN PRIVATE KEY-----\nMII=\n-----END PRIVATE KEY-----\n"},
		{"forwardAuthority": certificate},
		{"forwardTo": "logs.example.org"},
		{"forwardTo": `x" ssl="`},
		{"forwardName": "a b"},
	} {
		refused(t, "prep", "logs", bad)
	}
}

func TestWithoutALogHostNothingIsSentOrInstalledForIt(t *testing.T) {
	if conf := says(t, Facts{Role: "prep"}, nil, "logs_forwarding"); strings.Contains(conf, "omfwd") {
		t.Errorf("%s", conf)
	}
	if plugin := says(t, Facts{Role: "prep"}, nil, "audit_forwarding"); !strings.Contains(plugin, "active = no") {
		t.Errorf("%s", plugin)
	}
	if packages := says(t, Facts{Role: "prep"}, nil, `printf '%s' "$PACKAGES"`); strings.Contains(packages, "rsyslog-gnutls") {
		t.Errorf("%s", packages)
	}
	with := map[string]map[string]any{"logs": {"forwardTo": "10.0.9.9:6514", "forwardAuthority": certificate}}
	if packages := says(t, Facts{Role: "prep"}, with, `printf '%s' "$PACKAGES"`); !strings.Contains(packages, "rsyslog-gnutls") {
		t.Errorf("%s", packages)
	}
}

func TestTheClockFollowsWhoItShould(t *testing.T) {
	cases := []struct {
		name       string
		parameters map[string]any
		want, not  []string
	}{
		{
			"as it comes", nil,
			[]string{"server nts.netnod.se iburst nts", "pool 0.debian.pool.ntp.org iburst", "authselectmode prefer", "port 0"},
			nil,
		},
		{"authenticated only", map[string]any{"authenticatedOnly": true}, []string{"authselectmode require"}, []string{"\npool "}},
		{
			"with the platform's clock",
			map[string]any{"localServers": []any{"169.254.169.123"}},
			[]string{"server 169.254.169.123 prefer", "authselectmode mix"},
			nil,
		},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			conf := says(t, Facts{Role: "prep"}, map[string]map[string]any{"clock": c.parameters}, "clock_settings")
			for _, want := range c.want {
				if !strings.Contains(conf, want) {
					t.Errorf("without %q:\n%s", want, conf)
				}
			}
			for _, not := range c.not {
				if strings.Contains(conf, not) {
					t.Errorf("with %q:\n%s", not, conf)
				}
			}
		})
	}
}

func TestAClockThatCouldNeverBeSetIsRefused(t *testing.T) {
	for _, bad := range []map[string]any{
		{"ntsServers": []any{"a.example.org"}, "pools": []any{}},
		{"authenticatedOnly": true, "ntsServers": []any{"a.example.org"}},
		{"authenticatedOnly": true, "localServers": []any{"169.254.169.123"}},
		{"minSources": 0},
		{"ntsServers": []any{"a.example.org\nallow all"}},
	} {
		refused(t, "prep", "clock", bad)
	}
}

func TestUnitsOfTheRecordAreTakenBySystemd(t *testing.T) {
	const program = "/usr/local/lib/icon/integrity"
	for name, script := range map[string]string{
		"aidecheck.service": "integrity_service Comparison check", "icon-integrity.service": "integrity_service Renewal renew",
	} {
		host.VerifyUnit(t, name, says(t, Facts{Role: "prep"}, nil, script), []string{program}, nil)
	}
}

// TestDifferencesAreToldApart runs the comparison with a stand-in for aide and a package database of its own.
func TestDifferencesAreToldApart(t *testing.T) {
	program := says(t, Facts{Role: "prep"}, nil, "integrity_program")
	host.Shellcheck(t, program)
	out, code := host.Scenario(t, map[string]string{"integrity": program}, `
mount -t tmpfs tmpfs /var/lib && mkdir -p /var/lib/{aide,dpkg/info,icon/metrics}
mount -t tmpfs tmpfs /opt
cd /opt && echo new >updated && echo own >own && echo evil >evil && echo suid >suid && chmod 4755 suid && ln -s updated link
for f in updated suid; do md5sum opt/$f 2>/dev/null || (cd / && md5sum opt/$f); done >/var/lib/dpkg/info/some.md5sums
printf '/opt/updated\n/opt/link\n' >/var/lib/dpkg/info/some.list
pretend aide '
case $1 in
  --init) echo db >/var/lib/aide/aide.db.new ;;
  --check) cat <<JSON
{
  "added": {
    "/opt/evil": "f++++",
    "/opt/link": "l++++"
  },
  "removed": {
    "/etc/gone": "f----"
  },
  "changed": {
    "/opt/suid": "f  p.  ",
    "/opt/updated": "f    H"
  }
}
JSON
    exit 7 ;;
esac'
sed -i 's|^export .*|export LC_ALL=C PATH=/usr/local/sbin:/usr/sbin:/usr/bin:/sbin:/bin|' "$FILES/integrity"
run() { bash "$FILES/integrity" "$1"; }
run check; grep -v '^#' /var/lib/icon/metrics/integrity.prom | grep 'added\|changed'
echo ---; run check; grep '^icon_integrity_files' /var/lib/icon/metrics/integrity.prom
echo --- a deploy; mkdir -p /var/log/icon
printf '=== 2099-01-01T00:00:00Z harden apply\n=== done, 0 changed, 5 ms\n' >/var/log/icon/a.log
touch -d '10 minutes ago' /var/lib/aide/aide.db
touch -d '5 minutes ago' /var/log/icon/a.log /var/log/icon; run renew; echo "nothing renewed"
printf '=== 2099-01-01T00:00:00Z harden apply\n=== done, 3 changed, 5 ms\n' >/var/log/icon/a.log
touch -d '5 minutes ago' /var/log/icon/a.log /var/log/icon; run renew; grep '^icon_integrity_files' /var/lib/icon/metrics/integrity.prom`)
	if code != 0 {
		t.Fatalf("ended with %d:\n%s", code, out)
	}
	first, rest, _ := strings.Cut(out, "---\n")
	if !strings.HasPrefix(first, "database made: ") || !strings.Contains(first, `change="added"} 0`) {
		t.Errorf("the first time:\n%s", first)
	}
	check, deploy, _ := strings.Cut(rest, "--- a deploy\n")
	want := `changed /opt/suid
package /opt/updated
added /opt/evil
package /opt/link
removed /etc/gone
icon_integrity_files{change="added"} 1
icon_integrity_files{change="changed"} 1
icon_integrity_files{change="removed"} 1
icon_integrity_files{change="package"} 2
`
	if check != want {
		t.Errorf("got\n%s\nwant\n%s", check, want)
	}
	before, after, _ := strings.Cut(deploy, "nothing renewed\n")
	if before != "" {
		t.Errorf("a deploy that changed nothing:\n%s", before)
	}
	if !strings.Contains(after, "accepted with a deploy: added /opt/evil\n") || !strings.Contains(after, "database made: ") ||
		!strings.Contains(after, `change="added"} 0`) {
		t.Errorf("a deploy that changed something:\n%s", after)
	}
}

func TestTheCleanUpOfTheAuditsLogLeavesTheFilesThatAreWanted(t *testing.T) {
	text := says(t, Facts{Role: "prep"}, map[string]map[string]any{"audit": {"files": 3}}, "want_file() { cat; echo ---; }; audit_files")
	service, timer, _ := strings.Cut(text, "---\n")
	timer, _, _ = strings.Cut(timer, "---\n")
	host.VerifyUnit(t, "icon-audit-files.service", service, []string{"/usr/bin/find", "/bin/sh"}, nil)
	host.VerifyUnit(t, "icon-audit-files.timer", timer, nil, []string{"icon-audit-files.service"})
	_, command, _ := strings.Cut(service, "ExecStart=")
	command, _, _ = strings.Cut(command, "\n")
	dir := t.TempDir()
	for _, name := range []string{"audit.log", "audit.log.1", "audit.log.2", "audit.log.3", "audit.log.10", "audit.log.x", "other.9"} {
		if err := os.WriteFile(filepath.Join(dir, name), nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	// As systemd reads it: "$$" is "$".
	command = strings.ReplaceAll(strings.ReplaceAll(command, "$$", "$"), "/var/log/audit", dir)
	if out, err := exec.Command("bash", "-c", command).CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	left, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, file := range left {
		names = append(names, file.Name())
	}
	if got := strings.Join(names, " "); got != "audit.log audit.log.1 audit.log.2 audit.log.x other.9" {
		t.Errorf("left: %s", got)
	}
}
