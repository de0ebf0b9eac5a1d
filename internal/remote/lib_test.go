package remote_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/insight-icon/pulumi-icon/internal/verify"
	"github.com/insight-icon/pulumi-icon/tests/host"
)

// says runs a scenario with one program, "test", and compares all that it says.
func says(t *testing.T, script, scenario, want string) {
	t.Helper()
	out, code := host.Scenario(t, map[string]string{"test": program(t, script, nil, nil)}, scenario)
	if out != want {
		t.Errorf("exit %d, said\n%s\nwanted\n%s", code, out, want)
	}
}

func TestPutWritesOnlyWhatDiffers(t *testing.T) {
	says(t, `remove() { :; }
apply() {
  local n
  for n in 1 2; do if put 0640 root:root /run/file <<<"text"; then summary "written $n"; else summary "kept $n"; fi; done
  put 0640 root:root /run/file <<<"other" && summary "content"
  put 0600 root:root /run/file <<<"other" && summary "mode"
  put 0600 root:adm /run/file <<<"other" && summary "group"
}`, `step test apply; stat -c '%a %U:%G' /run/file; cat /run/file; ls -A /run | grep icon.`,
		"written 1\nkept 2\ncontent\nmode\ngroup\nchanged=4\n600 root:adm\nother\n")
}

func TestPutNeverReplacesAFileByATruncatedOne(t *testing.T) {
	says(t, `remove() { :; }
apply() {
  mkdir -p /run/small
  mount -t tmpfs -o size=64k tmpfs /run/small
  printf 'whole\n' >/run/small/file
  if put 0600 root:root /run/small/file < <(head -c 200000 /dev/zero); then summary "replaced"; fi
  summary "went on"
}`, `step test apply 2>&1 | grep -a -m 1 step; head -c 100 /run/small/file; ls -A /run/small`,
		"host host-1, step test: /run/small/file could not be written\nwhole\nfile\n")
}

func TestPutFailsForAnUnknownOwner(t *testing.T) {
	says(t, `remove() { :; }
apply() { if put 0600 nobody-at-all:root /run/file <<<"secret"; then summary "written"; fi; summary "went on"; }`,
		`step test apply 2>&1 | grep -m 1 step; ls -A /run | grep -c -e '^file' -e '^.icon'`,
		"host host-1, step test: /run/file could not be written\n0\n")
}

func TestDirectoryChangesOnlyWhatDiffers(t *testing.T) {
	says(t, `remove() { :; }
apply() {
  directory 0750 root:adm /run/dir
  directory 0750 root:adm /run/dir
  directory 0700 root:root /run/dir
}`, `step test apply; stat -c '%a %U:%G' /run/dir`, "changed=2\n700 root:root\n")
}

func TestFailNamesHostAndStepAndNothingElseIsSaid(t *testing.T) {
	says(t, `remove() { :; }
apply() { echo "noise"; echo "noise" >&2; fail "the disk is on fire"; echo "never"; }`,
		`step test apply; echo "exit $?"; cd /var/log/icon; grep -c noise test.log; grep FAIL test.log; stat -c %a test.log`,
		"host host-1, step test: the disk is on fire\nexit 1\n2\nFAIL: the disk is on fire\n640\n")
}

func TestAnUnexpectedFailureShowsLineCommandAndLog(t *testing.T) {
	out, _ := host.Scenario(t, map[string]string{"test": program(t, `remove() { :; }
inner() { echo "the reason"; false; }
apply() { inner; summary "went on"; }`, nil, nil)}, `step test apply; echo "exit $?"`)
	for _, want := range []string{
		"host host-1, step test: line ", " ended with 1: false", "--- last lines of /var/log/icon/test.log on the host:", "the reason", "exit 1",
	} {
		if !strings.Contains(out, want) {
			t.Errorf("wanted %q:\n%s", want, out)
		}
	}
	if strings.Contains(out, "went on") {
		t.Errorf("the step went on:\n%s", out)
	}
}

func TestAVariableThatIsNotSetIsNotASilentEnd(t *testing.T) {
	out, _ := host.Scenario(t, map[string]string{"test": program(t, `remove() { :; }
apply() { echo "$FORGOTTEN"; summary "went on"; }`, nil, nil)}, `step test apply; echo "exit $?"`)
	for _, want := range []string{"host host-1, step test: ended with 1", "FORGOTTEN: unbound variable", "exit 1"} {
		if !strings.Contains(out, want) {
			t.Errorf("wanted %q:\n%s", want, out)
		}
	}
}

