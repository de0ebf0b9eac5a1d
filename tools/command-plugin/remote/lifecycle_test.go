package remote

import (
	"maps"
	"os"
	"path/filepath"
	"testing"

	"github.com/blang/semver"
	p "github.com/pulumi/pulumi-go-provider"
	"github.com/pulumi/pulumi-go-provider/integration"
	"github.com/pulumi/pulumi/sdk/v3/go/common/resource"
	"github.com/pulumi/pulumi/sdk/v3/go/common/resource/plugin"
	"github.com/pulumi/pulumi/sdk/v3/go/common/tokens"
	"github.com/pulumi/pulumi/sdk/v3/go/property"
)

type values = map[string]property.Value

func text(s string) property.Value { return property.New(s) }

// with returns the values with the changes made; a null value removes one.
func with(base, changes values) values {
	result := maps.Clone(base)
	maps.Copy(result, changes)
	maps.DeleteFunc(result, func(_ string, v property.Value) bool { return v.IsNull() })
	return result
}

// life is one resource, led through the provider as the engine leads it.
type life struct {
	t      *testing.T
	engine integration.Server
	urn    resource.URN
	id     string
	inputs property.Map
	state  property.Map
}

func newLife(t *testing.T, token tokens.Type) *life {
	t.Helper()
	engine, err := integration.NewServer(t.Context(), "command", semver.MustParse("1.2.1"),
		integration.WithProvider(Provider()))
	if err != nil {
		t.Fatal(err)
	}
	return &life{t: t, engine: engine, urn: resource.NewURN("test", "test", "", token, "name")}
}

// check asserts that the inputs are valid and returns them with defaults.
func (l *life) check(inputs values) property.Map {
	l.t.Helper()
	resp, err := l.engine.Check(p.CheckRequest{Urn: l.urn, State: l.inputs, Inputs: property.NewMap(inputs)})
	if err != nil || len(resp.Failures) != 0 {
		l.t.Fatalf("check: %v %v", err, resp.Failures)
	}
	return l.transfer(resp.Inputs)
}

// transfer passes values on as the engine and a provider do: what leaves the
// provider as an object with a signature comes back as an asset.
func (l *life) transfer(m property.Map) property.Map {
	l.t.Helper()
	options := plugin.MarshalOptions{KeepUnknowns: true, KeepSecrets: true}
	sent, err := plugin.MarshalProperties(resource.ToResourcePropertyMap(m), options)
	mustDo(l.t, err)
	received, err := plugin.UnmarshalProperties(sent, options)
	mustDo(l.t, err)
	return resource.FromResourcePropertyMap(received)
}

func (l *life) create(inputs values) error {
	l.t.Helper()
	checked := l.check(inputs)
	resp, err := l.engine.Create(p.CreateRequest{Urn: l.urn, Properties: checked})
	if err == nil {
		l.id, l.inputs, l.state = resp.ID, checked, l.transfer(resp.Properties)
	}
	return err
}

func (l *life) diff(inputs values) map[string]p.PropertyDiff {
	l.t.Helper()
	resp, err := l.engine.Diff(p.DiffRequest{
		ID: l.id, Urn: l.urn, State: l.state, OldInputs: l.inputs, Inputs: l.check(inputs),
	})
	if err != nil {
		l.t.Fatal(err)
	}
	return resp.DetailedDiff
}

func (l *life) update(inputs values) error {
	l.t.Helper()
	checked := l.check(inputs)
	resp, err := l.engine.Update(p.UpdateRequest{
		ID: l.id, Urn: l.urn, State: l.state, OldInputs: l.inputs, Inputs: checked,
	})
	if err == nil {
		l.inputs, l.state = checked, l.transfer(resp.Properties)
	}
	return err
}

func (l *life) delete() error {
	return l.engine.Delete(p.DeleteRequest{ID: l.id, Urn: l.urn, Properties: l.state, OldInputs: l.inputs})
}

// mustDo fails the test on an error of a step.
func mustDo(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// mustOutput asserts the value of an output of the resource.
func (l *life) mustOutput(name, want string) {
	l.t.Helper()
	if got := l.state.Get(name).WithSecret(false); !got.Equals(text(want)) {
		l.t.Errorf("%s is %v, expected %q", name, got, want)
	}
}

// connectionValue is the server's connection as a program passes it.
func (s *sshServer) connectionValue() property.Value {
	return property.New(property.NewMap(values{
		"host": text("127.0.0.1"), "port": property.New(s.port()), "privateKey": text(s.loginPEM),
		"hostKey": text(authorized(s.hostKey)), "dialErrorLimit": property.New(1.0),
	}))
}

// mustHold asserts the content of a file in the server's directory.
func (s *sshServer) mustHold(file, want string) {
	s.t.Helper()
	got, err := os.ReadFile(filepath.Join(s.dir, file))
	if err != nil {
		s.t.Fatal(err)
	}
	if string(got) != want {
		s.t.Errorf("%s on the host is %q, expected %q", file, got, want)
	}
}
