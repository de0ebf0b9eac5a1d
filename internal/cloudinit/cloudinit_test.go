package cloudinit_test

import (
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"encoding/pem"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"golang.org/x/crypto/ssh"
	"gopkg.in/yaml.v3"

	"github.com/insight-icon/pulumi-icon/internal/cloudinit"
	"github.com/insight-icon/pulumi-icon/tests/golden"
	"github.com/insight-icon/pulumi-icon/tests/host"
)

// keyOf makes an ed25519 key from a seed: the same at every run, and nobody's.
func keyOf(tb testing.TB, seed byte) (private, public string) {
	tb.Helper()
	key := ed25519.NewKeyFromSeed([]byte(strings.Repeat(string(rune(seed)), ed25519.SeedSize)))
	return marshal(tb, key, key.Public())
}

func marshal(tb testing.TB, private, public any) (string, string) {
	tb.Helper()
	block, err := ssh.MarshalPrivateKey(private, "")
	if err != nil {
		tb.Fatal(err)
	}
	half, err := ssh.NewPublicKey(public)
	if err != nil {
		tb.Fatal(err)
	}
	return string(pem.EncodeToMemory(block)), strings.TrimSpace(string(ssh.MarshalAuthorizedKey(half)))
}

func settings(tb testing.TB) cloudinit.Settings {
	tb.Helper()
	private, public := keyOf(tb, 'h')
	_, first := keyOf(tb, '1')
	_, second := keyOf(tb, '2')
	return cloudinit.Settings{
		HostKeyPrivate: private, HostKeyPublic: public, User: "admin",
		AdministratorKeys: []string{first + " somebody@example.org", "  " + second + "\n", first},
	}
}

func render(tb testing.TB, s cloudinit.Settings) string {
	tb.Helper()
	text, err := cloudinit.Render(s)
	if err != nil {
		tb.Fatal(err)
	}
	return text
}

// userData is what cloud-init reads. A key that is not here is a mistake.
type userData struct {
	DeleteKeys   bool              `yaml:"ssh_deletekeys"`
	Keys         map[string]string `yaml:"ssh_keys"`
	Users        []user            `yaml:"users"`
	Stays        bool              `yaml:"manual_cache_clean"`
	CloudsKeys   *bool             `yaml:"allow_public_ssh_keys"`
	DisableRoot  bool              `yaml:"disable_root"`
	Files        []file            `yaml:"write_files"`
	Update       *bool             `yaml:"package_update"`
	Upgrade      *bool             `yaml:"package_upgrade"`
	NothingElses map[string]any    `yaml:",inline"`
}

type user struct {
	Name  string   `yaml:"name"`
	Shell string   `yaml:"shell"`
	Lock  bool     `yaml:"lock_passwd"`
	Sudo  string   `yaml:"sudo"`
	Keys  []string `yaml:"ssh_authorized_keys"`
}

type file struct {
	Path        string `yaml:"path"`
	Owner       string `yaml:"owner"`
	Permissions string `yaml:"permissions"`
	Content     string `yaml:"content"`
}

func parse(tb testing.TB, text string) userData {
	tb.Helper()
	var got userData
	decoder := yaml.NewDecoder(strings.NewReader(text))
	decoder.KnownFields(true)
	if err := decoder.Decode(&got); err != nil {
		tb.Fatalf("%v\n%s", err, text)
	}
	return got
}

// wanted is all that a machine may be told.
func wanted(private, public, name string, keys ...string) userData {
	no := new(bool)
	return userData{
		DeleteKeys: true, Keys: map[string]string{"ed25519_private": private, "ed25519_public": public},
		Users: []user{{Name: name, Shell: "/bin/bash", Lock: true, Sudo: "ALL=(ALL) NOPASSWD:ALL", Keys: keys}},
		Stays: true, CloudsKeys: no, DisableRoot: true, Update: no, Upgrade: no,
		Files: []file{{
			"/etc/ssh/sshd_config.d/00-icon.conf", "root:root", "0644",
			"# Made by pulumi-icon.\nPermitRootLogin no\nPasswordAuthentication no\nKbdInteractiveAuthentication no\n",
		}},
	}
}

func TestAMachineIsToldItsHostKeyAndWhoMayLogInAndNothingElse(t *testing.T) {
	s := settings(t)
	text := render(t, s)
	// The golden file holds no private key, not even one that is nobody's.
	place := "    " + strings.ReplaceAll(strings.TrimSpace(s.HostKeyPrivate), "\n", "\n    ")
	shown := strings.Replace(text, place, "    (the private host key)", 1)
	golden.Check(t, "user-data.yaml", shown)
	if strings.Contains(shown, "PRIVATE") {
		t.Errorf("the private key is there twice:\n%s", shown)
	}
	if !strings.HasPrefix(text, "#cloud-config\n") {
		t.Errorf("cloud-init would not know this for its own:\n%s", text)
	}
	_, first := keyOf(t, '1')
	_, second := keyOf(t, '2')
	if got, want := parse(t, text), wanted(s.HostKeyPrivate, s.HostKeyPublic, "admin", first, second); !reflect.DeepEqual(got, want) {
		t.Errorf("says\n%+v\nwanted\n%+v", got, want)
	}
}

