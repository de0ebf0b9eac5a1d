package topologies

import (
	"slices"
	"strings"
	"testing"

	"github.com/pulumi/pulumi/sdk/v3/go/common/resource"

	"github.com/insight-icon/pulumi-icon/tests/policy"
)

// mistake is one change to a shipped stack, and the rule that must find it.
type mistake struct {
	rule, name, stack string
	change            change
}

// onlyDeployed are the mistakes that a preview can't show, since it does not know the text in question.
var onlyDeployed []string

// Each of these would be a hole in a stack that people run. One that no rule finds is a hole in the rules.
func TestEveryMistakeInAShippedStackBreaksTheRuleThatIsForIt(t *testing.T) {
	var hidden []string
	found := func(m mistake, preview bool) (bool, []policy.Finding) {
		g := mutantOf(unchanged.of(t, m.stack, preview))
		m.change(g)
		all := policy.Check(g.graph(), policy.AWS())
		return slices.ContainsFunc(all, func(f policy.Finding) bool {
			return f.Rule == m.rule && !slices.ContainsFunc(baseline(t, m.stack, preview), func(b policy.Finding) bool { return b == f })
		}), all
	}
	for _, m := range mistakes() {
		name := m.rule + " " + m.name
		if yes, all := found(m, false); !yes {
			t.Errorf("%s: the rule finds nothing new in %s; found were %v", name, m.stack, all)
		}
		if yes, _ := found(m, true); !yes {
			hidden = append(hidden, name)
		}
	}
	if !slices.Equal(hidden, onlyDeployed) {
		t.Errorf("previews do not show %q, want %q", hidden, onlyDeployed)
	}
	if len(mistakes()) < 60 {
		t.Errorf("there are only %d mistakes", len(mistakes()))
	}
}

var baselines = map[string][]policy.Finding{}

// baseline is what rules find in a stack as it is: its exceptions.
func baseline(t *testing.T, stack string, preview bool) []policy.Finding {
	t.Helper()
	key := stack
	if preview {
		key += " preview"
	}
	if _, seen := baselines[key]; !seen {
		baselines[key] = policy.Check(unchanged.of(t, stack, preview), policy.AWS())
	}
	return baselines[key]
}

func mistakes() []mistake {
	return slices.Concat(openPorts(), openPRep(), weakMachines(), weakData(), weakNetworks(), weakFronts(), weakPolicies())
}

// everyone makes a rule of a role's group for everyone.
func everyone(role string, port int) change {
	return ingress(role, port, values{"cidrIpv4": "0.0.0.0/0"})
}

