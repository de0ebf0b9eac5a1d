// The program that `pulumi up` runs: load the stack, make the plan, deploy it, say what came of it.
package main

import (
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"github.com/insight-icon/pulumi-icon/topologies"
)

func main() { pulumi.Run(topologies.Run) }
