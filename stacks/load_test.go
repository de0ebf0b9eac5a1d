package stacks

import (
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/pulumi/pulumi/sdk/v3/go/common/resource"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi/internals"
	"gopkg.in/yaml.v3"
)

// noResources is an engine for programs that only read their configuration.
type noResources struct{}

func (noResources) Call(args pulumi.MockCallArgs) (resource.PropertyMap, error) {
	return nil, errors.New("unexpected call of " + args.Token)
}

func (noResources) NewResource(args pulumi.MockResourceArgs) (string, resource.PropertyMap, error) {
	return "", nil, errors.New("unexpected resource " + args.Name)
}

// engineConfig is a stack file as the engine hands it over: values by key, the names of the encrypted ones, and an empty value for every
// key that Pulumi.yaml declares and the file leaves out.
func engineConfig(t *testing.T, path string) (values map[string]string, secrets []string) {
	t.Helper()
	values = map[string]string{"pulumi:disable-default-providers": `["*"]`}
	for _, name := range Keys() {
		values["icon:"+name] = ""
	}
	for key, value := range stackFile(t, path) {
		text, err := engineText(value)
		if err != nil {
			t.Fatal(err)
		}
		if encrypted(value) {
			text = "a secret's text"
			secrets = append(secrets, key)
		}
		values[key] = text
	}
	return values, secrets
}

// load runs a program that loads its configuration and gives it to look.
func load(t *testing.T, values map[string]string, secrets []string, look func(*pulumi.Context, *Config)) error {
	t.Helper()
	text, err := json.Marshal(values)
	if err != nil {
		t.Fatal(err)
	}
	t.Setenv(pulumi.EnvConfig, string(text))
	return pulumi.RunErr(func(ctx *pulumi.Context) error {
		config, err := Load(ctx)
		if err == nil {
			look(ctx, config)
		}
		return err
	}, pulumi.WithMocks("icon", "test", noResources{}), func(info *pulumi.RunInfo) {
		info.Config, info.ConfigSecretKeys = values, secrets
	})
}

func TestLoadKeepsSecretsSecret(t *testing.T) {
	seen := map[string]bool{}
	for _, file := range []string{"sentry-fronted-binary.yaml", "sentries.yaml"} {
		values, secrets := engineConfig(t, filepath.Join("testdata", "valid", file))
		for _, key := range secrets {
			seen[strings.TrimPrefix(key, "icon:")] = true
		}
		keepsSecrets(t, values, secrets)
	}
	for name := range (&Secrets{}).byKey() {
		if !seen[name] {
			t.Errorf("no stack file that was tried has %s", name)
		}
	}
}

func keepsSecrets(t *testing.T, values map[string]string, secrets []string) {
	t.Helper()
	err := load(t, values, secrets, func(ctx *pulumi.Context, config *Config) {
		for name, field := range config.Secrets.byKey() {
			if given := slices.Contains(secrets, "icon:"+name); given != (*field != nil) {
				t.Errorf("%s is set in the stack file: %v, but read: %v", name, given, *field != nil)
			}
			if *field == nil {
				continue
			}
			result, err := internals.UnsafeAwaitOutput(ctx.Context(), (*field).ToStringPtrOutput())
			if err != nil {
				t.Fatal(err)
			}
			if !result.Secret {
				t.Errorf("%s is not marked secret", name)
			}
			if text, ok := result.Value.(*string); !ok || *text != "a secret's text" {
				t.Errorf("%s lost its value", name)
			}
		}
	})
	if err != nil {
		t.Error(err)
	}
}

func TestLoadLeavesAbsentSecretsNil(t *testing.T) {
	values, secrets := engineConfig(t, filepath.Join("testdata", "valid", "single-node.yaml"))
	err := load(t, values, secrets, func(_ *pulumi.Context, config *Config) {
		if config.Secrets.SSHPrivateKey == nil || config.Secrets.SSHPrivateKeyPassphrase != nil || config.Secrets.Keystores != nil {
			t.Error("wanted sshPrivateKey alone")
		}
	})
	if err != nil {
		t.Error(err)
	}
}