func openPorts() []mistake {
	bastion := func(inputs values) change { return ingress("bastion", 22, inputs) }
	halves := all(set(sshRule, "cidrIpv4", "0.0.0.0/1"), like(sshRule, "other-half", values{"cidrIpv4": "128.0.0.0/1"}))
	inline := func(m *mutant) {
		m.set("network-group-prep", "ingress", []any{values{"protocol": "tcp", "fromPort": 0, "toPort": 65535, "cidrBlocks": []any{"0.0.0.0/0"}}})
	}
	list := all(
		add("aws:ec2/managedPrefixList:ManagedPrefixList", "list", values{"entries": []any{values{"cidr": "0.0.0.0/0"}}}),
		bastion(values{"prefixListId": "list_id"}),
	)
	return []mistake{
		{"EC2.13", "SSH for everyone", mainnetPRep, set(sshRule, "cidrIpv4", "0.0.0.0/0")},
		{"EC2.13", "SSH for both halves of the internet", mainnetPRep, halves},
		{"EC2.13", "SSH for a list of prefixes", mainnetPRep, bastion(values{"prefixListId": "pl-0123456789abcdef0"})},
		{"EC2.13", "SSH for a list with everyone", mainnetPRep, list},
		{
			"EC2.13", "every protocol for everyone", mainnetPRep,
			bastion(values{"ipProtocol": "-1", "fromPort": -1, "toPort": -1, "cidrIpv4": "0.0.0.0/0"}),
		},
		{"EC2.13", "every port for everyone", lisbonPRep, bastion(values{"fromPort": 0, "toPort": 65535, "cidrIpv4": "0.0.0.0/0"})},
		{"EC2.13", "-1 as every port", lisbonPRep, bastion(values{"fromPort": -1, "toPort": -1, "cidrIpv4": "0.0.0.0/0"})},
		{
			"EC2.13", "a range around SSH, TCP by its number", mainnetPRep,
			bastion(values{"fromPort": 20, "toPort": 30, "cidrIpv4": "0.0.0.0/0", "ipProtocol": "6"}),
		},
		{"EC2.13", "an inline rule", mainnetPRep, inline},
		{"EC2.54", "SSH for everyone by IPv6", mainnetPRep, bastion(values{"cidrIpv6": "::/0"})},
		{"EC2.54", "SSH for all of IPv6 that is in use", mainnetPRep, bastion(values{"cidrIpv6": "2000::/3"})},
		{"EC2.14", "remote desktop", citizenArchive, everyone("citizen", 3389)},
		{"EC2.53", "metrics for everyone", mainnetPRep, everyone("sentry", 9090)},
		{"EC2.53", "Docker for everyone", citizenArchive, everyone("citizen", 2375)},
		{"EC2.19", "a database for everyone", citizenArchive, everyone("citizen", 5432)},
		{"EC2.18", "another port for everyone", mainnetPRep, everyone("sentry", 7101)},
		{"EC2.18", "UDP for everyone", mainnetPRep, ingress("sentry", 7100, values{"cidrIpv4": "0.0.0.0/0", "ipProtocol": "udp"})},
		{"EC2.18", "a tunnel for everyone", mainnetPRep, ingress("sentry", 7100, values{"cidrIpv4": "0.0.0.0/0", "ipProtocol": "47"})},
		{"ICON.4", "SSH past the bastion", mainnetPRep, ingress("prep", 22, values{"cidrIpv4": "203.0.113.0/24"})},
		{"ICON.4", "SSH from a sentry", mainnetPRep, ingress("prep", 22, values{"referencedSecurityGroupId": "network-group-sentry_id"})},
		{"ICON.4", "SSH from sentries to the bastion", mainnetPRep, bastion(values{"referencedSecurityGroupId": "network-group-sentry_id"})},
		{"ICON.7", "the API of citizens for everyone", citizenArchive, everyone("citizen", 9000)},
		{"ICON.10", "everything may leave", mainnetPRep, all(
			set("network-group-prep-out-tcp-443-anywhere", "fromPort", 0), set("network-group-prep-out-tcp-443-anywhere", "toPort", 65535),
		)},
		{"ICON.9", "a rule without a word", mainnetPRep, set(p2pRule, "description", "")},
		{"EC2.2", "the default group is left", mainnetPRep, drop("network-default-group")},
		{"EC2.2", "a rule for the default group", mainnetPRep, like(p2pRule, "bad", values{"securityGroupId": "network-default-group_id"})},
		{
			"ICON.33", "a group of somebody else's is opened", mainnetPRep,
			like(p2pRule, "bad", values{"securityGroupId": "sg-0123456789abcdef0"}),
		},
		{"ICON.8", "a rule of the old kind", mainnetPRep, add("aws:ec2/securityGroupRule:SecurityGroupRule", "bad", values{
			"type": "ingress", "protocol": "tcp", "fromPort": 7100, "toPort": 7100, "securityGroupId": "network-group-sentry_id",
			"cidrBlocks": []any{"0.0.0.0/0"},
		})},
	}
}