func TestTheRealCloudInitTakesTheUserData(t *testing.T) {
	text := render(t, settings(t))
	if out, err := schema(t, text); err != nil || !strings.Contains(out, "Valid cloud-config") || strings.Contains(out, "deprecat") {
		t.Errorf("%v\n%s", err, out)
	}
	// The check can fail: an empty list of key types is what cloud-init refuses.
	if out, err := schema(t, text+"ssh_genkeytypes: []\n"); err == nil {
		t.Errorf("cloud-init checks nothing:\n%s", out)
	}
}

// schema has Debian's cloud-init check user-data, far from this machine: without its network, and from a directory where it was unpacked.
func schema(t *testing.T, text string) (string, error) {
	t.Helper()
	unpacked, err := filepath.Abs("../../bin/cloud-init/usr")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(unpacked); err != nil {
		t.Fatalf("cloud-init is not unpacked: run sandbox/install-packages.sh (%v)", err)
	}
	path := filepath.Join(t.TempDir(), "user-data")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	cmd := host.Isolated("/usr/bin/python3", "-B", filepath.Join(unpacked, "bin/cloud-init"), "schema", "--config-file", path)
	cmd.Env = []string{"PATH=/usr/bin:/bin", "LANG=C.UTF-8", "PYTHONPATH=" + filepath.Join(unpacked, "lib/python3/dist-packages")}
	out, err := cmd.CombinedOutput()
	return string(out), err
}

func TestWrongSettingsAreAllNamedAndTheHostKeyIsNeverShown(t *testing.T) {
	good := settings(t)
	other, otherPublic := keyOf(t, 'x')
	curve, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	curvePrivate, curvePublic := marshal(t, curve, curve.Public())
	locked, err := ssh.MarshalPrivateKeyWithPassphrase(ed25519.NewKeyFromSeed(make([]byte, 32)), "", []byte("secret"))
	if err != nil {
		t.Fatal(err)
	}
	cases := []struct {
		name   string
		change func(*cloudinit.Settings)
		want   []string
	}{
		{"nothing at all", func(s *cloudinit.Settings) { *s = cloudinit.Settings{} }, []string{
			"HostKeyPrivate: wanted one PEM block", "HostKeyPublic: is no public key", `User: ""`, "AdministratorKeys: at least one key",
		}},
		{"halves of two keys", func(s *cloudinit.Settings) { s.HostKeyPublic = otherPublic }, []string{"not the public half of HostKeyPrivate"}},
		{"two private keys", func(s *cloudinit.Settings) { s.HostKeyPrivate += other }, []string{"HostKeyPrivate: wanted one PEM block"}},
		{"a damaged key", func(s *cloudinit.Settings) {
			s.HostKeyPrivate = "-----BEGIN OPENSSH PRIVATE KEY-----\nAAAA\n-----END OPENSSH PRIVATE KEY-----\n"
		}, []string{"HostKeyPrivate: cannot be read"}},
		{"a key with passphrase", func(s *cloudinit.Settings) {
			s.HostKeyPrivate = string(pem.EncodeToMemory(locked))
		}, []string{"without passphrase"}},
		{"another type of key", func(s *cloudinit.Settings) { s.HostKeyPrivate = curvePrivate }, []string{"HostKeyPrivate: is no ed25519 key"}},
		{"another type of public key", func(s *cloudinit.Settings) { s.HostKeyPublic = curvePublic }, []string{"wanted ssh-ed25519"}},
		{"root", func(s *cloudinit.Settings) { s.User = "root" }, []string{`User: "root" does not log in`}},
		{"a word of YAML", func(s *cloudinit.Settings) { s.User = "null" }, []string{`User: "null"`}},
		{"a user of two lines", func(s *cloudinit.Settings) { s.User = "a\nb" }, []string{`User: "a\nb"`}},
		{"a key of two lines", func(s *cloudinit.Settings) {
			s.AdministratorKeys = []string{otherPublic + "\n" + otherPublic, otherPublic + "\nruncmd: [x]"}
		}, []string{"AdministratorKeys[0]: holds several lines", "AdministratorKeys[1]: holds several lines"}},
		{"a key with options", func(s *cloudinit.Settings) {
			s.AdministratorKeys = append(s.AdministratorKeys, `from="192.0.2.0/24" `+otherPublic)
		}, []string{"AdministratorKeys[3]: holds options"}},
		{"a private key among the public ones", func(s *cloudinit.Settings) {
			s.AdministratorKeys = []string{s.HostKeyPrivate}
		}, []string{"AdministratorKeys[0]: holds several lines"}},
		{"a type that sshd does not let in", func(s *cloudinit.Settings) { s.AdministratorKeys = []string{dsa} }, []string{"is of type ssh-dss"}},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			s := good
			s.AdministratorKeys = append([]string(nil), good.AdministratorKeys...)
			c.change(&s)
			text, err := cloudinit.Render(s)
			if err == nil || text != "" {
				t.Fatalf("is taken:\n%s", text)
			}
			for _, want := range c.want {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("wanted %q:\n%v", want, err)
				}
			}
			for _, line := range strings.Split(s.HostKeyPrivate, "\n") {
				if len(line) > 20 && !strings.Contains(line, "-----") && strings.Contains(err.Error(), line) {
					t.Errorf("shows the private key:\n%v", err)
				}
			}
		})
	}
}

