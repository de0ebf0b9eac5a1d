package graph

import (
	"encoding/base64"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/pulumi/pulumi/sdk/v3/go/common/resource"
)

// UniqueURNs checks that no two resources have one URN. An engine refuses them, the mocks do not.
func UniqueURNs(tb testing.TB, g *Graph) {
	tb.Helper()
	seen := map[string]bool{}
	for _, r := range g.Resources {
		if seen[r.URN] {
			tb.Errorf("two resources have the URN %s", r.URN)
		}
		seen[r.URN] = true
	}
}

// EveryChildBelow checks that all resources but providers are components of these types, or below one.
func EveryChildBelow(tb testing.TB, g *Graph, types ...string) {
	tb.Helper()
	for _, r := range g.Resources {
		top := r
		for g.Get(top.Parent) != nil {
			top = g.Get(top.Parent)
		}
		if !strings.HasPrefix(top.Type, providerType) && !slices.Contains(types, top.Type) {
			tb.Errorf("%s is below %s, which is none of %s", r.URN, top.URN, strings.Join(types, ", "))
		}
		if parent := g.Get(r.Parent); parent != nil && parent.Custom {
			tb.Errorf("%s has the parent %s, which is no component", r.URN, parent.URN)
		}
	}
}

// ProvidersGiven checks that every resource of a provider was given one explicitly, since default providers are off.
func ProvidersGiven(tb testing.TB, g *Graph) {
	tb.Helper()
	for _, r := range g.Resources {
		if r.Custom && !strings.HasPrefix(r.Type, providerType) && r.Provider == "" {
			tb.Errorf("%s has no provider", r.URN)
		}
	}
}

// SecretsMarked checks that every connection is a secret as a whole, that a step whose program holds one of the given secrets has a
// secret program, and that none of the secrets is in the clear anywhere: in inputs, or in outputs of components and of the stack.
func SecretsMarked(tb testing.TB, g *Graph, secrets ...string) {
	tb.Helper()
	shown := func(whose, what string, values resource.PropertyMap) {
		for name, v := range values {
			text := clearText(v)
			for i, s := range secrets {
				if holds(text, s) {
					tb.Errorf("%s: its %s %s shows the secret number %d in the clear", whose, what, name, i+1)
				}
			}
		}
	}
	for _, r := range g.Resources {
		if _, connects := r.Inputs["connection"]; connects && !r.Inputs["connection"].IsSecret() {
			tb.Errorf("%s: its connection is not marked secret", r.URN)
		}
		shown(r.URN, "input", r.Inputs)
		shown(r.URN, "output", r.Outputs)
	}
	shown("the stack", "output", g.Outputs)
}

// Carries says whether a step's program holds a secret, plain or as base64.
func Carries(r *Resource, secret string) bool {
	text, _ := r.Stdin()
	return holds(text, secret)
}

// encodedFile is how a program lays a file that is not plain text.
var encodedFile = regexp.MustCompile(`(?m)^base64 -d >.* <<'([A-Z-]+)'\n((?:[A-Za-z0-9+/=]*\n)*?)([A-Z-]+)$`)

// holds says whether text has the secret in it, as it is or in a file that a program lays.
func holds(text, secret string) bool {
	if strings.Contains(text, secret) {
		return true
	}
	for _, file := range encodedFile.FindAllStringSubmatch(text, -1) {
		content, err := base64.StdEncoding.DecodeString(strings.ReplaceAll(file[2], "\n", ""))
		if err == nil && strings.Contains(string(content), secret) {
			return true
		}
	}
	return false
}

// clearText is all text of an input that is not secret.
func clearText(v resource.PropertyValue) string {
	switch {
	case v.IsString():
		return v.StringValue()
	case v.IsArray():
		var all string
		for _, e := range v.ArrayValue() {
			all += clearText(e) + "\n"
		}
		return all
	case v.IsObject():
		var all string
		for name, e := range v.ObjectValue() {
			all += string(name) + " " + clearText(e) + "\n"
		}
		return all
	case v.IsOutput() && !v.OutputValue().Secret:
		return clearText(v.OutputValue().Element)
	default:
		return ""
	}
}

// CommandsAreLaunchers checks that the commands of all steps have the one short form that holds nothing of a step's inputs: an error of
// pulumi-command repeats the command.
func CommandsAreLaunchers(tb testing.TB, g *Graph) {
	tb.Helper()
	for _, r := range g.OfType(CommandType) {
		for _, half := range []string{"create", "update", "delete"} {
			v, there := r.Inputs[resource.PropertyKey(half)]
			if !there {
				continue
			}
			if text, ok := Plain(v); !ok || !launch.MatchString(text) {
				tb.Errorf("%s: its %s is not the launcher: %q", r.URN, half, text)
			}
		}
		if _, there := r.Inputs["environment"]; there {
			tb.Errorf("%s: has an environment, which sshd may refuse and others may read", r.URN)
		}
	}
}

// OneAtATime checks that a host's steps and copies form a chain: of any two, one waits for the other.
func OneAtATime(tb testing.TB, g *Graph) {
	tb.Helper()
	for host, all := range g.byHost() {
		work := slices.DeleteFunc(slices.Clone(all), func(r *Resource) bool { return !r.Custom })
		for i, a := range work {
			for _, b := range work[:i] {
				if !g.Waits(a, b) && !g.Waits(b, a) {
					tb.Errorf("host %s: %s and %s could run at once", host, a.Name, b.Name)
				}
			}
		}
	}
}

// ResourcesPerHost checks that no host needs more than most resources: the Host, its steps and copies, and the component of its node.
// What exists once per plan is not counted: the Network, the SentryLayer and the guard of the node keys.
func ResourcesPerHost(tb testing.TB, g *Graph, most int) {
	tb.Helper()
	for host, all := range g.byHost() {
		n := 0
		for _, r := range all {
			if r.Step() != "guard" {
				n++
			}
		}
		if n > most {
			tb.Errorf("host %s has %d resources, at most %d are allowed", host, n, most)
		}
	}
}

// byHost are the resources that belong to one host each.
func (g *Graph) byHost() map[string][]*Resource {
	hosts := map[string]map[*Resource]bool{}
	add := func(host string, r *Resource) {
		if hosts[host] == nil {
			hosts[host] = map[*Resource]bool{}
		}
		hosts[host][r] = true
	}
	for _, step := range g.OfType(CommandType) {
		add(step.Host(), step)
		parent := g.Get(step.Parent)
		if parent == nil || !g.ofOneHost(parent) {
			continue
		}
		add(step.Host(), parent)
		for _, sibling := range g.children[parent.URN] {
			if sibling.Type == CopyType {
				add(step.Host(), sibling)
			}
		}
	}
	lists := map[string][]*Resource{}
	for host, set := range hosts {
		for _, r := range g.Resources {
			if set[r] {
				lists[host] = append(lists[host], r)
			}
		}
	}
	return lists
}

// ofOneHost says whether all steps right below a component run on one host.
func (g *Graph) ofOneHost(component *Resource) bool {
	host := ""
	for _, child := range g.children[component.URN] {
		if child.Type != CommandType {
			if child.Type == CopyType {
				continue
			}
			return false
		}
		if host != "" && child.Host() != host {
			return false
		}
		host = child.Host()
	}
	return true
}
