package cloud

import (
	"encoding/json"
	"errors"
	"maps"
	"net"
	"net/http"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/pulumi/pulumi/sdk/v3/go/common/resource"
	pulumirpc "github.com/pulumi/pulumi/sdk/v3/proto/go"
	"golang.org/x/crypto/ssh"
)

// engine is what the tests ask a provider by.
type engine struct {
	t *testing.T
	p *provider
}

func newEngine(t *testing.T, kinds Kinds) *engine {
	t.Helper()
	return &engine{t: t, p: &provider{name: "test", version: "1.2.3", kinds: kinds, store: store{dir: t.TempDir()}}}
}

func urn(token, name string) string {
	return "urn:pulumi:s::p::icon:components:Network$" + token + "::" + name
}

func (e *engine) properties(m map[string]any) resource.PropertyMap {
	return resource.NewPropertyMapFromMap(m)
}

func (e *engine) create(token, name string, in map[string]any) (string, resource.PropertyMap, error) {
	e.t.Helper()
	properties, err := written(e.properties(in))
	if err != nil {
		e.t.Fatal(err)
	}
	answer, err := e.p.Create(e.t.Context(), &pulumirpc.CreateRequest{Urn: urn(token, name), Properties: properties})
	if err != nil {
		return "", nil, err
	}
	out, err := read(answer.GetProperties())
	if err != nil {
		e.t.Fatal(err)
	}
	return answer.GetId(), out, nil
}

func (e *engine) made(token, name string, in map[string]any) (string, resource.PropertyMap) {
	e.t.Helper()
	id, out, err := e.create(token, name, in)
	if err != nil {
		e.t.Fatal(err)
	}
	return id, out
}

func (e *engine) delete(token, name, id string) error {
	e.t.Helper()
	_, err := e.p.Delete(e.t.Context(), &pulumirpc.DeleteRequest{Urn: urn(token, name), Id: id})
	return err
}

const (
	vpcType      = "aws:ec2/vpc:Vpc"
	subnetType   = "aws:ec2/subnet:Subnet"
	gatewayType  = "aws:ec2/internetGateway:InternetGateway"
	groupType    = "aws:ec2/securityGroup:SecurityGroup"
	instanceType = "aws:ec2/instance:Instance"
	volumeType   = "aws:ebs/volume:Volume"
	attachType   = "aws:ec2/volumeAttachment:VolumeAttachment"
	addressType  = "aws:ec2/eip:Eip"
	assocType    = "aws:ec2/eipAssociation:EipAssociation"
)

// cloudWithAMachine is a machine with all that it needs; ids by name.
func cloudWithAMachine(t *testing.T) (*engine, map[string]string) {
	t.Helper()
	e, id := newEngine(t, AWS()), map[string]string{}
	id["vpc"], _ = e.made(vpcType, "vpc", map[string]any{"cidrBlock": "10.20.0.0/22"})
	id["gateway"], _ = e.made(gatewayType, "gateway", map[string]any{"vpcId": id["vpc"]})
	id["subnet"], _ = e.made(subnetType, "subnet", map[string]any{
		"vpcId": id["vpc"], "cidrBlock": "10.20.0.16/28", "availabilityZone": "eu-central-1a",
	})
	id["group"], _ = e.made(groupType, "group", map[string]any{"vpcId": id["vpc"], "description": "icon: hosts"})
	id["instance"], _ = e.made(instanceType, "instance", map[string]any{
		"ami": AMI, "instanceType": "m7i.large", "subnetId": id["subnet"], "vpcSecurityGroupIds": []any{id["group"]},
		"disableApiTermination": true,
	})
	id["volume"], _ = e.made(volumeType, "volume", map[string]any{"availabilityZone": "eu-central-1a", "size": 10})
	id["attachment"], _ = e.made(attachType, "attachment", map[string]any{
		"deviceName": "/dev/sdf", "instanceId": id["instance"], "volumeId": id["volume"],
	})
	id["address"], _ = e.made(addressType, "address", map[string]any{"domain": "vpc"})
	id["association"], _ = e.made(assocType, "association", map[string]any{"allocationId": id["address"], "instanceId": id["instance"]})
	return e, id
}

