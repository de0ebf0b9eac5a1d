package reach

import (
	"strings"

	"github.com/insight-icon/pulumi-icon/tests/graph"
)

// Types of resources that are named more than once.
const (
	vpcType        = "aws:ec2/vpc:Vpc"
	subnetType     = "aws:ec2/subnet:Subnet"
	gatewayType    = "aws:ec2/internetGateway:InternetGateway"
	natType        = "aws:ec2/natGateway:NatGateway"
	tableType      = "aws:ec2/routeTable:RouteTable"
	mainTableType  = "aws:ec2/defaultRouteTable:DefaultRouteTable"
	peeringType    = "aws:ec2/vpcPeeringConnection:VpcPeeringConnection"
	groupType      = "aws:ec2/securityGroup:SecurityGroup"
	mainGroupType  = "aws:ec2/defaultSecurityGroup:DefaultSecurityGroup"
	aclType        = "aws:ec2/networkAcl:NetworkAcl"
	mainACLType    = "aws:ec2/defaultNetworkAcl:DefaultNetworkAcl"
	instanceType   = "aws:ec2/instance:Instance"
	interfaceType  = "aws:ec2/networkInterface:NetworkInterface"
	eipType        = "aws:ec2/eip:Eip"
	endpointType   = "aws:ec2/vpcEndpoint:VpcEndpoint"
	balancerType   = "aws:lb/loadBalancer:LoadBalancer"
	targetsType    = "aws:lb/targetGroup:TargetGroup"
	listenerType   = "aws:lb/listener:Listener"
	ingressType    = "aws:vpc/securityGroupIngressRule:SecurityGroupIngressRule"
	egressType     = "aws:vpc/securityGroupEgressRule:SecurityGroupEgressRule"
	legacyRuleType = "aws:ec2/securityGroupRule:SecurityGroupRule"
)

// harmlessKinds of ec2, lb and vpc let nobody reach anything, and keep nobody from it.
var harmlessKinds = set(
	"ec2/ami:Ami", "ec2/amiCopy:AmiCopy", "ec2/amiFromInstance:AmiFromInstance", "ec2/amiLaunchPermission:AmiLaunchPermission",
	"ec2/availabilityZoneGroup:AvailabilityZoneGroup", "ec2/capacityReservation:CapacityReservation", "ec2/dedicatedHost:DedicatedHost",
	"ec2/defaultCreditSpecification:DefaultCreditSpecification", "ec2/eipDomainName:EipDomainName", "ec2/flowLog:FlowLog",
	"ec2/imageBlockPublicAccess:ImageBlockPublicAccess", "ec2/instanceMetadataDefaults:InstanceMetadataDefaults", "ec2/keyPair:KeyPair",
	"ec2/launchTemplate:LaunchTemplate", "ec2/networkInsightsAnalysis:NetworkInsightsAnalysis",
	"ec2/networkInsightsPath:NetworkInsightsPath", "ec2/peeringConnectionOptions:PeeringConnectionOptions",
	"ec2/placementGroup:PlacementGroup", "ec2/snapshotCreateVolumePermission:SnapshotCreateVolumePermission",
	"ec2/subnetCidrReservation:SubnetCidrReservation", "ec2/tag:Tag", "ec2/volumeAttachment:VolumeAttachment",
	"ec2/vpcDhcpOptions:VpcDhcpOptions", "ec2/vpcDhcpOptionsAssociation:VpcDhcpOptionsAssociation",
	"ec2/vpcEndpointPolicy:VpcEndpointPolicy", "ec2/vpcPeeringConnectionAccepter:VpcPeeringConnectionAccepter",
	"lb/listenerCertificate:ListenerCertificate", "lb/trustStore:TrustStore", "lb/trustStoreRevocation:TrustStoreRevocation",
	"vpc/endpointPrivateDns:EndpointPrivateDns",
	"ec2transitgateway/instanceState:InstanceState", // starts and stops an instance: its module is a slip of the provider's
)

