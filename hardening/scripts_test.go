package hardening_test

import (
	"strings"
	"testing"

	"github.com/insight-icon/pulumi-icon/hardening"
	"github.com/insight-icon/pulumi-icon/internal/remote"
	"github.com/insight-icon/pulumi-icon/tests/host"
)

func program(tb testing.TB, script string, vars, files map[string]string) string {
	tb.Helper()
	text, err := remote.Program(script, vars, files)
	if err != nil {
		tb.Fatal(err)
	}
	return text
}

var readyVars = map[string]string{"PORTS": "", "DATA_DIR": "", "MIN_DISK_GB": "0", "CID": "", "UNIT": "icon-node.service"}

func with(vars map[string]string, more ...string) map[string]string {
	all := map[string]string{}
	for k, v := range vars {
		all[k] = v
	}
	for i := 0; i < len(more); i += 2 {
		all[more[i]] = more[i+1]
	}
	return all
}

func TestScriptsAreCleanAsWholePrograms(t *testing.T) {
	host.Shellcheck(t, program(t, hardening.ReadyScript, readyVars, nil))
	host.Shellcheck(t, program(t, hardening.HardenScript, nil, map[string]string{"hardening": "exit 1\n"}))
}

func TestAHardeningThatFailsSaysWhichControlAndWhy(t *testing.T) {
	const failing = "echo a line of the log; printf 'control\\ta\\tchanged\\t2\\t5\\nfail\\tssh-server\\tsshd refuses this\\n' >&3; exit 1\n"
	out, _ := host.Scenario(t, map[string]string{"harden": program(t, hardening.HardenScript, nil, map[string]string{"hardening": failing})},
		"step harden apply; echo exit $?")
	for _, want := range []string{"host host-1, step harden: control ssh-server: sshd refuses this", "a line of the log", "exit 1"} {
		if !strings.Contains(out, want) {
			t.Errorf("does not say %q:\n%s", want, out)
		}
	}
}

func TestAHardeningThatEndsWithoutAWordFailsTheStep(t *testing.T) {
	text := program(t, hardening.HardenScript, nil, map[string]string{"hardening": "exit 3\n"})
	out, _ := host.Scenario(t, map[string]string{"harden": text}, "step harden apply; echo exit $?; step harden verify; echo exit $?")
	if strings.Count(out, "step harden: the hardening ended with 3") != 2 || strings.Count(out, "exit 1") != 2 {
		t.Errorf("said\n%s", out)
	}
}

func TestWhatTheHardeningChangedCounts(t *testing.T) {
	const report = "control\ta\tchanged\t2\t5\ncontrol\tb\tok\t0\t5\ncontrol\tc\tchanged\t3\t5\n"
	const good = "cat >&3 <<'END'\n" + report + "END\necho \"$*\" >/run/asked\n"
	out, _ := host.Scenario(t, map[string]string{"harden": program(t, hardening.HardenScript, nil, map[string]string{"hardening": good})},
		"step harden apply; cat /run/asked; step harden verify")
	if want := "changed=5\napply 192.0.2.7 50000 10.0.0.1 22\n" + report; out != want {
		t.Errorf("said\n%s\nwanted\n%s", out, want)
	}
}

// ready runs only some of the step's checks: a throw-away place has no systemd of its own.
func ready(t *testing.T, checks string, vars map[string]string, before string) string {
	t.Helper()
	script := strings.Replace(hardening.ReadyScript, "wait_for_boot\n  check_system\n", checks+"\n", 1)
	script = strings.Replace(script, `summary "os=$OS_NAME"`, ":", 1)
	out, _ := host.Scenario(t, map[string]string{"ready": program(t, script, vars, nil)}, before+"\nstep ready apply; echo \"exit $?\"")
	return out
}