func TestAFailureInASubstitutionIsNotOverlooked(t *testing.T) {
	out, _ := host.Scenario(t, map[string]string{"test": program(t, `remove() { :; }
apply() { local x; x=$(false; echo 1); x=$(cat /nowhere); summary "went on"; }`, nil, nil)}, `step test apply; echo "exit $?"`)
	if !strings.Contains(out, "host host-1, step test: line") || strings.Contains(out, "went on") || !strings.Contains(out, "exit 1") {
		t.Errorf("said\n%s", out)
	}
}

func TestAFailedEnableIsNotOverlooked(t *testing.T) {
	says(t, `remove() { :; }
apply() { enable some.service; summary "went on"; }`, `
		pretend systemctl 'case $1 in is-enabled) exit 1 ;; enable) echo "no such unit"; exit 5 ;; esac'
		step test apply 2>&1 | sed -n '/step test/s/line [0-9]*/line N/p'`,
		"host host-1, step test: line N ended with 5: systemctl enable -q \"$1\"\n")
}

func TestStepsOfOneHostNeverRunAtOnce(t *testing.T) {
	says(t, `remove() { :; }
apply() { echo in >>/run/order; sleep 0.3; echo out >>/run/order; }`,
		`step test apply & step test apply & step test apply & wait; cat /run/order`,
		"changed=0\nchanged=0\nchanged=0\nin\nout\nin\nout\nin\nout\n")
}

func TestTheLogIsKeptAndRotated(t *testing.T) {
	says(t, `remove() { :; }
apply() { head -c 600000 /dev/zero | tr '\0' 'x'; }`, `
		for i in 1 2 3 4 5; do step test apply; done
		ls /var/log/icon; stat -c '%n %a' /var/log/icon/*; grep -c '^=== ' /var/log/icon/test.log`,
		strings.Repeat("changed=0\n", 5)+"test.log\ntest.log.1\n/var/log/icon/test.log 640\n/var/log/icon/test.log.1 640\n1\n")
}

func TestPackagesInstallsOnlyWhatIsMissing(t *testing.T) {
	says(t, `remove() { :; }
apply() { packages bash coreutils; packages bash not-there-1 not-there-2; }`, `
		pretend apt-get 'echo "apt-get $*" >>/run/apt'
		step test apply; sed 's/ -o [^ ]*//g' /run/apt; grep changed: /var/log/icon/test.log`,
		"changed=1\napt-get -q update\napt-get -q -y install --no-install-recommends not-there-1 not-there-2\n"+
			"changed: packages not-there-1 not-there-2\n")
}

// launched runs a program as pulumi-command does: the launcher in a shell, the program on its standard input.
func launched(t *testing.T, text, half string, timeout time.Duration, more string) string {
	t.Helper()
	out, _ := host.Scenario(t, map[string]string{"program": text, "launch": verify.Command(half, "host-1", "test", timeout, "root")},
		`export SSH_CONNECTION="192.0.2.7 50000 10.0.0.1 22"; sh "$FILES/launch" <"$FILES/program"; echo "exit $?"; `+more)
	return out
}

func TestTheLauncherRunsTheHalfAndLeavesNothingBehind(t *testing.T) {
	text := program(t, `
apply() {
  summary "apply $HOST $STEP $CONNECTION $(cat "$STEP_DIR/secret")"
  summary "$(stat -c %a "$STEP_DIR/secret" "$STEP_DIR" | paste -sd' ')"
}
remove() { summary "remove $X"; }`, map[string]string{"X": "it's"}, map[string]string{"secret": "s3cret"})
	const left = "ls -A /run/icon"
	const want = "apply host-1 test 192.0.2.7 50000 10.0.0.1 22 s3cret\n600 700\nchanged=0\nexit 0\nlock\n"
	if out := launched(t, text, "apply", time.Minute, left); out != want {
		t.Errorf("said\n%s\nwanted\n%s", out, want)
	}
	if out, want := launched(t, text, "remove", time.Minute, left), "remove it's\nchanged=0\nexit 0\nlock\n"; out != want {
		t.Errorf("said\n%s\nwanted\n%s", out, want)
	}
}

