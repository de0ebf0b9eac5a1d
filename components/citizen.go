package components

import (
	"fmt"

	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"github.com/insight-icon/pulumi-icon/internal/goloop"
)

// CitizenNodeType is the type token of CitizenNode.
const CitizenNodeType = "icon:components:CitizenNode"

// CitizenNodeArgs are the inputs of NewCitizenNode.
type CitizenNodeArgs struct {
	NodeArgs
}

// CitizenNode follows the chain and answers the API on port 9000. goloop answers /admin and /metrics there as well, without a key: who
// reaches that port is for the plan's edges to say, and the internet should only ever do so through sentries.
type CitizenNode struct {
	pulumi.ResourceState
	// Address of its node key, "hx…".
	Address pulumi.StringOutput
	// API is where hosts of the plan reach it, "address:port".
	API pulumi.StringOutput
}

// NewCitizenNode runs a citizen on a host, and is done when the node answers, has joined and its height rises.
func NewCitizenNode(ctx *pulumi.Context, name string, args *CitizenNodeArgs, opts ...pulumi.ResourceOption) (*CitizenNode, error) {
	if args == nil {
		return nil, fmt.Errorf("citizen %q: args are required", name)
	}
	if err := args.validate(); err != nil {
		return nil, fmt.Errorf("citizen %q: %w", name, err)
	}
	n := &CitizenNode{}
	if err := ctx.RegisterComponentResource(CitizenNodeType, name, n, opts...); err != nil {
		return nil, fmt.Errorf("register citizen %q: %w", name, err)
	}
	key, err := runNode(ctx, name, &args.NodeArgs, goloop.Citizen, fmt.Sprintf(":%d", goloop.RPCPort), n)
	if err != nil {
		return nil, err
	}
	n.Address, n.API = key.Address, pulumi.Sprintf("%s:%d", args.Host.PrivateAddress, goloop.RPCPort)
	return n, ctx.RegisterResourceOutputs(n, pulumi.Map{"address": n.Address, "api": n.API})
}
