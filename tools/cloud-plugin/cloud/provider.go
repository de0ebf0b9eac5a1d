package cloud

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/pulumi/pulumi/sdk/v3/go/common/resource"
	"github.com/pulumi/pulumi/sdk/v3/go/common/resource/plugin"
	pulumirpc "github.com/pulumi/pulumi/sdk/v3/proto/go"
	"google.golang.org/protobuf/types/known/emptypb"
	"google.golang.org/protobuf/types/known/structpb"
)

// Kinds are the types of resources that a provider has, and its functions.
type Kinds struct {
	resources map[string]kind
	// call answers a function.
	call func(token string, args resource.PropertyMap) (resource.PropertyMap, error)
}

// kind is a type of resource.
type kind struct {
	// prefix of its ids, "vpc-". Empty: its id is its name.
	prefix string
	// required inputs.
	required []string
	// fixed inputs: a change of one replaces the resource ("forces new resource" in the real provider's documentation).
	fixed []string
	// holds are inputs that name other resources, which cannot be deleted before this one.
	holds []string
	// computed outputs; make gives their values.
	computed []string
	make     func(s *state, r *Resource, key string) (resource.PropertyValue, error)
	// check says what is wrong with inputs as far as they are known, allow what the rest of the cloud has against the resource (old is nil
	// for a new one), and free what it has against its end. All optional.
	check func(in map[string]any) error
	allow func(s *state, r, old *Resource) error
	free  func(s *state, r *Resource) error
	// ours says that it is a machine, a volume or an address, which another process has.
	ours bool
	// paper says that it is not kept in the cloud, but in the engine's state alone.
	paper bool
}

// provider serves one package.
type provider struct {
	pulumirpc.UnimplementedResourceProviderServer
	name, version string
	kinds         Kinds
	store         store
	machines      machines
}

var marshalling = plugin.MarshalOptions{KeepUnknowns: true, KeepSecrets: true, KeepResources: true}

func read(s *structpb.Struct) (resource.PropertyMap, error) {
	if s == nil {
		return resource.PropertyMap{}, nil
	}
	return plugin.UnmarshalProperties(s, marshalling)
}

func written(m resource.PropertyMap) (*structpb.Struct, error) {
	return plugin.MarshalProperties(m, marshalling)
}

// kind is that of a URN.
func (p *provider) kind(urn string) (string, kind, error) {
	token := string(resource.URN(urn).Type())
	k, known := p.kinds.resources[token]
	if !known {
		return "", k, fmt.Errorf("%s: the stand-in for the provider %s does not know the type %s", urn, p.name, token)
	}
	return token, k, nil
}

func (p *provider) GetPluginInfo(context.Context, *emptypb.Empty) (*pulumirpc.PluginInfo, error) {
	return &pulumirpc.PluginInfo{Version: p.version}, nil
}

func (p *provider) CheckConfig(_ context.Context, r *pulumirpc.CheckRequest) (*pulumirpc.CheckResponse, error) {
	return &pulumirpc.CheckResponse{Inputs: r.GetNews()}, nil
}

func (p *provider) DiffConfig(context.Context, *pulumirpc.DiffRequest) (*pulumirpc.DiffResponse, error) {
	return &pulumirpc.DiffResponse{Changes: pulumirpc.DiffResponse_DIFF_NONE}, nil
}

func (p *provider) Configure(context.Context, *pulumirpc.ConfigureRequest) (*pulumirpc.ConfigureResponse, error) {
	return &pulumirpc.ConfigureResponse{AcceptSecrets: true, SupportsPreview: true, AcceptResources: true}, nil
}

func (p *provider) Cancel(context.Context, *emptypb.Empty) (*emptypb.Empty, error) {
	return &emptypb.Empty{}, nil
}

func (p *provider) Invoke(_ context.Context, r *pulumirpc.InvokeRequest) (*pulumirpc.InvokeResponse, error) {
	args, err := read(r.GetArgs())
	if err != nil {
		return nil, err
	}
	answer, err := p.kinds.call(r.GetTok(), args)
	if err != nil {
		return nil, err
	}
	out, err := written(answer)
	return &pulumirpc.InvokeResponse{Return: out}, err
}

