package aws_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/pulumi/pulumi/sdk/v3/go/common/resource"

	"github.com/insight-icon/pulumi-icon/components"
	"github.com/insight-icon/pulumi-icon/components/platform"
	"github.com/insight-icon/pulumi-icon/components/platform/aws"
	"github.com/insight-icon/pulumi-icon/tests/graph"
)

func TestAGraphIsSoundInBothModes(t *testing.T) {
	small := newSmall()
	graph.InBothModes(t, small.program(nil), func(t *testing.T, g *graph.Graph) {
		t.Helper()
		graph.UniqueURNs(t, g)
		graph.EveryChildBelow(t, g, components.NetworkType)
		graph.ProvidersGiven(t, g)
		graph.SecretsMarked(t, g, small.private)
		for _, r := range g.Resources {
			want := ""
			switch {
			case strings.HasPrefix(r.Type, "aws:"):
				want = "::aws::"
			case strings.HasPrefix(r.Type, "tls:"):
				want = "::tls::"
			}
			if r.Custom && want != "" && !strings.Contains(r.Provider, want) {
				t.Errorf("%s is made with %q", r.URN, r.Provider)
			}
			if want != "" && r.Parent != one(t, g, "vpc").Parent {
				t.Errorf("%s has the parent %s", r.URN, r.Parent)
			}
		}
	})
}

// untagged are the types that AWS has no tags for.
var untagged = []string{
	"aws:ec2/eipAssociation:EipAssociation", "aws:ec2/networkAclAssociation:NetworkAclAssociation", "aws:ec2/route:Route",
	"aws:ec2/routeTableAssociation:RouteTableAssociation", "aws:ec2/volumeAttachment:VolumeAttachment", "aws:iam/rolePolicy:RolePolicy",
	"aws:ec2/vpcEndpointRouteTableAssociation:VpcEndpointRouteTableAssociation", "aws:ec2transitgateway/instanceState:InstanceState",
}

func TestEverythingThatTakesTagsHasThem(t *testing.T) {
	check := func(what string, tags resource.PropertyValue, name string) {
		t.Helper()
		want := map[string]string{"Name": name, "Project": "icon", "Stack": "test", "ManagedBy": "pulumi", "Team": "nodes"}
		for k, v := range want {
			if !tags.IsObject() || tags.ObjectValue()[resource.PropertyKey(k)].V != v {
				t.Errorf("%s: its tags are %v, wanted %s=%s among them", what, tags, k, v)
			}
		}
	}
	g := newSmall().record(t)
	tagged := 0
	for _, r := range g.Resources {
		if !strings.HasPrefix(r.Type, "aws:") || slices.Contains(untagged, r.Type) {
			continue
		}
		tagged++
		check(r.URN, input(r, "tags"), r.Name)
	}
	if tagged < 40 {
		t.Errorf("only %d resources were looked at", tagged)
	}
	for _, h := range []string{"prep-1", "bastion"} {
		check(h, input(one(t, g, h+"-instance"), "rootBlockDevice", "tags"), "network-"+h+"-root")
	}
	volume := one(t, g, "prep-1-data")
	if input(volume, "tags", "Host").V != "prep-1" || input(volume, "tags", "Role").V != "prep" {
		t.Errorf("the volume's tags are %v, wanted its host and role among them", input(volume, "tags"))
	}
}

func TestOneSettingProtectsWhatCannotBeMadeAgain(t *testing.T) {
	protected := []string{
		"aws:ec2/instance:Instance", "aws:ebs/volume:Volume", "aws:ec2/eip:Eip", "aws:kms/key:Key", "tls:index/privateKey:PrivateKey",
	}
	for _, protect := range []bool{true, false} {
		s := newSmall()
		s.args.Settings.Protect = &protect
		g := s.record(t)
		for _, r := range g.Resources {
			if want := protect && slices.Contains(protected, r.Type); r.Protect != want {
				t.Errorf("protect %v: %s is protected: %v", protect, r.URN, r.Protect)
			}
			if r.Type == "aws:ec2/instance:Instance" && input(r, "disableApiTermination").V != protect {
				t.Errorf("protect %v: %s has disableApiTermination %v", protect, r.URN, input(r, "disableApiTermination").V)
			}
		}
	}
}

func TestChainDataOutlivesTheStackUnlessItIsToBeWiped(t *testing.T) {
	for _, keep := range []bool{true, false} {
		s := newSmall()
		for i, h := range s.spec.Hosts {
			if h.Data != nil {
				data := *h.Data
				data.Keep = keep
				s.spec.Hosts[i].Data = &data
			}
		}
		g := s.record(t)
		for _, name := range []string{"prep-1-data", "citizen-1-data", "key"} {
			if r := one(t, g, name); r.RetainOnDelete != keep {
				t.Errorf("keep %v: %s is retained: %v", keep, r.Name, r.RetainOnDelete)
			}
		}
		if one(t, g, "prep-1-instance").RetainOnDelete {
			t.Error("a machine is retained")
		}
	}
}

