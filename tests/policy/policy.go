// Package policy judges what a Pulumi program would make on AWS: rules are pure functions over a recorded graph (package tests/graph),
// so that a test finds an open port, an unencrypted disk or a missing tag with no cloud and no account. They follow the AWS
// Foundational Security Best Practices (FSBP, the controls of AWS Security Hub), the CIS AWS Foundations Benchmark 3.0.0, and, as
// "icon", what ICON nodes need beside. A program that imports this library runs them on its own graph:
//
//	policy.Holds(t, graph.Record(t, graph.Options{}, program), policy.AWS())
//
// Rules read inputs, not what a cloud answers. In a preview some inputs are not known yet. Where a rule needs a plain value (a switch, a
// number, a port, a network), an input that is not known yet is a finding. Identifiers and ARNs come from other resources: what is not
// known yet stands for those that the input is made of. A policy document that is made of them is read once it is known: record programs
// in both modes.
package policy

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/insight-icon/pulumi-icon/tests/graph"
)

// Rule is one thing that every graph keeps to.
type Rule struct {
	// ID is the number of the control that the rule follows ("EC2.8"), or "ICON." with a number of our own. It never changes its meaning.
	ID string
	// Title says what is so, Why the reason, in a sentence.
	Title, Why string
	// Source is the control that it follows, "FSBP EC2.8; CIS AWS 3.0.0 5.6", or "icon" for our own. "Security Hub" stands for controls
	// of AWS Security Hub that FSBP does not contain.
	Source string
	// Check gives what breaks the rule; its findings need not name the rule.
	Check func(*graph.Graph) []Finding
}

// Finding is one place where a rule is broken.
type Finding struct {
	// Rule is its ID; "exception" for an exception that is none.
	Rule string
	// URN of the resource that breaks it.
	URN string
	// Message says what is wrong and what is wanted.
	Message string
}

// String is a finding on one line.
func (f Finding) String() string { return f.Rule + ": " + f.URN + ": " + f.Message }

// Exception lets resources off a rule, for a reason.
type Exception struct {
	// Rule is the ID of the rule.
	Rule string
	// Resource is the URN or the name of the resources; "*" stands for any text in it.
	Resource string
	// Reason is why. Required: an exception without a reason is a finding, and lets nobody off.
	Reason string
}

// badException is the rule that a wrong exception breaks.
const badException = "exception"

// AWS are all rules for AWS.
func AWS() []Rule {
	return slices.Concat(
		computeRules(), hostRules(), keepingRules(), networkRules(), groupRules(), encryptionRules(), identityRules(), bucketRules(),
		loggingRules(), balancerRules(), webRules(), tagRules(), kindRules(),
	)
}

// Check gives what breaks the rules and is no exception, in the order of the rules. Exceptions that are wrong are findings too: without
// a reason, for a rule that is not among rules, or matching nothing that the rule finds.
func Check(g *graph.Graph, rules []Rule, exceptions ...Exception) []Finding {
	var found []Finding
	used := make([]bool, len(exceptions))
	for _, rule := range rules {
		broken := rule.Check(g)
		slices.SortFunc(broken, func(a, b Finding) int {
			return cmp.Or(strings.Compare(a.URN, b.URN), strings.Compare(a.Message, b.Message))
		})
		for _, f := range broken {
			f.Rule = rule.ID
			excused := false
			for i, e := range exceptions {
				if e.covers(f) {
					used[i] = true
					excused = excused || e.problem(rules) == ""
				}
			}
			if !excused {
				found = append(found, f)
			}
		}
	}
	for i, e := range exceptions {
		problem := e.problem(rules)
		if problem == "" && !used[i] {
			problem = "matches nothing that breaks the rule: take it away"
		}
		if problem != "" {
			found = append(found, Finding{Rule: badException, URN: e.Resource, Message: "the exception from " + e.Rule + " " + problem})
		}
	}
	return found
}

// problem is what is wrong with an exception in itself.
func (e Exception) problem(rules []Rule) string {
	switch {
	case !slices.ContainsFunc(rules, func(r Rule) bool { return r.ID == e.Rule }):
		return "names no rule: IDs are in docs/policies.md"
	case strings.TrimSpace(e.Reason) == "":
		return "has no reason: say why the rule does not apply"
	default:
		return ""
	}
}

func (e Exception) covers(f Finding) bool {
	return e.Rule == f.Rule && (matches(e.Resource, f.URN) || matches(e.Resource, f.URN[strings.LastIndex(f.URN, ":")+1:]))
}

// matches says whether text is as the pattern, in which "*" stands for any text.
func matches(pattern, text string) bool {
	first, rest, starred := strings.Cut(pattern, "*")
	if !starred {
		return pattern == text
	}
	text, found := strings.CutPrefix(text, first)
	if !found {
		return false
	}
	for from := 0; from <= len(text); from++ {
		if matches(rest, text[from:]) {
			return true
		}
	}
	return false
}

// Holds fails a test with every finding.
func Holds(tb testing.TB, g *graph.Graph, rules []Rule, exceptions ...Exception) {
	tb.Helper()
	for _, f := range Check(g, rules, exceptions...) {
		tb.Error(f)
	}
}

// Table lists the rules for AWS in Markdown.
func Table() string {
	var b strings.Builder
	b.WriteString("| rule | follows | what is so | why |\n|---|---|---|---|\n")
	cell := strings.NewReplacer("|", `\|`, "\n", " ", "*", `\*`)
	for _, r := range AWS() {
		fmt.Fprintf(&b, "| %s | %s | %s | %s |\n", r.ID, cell.Replace(r.Source), cell.Replace(r.Title), cell.Replace(r.Why))
	}
	return b.String()
}

// look is one rule's look at a graph.
type look struct {
	g      *graph.Graph
	byType map[string][]*graph.Resource
	// users of each security group, once somebody has asked for them.
	users map[*graph.Resource][]*graph.Resource
	found []Finding
}

// at notes what is wrong with a resource.
func (l *look) at(r *graph.Resource, format string, args ...any) {
	l.found = append(l.found, Finding{URN: r.URN, Message: fmt.Sprintf(format, args...)})
}

// all are the resources of these types.
func (l *look) all(types ...string) []*graph.Resource {
	var found []*graph.Resource
	for _, t := range types {
		found = append(found, l.byType[t]...)
	}
	return found
}

// over makes a rule's check of a look at the whole graph.
func over(judge func(*look)) func(*graph.Graph) []Finding {
	return func(g *graph.Graph) []Finding {
		l := &look{g: g, byType: map[string][]*graph.Resource{}}
		for _, r := range g.Resources {
			l.byType[r.Type] = append(l.byType[r.Type], r)
		}
		judge(l)
		return l.found
	}
}

// each makes a rule's check of a look at each resource of these types.
func each(judge func(*look, *graph.Resource), types ...string) func(*graph.Graph) []Finding {
	return over(func(l *look) {
		for _, r := range l.all(types...) {
			judge(l, r)
		}
	})
}
