package variants_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/insight-icon/pulumi-icon/tests/attack/variants"
)

// What the real programs are given to check a configuration, in place of running it.
var checks = map[string][]string{"nginx": {"-t", "-q"}, "haproxy": {"-c", "-q"}}

func TestEveryVariantIsTakenByItsProgramAndLeadsToWhatIsBehind(t *testing.T) {
	const prep = "10.2.0.11:7100"
	citizens := []string{"10.2.0.12:9000", "10.2.0.13:9000"}
	all, err := variants.All(prep, citizens...)
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, v := range all {
		names = append(names, v.Name)
		dir := t.TempDir()
		text := ""
		for name, content := range v.Files {
			text += content
			if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		for _, behind := range append([]string{prep}, citizens...) {
			if !strings.Contains(text, behind) {
				t.Errorf("%s does not lead to %s", v.Name, behind)
			}
		}
		argv := append(slices.Clone(v.Argv), checks[v.Argv[0]]...)
		for i := range argv {
			argv[i] = strings.ReplaceAll(argv[i], "{dir}", dir)
		}
		cmd := exec.Command(argv[0], argv[1:]...)
		if out, err := cmd.CombinedOutput(); err != nil || len(out) > 0 {
			t.Errorf("%s: %v\n%s", v.Name, err, out)
		}
	}
	if want := []string{"nginx-plain", "haproxy-plain", "nginx-predecessor"}; !slices.Equal(names, want) {
		t.Errorf("%v, wanted %v", names, want)
	}
}

func TestAVariantWithNothingBehindIsRefused(t *testing.T) {
	if _, err := variants.All("10.2.0.11:7100"); err == nil {
		t.Error("taken without a citizen")
	}
}