func (p *provider) Check(_ context.Context, r *pulumirpc.CheckRequest) (*pulumirpc.CheckResponse, error) {
	_, k, err := p.kind(r.GetUrn())
	if err != nil {
		return nil, err
	}
	news, err := read(r.GetNews())
	if err != nil {
		return nil, err
	}
	answer := &pulumirpc.CheckResponse{Inputs: r.GetNews()}
	refuse := func(property, reason string) {
		answer.Failures = append(answer.Failures, &pulumirpc.CheckFailure{Property: property, Reason: reason})
	}
	for _, key := range k.required {
		if v := news[resource.PropertyKey(key)]; v.IsNull() || v.IsString() && v.StringValue() == "" {
			refuse(key, "missing required property")
		}
	}
	if k.check != nil {
		if err := k.check(plain(news)); err != nil {
			refuse("", err.Error())
		}
	}
	return answer, nil
}

func (p *provider) Diff(_ context.Context, r *pulumirpc.DiffRequest) (*pulumirpc.DiffResponse, error) {
	_, k, err := p.kind(r.GetUrn())
	if err != nil {
		return nil, err
	}
	olds, err := read(r.GetOldInputs())
	if err != nil {
		return nil, err
	}
	news, err := read(r.GetNews())
	if err != nil {
		return nil, err
	}
	answer := &pulumirpc.DiffResponse{Changes: pulumirpc.DiffResponse_DIFF_NONE}
	for _, key := range changed(olds, news) {
		if slices.Contains(r.GetIgnoreChanges(), key) {
			continue
		}
		answer.Changes = pulumirpc.DiffResponse_DIFF_SOME
		answer.Diffs = append(answer.Diffs, key)
		if slices.Contains(k.fixed, key) {
			answer.Replaces = append(answer.Replaces, key)
		}
	}
	return answer, nil
}

// changed are the keys of inputs that differ; being a secret or not is no difference.
func changed(olds, news resource.PropertyMap) []string {
	var keys []string
	for key := range news {
		if !bare(olds[key]).DeepEquals(bare(news[key])) {
			keys = append(keys, string(key))
		}
	}
	for key := range olds {
		if _, there := news[key]; !there {
			keys = append(keys, string(key))
		}
	}
	slices.Sort(keys)
	return keys
}

func (p *provider) Create(ctx context.Context, r *pulumirpc.CreateRequest) (*pulumirpc.CreateResponse, error) {
	token, k, err := p.kind(r.GetUrn())
	if err != nil {
		return nil, err
	}
	in, err := read(r.GetProperties())
	if err != nil {
		return nil, err
	}
	if r.GetPreview() {
		for _, key := range k.computed {
			if _, given := in[resource.PropertyKey(key)]; !given {
				in[resource.PropertyKey(key)] = resource.MakeComputed(resource.NewProperty(""))
			}
		}
		out, err := written(in)
		return &pulumirpc.CreateResponse{Properties: out}, err
	}
	made := &Resource{Type: token, Name: resource.URN(r.GetUrn()).Name(), Properties: plain(in)}
	if err := made.called(k.prefix); err != nil {
		return nil, err
	}
	if err := p.enter(k, made, in); err != nil {
		return nil, fmt.Errorf("creating %s: %w", made.Name, err)
	}
	if k.ours {
		if err := p.machines.carryOut(ctx, "create", made); err != nil {
			return nil, errors.Join(fmt.Errorf("creating %s: %w", made.Name, err), p.forget(made.ID))
		}
	}
	out, err := written(in)
	return &pulumirpc.CreateResponse{Id: made.ID, Properties: out}, err
}

// enter puts a new resource into the cloud, and its outputs into out.
func (p *provider) enter(k kind, r *Resource, out resource.PropertyMap) error {
	fill := func(s *state) error {
		for _, key := range k.computed {
			if _, given := out[resource.PropertyKey(key)]; given {
				continue
			}
			v, err := k.make(s, r, key)
			if err != nil {
				return err
			}
			out[resource.PropertyKey(key)] = v
		}
		r.Properties = plain(out)
		return nil
	}
	if k.paper {
		return fill(nil)
	}
	return p.store.change(func(s *state) error {
		if s.Resources[r.ID] != nil {
			return fmt.Errorf("%s exists already", r.ID)
		}
		if err := s.known(k, r); err != nil {
			return err
		}
		if k.allow != nil {
			if err := k.allow(s, r, nil); err != nil {
				return err
			}
		}
		if err := fill(s); err != nil {
			return err
		}
		s.Resources[r.ID] = r
		return nil
	})
}