func TestLoadSeesMisspeltKeys(t *testing.T) {
	values, secrets := engineConfig(t, filepath.Join("testdata", "valid", "single-node.yaml"))
	values["icon:citizen"] = "hunter2"
	err := load(t, values, secrets, func(*pulumi.Context, *Config) { t.Error("accepted") })
	// The SDK wraps a program's error.
	const want = "stack configuration: 1 problem\n  icon:citizen: is not a known key; did you mean \"citizens\"?"
	var problems Problems
	if !errors.As(err, &problems) || problems.Error() != want {
		t.Errorf("error %v, wanted %s", err, want)
	}
}

func TestLoadNeverShowsASecretThatIsSetInTheClear(t *testing.T) {
	values, _ := engineConfig(t, filepath.Join("testdata", "valid", "single-node.yaml"))
	values["icon:sshPrivateKey"] = "hunter2"
	err := load(t, values, nil, func(*pulumi.Context, *Config) { t.Error("accepted") })
	const fix = "pulumi config set --secret icon:sshPrivateKey"
	if err == nil || strings.Contains(err.Error(), "hunter2") || !strings.Contains(err.Error(), fix) {
		t.Errorf("error %v, wanted one that says how to encrypt and does not show the value", err)
	}
}

func TestLoadNeedsNoEngine(t *testing.T) {
	values, secrets := engineConfig(t, filepath.Join("testdata", "valid", "single-node.yaml"))
	t.Setenv(pulumi.EnvConfig, "")
	err := pulumi.RunErr(func(ctx *pulumi.Context) error {
		_, err := Load(ctx)
		return err
	}, pulumi.WithMocks("icon", "test", noResources{}), func(info *pulumi.RunInfo) {
		info.Config, info.ConfigSecretKeys = values, secrets
	})
	if err != nil {
		t.Error(err)
	}
}

func TestLoadRefusesAnEnvironmentItCannotRead(t *testing.T) {
	t.Setenv(pulumi.EnvConfig, "{")
	err := pulumi.RunErr(func(ctx *pulumi.Context) error {
		_, err := Load(ctx)
		return err
	}, pulumi.WithMocks("icon", "test", noResources{}))
	if err == nil || !strings.Contains(err.Error(), "PULUMI_CONFIG is not a JSON object") {
		t.Errorf("error %v, wanted one about PULUMI_CONFIG", err)
	}
}

func TestProjectFileDescribesExactlyTheKeysOfConfig(t *testing.T) {
	text, err := os.ReadFile(filepath.Join("..", "Pulumi.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	var project struct {
		Name   string
		Config map[string]struct {
			Type, Description string
			Default           any
			Value             any
			Secret            bool
		}
	}
	if err := yaml.Unmarshal(text, &project); err != nil {
		t.Fatal(err)
	}
	if project.Name != namespace {
		t.Errorf("the project is %q, but keys are read under %q", project.Name, namespace)
	}
	declared := []string{}
	for name, key := range project.Config {
		if strings.HasPrefix(name, "pulumi:") {
			continue
		}
		declared = append(declared, name)
		if key.Description == "" || key.Type != "" || key.Default != "" && key.Default != false {
			t.Errorf("%s: wanted a description, no type and an empty default (see the comment in Pulumi.yaml)", name)
		}
		if key.Secret != slices.Contains(secretKeys(), name) {
			t.Errorf("%s: secret is %v", name, key.Secret)
		}
	}
	slices.Sort(declared)
	if !slices.Equal(declared, Keys()) {
		t.Errorf("declared %v\nread %v", declared, Keys())
	}
}

func TestShippedStacksWantOnlyTheirSecrets(t *testing.T) {
	for _, name := range []string{"hosts-example", "mainnet-prep", "lisbon-prep", "citizen-archive"} {
		path := "Pulumi." + name + ".yaml"
		_, err := decode(fixtureSettings(t, path))
		var problems Problems
		if !errors.As(err, &problems) || len(problems) != 1 || problems[0].Path != "icon:sshPrivateKey" {
			t.Errorf("%s: error %v, wanted that icon:sshPrivateKey is missing and nothing else", path, err)
		}
		settings := fixtureSettings(t, path)
		settings["sshPrivateKey"] = setting{secret: pulumi.String("x")}
		if _, err := decode(settings); err != nil {
			t.Errorf("%s with its secret: %v", path, err)
		}
	}
}
