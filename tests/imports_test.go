// Package tests holds what the tree as a whole keeps to. The suites that need more are in the directories below.
package tests

import (
	"bytes"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/insight-icon/pulumi-icon/sandbox/lab"
)

const module = "github.com/insight-icon/pulumi-icon/"

// mayImport tells, for each directory, which packages of this module the files in it may import. A name that ends in a slash stands for
// all below it, and is used where no closer one is given. .golangci.yml says the same to the linter.
var mayImport = map[string][]string{
	".":                    {"topologies"},
	"stacks":               {"hardening", "internal/awsplan", "internal/cost", "internal/sentry", "internal/wording"},
	"topologies":           {"stacks", "components", "components/", "hardening", "internal/"},
	"topologies/cmd/":      {"stacks", "topologies", "hardening", "internal/"},
	"hardening/cmd/":       {"hardening"},
	"components":           {"components/platform", "hardening", "internal/"},
	"components/platform":  {"hardening", "internal/"},
	"components/platform/": {"components/platform", "hardening", "internal/"},
	// The ways from the internet are apart from the machines, so that who imports a P-Rep compiles no load balancers.
	"components/platform/aws/front": {"components/platform", "components/platform/aws", "internal/"},
	"hardening":                     {"internal/wording"},
	"internal/":                     {"internal/goloop"},
	"internal/agent":                {"internal/agent/", "internal/sentry"},
	"internal/agent/":               {"internal/agent/", "internal/sentry"},
	"cmd/":                          {"internal/"},
	"internal/remote":               {"hardening", "internal/sshrun", "internal/verify"},
	"internal/verify":               {"hardening", "internal/sshrun"},
	"internal/awsplan":              {"internal/cost", "internal/wording"},
	"docs/":                         {"hardening", "stacks", "topologies", "tests/"},
	"sandbox":                       {"sandbox/"},
	"sandbox/":                      {"sandbox", "sandbox/"},
	// What is scanned are hosts that were hardened.
	"sandbox/scan": {"sandbox/lab", "sandbox/vm", "hardening", "internal/goloop", "internal/sentry"},
	"sandbox/vm":   {"sandbox", "sandbox/", "hardening", "internal/goloop", "internal/sentry"},
	"tests/": {
		"stacks", "topologies", "components", "components/", "hardening", "internal/", "sandbox", "sandbox/", "tests/",
	},
	"examples/": {"stacks", "topologies", "components", "components/", "hardening"},
}

// onlyIn tells which directories may import packages of other modules. A name that ends in a slash stands for all below it.
var onlyIn = map[string][]string{
	"github.com/pulumi/pulumi-command/": {"internal/remote"},
	"github.com/pulumi/pulumi-aws/":     {"components/platform/aws", "components/platform/aws/"},
	"github.com/pulumi/pulumi-gcp/":     {"components/platform/gcp"},
	// What is rendered can be read and tested without an engine, and a program can use it without Pulumi.
	"github.com/pulumi/": {".", "stacks", "topologies", "components", "components/", "internal/remote", "tests/", "examples/"},
}

func TestPackagesImportOnlyWhatTheDesignAllows(t *testing.T) {
	checked := 0
	for _, file := range files(t) {
		if !strings.HasSuffix(file, ".go") || strings.HasSuffix(file, "_test.go") || strings.HasPrefix(file, "tools/") {
			continue
		}
		checked++
		for _, i := range imports(t, file) {
			if problem := importProblem(path.Dir(file), i.path); problem != "" {
				t.Errorf("%s:%d: %s", file, i.line, problem)
			}
		}
	}
	if checked < 20 {
		t.Errorf("only %d files were looked at", checked)
	}
}

// importProblem says what is wrong with an import, empty if nothing.
func importProblem(dir, imported string) string {
	for foreign, dirs := range onlyIn {
		if strings.HasPrefix(imported, foreign) && !covers(dirs, dir) {
			return fmt.Sprintf("%s imports %s; only these may: %s", dir, imported, strings.Join(dirs, ", "))
		}
	}
	ours, found := strings.CutPrefix(imported, module)
	if !found {
		return ""
	}
	allowed, found := mayImport[dir]
	for parent := dir; !found && parent != "."; parent = path.Dir(parent) {
		allowed, found = mayImport[path.Dir(parent)+"/"]
	}
	if !found {
		return fmt.Sprintf("nothing says what %s may import: add it to mayImport and to .golangci.yml", dir)
	}
	if !covers(allowed, ours) {
		return fmt.Sprintf("%s imports %s; of this module it may import: %s", dir, ours, strings.Join(allowed, ", "))
	}
	return ""
}

// covers tells whether name is one of names, or below one that ends in a slash.
func covers(names []string, name string) bool {
	return slices.ContainsFunc(names, func(n string) bool {
		return n == name || strings.HasSuffix(n, "/") && strings.HasPrefix(name, n)
	})
}

