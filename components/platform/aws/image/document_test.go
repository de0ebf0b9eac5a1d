package image

import (
	"encoding/base64"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"gopkg.in/yaml.v3"
)

// document is a component's, as Image Builder reads it.
type document struct {
	Name          string
	SchemaVersion float64 `yaml:"schemaVersion"`
	Phases        []struct {
		Name  string
		Steps []struct {
			Name, Action string
			Inputs       struct{ Commands []string }
		}
	}
}

func documents(t *testing.T, program string) []document {
	t.Helper()
	texts, err := documentsOf(program)
	if err != nil {
		t.Fatal(err)
	}
	parsed := make([]document, len(texts))
	for i, text := range texts {
		if len(text) > mostDocument {
			t.Errorf("document %d has %d characters, more than %d", i+1, len(text), mostDocument)
		}
		if err := yaml.Unmarshal([]byte(text), &parsed[i]); err != nil {
			t.Fatalf("document %d: %v\n%s", i+1, err, text)
		}
		if parsed[i].SchemaVersion != 1.0 || strings.Contains(text, "{{") {
			t.Errorf("document %d: schema version %v, or a variable of Image Builder's:\n%s", i+1, parsed[i].SchemaVersion, text)
		}
	}
	return parsed
}

// run runs the steps of a phase as Image Builder does, in a directory of the test's.
func run(t *testing.T, list []document, phase, dir string) (string, error) {
	t.Helper()
	var log strings.Builder
	for _, d := range list {
		for _, p := range d.Phases {
			for _, s := range p.Steps {
				if p.Name != phase {
					continue
				}
				if s.Action != "ExecuteBash" {
					t.Errorf("%s: the action %s", s.Name, s.Action)
				}
				script := strings.Join(s.Inputs.Commands, "\n")
				script = strings.NewReplacer(workDirectory, dir+"/run", "/usr/local/lib/icon/hardening", dir+"/installed").Replace(script)
				out, err := exec.CommandContext(t.Context(), "bash", "-c", script).CombinedOutput()
				log.Write(out)
				if err != nil {
					return log.String(), err
				}
			}
		}
	}
	return log.String(), nil
}

// noise is a program as long as all controls together, and longer when compressed than any document may be.
func noise(first string) string {
	r := rand.New(rand.NewPCG(1, 2))
	raw := make([]byte, 60000)
	for i := range raw {
		raw[i] = byte(r.UintN(256))
	}
	return first + "\nexit 0\n" + base64.StdEncoding.EncodeToString(raw) + "\n{{ not ours }}\n"
}

func TestTheProgramArrivesWholeAndRunsWithTheWordImage(t *testing.T) {
	dir := t.TempDir()
	program := noise(`cp "$0" "` + dir + `/seen"; echo "ran with $*"`)
	list := documents(t, program)
	if len(list) < 4 {
		t.Errorf("%d documents: the test's program is too short to be cut", len(list))
	}
	log, err := run(t, list, "build", dir)
	if err != nil || !strings.Contains(log, "ran with image\n") {
		t.Fatalf("the build ended with %v:\n%s", err, log)
	}
	if got, err := os.ReadFile(filepath.Join(dir, "seen")); err != nil || string(got) != program {
		t.Errorf("the program is another one (%v)", err)
	}
	if _, err := os.Stat(filepath.Join(dir, "run")); err == nil {
		t.Error("the parts are still there after the build")
	}
}

func TestABuildFailsWhereAPartIsDamagedOrTheProgramFails(t *testing.T) {
	dir := t.TempDir()
	list := documents(t, noise("true"))
	if log, err := run(t, list[1:], "build", dir); err == nil {
		t.Errorf("without its first part, the program ran:\n%s", log)
	}
	dir = t.TempDir()
	if log, err := run(t, documents(t, "echo no mirror; exit 3\n"), "build", dir); err == nil || !strings.Contains(log, "no mirror") {
		t.Errorf("the program failed, and the build ended with %v:\n%s", err, log)
	}
}

func TestBuildAndTestFailOnDrift(t *testing.T) {
	list := documents(t, "true\n")
	for report, good := range map[string]bool{
		`control\tbanners\tok\t\t3\ncontrol\taudit\tn/a\tno kernel\t1\n`:                  true,
		`control\tbanners\tok\t\t3\ndrift\taudit\tx\ty\tz\ncontrol\taudit\tdrift\t1\t3\n`: false,
		`control\tbanners\tleft\tour own say "drift"\t0\ndrifting off\n`:                  true,
		`control\tssh-server\tdrift\t2\t3\ncontrol\tbanners\tok\t\t1\n`:                   false,
	} {
		dir := t.TempDir()
		script := "[[ $1 == verify ]] || exit 9\nprintf '" + report + "'\n"
		if err := os.WriteFile(filepath.Join(dir, "installed"), []byte(script), 0o600); err != nil {
			t.Fatal(err)
		}
		for _, phase := range []string{"validate", "test"} {
			if log, err := run(t, list, phase, dir); (err == nil) != good || log == "" {
				t.Errorf("%s of %q: %v, wanted good: %v\n%s", phase, report, err, good, log)
			}
		}
	}
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "installed"), []byte("echo broken; exit 1\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := run(t, list, "test", dir); err == nil {
		t.Error("a verification that ends with an error passes")
	}
}

func TestAProgramThatNoRecipeTakesIsRefused(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 4))
	raw := make([]byte, 400000)
	for i := range raw {
		raw[i] = byte(r.UintN(256))
	}
	_, err := documentsOf(string(raw))
	if err == nil || !strings.Contains(err.Error(), "Image Builder takes 20 in a recipe") {
		t.Errorf("error %v", err)
	}
}

func TestWhatMachinesRunFirstIsGoodBash(t *testing.T) {
	text, err := base64.StdEncoding.DecodeString(userData("eu-central-1"))
	if err != nil {
		t.Fatal(err)
	}
	const url = "url=https://s3.eu-central-1.amazonaws.com/amazon-ssm-eu-central-1/latest/debian_$arch/amazon-ssm-agent.deb\n"
	if !strings.HasPrefix(string(text), "#!/bin/bash\n") || !strings.Contains(string(text), url) {
		t.Errorf("user data\n%s", text)
	}
	check := exec.CommandContext(t.Context(), "shellcheck", "-s", "bash", "-")
	check.Stdin = strings.NewReader(string(text))
	if out, err := check.CombinedOutput(); err != nil {
		t.Errorf("shellcheck: %v\n%s", err, out)
	}
	for _, d := range documents(t, "true\n") {
		for _, p := range d.Phases {
			for _, s := range p.Steps {
				check := exec.CommandContext(t.Context(), "shellcheck", "-s", "bash", "-")
				check.Stdin = strings.NewReader(strings.Join(s.Inputs.Commands, "\n"))
				if out, err := check.CombinedOutput(); err != nil {
					t.Errorf("%s, %s: %v\n%s", d.Name, p.Name, err, out)
				}
			}
		}
	}
}