func TestAnotherNetworksChainIsRefused(t *testing.T) {
	vars := with(readyVars, "DATA_DIR", "/var/tmp/node", "CID", "0x1ecbb6")
	if out := ready(t, "", vars, ""); !strings.Contains(out, "exit 0") {
		t.Errorf("an empty host is refused:\n%s", out)
	}
	ours := "mkdir -p /var/tmp/node/chain/1ecbb6; touch /var/tmp/node/chain/1ecbb6/config.json"
	if out := ready(t, "", vars, ours); !strings.Contains(out, "exit 0") {
		t.Errorf("our own chain is refused:\n%s", out)
	}
	out := ready(t, "", vars, ours+"; mkdir -p /var/tmp/node/chain/1; touch /var/tmp/node/chain/1/config.json")
	for _, want := range []string{
		"host host-1, step ready: 1 problem(s); nothing was changed.", "holds the chain 0x1, the plan wants 0x1ecbb6", "exit 1",
	} {
		if !strings.Contains(out, want) {
			t.Errorf("wanted %q:\n%s", want, out)
		}
	}
}

func TestATakenPortIsRefusedAndItsOwnerNamed(t *testing.T) {
	vars := with(readyVars, "PORTS", "7100 9000")
	const config = "defaults\n mode tcp\n timeout client 1s\n timeout server 1s\n timeout connect 1s\nfrontend x\n bind 127.0.0.1:9000\n"
	listener := "printf '" + strings.ReplaceAll(config, "\n", `\n`) + "' >/run/l.cfg; haproxy -db -f /run/l.cfg & " +
		"for i in $(seq 50); do ss -Hltn | grep -q ':9000 ' && break; sleep 0.1; done"
	if out := ready(t, "", vars, ""); !strings.Contains(out, "exit 0") {
		t.Errorf("free ports are refused:\n%s", out)
	}
	out := ready(t, "", vars, listener)
	for _, want := range []string{"1 problem(s)", "port 9000/tcp is taken by haproxy (pid ", "exit 1"} {
		if !strings.Contains(out, want) {
			t.Errorf("wanted %q:\n%s", want, out)
		}
	}
	if strings.Contains(out, "7100/tcp") {
		t.Errorf("a free port is said to be taken:\n%s", out)
	}
}

func TestADiskThatIsTooSmallIsRefused(t *testing.T) {
	const disk = "mkdir -p /var/tmp/disk; mount -t tmpfs -o size=3000000000 tmpfs /var/tmp/disk"
	for least, want := range map[string]string{
		"2": "exit 0", "4": "disk too small: /var/tmp/disk/a/b is on a file system of 3 GB, icon:node.minDiskGB wants 4 GB",
	} {
		out := ready(t, "", with(readyVars, "DATA_DIR", "/var/tmp/disk/a/b", "CID", "0x1", "MIN_DISK_GB", least), disk)
		if !strings.Contains(out, want) {
			t.Errorf("%s GB: wanted %q:\n%s", least, want, out)
		}
	}
}

func TestAnUnsupportedSystemIsRefusedWithEverythingElse(t *testing.T) {
	vars := with(readyVars, "DATA_DIR", "/var/tmp/node", "CID", "0x1", "MIN_DISK_GB", "999999")
	out := ready(t, "check_system", vars, `rm /etc/os-release; printf 'ID=plan9\nVERSION_ID="4"\n' >/etc/os-release`)
	for _, want := range []string{
		"2 problem(s); nothing was changed.", "operating system is plan9 4: supported are debian 12 and ubuntu 24.04", "disk too small", "exit 1",
	} {
		if !strings.Contains(out, want) {
			t.Errorf("wanted %q:\n%s", want, out)
		}
	}
	out = ready(t, "check_system", readyVars, `rm /etc/os-release; printf 'ID=debian\nVERSION_ID="12"\n' >/etc/os-release`)
	if !strings.Contains(out, "exit 0") {
		t.Errorf("Debian 12 is refused:\n%s", out)
	}
}

func TestRemoveOfReadyTakesAwayWhatTheDeployKept(t *testing.T) {
	out, _ := host.Scenario(t, map[string]string{"ready": program(t, hardening.ReadyScript, readyVars, nil)}, `
		mkdir -p /etc/icon /usr/local/lib/icon; step ready remove; echo "exit $?"; ls -d /etc/icon /usr/local/lib/icon /var/log/icon 2>/dev/null`)
	if out != "changed=0\nexit 0\n" {
		t.Errorf("said\n%s", out)
	}
}
