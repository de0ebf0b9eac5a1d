package graph

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/pulumi/pulumi/sdk/v3/go/common/resource"
)

// Detail lists, for a golden file, every resource of a cloud with its parent, its inputs and what the engine is told of it, so that a
// changed name or default is seen in review. Steps on hosts are listed without inputs: their programs have goldens of their own. Of a
// secret the list says only that it is one.
func (g *Graph) Detail() string {
	var b strings.Builder
	for _, urn := range g.URNs() {
		r := g.byURN[urn]
		fmt.Fprintf(&b, "%s\n  parent: %s\n", urn, nameOf(r.Parent))
		for _, option := range r.options() {
			fmt.Fprintf(&b, "  %s\n", option)
		}
		if r.Type == CommandType || r.Type == CopyType || !r.Custom {
			continue
		}
		for _, key := range r.Inputs.StableKeys() {
			fmt.Fprintf(&b, "  %s = %s\n", key, show(r.Inputs[key]))
		}
	}
	return b.String()
}

func (r *Resource) options() []string {
	var all []string
	if r.Protect {
		all = append(all, "protected")
	}
	if r.RetainOnDelete {
		all = append(all, "retained")
	}
	if len(r.IgnoreChanges) > 0 {
		all = append(all, "ignores changes of "+strings.Join(r.IgnoreChanges, ", "))
	}
	for _, alias := range r.Aliases {
		all = append(all, "was "+alias)
	}
	return all
}

// show is an input on one line.
func show(v resource.PropertyValue) string {
	switch {
	case v.IsSecret() || v.IsOutput() && v.OutputValue().Secret:
		return "(secret)"
	case v.IsComputed() || v.IsOutput() && !v.OutputValue().Known:
		return "(not known yet)"
	case v.IsOutput():
		return show(v.OutputValue().Element)
	case v.IsString():
		return strconv.Quote(v.StringValue())
	case v.IsArray():
		words := make([]string, len(v.ArrayValue()))
		for i, e := range v.ArrayValue() {
			words[i] = show(e)
		}
		return "[" + strings.Join(words, ", ") + "]"
	case v.IsObject():
		words := []string{}
		for _, key := range v.ObjectValue().StableKeys() {
			words = append(words, fmt.Sprintf("%s: %s", key, show(v.ObjectValue()[key])))
		}
		return "{" + strings.Join(words, ", ") + "}"
	default:
		return fmt.Sprint(v.V)
	}
}