func TestUserDataThatEC2WouldRefuseIsRefusedHere(t *testing.T) {
	s := settings(t)
	s.AdministratorKeys = nil
	var err error
	for i := 0; err == nil && i < 1000; i++ {
		public, _, keyErr := ed25519.GenerateKey(rand.Reader)
		if keyErr != nil {
			t.Fatal(keyErr)
		}
		key, keyErr := ssh.NewPublicKey(public)
		if keyErr != nil {
			t.Fatal(keyErr)
		}
		s.AdministratorKeys = append(s.AdministratorKeys, string(ssh.MarshalAuthorizedKey(key)))
		var text string
		if text, err = cloudinit.Render(s); len(text) > 16384 {
			t.Fatalf("%d bytes are taken", len(text))
		}
	}
	if n := len(s.AdministratorKeys); n < 150 || err == nil || !strings.Contains(err.Error(), "EC2 takes 16384: name fewer keys") {
		t.Errorf("%d keys: %v", n, err)
	}
}

func FuzzNothingLeavesItsPlace(f *testing.F) {
	good := settings(f)
	for _, seed := range []string{
		good.AdministratorKeys[0], "null", "admin\nruncmd: [id]", "a: b", "'", `"`, "#x", "ssh-ed25519 AAAA\n- x", "%s", "admin\u2028x",
		good.HostKeyPublic + " x\truncmd: [id]",
	} {
		f.Add(seed, seed, seed)
	}
	f.Fuzz(func(t *testing.T, name, key, hostKey string) {
		s := good
		s.User, s.AdministratorKeys = name, []string{good.AdministratorKeys[0], key}
		for _, public := range []string{good.HostKeyPublic, hostKey} {
			s.HostKeyPublic = public
			text, err := cloudinit.Render(s)
			if err != nil {
				continue
			}
			got := parse(t, text)
			keys := got.Users[0].Keys
			if !reflect.DeepEqual(got, wanted(good.HostKeyPrivate, good.HostKeyPublic, name, keys...)) || len(keys) > 2 {
				t.Fatalf("%q, %q, %q change more than their own values:\n%s", name, key, public, text)
			}
			for _, k := range keys {
				parsed, _, _, _, err := ssh.ParseAuthorizedKey([]byte(k))
				if err != nil || string(ssh.MarshalAuthorizedKey(parsed)) != k+"\n" {
					t.Fatalf("%q became the key %q (%v)", key, k, err)
				}
			}
		}
	})
}

// dsa is a key of a type that OpenSSH gave up; its private half was thrown away.
const dsa = "ssh-dss AAAAB3NzaC1kc3MAAACBAJHKmsv3i96EJS/Lm5BeLSQ8H1y5xboL74n6tV+bTjE6r3a5dXlQ6HUkSHPBbWGJOR6v/MKE1aWu+M3XaT" +
	"gZGu5OSoMg7Bp4tAoL6qZ0WhbD/6KULitIplv6gur69tiyFAW0eXsd6Bn4B9d03EeYdf0IyFyQmMUEe1QeaFxxuhitAAAAFQChIbe+QTM5QkUb" +
	"6Znzrlt8/fu9lQAAAIBLH5nl/q8k7noE4FeWKqVwUKFD/VIm2+RDAdxkkMFbDoXWX289TBh5irbDhqkfWu9NSagO0m2f8GR/qNlKMP44oRWm/7" +
	"oMit/XVjyjhH84anHq8iDSLe/Li/bjD7HFt5bAbVCybR2VMBw1XXeGkIrcb/qHpuf76XKE4MzrO16aUQAAAIByuHP+5hCh8lOTZKWwRgHKpN4i" +
	"VJTcxGt3cF6u1E+HBy6rpzabhs7Fi82NSuM2P+WUAjH25svJNmIdQXpW084s/rp/iNoLU3VIlgHGrGFuSdqjPaK5CxyiP1GISKWbK9167f2AGl" +
	"v8vZXbaBnAyVdDmgkmwFOKqcCh+7CT5mDpGg=="
