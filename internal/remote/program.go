package remote

import (
	_ "embed"
	"encoding/base64"
	"fmt"
	"regexp"
	"sort"
	"strings"
	"unicode/utf8"
)

//go:embed lib.sh
var library string

var nameForm = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_.-]*$`)

// Program is the bash program that a host is given on standard input: the library, the variables, the files, the script, and the call
// of the half that the launcher asks for. It is text that a reader can follow in `pulumi preview --diff`.
func Program(script string, vars, files map[string]string) (string, error) {
	var b strings.Builder
	size := len(library) + len(script) + 4096
	for _, text := range files {
		size += len(text)
	}
	b.Grow(size)
	b.WriteString(library)
	for _, k := range sortedKeys(vars) {
		if !nameForm.MatchString(k) || strings.ContainsAny(k, ".-") {
			return "", fmt.Errorf("step variable %q: not a bash name", k)
		}
		if strings.ContainsRune(vars[k], 0) {
			return "", fmt.Errorf("step variable %s: holds a NUL byte", k)
		}
		fmt.Fprintf(&b, "%s=%s\n", k, Quote(vars[k]))
	}
	b.WriteString("lay_files() {\n")
	for _, k := range sortedKeys(files) {
		if !nameForm.MatchString(k) {
			return "", fmt.Errorf("step file %q: not a plain file name", k)
		}
		writeFile(&b, k, files[k])
	}
	b.WriteString(":\n}\n")
	b.WriteString(script)
	// Standard input is this very program; nothing that a step runs may read from it.
	b.WriteString("\nmain \"$@\" </dev/null\n")
	return b.String(), nil
}

// writeFile lays a file by a here-document, so that it can be read in a diff; binary content goes as base64.
func writeFile(b *strings.Builder, name, content string) {
	const end = "ICON-END-OF-FILE"
	plain := utf8.ValidString(content) && !strings.ContainsAny(content, "\x00\r") && strings.HasSuffix(content, "\n") &&
		!strings.Contains(content, end)
	if plain {
		fmt.Fprintf(b, "cat >\"$STEP_DIR/%s\" <<'%s'\n%s%s\n", name, end, content, end)
		return
	}
	enc := base64.StdEncoding.EncodeToString([]byte(content))
	fmt.Fprintf(b, "base64 -d >\"$STEP_DIR/%s\" <<'%s'\n", name, end)
	for len(enc) > 120 {
		b.WriteString(enc[:120] + "\n")
		enc = enc[120:]
	}
	b.WriteString(enc + "\n" + end + "\n")
}

// Quote makes s one word of a POSIX shell.
func Quote(s string) string { return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'" }

func summaryValue(summary, key string) string {
	for _, line := range strings.Split(summary, "\n") {
		if v, ok := strings.CutPrefix(line, key+"="); ok {
			return v
		}
	}
	return ""
}

func sortedKeys(m map[string]string) []string {
	keys := make([]string, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	sort.Strings(keys)
	return keys
}