func (p *provider) forget(id string) error {
	return p.store.change(func(s *state) error {
		delete(s.Resources, id)
		return nil
	})
}

func (p *provider) Update(ctx context.Context, r *pulumirpc.UpdateRequest) (*pulumirpc.UpdateResponse, error) {
	token, k, err := p.kind(r.GetUrn())
	if err != nil {
		return nil, err
	}
	olds, err := read(r.GetOlds())
	if err != nil {
		return nil, err
	}
	out, err := read(r.GetNews())
	if err != nil {
		return nil, err
	}
	for _, key := range k.computed {
		if _, given := out[resource.PropertyKey(key)]; !given {
			out[resource.PropertyKey(key)] = olds[resource.PropertyKey(key)]
		}
	}
	if !r.GetPreview() {
		now := &Resource{Type: token, ID: r.GetId(), Name: resource.URN(r.GetUrn()).Name(), Properties: plain(out)}
		if err := p.alter(ctx, k, now); err != nil {
			return nil, fmt.Errorf("updating %s: %w", now.Name, err)
		}
	}
	properties, err := written(out)
	return &pulumirpc.UpdateResponse{Properties: properties}, err
}

func (p *provider) alter(ctx context.Context, k kind, now *Resource) error {
	err := p.store.change(func(s *state) error {
		old := s.Resources[now.ID]
		if old == nil {
			return fmt.Errorf("%s is not there (NotFound)", now.ID)
		}
		if k.allow != nil {
			return k.allow(s, now, old)
		}
		return nil
	})
	if err == nil && k.ours {
		err = p.machines.carryOut(ctx, "update", now)
	}
	if err != nil {
		return err
	}
	return p.store.change(func(s *state) error {
		s.Resources[now.ID] = now
		return nil
	})
}

func (p *provider) Delete(ctx context.Context, r *pulumirpc.DeleteRequest) (*emptypb.Empty, error) {
	_, k, err := p.kind(r.GetUrn())
	if err != nil {
		return nil, err
	}
	if k.paper {
		return &emptypb.Empty{}, nil
	}
	var gone *Resource
	err = p.store.change(func(s *state) error {
		if gone = s.Resources[r.GetId()]; gone == nil {
			return nil // deleted is deleted
		}
		if users := s.users(p.kinds, gone); len(users) > 0 {
			return fmt.Errorf("DependencyViolation: %s is in use by %s", gone.ID, strings.Join(users, ", "))
		}
		if k.free != nil {
			return k.free(s, gone)
		}
		return nil
	})
	if err == nil && gone != nil && k.ours {
		err = p.machines.carryOut(ctx, "delete", gone)
	}
	if err == nil {
		err = p.forget(r.GetId())
	}
	if err != nil {
		return nil, fmt.Errorf("deleting %s: %w", resource.URN(r.GetUrn()).Name(), err)
	}
	return &emptypb.Empty{}, nil
}

// Read tells whether a resource is still there; what it is like is as the engine knows it.
func (p *provider) Read(_ context.Context, r *pulumirpc.ReadRequest) (*pulumirpc.ReadResponse, error) {
	_, k, err := p.kind(r.GetUrn())
	if err != nil || k.paper {
		return &pulumirpc.ReadResponse{Id: r.GetId(), Properties: r.GetProperties(), Inputs: r.GetInputs()}, err
	}
	answer := &pulumirpc.ReadResponse{}
	err = p.store.change(func(s *state) error {
		if s.Resources[r.GetId()] != nil {
			answer = &pulumirpc.ReadResponse{Id: r.GetId(), Properties: r.GetProperties(), Inputs: r.GetInputs()}
		}
		return nil
	})
	return answer, err
}
