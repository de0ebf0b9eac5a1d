// Command gen writes docs/configuration.md and docs/components from the comments in the code, which stay the only place that says what
// a field is. Run it in the repository's root: go run ./docs/gen
package main

import (
	"fmt"
	"os"
	"path/filepath"
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
	for _, p := range pages {
		code, err := parse(filepath.Join(root, p.dir))
		if err != nil {
			return nil, err
		}
		if files["docs/components/"+p.file], err = p.render(code); err != nil {
			return nil, fmt.Errorf("%s: %w", p.file, err)
		}
	}
	files["docs/components/README.md"] = index()
	code, err := parse(filepath.Join(root, "stacks"))
	if err != nil {
		return nil, err
	}
	files["docs/configuration.md"], err = configuration(code)
	return files, err
}

func notice(dir string) string {
	return fmt.Sprintf("<!-- Made by `go run ./docs/gen` from the comments in %s. Do not edit. -->\n", dir)
}
