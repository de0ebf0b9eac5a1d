// Package remote holds the resources that act on a host over SSH. Its name is
// the module part of their type tokens, command:remote:<Type>.
package remote

import (
	"context"
	"fmt"

	p "github.com/pulumi/pulumi-go-provider"
	"github.com/pulumi/pulumi-go-provider/infer"
)

const (
	commandType = "command:remote:Command"
	copyType    = "command:remote:CopyToRemote"
)

// Provider serves Command and CopyToRemote, and refuses every other resource by
// name. It has no configuration.
func Provider() p.Provider {
	provider := infer.Provider(infer.Options{
		Resources: []infer.InferredResource{
			infer.Resource(&Command{}),
			infer.Resource(&CopyToRemote{}),
		},
	})
	check := provider.Check
	provider.Check = func(ctx context.Context, req p.CheckRequest) (p.CheckResponse, error) {
		switch token := req.Urn.Type(); token {
		case commandType, copyType:
			return check(ctx, req)
		default:
			return p.CheckResponse{}, fmt.Errorf("%s is not served by this stand-in for the command plugin, only %s and %s: "+
				"install the real plugin with `pulumi plugin install resource command`", token, commandType, copyType)
		}
	}
	return provider
}