func openPRep() []mistake {
	to := func(role string) values { return values{"referencedSecurityGroupId": "network-group-" + role + "_id"} }
	second := add("aws:ec2/networkInterface:NetworkInterface", "bad", values{
		"subnetId": "network-subnet-public-a_id", "securityGroups": []any{"network-group-sentry_id"},
		"attachments": []any{values{"instance": prepOne + "_id"}},
	})
	const association = "network-sentry-1-address-association"
	return []mistake{
		{"ICON.5", "7100 for citizens", mainnetPRep, ingress("prep", 7100, to("citizen"))},
		{"ICON.5", "7100 for the VPC", mainnetPRep, ingress("prep", 7100, values{"cidrIpv4": "10.20.0.0/16"})},
		{
			"ICON.5", "7100 for itself, in a range", mainnetPRep,
			ingress("prep", 7000, values{"referencedSecurityGroupId": "network-group-prep_id", "toPort": 7200}),
		},
		{
			"ICON.5", "another group on the P-Rep", mainnetPRep,
			set(prepOne, "vpcSecurityGroupIds", []any{"network-group-prep_id", "network-group-sentry_id"}),
		},
		{
			"ICON.33", "a group of somebody else's on the P-Rep", mainnetPRep,
			set(prepOne, "vpcSecurityGroupIds", []any{"network-group-prep_id", "sg-1"}),
		},
		{"ICON.33", "the default group on the P-Rep", mainnetPRep, set(prepOne, "vpcSecurityGroupIds", nil)},
		{"ICON.6", "9000 for sentries", mainnetPRep, ingress("prep", 9000, to("sentry"))},
		{"ICON.6", "9000 for administrators", lisbonPRep, ingress("prep", 9000, values{"cidrIpv4": "203.0.113.0/24"})},
		{"ICON.6", "9000 in the range of 7100", mainnetPRep, set(p2pRule, "toPort", 9000)},
		{"ICON.14", "AWS gives it an address", mainnetPRep, set(prepOne, "associatePublicIpAddress", true)},
		{"ICON.14", "an elastic address is associated", mainnetPRep, set(association, "instanceId", prepOne+"_id")},
		{"ICON.14", "an elastic address of its own", mainnetPRep, like("network-nat-a-address", "bad", values{"instance": prepOne + "_id"})},
		{"ICON.14", "an elastic address of its interface", mainnetPRep, all(
			set(association, "instanceId", nil), set(association, "networkInterfaceId", "eni-"+prepOne),
		)},
		{"ICON.14", "a second interface in the public tier", mainnetPRep, second},
		{"ICON.14", "it moves to the public tier", mainnetPRep, set(prepOne, "subnetId", "network-subnet-public-a_id")},
		{"ICON.14", "its subnet becomes public", mainnetPRep, all(
			set("network-routes-private-a-out", "natGatewayId", nil),
			set("network-routes-private-a-out", "gatewayId", "network-internet-gateway_id"),
		)},
		{"ICON.14", "it is behind the load balancer", mainnetNLB, set("front-nlb-7100-sentry-1", "targetId", prepOne+"_id")},
		{"EC2.9", "the subnet gives it an address", mainnetPRep, all(
			set(prepOne, "associatePublicIpAddress", nil), set("network-subnet-private-a", "mapPublicIpOnLaunch", true),
		)},
		{"EC2.9", "a citizen has an elastic address", mainnetPRep, set(association, "instanceId", "network-citizen-1-instance_id")},
		{"EC2.180", "it passes on what is not for it", mainnetPRep, set(prepOne, "sourceDestCheck", false)},
	}
}

