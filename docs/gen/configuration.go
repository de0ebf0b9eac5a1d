package main

import (
	"fmt"
	"go/ast"
	"regexp"
	"slices"
	"strings"
)

const intro = `# Configuration

A stack is a file ` + "`stacks/Pulumi.<stack>.yaml`" + `. Some to copy: [machines that exist](../stacks/Pulumi.hosts-example.yaml); on AWS,
[a hidden P-Rep](../stacks/Pulumi.mainnet-prep.yaml), [a cheap one](../stacks/Pulumi.lisbon-prep.yaml) and
[citizens alone](../stacks/Pulumi.citizen-archive.yaml).

A stack is read strictly: a key that is not here, a value of the wrong type, and values that contradict each other are errors, reported all
at once, each with its full path and what is wanted. A key that is left out has its default; an empty value is never taken for "the
default".

`

// words for Go's types.
var words = map[string]string{
	"string": "text", "bool": "boolean", "*bool": "boolean", "int": "number", "[]string": "list of text", "[]int": "list of numbers",
	"map[string]string": "map of text", "map[string]int": "map of numbers",
	"map[string]map[string]any": "map of maps of values",
}

// configured are the directories of the types below stacks.Config, by package.
var configured = map[string]string{"stacks": "stacks", "awsplan": "internal/awsplan", "sentry": "internal/sentry"}

// configuration is docs/configuration.md, from stacks.Config.
func configuration(code map[string]*source) (string, error) {
	c := &keys{code: code, sections: map[string]section{}}
	top, err := c.table("stacks.Config", "icon:")
	if err != nil {
		return "", err
	}
	secrets, err := c.secrets()
	if err != nil {
		return "", err
	}
	var b strings.Builder
	b.WriteString(notice("stacks/config.go, internal/awsplan/settings.go and internal/sentry/limits.go") + intro)
	b.WriteString(top)
	b.WriteString("\n## Secrets\n\nTheir values come by standard input, so that they stay out of the shell's history: " +
		"`pulumi config set --secret icon:<key> < file`. A secret that is set in the clear is an error.\n\n" + secrets)
	for _, name := range c.order {
		b.WriteString(c.sections[name].text)
	}
	return b.String(), nil
}

// keys collects a section for each struct, once.
type keys struct {
	// code by package; types are named "package.Type".
	code     map[string]*source
	sections map[string]section
	order    []string
}

type section struct{ anchor, text string }

func (k *keys) fields(of string) ([]field, error) {
	pkg, name, _ := strings.Cut(of, ".")
	if k.code[pkg] == nil {
		return nil, fmt.Errorf("nothing says where the package of %s is: add it to configured", of)
	}
	return k.code[pkg].fields(name)
}

func (k *keys) table(of, prefix string) (string, error) {
	fields, err := k.fields(of)
	if err != nil {
		return "", err
	}
	var rows [][]string
	for _, f := range fields {
		if f.keys[0] == "-" {
			continue
		}
		kind, err := k.kind(f.types[0], of, prefix+f.keys[0])
		if err != nil {
			return "", err
		}
		if len(f.types) > 1 && code(f.types[1]) != code(f.types[0]) {
			kind += ", " + words[code(f.types[1])]
		}
		paths := make([]string, len(f.keys))
		for i, key := range f.keys {
			paths[i] = "`" + prefix + key + "`"
		}
		what, need := split(inKeys(f.doc, f.names, fields))
		rows = append(rows, []string{strings.Join(paths, ", "), kind, cell(need), cell(what)})
	}
	return table([]string{"key", "type", "required, default", "is"}, rows), nil
}

// kind is a word for the type of a field of the type in; for a struct it makes the section, too.
func (k *keys) kind(t ast.Expr, in, path string) (string, error) {
	name := code(t)
	if word, ok := words[name]; ok {
		return word, nil
	}
	bare, isMap := strings.CutPrefix(name, "map[string]")
	bare = strings.TrimPrefix(bare, "*")
	word := "object"
	if isMap {
		word, path = "map of objects", path+".<name>"
	}
	pkg, _, _ := strings.Cut(in, ".")
	if other, name, elsewhere := strings.Cut(bare, "."); elsewhere {
		pkg, bare = other, name
	}
	of := pkg + "." + bare
	if _, done := k.sections[of]; !done {
		s := section{anchor: strings.ToLower(bare)}
		if pkg != "stacks" {
			s.anchor = strings.NewReplacer("icon:", "", ".<name>", "", ".", "-").Replace(strings.ToLower(path))
		}
		k.sections[of] = s
		k.order = append(k.order, of)
		rows, err := k.table(of, path+".")
		if err != nil {
			return "", err
		}
		s.text = fmt.Sprintf("\n<a id=\"%s\"></a>\n\n## `%s`\n\n%s\n\n%s", s.anchor, path, k.code[pkg].docs[bare], rows)
		k.sections[of] = s
	}
	return fmt.Sprintf("[%s](#%s)", word, k.sections[of].anchor), nil
}

var keyName = regexp.MustCompile(`\bKey (icon:\w+)`)

func (k *keys) secrets() (string, error) {
	fields, err := k.fields("stacks.Secrets")
	if err != nil {
		return "", err
	}
	others, err := k.fields("stacks.Config")
	if err != nil {
		return "", err
	}
	var rows [][]string
	for _, f := range fields {
		key := keyName.FindStringSubmatch(f.doc)
		if key == nil {
			return "", fmt.Errorf("Secrets.%s: its comment names no key (\"Key icon:…\")", f.names[0])
		}
		what, need := split(inKeys(f.doc, f.names, slices.Concat(fields, others)))
		rows = append(rows, []string{"`" + key[1] + "`", "secret text", cell(need), cell(what)})
	}
	return table([]string{"key", "type", "required, default", "is"}, rows), nil
}

var goName = regexp.MustCompile(`\b[A-Z]\w*\b`)

// inKeys is a comment with the names of Go's fields as the stack file writes them: those that it is about, and others that can be neither
// a plain word nor an abbreviation.
func inKeys(doc string, about []string, siblings []field) string {
	keyOf := map[string]string{}
	for _, f := range siblings {
		for i, name := range f.names {
			if slices.Contains(about, name) || strings.ToLower(name[1:]) != name[1:] && strings.ToUpper(name) != name {
				keyOf[name] = f.keys[i]
				if key := keyName.FindStringSubmatch(f.doc); key != nil {
					keyOf[name] = key[1]
				}
			}
		}
	}
	return goName.ReplaceAllStringFunc(doc, func(word string) string {
		if key := keyOf[word]; key != "" {
			return "`" + key + "`"
		}
		return word
	})
}
