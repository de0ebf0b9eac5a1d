package tools

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// program puts an executable shell script at path.
func program(t *testing.T, path, script string) string {
	t.Helper()
	write(t, path, "#!/bin/sh\n"+script+"\n")
	if err := os.Chmod(path, 0o755); err != nil {
		t.Fatal(err)
	}
	return path
}

// installed makes dir the only place with programs, apart from the system's own.
func installed(t *testing.T) string {
	t.Helper()
	goTool, err := exec.LookPath("go")
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	t.Setenv("PATH", dir+":"+filepath.Dir(goTool)+":/usr/bin:/bin")
	t.Setenv("PULUMI_HOME", t.TempDir())
	return dir
}

func TestAnInstalledPulumiIsUsedWithTheLanguageHostBesideIt(t *testing.T) {
	b, _ := newBuilder(t)
	path, elsewhere := installed(t), t.TempDir()
	program(t, filepath.Join(elsewhere, "pulumi"), "echo v3.100.0")
	host := program(t, filepath.Join(elsewhere, "pulumi-language-go"), "")
	if err := os.Symlink(filepath.Join(elsewhere, "pulumi"), filepath.Join(path, "pulumi")); err != nil {
		t.Fatal(err)
	}
	pulumi, language := b.pulumiOnPath(t.Context())
	if pulumi != filepath.Join(path, "pulumi") || language != host {
		t.Errorf("used are %q and %q", pulumi, language)
	}
	if err := os.Remove(host); err != nil {
		t.Fatal(err)
	}
	if pulumi, language = b.pulumiOnPath(t.Context()); pulumi == "" || language != "" {
		t.Errorf("without language host, used are %q and %q", pulumi, language)
	}
}

func TestAPulumiThatIsTooOldOrBrokenIsNotUsed(t *testing.T) {
	for script, want := range map[string]string{
		"echo v3.99.9":              "it is v3.99.9, and at least v3.100.0 is needed",
		"echo v4.0.0":               "it is v4.0.0, and at least v3.100.0 is needed",
		"echo no disk >&2; exit 77": "no disk",
	} {
		b, said := newBuilder(t)
		program(t, filepath.Join(installed(t), "pulumi"), script)
		if pulumi, _ := b.pulumiOnPath(t.Context()); pulumi != "" {
			t.Errorf("%s: %s is used", script, pulumi)
		}
		if !strings.Contains(said(), want) {
			t.Errorf("%s: it says %q, want %q", script, said(), want)
		}
	}
}

// fakePulumi answers with a schema and a list of plugins, and installs into PULUMI_HOME what it is told to.
func fakePulumi(t *testing.T, schemaVersion, plugins, install string) string {
	t.Helper()
	return program(t, filepath.Join(t.TempDir(), "pulumi"), `case "$1 $2" in
"package get-schema") echo '{"version":"`+schemaVersion+`"}' ;;
"plugin ls") if [ -e "$PULUMI_HOME/list" ]; then cat "$PULUMI_HOME/list"; else echo '`+plugins+`'; fi ;;
"plugin install") `+install+` ;;
*) exit 64 ;;
esac`)
}

func TestThePluginOnPathIsUsedIfItIsNewEnough(t *testing.T) {
	for version, used := range map[string]bool{"1.2.1": true, "1.10.0": true, "1.2.0": false, "": false} {
		b, said := newBuilder(t)
		onPath := program(t, filepath.Join(installed(t), commandPlugin), "")
		got := b.commandOnPath(t.Context(), fakePulumi(t, version, "[]", "exit 1"))
		if used && got != onPath {
			t.Errorf("%s: used is %q; %s", version, got, said())
		}
		if !used && (got != "" || !strings.Contains(said(), "at least 1.2.1 is needed")) {
			t.Errorf("%s: used is %q; %s", version, got, said())
		}
	}
}

func TestTheNewestInstalledPluginIsUsed(t *testing.T) {
	b, said := newBuilder(t)
	installed(t)
	home := os.Getenv("PULUMI_HOME")
	newest := program(t, filepath.Join(home, "plugins/resource-command-v1.10.0", commandPlugin), "")
	pulumi := fakePulumi(t, "", `[{"name":"command","kind":"resource","version":"1.2.1"},
		{"name":"command","kind":"resource","version":"1.10.0"}, {"name":"command","kind":"resource","version":"1.1.0"},
		{"name":"command","kind":"language","version":"1.99.0"}]`, "exit 1")
	path, standIn, err := b.command(t.Context(), pulumi)
	if err != nil || standIn || path != newest {
		t.Errorf("used is %q (stand-in %v): %v; %s", path, standIn, err, said())
	}
	if err := os.Remove(newest); err != nil {
		t.Fatal(err)
	}
	if _, _, err := b.command(t.Context(), pulumi); err == nil || !strings.Contains(err.Error(), "pulumi plugin rm resource command 1.10.0") {
		t.Errorf("a plugin that is listed but not there gives %v", err)
	}
}

func TestAPluginIsDownloadedBeforeTheStandInIsBuilt(t *testing.T) {
	b, said := newBuilder(t)
	installed(t)
	write(t, filepath.Join(b.root, "tools/command-plugin/go.mod"), "module example.com/stand-in\n\ngo 1.21\n")
	write(t, filepath.Join(b.root, "tools/command-plugin/main.go"), "package main\n\nfunc main() {}\n")
	path, standIn, err := b.command(t.Context(), fakePulumi(t, "", "[]", `mkdir -p "$PULUMI_HOME/plugins/resource-command-v$5"
		cp /bin/true "$PULUMI_HOME/plugins/resource-command-v$5/pulumi-resource-command"
		echo '[{"name":"command","kind":"resource","version":"'"$5"'"}]' >"$PULUMI_HOME/list"`))
	want := filepath.Join(b.dir, "pulumi-home/plugins/resource-command-v1.2.1", commandPlugin)
	if err != nil || standIn || path != want {
		t.Fatalf("used is %q (stand-in %v), want %q: %v; %s", path, standIn, want, err, said())
	}
	if err := os.RemoveAll(filepath.Join(b.dir, "pulumi-home")); err != nil {
		t.Fatal(err)
	}
	offline := fakePulumi(t, "", "[]", "exit 1")
	for range 2 { // the second time without a try to download
		path, standIn, err = b.command(t.Context(), offline)
		if err != nil || !standIn || !executable(path) {
			t.Fatalf("offline, used is %q (stand-in %v): %v; %s", path, standIn, err, said())
		}
	}
	if n := strings.Count(said(), "downloading"); n != 2 {
		t.Errorf("%d downloads were tried, want one with and one without internet:\n%s", n, said())
	}
}