func weakMachines() []mistake {
	const alarm = "network-prep-1-alarm"
	inTheClear := func(m *mutant) {
		m.get(prepOne).Inputs["userData"] = resource.NewProperty("-----BEGIN OPENSSH PRIVATE KEY-----")
	}
	ignores := func(keys ...string) change { return func(m *mutant) { m.get(prepOne).IgnoreChanges = keys } }
	return []mistake{
		{"EC2.8", "metadata without a token", mainnetPRep, set(prepOne, "metadataOptions.httpTokens", "optional")},
		{"EC2.8", "nothing is said of metadata", citizenArchive, set("network-citizen-1-instance", "metadataOptions", nil)},
		{"ICON.11", "metadata two hops away", mainnetPRep, set(prepOne, "metadataOptions.httpPutResponseHopLimit", 2)},
		{"ICON.12", "monitored every five minutes", mainnetPRep, set("network-sentry-2-instance", "monitoring", false)},
		{"CIS.1.18", "no profile", mainnetPRep, set("network-bastion-instance", "iamInstanceProfile", nil)},
		{"ICON.13", "user data in the clear", mainnetPRep, inTheClear},
		{"ICON.16", "a newer image replaces it", mainnetPRep, ignores("userData")},
		{"ICON.16", "new user data stop it", mainnetPRep, ignores("ami")},
		{"ICON.17", "no alarm", mainnetPRep, drop(alarm)},
		{"ICON.17", "an alarm that never goes off", mainnetPRep, set(alarm, "threshold", 2)},
		{"ICON.17", "another machine's alarm", mainnetPRep, set(alarm, "dimensions.InstanceId", "network-citizen-1-instance_id")},
		{"CloudWatch.15", "an alarm that nobody hears", mainnetPRep, set(alarm, "alarmActions", []any{})},
		{"ICON.18", "AWS may terminate it", mainnetPRep, set(prepOne, "disableApiTermination", false)},
		{"ICON.18", "a shutdown terminates it", lisbonPRep, set(prepOne, "instanceInitiatedShutdownBehavior", "terminate")},
		{"ICON.19", "it is not protected", mainnetPRep, func(m *mutant) { m.get(prepOne).Protect = false }},
		{"ICON.28", "a tag is missing on the root volume", mainnetPRep, set(prepOne, "rootBlockDevice.tags.Project", nil)},
		{"ICON.28", "no tags on a gateway", mainnetPRep, set("network-internet-gateway", "tags", nil)},
		{"ICON.29", "a root volume without a host", citizenArchive, set("network-citizen-1-instance", "rootBlockDevice.tags.Host", nil)},
		{"ICON.29", "a machine without a role", mainnetPRep, set(prepOne, "tags.Role", nil)},
		{"ICON.30", "a type that AWS has not", mainnetPRep, add("aws:ec2/teleporter:Teleporter", "bad", values{})},
		{"ICON.35", "a machine of another kind", mainnetPRep, add("aws:lightsail/instance:Instance", "bad", values{})},
		{"ICON.31", "the shell's own account", mainnetPRep, func(m *mutant) { m.get(prepOne).Provider = "" }},
	}
}

func weakData() []mistake {
	bare := func(name string) change {
		return func(m *mutant) { m.get(name).Protect, m.get(name).RetainOnDelete = false, false }
	}
	const logs, snapshots = "network-flow-logs", "network-snapshots"
	return []mistake{
		{"EC2.3", "a root volume in the clear", mainnetPRep, set(prepOne, "rootBlockDevice.encrypted", false)},
		{"EC2.3", "nothing is said of the root volume", mainnetPRep, set("network-bastion-instance", "rootBlockDevice", nil)},
		{"EC2.3", "chain data in the clear", mainnetPRep, set(prepData, "encrypted", false)},
		{"ICON.21", "AWS's key for chain data", mainnetPRep, set(prepData, "kmsKeyId", "alias/aws/ebs")},
		{"ICON.21", "AWS's key for a root volume", mainnetPRep, set(prepOne, "rootBlockDevice.kmsKeyId", nil)},
		{"ICON.15", "chain data on the root volume", mainnetPRep, drop("network-prep-1-data-attachment")},
		{"ICON.20", "chain data go with the stack", mainnetPRep, bare(prepData)},
		{"ICON.20", "the key goes and the data stay", mainnetPRep, bare("network-key")},
		{"ICON.19", "chain data are not protected", mainnetPRep, bare(prepData)},
		{"ICON.19", "an address is not protected", mainnetPRep, bare("network-sentry-1-address")},
		{"EC2.28", "the tag is another", mainnetPRep, set(prepData, "tags.Snapshots", "other")},
		{"EC2.28", "the tag is missing", citizenArchive, set("network-citizen-2-data", "tags.Snapshots", nil)},
		{"EC2.28", "snapshots are off", mainnetPRep, set(snapshots, "state", "DISABLED")},
		{"EC2.28", "snapshots are kept for no time", mainnetPRep, set(snapshots, "policyDetails.schedules.retainRule.count", 0)},
		{"EC2.28", "snapshots once a week", mainnetPRep, set(snapshots, "policyDetails.schedules.createRule.interval", 168)},
		{
			"EC2.1", "snapshots are shared", mainnetPRep,
			set(snapshots, "policyDetails.schedules.shareRule", values{"targetAccounts": []any{"1"}}),
		},
		{"ICON.32", "snapshots without tags", mainnetPRep, set(snapshots, "policyDetails.schedules.copyTags", false)},
		{"KMS.3", "the key can go in a week", mainnetPRep, set("network-key", "deletionWindowInDays", 7)},
		{"KMS.4", "the key never rotates", mainnetPRep, set("network-key", "enableKeyRotation", false)},
		{"CloudWatch.16", "logs for ever", mainnetPRep, set(logs, "retentionInDays", 0)},
		{"CloudWatch.16", "logs for a month", mainnetPRep, set(logs, "retentionInDays", 30)},
		{"CT.CLOUDWATCH.PR.3", "logs with AWS's key", mainnetPRep, set(logs, "kmsKeyId", nil)},
	}
}

