package main

import (
	"fmt"
	"go/ast"
	"strings"
)

// page is one page of docs/components. Every type stands on one page only; others link to it.
type page struct {
	file, title, dir string
	// new is the constructor, made its component; empty for pages of types only.
	new, made string
	// types are the other types, inputs first.
	types []string
	// about is one line for the index.
	about string
}

var pages = []page{
	{
		file: "network.md", title: "Network", dir: "components", new: "NewNetwork", made: "Network", types: []string{"NetworkArgs"},
		about: "hosts, checked and firewalled",
	},
	{
		file: "sentry-layer.md", title: "SentryLayer", dir: "components", new: "NewSentryLayer", made: "SentryLayer",
		types: []string{"SentryLayerArgs", "SentryPeers", "SentryTLS", "SentryACME", "SentryKey", "SentryLimits"},
		about: "reverse proxies in front of a P-Rep",
	},
	{
		file: "prep-node.md", title: "PRepNode", dir: "components", new: "NewPRepNode", made: "PRepNode", types: []string{"PRepNodeArgs"},
		about: "a validator",
	},
	{
		file: "citizen-node.md", title: "CitizenNode", dir: "components", new: "NewCitizenNode", made: "CitizenNode",
		types: []string{"CitizenNodeArgs"}, about: "a node that follows the chain and answers the API",
	},
	{
		file: "node.md", title: "What every node has", dir: "components", types: []string{"NodeArgs", "Chain"},
		about: "the inputs that PRepNode and CitizenNode share",
	},
	{
		file: "node-key.md", title: "NodeKey", dir: "components", new: "NewNodeKey", made: "NodeKey",
		types: []string{"NodeKeyArgs", "Software", "Container", "ImportKey"}, about: "a node's software and key, before anything runs",
	},
	{
		file: "platform.md", title: "Hosts and edges", dir: "components/platform",
		types: []string{"HostSpec", "Role", "Data", "Edge", "Party", "Host"}, about: "what components see of a platform",
	},
	{
		file: "aws.md", title: "The platform aws", dir: "components/platform/aws", new: "New", made: "AWS", types: []string{"Args", "Made"},
		about: "machines that it makes on AWS; its settings are [those of a stack file](../configuration.md#aws)",
	},
	{
		file: "front.md", title: "Fronts on AWS", dir: "components/platform/aws/front", new: "New", made: "Front", types: []string{"Args"},
		about: "DNS or load balancers in front of sentries and API",
	},
	{
		file: "image.md", title: "Images on AWS", dir: "components/platform/aws/image", new: "New", made: "Image", types: []string{"Args"},
		about: "machine images that are [hardened already](../golden-image.md)",
	},
	{
		file: "hosts.md", title: "The platform hosts", dir: "components/platform/hosts", new: "New", made: "Hosts",
		types: []string{"Args", "Machine", "Bastion"}, about: "machines that already exist",
	},
}

func index() string {
	var b strings.Builder
	b.WriteString(notice("components"))
	b.WriteString("# Components\n\nThe building blocks, for a Pulumi program of one's own: see the examples, " +
		"[a P-Rep and two sentries](../../examples/prep-and-sentries/main.go) on machines that exist,\n" +
		"[a P-Rep on AWS](../../examples/prep-on-aws/main.go), and [images on AWS](../../examples/golden-image/main.go).\n\n")
	var rows [][]string
	for _, p := range pages {
		rows = append(rows, []string{fmt.Sprintf("[%s](%s)", p.title, p.file), p.about})
	}
	b.WriteString(table([]string{"page", "is"}, rows))
	return b.String()
}

func (p page) render(s *source) (string, error) {
	var b strings.Builder
	b.WriteString(notice(p.dir) + "# " + p.title + "\n\n")
	fmt.Fprintf(&b, "Package `github.com/insight-icon/pulumi-icon/%s`.\n", p.dir)
	if p.new != "" {
		decl, found := s.funcs[p.new]
		if !found {
			return "", fmt.Errorf("there is no function %s", p.new)
		}
		signature := *decl
		signature.Body, signature.Doc = nil, nil
		fmt.Fprintf(&b, "\n%s\n\n```go\n%s\n```\n\n%s\n", s.docs[p.made], code(&signature), s.docs[p.new])
	}
	for _, name := range p.types {
		text, err := s.section(name)
		if err != nil {
			return "", err
		}
		fmt.Fprintf(&b, "\n## %s\n\n%s\n\n%s", name, s.docs[name], text)
	}
	if p.new == "" {
		return b.String(), nil
	}
	outputs, err := s.rows(p.made)
	if err != nil || len(outputs) == 0 {
		return b.String(), err
	}
	for i, r := range outputs {
		outputs[i] = []string{r[0], r[1], r[3]}
	}
	b.WriteString("\n## Outputs\n\n" + table([]string{"field", "type", "is"}, outputs))
	return b.String(), nil
}

// section is the table of a struct's fields, or the values of a type that is none.
func (s *source) section(name string) (string, error) {
	if spec, found := s.types[name]; found {
		if _, isStruct := spec.Type.(*ast.StructType); !isStruct {
			return fmt.Sprintf("A `%s`: `%s`.\n", code(spec.Type), strings.Join(s.values[name], "`, `")), nil
		}
	}
	rows, err := s.rows(name)
	if err != nil {
		return "", err
	}
	return table([]string{"field", "type", "required, default", "is"}, rows), nil
}

func (s *source) rows(name string) ([][]string, error) {
	fields, err := s.fields(name)
	if err != nil {
		return nil, err
	}
	var rows [][]string
	for _, f := range fields {
		var types []string
		for _, t := range f.types {
			if linked := link(code(t)); len(types) == 0 || types[len(types)-1] != linked {
				types = append(types, linked)
			}
		}
		if f.embedded {
			if types[0] != "`pulumi.ResourceState`" {
				rows = append(rows, []string{"", "", "", "all fields of " + types[0]})
			}
			continue
		}
		what, need := split(f.doc)
		rows = append(rows, []string{"`" + strings.Join(f.names, "`, `") + "`", strings.Join(types, ", "), cell(need), cell(what)})
	}
	return rows, nil
}

// link is a type, as a link to its page if it has one.
func link(name string) string {
	bare := strings.TrimLeft(name, "*[]")
	if i := strings.LastIndex(bare, "]"); i >= 0 { // a map's values
		bare = strings.TrimLeft(bare[i+1:], "*")
	}
	bare = strings.TrimPrefix(bare, "platform.")
	for _, p := range pages {
		for _, t := range p.types {
			if t == bare && !strings.HasPrefix(name, "pulumi.") {
				return fmt.Sprintf("[`%s`](%s#%s)", name, p.file, strings.ToLower(t))
			}
		}
		if p.made == bare {
			return fmt.Sprintf("[`%s`](%s)", name, p.file)
		}
	}
	return "`" + name + "`"
}
