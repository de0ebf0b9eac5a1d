package cloud

import (
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"maps"
	"slices"

	"github.com/pulumi/pulumi/sdk/v3/go/common/resource"
)

// bare is a value without marks of secrets, at any depth.
func bare(v resource.PropertyValue) resource.PropertyValue {
	switch {
	case v.IsSecret():
		return bare(v.SecretValue().Element)
	case v.IsOutput() && v.OutputValue().Known:
		return bare(v.OutputValue().Element)
	case v.IsArray():
		all := make([]resource.PropertyValue, len(v.ArrayValue()))
		for i, e := range v.ArrayValue() {
			all[i] = bare(e)
		}
		return resource.NewProperty(all)
	case v.IsObject():
		all := resource.PropertyMap{}
		for key, e := range v.ObjectValue() {
			all[key] = bare(e)
		}
		return resource.NewProperty(all)
	default:
		return v
	}
}

// plain are properties as data, without those that are not known yet.
func plain(m resource.PropertyMap) map[string]any {
	all := map[string]any{}
	for key, v := range m {
		if v = bare(v); !v.ContainsUnknowns() {
			all[string(key)] = v.Mappable()
		}
	}
	return all
}

// called gives a new resource its id.
func (r *Resource) called(prefix string) error {
	random := make([]byte, 9)
	if _, err := rand.Read(random); err != nil {
		return err
	}
	digits := hex.EncodeToString(random)
	if prefix != "" {
		r.ID = prefix + digits[:17]
		return nil
	}
	for _, key := range []string{"name", "bucket"} {
		if r.ID = r.text(key); r.ID != "" {
			return nil
		}
	}
	// The real provider makes up a name from the program's.
	r.ID = r.Name + "-" + digits[:7]
	return nil
}

// texts are the words in a value: it, or those of a list.
func texts(v any) []string {
	switch v := v.(type) {
	case string:
		return []string{v}
	case []any:
		var all []string
		for _, e := range v {
			all = append(all, texts(e)...)
		}
		return all
	default:
		return nil
	}
}

// users are the names of the resources that hold one.
func (s *state) users(kinds Kinds, r *Resource) []string {
	var all []string
	for _, user := range s.Resources {
		for _, key := range kinds.resources[user.Type].holds {
			if slices.Contains(texts(user.Properties[key]), r.ID) {
				all = append(all, user.Name)
			}
		}
	}
	slices.Sort(all)
	return all
}

// known says which resources that a new one names are not there.
func (s *state) known(k kind, r *Resource) error {
	for _, key := range k.holds {
		for _, id := range texts(r.Properties[key]) {
			if s.Resources[id] == nil {
				return fmt.Errorf("%s %s is not there (NotFound)", key, id)
			}
		}
	}
	return nil
}

// ofType are the resources of a type, by id.
func (s *state) ofType(token string) []*Resource {
	var all []*Resource
	for _, id := range slices.Sorted(maps.Keys(s.Resources)) {
		if s.Resources[id].Type == token {
			all = append(all, s.Resources[id])
		}
	}
	return all
}
