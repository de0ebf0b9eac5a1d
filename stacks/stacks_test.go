package stacks

import (
	"errors"
	"flag"
	"go/ast"
	"go/parser"
	"go/token"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "write the messages seen to testdata/invalid/*.txt")

func fixtures(t *testing.T, kind string) []string {
	t.Helper()
	paths, err := filepath.Glob(filepath.Join("testdata", kind, "*.yaml"))
	if err != nil || len(paths) == 0 {
		t.Fatalf("no fixtures in testdata/%s (%v)", kind, err)
	}
	return paths
}

func TestValidStackFilesAreAccepted(t *testing.T) {
	for _, path := range fixtures(t, "valid") {
		t.Run(filepath.Base(path), func(t *testing.T) {
			if _, err := decode(fixtureSettings(t, path)); err != nil {
				t.Error(err)
			}
		})
	}
}

func TestEachMistakeGivesItsExactMessage(t *testing.T) {
	for _, path := range fixtures(t, "invalid") {
		t.Run(filepath.Base(path), func(t *testing.T) {
			_, err := decode(fixtureSettings(t, path))
			if err == nil {
				t.Fatal("accepted")
			}
			golden := strings.TrimSuffix(path, ".yaml") + ".txt"
			if *update {
				if err := os.WriteFile(golden, []byte(err.Error()+"\n"), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, readErr := os.ReadFile(golden)
			if readErr != nil {
				t.Fatal(readErr)
			}
			if got := err.Error() + "\n"; got != string(want) {
				t.Errorf("message\n%s\nwanted\n%s", got, want)
			}
		})
	}
}

func TestFixturesHoldOneMistakeEach(t *testing.T) {
	// A value that contradicts two rules is told both ways; these are all of that kind.
	several := []string{"many-mistakes", "aws-many-mistakes", "unknown-top-level-key", "sentries-limit-negative", "hardening-many-mistakes"}
	for _, path := range fixtures(t, "invalid") {
		name := strings.TrimSuffix(filepath.Base(path), ".yaml")
		_, err := decode(fixtureSettings(t, path))
		var problems Problems
		if !errors.As(err, &problems) {
			t.Errorf("%s: the error is %v, not a list of problems", name, err)
		}
		if len(problems) != 1 && !slices.Contains(several, name) {
			t.Errorf("%s gives %d problems:\n%v", name, len(problems), err)
		}
	}
}

func TestEveryRuleHasAFixture(t *testing.T) {
	seen := map[string]bool{}
	note := func(err error) {
		var problems Problems
		if errors.As(err, &problems) {
			for _, p := range problems {
				seen[p.rule] = true
			}
		}
	}
	for _, path := range fixtures(t, "invalid") {
		_, err := decode(fixtureSettings(t, path))
		note(err)
	}
	for _, c := range fileCases(t) {
		note(c.config.CheckFiles(c.dir))
	}
	for _, c := range shippedStacks(t) {
		note(c.CheckPlaceholders())
	}
	for _, c := range keystoreCases() {
		_, err := ParseKeystores(c.text, c.imported)
		note(err)
	}
	for rule, position := range rulesInSource(t) {
		if !seen[rule] {
			t.Errorf("%s: no fixture breaks the rule %q", position, rule)
		}
	}
}

// rulesInSource finds the messages in the package's source: the texts given to collector.add, missing and unreadable.
func rulesInSource(t *testing.T) map[string]string {
	t.Helper()
	rules := map[string]string{}
	sources, err := filepath.Glob("*.go")
	if err != nil {
		t.Fatal(err)
	}
	for _, source := range sources {
		if strings.HasSuffix(source, "_test.go") {
			continue
		}
		set := token.NewFileSet()
		file, err := parser.ParseFile(set, source, nil, parser.SkipObjectResolution)
		if err != nil {
			t.Fatal(err)
		}
		ast.Inspect(file, func(node ast.Node) bool {
			call, ok := node.(*ast.CallExpr)
			if !ok || len(call.Args) < 2 {
				return true
			}
			method, ok := call.Fun.(*ast.SelectorExpr)
			if !ok || !slices.Contains([]string{"add", "missing", "unreadable"}, method.Sel.Name) {
				return true
			}
			if rule, constant := constantText(call.Args[1]); constant {
				rules[rule] = set.Position(call.Pos()).String()
			}
			return true
		})
	}
	if len(rules) < 50 {
		t.Fatalf("only %d rules found in the source: the search is broken", len(rules))
	}
	return rules
}

// constantText is the value of a string literal, or of several joined by "+".
func constantText(expression ast.Expr) (string, bool) {
	switch e := expression.(type) {
	case *ast.BasicLit:
		text, err := strconv.Unquote(e.Value)
		return text, err == nil
	case *ast.BinaryExpr:
		left, ok := constantText(e.X)
		right, alsoOK := constantText(e.Y)
		return left + right, ok && alsoOK
	default:
		return "", false
	}
}

func TestMessagesNeverShowASecret(t *testing.T) {
	for _, path := range fixtures(t, "invalid") {
		_, err := decode(fixtureSettings(t, path))
		for _, secret := range []string{"hunter2", "a secret's text", "b3BlbnNzaC1rZXktdjE"} {
			if err != nil && strings.Contains(err.Error(), secret) {
				t.Errorf("%s: the message shows %q:\n%v", path, secret, err)
			}
		}
	}
}

func FuzzDecode(f *testing.F) {
	f.Add("hosts", `{"machines": {"a": {"port": 1e3, "bastion": null}}}`)
	f.Add("administrators", `["10.0.0.0/8", 5, {}]`)
	f.Add("Topology", "single-node")
	f.Add("node", `{"node": {"runtime": "binary"}`)
	f.Add("sshPrivateKey", "x")
	f.Add("aws", `{"region": "eu-central-1", "zones": ["eu-central-1a", ""], "vpc": {"cidr": "::/0", "existing": {"id": "x"}}, "api": {}}`)
	valid := fixtureSettings(f, filepath.Join("testdata", "valid", "single-node.yaml"))
	onAWS := fixtureSettings(f, filepath.Join("testdata", "valid", "aws-sentry-fronted.yaml"))
	f.Fuzz(func(t *testing.T, name, text string) {
		settings := maps.Clone(valid)
		if name == "aws" {
			settings = maps.Clone(onAWS)
		}
		settings[name] = setting{text: text}
		config, err := decode(settings)
		if err == nil && !slices.Contains(Keys(), name) {
			t.Errorf("unknown key %q accepted", name)
		}
		if (config == nil) == (err == nil) {
			t.Errorf("config %v and error %v: wanted one of them", config, err)
		}
		var problems Problems
		if err != nil && !errors.As(err, &problems) {
			t.Errorf("error %v is not a list of problems", err)
		}
	})
}
