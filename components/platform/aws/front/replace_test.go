package front_test

import (
	"slices"
	"sync"
	"testing"

	"github.com/pulumi/pulumi/sdk/v3/go/common/resource"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"
)

// replaced notes which resources are deleted before they are replaced.
type replaced struct {
	mu    sync.Mutex
	names []string
}

func (r *replaced) NewResource(args pulumi.MockResourceArgs) (string, resource.PropertyMap, error) {
	if args.RegisterRPC.GetDeleteBeforeReplace() {
		r.mu.Lock()
		r.names = append(r.names, args.Name)
		r.mu.Unlock()
	}
	return args.Name + "_id", args.Inputs, nil
}

func (*replaced) Call(args pulumi.MockCallArgs) (resource.PropertyMap, error) { return args.Args, nil }

// Two network load balancers cannot have the same elastic addresses: one with a zone less could not be made beside the old one.
func TestABalancerGivesItsAddressesUpBeforeAnotherTakesThem(t *testing.T) {
	r := &replaced{}
	if err := pulumi.RunErr(program(settings("nlb"), nil, nil), pulumi.WithMocks("icon", "test", r)); err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(r.names, []string{"front-nlb"}) {
		t.Errorf("deleted before they are replaced: %v", r.names)
	}
}
