// Command pulumi-resource-tls is a stand-in for the pulumi-tls provider: private keys of the kind ED25519 alone.
package main

import (
	"fmt"
	"os"

	"github.com/insight-icon/pulumi-icon/tools/cloud-plugin/cloud"
)

func main() {
	// The version of the provider that this one stands in for.
	if err := cloud.Serve("tls", "5.2.0", cloud.TLS()); err != nil {
		fmt.Fprintf(os.Stderr, "pulumi-resource-tls: %v\n", err)
		os.Exit(1)
	}
}
