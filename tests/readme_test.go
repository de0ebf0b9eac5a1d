package tests

import (
	"fmt"
	"path"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/insight-icon/pulumi-icon/sandbox"
	"github.com/insight-icon/pulumi-icon/sandbox/lab"
	"github.com/insight-icon/pulumi-icon/stacks"
)

// block is a fenced block of a page.
type block struct {
	page, language string
	// mark is the comment right above it: <!-- mark -->
	mark  string
	lines []string
}

func (b block) text() string { return strings.Join(b.lines, "\n") + "\n" }

var fence = regexp.MustCompile("^(\\s*)```(\\w*)$")

// documents are the pages that people write and read.
func documents(t *testing.T) []string {
	t.Helper()
	return slices.DeleteFunc(files(t), func(name string) bool {
		return name != "README.md" && (!strings.HasPrefix(name, "docs/") || path.Ext(name) != ".md")
	})
}

func blocks(t *testing.T, pages ...string) []block {
	t.Helper()
	var all []block
	for _, page := range pages {
		var open *block
		indent, previous := "", ""
		for _, line := range strings.Split(string(read(t, page)), "\n") {
			m := fence.FindStringSubmatch(line)
			switch {
			case open == nil && m != nil:
				indent = m[1]
				open = &block{page: page, language: m[2], mark: comment(previous)}
			case open != nil && m != nil:
				all = append(all, *open)
				open = nil
			case open != nil:
				open.lines = append(open.lines, strings.TrimPrefix(line, indent))
			}
			previous = line
		}
		if open != nil {
			t.Errorf("%s: a block is not closed", page)
		}
	}
	return all
}

func comment(line string) string {
	inner, found := strings.CutPrefix(strings.TrimSpace(line), "<!-- ")
	if !found {
		return ""
	}
	return strings.TrimSuffix(inner, " -->")
}

func TestEveryCommandOfThePagesExists(t *testing.T) {
	c := commands{targets: makeTargets(t), made: map[string]bool{}}
	for _, name := range files(t) {
		c.made[name] = true
	}
	checked := 0
	for _, b := range blocks(t, documents(t)...) {
		if b.language != "sh" {
			continue
		}
		for _, line := range b.lines {
			if line = strings.TrimSpace(line); line == "" || strings.HasPrefix(line, "#") {
				continue
			}
			checked++
			if err := c.check(line); err != nil {
				t.Errorf("%s: %s: %v", b.page, line, err)
			}
		}
	}
	if checked < 20 {
		t.Errorf("only %d commands were found", checked)
	}
	for _, wrong := range []string{
		"make coffee", "make plan STACK=coffee", "pulumi config set --secret icon:sshKey < key", "cp stacks/none a", "frobnicate", "pulumi brew",
		"go build -o bin/x ./none", "bin/none x",
	} {
		if c.check(wrong) == nil {
			t.Errorf("%q is not noticed", wrong)
		}
	}
}

// commands knows what a page may tell its reader to run.
type commands struct {
	targets []string
	// made are the files that exist, or that an earlier command of the pages makes.
	made map[string]bool
}

// others are programs of the operator's machine or of a host, whose arguments are no matter of this repository.
var others = strings.Fields("cd git cut ssh ssh-keyscan ssh-keygen skopeo crane " +
	"ss systemctl journalctl tail nft curl aws export read cat rm touch openssl icon-sentry /usr/local/lib/icon/goloop")

var pulumiWords = []string{
	"login", "stack init", "stack output", "stack --show-urns", "state delete", "config set", "preview", "up", "cancel", "destroy",
}

