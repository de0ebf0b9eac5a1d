// Command plan prints what a stack would consist of, who could talk to whom in it, and what it would cost a month, from its stack file
// alone: no engine, no credentials, no secrets.
package main

import (
	"fmt"
	"os"
	"path/filepath"

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

func planOf(stack string) (*topologies.Plan, error) {
	path := stack
	if filepath.Ext(stack) != ".yaml" {
		path = filepath.Join("stacks", "Pulumi."+stack+".yaml")
	}
	c, err := topologies.ReadStack(path)
	if err != nil {
		return nil, err
	}
	return topologies.PlanOf(c)
}