// harmlessServices make nothing within a network, and open no way into one. A web firewall or Shield may refuse some requests of a
// connection that is listed here, never the connection.
var harmlessServices = set(
	"accessanalyzer", "account", "acm", "backup", "budgets", "cfg", "cloudtrail", "cloudwatch", "detective", "dlm", "dynamodb", "ebs",
	"ecr", "guardduty", "iam", "inspector2", "kms", "macie2", "oam", "ram", "resourceexplorer", "resourcegroups", "route53", "s3",
	"s3control", "scheduler", "secretsmanager", "securityhub", "servicequotas", "shield", "sns", "sqs", "ssm", "wafv2",
)

func set(names ...string) map[string]bool {
	m := map[string]bool{}
	for _, n := range names {
		m[n] = true
	}
	return m
}

// kind is a type of resource that is read.
type kind struct {
	token string
	read  func(*maker, input)
}

// kinds in the order in which they are read: each needs what stands before it.
var kinds = []kind{
	{vpcType, (*maker).readVPC},
	{"aws:ec2/vpcIpv4CidrBlockAssociation:VpcIpv4CidrBlockAssociation", (*maker).readVPCRange},
	{gatewayType, (*maker).readGateway},
	{"aws:ec2/internetGatewayAttachment:InternetGatewayAttachment", (*maker).readGatewayAttachment},
	{subnetType, (*maker).readSubnet},
	{natType, (*maker).readNAT},
	{peeringType, (*maker).readPeering},
	{tableType, (*maker).readTable},
	{mainTableType, (*maker).readMainTable},
	{"aws:ec2/route:Route", (*maker).readRoute},
	{"aws:ec2/mainRouteTableAssociation:MainRouteTableAssociation", (*maker).readMainTableAssociation},
	{"aws:ec2/routeTableAssociation:RouteTableAssociation", (*maker).readTableAssociation},
	{aclType, (*maker).readACL},
	{mainACLType, (*maker).readMainACL},
	{"aws:ec2/networkAclRule:NetworkAclRule", (*maker).readACLRule},
	{"aws:ec2/networkAclAssociation:NetworkAclAssociation", (*maker).readACLAssociation},
	{groupType, (*maker).nameGroup},
	{mainGroupType, (*maker).nameMainGroup},
	{endpointType, (*maker).readEndpoint},
	{"aws:ec2/vpcEndpointRouteTableAssociation:VpcEndpointRouteTableAssociation", (*maker).readEndpointAssociation},
	{groupType, (*maker).readInlineRules},
	{mainGroupType, (*maker).readInlineRules},
	{ingressType, (*maker).readIngress},
	{egressType, (*maker).readEgress},
	{legacyRuleType, (*maker).readLegacyRule},
	{instanceType, (*maker).readInstance},
	{interfaceType, (*maker).readInterface},
	{"aws:ec2/networkInterfaceAttachment:NetworkInterfaceAttachment", (*maker).readInterfaceAttachment},
	{eipType, (*maker).readEIP},
	{"aws:ec2/eipAssociation:EipAssociation", (*maker).readEIPAssociation},
	{balancerType, (*maker).readBalancer},
	{targetsType, (*maker).readTargets},
	{"aws:lb/targetGroupAttachment:TargetGroupAttachment", (*maker).readTarget},
	{listenerType, (*maker).readListener},
	{"aws:lb/listenerRule:ListenerRule", (*maker).readListenerRule},
}

// checkKind refuses a resource of AWS that is neither read nor known to be harmless.
func (a *reader) checkKind(r *graph.Resource, harmless map[string]bool) {
	if strings.HasPrefix(r.Type, "aws-native:") {
		a.problem(r, "resources of aws-native are not analysed")
		return
	}
	short, aws := strings.CutPrefix(r.Type, "aws:")
	if !aws || harmless[r.Type] || harmlessKinds[short] {
		return
	}
	service, _, _ := strings.Cut(short, "/")
	switch {
	case harmless[service] || harmlessServices[service]:
	case service == "ec2" || service == "lb" || service == "vpc":
		a.problem(r, "is of a kind that the analysis does not know: teach it, or say that it opens and closes nothing")
	default:
		a.problem(r, "is of a service that the analysis does not know: say that it is harmless if it makes nothing within a network")
	}
}
