package reach_test

import (
	"strings"
	"testing"
)

func TestEchoNeedsItsAnswerAndMessagesDoNot(t *testing.T) {
	s := network().group("web").exposed("web", "web", "public-a").lets("in", "web", "icmp", 8, -1, "0.0.0.0/0")
	s.lets("in", "web", "icmp", 3, 4, "0.0.0.0/0")
	same(t, "internet  web  icmp  8\ninternet  web  icmp  3", s.analyse(t))
	s.acl("acl", "public-a", "1 allow icmp 0 0 0.0.0.0/0", "out 1 allow tcp 1 65535 0.0.0.0/0").change("acl-rule-0", in{"icmpType": -1})
	same(t, "internet  web  icmp  3", s.analyse(t))
	s.change("acl-rule-1", in{"protocol": "1", "icmpType": 0, "icmpCode": -1})
	same(t, "internet  web  icmp  8\ninternet  web  icmp  3", s.analyse(t))
}

func TestAllButWhatAnACLDeniesIsSaidSo(t *testing.T) {
	s := network().group("web").exposed("web", "web", "public-a").lets("in", "web", "-1", 0, 0, "0.0.0.0/0")
	s.acl("acl", "public-a", "1 deny tcp 22 22 0.0.0.0/0", "2 allow -1 0 0 0.0.0.0/0", "out 1 allow -1 0 0 0.0.0.0/0")
	same(t, "internet  web  all but tcp  all\ninternet  web  tcp  0-21\ninternet  web  tcp  23-65535", s.analyse(t))
	same(t, "internet  web  all  all", s.drop("acl-rule-0").analyse(t))
}

func TestADenyForPartOfASubnetDeniesNotTheRest(t *testing.T) {
	s := network().group("web").group("app").host("app", "app", "public-b").host("web", "web", "public-a")
	s.lets("out", "web", "tcp", 80, 80, "app").lets("in", "app", "tcp", 80, 80, "web")
	s.acl("acl", "public-b", "1 deny -1 0 0 10.20.0.128/25", "2 allow -1 0 0 0.0.0.0/0", "out 1 allow -1 0 0 0.0.0.0/0")
	same(t, "web  app  tcp  80", s.analyse(t))
	same(t, "", s.change("web-instance", in{"privateIp": "10.20.0.200"}).analyse(t))
}

func TestAPrivateNATGatewayLeadsToNoInternet(t *testing.T) {
	got := fronted().change("nat", in{"connectivityType": "private"}).analyse(t).Why("prep-1", "internet", "tcp", 443)
	if want := "blocked: NAT gateway nat has no public address"; got != want {
		t.Errorf("got %s\nwant %s", got, want)
	}
}

func TestTwoPeeredNetworksOfOneGraphMeet(t *testing.T) {
	s := network().group("web").group("app").host("web", "web", "public-a").lets("out", "web", "tcp", 80, 80, "10.30.0.0/16")
	s.add("ec2/vpc:Vpc", "other", in{"cidrBlock": "10.30.0.0/16"})
	s.add("ec2/routeTable:RouteTable", "other-routes", in{"vpcId": "other_id"})
	s.add("ec2/subnet:Subnet", "other-subnet", in{"vpcId": "other_id", "cidrBlock": "10.30.0.0/22"})
	s.add("ec2/mainRouteTableAssociation:MainRouteTableAssociation", "other-main", in{"vpcId": "other_id", "routeTableId": "other-routes_id"})
	s.host("app", "app", "other-subnet").lets("in", "app", "tcp", 80, 80, "10.20.0.0/22")
	s.add("ec2/vpcPeeringConnection:VpcPeeringConnection", "peering", in{"vpcId": "vpc_id", "peerVpcId": "other_id"})
	s.add("ec2/route:Route", "there", in{
		"routeTableId": "routes-public_id", "destinationCidrBlock": "10.30.0.0/16", "vpcPeeringConnectionId": "peering_id",
	})
	same(t, "", s.analyse(t))
	s.add("ec2/route:Route", "back", in{
		"routeTableId": "other-routes_id", "destinationCidrBlock": "10.20.0.0/16", "vpcPeeringConnectionId": "peering_id",
	})
	same(t, "web  app  tcp  80", s.analyse(t))
}

