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
	"github.com/pulumi/pulumi/sdk/v3/go/common/resource/plugin"
	"github.com/pulumi/pulumi/sdk/v3/go/common/tokens"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"
	pulumirpc "github.com/pulumi/pulumi/sdk/v3/proto/go"

	"github.com/insight-icon/pulumi-icon/internal/remote"
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
	r := &recorder{tb: tb, preview: o.Preview, goals: map[string]goal{}, outputs: map[string]resource.PropertyMap{}}
	address, stop, err := serve(r)
	if err != nil {
		return nil, err
	}
	defer stop()
	// There are no hosts that the program's own process could log in to.
	offline := func(ctx *pulumi.Context) error { return program(remote.Offline(ctx)) }
	err = pulumi.RunErr(offline, func(info *pulumi.RunInfo) {
		info.Project, info.Stack, info.MonitorAddr, info.EngineAddr = project, stack, address, address
		info.DryRun, info.Config, info.ConfigSecretKeys = o.Preview, o.Config, o.SecretKeys
	})
	return r.graph(), err
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
	// goals are what children take from their parents, by the parents' URNs.
	goals map[string]goal
	// outputs are what components and the stack say of themselves, by their URNs.
	outputs map[string]resource.PropertyMap
}

// goal is what a resource that says nothing has from its parent. A resource may also say no to its parent's yes.
type goal struct {
	protect, retain *bool
	deletedWith     string
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
		Parent: in.GetParent(), Dependencies: slices.Sorted(slices.Values(in.GetDependencies())),
		PropertyDependencies: map[string][]string{}, IgnoreChanges: slices.Clone(in.GetIgnoreChanges()),
		DeleteBeforeReplace: in.GetDeleteBeforeReplace(), ReplacementTrigger: triggerOf(in),
	}
	res.URN = urnOf(res)
	for _, a := range in.GetAliasURNs() {
		if a != res.URN && !slices.Contains(res.Aliases, a) {
			res.Aliases = append(res.Aliases, a)
		}
	}
	for name, d := range in.GetPropertyDependencies() {
		if len(d.GetUrns()) > 0 {
			res.PropertyDependencies[name] = slices.Sorted(slices.Values(d.GetUrns()))
		}
	}
	r.mu.Lock()
	above := r.goals[res.Parent]
	g := goal{cmp.Or(in.Protect, above.protect), cmp.Or(in.RetainOnDelete, above.retain), cmp.Or(in.GetDeletedWith(), above.deletedWith)}
	r.goals[res.URN] = g
	res.Protect, res.RetainOnDelete, res.DeletedWith = g.protect != nil && *g.protect, g.retain != nil && *g.retain, g.deletedWith
	r.resources = append(r.resources, res)
	r.mu.Unlock()
	out := r.answer(res)
	for _, name := range in.GetAdditionalSecretOutputs() {
		if v, there := out[resource.PropertyKey(name)]; there && !v.IsSecret() {
			out[resource.PropertyKey(name)] = resource.MakeSecret(v)
		}
	}
	return res, out
}

// triggerOf is what a resource is replaced for.
func triggerOf(in *pulumirpc.RegisterResourceRequest) resource.PropertyValue {
	if in.GetReplacementTrigger() == nil {
		return resource.NewNullProperty()
	}
	value, err := plugin.UnmarshalPropertyValue("replacementTrigger", in.GetReplacementTrigger(),
		plugin.MarshalOptions{KeepUnknowns: true, KeepSecrets: true, KeepResources: true})
	if err != nil || value == nil {
		return resource.NewNullProperty()
	}
	return *value
}

// finish keeps the outputs of a component or of the stack.
func (r *recorder) finish(urn string, outputs resource.PropertyMap) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.outputs[urn] = outputs
}

// graph is what has been recorded.
func (r *recorder) graph() *Graph {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, res := range r.resources {
		res.Outputs = r.outputs[res.URN]
	}
	g := newGraph(r.resources)
	g.Outputs = r.outputs[stackURN()]
	return g
}

func stackURN() string {
	return string(resource.NewURN(stack, project, "", resource.RootStackType, project+"-"+stack))
}

func urnOf(r *Resource) string {
	var parentType tokens.Type
	if p := resource.URN(r.Parent); p != "" && p.QualifiedType() != resource.RootStackType {
		parentType = p.QualifiedType()
	}
	return string(resource.NewURN(stack, project, parentType, tokens.Type(r.Type), r.Name))
}

// answer are the inputs and, for a step, what its host would say. A preview does not know that.
func (r *recorder) answer(res *Resource) resource.PropertyMap {
	out := res.Inputs.Copy()
	if res.Type == CommandType || res.Type == CopyType {
		for _, large := range []resource.PropertyKey{"stdin", "connection", "source", "triggers"} {
			delete(out, large) // nobody asks a step for the program that it was given
		}
	}
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
