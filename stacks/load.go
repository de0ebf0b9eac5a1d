package stacks

import (
	"encoding/json"
	"fmt"
	"os"
	"reflect"
	"slices"
	"strings"

	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi/config"
)

// namespace is what every key of this library begins with: "icon:".
const namespace = "icon"

// Load reads the stack's configuration under "icon:", fills in the defaults and validates it. Its error is a Problems with every
// mistake that was found, and holds no secret.
func Load(ctx *pulumi.Context) (*Config, error) {
	present, err := presentKeys(os.Getenv(pulumi.EnvConfig))
	if err != nil {
		return nil, err
	}
	settings := map[string]setting{}
	for _, name := range present {
		if !slices.Contains(Keys(), name) {
			settings[name] = setting{}
		}
	}
	for _, name := range Keys() {
		key := namespace + ":" + name
		text, ok := ctx.GetConfig(key)
		if !ok || text == "" {
			// Pulumi.yaml declares "" for every key that a stack leaves out.
			continue
		}
		switch {
		case ctx.IsConfigSecret(key):
			secret, err := config.TrySecret(ctx, key)
			if err != nil {
				return nil, fmt.Errorf("stack configuration: %s: %w", key, err)
			}
			settings[name] = setting{secret: secret}
		case slices.Contains(secretKeys(), name):
			settings[name] = setting{}
		default:
			settings[name] = setting{text: text}
		}
	}
	return decode(settings)
}

// presentKeys lists the names under "icon:" in the engine's own list of the stack's keys (the text of PULUMI_CONFIG), which is the only
// place where a misspelt key can be seen: the context answers for keys that one asks for by name. Nothing but names is taken from it.
func presentKeys(text string) ([]string, error) {
	if text == "" {
		return nil, nil // under mocks there is no engine
	}
	var values map[string]json.RawMessage
	if err := json.Unmarshal([]byte(text), &values); err != nil {
		return nil, fmt.Errorf("stack configuration: the engine's %s is not a JSON object", pulumi.EnvConfig)
	}
	present := []string{}
	for key := range values {
		if name, ours := strings.CutPrefix(key, namespace+":"); ours {
			present = append(present, name)
		}
	}
	return present, nil
}

// Keys are the names of all keys under "icon:", in the order of the alphabet.
func Keys() []string {
	all := append(names(reflect.TypeFor[Config]()), secretKeys()...)
	slices.Sort(all)
	return all
}

// secretKeys are the names of the keys that must be encrypted.
func secretKeys() []string {
	all := []string{}
	for name := range (&Secrets{}).byKey() {
		all = append(all, name)
	}
	return all
}

// byKey gives the fields of s by the name of their key.
func (s *Secrets) byKey() map[string]*pulumi.StringPtrInput {
	return map[string]*pulumi.StringPtrInput{
		"sshPrivateKey":           &s.SSHPrivateKey,
		"sshPrivateKeyPassphrase": &s.SSHPrivateKeyPassphrase,
		"keystores":               &s.Keystores,
		"sentryCertificate":       &s.SentryCertificate,
	}
}
