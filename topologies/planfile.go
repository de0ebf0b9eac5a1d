package topologies

import (
	"errors"
	"fmt"
	"os"

	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"
	"gopkg.in/yaml.v3"

	"github.com/insight-icon/pulumi-icon/stacks"
)

// ReadStack reads a stack file without its secrets, which need not be set: enough to plan, not to deploy. Its error names the file.
func ReadStack(path string) (*stacks.Config, error) {
	text, err := os.ReadFile(path)
	if errors.Is(err, os.ErrNotExist) {
		return nil, fmt.Errorf("there is no %s; wanted a stack file, seen from the directory of the Pulumi project", path)
	}
	if err != nil {
		return nil, err
	}
	secrets, err := standIns(text)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	c, err := stacks.Parse(text, secrets)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return c, nil
}

// standIns takes the place of the secrets that the stack needs: a plan shows nothing of them.
func standIns(text []byte) (stacks.Secrets, error) {
	var stack struct {
		Config struct {
			Agent    any `yaml:"icon:sshAgent"`
			Imported any `yaml:"icon:importedKeys"`
			Sentries struct {
				TLS map[string]any `yaml:"tls"`
			} `yaml:"icon:sentries"`
		} `yaml:"config"`
	}
	var secrets stacks.Secrets
	if err := yaml.Unmarshal(text, &stack); err != nil {
		return secrets, err
	}
	if stack.Config.Agent != true {
		secrets.SSHPrivateKey = pulumi.String("")
	}
	if stack.Config.Imported != nil {
		secrets.Keystores = pulumi.String("")
	}
	if tls := stack.Config.Sentries.TLS; tls != nil && tls["acme"] == nil {
		secrets.SentryCertificate = pulumi.String("")
	}
	return secrets, nil
}
