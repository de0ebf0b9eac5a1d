package graph

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"slices"
	"sync"
	"testing"

	"github.com/pulumi/pulumi/sdk/v3/go/common/resource"
	"github.com/pulumi/pulumi/sdk/v3/go/common/tokens"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"
)

// project and stack that recorded programs run in.
const (
	project = "icon"
	stack   = "test"
)

// Options of a recording.
type Options struct {
	// Preview records what a preview sees: nothing that only a host could say is known.
	Preview bool
	// Config are the stack's values by key ("icon:topology"), SecretKeys those that are encrypted.
	Config     map[string]string
	SecretKeys []string
}

// Record runs a program and fails the test if the program does.
func Record(tb testing.TB, o Options, program pulumi.RunFunc) *Graph {
	tb.Helper()
	g, err := Run(tb, o, program)
	if err != nil {
		tb.Fatalf("the program failed: %v", err)
	}
	return g
}

// Run runs a program and gives what it registered, and its error.
func Run(tb testing.TB, o Options, program pulumi.RunFunc) (*Graph, error) {
	tb.Helper()
	r := &recorder{tb: tb, preview: o.Preview}
	err := pulumi.RunErr(program, pulumi.WithMocks(project, stack, r), func(info *pulumi.RunInfo) {
		info.DryRun, info.Config, info.ConfigSecretKeys = o.Preview, o.Config, o.SecretKeys
	})
	r.mu.Lock()
	defer r.mu.Unlock()
	return newGraph(r.resources), err
}

// InBothModes records a program as a deploy and as a preview sees it, and looks at each.
func InBothModes(t *testing.T, program pulumi.RunFunc, look func(t *testing.T, g *Graph)) {
	t.Helper()
	for mode, preview := range map[string]bool{"deploy": false, "preview": true} {
		t.Run(mode, func(t *testing.T) { look(t, Record(t, Options{Preview: preview}, program)) })
	}
}

// recorder answers in the engine's place. It is called from many goroutines at once.
type recorder struct {
	tb        testing.TB
	preview   bool
	mu        sync.Mutex
	resources []*Resource
}

// Call refuses: nothing in this library asks a provider anything.
func (r *recorder) Call(args pulumi.MockCallArgs) (resource.PropertyMap, error) {
	r.tb.Errorf("the program calls %s, which the recorder does not know", args.Token)
	return nil, fmt.Errorf("unknown call %s", args.Token)
}

func (r *recorder) NewResource(args pulumi.MockResourceArgs) (string, resource.PropertyMap, error) {
	res := &Resource{
		Type: args.TypeToken, Name: args.Name, Custom: args.Custom, Provider: args.Provider, Inputs: args.Inputs,
	}
	if rpc := args.RegisterRPC; rpc != nil {
		res.Parent, res.DeletedWith = rpc.GetParent(), rpc.GetDeletedWith()
		res.Dependencies = slices.Sorted(slices.Values(rpc.GetDependencies()))
		res.Aliases = slices.Clone(rpc.GetAliasURNs())
		for _, a := range rpc.GetAliases() {
			res.Aliases = append(res.Aliases, a.GetUrn()+a.GetSpec().GetName())
		}
	}
	res.URN = urnOf(res)
	r.mu.Lock()
	r.resources = append(r.resources, res)
	r.mu.Unlock()
	return res.Name + "_id", r.outputs(res), nil
}

func urnOf(r *Resource) string {
	var parentType tokens.Type
	if p := resource.URN(r.Parent); p != "" && p.QualifiedType() != resource.RootStackType {
		parentType = p.QualifiedType()
	}
	return string(resource.NewURN(stack, project, parentType, tokens.Type(r.Type), r.Name))
}

// outputs are the inputs and, for a step, what its host would say. A preview does not know that.
func (r *recorder) outputs(res *Resource) resource.PropertyMap {
	out := res.Inputs.Copy()
	if res.Type == CommandType && !r.preview {
		said := "changed=0"
		if res.Step() == "key" {
			said += "\naddress=" + AddressOf(res.Host())
		}
		out["stdout"], out["stderr"] = resource.NewProperty(said), resource.NewProperty("")
	}
	return out
}

// AddressOf is the address of the node key that the recorder has be born on a host.
func AddressOf(host string) string {
	sum := sha256.Sum256([]byte(host))
	return "hx" + hex.EncodeToString(sum[:20])
}
