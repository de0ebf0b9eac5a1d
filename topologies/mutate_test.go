package topologies

import (
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/pulumi/pulumi/sdk/v3/go/common/resource"

	"github.com/insight-icon/pulumi-icon/tests/graph"
)

// The stacks that tests of the rules change: those that are shipped, and one of them with a load balancer in front of its sentries.
const (
	mainnetPRep    = "mainnet-prep"
	lisbonPRep     = "lisbon-prep"
	citizenArchive = "citizen-archive"
	mainnetNLB     = "mainnet-prep with nlb"
)

// recordings are the graphs of those stacks, each recorded once for all tests that change it.
type recordings struct {
	mu   sync.Mutex
	seen map[string]*graph.Graph
}

var unchanged = recordings{seen: map[string]*graph.Graph{}}

func (r *recordings) of(t *testing.T, stack string, preview bool) *graph.Graph {
	t.Helper()
	r.mu.Lock()
	defer r.mu.Unlock()
	key := stack
	if preview {
		key += " preview"
	}
	if r.seen[key] == nil {
		name, _, front := strings.Cut(stack, " with ")
		var changes []string
		if front {
			changes = []string{"kind: dns", "kind: nlb"}
		}
		r.seen[key] = graph.Record(t, graph.Options{Preview: preview}, awsProgram(t, shippedStack(t, name, changes...)))
	}
	return r.seen[key]
}

type values = map[string]any

// mutant is a stack's graph that a test changes.
type mutant struct{ resources []*graph.Resource }

// mutantOf is a copy of a stack's graph.
func mutantOf(g *graph.Graph) *mutant {
	m := &mutant{}
	for _, r := range g.Resources {
		c := *r
		c.Inputs = copied(resource.NewProperty(r.Inputs)).ObjectValue()
		c.IgnoreChanges, c.PropertyDependencies = slices.Clone(r.IgnoreChanges), maps.Clone(r.PropertyDependencies)
		m.resources = append(m.resources, &c)
	}
	return m
}

func copied(v resource.PropertyValue) resource.PropertyValue {
	switch {
	case v.IsObject():
		object := resource.PropertyMap{}
		for key, e := range v.ObjectValue() {
			object[key] = copied(e)
		}
		return resource.NewProperty(object)
	case v.IsArray():
		list := make([]resource.PropertyValue, len(v.ArrayValue()))
		for i, e := range v.ArrayValue() {
			list[i] = copied(e)
		}
		return resource.NewProperty(list)
	default:
		return v
	}
}

func (m *mutant) graph() *graph.Graph { return graph.New(m.resources...) }

// get is the resource of AWS with a name.
func (m *mutant) get(name string) *graph.Resource {
	for _, r := range m.resources {
		if r.Name == name && strings.HasPrefix(r.Type, "aws:") {
			return r
		}
	}
	panic("the stack has no resource " + name)
}

func (m *mutant) drop(names ...string) {
	for _, name := range names {
		gone := m.get(name)
		m.resources = slices.DeleteFunc(m.resources, func(r *graph.Resource) bool { return r == gone })
	}
}

// set changes an input, or a part of one; nil takes it away. A step into a list goes to its first element.
func (m *mutant) set(name, path string, to any) {
	v := resource.NewProperty(m.get(name).Inputs)
	steps := strings.Split(path, ".")
	for _, step := range steps[:len(steps)-1] {
		v = v.ObjectValue()[resource.PropertyKey(step)]
		if v.IsArray() {
			v = v.ArrayValue()[0]
		}
	}
	last := resource.PropertyKey(steps[len(steps)-1])
	if to == nil {
		delete(v.ObjectValue(), last)
		return
	}
	v.ObjectValue()[last] = resource.NewPropertyValue(to)
	if len(steps) == 1 {
		delete(m.get(name).PropertyDependencies, steps[0])
	}
}

// like adds a resource that is as another but for its name and some inputs; nil takes one away.
func (m *mutant) like(other, name string, inputs values) {
	c := *m.get(other)
	c.Name, c.URN = name, strings.TrimSuffix(c.URN, other)+name
	c.Inputs, c.PropertyDependencies = copied(resource.NewProperty(c.Inputs)).ObjectValue(), maps.Clone(c.PropertyDependencies)
	m.resources = append(m.resources, &c)
	for key, to := range inputs {
		m.set(name, key, to)
	}
}

// add adds a resource of another type, made as one that is there.
func (m *mutant) add(token, name string, inputs values) {
	other := m.get("network-flow-logs")
	m.resources = append(m.resources, &graph.Resource{
		URN:  strings.TrimSuffix(other.URN, other.Type+"::"+other.Name) + token + "::" + name,
		Type: token, Name: name, Custom: true, Provider: other.Provider, Parent: other.Parent, Inputs: resource.NewPropertyMapFromMap(inputs),
	})
}

// change is one change to a mutant.
type change = func(*mutant)

func set(name, path string, to any) change { return func(m *mutant) { m.set(name, path, to) } }
func drop(names ...string) change          { return func(m *mutant) { m.drop(names...) } }
func like(other, name string, inputs values) change {
	return func(m *mutant) { m.like(other, name, inputs) }
}

func add(token, name string, inputs values) change {
	return func(m *mutant) { m.add(token, name, inputs) }
}

func all(changes ...change) change {
	return func(m *mutant) {
		for _, c := range changes {
			c(m)
		}
	}
}

// The names of what is changed most.
const (
	sshRule  = "network-group-bastion-in-tcp-22-203.0.113.0-24"
	p2pRule  = "network-group-prep-in-tcp-7100-sentry"
	prepOne  = "network-prep-1-instance"
	prepData = "network-prep-1-data"
)

// ingress adds a rule of a role's group for a port; who is let in is in inputs.
func ingress(role string, port int, inputs values) change {
	return func(m *mutant) {
		m.like(sshRule, "bad-rule", values{
			"securityGroupId": "network-group-" + role + "_id", "fromPort": port, "toPort": port, "cidrIpv4": nil,
		})
		for key, to := range inputs {
			m.set("bad-rule", key, to)
		}
	}
}