func TestAStepThatTakesTooLongSaysSo(t *testing.T) {
	out := launched(t, program(t, `remove() { :; }
apply() { echo "waiting for something"; sleep 60; }`, nil, nil), "apply", time.Second, "ls -A /run/icon")
	for _, want := range []string{
		"host host-1, step test: did not end within its time limit", "waiting for something", "exit 124", "\nlock\n",
	} {
		if !strings.Contains(out, want) {
			t.Errorf("wanted %q:\n%s", want, out)
		}
	}
}

func TestALongLineDoesNotReachTheDeploy(t *testing.T) {
	out := launched(t, program(t, `remove() { :; }
apply() { head -c 200000 /dev/zero | tr '\0' 'x'; echo; false; }`, nil, nil), "apply", time.Minute, "")
	for i, line := range strings.Split(out, "\n") {
		if len(line) > 1000 {
			t.Errorf("line %d has %d letters", i+1, len(line))
		}
	}
}

func TestNoSecretIsInTheFailureOfAStep(t *testing.T) {
	const secret = "hunter2"
	out := launched(t, program(t, fmt.Sprintf(`remove() { :; }
apply() { [[ $PASSWORD == %s ]]; cat "$STEP_DIR/password" >/dev/null; grep -q "$PASSWORD" /dev/null; }`, secret[:3]+"'"+secret[3:]+"'"),
		map[string]string{"PASSWORD": secret}, map[string]string{"password": secret + "\n"}), "apply", time.Minute, "cat /var/log/icon/test.log")
	if strings.Contains(out, secret) || !strings.Contains(out, "exit 1") {
		t.Errorf("said\n%s", out)
	}
}

func TestRemovingLeavesAloneWhatAnotherHostNameOrRoleHasTakenOver(t *testing.T) {
	old := program(t, "ROLE=0\napply() { :; }\nremove() { touch /run/removed; }\n", nil, nil)
	next := program(t, "ROLE=3\napply() { :; }\nremove() { touch /run/removed; }\n", nil, nil)
	out, _ := host.Scenario(t, map[string]string{"service-old": old, "service-new": next}, `
		step service-old apply; step service-new apply; step service-old remove; ls /run/removed 2>&1 | sed 's/.*No such.*/still there/'
		step service-new remove; ls /run/removed`)
	const want = "changed=0\nchanged=0\nkept=taken over by host-1 3\nchanged=0\nstill there\nchanged=0\n/run/removed\n"
	if out != want {
		t.Errorf("said\n%s\nwanted\n%s", out, want)
	}
}

func TestAStepThatWasCutOffTellsTheNextOne(t *testing.T) {
	text := program(t, `
apply() { summary "unfinished=$UNFINISHED"; [[ ! -e /run/cut ]] || { rm /run/cut; kill -9 $$; }; }
remove() { :; }`, nil, nil)
	out, _ := host.Scenario(t, map[string]string{"harden": text}, `
		touch /run/cut; step harden apply 2>/dev/null; step harden apply; step harden apply`)
	const want = "unfinished=false\nunfinished=true\nchanged=0\nunfinished=false\nchanged=0\n"
	if out != want {
		t.Errorf("said\n%s\nwanted\n%s", out, want)
	}
}

func TestAUnitThatACutOffStepMayHaveLeftUnreadIsReadAgain(t *testing.T) {
	says(t, `remove() { :; }
apply() { if unit icon-test.service <<<"[Unit]"; then summary "restart"; else summary "as it was"; fi; }`, `
		pretend systemctl 'echo "$*" >>/run/systemctl'
		step test apply; step test apply; touch /run/icon/unfinished-test; step test apply; cat /run/systemctl`,
		"restart\nchanged=1\nas it was\nchanged=0\nrestart\nchanged=0\ndaemon-reload\ndaemon-reload\n")
}

func TestAVerificationReportsChangesNothingAndIsNoStepThatHasBegun(t *testing.T) {
	text := program(t, `apply() { :; }
remove() { :; }
verify() { echo "noise"; printf 'control\tbanners\tok\t\t1\n' >&3; }`, nil, nil)
	const want = "control\tbanners\tok\t\t1\nexit 0\nlock\n"
	if out := launched(t, text, "verify", time.Minute, "ls -A /run/icon; ls -A /etc/icon/owners 2>/dev/null"); out != want {
		t.Errorf("said\n%s\nwanted\n%s", out, want)
	}
	out := launched(t, program(t, idle, nil, nil), "verify", time.Minute, "")
	if !strings.Contains(out, "host host-1, step test: has nothing to verify") || !strings.Contains(out, "exit 1") {
		t.Errorf("a step without the half says\n%s", out)
	}
}
