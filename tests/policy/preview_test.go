package policy

import (
	"slices"
	"strings"
	"testing"

	"github.com/pulumi/pulumi/sdk/v3/go/common/resource"

	"github.com/insight-icon/pulumi-icon/tests/graph"
)

// inPreview is a graph as a preview records it: no identifier or ARN of its own resources is known, only who waits for whom.
func inPreview(g *graph.Graph) *graph.Graph {
	l := &look{g: g, byType: map[string][]*graph.Resource{}}
	var types []string
	for _, r := range g.Resources {
		l.byType[r.Type] = append(l.byType[r.Type], r)
		types = append(types, r.Type)
	}
	for _, r := range g.Resources {
		var hide func(v resource.PropertyValue) resource.PropertyValue
		hide = func(v resource.PropertyValue) resource.PropertyValue {
			switch {
			case v.IsObject():
				for key, e := range v.ObjectValue() {
					v.ObjectValue()[key] = hide(e)
				}
			case v.IsArray():
				for i, e := range v.ArrayValue() {
					v.ArrayValue()[i] = hide(e)
				}
			case v.IsString() && (strings.HasSuffix(v.StringValue(), "_id") || strings.HasPrefix(v.StringValue(), "arn:")):
				if named := l.named(v.StringValue(), types...); named != nil {
					if !slices.Contains(r.Dependencies, named.URN) {
						r.Dependencies = append(r.Dependencies, named.URN)
					}
					return unknown()
				}
			}
			return v
		}
		hide(resource.NewProperty(r.Inputs))
	}
	return graph.New(g.Resources...)
}

func TestAPreviewOfACompliantStackBreaksNoRule(t *testing.T) {
	Holds(t, inPreview(compliant().graph()), AWS())
}

// deploymentsOnly are the mistakes that only identifiers tell: which of two groups a rule opens to the other, which subnets are meant.
var deploymentsOnly = []string{
	"ICON.4 a sentry is a second bastion", "ICON.5 citizens reach it", "ICON.6 sentries reach it", "ELB.13 one zone",
}

func TestAPreviewShowsMistakesTooUnlessTheyAreOfIdentifiers(t *testing.T) {
	var hidden []string
	for _, e := range examples() {
		found := Check(inPreview(e.graph()), AWS())
		if !slices.ContainsFunc(found, func(f Finding) bool { return f.Rule == e.rule && strings.HasSuffix(f.URN, "::"+e.at) }) {
			hidden = append(hidden, e.rule+" "+e.name)
		}
	}
	if !slices.Equal(hidden, deploymentsOnly) {
		t.Errorf("a preview does not show %q, want %q", hidden, deploymentsOnly)
	}
}
