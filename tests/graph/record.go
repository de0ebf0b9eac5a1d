package graph

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"slices"
	"sync"
	"testing"

	"github.com/pulumi/pulumi/sdk/v3/go/common/resource"
	"github.com/pulumi/pulumi/sdk/v3/go/common/tokens"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"
	pulumirpc "github.com/pulumi/pulumi/sdk/v3/proto/go"
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
	address, stop, err := serve(r)
	if err != nil {
		return nil, err
	}
	defer stop()
	err = pulumi.RunErr(program, func(info *pulumi.RunInfo) {
		info.Project, info.Stack, info.MonitorAddr, info.EngineAddr = project, stack, address, address
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

// call answers what this library asks of AWS, and refuses anything else.
func (r *recorder) call(args pulumi.MockCallArgs) (resource.PropertyMap, error) {
	if answer, known, err := awsCall(args); known {
		return answer, err
	}
	r.tb.Errorf("the program calls %s, which the recorder does not know", args.Token)
	return nil, fmt.Errorf("unknown call %s", args.Token)
}

// register records a resource and gives what its provider would answer.
func (r *recorder) register(in *pulumirpc.RegisterResourceRequest, inputs resource.PropertyMap) (*Resource, resource.PropertyMap) {
	res := &Resource{
		Type: in.GetType(), Name: in.GetName(), Custom: in.GetCustom(), Provider: in.GetProvider(), Inputs: inputs,
		Parent: in.GetParent(), DeletedWith: in.GetDeletedWith(), Dependencies: slices.Sorted(slices.Values(in.GetDependencies())),
		Aliases: slices.Clone(in.GetAliasURNs()), Protect: in.GetProtect(), RetainOnDelete: in.GetRetainOnDelete(),
		IgnoreChanges: slices.Clone(in.GetIgnoreChanges()),
	}
	res.URN = urnOf(res)
	for _, a := range in.GetAliases() {
		res.Aliases = append(res.Aliases, aliasURN(res, a))
	}
	r.mu.Lock()
	r.resources = append(r.resources, res)
	r.mu.Unlock()
	return res, r.outputs(res)
}

// aliasURN is the URN that an alias stands for, as the engine works it out: what the alias leaves out is as it is now.
func aliasURN(r *Resource, a *pulumirpc.Alias) string {
	if a.GetUrn() != "" {
		return a.GetUrn()
	}
	was, spec := *r, a.GetSpec()
	was.Name, was.Type = cmp.Or(spec.GetName(), r.Name), cmp.Or(spec.GetType(), r.Type)
	if spec.GetNoParent() {
		was.Parent = ""
	} else {
		was.Parent = cmp.Or(spec.GetParentUrn(), r.Parent)
	}
	return urnOf(&was)
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
	if !r.preview {
		awsOutputs(res, out)
	}
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
