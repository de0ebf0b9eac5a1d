package policy

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/pulumi/pulumi/sdk/v3/go/common/resource"

	"github.com/insight-icon/pulumi-icon/tests/graph"
)

// value is an input, or a part of one: not given, known, or not known yet. Marks of secrets are taken off.
type value struct {
	v      resource.PropertyValue
	secret bool
	// of is the name of the input that it is, or is part of.
	of string
}

// input is a resource's input, or a part of it that is reached by names.
func input(r *graph.Resource, path ...string) value {
	v := wrap(resource.NewProperty(r.Inputs)).at(path...)
	v.of = path[0]
	return v
}

func wrap(v resource.PropertyValue) value {
	secret := false
	for {
		switch {
		case v.IsSecret() && v.SecretValue() != nil:
			v, secret = v.SecretValue().Element, true
		case v.IsOutput() && v.OutputValue().Known:
			secret = secret || v.OutputValue().Secret
			v = v.OutputValue().Element
		case v.IsOutput():
			return value{v: v, secret: secret || v.OutputValue().Secret}
		default:
			return value{v: v, secret: secret}
		}
	}
}

// at is a part of an object. A part of what is not known yet is not known either.
func (v value) at(path ...string) value {
	for _, name := range path {
		switch {
		case v.unknown():
			return v
		case v.v.IsObject():
			whole := v
			v = wrap(v.v.ObjectValue()[resource.PropertyKey(name)])
			v.secret, v.of = v.secret || whole.secret, whole.of
		default:
			return value{}
		}
	}
	return v
}

// has says that it is an object with a part of that name, be it an empty one.
func (v value) has(name string) bool {
	if !v.v.IsObject() {
		return false
	}
	_, there := v.v.ObjectValue()[resource.PropertyKey(name)]
	return there
}

// unknown says that it is given, but not known yet.
func (v value) unknown() bool { return v.v.IsComputed() || v.v.IsOutput() }

// given says that it is there, known or not. An empty text, list or object is as good as none.
func (v value) given() bool {
	switch {
	case v.v.IsNull():
		return false
	case v.v.IsString():
		return v.v.StringValue() != ""
	case v.v.IsArray():
		return len(v.v.ArrayValue()) > 0
	case v.v.IsObject():
		return len(v.v.ObjectValue()) > 0
	default:
		return true
	}
}

// text is a known text, empty if it is none.
func (v value) text() string {
	if v.v.IsString() {
		return v.v.StringValue()
	}
	return ""
}

// is says that it is known to be a text. Case does not matter, as with AWS's protocols and states.
func (v value) is(want string) bool { return strings.EqualFold(v.text(), want) && want != "" }

// yes says that it is known to be true, no that it is known to be false.
func (v value) yes() bool { return v.v.IsBool() && v.v.BoolValue() || v.is("true") }
func (v value) no() bool  { return v.v.IsBool() && !v.v.BoolValue() || v.is("false") }

// number is a known number.
func (v value) number() (int, bool) {
	if v.v.IsNumber() {
		return int(v.v.NumberValue()), true
	}
	n, err := strconv.Atoi(v.text())
	return n, err == nil
}

// list are the elements of a known list.
func (v value) list() []value {
	if !v.v.IsArray() {
		return nil
	}
	elements := make([]value, 0, len(v.v.ArrayValue()))
	for _, e := range v.v.ArrayValue() {
		element := wrap(e)
		element.secret, element.of = element.secret || v.secret, v.of
		elements = append(elements, element)
	}
	return elements
}

// String shows it in a message; nothing of a secret.
func (v value) String() string {
	switch {
	case v.secret:
		return "(a secret)"
	case v.unknown():
		return "not known yet"
	case v.v.IsNull():
		return "not given"
	case v.v.IsString():
		return strconv.Quote(v.v.StringValue())
	case v.v.IsArray(), v.v.IsObject():
		return "given"
	default:
		return fmt.Sprint(v.v.V)
	}
}

// leaf is one plain value in a resource's inputs, with the names that lead to it.
type leaf struct {
	path []string
	value
}

// key is the name that it is given by; that of its list in a list.
func (l leaf) key() string { return l.path[len(l.path)-1] }

// where is its path in a message.
func (l leaf) where() string { return strings.Join(l.path, ".") }

// leaves are all plain values, and all that are not known yet, of a resource.
func leaves(r *graph.Resource) []leaf {
	var found []leaf
	var walk func(path []string, v value)
	walk = func(path []string, v value) {
		switch {
		case v.v.IsObject():
			for _, name := range v.v.ObjectValue().StableKeys() {
				walk(append(path[:len(path):len(path)], string(name)), v.at(string(name)))
			}
		case v.v.IsArray():
			for _, e := range v.list() {
				walk(path, e)
			}
		case v.given() && len(path) > 0:
			found = append(found, leaf{path, v})
		}
	}
	walk(nil, wrap(resource.NewProperty(r.Inputs)))
	return found
}
