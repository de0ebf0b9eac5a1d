package tests

import (
	"encoding/json"
	"fmt"
	"maps"
	"math"
	"path"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"
	"gopkg.in/yaml.v3"

	"github.com/insight-icon/pulumi-icon/stacks"
	"github.com/insight-icon/pulumi-icon/tests/graph"
	"github.com/insight-icon/pulumi-icon/topologies"
)

func TestGoCodeOfThePagesIsTheExamples(t *testing.T) {
	found := 0
	for _, b := range blocks(t, "README.md") {
		if b.language != "go" {
			continue
		}
		found++
		file, marked := strings.CutPrefix(b.mark, "from ")
		if !marked || !strings.HasPrefix(file, "examples/") {
			t.Errorf("%s: the comment above a Go block says which example it is from: %q", b.page, b.mark)
		} else if !strings.Contains(string(read(t, file)), "\n"+b.text()) {
			t.Errorf("%s: a Go block is not what stands in %s:\n%s", b.page, file, b.text())
		}
	}
	if found == 0 {
		t.Error("the README shows no Go code")
	}
}

// Each YAML block of the pages is a change to the example stack, or to the one that the comment above it names ("over mainnet-prep"), and
// has to load.
func TestStacksOfThePagesLoad(t *testing.T) {
	const example = "hosts-example"
	check := func(where, over string, change []byte) error {
		stack := map[string]any{}
		for _, text := range [][]byte{read(t, "stacks/Pulumi."+over+".yaml"), change} {
			layer := map[string]any{}
			if err := yaml.Unmarshal(text, &layer); err != nil {
				return fmt.Errorf("%s: %w", where, err)
			}
			merge(stack, layer)
		}
		config, ok := stack["config"].(map[string]any)
		if !ok {
			return fmt.Errorf("%s: no config", where)
		}
		return load(t, config)
	}
	for _, shipped := range []string{example, "mainnet-prep", "lisbon-prep", "citizen-archive"} {
		if err := check(shipped, shipped, nil); err != nil {
			t.Errorf("%s: %v", shipped, err)
		}
	}
	found := 0
	for _, b := range blocks(t, documents(t)...) {
		if b.language != "yaml" {
			continue
		}
		found++
		over, named := strings.CutPrefix(b.mark, "over ")
		if !named {
			over = example
		}
		if err := check(b.page, over, []byte(b.text())); err != nil {
			t.Errorf("%s: %v\n%s", b.page, err, b.text())
		}
	}
	if found == 0 {
		t.Error("the pages show no stack")
	}
	if check("a misspelt key", example, []byte("config: {icon:sentries: {limit: {p2pPerSource: 10}}}")) == nil {
		t.Error("a misspelt key is not noticed")
	}
}

// merge lays one map over another, as a reader adds a block to the file.
func merge(into, layer map[string]any) {
	for k, v := range layer {
		below, both := into[k].(map[string]any)
		above, isMap := v.(map[string]any)
		if both && isMap {
			merge(below, above)
		} else {
			into[k] = v
		}
	}
}

// load gives a configuration to the program as the engine does, up to the plan.
func load(t *testing.T, config map[string]any) error {
	t.Helper()
	o := graph.Options{Config: map[string]string{"icon:sshPrivateKey": "a key"}, SecretKeys: []string{"icon:sshPrivateKey"}}
	for k, v := range config {
		text, isText := v.(string)
		if !isText {
			raw, err := json.Marshal(v)
			if err != nil {
				return err
			}
			text = string(raw)
		}
		o.Config[k] = text
	}
	_, err := graph.Run(t, o, func(ctx *pulumi.Context) error {
		c, err := stacks.Load(ctx)
		if err != nil {
			return err
		}
		_, err = topologies.PlanOf(c)
		return err
	})
	return err
}

func TestTheReadmesCostsAreThoseOfThePlans(t *testing.T) {
	row := regexp.MustCompile(`(?m)^\| \[\x60([a-z-]+)\x60\]\(stacks/[^|]*\|.*\| about ([0-9,]+) USD \|$`)
	rows := row.FindAllStringSubmatch(string(read(t, "README.md")), -1)
	if len(rows) != 3 {
		t.Fatalf("%d stacks with a cost, wanted 3", len(rows))
	}
	for _, r := range rows {
		c, err := topologies.ReadStack("../stacks/Pulumi." + r[1] + ".yaml")
		if err != nil {
			t.Fatal(err)
		}
		plan, err := topologies.PlanOf(c)
		if err != nil {
			t.Fatal(err)
		}
		said, err := strconv.Atoi(strings.ReplaceAll(r[2], ",", ""))
		if cost := plan.Cost.Total(); err != nil || math.Abs(cost-float64(said)) > 5 {
			t.Errorf("%s: about %s USD, the plan says %.0f", r[1], r[2], cost)
		}
	}
}