func TestWhatIsInUseIsNotDeleted(t *testing.T) {
	e, id := cloudWithAMachine(t)
	for name, c := range map[string]struct{ token, want string }{
		"vpc":      {vpcType, "in use by gateway, group, subnet"},
		"subnet":   {subnetType, "in use by instance"},
		"group":    {groupType, "in use by instance"},
		"gateway":  {gatewayType, "mapped public address(es): association"},
		"volume":   {volumeType, "in use by attachment"},
		"address":  {addressType, "in use by association"},
		"instance": {instanceType, "change its disableApiTermination"},
	} {
		if err := e.delete(c.token, name, id[name]); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("deleting %s: %v, wanted %q", name, err, c.want)
		}
	}
	for _, name := range []string{"attachment", "association", "volume", "address", "gateway"} {
		tokens := map[string]string{
			"attachment": attachType, "association": assocType, "volume": volumeType, "address": addressType, "gateway": gatewayType,
		}
		if err := e.delete(tokens[name], name, id[name]); err != nil {
			t.Error(err)
		}
	}
}

func TestWhatAWSWouldRefuseIsNotMade(t *testing.T) {
	e, id := cloudWithAMachine(t)
	other, _ := e.made(vpcType, "other", map[string]any{"cidrBlock": "10.30.0.0/16"})
	inOther, _ := e.made(subnetType, "in-other", map[string]any{
		"vpcId": other, "cidrBlock": "10.30.0.0/24", "availabilityZone": "eu-central-1b",
	})
	elsewhere, _ := e.made(volumeType, "elsewhere", map[string]any{"availabilityZone": "eu-central-1b", "size": 10})
	for want, c := range map[string]struct {
		token string
		in    map[string]any
	}{
		"NotFound":               {subnetType, map[string]any{"vpcId": "vpc-0", "cidrBlock": "10.20.1.0/24"}},
		"InvalidSubnet.Range":    {subnetType, map[string]any{"vpcId": other, "cidrBlock": "10.20.1.0/24"}},
		"InvalidSubnet.Conflict": {subnetType, map[string]any{"vpcId": id["vpc"], "cidrBlock": "10.20.0.0/25"}},
		"Gateway.NotAttached":    {"aws:ec2/natGateway:NatGateway", map[string]any{"subnetId": inOther}},
		"VolumeInUse":            {attachType, map[string]any{"deviceName": "/dev/sdf", "instanceId": id["instance"], "volumeId": id["volume"]}},
		"ZoneMismatch":           {attachType, map[string]any{"deviceName": "/dev/sdf", "instanceId": id["instance"], "volumeId": elsewhere}},
		"AlreadyAssociated":      {assocType, map[string]any{"allocationId": id["address"], "instanceId": id["instance"]}},
		"does not know the type": {"aws:rds/instance:Instance", nil},
	} {
		if _, _, err := e.create(c.token, "new", c.in); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s %v: %v, wanted %s", c.token, c.in, err, want)
		}
	}
	for range 4 {
		e.made(addressType, "more", map[string]any{"domain": "vpc"})
	}
	if _, _, err := e.create(addressType, "sixth", nil); err == nil || !strings.Contains(err.Error(), "AddressLimitExceeded") {
		t.Errorf("a sixth elastic address: %v", err)
	}
}

func TestAddressesAreOfTheirNetworksAndNeverTheSame(t *testing.T) {
	e, id := cloudWithAMachine(t)
	in := map[string]any{"ami": AMI, "instanceType": "m7i.large", "subnetId": id["subnet"]}
	next, second := e.made(instanceType, "second", in)
	if err := e.delete(instanceType, "second", next); err != nil {
		t.Fatal(err)
	}
	_, third := e.made(instanceType, "third", in)
	// AWS keeps the first four to itself; the fifth is the first machine's.
	if a, b := second["privateIp"].StringValue(), third["privateIp"].StringValue(); a != "10.20.0.21" || b != "10.20.0.22" {
		t.Errorf("the addresses are %s and %s", a, b)
	}
}

