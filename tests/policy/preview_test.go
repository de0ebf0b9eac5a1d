package policy

import (
	"slices"
	"strings"
	"testing"

	"github.com/pulumi/pulumi/sdk/v3/go/common/resource"

	"github.com/insight-icon/pulumi-icon/tests/graph"
)

// inPreview is a graph as a preview records it: no identifier or ARN of its own resources is known, only what each input is made of.
func inPreview(g *graph.Graph) *graph.Graph {
	l := &look{g: g, byType: map[string][]*graph.Resource{}}
	var types []string
	for _, r := range g.Resources {
		l.byType[r.Type] = append(l.byType[r.Type], r)
		types = append(types, r.Type)
	}
	for _, r := range g.Resources {
		r.PropertyDependencies = map[string][]string{}
		var hide func(name string, v resource.PropertyValue) resource.PropertyValue
		hide = func(name string, v resource.PropertyValue) resource.PropertyValue {
			switch {
			case v.IsObject():
				for key, e := range v.ObjectValue() {
					v.ObjectValue()[key] = hide(name, e)
				}
			case v.IsArray():
				for i, e := range v.ArrayValue() {
					v.ArrayValue()[i] = hide(name, e)
				}
			case v.IsString() && (strings.HasSuffix(v.StringValue(), "_id") || strings.HasPrefix(v.StringValue(), "arn:")):
				if named := l.named(v.StringValue(), types...); named != nil {
					r.Dependencies = append(r.Dependencies, named.URN)
					r.PropertyDependencies[name] = append(r.PropertyDependencies[name], named.URN)
					return unknown()
				}
			}
			return v
		}
		for key, v := range r.Inputs {
			r.Inputs[key] = hide(string(key), v)
		}
	}
	return graph.New(g.Resources...)
}

func TestAPreviewOfACompliantStackBreaksNoRule(t *testing.T) {
	Holds(t, inPreview(compliant().graph()), AWS())
}

func TestAPreviewShowsEveryMistakeToo(t *testing.T) {
	for _, e := range examples() {
		found := Check(inPreview(e.graph()), AWS())
		if !slices.ContainsFunc(found, func(f Finding) bool { return f.Rule == e.rule && strings.HasSuffix(f.URN, "::"+e.at) }) {
			t.Errorf("a preview does not show %s %s", e.rule, e.name)
		}
	}
}
