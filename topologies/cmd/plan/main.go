// Command plan prints what a stack would consist of, who could talk to whom in it, and what it would cost a month, from its stack file
// alone: no engine, no credentials, no secrets.
package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/insight-icon/pulumi-icon/stacks"
	"github.com/insight-icon/pulumi-icon/topologies"
)

const usage = `usage: plan STACK   (or: make plan STACK=name)

Prints the hosts of a stack, the connections that will be open, and, on a cloud, the cost of a month. STACK is the name of a stack whose
file is stacks/Pulumi.STACK.yaml, or the path of a stack file. Secrets are not read, and need not be set.
`

func main() {
	if len(os.Args) != 2 || os.Args[1] == "" || os.Args[1] == "-h" || os.Args[1] == "--help" {
		fmt.Fprint(os.Stderr, usage)
		os.Exit(2)
	}
	plan, err := planOf(os.Args[1])
	if err != nil {
		fmt.Fprintln(os.Stderr, "plan:", err)
		os.Exit(1)
	}
	if _, err := fmt.Fprint(os.Stdout, plan); err != nil {
		os.Exit(1)
	}
}

// toReplace says what `pulumi up` will ask for: values of the shipped stack files that are still there. A plan can be made of them.
func toReplace(c *stacks.Config) string {
	var problems stacks.Problems
	if !errors.As(c.CheckPlaceholders(), &problems) {
		return ""
	}
	text := "\nto be replaced before pulumi up\n"
	for _, p := range problems {
		text += "  " + p.Path + ": " + p.Message + "\n"
	}
	return text
}

// others says which stacks there are, if there is none at path.
func others(path string) string {
	if _, err := os.Stat(path); !errors.Is(err, fs.ErrNotExist) {
		return ""
	}
	files, err := filepath.Glob(filepath.Join("stacks", "Pulumi.*.yaml"))
	if err != nil || len(files) == 0 {
		return ""
	}
	for i, file := range files {
		files[i] = strings.TrimSuffix(strings.TrimPrefix(filepath.Base(file), "Pulumi."), ".yaml")
	}
	return "; there are: " + strings.Join(files, ", ")
}

// planOf is what is printed of a stack.
func planOf(stack string) (string, error) {
	path := stack
	if filepath.Ext(stack) != ".yaml" {
		path = filepath.Join("stacks", "Pulumi."+stack+".yaml")
	}
	c, err := topologies.ReadStack(path)
	if err != nil {
		return "", fmt.Errorf("%w%s", err, others(path))
	}
	plan, err := topologies.PlanOf(c)
	if err != nil {
		return "", err
	}
	return plan.String() + toReplace(c), nil
}
