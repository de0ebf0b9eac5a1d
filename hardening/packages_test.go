package hardening_test

import (
	"strings"
	"testing"

	"github.com/insight-icon/pulumi-icon/hardening"
	"github.com/insight-icon/pulumi-icon/tests/host"
)

// packages runs the part of a program that installs a package, on a host that says of its packages what scenario has it say.
func packages(t *testing.T, scenario string) string {
	t.Helper()
	s, problems := hardening.Resolve(hardening.Baseline, hardening.Facts{}, hardening.Overrides{})
	if s == nil {
		t.Fatal(problems)
	}
	text, err := s.Program(hardening.Live{})
	if err != nil {
		t.Fatal(err)
	}
	text = strings.TrimSuffix(text, "main \"$@\" </dev/null\n") + `
STATE=/run/state PACKAGES=wanted PURGE='' CONTROL=packages
mkdir -p "$STATE"
exec 3>&1
sleep() { echo "waits $1"; }
install_packages
echo "installed, $TOTAL changed"
`
	out, _ := host.Scenario(t, map[string]string{"program": text}, scenario+`
		bash "$FILES/program" 2>&1 </dev/null; echo "exit $?"; cat /run/calls`)
	return out
}

// Unlike apt-get install, neither waits for the lock by itself.
func TestAnotherRunOfAptIsWaitedFor(t *testing.T) {
	out := packages(t, `
		pretend dpkg-query 'if [[ -e /run/configured ]]; then echo "ii "; else echo "iF "; fi'
		pretend dpkg 'echo "dpkg $*" >>/run/calls
			[[ $(grep -c ^dpkg /run/calls) -gt 1 ]] || { echo "dpkg: error: dpkg frontend lock was locked by another process with pid 7"; exit 2; }
			touch /run/configured'
		pretend apt-get 'echo "apt-get $*" >>/run/calls
			[[ $* != *update || $(grep -c update$ /run/calls) -gt 1 ]] || { echo "E: Could not get lock /var/lib/apt/lists/lock."; exit 100; }'`)
	if strings.Count(out, "waits 5\n") != 2 || !strings.Contains(out, "installed, 1 changed\nexit 0") {
		t.Errorf("said\n%s", out)
	}
}

func TestBrokenPackagesAreNotWaitedFor(t *testing.T) {
	out := packages(t, `pretend dpkg-query 'echo "iF "'; pretend dpkg 'echo "dpkg: error processing package other"; exit 1'; touch /run/calls`)
	if strings.Contains(out, "waits") || !strings.Contains(out, "fail\tpackages\tdpkg --configure -a failed") ||
		!strings.Contains(out, "exit 1") {
		t.Errorf("said\n%s", out)
	}
}

// dpkg says of a package that its files were on the disk before the power was cut that it is installed.
func TestPackagesThatAPowerCutHasDamagedAreInstalledAgain(t *testing.T) {
	const scenario = `
		mkdir -p /run/state; : >/run/empty; echo changed >/run/setting
		pretend dpkg-query '[[ $1 == -S ]] || { echo "ii  wanted"; exit 0; }
			shift; for f in "$@"; do echo "some-package: $f"; echo "asked $f" >>/run/calls; done'
		pretend dpkg 'printf "??5??????   /usr/bin/damaged\n??5?????? c /run/setting\n??5?????? c /run/empty\n"
			echo "missing     /usr/share/doc/x"; exit 1'
		pretend apt-get 'echo "apt-get $*" >>/run/calls'
`
	out := packages(t, scenario+`echo "an earlier boot" >/run/state/unsynced`)
	for _, want := range []string{"asked /usr/bin/damaged\nasked /run/empty\n", "--reinstall some-package", "installed, 1 changed\nexit 0"} {
		if !strings.Contains(out, want) {
			t.Errorf("wanted %q:\n%s", want, out)
		}
	}
	out = packages(t, scenario+`cat /proc/sys/kernel/random/boot_id >/run/state/unsynced; touch /run/calls`)
	if out != "installed, 0 changed\nexit 0\n" {
		t.Errorf("without a power cut, said\n%s", out)
	}
}
