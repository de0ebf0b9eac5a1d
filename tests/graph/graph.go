// Package graph records what a Pulumi program would make, without an engine and without hosts, and checks what every program of this
// library promises: see the functions that take a Graph. Programs that import the library can use it in their own tests.
package graph

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/pulumi/pulumi/sdk/v3/go/common/resource"
)

// Types that the checks know.
const (
	CommandType  = "command:remote:Command"
	CopyType     = "command:remote:CopyToRemote"
	HostType     = "icon:platform:Host"
	providerType = "pulumi:providers:"
)

// Resource is one registered resource.
type Resource struct {
	// URN, and Parent, which is the stack's URN for a resource at the top.
	URN, Parent string
	Type, Name  string
	// Custom is false for components.
	Custom bool
	// Provider is the reference ("URN::id") of the provider that it was given; empty if none.
	Provider string
	// DeletedWith is the URN of the resource whose deletion takes this one with it, by its own option or its parent's.
	DeletedWith string
	// Inputs, with their marks of secrets.
	Inputs resource.PropertyMap
	// Outputs are what a component says of itself at its end, with their marks of secrets; empty for other resources.
	Outputs resource.PropertyMap
	// Dependencies are the URNs that it waits for, sorted; PropertyDependencies those that an input is made of, by the input's name.
	Dependencies         []string
	PropertyDependencies map[string][]string
	// Aliases are the URNs that it was known by, too: by aliases of its own, and of the components above it.
	Aliases []string
	// Protect and RetainOnDelete say what becomes of it when it is to be deleted: what its own options say or, where they say nothing,
	// its parent's, as the engine has it. IgnoreChanges are the inputs whose changes are not carried out.
	Protect, RetainOnDelete bool
	IgnoreChanges           []string
	// DeleteBeforeReplace says that it is gone before its successor is made.
	DeleteBeforeReplace bool
	// ReplacementTrigger replaces it when it becomes another value; null for none.
	ReplacementTrigger resource.PropertyValue
}

// ID is what the recorder gives a resource as the cloud's own identifier.
func (r *Resource) ID() string { return r.Name + "_id" }

// Graph is all that a program registered, in the order of its registration.
type Graph struct {
	Resources []*Resource
	// Outputs are those of the stack, with their marks of secrets.
	Outputs  resource.PropertyMap
	byURN    map[string]*Resource
	byID     map[string]*Resource
	children map[string][]*Resource
}

func newGraph(resources []*Resource) *Graph {
	g := &Graph{Resources: resources, byURN: map[string]*Resource{}, byID: map[string]*Resource{}, children: map[string][]*Resource{}}
	for _, r := range resources {
		g.byURN[r.URN] = r
		if r.Custom {
			g.byID[r.ID()] = r
		}
		g.children[r.Parent] = append(g.children[r.Parent], r)
	}
	return g
}

// Get is the resource with a URN, nil if there is none.
func (g *Graph) Get(urn string) *Resource { return g.byURN[urn] }

// ByID is the resource that the recorder gave an identifier, as other resources' inputs name it; nil if there is none.
func (g *Graph) ByID(id string) *Resource { return g.byID[id] }

// New is a graph of given resources, for tests of what reads graphs.
func New(resources ...*Resource) *Graph { return newGraph(resources) }

// Named are the resources with a logical name.
func (g *Graph) Named(name string) []*Resource {
	return g.where(func(r *Resource) bool { return r.Name == name })
}

// OfType are the resources of a type.
func (g *Graph) OfType(token string) []*Resource {
	return g.where(func(r *Resource) bool { return r.Type == token })
}

// Steps are the steps of a host, its copies not among them, in the order of their registration.
func (g *Graph) Steps(host string) []*Resource {
	return g.where(func(r *Resource) bool { return r.Type == CommandType && r.Host() == host })
}

// Step is a host's step, nil if there is none.
func (g *Graph) Step(host, step string) *Resource {
	for _, r := range g.Steps(host) {
		if r.Step() == step {
			return r
		}
	}
	return nil
}

func (g *Graph) where(wanted func(*Resource) bool) []*Resource {
	var found []*Resource
	for _, r := range g.Resources {
		if wanted(r) {
			found = append(found, r)
		}
	}
	return found
}

// URNs are those of all resources, sorted.
func (g *Graph) URNs() []string {
	urns := make([]string, len(g.Resources))
	for i, r := range g.Resources {
		urns[i] = r.URN
	}
	slices.Sort(urns)
	return urns
}

// String lists, for a golden file, every URN with its parent and what it waits for. Names only: types are in the URN.
func (g *Graph) String() string {
	var b strings.Builder
	for _, urn := range g.URNs() {
		r := g.byURN[urn]
		fmt.Fprintf(&b, "%s\n  parent: %s\n", urn, nameOf(r.Parent))
		if len(r.Dependencies) > 0 {
			names := make([]string, len(r.Dependencies))
			for i, d := range r.Dependencies {
				names[i] = nameOf(d)
			}
			slices.Sort(names)
			fmt.Fprintf(&b, "  after: %s\n", strings.Join(names, " "))
		}
	}
	return b.String()
}

func nameOf(urn string) string {
	_, name, _ := strings.Cut(urn[max(0, strings.LastIndex(urn, "::")):], "::")
	return name
}

// Waits says whether a waits for b, directly or through others.
func (g *Graph) Waits(a, b *Resource) bool {
	seen := map[string]bool{}
	var reach func(urn string) bool
	reach = func(urn string) bool {
		r := g.byURN[urn]
		if r == nil || seen[urn] {
			return false
		}
		seen[urn] = true
		return slices.ContainsFunc(r.Dependencies, func(d string) bool { return d == b.URN || reach(d) })
	}
	return reach(a.URN)
}

// launch is the only form that the command of a step may have: it names host, step, half and time limit, and nothing else varies.
var launch = regexp.MustCompile(`^(?:sudo -n )?timeout -k 30 ([0-9]+) bash -s (apply|remove) ([a-z0-9-]+) ([a-z]+) "\$SSH_CONNECTION"$`)

// Host is the host of a step, as its command names it. Empty for what is no step.
func (r *Resource) Host() string { return r.launched(3) }

// Step is the name of a step. Empty for what is no step.
func (r *Resource) Step() string { return r.launched(4) }

func (r *Resource) launched(group int) string {
	create, ok := Plain(r.Inputs["create"])
	if !ok {
		return ""
	}
	if m := launch.FindStringSubmatch(create); m != nil {
		return m[group]
	}
	return ""
}

// Stdin is the program of a step, whether it is a secret or not. False if it is not known yet.
func (r *Resource) Stdin() (string, bool) {
	v := r.Inputs["stdin"]
	for v.IsSecret() {
		v = v.SecretValue().Element
	}
	return Plain(v)
}

// Plain is the text of an input that is known and no secret.
func Plain(v resource.PropertyValue) (string, bool) {
	if !v.IsString() {
		return "", false
	}
	return v.StringValue(), true
}