func TestMachinesAreAsHardAsTheyCanBe(t *testing.T) {
	g := newSmall().record(t)
	machines := g.OfType("aws:ec2/instance:Instance")
	if len(machines) != 5 {
		t.Errorf("there are %d machines", len(machines))
	}
	for _, r := range machines {
		for path, want := range map[string]any{
			"metadataOptions.httpTokens": "required", "metadataOptions.httpPutResponseHopLimit": 1.0,
			"metadataOptions.instanceMetadataTags": "disabled", "monitoring": true, "ebsOptimized": true,
			"rootBlockDevice.encrypted": true, "rootBlockDevice.volumeType": "gp3",
			"rootBlockDevice.kmsKeyId": "arn:aws:kms:eu-central-1:123456789012:network-key",
			"iamInstanceProfile":       "network-machine-profile_id",
		} {
			if got := input(r, strings.Split(path, ".")...).V; got != want {
				t.Errorf("%s: %s is %v, wanted %v", r.Name, path, got, want)
			}
		}
	}
	for _, r := range g.Resources {
		if strings.HasPrefix(r.Type, "aws:iam/rolePolicy") && strings.Contains(r.Name, "machine") {
			t.Errorf("%s: the machines' role grants something", r.URN)
		}
	}
	volume := one(t, g, "prep-1-data")
	if input(volume, "encrypted").V != true || input(volume, "type").V != "gp3" {
		t.Errorf("the chain-data volume is %v", volume.Inputs)
	}
}

func TestUserDataIsSecretAndItsChangesStopNoMachine(t *testing.T) {
	graph.InBothModes(t, newSmall().program(nil), func(t *testing.T, g *graph.Graph) {
		t.Helper()
		for _, r := range g.OfType("aws:ec2/instance:Instance") {
			if v := r.Inputs["userData"]; !v.IsSecret() && (!v.IsOutput() || !v.OutputValue().Secret) {
				t.Errorf("%s: its user-data is no secret", r.Name)
			}
			if !slices.Contains(r.IgnoreChanges, "userData") {
				t.Errorf("%s ignores changes of %v", r.Name, r.IgnoreChanges)
			}
		}
	})
	_, public := keyPair("deploy", "")
	text := input(one(t, newSmall().record(t), "prep-1-instance"), "userData").StringValue()
	for _, part := range []string{"#cloud-config", "name: admin", public, "OPENSSH PRIVATE KEY"} {
		if !strings.Contains(text, part) {
			t.Errorf("the user-data does not hold %q", part)
		}
	}
}

func TestANewerImageReplacesNoMachineAndANamedOneDoes(t *testing.T) {
	s := newSmall()
	const named = "ami-0aaaaaaaaaaaaaaaa"
	s.with("prep-1", func(m *aws.Machine) { m.Image = named })
	g := s.record(t)
	for host, want := range map[string]struct {
		image   string
		ignored bool
	}{"prep-1": {named, false}, "citizen-1": {graph.AMI, true}} {
		r := one(t, g, host+"-instance")
		if got := input(r, "ami").V; got != want.image || slices.Contains(r.IgnoreChanges, "ami") != want.ignored {
			t.Errorf("%s: image %v, ignores changes of %v", host, got, r.IgnoreChanges)
		}
	}
}

func TestExposedMachinesAloneHaveAPublicAddress(t *testing.T) {
	s := newSmall()
	g := graph.Record(t, graph.Options{}, s.program(func(on *aws.AWS, hosts map[string]*platform.Host) {
		made := on.Made()
		if got := strings.Join(names(made.Addresses), " "); got != "bastion nat-eu-central-1a sentry-1 sentry-2" {
			t.Errorf("addresses are made for %s", got)
		}
		if got := strings.Join(names(made.Subnets), " "); got != "private-a private-b public-a public-b" {
			t.Errorf("the subnets are %s", got)
		}
		if h := hosts["prep-1"]; h.Zone != "eu-central-1b" || h.OS != "debian-12" || h.Arch != "amd64" || h.DataDevice == nil {
			t.Errorf("the P-Rep's host is in %q, %q, %q", h.Zone, h.OS, h.Arch)
		}
	}))
	for host, subnet := range map[string]string{
		"bastion": "public-a", "sentry-1": "public-a", "sentry-2": "public-b", "prep-1": "private-b", "citizen-1": "private-a",
	} {
		r := one(t, g, host+"-instance")
		if got := input(r, "subnetId").V; got != "network-subnet-"+subnet+"_id" {
			t.Errorf("%s is in %v, wanted %s", host, got, subnet)
		}
		// "No" beside an elastic address would have the provider replace the machine.
		var want any
		if strings.HasPrefix(subnet, "private") {
			want = false
		}
		if got := input(r, "associatePublicIpAddress").V; got != want {
			t.Errorf("%s: associatePublicIpAddress is %v, wanted %v", host, got, want)
		}
	}
}

func TestADeviceIsNamedByItsVolume(t *testing.T) {
	s := newSmall()
	s.with("prep-1", func(m *aws.Machine) { m.RestoreFrom = "snap-0123456789abcdef0" })
	g := s.record(t)
	program, _ := g.Step("prep-1", "disk").Stdin()
	// The recorder's id of the volume, without dashes.
	if want := "/dev/disk/by-id/nvme-Amazon_Elastic_Block_Store_networkprep1data_id"; !strings.Contains(program, want) {
		t.Errorf("the step does not name %s", want)
	}
	if got := input(one(t, g, "prep-1-data"), "snapshotId").V; got != "snap-0123456789abcdef0" {
		t.Errorf("the volume is made from %v", got)
	}
}

func names[V any](m map[string]V) []string {
	all := make([]string, 0, len(m))
	for k := range m {
		all = append(all, k)
	}
	slices.Sort(all)
	return all
}
