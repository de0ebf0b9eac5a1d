package goloop_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/insight-icon/pulumi-icon/internal/goloop"
	"github.com/insight-icon/pulumi-icon/internal/remote"
	"github.com/insight-icon/pulumi-icon/tests/golden"
	"github.com/insight-icon/pulumi-icon/tests/host"
)

func settings() goloop.Settings {
	return goloop.Settings{
		Role: goloop.Validator, DataDir: "/var/lib/icon-node", Announce: "prep.example.org:7100", RPCListen: "127.0.0.1:9000",
		Seeds: []string{"10.2.0.21:7101", "10.2.0.22:7101"}, CID: "0x1", NID: "0x1", Channel: "icon_dex", Platform: "icon", LogLevel: "info",
	}
}

func image(engine string) goloop.Image {
	return goloop.Image{
		Reference: "docker.io/iconloop/icon2-node@sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef",
		Engine:    engine, Service: "MainNet", ConfigURL: "https://mirror.example.org/node_info",
	}
}

func TestUnitsAreAsReviewedAndTakenBySystemd(t *testing.T) {
	firewall := []string{"icon-firewall.service", "chrony.service"}
	for name, c := range map[string]struct {
		text       string
		executable string
		units      []string
	}{
		"binary": {goloop.BinaryUnit(settings()), goloop.BinaryPath, firewall},
		"podman": {goloop.ContainerUnit(settings(), image("podman")), "/usr/bin/podman", firewall},
		"docker": {goloop.ContainerUnit(settings(), image("docker")), "/usr/bin/docker", append(firewall, "docker.service")},
	} {
		t.Run(name, func(t *testing.T) {
			golden.Check(t, name+".service", c.text)
			host.VerifyUnit(t, goloop.Unit, c.text, []string{c.executable}, c.units)
		})
	}
}

// The limits are tenths. The container's own walls are the engine's: podman's unit keeps what starting a container takes.
func TestUnitsStayWithinTheirExposureBySystemdsMeasure(t *testing.T) {
	for name, c := range map[string]struct{ text, limit string }{
		"binary": {goloop.BinaryUnit(settings()), "20"},
		"podman": {goloop.ContainerUnit(settings(), image("podman")), "46"},
		"docker": {goloop.ContainerUnit(settings(), image("docker")), "20"},
	} {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), goloop.Unit)
			if err := os.WriteFile(path, []byte(c.text), 0o600); err != nil {
				t.Fatal(err)
			}
			out, err := exec.Command("systemd-analyze", "security", "--offline=yes", "--no-pager", "--threshold="+c.limit, path).CombinedOutput()
			if err != nil {
				t.Errorf("%v\n%s", err, out)
			}
		})
	}
}

func TestAContainersEnvironmentIsAsReviewed(t *testing.T) {
	golden.Check(t, "mirror.env", goloop.ContainerEnv(settings(), image("podman")))
	citizen, img := settings(), image("docker")
	citizen.Role, citizen.RPCListen, img.ConfigURL = goloop.Citizen, ":9000", ""
	golden.Check(t, "citizen.env", goloop.ContainerEnv(citizen, img))
}

func TestJoinArgumentsAreAsReviewed(t *testing.T) {
	icon, basic := settings(), settings()
	basic.Platform, basic.Role = "basic", goloop.Citizen
	golden.Check(t, "join.txt", goloop.JoinArgs(icon)+"\n"+goloop.JoinArgs(basic)+"\n")
}

func TestRelaysStandUnderOneName(t *testing.T) {
	s := settings()
	if got := strings.Join(s.SeedList(), " "); got != "10.2.0.21:7101 10.2.0.22:7101" {
		t.Errorf("without relays the seeds are %q", got)
	}
	s.Relays, s.RelayedSeeds = []string{"10.2.0.21", "10.2.0.22"}, 2
	if got := strings.Join(s.SeedList(), " "); got != "sentries.icon.internal:7101 sentries.icon.internal:7102" {
		t.Errorf("with relays the seeds are %q: goloop loses a seed that it reaches by two addresses at once", got)
	}
	const want = "127.0.0.1 localhost\n10.2.0.21 sentries.icon.internal\n10.2.0.22 sentries.icon.internal\n"
	if got := goloop.HostsFile(s); got != want {
		t.Errorf("hosts file\n%s\nwanted\n%s", got, want)
	}
}

func TestNothingRenderedHoldsAPassword(t *testing.T) {
	for _, text := range []string{goloop.ContainerUnit(settings(), image("podman")), goloop.ContainerEnv(settings(), image("podman"))} {
		if strings.Contains(text, "KEY_PASSWORD") {
			t.Errorf("the key's password has its own root-only file, not this one:\n%s", text)
		}
	}
}

func program(tb testing.TB, script string, vars, files map[string]string) string {
	tb.Helper()
	text, err := remote.Program(script, vars, files)
	if err != nil {
		tb.Fatal(err)
	}
	return text
}

