package aws_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/insight-icon/pulumi-icon/components/platform/aws"
	"github.com/insight-icon/pulumi-icon/tests/graph"
)

// changed lists what of AWS is not in after as it was before, and what is new.
func changed(before, after *graph.Graph) (gone, altered, added []string) {
	details := func(g *graph.Graph) map[string]string {
		all := map[string]string{}
		var urn string
		for line := range strings.Lines(g.Detail()) {
			if strings.HasPrefix(line, "urn:") {
				urn = strings.TrimSpace(line)
			}
			if strings.Contains(urn, "$aws:") || strings.Contains(urn, "$tls:") {
				all[urn] += line
			}
		}
		return all
	}
	was, is := details(before), details(after)
	for _, urn := range names(was) {
		switch now, there := is[urn]; {
		case !there:
			gone = append(gone, urn)
		case now != was[urn]:
			altered = append(altered, urn)
		}
	}
	for _, urn := range names(is) {
		if _, there := was[urn]; !there {
			added = append(added, urn[strings.LastIndex(urn, "::")+2:])
		}
	}
	return gone, altered, added
}

func TestAnotherZoneMovesNothing(t *testing.T) {
	before, s := newSmall().record(t), newSmall()
	s.args.Settings.Zones = append(s.args.Settings.Zones, "eu-central-1c")
	gone, altered, added := changed(before, s.record(t))
	if len(gone)+len(altered) > 0 {
		t.Errorf("gone: %v\naltered: %v", gone, altered)
	}
	want := "network-routes-private-c network-routes-private-c-out network-routes-private-c-s3 network-subnet-private-c " +
		"network-subnet-private-c-acl network-subnet-private-c-routes network-subnet-public-c network-subnet-public-c-acl " +
		"network-subnet-public-c-routes"
	if got := sorted(added); got != want {
		t.Errorf("added\n%s\nwanted\n%s", got, want)
	}
}

func TestAnotherHostChangesNoOther(t *testing.T) {
	before, s := newSmall().record(t), newSmall()
	s.add("citizen-2", "eu-central-1b")
	gone, altered, added := changed(before, s.record(t))
	if len(gone)+len(altered) > 0 {
		t.Errorf("gone: %v\naltered: %v", gone, altered)
	}
	want := "network-citizen-2-alarm network-citizen-2-data network-citizen-2-data-attachment network-citizen-2-data-running " +
		"network-citizen-2-host-key network-citizen-2-instance"
	if got := sorted(added); got != want {
		t.Errorf("added\n%s\nwanted\n%s", got, want)
	}
}

func sorted(list []string) string {
	set := map[string]bool{}
	for _, s := range list {
		set[s] = true
	}
	return strings.Join(names(set), " ")
}

func TestThereAreAsManyNATGatewaysAsAskedFor(t *testing.T) {
	for name, c := range map[string]struct {
		change func(*small)
		want   string // gateways, and which one each private subnet's routes lead to
	}{
		"one": {func(*small) {}, "network-nat-a: a=network-nat-a_id b=network-nat-a_id"},
		"per zone": {func(s *small) {
			s.args.Settings.VPC.NAT, s.args.Settings.ElasticIPQuota = "per-zone", 6
		}, "network-nat-a network-nat-b: a=network-nat-a_id b=network-nat-b_id"},
		"none": {func(s *small) {
			// Nobody is private: a P-Rep that the internet reaches, and the bastion.
			s.spec.Hosts = append(s.spec.Hosts[:1:1], s.spec.Hosts[4])
			s.connect()
			s.spec.Edges = s.spec.Edges[4:]
			s.spec.Edges = append(s.spec.Edges, exposing("prep-1"))
			s.args.Announce = ""
			s.args.Settings.Machines = map[string]aws.Machine{"prep-1": {Zone: "eu-central-1a"}, "bastion": {Zone: "eu-central-1a"}}
		}, ": a=none b=none"},
	} {
		t.Run(name, func(t *testing.T) {
			s := newSmall()
			c.change(s)
			g := s.record(t)
			var gateways []string
			for _, r := range g.OfType("aws:ec2/natGateway:NatGateway") {
				gateways = append(gateways, r.Name)
			}
			got := sorted(gateways) + ":"
			for _, zone := range []string{"a", "b"} {
				to := "none"
				if out := g.Named("network-routes-private-" + zone + "-out"); len(out) > 0 {
					to = input(out[0], "natGatewayId").StringValue()
				}
				got += " " + zone + "=" + to
			}
			if got != c.want {
				t.Errorf("got %q, wanted %q", got, c.want)
			}
		})
	}
}

