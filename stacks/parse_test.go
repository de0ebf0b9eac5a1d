package stacks

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"
)

var shipped = []string{"hosts-example", "mainnet-prep", "lisbon-prep", "citizen-archive"}

func TestAStackFileIsParsedAsItIsLoaded(t *testing.T) {
	for _, name := range shipped {
		text, err := os.ReadFile("Pulumi." + name + ".yaml")
		if err != nil {
			t.Fatal(err)
		}
		config, err := Parse(text, Secrets{SSHPrivateKey: pulumi.String("x")})
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if config.Secrets.SSHPrivateKey == nil || config.Node.DataDir == "" || len(config.Administrators) != 1 {
			t.Errorf("%s: wanted the secret, a default and the administrators", name)
		}
	}
}

func TestSecretsStandForEncryptedValues(t *testing.T) {
	text, err := os.ReadFile(filepath.Join("testdata", "valid", "sentry-fronted-binary.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	secrets := Secrets{SSHPrivateKey: pulumi.String("x"), Keystores: pulumi.String("{}")}
	if _, err := Parse(text, secrets); err != nil {
		t.Error(err)
	}
	for _, c := range []struct{ old, replacement, wanted string }{
		{"", "", "icon:sshPrivateKey: is missing"},
		{
			"icon:sshPrivateKey:\n    secure: v1:ydK7gNXzMVHDwqWy:encrypted", "icon:sshPrivateKey: hunter2",
			"icon:sshPrivateKey: is set in the clear",
		},
		{"user: deploy", "user: {secure: v1:hunter2}", "icon:hosts: is marked secret"},
		{"icon:sentries:", "icon:sentrys:", `icon:sentrys: is not a known key; did you mean "sentries"?`},
		{"api: false", "apis: false", `icon:sentries.apis: is not a known key`},
	} {
		_, err := Parse([]byte(strings.ReplaceAll(string(text), c.old, c.replacement)), Secrets{Keystores: pulumi.String("{}")})
		var problems Problems
		if !errors.As(err, &problems) || !strings.Contains(err.Error(), c.wanted) || strings.Contains(err.Error(), "hunter2") {
			t.Errorf("error %v, wanted one with %s", err, c.wanted)
		}
	}
}

func TestTextThatIsNoStackFileIsRefused(t *testing.T) {
	for text, wanted := range map[string]string{
		"config: [": "yaml: ", "config: {icon:aws: {1: a}}": "icon:aws: ",
		"config: {icon:sshAgent: true, icon:sshAgent: true}": "already defined",
	} {
		_, err := Parse([]byte(text), Secrets{})
		var problems Problems
		if err == nil || errors.As(err, &problems) || !strings.Contains(err.Error(), "stack file: ") || !strings.Contains(err.Error(), wanted) {
			t.Errorf("%s: error %v, wanted one with %q", text, err, wanted)
		}
	}
	config, err := Parse([]byte("config: {aws:region: eu-central-1}"), Secrets{})
	if config != nil || err == nil || strings.Contains(err.Error(), "aws:region") {
		t.Errorf("error %v, wanted nothing about another namespace", err)
	}
}
