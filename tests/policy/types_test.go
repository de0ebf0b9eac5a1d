package policy

import (
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/insight-icon/pulumi-icon/tests/golden"
	"github.com/insight-icon/pulumi-icon/tests/graph"
)

// sdk is what the source of pulumi-aws says of a type: the names of its inputs, and all names that parts of inputs have in its module.
type sdk struct {
	inputs, parts map[string][]string
	tags          map[string]bool
}

var (
	registers = regexp.MustCompile(`ctx\.RegisterResource\("(aws:[^"]+)"`)
	arguments = regexp.MustCompile(`(?s)\ntype [a-z]\w*Args struct \{(.*?)\n\}`)
	named     = regexp.MustCompile("`pulumi:\"([^\"]+)\"`")
)

// readSDK reads the SDK's source where the go command keeps it. It is not compiled: that takes minutes.
func readSDK(t *testing.T) sdk {
	t.Helper()
	out, err := exec.CommandContext(t.Context(), "go", "list", "-m", "-f", "{{.Dir}}", "github.com/pulumi/pulumi-aws/sdk/v6").Output()
	dir := strings.TrimSpace(string(out))
	if err != nil || dir == "" {
		t.Fatalf("the source of pulumi-aws is not on this machine: %v", err)
	}
	s := sdk{inputs: map[string][]string{}, parts: map[string][]string{}, tags: map[string]bool{}}
	err = filepath.WalkDir(filepath.Join(dir, "go", "aws"), func(path string, d fs.DirEntry, err error) error {
		name := d.Name()
		if err != nil || d.IsDir() || !strings.HasSuffix(name, ".go") || strings.HasPrefix(name, "get") {
			return err
		}
		text, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		if strings.HasPrefix(name, "pulumiTypes") {
			module := filepath.Base(filepath.Dir(path))
			for _, m := range named.FindAllSubmatch(text, -1) {
				s.parts[module] = append(s.parts[module], string(m[1]))
			}
			return nil
		}
		resource, args := registers.FindSubmatch(text), arguments.FindSubmatch(text)
		if resource == nil || args == nil {
			return nil
		}
		for _, m := range named.FindAllSubmatch(args[1], -1) {
			s.inputs[string(resource[1])] = append(s.inputs[string(resource[1])], string(m[1]))
		}
		s.tags[string(resource[1])] = slices.Contains(s.inputs[string(resource[1])], "tags")
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if len(s.tags) < 1000 {
		t.Fatalf("only %d types were found", len(s.tags))
	}
	return s
}

func TestTheListOfTypesIsThatOfTheSDK(t *testing.T) {
	s := readSDK(t)
	lines := make([]string, 0, len(s.tags))
	for name, tags := range s.tags {
		what := " -"
		if tags {
			what = " tags"
		}
		lines = append(lines, name+what)
	}
	slices.Sort(lines)
	golden.Check(t, "../aws-types.txt", strings.Join(lines, "\n")+"\n")
}

// mapsOfAnyName are inputs whose parts have names that the program picks.
var mapsOfAnyName = []string{"tags", "targetTags", "dimensions"}

// The rules name inputs as the examples do: a name that the provider does not have would make a rule that finds nothing, or everything.
func TestTheExamplesHaveNamesThatTheProviderHas(t *testing.T) {
	s := readSDK(t)
	graphs := []*graph.Graph{compliant().graph()}
	for _, c := range examples() {
		graphs = append(graphs, c.graph())
	}
	checked := 0
	for _, g := range graphs {
		for _, r := range g.Resources {
			inputs, known := s.inputs[r.Type]
			if !isAWS(r) || !known {
				continue
			}
			for _, one := range leaves(r) {
				checked++
				if !slices.Contains(inputs, one.path[0]) {
					t.Errorf("%s has no input %s", r.Type, one.path[0])
				}
				module := strings.Split(strings.TrimPrefix(r.Type, "aws:"), "/")[0]
				for i, part := range one.path[1:] {
					if !slices.Contains(s.parts[module], part) && !slices.Contains(mapsOfAnyName, one.path[i]) {
						t.Errorf("%s: no input of the module %s has a part %s (%s)", r.Type, module, part, one.where())
					}
				}
			}
		}
	}
	if checked < 500 {
		t.Errorf("only %d inputs were looked at", checked)
	}
}
