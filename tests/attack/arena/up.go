package arena

import (
	"context"
	"path/filepath"

	"github.com/insight-icon/pulumi-icon/sandbox/peers"
)

// Up makes an arena with a network of nodes behind two sentries, or, without a front, with nodes that stand on the internet
// themselves. What an interrupted arena left is removed before. Down has to be called, also after an error.
func Up(ctx context.Context, opts Options, front func(Scene) (Front, error)) (*Arena, error) {
	if opts.Progress == nil {
		opts.Progress = func(string, ...any) {}
	}
	network, err := peers.Make(ctx, filepath.Clean(opts.Network), opts.Goloop)
	if err != nil {
		return &Arena{}, err
	}
	shape := &Arena{}
	var specs []Front
	for n := 1; front != nil && n <= len(sentriesAt); n++ {
		spec, err := front(shape.SceneOf(n, network.CID))
		if err != nil {
			return &Arena{}, err
		}
		specs = append(specs, spec)
	}
	a, err := up(ctx, opts, front == nil, front != nil && !specs[0].Relay)
	if err != nil {
		return a, err
	}
	sessions := 0
	// The proxies first: nodes that find nobody wait before they try again.
	for i, spec := range specs {
		sessions = spec.Sessions
		if err := a.startFront(ctx, i+1, spec); err != nil {
			return a, err
		}
	}
	return a, a.startChain(ctx, network, sessions)
}

// CID of the network.
func (a *Arena) CID() string { return a.chain.network.CID }