func TestMissingInputsAreRefusedAndFixedOnesReplace(t *testing.T) {
	e := newEngine(t, AWS())
	marshal := func(m map[string]any) *pulumirpc.CheckRequest {
		s, err := written(e.properties(m))
		if err != nil {
			t.Fatal(err)
		}
		return &pulumirpc.CheckRequest{Urn: urn(instanceType, "x"), News: s}
	}
	checked, err := e.p.Check(t.Context(), marshal(map[string]any{"ami": AMI, "subnetId": "", "userData": strings.Repeat("x", 17000)}))
	if err != nil {
		t.Fatal(err)
	}
	var refused []string
	for _, f := range checked.GetFailures() {
		refused = append(refused, f.GetProperty()+": "+f.GetReason())
	}
	if got := strings.Join(refused, "; "); !strings.Contains(got, "instanceType: missing") || !strings.Contains(got, "subnetId: missing") ||
		!strings.Contains(got, "16384") || len(refused) != 3 {
		t.Errorf("refused are %q", got)
	}
	secret := resource.PropertyMap{"userData": resource.MakeSecret(resource.NewProperty("a")), "ami": resource.NewProperty("a")}
	open := resource.PropertyMap{
		"userData": resource.NewProperty("a"), "ami": resource.NewProperty("b"), "monitoring": resource.NewProperty(true),
	}
	olds, err := written(secret)
	if err != nil {
		t.Fatal(err)
	}
	news, err := written(open)
	if err != nil {
		t.Fatal(err)
	}
	diff, err := e.p.Diff(t.Context(), &pulumirpc.DiffRequest{Urn: urn(instanceType, "x"), OldInputs: olds, News: news})
	if err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(diff.GetDiffs(), []string{"ami", "monitoring"}) || !slices.Equal(diff.GetReplaces(), []string{"ami"}) {
		t.Errorf("changed are %v, replaced for %v", diff.GetDiffs(), diff.GetReplaces())
	}
}

func TestAPreviewMakesNothingAndKnowsNoOutputs(t *testing.T) {
	e := newEngine(t, AWS())
	answer, err := e.p.Create(t.Context(), &pulumirpc.CreateRequest{Urn: urn(addressType, "x"), Preview: true})
	if err != nil {
		t.Fatal(err)
	}
	out, err := read(answer.GetProperties())
	if err != nil || !out["publicIp"].IsComputed() || answer.GetId() != "" {
		t.Errorf("the preview says %v with the id %q: %v", out, answer.GetId(), err)
	}
	if err := e.p.store.change(func(s *state) error {
		if len(s.Resources) > 0 {
			t.Errorf("there are %v", slices.Collect(maps.Keys(s.Resources)))
		}
		return nil
	}); err != nil {
		t.Error(err)
	}
}

func TestMachinesAreCarriedOutAndAFailedOneIsNotThere(t *testing.T) {
	e, id := cloudWithAMachine(t)
	e.p.machines.socket = filepath.Join(t.TempDir(), "s")
	listener, err := net.Listen("unix", e.p.machines.socket)
	if err != nil {
		t.Fatal(err)
	}
	var orders []string
	answer := error(nil)
	server := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var o Order
		if err := json.NewDecoder(r.Body).Decode(&o); err != nil {
			t.Error(err)
		}
		orders = append(orders, o.Op+" "+o.Resource.Name)
		if answer != nil {
			http.Error(w, answer.Error(), http.StatusConflict)
		}
	})}
	go func() { _ = server.Serve(listener) }()
	defer server.Close()
	in := map[string]any{"ami": AMI, "instanceType": "m7i.large", "subnetId": id["subnet"]}
	e.made(instanceType, "good", in)
	e.made(groupType, "group-2", map[string]any{"vpcId": id["vpc"]})
	answer = errors.New("no power")
	if _, _, err := e.create(instanceType, "bad", in); err == nil || !strings.Contains(err.Error(), "no power") {
		t.Errorf("a machine that does not boot: %v", err)
	}
	if want := []string{"create good", "create bad"}; !slices.Equal(orders, want) {
		t.Errorf("carried out was %v, wanted %v", orders, want)
	}
	if err := e.p.store.change(func(s *state) error {
		if n := len(s.ofType(instanceType)); n != 2 {
			t.Errorf("there are %d machines, wanted the first and the good one", n)
		}
		return nil
	}); err != nil {
		t.Error(err)
	}
}

func TestHostKeysAreSecretAndOfOnePair(t *testing.T) {
	e := newEngine(t, TLS())
	_, out := e.made("tls:index/privateKey:PrivateKey", "key", map[string]any{"algorithm": "ED25519"})
	if !out["privateKeyOpenssh"].IsSecret() {
		t.Fatal("the private half is no secret")
	}
	signer, err := ssh.ParsePrivateKey([]byte(bare(out["privateKeyOpenssh"]).StringValue()))
	if err != nil {
		t.Fatal(err)
	}
	if public := string(ssh.MarshalAuthorizedKey(signer.PublicKey())); out["publicKeyOpenssh"].StringValue() != public {
		t.Errorf("the public half is %s, wanted %s", out["publicKeyOpenssh"].StringValue(), public)
	}
}