var (
	linked = regexp.MustCompile(`\]\(([^)\s]+)\)`)
	quoted = regexp.MustCompile("`([A-Za-z0-9_./-]+)`")
	fenced = regexp.MustCompile("(?ms)^\\s*```.*?^\\s*```$")
)

func TestLinksAndFilesOfThePagesExist(t *testing.T) {
	all := files(t)
	roots := map[string]bool{}
	for _, name := range all {
		if top, _, below := strings.Cut(name, "/"); below {
			roots[top] = true
		}
	}
	// What readers make by the commands of the README.
	made := []string{"stacks/Pulumi.lisbon.yaml"}
	is := func(name string) bool {
		return slices.Contains(all, name) || slices.Contains(made, name) ||
			slices.ContainsFunc(all, func(f string) bool { return strings.HasPrefix(f, name+"/") })
	}
	for _, page := range documents(t) {
		text := fenced.ReplaceAllString(string(read(t, page)), "")
		for _, m := range linked.FindAllStringSubmatch(text, -1) {
			target, anchor, _ := strings.Cut(m[1], "#")
			if strings.Contains(target, "://") {
				continue
			}
			file := page
			if target != "" {
				file = path.Join(path.Dir(page), target)
			}
			if !is(file) {
				t.Errorf("%s: the link %s leads nowhere", page, m[1])
			} else if anchor != "" && !anchors(string(read(t, file)))[anchor] {
				t.Errorf("%s: the link %s: %s has no such heading", page, m[1], file)
			}
		}
		for _, m := range quoted.FindAllStringSubmatch(text, -1) {
			name := strings.TrimSuffix(m[1], "/")
			if top, _, below := strings.Cut(name, "/"); below && roots[top] && !is(name) {
				t.Errorf("%s: there is no %s", page, name)
			}
		}
	}
}

// anchors are what GitHub makes of a page's headings, and those that the page sets itself.
func anchors(text string) map[string]bool {
	all := map[string]bool{}
	drop := regexp.MustCompile("[^a-z0-9 _-]")
	for _, m := range regexp.MustCompile(`(?m)^#+ (.*)$`).FindAllStringSubmatch(fenced.ReplaceAllString(text, ""), -1) {
		all[strings.ReplaceAll(drop.ReplaceAllString(strings.ToLower(m[1]), ""), " ", "-")] = true
	}
	for _, m := range regexp.MustCompile(`<a id="([^"]+)">`).FindAllStringSubmatch(text, -1) {
		all[m[1]] = true
	}
	return all
}

// The messages that the runbook explains are those that the code gives.
func TestMessagesOfTheRunbookAreTheCodes(t *testing.T) {
	code := map[string]string{}
	for _, name := range files(t) {
		if ext := path.Ext(name); (ext == ".go" || ext == ".sh") && !strings.HasSuffix(name, "_test.go") {
			code[name] = string(read(t, name))
		}
	}
	messages := regexp.MustCompile("(?m)^\\| `([^`]+)` \\|").FindAllStringSubmatch(string(read(t, "docs/runbooks/failed-up.md")), -1)
	if len(messages) < 10 {
		t.Errorf("only %d messages were found", len(messages))
	}
	for _, m := range messages {
		if !slices.ContainsFunc(slices.Collect(maps.Values(code)), func(text string) bool { return strings.Contains(text, m[1]) }) {
			t.Errorf("nothing says %q", m[1])
		}
	}
}

// The URN that the runbook deletes has the form of those that the program makes.
func TestTheURNOfTheRunbookIsOneOfTheProgram(t *testing.T) {
	found := urn.FindAllString(string(read(t, "docs/runbooks/dead-host.md")), -1)
	if len(found) == 0 {
		t.Error("the runbook shows no URN")
	}
	for _, u := range found {
		if !strings.Contains(string(read(t, "topologies/testdata/graph-sentry-fronted.txt")), strings.Replace(u, ":lisbon:", ":test:", 1)+"\n") {
			t.Errorf("the program makes no %s", u)
		}
	}
}
