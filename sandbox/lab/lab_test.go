package lab

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func openLab(t *testing.T) *Lab {
	t.Helper()
	l, err := Open(Config{Dir: t.TempDir(), ServeArgv: []string{"false"}, Progress: t.Logf})
	if err != nil {
		t.Fatal(err)
	}
	return l
}

func wantError(t *testing.T, err error, parts ...string) {
	t.Helper()
	for _, part := range parts {
		if err == nil || !strings.Contains(err.Error(), part) {
			t.Errorf("error %v\ndoes not say %q", err, part)
		}
	}
}

func TestAWrongConfigurationIsRefusedWithAllItsMistakes(t *testing.T) {
	_, err := Open(Config{
		Dir: "/tmp/a,b", Name: "Icon-1", Internet: netip.MustParsePrefix("10.1.0.0/16"), Private: netip.MustParsePrefix("10.1.2.0/24"),
		Admin: netip.MustParseAddr("10.9.0.1"),
	})
	wantError(t, err, `Dir "/tmp/a,b"`, `Name "Icon-1"`, "10.1.0.0/16 and Private 10.1.2.0/24 overlap", "Admin 10.9.0.1", "ServeArgv is empty")
}

func TestTheMachineHasTheFirstPrivateAddressByDefault(t *testing.T) {
	l := openLab(t)
	if l.cfg.Admin != netip.MustParseAddr("10.77.2.1") || l.FilesURL() != "http://10.77.2.1/files/" {
		t.Errorf("machine's address %s, files at %s", l.cfg.Admin, l.FilesURL())
	}
}

func TestARangeInUseIsRefusedWithItsDevice(t *testing.T) {
	inet, priv := netip.MustParsePrefix("10.77.1.0/24"), netip.MustParsePrefix("10.77.2.0/24")
	free := `[{"dst":"default","dev":"eth0"},{"dst":"192.0.2.0/24","dev":"eth0"},{"type":"local","dst":"127.0.0.1","dev":"lo"}]`
	if err := checkFree([]byte(free), inet, priv); err != nil {
		t.Error(err)
	}
	for _, used := range []string{"10.77.2.0/28", "10.77.2.9", "10.0.0.0/8"} {
		err := checkFree([]byte(`[{"dst":"`+used+`","dev":"vpn0"}]`), inet, priv)
		wantError(t, err, "10.77.", used, "vpn0", "choose another range")
	}
	wantError(t, checkFree([]byte(`[{"dst":"nonsense"}]`), inet), `"nonsense"`)
}

func TestHostsThatCannotBeAreRefusedBeforeAnythingIsMade(t *testing.T) {
	l := openLab(t)
	err := l.checkSpecs([]HostSpec{
		{Name: "Bad_Name", Private: netip.MustParseAddr("10.77.2.5")},
		{Name: "nowhere"},
		{Name: "elsewhere", Internet: netip.MustParseAddr("10.77.2.6")},
		{Name: "machine", Private: netip.MustParseAddr("10.77.2.1")},
		{Name: "twin", Private: netip.MustParseAddr("10.77.2.7")},
		{Name: "files", Private: netip.MustParseAddr("10.77.2.8"), Files: map[string]File{"etc/../x": {}}, Binds: []Bind{{"a", "/b", true}}},
	}, []HostSpec{{Name: "up", Private: netip.MustParseAddr("10.77.2.7")}})
	wantError(t, err, `host "Bad_Name": Name`, `host "nowhere": Internet and Private are both unset`,
		`host "elsewhere": Internet 10.77.2.6: want an address in 10.77.1.0/24`, `host "machine": Private 10.77.2.1`,
		`host "twin": address 10.77.2.7 is already that of host "up"`, `host "files": Files["etc/../x"]`, `host "files": Binds "a" to "/b"`)
	good := HostSpec{Name: "prep", Internet: netip.MustParseAddr("10.77.1.5"), Private: netip.MustParseAddr("10.77.2.5")}
	if err := l.checkSpecs([]HostSpec{good}, nil); err != nil {
		t.Error(err)
	}
}

func TestAnotherRecipeIsAnotherCacheEntry(t *testing.T) {
	seen := map[string]bool{}
	for _, recipe := range [][][]string{{{"a", "b"}}, {{"a"}, {"b"}}, {{"a\nb"}}, {{"ab"}}, {{"a", "b"}, {}}} {
		key := recipeKey(recipe...)
		if seen[key] || key != recipeKey(recipe...) {
			t.Errorf("recipe %q: key %s is not its own", recipe, key)
		}
		seen[key] = true
	}
}