func weakNetworks() []mistake {
	early := func(m *mutant) {
		list := m.get("network-acl").Inputs["ingress"].ArrayValue()
		m.get("network-acl").Inputs["ingress"] = resource.NewProperty(append(list, resource.NewProperty(resource.NewPropertyMapFromMap(values{
			"ruleNo": 1, "action": "allow", "cidrBlock": "128.0.0.0/1", "protocol": "tcp", "fromPort": 0, "toPort": 65535,
		}))))
	}
	return []mistake{
		{"EC2.6", "no flow logs", mainnetPRep, drop("network-flow-logs-vpc")},
		{"EC2.6", "only what was accepted", mainnetPRep, set("network-flow-logs-vpc", "trafficType", "ACCEPT")},
		{"EC2.15", "a subnet gives out addresses", mainnetPRep, set("network-subnet-public-a", "mapPublicIpOnLaunch", true)},
		{"EC2.21", "the ACL lets half of the internet in", mainnetPRep, early},
		{"ICON.1", "a subnet without the ACL", mainnetPRep, drop("network-subnet-private-a-acl")},
		{"ICON.1", "a subnet with another ACL", mainnetPRep, set("network-subnet-private-a-acl", "networkAclId", "acl-1")},
		{"ICON.2", "the VPC has IPv6", mainnetPRep, set("network-vpc", "assignGeneratedIpv6CidrBlock", true)},
		{"ICON.3", "no way out", mainnetPRep, drop("network-routes-private-a-out")},
		{"ICON.3", "two halves of a way past the NAT gateway", mainnetPRep, like("network-routes-private-a-out", "bad", values{
			"natGatewayId": nil, "gatewayId": "network-internet-gateway_id", "destinationCidrBlock": "0.0.0.0/1",
		})},
	}
}

