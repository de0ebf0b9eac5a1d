package reach_test

import (
	"strings"
	"testing"

	"github.com/pulumi/pulumi/sdk/v3/go/common/resource"

	"github.com/insight-icon/pulumi-icon/tests/graph"
	"github.com/insight-icon/pulumi-icon/tests/reach"
)

func TestWhatTheAnalysisDoesNotKnowIsAnError(t *testing.T) {
	for want, change := range map[string]func(s *site){
		"fleet (aws:ec2/fleet:Fleet): is of a kind that the analysis does not know": func(s *site) {
			s.add("ec2/fleet:Fleet", "fleet", nil)
		},
		"db (aws:rds/instance:Instance): is of a service": func(s *site) {
			s.add("rds/instance:Instance", "db", nil)
		},
		"old (aws:elb/loadBalancer:LoadBalancer): is of a service": func(s *site) {
			s.add("elb/loadBalancer:LoadBalancer", "old", nil)
		},
		"input cidrBlock is required": func(s *site) {
			s.change("vpc", in{"cidrBlock": nil})
		},
		`input subnetId is "subnet-1", which names no`: func(s *site) {
			s.change("prep-1-instance", in{"subnetId": "subnet-1"})
		},
		`input vpcSecurityGroupIds[0] is "sg-1", which is no security group`: func(s *site) {
			s.change("prep-1-instance", in{"vpcSecurityGroupIds": []any{"sg-1"}})
		},
		"input launchTemplate is not analysed": func(s *site) {
			s.change("prep-1-instance", in{"launchTemplate": in{"id": "lt"}})
		},
		"input assignGeneratedIpv6CidrBlock is not analysed": func(s *site) {
			s.change("vpc", in{"assignGeneratedIpv6CidrBlock": true})
		},
		"input networkInterfaceId is not analysed": func(s *site) {
			s.change("route-out", in{"natGatewayId": nil, "networkInterfaceId": "eni"})
		},
		"10.20.4.0/24, within the VPC": func(s *site) {
			s.change("route-out", in{"destinationCidrBlock": "10.20.4.0/24"})
		},
		`input cidrIpv4 is "everywhere", no IPv4 network`: func(s *site) {
			s.change("sentry-in-tcp-7100-0.0.0.0-0", in{"cidrIpv4": "everywhere"})
		},
		"which another rule of the same ACL and direction has": func(s *site) {
			s.acl("a", "public-a", "1 allow tcp 1 1 0.0.0.0/0", "1 deny tcp 2 2 0.0.0.0/0")
		},
		"two parties are named sentry-1": func(s *site) {
			s.change("prep-1-instance", in{"tags": in{"Host": "sentry-1"}})
		},
		`input networkInterfaces is not analysed`: func(s *site) {
			s.change("prep-1-instance", in{"networkInterfaces": []any{in{"deviceIndex": 0}}})
		},
		"is a subnet that has another network ACL already, a": func(s *site) {
			s.acl("a", "public-a").acl("b", "public-a")
		},
		"input protocol is \"tpc\", no protocol that is known": func(s *site) {
			s.acl("a", "public-a", "1 allow tpc 1 1 0.0.0.0/0")
		},
		`give it the name "a b": a host's name has neither spaces`: func(s *site) {
			s.change("prep-1-instance", in{"tags": in{"Host": "a b"}})
		},
		`input vpcId is not known: reachability is told of recorded deploys, not of`: func(s *site) {
			s.resources[1].Inputs["vpcId"] = resource.MakeComputed(resource.NewProperty(""))
		},
	} {
		t.Run(want, func(t *testing.T) {
			s := fronted()
			change(s)
			_, err := reach.Analyse(graph.New(s.resources...))
			if err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("got %v\nwant %s", err, want)
			}
		})
	}
}

func TestWhatIsHarmlessIsNoError(t *testing.T) {
	s := fronted().add("kms/key:Key", "key", nil).add("ec2/volumeAttachment:VolumeAttachment", "disk", nil)
	s.add("rds/instance:Instance", "db", nil).add("ec2/fleet:Fleet", "fleet", nil)
	r, err := reach.Analyse(graph.New(s.resources...), "rds", "aws:ec2/fleet:Fleet")
	if err != nil {
		t.Fatal(err)
	}
	same(t, frontedTable, r)
}