func TestAnInterruptedBuildLeavesNothingHalfMade(t *testing.T) {
	l := openLab(t)
	dir := filepath.Join(l.cacheDir(), "thing")
	// What a killed process leaves.
	if err := os.MkdirAll(dir+".unfinished/old", 0o755); err != nil {
		t.Fatal(err)
	}
	broken := errors.New("mirror is down")
	err := l.ensure("thing", dir, func(unfinished string) error {
		if _, err := os.Stat(filepath.Join(unfinished, "old")); !errors.Is(err, os.ErrNotExist) {
			t.Errorf("the build starts on an interrupted one: %v", err)
		}
		return errors.Join(os.WriteFile(filepath.Join(unfinished, "half"), nil, 0o644), broken)
	})
	if !errors.Is(err, broken) {
		t.Errorf("error %v", err)
	}
	if entries, err := os.ReadDir(l.cacheDir()); err != nil || len(entries) > 0 {
		t.Errorf("left over: %v, %v", entries, err)
	}
	builds := 0
	for range 2 {
		if err := l.ensure("thing", dir, func(string) error { builds++; return nil }); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := os.Stat(dir); err != nil || builds != 1 {
		t.Errorf("built %d times, %v; want once", builds, err)
	}
}

func TestFilesStayInsideTheHost(t *testing.T) {
	outside, root := t.TempDir(), t.TempDir()
	if err := os.Symlink(outside, filepath.Join(root, "etc")); err != nil {
		t.Fatal(err)
	}
	if err := writeFiles(root, map[string]File{"/etc/shadow": {Content: []byte("x")}}); err == nil {
		t.Error("a link in the image leads a file out of the host")
	}
	if entries, err := os.ReadDir(outside); err != nil || len(entries) > 0 {
		t.Errorf("written outside: %v, %v", entries, err)
	}
	err := writeFiles(root, map[string]File{"/root/.ssh/authorized_keys": {Content: []byte("k"), Mode: 0o600}, "/a/b": {}})
	if err != nil {
		t.Fatal(err)
	}
	for path, mode := range map[string]os.FileMode{"root/.ssh": 0o700, "root/.ssh/authorized_keys": 0o600, "a/b": 0o644} {
		if info, err := os.Stat(filepath.Join(root, path)); err != nil || info.Mode().Perm() != mode {
			t.Errorf("%s: %v, %v, want mode %o", path, info, err, mode)
		}
	}
}

func TestCgroupsAreFoundOnBothKindsOfMachine(t *testing.T) {
	for _, machine := range []struct {
		mounts string
		want   cgroups
	}{
		{"30 23 0:26 / /sys/fs/cgroup rw shared:4 - cgroup2 cgroup2 rw,nsdelegate\n", cgroups{unified: "/sys/fs/cgroup"}},
		{
			"31 23 0:27 / /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory\n" +
				"32 23 0:28 / /sys/fs/cgroup/systemd rw - cgroup cgroup rw,name=systemd\n" +
				"33 23 0:29 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw\n",
			cgroups{unified: "/sys/fs/cgroup/unified", named: "/sys/fs/cgroup/systemd"},
		},
	} {
		path := filepath.Join(t.TempDir(), "mountinfo")
		if err := os.WriteFile(path, []byte(machine.mounts), 0o644); err != nil {
			t.Fatal(err)
		}
		if got, err := findCgroups(path); err != nil || got != machine.want {
			t.Errorf("found %+v, %v; want %+v", got, err, machine.want)
		}
	}
	_, err := findCgroups(os.DevNull)
	wantError(t, err, "no cgroup v2 hierarchy")
}

func TestThePackageServerEndsWithItsContext(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "Packages"), []byte("list"), 0o644); err != nil {
		t.Fatal(err)
	}
	free, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	addr := free.Addr().String()
	wantError(t, ServeRepo(t.Context(), dir, addr), "address already in use")
	if err := free.Close(); err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- ServeRepo(ctx, dir, addr) }()
	var response *http.Response
	for end := time.Now().Add(5 * time.Second); ; {
		if response, err = http.Get("http://" + addr + "/Packages"); err == nil || time.Now().After(end) {
			break
		}
	}
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	if body, err := io.ReadAll(response.Body); err != nil || string(body) != "list" {
		t.Errorf("served %q, %v", body, err)
	}
	stop()
	if err := <-ended; err != nil {
		t.Error(err)
	}
}

func TestConsoleLogsAreReadable(t *testing.T) {
	if got := tail("one\r\n[\x1b[0;32m  OK  \x1b[0m] two\r\n\x1b[1mthree\x1b[0m\n", 2); got != "[  OK  ] two\nthree" {
		t.Errorf("tail is %q", got)
	}
}
