// Command pulumi-resource-aws is a stand-in for the pulumi-aws provider that deploys to no cloud: see the package cloud.
package main

import (
	"fmt"
	"os"

	"github.com/insight-icon/pulumi-icon/tools/cloud-plugin/cloud"
)

func main() {
	// The version of the provider that this one stands in for.
	if err := cloud.Serve("aws", "6.83.2", cloud.AWS()); err != nil {
		fmt.Fprintf(os.Stderr, "pulumi-resource-aws: %v\n", err)
		os.Exit(1)
	}
}
