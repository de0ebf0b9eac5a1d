package stacks

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"
	"gopkg.in/yaml.v3"
)

// Parse reads the text of a stack file as strictly as Load does, with no engine: for tests, and for programs that look at a stack without
// deploying it. Values that are encrypted in the file can't be read without the stack's key: secrets stands for them, and for those that
// the file leaves out. Keys of other namespaces than "icon:" are left alone. Mistakes in the configuration give a Problems; text that
// isn't a stack file gives another error.
func Parse(file []byte, secrets Secrets) (*Config, error) {
	var content struct {
		Config map[string]any `yaml:"config"`
	}
	if err := yaml.Unmarshal(file, &content); err != nil {
		return nil, fmt.Errorf("stack file: %w", err)
	}
	settings, err := settingsOf(content.Config, secrets)
	if err != nil {
		return nil, err
	}
	return decode(settings)
}

// settingsOf turns the keys of a stack file into what decode reads.
func settingsOf(content map[string]any, secrets Secrets) (map[string]setting, error) {
	settings := map[string]setting{}
	for key, value := range content {
		name, ours := strings.CutPrefix(key, namespace+":")
		if !ours {
			continue
		}
		text, err := engineText(value)
		switch secret := slices.Contains(secretKeys(), name); {
		case err != nil:
			return nil, fmt.Errorf("stack file: %s: %w", key, err)
		case secret && encrypted(value) || text == "":
			// Below, where secrets has it.
		case secret:
			settings[name] = setting{} // in the clear
		case encrypted(value):
			settings[name] = setting{secret: pulumi.String("")} // refused, unread
		default:
			settings[name] = setting{text: text}
		}
	}
	for name, field := range secrets.byKey() {
		if _, inTheClear := settings[name]; !inTheClear && *field != nil {
			settings[name] = setting{secret: *field}
		}
	}
	return settings, nil
}

// engineText is a value as the engine hands it to a program: plain values as they are, lists and objects as JSON.
func engineText(value any) (string, error) {
	switch value.(type) {
	case map[string]any, []any, map[any]any:
		text, err := json.Marshal(value)
		return string(text), err
	case nil:
		return "", nil
	default:
		return fmt.Sprint(value), nil
	}
}

// ciphertext says whether a value is an encrypted one, {secure: "…"}.
func ciphertext(value any) bool {
	object, _ := value.(map[string]any)
	_, secure := object["secure"].(string)
	return secure && len(object) == 1
}

// encrypted says whether a value, or a part of it, is encrypted.
func encrypted(value any) bool {
	switch v := value.(type) {
	case map[string]any:
		return ciphertext(v) || slices.ContainsFunc(slices.Collect(maps.Values(v)), encrypted)
	case []any:
		return slices.ContainsFunc(v, encrypted)
	}
	return false
}
