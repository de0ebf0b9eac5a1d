//go:build sandbox

// Package cloud deploys stacks on AWS for real, but for AWS: the real Pulumi engine, real SSH and real hosts, which boot as a cloud's
// machines do. In the place of the providers of AWS and TLS keys are those of tools/cloud-plugin. Needs root on a Debian 12 machine; takes
// minutes.
package cloud

import (
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"encoding/json"
	"encoding/pem"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/crypto/ssh"

	"github.com/insight-icon/pulumi-icon/sandbox"
	"github.com/insight-icon/pulumi-icon/sandbox/engine"
	"github.com/insight-icon/pulumi-icon/sandbox/lab"
	"github.com/insight-icon/pulumi-icon/tests/e2e/life"
)

// The lab's private segment holds the VPC, the smallest that a stack takes, and outside of it the administrators' machine, this one.
var (
	segment = netip.MustParsePrefix("10.77.48.0/21")
	vpc     = netip.MustParsePrefix("10.77.52.0/22")
)

const administrators = "10.77.48.1/32"

var box *sandbox.Sandbox

func TestMain(m *testing.M) {
	sandbox.ServeIfAsked()
	os.Exit(life.Run(m, "cloud", 43, func(s *sandbox.Sandbox) { box = s }, func(o *sandbox.Options) {
		o.Private, o.Image = segment, []string{"cloud-init"}
	}))
}

// must ends the test on an error.
func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// on runs a shell command on a host, not by SSH, and gives what it printed.
func on(t *testing.T, host, command string) string {
	t.Helper()
	out, err := box.Lab.Exec(t.Context(), host, nil, "bash", "-c", command)
	must(t, err)
	return strings.TrimSpace(out)
}

// prepared has tools, images and a stack, whose cloud is what is kept in dir.
func prepared(t *testing.T, dir string) {
	t.Helper()
	ctx := t.Context()
	if box.Tools == nil {
		must(t, box.Prepare(ctx))
		must(t, box.Tools.WithCloud(ctx, filepath.Join(lab.DefaultDir("../../.."), "tools"), t.Logf))
	}
	box.Engine.Env = append(box.Tools.Env(), "ICON_CLOUD_DIR="+dir)
	must(t, box.Engine.Init(ctx))
}

// administrator is a new SSH key pair: the private half as a file's text, the public one as a line.
func administrator(t *testing.T) (private, public string) {
	t.Helper()
	_, key, err := ed25519.GenerateKey(rand.Reader)
	must(t, err)
	block, err := ssh.MarshalPrivateKey(key, "")
	must(t, err)
	signer, err := ssh.NewSignerFromKey(key)
	must(t, err)
	return string(pem.EncodeToMemory(block)), strings.TrimSpace(string(ssh.MarshalAuthorizedKey(signer.PublicKey())))
}

// setKeystore gives the stack the key of the network's fourth validator, for a host.
func setKeystore(t *testing.T, host string) (address string) {
	t.Helper()
	address, keystore, password, err := box.Peers.Key("prep")
	must(t, err)
	text, err := json.Marshal(map[string]any{host: map[string]any{"keystore": json.RawMessage(keystore), "password": password}})
	must(t, err)
	must(t, box.Engine.SetSecret(t.Context(), "keystores", string(text)))
	return address
}

// up configures the stack and runs pulumi up.
func up(t *testing.T, config map[string]any) *engine.Result {
	t.Helper()
	must(t, box.Engine.Configure(config))
	result, err := box.Engine.Up(t.Context())
	must(t, err)
	return result
}

// refused runs pulumi, which must fail, and gives what it said.
func refused(t *testing.T, run func(context.Context, ...string) (*engine.Result, error)) string {
	t.Helper()
	result, err := run(t.Context())
	if err == nil {
		t.Fatalf("went through, but must be refused:\n%s", result.Output)
	}
	return err.Error()
}

// contains reports which of the parts a text lacks.
func contains(t *testing.T, text string, parts ...string) {
	t.Helper()
	for _, p := range parts {
		if !strings.Contains(text, p) {
			t.Errorf("does not say %q:\n%s", p, text)
		}
	}
}

// changes names what an update changed, "op name" each.
func changes(r *engine.Result) []string {
	var all []string
	for _, s := range r.Changed() {
		all = append(all, s.Op+" "+s.Name)
	}
	return all
}
