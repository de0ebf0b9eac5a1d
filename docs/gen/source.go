package main

import (
	"bytes"
	"fmt"
	"go/ast"
	"go/format"
	"go/parser"
	"go/token"
	"path/filepath"
	"reflect"
	"regexp"
	"strconv"
	"strings"
)

// source is what a package declares.
type source struct {
	types map[string]*ast.TypeSpec
	funcs map[string]*ast.FuncDecl
	docs  map[string]string
	// values are the constants of a type, by the type's name.
	values map[string][]string
}

// parse reads a package's files, its tests not among them.
func parse(dir string) (*source, error) {
	names, err := filepath.Glob(filepath.Join(dir, "*.go"))
	if err != nil || len(names) == 0 {
		return nil, fmt.Errorf("%s: no Go files (%w)", dir, err)
	}
	s := &source{
		types: map[string]*ast.TypeSpec{}, funcs: map[string]*ast.FuncDecl{}, docs: map[string]string{}, values: map[string][]string{},
	}
	set := token.NewFileSet()
	for _, name := range names {
		if strings.HasSuffix(name, "_test.go") {
			continue
		}
		file, err := parser.ParseFile(set, name, nil, parser.ParseComments)
		if err != nil {
			return nil, err
		}
		for _, d := range file.Decls {
			s.add(d)
		}
	}
	return s, nil
}

func (s *source) add(decl ast.Decl) {
	switch d := decl.(type) {
	case *ast.FuncDecl:
		if d.Recv == nil {
			s.funcs[d.Name.Name], s.docs[d.Name.Name] = d, plain(d.Doc)
		}
	case *ast.GenDecl:
		for _, spec := range d.Specs {
			switch t := spec.(type) {
			case *ast.TypeSpec:
				s.types[t.Name.Name], s.docs[t.Name.Name] = t, plain(d.Doc)
			case *ast.ValueSpec:
				s.addValue(t)
			}
		}
	}
}

func (s *source) addValue(v *ast.ValueSpec) {
	of, typed := v.Type.(*ast.Ident)
	if !typed || len(v.Values) != 1 {
		return
	}
	if literal, ok := v.Values[0].(*ast.BasicLit); ok {
		s.values[of.Name] = append(s.values[of.Name], literal.Value)
	}
}

// resolve has types that are another package's show what that one declares. code is by the name of the package.
func (s *source) resolve(code map[string]*source) {
	for name, spec := range s.types {
		other, ok := spec.Type.(*ast.SelectorExpr)
		if !ok || !spec.Assign.IsValid() {
			continue
		}
		pkg, ok := other.X.(*ast.Ident)
		if !ok || code[pkg.Name] == nil || code[pkg.Name].types[other.Sel.Name] == nil {
			continue
		}
		s.types[name] = &ast.TypeSpec{Name: spec.Name, Type: code[pkg.Name].types[other.Sel.Name].Type}
	}
}

// field is one field of a struct, or several that share a comment.
type field struct {
	// names as Go knows them, keys as the configuration does.
	names, keys []string
	types       []ast.Expr
	doc         string
	embedded    bool
}

// fields are the exported fields of a struct. A field without a comment of its own that the one before is about stands with that.
func (s *source) fields(name string) ([]field, error) {
	spec, found := s.types[name]
	if !found {
		return nil, fmt.Errorf("there is no type %s", name)
	}
	body, ok := spec.Type.(*ast.StructType)
	if !ok {
		return nil, fmt.Errorf("type %s is no struct", name)
	}
	var all []field
	for _, f := range body.Fields.List {
		one := field{doc: plain(f.Doc), embedded: len(f.Names) == 0}
		if one.embedded {
			one.types = []ast.Expr{f.Type}
		}
		for _, n := range f.Names {
			if n.IsExported() {
				one.names, one.types = append(one.names, n.Name), []ast.Expr{f.Type}
				one.keys = append(one.keys, jsonName(f.Tag))
			}
		}
		last := len(all) - 1
		switch {
		case len(one.types) == 0:
		case one.doc == "" && last >= 0 && len(one.names) == 1 && mentions(all[last].doc, one.names[0]):
			all[last].names = append(all[last].names, one.names...)
			all[last].keys = append(all[last].keys, one.keys...)
			all[last].types = append(all[last].types, one.types...)
		default:
			all = append(all, one)
		}
	}
	return all, nil
}

func mentions(text, word string) bool {
	return regexp.MustCompile(`\b` + word + `\b`).MatchString(text)
}

func jsonName(tag *ast.BasicLit) string {
	if tag == nil {
		return ""
	}
	text, err := strconv.Unquote(tag.Value)
	if err != nil {
		return ""
	}
	name, _, _ := strings.Cut(reflect.StructTag(text).Get("json"), ",")
	return name
}

// plain is a comment as running text; what is indented in it is code.
func plain(c *ast.CommentGroup) string {
	lines := strings.Split(c.Text(), "\n")
	for i, line := range lines {
		if strings.HasPrefix(line, "\t") {
			lines[i] = "`" + strings.TrimSpace(line) + "`"
		}
	}
	return strings.Join(strings.Fields(strings.Join(lines, " ")), " ")
}

// code is an expression or declaration as gofmt writes it.
func code(node any) string {
	var b bytes.Buffer
	if err := format.Node(&b, token.NewFileSet(), node); err != nil {
		return err.Error()
	}
	return b.String()
}
