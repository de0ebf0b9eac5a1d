package stacks

import (
	"encoding/json"
	"fmt"
	"reflect"
	"slices"
	"strconv"
	"strings"

	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"github.com/insight-icon/pulumi-icon/internal/wording"
)

// setting is one key as the engine holds it.
type setting struct {
	// text is the value: the text itself for a plain value, JSON for an object or a list. Empty for secrets and unknown keys, so
	// that no text of theirs can get into a message.
	text string
	// secret is the value of a key that is marked secret; nil for one in the clear.
	secret pulumi.StringPtrInput
}

// decode turns the settings, by name without namespace, into a complete Config, or into an error that holds every problem.
func decode(settings map[string]setting) (*Config, error) {
	c := newCollector()
	config, err := c.read(settings)
	if err != nil {
		return nil, err
	}
	c.readSecrets(settings, &config.Secrets)
	full := config.withDefaults()
	full.validate(c)
	if err := c.err(); err != nil {
		return nil, err
	}
	return full, nil
}

// read fills a Config from the keys in the clear. What cannot be read is reported and left at its zero value.
func (c *collector) read(settings map[string]setting) (*Config, error) {
	known := fields(reflect.TypeFor[Config]())
	object := map[string]any{}
	for name, s := range settings {
		field, ok := known[name]
		switch {
		case slices.Contains(secretKeys(), name):
		case name == "gcp":
			c.report(name, noGCP, noGCP)
		case !ok:
			c.report(wording.Under("", name), unknownKey, fmt.Sprintf(unknownKey, wording.DidYouMean(name, Keys())))
		case s.secret != nil:
			c.unreadable(name, "is marked secret, but plans, outputs and errors show it; set it in the clear: "+
				"pulumi config set %s:%s …", namespace, name)
		case field.Kind() == reflect.String:
			object[name] = c.clean(name, s.text, field)
		default:
			object[name] = c.clean(name, c.parse(name, s.text), field)
		}
	}
	text, err := json.Marshal(object)
	if err != nil {
		return nil, fmt.Errorf("stack configuration: %w", err)
	}
	config := &Config{}
	if err := json.Unmarshal(text, config); err != nil {
		return nil, fmt.Errorf("stack configuration: %w", err)
	}
	return config, nil
}

// readSecrets takes over the secrets as they are, unread.
func (c *collector) readSecrets(settings map[string]setting, secrets *Secrets) {
	for name, field := range secrets.byKey() {
		s, set := settings[name]
		if set && s.secret == nil {
			c.unreadable(name, "is set in the clear; encrypt it: pulumi config set --secret %s:%s < file", namespace, name)
			continue
		}
		*field = s.secret
	}
}

// unknownKey is the message for a key that nothing reads.
const unknownKey = "is not a known key; %s"

// noGCP is the message for the block of a platform that may be looked for, since other tools have it.
const noGCP = "is the block of a platform that is not there yet; a stack has its own platform's block, icon:hosts or icon:aws, as " +
	"icon:platform says"

// parse reads JSON text. Text that isn't JSON is a plain value, which clean judges.
func (c *collector) parse(path, text string) any {
	// The whole text is checked first: the decoder below would stop after the first value.
	err := json.Unmarshal([]byte(text), new(json.RawMessage))
	if err != nil && !strings.HasPrefix(text, "{") && !strings.HasPrefix(text, "[") {
		return text
	}
	var value any
	if err == nil {
		decoder := json.NewDecoder(strings.NewReader(text))
		decoder.UseNumber()
		value, err = c.parseValue(path, decoder)
	}
	if err != nil {
		c.unreadable(path, "is not valid JSON (%v); write it as YAML in the stack file", err)
		return nil
	}
	return value
}

// parseValue reads the next value. It exists because encoding/json silently takes the last of two equal keys.
func (c *collector) parseValue(path string, decoder *json.Decoder) (any, error) {
	token, err := decoder.Token()
	if err != nil {
		return nil, err
	}
	switch token {
	case json.Delim('{'):
		return c.parseObject(path, decoder)
	case json.Delim('['):
		return c.parseList(path, decoder)
	default:
		return token, nil
	}
}

func (c *collector) parseObject(path string, decoder *json.Decoder) (any, error) {
	object := map[string]any{}
	for decoder.More() {
		token, err := decoder.Token()
		if err != nil {
			return nil, err
		}
		name := fmt.Sprint(token)
		if _, twice := object[name]; twice {
			c.unreadable(wording.Under(path, name), "is given twice; keep one")
		}
		if object[name], err = c.parseValue(wording.Under(path, name), decoder); err != nil {
			return nil, err
		}
	}
	_, err := decoder.Token() // the closing brace
	return object, err
}