var keyVars = map[string]string{
	"DATA_DIR": "/var/tmp/node", "RUNTIME": "binary", "ENGINE": "", "IMAGE": "", "ARCHIVE": "", "BINARY_STAGED": "/var/tmp/goloop",
	"BINARY_SHA256": "00", "IMPORT_ADDRESS": "", "ON_DESTROY": "keep",
}

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
	host.Shellcheck(t, program(t, goloop.KeyScript, keyVars, map[string]string{"keystore.json": "{}", "password": "x"}))
	host.Shellcheck(t, program(t, goloop.GuardScript, nil, map[string]string{"keys": "a hx0\n"}))
	host.Shellcheck(t, program(t, goloop.ServiceScript, map[string]string{
		"DATA_DIR": "/d", "RUNTIME": "binary", "CID": "0x1", "JOIN": "--role 3", "SEEDS": "a:1", "ROLE": "3", "TIMEOUT": "5",
		"ENGINE": "docker", "IMAGE": "i@sha256:0",
	}, map[string]string{"icon-node.service": "x\n", "genesis.b64": "eA==\n"}))
	host.Shellcheck(t, program(t, goloop.VerifyScript, verifyVars, nil))
}

var verifyVars = map[string]string{
	"CID": "0x1ecbb6", "SEEDS": "10.9.0.1:7100", "TIMEOUT": "4", "UNIT": "", "RUNTIME": "binary", "DATA_DIR": "/d",
}

func TestTheGuardRefusesAKeyOnTwoHostsAndNamesThem(t *testing.T) {
	one, two := "hx"+strings.Repeat("1", 40), "hx"+strings.Repeat("2", 40)
	twice := "a " + one + "\nb " + two + "\nc " + one + "\n"
	out, code := host.Scenario(t, map[string]string{
		"guard-ok":    program(t, goloop.GuardScript, nil, map[string]string{"keys": "a " + one + "\nb " + two + "\n"}),
		"guard-twice": program(t, goloop.GuardScript, nil, map[string]string{"keys": twice}),
	}, `step guard-ok apply; echo "different: $?"; step guard-twice apply; echo "twice: $?"`)
	for _, want := range []string{
		"different: 0", "twice: 1", "host host-1, step guard: the node key " + one + " is on several hosts of this plan: a c.",
	} {
		if !strings.Contains(out, want) {
			t.Errorf("wanted %q (exit %d):\n%s", want, code, out)
		}
	}
	if strings.Contains(out, two) {
		t.Errorf("a key that is on one host only is named:\n%s", out)
	}
}

func TestAKeyIsNeverOverwrittenByAnImport(t *testing.T) {
	there, wanted := "hx"+strings.Repeat("1", 40), "hx"+strings.Repeat("2", 40)
	script := strings.Replace(goloop.KeyScript, "install_binary() {", "install_binary() { return 0; # the test has no node\n", 1)
	text := program(t, script, with(keyVars, "IMPORT_ADDRESS", wanted), map[string]string{"keystore.json": "new", "password": "new"})
	out, code := host.Scenario(t, map[string]string{"key": text}, `
		mkdir -p /var/tmp/node/key; echo '{"address":"`+there+`"}' >/var/tmp/node/key/keystore.json; echo -n old >/var/tmp/node/key/password
		step key apply; echo "exit $?"; cat /var/tmp/node/key/keystore.json /var/tmp/node/key/password`)
	for _, want := range []string{
		"this host already holds the node key " + there + ", but icon:importedKeys wants " + wanted, "exit 1",
		`{"address":"` + there + `"}`, "old",
	} {
		if !strings.Contains(out, want) {
			t.Errorf("wanted %q (exit %d):\n%s", want, code, out)
		}
	}
}

func TestAFailedImportLeavesTheKeyThatWasThere(t *testing.T) {
	there := "hx" + strings.Repeat("1", 40)
	script := strings.Replace(goloop.KeyScript, "install_binary() {", "install_binary() { return 0; # the test has no node\n", 1)
	text := program(t, script, with(keyVars, "IMPORT_ADDRESS", there), map[string]string{
		"keystore.json": `{"address":"` + there + `","damaged":1}`, "password": "wrong",
	})
	out, code := host.Scenario(t, map[string]string{"key": text}, `
		mkdir -p /var/tmp/node/key; echo '{"address":"`+there+`"}' >/var/tmp/node/key/keystore.json; echo -n old >/var/tmp/node/key/password
		step key apply; echo "exit $?"; cat /var/tmp/node/key/keystore.json /var/tmp/node/key/password`)
	for _, want := range []string{"does not open with its password", "exit 1", `{"address":"` + there + `"}`, "old"} {
		if !strings.Contains(out, want) {
			t.Errorf("wanted %q (exit %d):\n%s", want, code, out)
		}
	}
}

func TestAKeystoreOfAnotherAddressIsNotImported(t *testing.T) {
	wanted, given := "hx"+strings.Repeat("1", 40), "hx"+strings.Repeat("2", 40)
	script := strings.Replace(goloop.KeyScript, "install_binary() {", "install_binary() { return 0; # the test has no node\n", 1)
	text := program(t, script, with(keyVars, "IMPORT_ADDRESS", wanted), map[string]string{
		"keystore.json": `{"address":"` + given + `"}`, "password": "p",
	})
	out, code := host.Scenario(t, map[string]string{"key": text}, `step key apply; echo "exit $?"; find /var/tmp/node/key -type f`)
	const end = "exit 1\n"
	want := "the keystore to import here is of " + given + ", icon:importedKeys wants " + wanted
	if !strings.Contains(out, want) || !strings.HasSuffix(out, end) {
		t.Errorf("wanted %q and no file left (exit %d):\n%s", want, code, out)
	}
}