func weakFronts() []mistake {
	const alb, nlb, rule, logs = "front-alb", "front-nlb", "front-alb-api", "front-alb-logs"
	forward := []any{values{"type": "forward", "targetGroupArn": "arn:aws:lb:eu-central-1:123456789012:front-alb-9000"}}
	return []mistake{
		{"ELB.18", "9000 through the NLB", mainnetNLB, like("front-nlb-7100-listener", "bad", values{"port": 9000})},
		{
			"ICON.34", "9000 through the NLB, with TLS", mainnetNLB,
			like("front-nlb-7100-listener", "bad", values{"port": 443, "protocol": "TLS"}),
		},
		{"EC2.18", "9000 at the NLB's group", mainnetNLB, everyone("nlb", 9000)},
		{"ICON.26", "PROXY protocol", mainnetNLB, set("front-nlb-7100", "proxyProtocolV2", true)},
		{"ELB.6", "the NLB can be deleted", mainnetNLB, set(nlb, "enableDeletionProtection", false)},
		{"ELB.5", "the NLB does not log", mainnetNLB, set(nlb, "accessLogs.enabled", false)},
		{"ICON.33", "the NLB has no group", mainnetNLB, set(nlb, "securityGroups", nil)},
		{"ELB.13", "one zone", citizenArchive, set(alb, "subnets", []any{"network-subnet-balancer-a_id", "network-subnet-balancer-a_id"})},
		{"ELB.6", "the ALB can be deleted", citizenArchive, set(alb, "enableDeletionProtection", nil)},
		{"ELB.4", "invalid headers pass", citizenArchive, set(alb, "dropInvalidHeaderFields", false)},
		{"ELB.17", "TLS of 2016", citizenArchive, set("front-alb-https", "sslPolicy", "ELBSecurityPolicy-2016-08")},
		{
			"ELB.1", "HTTP is answered", citizenArchive,
			like("front-alb-https", "bad", values{"protocol": "HTTP", "port": 80, "defaultActions": forward}),
		},
		{"ICON.34", "what no rule is about is passed on", citizenArchive, set("front-alb-https", "defaultActions", forward)},
		{
			"ICON.34", "every path is passed on", citizenArchive,
			set(rule, "conditions", []any{values{"pathPattern": values{"values": []any{"/*"}}}}),
		},
		{
			"ICON.34", "a name is enough", citizenArchive,
			set(rule, "conditions", []any{values{"hostHeader": values{"values": []any{"api.example.org"}}}}),
		},
		{
			"ICON.34", "the debugging API is passed on", citizenArchive,
			set(rule, "conditions", []any{values{"pathPattern": values{"values": []any{"/api/v3*"}}}}),
		},
		{"ELB.16", "no web firewall", citizenArchive, drop("front-waf-alb")},
		{"WAF.10", "a web firewall without rules", citizenArchive, set("front-waf", "rules", []any{})},
		{"ICON.36", "who asks too much is counted", citizenArchive, set("front-waf", "rules.action", values{"count": values{}})},
		{"WAF.11", "the web firewall logs nothing", citizenArchive, drop("front-waf-logging")},
		{"ACM.1", "a certificate by letter", citizenArchive, set("front-certificate", "validationMethod", "EMAIL")},
		{"S3.8", "no block on public access", citizenArchive, drop("front-alb-logs-private")},
		{"S3.8", "half a block", citizenArchive, set("front-alb-logs-private", "restrictPublicBuckets", false)},
		{"S3.5", "no policy on the bucket", citizenArchive, drop("front-alb-logs-policy")},
		{"S3.12", "ACLs are on", citizenArchive, set("front-alb-logs-owner", "rule.objectOwnership", "ObjectWriter")},
		{"S3.13", "logs for ever", citizenArchive, drop("front-alb-logs-expiry")},
		{"S3.17", "a bucket in the clear", citizenArchive, drop("front-alb-logs-encryption")},
		{"ICON.19", "the bucket is not protected", citizenArchive, func(m *mutant) { m.get(logs).Protect = false }},
		{"ICON.27", "Shield Advanced by the program", citizenArchive, add("aws:shield/subscription:Subscription", "bad", values{})},
	}
}