func TestAnExistingVPCIsUsedAndNoNetworkIsMade(t *testing.T) {
	s := newSmall()
	s.args.Settings.VPC = aws.VPC{CIDR: "10.30.0.0/16", Existing: &aws.ExistingVPC{
		ID:      "vpc-0123456789abcdef0",
		Public:  map[string]string{"eu-central-1a": "subnet-0aaaaaaaaaaaaaaa1", "eu-central-1b": "subnet-0aaaaaaaaaaaaaaa2"},
		Private: map[string]string{"eu-central-1a": "subnet-0aaaaaaaaaaaaaaa3", "eu-central-1b": "subnet-0aaaaaaaaaaaaaaa4"},
	}}
	g := s.record(t)
	for _, r := range g.Resources {
		for _, kind := range []string{
			"ec2/vpc:", "ec2/subnet:", "ec2/internetGateway:", "ec2/natGateway:", "ec2/route", "ec2/networkAcl", "ec2/defaultSecurityGroup:",
			"ec2/flowLog:", "ec2/vpcEndpoint", "cloudwatch/logGroup:",
		} {
			if strings.HasPrefix(r.Type, "aws:"+kind) {
				t.Errorf("%s is made in a network of the operator's", r.URN)
			}
		}
	}
	if got := input(one(t, g, "prep-1-instance"), "subnetId").V; got != "subnet-0aaaaaaaaaaaaaaa4" {
		t.Errorf("the P-Rep is in %v", got)
	}
	if got := input(one(t, g, "group-prep"), "vpcId").V; got != "vpc-0123456789abcdef0" {
		t.Errorf("the security groups are in %v", got)
	}
}

func TestNoSnapshotsAreMadeWhereNoneAreWanted(t *testing.T) {
	s := newSmall()
	s.args.Settings.Snapshots.Off = true
	g := s.record(t)
	if made := g.OfType("aws:dlm/lifecyclePolicy:LifecyclePolicy"); len(made) > 0 {
		t.Errorf("%s is made", made[0].URN)
	}
	if tag := input(one(t, g, "prep-1-data"), "tags", "Snapshots"); tag.V != nil {
		t.Errorf("the volume is marked %v", tag)
	}
}

// A volume cannot change its key, so the provider would make another: blank.
func TestAnotherKeyReplacesNoVolumeAndNoMachine(t *testing.T) {
	g := newSmall().record(t)
	for name, input := range map[string]string{
		"prep-1-data": "kmsKeyId", "prep-1-instance": "rootBlockDevice.kmsKeyId", "bastion-instance": "rootBlockDevice.kmsKeyId",
	} {
		if r := one(t, g, name); !slices.Contains(r.IgnoreChanges, input) {
			t.Errorf("%s ignores changes of %v", r.Name, r.IgnoreChanges)
		}
	}
}

func TestARestoredVolumeStaysWhenItsSnapshotIsNoLongerNamed(t *testing.T) {
	for snapshot, ignored := range map[string]bool{"": true, "snap-0123456789abcdef0": false} {
		s := newSmall()
		s.with("prep-1", func(m *aws.Machine) { m.RestoreFrom = snapshot })
		if r := one(t, s.record(t), "prep-1-data"); slices.Contains(r.IgnoreChanges, "snapshotId") != ignored {
			t.Errorf("restoreFrom %q: %s ignores changes of %v", snapshot, r.Name, r.IgnoreChanges)
		}
	}
}

func TestAnOperatorsKeyIsUsedInPlaceOfOne(t *testing.T) {
	s := newSmall()
	const key = "arn:aws:kms:eu-central-1:123456789012:key/01234567-89ab-cdef-0123-456789abcdef"
	s.args.Settings.KMSKey = key
	g := s.record(t)
	if len(g.OfType("aws:kms/key:Key")) > 0 {
		t.Error("a key is made")
	}
	for _, r := range []*graph.Resource{one(t, g, "prep-1-data"), one(t, g, "flow-logs")} {
		if got := input(r, "kmsKeyId").V; got != key {
			t.Errorf("%s is encrypted with %v", r.Name, got)
		}
	}
}