func TestAForbiddenImportIsNoticed(t *testing.T) {
	for _, c := range []struct{ dir, imported, want string }{
		{"stacks", module + "components", "of this module it may import: "},
		{"components", module + "components/platform/hosts", "it may import: components/platform, hardening"},
		{"components/platform/aws", module + "components/platform/gcp", "it may import: components/platform, hardening, internal/"},
		{"components/platform/aws", "github.com/pulumi/pulumi-gcp/sdk/v7/go/gcp", "only these may: components/platform/gcp"},
		{"components", "github.com/pulumi/pulumi-command/sdk/go/command/remote", "only these may: internal/remote"},
		{"internal/goloop", "github.com/pulumi/pulumi/sdk/v3/go/pulumi", "only these may"},
		{"internal/goloop", module + "internal/remote", "of this module it may import"},
		{"sandbox/lab", module + "components", "it may import: sandbox"},
		{"somewhere", module + "components", "nothing says what somewhere may import"},
	} {
		if got := importProblem(c.dir, c.imported); !strings.Contains(got, c.want) {
			t.Errorf("%s imports %s: %q, want %q", c.dir, c.imported, got, c.want)
		}
	}
	if got := importProblem("internal/remote", "github.com/pulumi/pulumi-command/sdk/go/command/remote"); got != "" {
		t.Error(got)
	}
}

type imported struct {
	path string
	line int
}

func imports(t *testing.T, file string) []imported {
	t.Helper()
	set := token.NewFileSet()
	syntax, err := parser.ParseFile(set, filepath.Join(root, file), nil, parser.ImportsOnly)
	if err != nil {
		t.Fatal(err)
	}
	var all []imported
	for _, spec := range syntax.Imports {
		name, err := strconv.Unquote(spec.Path.Value)
		if err != nil {
			t.Fatalf("%s: %v", file, err)
		}
		all = append(all, imported{name, set.Position(spec.Pos()).Line})
	}
	return all
}

func TestNoGoFileExceeds400Lines(t *testing.T) {
	for _, file := range files(t) {
		if !strings.HasSuffix(file, ".go") {
			continue
		}
		text := read(t, file)
		syntax, err := parser.ParseFile(token.NewFileSet(), file, text, parser.PackageClauseOnly|parser.ParseComments)
		if err != nil {
			t.Fatal(err)
		}
		if lines := bytes.Count(text, []byte("\n")); lines > 400 && !ast.IsGenerated(syntax) {
			t.Errorf("%s has %d lines: split it", file, lines)
		}
	}
}

var shebang = regexp.MustCompile(`^#!.*\b(ba|da)?sh\n`)

func TestScriptsAreShellcheckClean(t *testing.T) {
	var scripts []string
	for _, file := range files(t) {
		if strings.HasSuffix(file, ".sh") || shebang.Match(read(t, file)) {
			scripts = append(scripts, file)
		}
	}
	if len(scripts) < 5 {
		t.Errorf("only these scripts were found: %q", scripts)
	}
	cmd := exec.Command("shellcheck", append([]string{"--norc", "--"}, scripts...)...)
	cmd.Dir = root
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Errorf("shellcheck: %v (sandbox/install-packages.sh installs it)\n%s", err, out)
	}
}

// machinePath is a path on the machine of someone who works on this.
var machinePath = regexp.MustCompile(`(?m)(?:^|[\s"'=:(,\x60])/(?:work|(?:home|Users)/[\w.-]+|root/(?:go|src|\.cache))/.*`)

func TestTheTreeNamesNoPathOfOneMachine(t *testing.T) {
	here, err := filepath.Abs(root)
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files(t) {
		text := read(t, file)
		if bytes.IndexByte(text, 0) >= 0 {
			continue // not text
		}
		// Hosts have homes, too, which the hardening and the virtual machine speak of.
		ofHosts := strings.HasPrefix(file, "hardening/") || strings.HasPrefix(file, "sandbox/vm/")
		if found := machinePath.Find(text); found != nil && !ofHosts {
			t.Errorf("%s: %s", file, bytes.TrimSpace(found))
		}
		if bytes.Contains(text, []byte(here+"/")) {
			t.Errorf("%s holds this checkout's path, %s", file, here)
		}
	}
	if !machinePath.MatchString(strings.ReplaceAll(`path = "|home|me|file"`, "|", "/")) {
		t.Error("a path of a home directory is not noticed")
	}
}

func TestTheInstallScriptInstallsWhatTheLabNeeds(t *testing.T) {
	wanted := strings.Fields(string(read(t, "sandbox/install-packages.sh")))
	for _, p := range lab.Packages() {
		if !slices.Contains(wanted, p) {
			t.Errorf("sandbox/install-packages.sh does not install %s", p)
		}
	}
}

const root = ".."

// files are the repository's, with slashes, without what is made in it.
func files(t *testing.T) []string {
	t.Helper()
	var all []string
	err := filepath.WalkDir(root, func(path string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		name, err := filepath.Rel(root, path)
		if err != nil {
			return err
		}
		if entry.IsDir() && slices.Contains([]string{".git", ".sandbox", "bin"}, name) {
			return filepath.SkipDir
		}
		if entry.Type().IsRegular() {
			all = append(all, filepath.ToSlash(name))
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}

func read(t *testing.T, file string) []byte {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(root, file))
	if err != nil {
		t.Fatal(err)
	}
	return text
}