func weakPolicies() []mistake {
	text := func(statement string) string { return `{"Version":"2012-10-17","Statement":` + statement + `}` }
	role := func(statement string) change { return set("network-snapshots-policy", "policy", text(statement)) }
	key := func(statement string) change { return set("network-key", "policy", text(statement)) }
	bucket := func(statement string) change { return set("front-alb-logs-policy", "policy", text(statement)) }
	trust := func(statement string) change { return set("network-machine-role", "assumeRolePolicy", text(statement)) }
	const anybody = `"Condition":{"StringLike":{"aws:SourceAccount":"*"}}`
	return []mistake{
		{"IAM.1", "everything", mainnetPRep, role(`{"Effect":"Allow","Action":"*","Resource":"*"}`)},
		{"IAM.1", "everything, as lists", mainnetPRep, role(`[{"Effect":"Allow","Action":["ec2:DescribeVolumes","*:*"],"Resource":["*"]}]`)},
		{"IAM.21", "all of KMS", mainnetPRep, role(`{"Effect":"Allow","Action":"kms:*","Resource":"arn:aws:kms:eu-central-1:1:key/1"}`)},
		{"KMS.2", "every key of the account", mainnetPRep, role(`{"Effect":"Allow","Action":["kms:D*"],"Resource":"arn:aws:kms:*:1:*"}`)},
		{"ICON.22", "all machines", mainnetPRep, role(`{"Effect":"Allow","Action":"ec2:Stop*","Resource":"arn:aws:ec2:*:*:instance/*"}`)},
		{"ICON.22", "NotAction", mainnetPRep, role(`{"Effect":"Allow","NotAction":["iam:*"],"Resource":"*"}`)},
		{"ICON.22", "NotResource", mainnetPRep, role(`{"Effect":"Allow","Action":"s3:GetObject","NotResource":"arn:aws:s3:::x/*"}`)},
		{
			"ICON.22", "NotPrincipal", mainnetPRep,
			key(`{"Effect":"Allow","NotPrincipal":{"AWS":"arn:aws:iam::1:root"},"Action":"kms:Decrypt","Resource":"*"}`),
		},
		{
			"ICON.22", "all that a key can do", mainnetPRep,
			key(`{"Effect":"Allow","Principal":{"AWS":"arn:aws:iam::1:root"},"Action":["kms:*"],"Resource":"*"}`),
		},
		{"KMS.5", "anybody's key", mainnetPRep, key(`{"Effect":"Allow","Principal":"*","Action":"kms:Decrypt","Resource":"*"}`)},
		{
			"KMS.5", "anybody's key, as a list", mainnetPRep,
			key(`[{"Effect":"Allow","Principal":{"AWS":["arn:aws:iam::1:root","*"]},"Action":"kms:Decrypt","Resource":"*"}]`),
		},
		{
			"KMS.5", "a condition that holds nobody", mainnetPRep,
			key(`{"Effect":"Allow","Principal":{"AWS":"*"},"Action":"kms:Decrypt","Resource":"*",` + anybody + `}`),
		},
		{
			"ICON.23", "anybody takes the machines' role", mainnetPRep,
			trust(`{"Effect":"Allow","Principal":{"AWS":"*"},"Action":"sts:AssumeRole"}`),
		},
		{
			"ICON.24", "the machines may do everything", mainnetPRep,
			set("network-machine-role", "managedPolicyArns", []any{"arn:aws:iam::aws:policy/AdministratorAccess"}),
		},
		{"ICON.25", "a policy that nobody can read", mainnetPRep, role(`{"Effect":"Allow","Actions":"*","Resource":"*"}`)},
		{"IAM.2", "a user", mainnetPRep, add("aws:iam/user:User", "bad", values{})},
		{
			"S3.2", "everyone reads the logs", citizenArchive,
			bucket(`{"Effect":"Allow","Principal":"*","Action":"s3:Get*","Resource":"arn:aws:s3:::x/*"}`),
		},
		{
			"S3.3", "everyone writes the logs", citizenArchive,
			bucket(`{"Effect":"Allow","Principal":{"AWS":"*"},"Action":["s3:PutObject"],"Resource":"arn:aws:s3:::x/*"}`),
		},
		{
			"S3.5", "the bucket answers without TLS", citizenArchive,
			bucket(`{"Effect":"Allow","Principal":{"Service":"x.amazonaws.com"},"Action":"s3:PutObject","Resource":"arn:aws:s3:::x/*"}`),
		},
	}
}

// The names of rules above are of rules that there are.
func TestEveryMistakeIsOfARuleThatThereIs(t *testing.T) {
	for _, m := range mistakes() {
		if !slices.ContainsFunc(policy.AWS(), func(r policy.Rule) bool { return r.ID == m.rule }) || strings.TrimSpace(m.name) == "" {
			t.Errorf("%q is for %s", m.name, m.rule)
		}
	}
}