func (c commands) check(line string) error {
	word, rest, _ := strings.Cut(line, " ")
	arguments := strings.Fields(rest)
	switch {
	case word == "make":
		for _, target := range arguments {
			if strings.HasPrefix(target, "ARGS=") {
				break // what follows is for the program
			}
			stack, isStack := strings.CutPrefix(target, "STACK=")
			if isStack && !c.made["stacks/Pulumi."+stack+".yaml"] {
				return fmt.Errorf("there is no stack %s", stack)
			}
			if !isStack && !slices.Contains(c.targets, target) {
				return fmt.Errorf("the Makefile has no target %s", target)
			}
		}
	case strings.HasPrefix(line, "go build -o ") && len(arguments) == 4:
		if !c.made[strings.TrimPrefix(arguments[3], "./")+"/main.go"] {
			return fmt.Errorf("there is no program %s", arguments[3])
		}
		c.made[arguments[2]] = true
	case strings.HasPrefix(word, "bin/"):
		if !c.made[word] {
			return fmt.Errorf("no earlier command builds %s", word)
		}
	case word == "cp" && len(arguments) == 2:
		if !c.made[arguments[0]] {
			return fmt.Errorf("there is no %s", arguments[0])
		}
		c.made[arguments[1]] = true
	case word == "pulumi":
		if !slices.ContainsFunc(pulumiWords, func(w string) bool { return rest == w || strings.HasPrefix(rest, w+" ") }) {
			return fmt.Errorf("not one of: pulumi %s", strings.Join(pulumiWords, ", "))
		}
		for _, key := range keysIn(rest) {
			if strings.HasPrefix(rest, "config set") && !slices.Contains(stacks.Keys(), key) {
				return fmt.Errorf("there is no key icon:%s", key)
			}
		}
	case !slices.Contains(others, word):
		return fmt.Errorf("no test knows the command %s", word)
	}
	return nil
}

func makeTargets(t *testing.T) []string {
	t.Helper()
	var all []string
	for _, m := range regexp.MustCompile(`(?m)^([a-z0-9-]+):`).FindAllSubmatch(read(t, "Makefile"), -1) {
		all = append(all, string(m[1]))
	}
	return all
}

var (
	urn     = regexp.MustCompile(`urn:pulumi:[^\s'` + "`" + `]+`)
	keyPath = regexp.MustCompile(`\bicon:([a-zA-Z]+(?:\.(?:[a-zA-Z0-9]+|<name>))*)`)
)

// keysIn are the configuration keys that a text names, without "icon:".
func keysIn(text string) []string {
	var all []string
	for _, m := range keyPath.FindAllStringSubmatch(urn.ReplaceAllString(text, ""), -1) {
		all = append(all, m[1])
	}
	return all
}

func TestEveryKeyThatThePagesNameExists(t *testing.T) {
	known := map[string]bool{}
	for _, m := range regexp.MustCompile("`icon:([^`]+)`").FindAllStringSubmatch(string(read(t, "docs/configuration.md")), -1) {
		known[m[1]] = true
	}
	for _, key := range stacks.Keys() {
		if !known[key] {
			t.Errorf("docs/configuration.md lacks icon:%s", key)
		}
	}
	for _, page := range documents(t) {
		for _, key := range keysIn(string(read(t, page))) {
			if !known[key] {
				t.Errorf("%s names icon:%s, which docs/configuration.md does not list", page, key)
			}
		}
	}
}

func TestTheReportInTheReadmeIsWhatTheSandboxPrints(t *testing.T) {
	shown := ""
	for _, b := range blocks(t, "README.md") {
		if b.mark == "output of make up" {
			shown = b.text()
		}
	}
	r := sandbox.Report{
		Heights: map[string]int64{"citizen-1": 1, "network-1": 1, "prep-1": 1}, Address: "hx0", PeersOfPRep: []string{"10.0.0.1", "10.0.0.2"},
	}
	for _, via := range []string{"", "10.0.0.1", "10.0.0.2"} {
		r.Scans = append(r.Scans, sandbox.Scan{From: "network-1", Via: via, Result: lab.ScanResult{}})
	}
	var printed strings.Builder
	r.Write(&printed)
	form := func(text string) string {
		text = regexp.MustCompile(`hx[0-9a-f]+`).ReplaceAllString(strings.TrimSpace(text), "hx")
		text = regexp.MustCompile(`10\.[0-9.]+\d`).ReplaceAllString(text, "address")
		// How many of the sentries the validators have chosen is a matter of chance.
		text = strings.ReplaceAll(text, "address, address", "address")
		return regexp.MustCompile(`\d+`).ReplaceAllString(text, "0")
	}
	if form(shown) != form(printed.String()) {
		t.Errorf("the README shows\n%s\nthe form of a report is\n%s", form(shown), form(printed.String()))
	}
}
