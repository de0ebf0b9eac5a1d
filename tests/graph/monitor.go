package graph

import (
	"context"
	"fmt"
	"net"
	"strings"

	"github.com/pulumi/pulumi/sdk/v3/go/common/resource"
	"github.com/pulumi/pulumi/sdk/v3/go/common/resource/plugin"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"
	pulumirpc "github.com/pulumi/pulumi/sdk/v3/proto/go"
	"google.golang.org/grpc"
	"google.golang.org/protobuf/types/known/emptypb"
)

// monitor is the engine's side of a program, on the loopback interface. It stands in the place of the SDK's own mocks, which drop every
// value that is not known yet and fail on a secret one, so that a recorded preview would not be what an engine is told.
type monitor struct {
	pulumirpc.UnimplementedResourceMonitorServer
	pulumirpc.UnimplementedEngineServer
	recorder *recorder
}

// largest is the greatest message, in bytes, that either side takes: as the engine has it.
const largest = 400 << 20

// window is how much, in bytes, may be under way to the recorder: steps carry their whole programs.
const window = 64 << 20

// marshalled is how values travel: secrets, unknowns and references to resources stay what they are. What each value depends on does not
// travel inside it: the recorder has that by the input's name.
var marshalled = plugin.MarshalOptions{KeepUnknowns: true, KeepSecrets: true, KeepResources: true}

// serve answers a program until stop is called.
func serve(r *recorder) (address string, stop func(), err error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", nil, fmt.Errorf("recorder: %w", err)
	}
	m := &monitor{recorder: r}
	server := grpc.NewServer(grpc.MaxRecvMsgSize(largest), grpc.InitialWindowSize(window), grpc.InitialConnWindowSize(window))
	pulumirpc.RegisterResourceMonitorServer(server, m)
	pulumirpc.RegisterEngineServer(server, m)
	go func() { _ = server.Serve(listener) }() // it ends by Stop
	return listener.Addr().String(), server.Stop, nil
}

// SupportsFeature says yes to all that the recorder has a place for. Without "aliasSpecs" the SDK itself works out the URNs that a resource
// was known by, those that it inherits from its parents' aliases among them, by the rules of the engine.
func (m *monitor) SupportsFeature(_ context.Context, in *pulumirpc.SupportsFeatureRequest) (*pulumirpc.SupportsFeatureResponse, error) {
	known := map[string]bool{
		"secrets": true, "resourceReferences": true, "outputValues": true, "deletedWith": true, "replaceWith": true,
	}
	return &pulumirpc.SupportsFeatureResponse{HasSupport: known[in.GetId()]}, nil
}

func (m *monitor) RegisterResource(_ context.Context, in *pulumirpc.RegisterResourceRequest) (*pulumirpc.RegisterResourceResponse, error) {
	if in.GetType() == string(resource.RootStackType) && in.GetParent() == "" {
		return &pulumirpc.RegisterResourceResponse{Urn: string(resource.NewURN(stack, project, "", resource.RootStackType, in.GetName()))}, nil
	}
	inputs, err := plugin.UnmarshalProperties(in.GetObject(), marshalled)
	if err != nil {
		return nil, err
	}
	res, outputs := m.recorder.register(in, inputs)
	object, err := plugin.MarshalProperties(outputs, marshalled)
	if err != nil {
		return nil, err
	}
	answer := &pulumirpc.RegisterResourceResponse{Urn: res.URN, Object: object}
	if res.Custom && !m.recorder.preview {
		answer.Id = res.ID()
	}
	return answer, nil
}

func (m *monitor) Invoke(_ context.Context, in *pulumirpc.ResourceInvokeRequest) (*pulumirpc.InvokeResponse, error) {
	args, err := plugin.UnmarshalProperties(in.GetArgs(), marshalled)
	if err != nil {
		return nil, err
	}
	answer, err := m.recorder.call(pulumi.MockCallArgs{Token: in.GetTok(), Args: args, Provider: in.GetProvider()})
	if err != nil {
		return nil, err
	}
	object, err := plugin.MarshalProperties(answer, marshalled)
	return &pulumirpc.InvokeResponse{Return: object}, err
}

// RegisterResourceOutputs keeps what a component, or the stack as a whole, says of itself.
func (m *monitor) RegisterResourceOutputs(_ context.Context, in *pulumirpc.RegisterResourceOutputsRequest) (*emptypb.Empty, error) {
	outputs, err := plugin.UnmarshalProperties(in.GetOutputs(), marshalled)
	if err != nil {
		return nil, err
	}
	m.recorder.finish(in.GetUrn(), outputs)
	return &emptypb.Empty{}, nil
}

func (m *monitor) SignalAndWaitForShutdown(context.Context, *emptypb.Empty) (*emptypb.Empty, error) {
	return &emptypb.Empty{}, nil
}

// Log keeps the program's errors, for the message of a failed recording.
func (m *monitor) Log(_ context.Context, in *pulumirpc.LogRequest) (*emptypb.Empty, error) {
	if in.GetSeverity() == pulumirpc.LogSeverity_ERROR {
		m.recorder.tb.Logf("the program says: %s", strings.TrimSpace(in.GetMessage()))
	}
	return &emptypb.Empty{}, nil
}
