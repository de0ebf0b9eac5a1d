package stacks

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"
	"gopkg.in/yaml.v3"
)

// stackFile reads the config block of a stack file. A fixture that begins with "# over: <name>" is a merge patch over
// testdata/valid/<name>.yaml: what it says replaces what is there, null removes it.
func stackFile(tb testing.TB, path string) map[string]any {
	tb.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		tb.Fatal(err)
	}
	var file struct {
		Config map[string]any `yaml:"config"`
	}
	if err := yaml.Unmarshal(text, &file); err != nil {
		tb.Fatalf("%s: %v", path, err)
	}
	first, _, _ := strings.Cut(string(text), "\n")
	base, over := strings.CutPrefix(first, "# over: ")
	if !over || base == "nothing" {
		return file.Config
	}
	merged, _ := merge(stackFile(tb, filepath.Join("testdata", "valid", base+".yaml")), file.Config).(map[string]any)
	return merged
}

// merge applies a JSON merge patch.
func merge(value, patch any) any {
	changes, ok := patch.(map[string]any)
	if !ok || ciphertext(patch) {
		return patch
	}
	merged := map[string]any{}
	if object, ok := value.(map[string]any); ok {
		for name, v := range object {
			merged[name] = v
		}
	}
	for name, change := range changes {
		if change == nil {
			delete(merged, name)
			continue
		}
		merged[name] = merge(merged[name], change)
	}
	return merged
}

// fixtureSettings is a stack file as decode gets it from Load.
func fixtureSettings(tb testing.TB, path string) map[string]setting {
	tb.Helper()
	content := stackFile(tb, path)
	settings, err := settingsOf(content, Secrets{})
	if err != nil {
		tb.Fatal(err)
	}
	for key, value := range content {
		name, ours := strings.CutPrefix(key, "icon:")
		if !ours {
			tb.Fatalf("%s: %s is not a key of this library", path, key)
		}
		if encrypted(value) {
			settings[name] = setting{secret: pulumi.String("a secret's text")}
		}
	}
	return settings
}
