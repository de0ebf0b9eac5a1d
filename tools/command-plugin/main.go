// Command pulumi-resource-command is a small stand-in for the pulumi-command
// provider, for machines on which the real one is neither installed nor
// downloadable. It serves exactly command:remote:Command and
// command:remote:CopyToRemote, with the inputs, outputs, defaults and
// update rules of the version below; any other resource is refused.
package main

import (
	"context"
	"fmt"
	"os"

	"github.com/insight-icon/pulumi-icon/tools/command-plugin/remote"
)

// version is that of the provider this one stands in for: the engine looks for
// the plugin version that the programs' SDK names.
const version = "1.2.1"

func main() {
	if err := remote.Provider().Run(context.Background(), "command", version); err != nil {
		fmt.Fprintf(os.Stderr, "pulumi-resource-command: %v\n", err)
		os.Exit(1)
	}
}
