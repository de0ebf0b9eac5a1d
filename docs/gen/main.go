// Command gen writes docs/configuration.md, docs/components, docs/hardening/controls.md and docs/policies.md from the code, which stays the
// only place that says what a field, a control or a rule is, and the costs in docs/topologies from the stack files. Run it in the
// repository's root: go run ./docs/gen
package main

import (
	"fmt"
	"os"
	"path/filepath"

	"github.com/insight-icon/pulumi-icon/tests/policy"
)

func main() {
	if err := run("."); err != nil {
		fmt.Fprintln(os.Stderr, "docs/gen:", err)
		os.Exit(1)
	}
}

func run(root string) error {
	files, err := Generate(root)
	if err != nil {
		return err
	}
	for name, text := range files {
		path := filepath.Join(root, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			return err
		}
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			return err
		}
	}
	return nil
}

// Generate gives the text of every generated file, by its path below root, the repository.
func Generate(root string) (map[string]string, error) {
	files := map[string]string{}
	code := map[string]*source{}
	for name, dir := range configured {
		var err error
		if code[name], err = parse(filepath.Join(root, dir)); err != nil {
			return nil, err
		}
	}
	for _, p := range pages {
		declared, err := parse(filepath.Join(root, p.dir))
		if err != nil {
			return nil, err
		}
		declared.resolve(code)
		if files["docs/components/"+p.file], err = p.render(declared); err != nil {
			return nil, fmt.Errorf("%s: %w", p.file, err)
		}
	}
	files["docs/components/README.md"] = index()
	var err error
	if files["docs/configuration.md"], err = configuration(code); err != nil {
		return nil, err
	}
	files["docs/hardening/controls.md"] = controls()
	files["docs/policies.md"] = notice("tests/policy") + policies + policy.Table()
	pages, err := costPages(root)
	if err != nil {
		return nil, err
	}
	for _, page := range pages {
		if files[page], err = costs(root, page); err != nil {
			return nil, err
		}
	}
	return files, nil
}

// policies is the head of the page of that name.
const policies = `# Policies

What every stack on AWS that this repository ships is held to by its tests, before anything exists. The rules are pure Go functions over
what a program would make (package [tests/policy](../tests/policy/policy.go)), and can be run on programs of one's own:

` + "```go" + `
func TestMyStackKeepsThePolicies(t *testing.T) {
	policy.Holds(t, graph.Record(t, graph.Options{}, program), policy.AWS())
}
` + "```" + `

An exception names a rule, a resource and a reason; one that is no longer needed is an error, too. Numbers are those of the AWS Foundational
Security Best Practices (FSBP) and the CIS AWS Foundations Benchmark where a rule follows one of theirs.

`

func notice(dir string) string {
	return fmt.Sprintf("<!-- Made by `go run ./docs/gen` from the comments in %s. Do not edit. -->\n", dir)
}
