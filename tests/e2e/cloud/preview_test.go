//go:build sandbox

package cloud

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"gopkg.in/yaml.v3"
)

// own puts an operator's values where the stack files have those of an example, in the files and in names that are made of them.
var own = strings.NewReplacer(
	"203.0.113.0", "198.51.100.0", "example.org", "sandbox.test", "validator.example.net", "192.0.2.7", "Z0123456789EXAMPLE00",
	"Z0123456789SANDBOX00", "sha256:"+strings.Repeat("0", 64), "sha256:"+strings.Repeat("1", 64),
)

// shipped is the configuration of a stack file of the repository's, as an operator fills it in.
func shipped(t *testing.T, name, public string) map[string]any {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("../../../stacks", "Pulumi."+name+".yaml"))
	must(t, err)
	var file struct{ Config map[string]any }
	must(t, yaml.Unmarshal([]byte(own.Replace(string(text))), &file))
	config := map[string]any{}
	for key, value := range file.Config {
		config[strings.TrimPrefix(key, "icon:")] = value
	}
	config["aws"].(map[string]any)["administratorKeys"] = []string{public}
	return config
}

// TestShippedStacksPreview has the engine itself look at the stacks that the repository ships, with no cloud at all.
func TestShippedStacksPreview(t *testing.T) {
	prepared(t, t.TempDir())
	private, public := administrator(t)
	must(t, box.Engine.SetSecret(t.Context(), "sshPrivateKey", private))
	for _, name := range []string{"mainnet-prep", "lisbon-prep", "citizen-archive"} {
		t.Run(name, func(t *testing.T) {
			must(t, box.Engine.Configure(shipped(t, name, public)))
			result, err := box.Engine.Preview(t.Context(), "--diff")
			must(t, err)
			created := map[string]bool{}
			for _, s := range result.Steps {
				if s.Op != "create" {
					t.Errorf("%s %s: wanted nothing but what is created", s.Op, s.Name)
				}
				created[strings.Replace(s.URN, "urn:pulumi:cloud:", "urn:pulumi:test:", 1)] = true
			}
			graph, err := os.ReadFile(filepath.Join("../../../topologies/testdata/aws", name+"-graph.txt"))
			must(t, err)
			reviewed := regexp.MustCompile(`(?m)^urn:.*$`).FindAllString(own.Replace(string(graph)), -1)
			for _, urn := range reviewed {
				if !created[urn] {
					t.Errorf("%s is in the reviewed graph, and is not created", urn)
				}
			}
			// The stack itself is in no graph.
			if len(created) != len(reviewed)+1 {
				t.Errorf("%d resources are created, in the reviewed graph are %d", len(created), len(reviewed)+1)
			}
			if secret := strings.Split(private, "\n")[1]; strings.Contains(result.Output, secret) {
				t.Error("the preview shows the administrator's key")
			}
			contains(t, result.Output, "[secret]") // or the preview shows no inputs, and this test sees nothing
		})
	}
}

// TestAllMistakesAreShownAtOnce reads what an operator sees of a file with several.
func TestAllMistakesAreShownAtOnce(t *testing.T) {
	prepared(t, t.TempDir())
	private, public := administrator(t)
	must(t, box.Engine.SetSecret(t.Context(), "sshPrivateKey", private))
	config := shipped(t, "mainnet-prep", public)
	config["administrators"] = []string{"0.0.0.0/0"}
	config["topolgy"] = "x"
	a := config["aws"].(map[string]any)
	a["zones"] = []string{"eu-central-1a", "eu-central-1b", "eu-central-1c", "eu-central-1d"}
	a["vpc"] = map[string]any{"cidr": "10.20.0.0/25", "nat": "two"}
	a["machines"].(map[string]any)["prep-1"] = map[string]any{"zone": "eu-central-1a", "instanceType": "t3.medium", "image": "debian"}
	a["logDays"] = 7
	must(t, box.Engine.Configure(config))
	message := refused(t, box.Engine.Preview)
	contains(t, message, "icon:administrators", "icon:topolgy", "icon:aws.zones", "icon:aws.vpc.cidr", "icon:aws.vpc.nat",
		"icon:aws.machines.prep-1.instanceType", "icon:aws.machines.prep-1.image", "icon:aws.logDays")
	if strings.Contains(message, strings.Split(private, "\n")[1]) {
		t.Error("the message shows the administrator's key")
	}
}
