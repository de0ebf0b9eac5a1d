package components

import (
	"fmt"

	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"github.com/insight-icon/pulumi-icon/internal/goloop"
)

// PRepNodeType is the type token of PRepNode.
const PRepNodeType = "icon:components:PRepNode"

// PRepNodeArgs are the inputs of NewPRepNode.
type PRepNodeArgs struct {
	NodeArgs
}

// PRepNode is a validator. Its API listens on the host's loopback address only. The network gives it a vote once its node key is
// registered (or named in the genesis of a private network).
type PRepNode struct {
	pulumi.ResourceState
	// Address of its node key, "hx…".
	Address pulumi.StringOutput
	// Announce is what other validators are told, "host:port".
	Announce pulumi.StringOutput
}

// NewPRepNode runs a validator on a host, and is done when the node answers, has joined and its height rises. Keep its name when it moves
// to another host: the node on the old host is then stopped before the one on the new host starts.
func NewPRepNode(ctx *pulumi.Context, name string, args *PRepNodeArgs, opts ...pulumi.ResourceOption) (*PRepNode, error) {
	if args == nil {
		return nil, fmt.Errorf("P-Rep %q: args are required", name)
	}
	if err := args.validate(); err != nil {
		return nil, fmt.Errorf("P-Rep %q: %w", name, err)
	}
	n := &PRepNode{}
	if err := ctx.RegisterComponentResource(PRepNodeType, name, n, opts...); err != nil {
		return nil, fmt.Errorf("register P-Rep %q: %w", name, err)
	}
	key, err := runNode(ctx, name, &args.NodeArgs, goloop.Validator, fmt.Sprintf("127.0.0.1:%d", goloop.RPCPort), n)
	if err != nil {
		return nil, err
	}
	n.Address, n.Announce = key.Address, args.Announce.ToStringOutput()
	return n, ctx.RegisterResourceOutputs(n, pulumi.Map{"address": n.Address, "announce": n.Announce})
}
