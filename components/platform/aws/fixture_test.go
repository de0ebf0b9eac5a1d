package aws_test

import (
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/pem"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/pulumi/pulumi-tls/sdk/v5/go/tls"
	"github.com/pulumi/pulumi/sdk/v3/go/common/resource"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"
	"golang.org/x/crypto/ssh"

	"github.com/insight-icon/pulumi-icon/components"
	"github.com/insight-icon/pulumi-icon/components/platform"
	"github.com/insight-icon/pulumi-icon/components/platform/aws"
	"github.com/insight-icon/pulumi-icon/internal/remote"
	"github.com/insight-icon/pulumi-icon/tests/graph"
)

// keyPair is an SSH key for each name.
func keyPair(name, passphrase string) (private, public string) {
	seed := sha256.Sum256([]byte(name))
	key := ed25519.NewKeyFromSeed(seed[:])
	var block *pem.Block
	var err error
	if passphrase == "" {
		block, err = ssh.MarshalPrivateKey(key, "")
	} else {
		block, err = ssh.MarshalPrivateKeyWithPassphrase(key, "", []byte(passphrase))
	}
	if err != nil {
		panic(err)
	}
	half, err := ssh.NewPublicKey(key.Public())
	if err != nil {
		panic(err)
	}
	return string(pem.EncodeToMemory(block)), strings.TrimSpace(string(ssh.MarshalAuthorizedKey(half)))
}

// small is what the tests deploy: a P-Rep, a citizen and two sentries behind a bastion, in two zones.
type small struct {
	args aws.Args
	spec platform.NetworkSpec
	// private is the key of the deploy.
	private string
}

func newSmall() *small {
	private, public := keyPair("deploy", "")
	_, other := keyPair("other", "")
	data := &platform.Data{Dir: "/var/lib/icon-node", MinDiskGB: 100, CID: "0x1", Keep: true}
	s := &small{
		private: private,
		args: aws.Args{
			Network: "lisbon", Announce: "prep.example.org:7100", PrivateKey: secret(private),
			Settings: aws.Settings{
				Region: "eu-central-1", Zones: []string{"eu-central-1a", "eu-central-1b"}, AdministratorKeys: []string{other, public},
				Machines: map[string]aws.Machine{
					"bastion": {Zone: "eu-central-1a"}, "sentry-1": {Zone: "eu-central-1a"}, "sentry-2": {Zone: "eu-central-1b"},
					"prep-1": {Zone: "eu-central-1b"}, "citizen-1": {Zone: "eu-central-1a"},
				},
				Tags: map[string]string{"Team": "nodes"},
			},
		},
		spec: platform.NetworkSpec{
			Administrators: []string{"203.0.113.0/24"},
			Hosts: []platform.HostSpec{
				{Name: "prep-1", Role: platform.PRep, Behind: "bastion", SSHPorts: []int{22}, Data: data},
				{Name: "sentry-1", Role: platform.Sentry, Behind: "bastion", SSHPorts: []int{22}},
				{Name: "sentry-2", Role: platform.Sentry, Behind: "bastion", SSHPorts: []int{22}},
				{Name: "citizen-1", Role: platform.Citizen, Behind: "bastion", SSHPorts: []int{22}, Data: data},
				{Name: "bastion", Role: platform.Bastion},
			},
		},
	}
	s.connect()
	return s
}

// connect makes the edges of a plan with sentries from the hosts.
func (s *small) connect() {
	party := func(roles ...platform.Role) platform.Party {
		var names []string
		for _, h := range s.spec.Hosts {
			if len(roles) == 0 || slices.Contains(roles, h.Role) {
				names = append(names, h.Name)
			}
		}
		return platform.HostParty(names...)
	}
	edge := func(from, to platform.Party, protocol, why string, ports ...int) platform.Edge {
		return platform.Edge{From: from, To: to, Protocol: protocol, Ports: ports, Why: why}
	}
	sentries, nodes, all := party(platform.Sentry), party(platform.PRep, platform.Citizen), party()
	s.spec.Edges = []platform.Edge{
		edge(platform.Anywhere(), sentries, "tcp", "other validators", 7100),
		edge(sentries, party(platform.PRep), "tcp", "other validators, proxied", 7100),
		edge(nodes, sentries, "tcp", "the network's seeds, relayed", 7101, 7102, 7103),
		edge(sentries, platform.Anywhere(), "tcp", "the network's seeds", 7100),
		edge(all, platform.Anywhere(), "tcp", "packages", 80, 443),
		edge(all, platform.Anywhere(), "udp", "names and time", 53, 123),
	}
}

// add adds a citizen.
func (s *small) add(name, zone string) {
	citizen := s.spec.Hosts[3]
	citizen.Name = name
	s.spec.Hosts = append(s.spec.Hosts, citizen)
	s.args.Settings.Machines[name] = aws.Machine{Zone: zone}
	s.connect()
}

// with sets what is wished of a machine.
func (s *small) with(name string, change func(*aws.Machine)) {
	m := s.args.Settings.Machines[name]
	change(&m)
	s.args.Settings.Machines = maps.Clone(s.args.Settings.Machines)
	s.args.Settings.Machines[name] = m
}

func secret(text string) pulumi.StringPtrInput {
	return pulumi.ToSecret(pulumi.StringPtr(text)).(pulumi.StringPtrOutput)
}

// program deploys; look, if there is one, sees what was made.
func (s *small) program(look func(*aws.AWS, map[string]*platform.Host)) pulumi.RunFunc {
	return func(ctx *pulumi.Context) error {
		ssh, err := remote.NewProvider(ctx, "ssh")
		if err != nil {
			return err
		}
		cloud, err := aws.NewProvider(ctx, "aws", s.args.Settings)
		if err != nil {
			return err
		}
		keys, err := tls.NewProvider(ctx, "tls", nil)
		if err != nil {
			return err
		}
		on := aws.New(s.args)
		network, err := components.NewNetwork(ctx, "network", &components.NetworkArgs{
			Platform: on, Hosts: s.spec.Hosts, Edges: s.spec.Edges, Administrators: s.spec.Administrators,
		}, pulumi.Providers(ssh, cloud, keys))
		if err == nil && look != nil {
			look(on, network.Hosts)
		}
		return err
	}
}

func (s *small) record(t *testing.T) *graph.Graph {
	t.Helper()
	return graph.Record(t, graph.Options{}, s.program(nil))
}

// one is the resource with a name, below the network.
func one(t *testing.T, g *graph.Graph, name string) *graph.Resource {
	t.Helper()
	all := g.Named("network-" + name)
	if len(all) != 1 {
		t.Fatalf("there are %d resources with the name network-%s", len(all), name)
	}
	return all[0]
}

// input is an input of a resource at a path, without the wrapping of secrets and outputs; an empty property where there is none.
func input(r *graph.Resource, path ...string) resource.PropertyValue {
	v := resource.NewProperty(r.Inputs)
	for _, key := range path {
		v = bare(v)
		if v.IsArray() && len(v.ArrayValue()) > 0 {
			v = bare(v.ArrayValue()[0])
		}
		if !v.IsObject() {
			return resource.PropertyValue{}
		}
		v = v.ObjectValue()[resource.PropertyKey(key)]
	}
	return bare(v)
}

func bare(v resource.PropertyValue) resource.PropertyValue {
	for v.IsSecret() || v.IsOutput() {
		if v.IsSecret() {
			v = v.SecretValue().Element
		} else {
			v = v.OutputValue().Element
		}
	}
	return v
}
