package reach

import (
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"github.com/pulumi/pulumi/sdk/v3/go/common/resource"

	"github.com/insight-icon/pulumi-icon/tests/graph"
)

// reader turns a graph into a world, and collects all that is wrong on the way.
type reader struct {
	w        *world
	byURN    map[string]*graph.Resource
	byID     map[string][]*graph.Resource // resources of different types may have one name, and then one identifier
	problems []string
}

func (a *reader) problem(r *graph.Resource, format string, args ...any) {
	p := fmt.Sprintf("%s (%s): ", r.Name, r.Type) + fmt.Sprintf(format, args...)
	if !slices.Contains(a.problems, p) {
		a.problems = append(a.problems, p)
	}
}

func (a *reader) err() error {
	if len(a.problems) == 0 {
		return nil
	}
	return errors.New("reachability cannot be told:\n  " + strings.Join(a.problems, "\n  "))
}

// input is a resource, or a block within one.
type input struct {
	a     *reader
	r     *graph.Resource
	where string // "ingress[1]."
	m     resource.PropertyMap
}

func (i input) problem(key, format string, args ...any) {
	i.a.problem(i.r, "input %s%s %s", i.where, key, fmt.Sprintf(format, args...))
}

// value is a known value that is there.
func (i input) value(key string) (resource.PropertyValue, bool) {
	return i.known(key, i.m[resource.PropertyKey(key)])
}

func (i input) known(key string, v resource.PropertyValue) (resource.PropertyValue, bool) {
	for {
		switch {
		case v.IsSecret():
			v = v.SecretValue().Element
		case v.IsComputed(), v.IsOutput() && !v.OutputValue().Known:
			i.problem(key, "is not known: reachability is told of recorded deploys, not of previews")
			return v, false
		case v.IsOutput():
			v = v.OutputValue().Element
		default:
			return v, !v.IsNull()
		}
	}
}

func (i input) str(key string) string {
	v, ok := i.value(key)
	if !ok {
		return ""
	}
	if v.IsNumber() {
		return fmt.Sprint(v.NumberValue())
	}
	if !v.IsString() {
		i.problem(key, "is no text")
		return ""
	}
	return v.StringValue()
}

func (i input) num(key string, missing int) int {
	v, ok := i.value(key)
	if !ok {
		return missing
	}
	if !v.IsNumber() {
		i.problem(key, "is no number")
		return missing
	}
	return int(v.NumberValue())
}

// flag takes true and "true" alike: some of the provider's switches are texts.
func (i input) flag(key string, missing bool) bool {
	v, ok := i.value(key)
	switch {
	case !ok:
		return missing
	case v.IsBool():
		return v.BoolValue()
	case v.IsString() && (v.StringValue() == "true" || v.StringValue() == "false"):
		return v.StringValue() == "true"
	}
	i.problem(key, "is neither true nor false")
	return missing
}

func (i input) list(key string) []resource.PropertyValue {
	v, ok := i.value(key)
	if !ok {
		return nil
	}
	if !v.IsArray() {
		i.problem(key, "is no list")
		return nil
	}
	var out []resource.PropertyValue
	for n, e := range v.ArrayValue() {
		if e, ok := i.known(fmt.Sprintf("%s[%d]", key, n), e); ok {
			out = append(out, e)
		}
	}
	return out
}

func (i input) strs(key string) []string {
	var out []string
	for n, e := range i.list(key) {
		if !e.IsString() {
			i.problem(fmt.Sprintf("%s[%d]", key, n), "is no text")
			continue
		}
		out = append(out, e.StringValue())
	}
	return out
}

// blocks are nested inputs; a single one counts as a list of one.
func (i input) blocks(key string) []input {
	v, ok := i.value(key)
	if !ok {
		return nil
	}
	if v.IsObject() {
		return []input{{i.a, i.r, i.where + key + ".", v.ObjectValue()}}
	}
	var out []input
	for n, e := range i.list(key) {
		if !e.IsObject() {
			i.problem(key, "holds what is no block")
			continue
		}
		out = append(out, input{i.a, i.r, fmt.Sprintf("%s%s[%d].", i.where, key, n), e.ObjectValue()})
	}
	return out
}

// tag is one of the resource's tags.
func (i input) tag(name string) string {
	for _, tags := range i.blocks("tags") {
		return tags.str(name)
	}
	return ""
}

// cidr reads an IPv4 network. It is zero, and a problem if required, where there is none.
func (i input) cidr(key string, required bool) netip.Prefix {
	s := i.str(key)
	if s == "" {
		if required {
			i.problem(key, "is required to tell reachability")
		}
		return netip.Prefix{}
	}
	return i.parse(key, s)
}

func (i input) parse(key, s string) netip.Prefix {
	p, err := netip.ParsePrefix(s)
	if err != nil || !p.Addr().Is4() {
		i.problem(key, "is %q, no IPv4 network such as 192.0.2.0/24", s)
		return netip.Prefix{}
	}
	return p.Masked()
}

// refuse names the inputs that change reachability in ways that are not analysed.
func (i input) refuse(keys ...string) {
	for _, key := range keys {
		v, ok := i.value(key)
		if !ok || v.IsBool() && !v.BoolValue() || v.IsString() && v.StringValue() == "" || v.IsArray() && len(v.ArrayValue()) == 0 ||
			v.IsNumber() && v.NumberValue() == 0 {
			continue
		}
		i.problem(key, "is not analysed")
	}
}

// ref is the resource of one of these types that an input names by its identifier or ARN. Nil if the input is not set.
func (i input) ref(key string, types ...string) *graph.Resource {
	s := i.str(key)
	if s == "" {
		return nil
	}
	return i.resolve(key, s, types...)
}

func (i input) resolve(key, s string, types ...string) *graph.Resource {
	if r := i.a.find(s, types...); r != nil {
		return r
	}
	i.problem(key, "is %q, which is no %s of the graph: what stands outside it cannot be analysed", s, strings.Join(types, " or "))
	return nil
}

// owner is like ref for inputs that every such resource has. An output that the recorder makes up for AWS is nobody's identifier; the
// resource that it came from is then known by what its user waits for.
func (i input) owner(key string, types ...string) *graph.Resource {
	s := i.str(key)
	if r := i.a.find(s, types...); r != nil {
		return r
	}
	var found []*graph.Resource
	for _, urn := range i.r.Dependencies {
		if r := i.a.byURN[urn]; r != nil && slices.Contains(types, r.Type) {
			found = append(found, r)
		}
	}
	if len(found) == 1 && (s == "" || strings.HasPrefix(s, found[0].Name+"-")) {
		return found[0]
	}
	i.problem(key, "is %q, which names no %s of the graph", s, strings.Join(types, " or "))
	return nil
}

// find is the resource with an identifier or ARN as the recorder gives them.
func (a *reader) find(s string, types ...string) *graph.Resource {
	if strings.HasPrefix(s, "arn:") {
		s = s[strings.LastIndex(s, ":")+1:] + "_id"
	}
	for _, r := range a.byID[s] {
		if slices.Contains(types, r.Type) {
			return r
		}
	}
	return nil
}