func (c *collector) parseList(path string, decoder *json.Decoder) (any, error) {
	list := []any{}
	for decoder.More() {
		value, err := c.parseValue(wording.Item(path, len(list)), decoder)
		if err != nil {
			return nil, err
		}
		list = append(list, value)
	}
	_, err := decoder.Token() // the closing bracket
	return list, err
}

// clean compares value with the type that is to hold it and returns it without what the type cannot hold, each of which is reported.
func (c *collector) clean(path string, value any, t reflect.Type) any {
	if t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	if t.Kind() == reflect.Interface && plain(value) {
		return value // whose type depends on its name
	}
	switch v := value.(type) {
	case map[string]any:
		if t.Kind() == reflect.Struct || t.Kind() == reflect.Map {
			return c.cleanObject(path, v, t)
		}
	case []any:
		if t.Kind() == reflect.Slice {
			return c.cleanList(path, v, t)
		}
	case string:
		if t.Kind() == reflect.String && v == "" {
			c.unreadable(path, "is empty; give a value or leave the key out")
			return nil
		}
		if t.Kind() == reflect.String {
			return v
		}
	case json.Number:
		if t.Kind() == reflect.Int {
			return c.cleanNumber(path, v)
		}
	case bool:
		if t.Kind() == reflect.Bool {
			return v
		}
	}
	if c.readable(path) {
		c.unreadable(path, "is %s; wanted %s", describe(value), wanted(t, value))
	}
	return nil
}

// plain tells whether a value is text, a number, true or false, or a list of such.
func plain(value any) bool {
	if list, ok := value.([]any); ok {
		return !slices.ContainsFunc(list, func(item any) bool { _, nested := item.([]any); return nested || !plain(item) })
	}
	_, object := value.(map[string]any)
	return value != nil && !object
}

func (c *collector) cleanObject(path string, object map[string]any, t reflect.Type) any {
	cleaned := map[string]any{}
	if t.Kind() == reflect.Map {
		for name, value := range object {
			cleaned[name] = c.clean(wording.Under(path, name), value, t.Elem())
		}
		return cleaned
	}
	known := fields(t)
	for name, value := range object {
		field, ok := known[name]
		if !ok {
			c.report(wording.Under(path, name), unknownKey, fmt.Sprintf(unknownKey, wording.DidYouMean(name, names(t))))
			continue
		}
		cleaned[name] = c.clean(wording.Under(path, name), value, field)
	}
	return cleaned
}

func (c *collector) cleanList(path string, list []any, t reflect.Type) any {
	if len(list) == 0 {
		c.unreadable(path, "is an empty list; name at least one or leave the key out")
		return nil
	}
	cleaned := make([]any, len(list))
	for i, value := range list {
		cleaned[i] = c.clean(wording.Item(path, i), value, t.Elem())
	}
	return cleaned
}

func (c *collector) cleanNumber(path string, number json.Number) any {
	n, err := strconv.Atoi(number.String())
	if err != nil {
		c.unreadable(path, "is %s; wanted a whole number", number)
		return nil
	}
	if n == 0 {
		c.unreadable(path, "is 0; wanted a whole number above 0, or no such key for the default")
		return nil
	}
	return n
}

// fields are the types of a struct's fields by their JSON name.
func fields(t reflect.Type) map[string]reflect.Type {
	types := map[string]reflect.Type{}
	for i := range t.NumField() {
		name, _, _ := strings.Cut(t.Field(i).Tag.Get("json"), ",")
		if name != "-" {
			types[name] = t.Field(i).Type
		}
	}
	return types
}

// names are the JSON names of a struct's fields in the order of the alphabet.
func names(t reflect.Type) []string {
	all := []string{}
	for name := range fields(t) {
		all = append(all, name)
	}
	slices.Sort(all)
	return all
}

// describe says what a value is, in an operator's words.
func describe(value any) string {
	switch v := value.(type) {
	case nil:
		return "empty (null)"
	case map[string]any:
		return "an object"
	case []any:
		return "a list"
	case string:
		return "text, " + wording.Quote(v)
	case json.Number:
		return "the number " + v.String()
	default:
		return fmt.Sprint(v)
	}
}

// wanted says what a type holds, in an operator's words, to one who wrote value.
func wanted(t reflect.Type, value any) string {
	switch t.Kind() {
	case reflect.Struct:
		return "an object with the keys " + strings.Join(names(t), ", ")
	case reflect.Map:
		return "an object of names, each with its value"
	case reflect.Slice:
		return "a list, in YAML [a, b]"
	case reflect.Interface:
		return "text, a number, true or false, or a list of text"
	case reflect.Int:
		return "a whole number, without quotes"
	case reflect.Bool:
		return "true or false"
	default:
		switch value.(type) {
		case json.Number, bool: // as YAML reads 0x10, 1.20 or true
			return "text: put it in quotes"
		}
		return "text"
	}
}