func TestAPeersNetworkIsNamedBesideTheInternet(t *testing.T) {
	s := network().group("web").exposed("web", "web", "public-a").lets("in", "web", "tcp", 80, 80, "0.0.0.0/0")
	s.add("ec2/vpcPeeringConnection:VpcPeeringConnection", "office", in{"vpcId": "vpc_id", "peerVpcId": "vpc-0a1b2c3d"})
	s.add("ec2/route:Route", "route-office", in{
		"routeTableId": "routes-public_id", "destinationCidrBlock": "10.30.0.0/16", "vpcPeeringConnectionId": "office_id",
	})
	same(t, "internet  web  tcp  80\n10.30.0.0/16  web  tcp  80", s.analyse(t))
}

func TestEveryPathNamesTheAddressOfItsOwnHost(t *testing.T) {
	s := network().group("web").lets("in", "web", "tcp", 80, 80, "0.0.0.0/0")
	connections := s.exposed("web-1", "web", "public-a").exposed("web-2", "web", "public-a").analyse(t).Connections()
	if len(connections) != 2 {
		t.Fatalf("%d connections", len(connections))
	}
	for _, c := range connections {
		if way := strings.Join(c.Path, " -> "); !strings.Contains(way, "elastic address "+c.To+"-address -> ") {
			t.Errorf("to %s: %s", c.To, way)
		}
	}
}

func TestHostsThatRulesTellApartAreToldApart(t *testing.T) {
	s := network().group("web").group("app").host("app", "app", "private-a").lets("in", "app", "tcp", 80, 80, "10.20.0.10/32")
	s.host("web-1", "web", "public-a").host("web-2", "web", "public-a").lets("out", "web", "tcp", 80, 80, "app")
	s.change("web-1-instance", in{"privateIp": "10.20.0.10"}).change("web-2-instance", in{"privateIp": "10.20.0.11"})
	same(t, "web-1  app  tcp  80", s.analyse(t))
	s.lets("in", "web", "tcp", 443, 443, "0.0.0.0/0").add("ec2/eip:Eip", "address", in{"instance": "web-2-instance_id"})
	same(t, "web-1  app  tcp  80\ninternet  web-2  tcp  443", s.analyse(t))
	s.change("web-2-instance", in{"vpcSecurityGroupIds": []any{"group-app_id"}})
	same(t, "web-1  app  tcp  80\nweb-1  web-2  tcp  80", s.analyse(t))
}

func TestAnInterfaceEndpointAnswersAndNeverAsks(t *testing.T) {
	s := network().group("web").group("endpoint").host("web", "web", "private-a")
	s.lets("out", "web", "tcp", 443, 443, "0.0.0.0/0").lets("in", "web", "-1", 0, 0, "0.0.0.0/0")
	s.lets("out", "endpoint", "-1", 0, 0, "0.0.0.0/0").lets("in", "endpoint", "tcp", 443, 443, "web")
	s.add("ec2/vpcEndpoint:VpcEndpoint", "kms", in{
		"vpcId": "vpc_id", "vpcEndpointType": "Interface", "serviceName": "kms",
		"subnetIds": []any{"private-a_id"}, "securityGroupIds": []any{"group-endpoint_id"},
	})
	same(t, "web  internet  tcp  443\nweb  kms  tcp  443", s.analyse(t))
}

func TestAPrefixListOpensTheWayToItsServiceAlone(t *testing.T) {
	s := network().group("web").host("web", "web", "private-a")
	s.add("ec2/vpcEndpoint:VpcEndpoint", "s3", in{"vpcId": "vpc_id", "serviceName": "com.amazonaws.eu-central-1.s3"})
	s.add("ec2/vpcEndpointRouteTableAssociation:VpcEndpointRouteTableAssociation", "s3-routes",
		in{"vpcEndpointId": "s3_id", "routeTableId": "routes-private_id"})
	s.add("vpc/securityGroupEgressRule:SecurityGroupEgressRule", "web-s3", in{
		"securityGroupId": "group-web_id", "ipProtocol": "tcp", "fromPort": 443, "toPort": 443, "prefixListId": "",
	}).after("s3")
	same(t, "web  com.amazonaws.eu-central-1.s3  tcp  443", s.analyse(t))
	s.change("web-s3", in{"prefixListId": "pl-63a5400a"})
	same(t, "web  pl-63a5400a  tcp  443", s.analyse(t))
}

func TestAGroupTellsHostsOfOneRoleApart(t *testing.T) {
	s := network().group("web").group("app").lets("in", "web", "tcp", 443, 443, "0.0.0.0/0")
	s.exposed("web-1", "web", "public-a").exposed("web-2", "web", "public-a")
	same(t, "internet  web-1 web-2  tcp  443", s.analyse(t))
	s.change("web-2-instance", in{"vpcSecurityGroupIds": []any{"group-app_id"}})
	same(t, "internet  web-1  tcp  443", s.analyse(t))
}
