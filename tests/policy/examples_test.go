package policy

import "github.com/insight-icon/pulumi-icon/tests/graph"

// example is one mistake: what is changed in the compliant stack, and the resource that the rule must find for it.
type example struct {
	rule, name string
	change     func(s *stack)
	at         string
}

func (e example) graph() *graph.Graph {
	s := compliant()
	e.change(s)
	return s.graph()
}

// set, drop and add are changes.
func set(resource, path string, to any) func(*stack) {
	return func(s *stack) { s.set(resource, path, to) }
}

func drop(resource string) func(*stack) { return func(s *stack) { s.drop(resource) } }

func add(token, name string, in inputs) func(*stack) {
	return func(s *stack) { s.add(token, name, in) }
}

func ingress(group string, port int, more inputs) inputs {
	return with(inputs{
		"securityGroupId": "group-" + group + "_id", "ipProtocol": "tcp", "fromPort": port, "toPort": port, "description": "x", "tags": tags("x"),
	}, more)
}

func fromAnywhere(group string, port int) func(*stack) {
	return add(typeIngress, "bad", ingress(group, port, inputs{"cidrIpv4": "0.0.0.0/0"}))
}

func policyOf(statement string) string {
	return `{"Version":"2012-10-17","Statement":[` + statement + `]}`
}

const onEverything = `"Resource":"*"}`

func examples() []example {
	var all []example
	for _, area := range [][]example{
		computeExamples(), hostExamples(), keepingExamples(), networkExamples(), groupExamples(), encryptionExamples(), identityExamples(),
		bucketExamples(), loggingExamples(), balancerExamples(), tagExamples(), kindExamples(),
		evasionExamples(), documentEvasions(),
	} {
		all = append(all, area...)
	}
	return all
}

func computeExamples() []example {
	return []example{
		{"EC2.8", "version 1 is answered", set("prep-1", "metadataOptions.httpTokens", "optional"), "prep-1"},
		{"EC2.8", "nothing is said of metadata", set("prep-1", "metadataOptions", nil), "prep-1"},
		{"EC2.8", "tokens are not known", set("prep-1", "metadataOptions.httpTokens", unknown()), "prep-1"},
		{"EC2.8", "metadata are not known", set("prep-1", "metadataOptions", unknown()), "prep-1"},
		{"EC2.170", "a template answers version 1", set("template", "metadataOptions.httpTokens", nil), "template"},
		{"EC2.9", "a citizen has an elastic address", set("sentry-1-association", "instanceId", "citizen-1_id"), "citizen-1"},
		{"EC2.9", "an address goes to a citizen itself", set("sentry-1-address", "instance", "citizen-1_id"), "citizen-1"},
		{"EC2.9", "AWS picks an address", set("sentry-1", "associatePublicIpAddress", true), "sentry-1"},
		{"EC2.9", "whether AWS picks one is not known", set("prep-1", "associatePublicIpAddress", unknown()), "prep-1"},
		{"EC2.9", "an elastic address that the provider would fight", set("sentry-1", "associatePublicIpAddress", false), "sentry-1"},
		{"EC2.9", "the subnet gives one", set("private-a", "mapPublicIpOnLaunch", true), "citizen-1"},
		{"EC2.9", "nothing is said in an existing subnet", set("prep-1", "subnetId", "subnet-1"), "prep-1"},
		{"EC2.25", "a template gives addresses", set("template", "networkInterfaces.associatePublicIpAddress", "true"), "template"},
		{"EC2.180", "packets of others are passed on", set("prep-1", "sourceDestCheck", false), "prep-1"},
		{
			"EC2.1", "snapshots are shared",
			set("snapshots", "policyDetails.schedules.shareRule", inputs{"targetAccounts": []any{"1"}}), "snapshots",
		},
		{
			"EC2.1", "one snapshot is shared",
			add("aws:ec2/snapshotCreateVolumePermission:SnapshotCreateVolumePermission", "bad", inputs{"accountId": "1", "snapshotId": "snap-1"}),
			"bad",
		},
		{"CIS.1.18", "there is no profile", set("bastion", "iamInstanceProfile", nil), "bastion"},
		{"ICON.11", "metadata go two hops", set("prep-1", "metadataOptions.httpPutResponseHopLimit", 2), "prep-1"},
		{"ICON.11", "hops are left to the account's default", set("prep-1", "metadataOptions.httpPutResponseHopLimit", nil), "prep-1"},
		{"ICON.11", "metadata tell tags", set("prep-1", "metadataOptions.instanceMetadataTags", "enabled"), "prep-1"},
		{"ICON.12", "there is no monitoring", set("sentry-1", "monitoring", false), "sentry-1"},
		{"ICON.13", "a key is in the clear", set("prep-1", "userData", "-----BEGIN OPENSSH PRIVATE KEY-----"), "prep-1"},
		{
			"ICON.13", "a key is in the clear as base64",
			set("prep-1", "userDataBase64", "LS0tLS1CRUdJTiBPUEVOU1NIIFBSSVZBVEUgS0VZLS0tLS0K"), "prep-1",
		},
		{"ICON.13", "an access key is in the clear", set("prep-1", "userData", "export K=AKIAIOSFODNN7EXAMPLE"), "prep-1"},
		{"ICON.13", "what is not known is not marked", set("prep-1", "userData", unknown()), "prep-1"},
	}
}

func hostExamples() []example {
	return []example{
		{"ICON.14", "it has an elastic address", set("sentry-1-association", "instanceId", "prep-1_id"), "prep-1"},
		{"ICON.14", "AWS gives it one", set("prep-1", "associatePublicIpAddress", true), "prep-1"},
		{"ICON.14", "its subnet is public", set("prep-1", "subnetId", "public-a_id"), "prep-1"},
		{"ICON.14", "its interface was made elsewhere", set("prep-1", "networkInterfaces", []any{inputs{"deviceIndex": 0}}), "prep-1"},
		{"ICON.15", "there is no volume", drop("prep-1-attachment"), "prep-1"},
		{"ICON.15", "the volume goes with the machine", set("citizen-1", "ebsBlockDevices", []any{inputs{"encrypted": true}}), "citizen-1"},
		{"ICON.16", "a new image replaces it", func(s *stack) { s.get("prep-1").IgnoreChanges = []string{"userData"} }, "prep-1"},
		{"ICON.16", "new user data stop it", func(s *stack) { s.get("prep-1").IgnoreChanges = []string{"ami"} }, "prep-1"},
		{"ICON.16", "new user data replace it", set("prep-1", "userDataReplaceOnChange", true), "prep-1"},
		{"ICON.17", "there is no alarm", drop("prep-1-alarm"), "prep-1"},
		{"ICON.17", "the alarm is another machine's", set("prep-1-alarm", "dimensions.InstanceId", "sentry-1_id"), "prep-1"},
		{"ICON.17", "the alarm writes a letter", set("prep-1-alarm", "alarmActions", []any{"arn:aws:sns:x"}), "prep-1"},
		{"CloudWatch.15", "the alarm does nothing", set("prep-1-alarm", "alarmActions", []any{}), "prep-1-alarm"},
		{"CloudWatch.15", "the alarm is off", set("prep-1-alarm", "actionsEnabled", false), "prep-1-alarm"},
		{"EC2.28", "the volume lacks the tag", set("prep-1-data", "tags.Snapshots", nil), "prep-1-data"},
		{"EC2.28", "the tag has another value", set("prep-1-data", "tags.Snapshots", "never"), "prep-1-data"},
		{"EC2.28", "the policy is off", set("snapshots", "state", "DISABLED"), "prep-1-data"},
		{"EC2.28", "nothing is kept", set("snapshots", "policyDetails.schedules.retainRule", nil), "prep-1-data"},
		{"EC2.28", "it is for instances", set("snapshots", "policyDetails.resourceTypes", []any{"INSTANCE"}), "prep-1-data"},
	}
}

func keepingExamples() []example {
	bare := func(name string) func(*stack) {
		return func(s *stack) { s.get(name).Protect, s.get(name).RetainOnDelete = false, false }
	}
	return []example{
		{"KMS.3", "it can go in a week", set("key", "deletionWindowInDays", 7), "key"},
		{"KMS.3", "it is switched off", set("key", "isEnabled", false), "key"},
		{"KMS.3", "it is not protected", bare("key"), "key"},
		{"ICON.18", "AWS may terminate it", set("prep-1", "disableApiTermination", nil), "prep-1"},
		{"ICON.18", "shutdown terminates it", set("prep-1", "instanceInitiatedShutdownBehavior", "terminate"), "prep-1"},
		{"ICON.19", "the P-Rep", bare("prep-1"), "prep-1"},
		{"ICON.19", "a volume", bare("citizen-1-data"), "citizen-1-data"},
		{"ICON.19", "an address", bare("nat-address"), "nat-address"},
		{"ICON.19", "a bucket", bare("alb-logs"), "alb-logs"},
		{"ICON.20", "the volume goes", bare("prep-1-data"), "prep-1-data"},
		{"ICON.20", "the key goes", bare("key"), "key"},
	}
}

func networkExamples() []example {
	acl := func(number int, action, cidr, protocol string) func(*stack) {
		return add("aws:ec2/networkAclRule:NetworkAclRule", "bad", inputs{
			"networkAclId": "acl_id", "ruleNumber": number, "ruleAction": action, "cidrBlock": cidr, "protocol": protocol,
			"fromPort": 0, "toPort": 65535,
		})
	}
	return []example{
		{"EC2.2", "it is left alone", drop("default-group"), "vpc"},
		{"EC2.2", "it lets in", set("default-group", "ingress", []any{inputs{"protocol": "-1", "self": true}}), "default-group"},
		{"EC2.2", "what it lets out is not known", set("default-group", "egress", unknown()), "default-group"},
		{"EC2.6", "there are no flow logs", drop("flows"), "vpc"},
		{"EC2.6", "only what was rejected is logged", set("flows", "trafficType", "REJECT"), "flows"},
		{"EC2.15", "addresses are given out", set("public-a", "mapPublicIpOnLaunch", true), "public-a"},
		{"EC2.15", "whether they are is not known", set("public-a", "mapPublicIpOnLaunch", unknown()), "public-a"},
		{"EC2.21", "a rule before the denial lets in", acl(200, "allow", "0.0.0.0/0", "tcp"), "acl"},
		{"EC2.21", "half of the internet is let in", acl(200, "allow", "128.0.0.0/1", "-1"), "acl"},
		{"EC2.21", "the rules are not known", set("acl", "ingress", unknown()), "acl"},
		{"EC2.21", "a rule's network is not known", set("acl", "ingress.cidrBlock", unknown()), "acl"},
		{"ICON.1", "a subnet has the default ACL", drop("guard-private-a"), "private-a"},
		{"ICON.1", "a subnet is not named", set("acl", "subnetIds", []any{}), "public-a"},
		{"ICON.2", "the VPC has a range", set("vpc", "assignGeneratedIpv6CidrBlock", true), "vpc"},
		{"ICON.2", "a group lets a network in", add(typeIngress, "bad", ingress("alb", 443, inputs{"cidrIpv6": "2001:db8::/32"})), "bad"},
		{"ICON.2", "a balancer has both", set("alb", "ipAddressType", "dualstack"), "alb"},
		{
			"ICON.2", "a record is of IPv6",
			add("aws:route53/record:Record", "bad", inputs{"type": "AAAA", "name": "x", "zoneId": "zone_id"}), "bad",
		},
		{"ICON.2", "metadata answer to it", set("prep-1", "metadataOptions.httpProtocolIpv6", "enabled"), "prep-1"},
		{
			"ICON.2", "a gateway is for it",
			add("aws:ec2/egressOnlyInternetGateway:EgressOnlyInternetGateway", "bad", inputs{"vpcId": "vpc_id"}), "bad",
		},
		{"ICON.3", "there is no way out", drop("way-private-a"), "prep-1"},
		{"ICON.3", "the way out is the internet gateway", set("way-private-a", "gatewayId", "gateway_id"), "prep-1"},
		{"ICON.3", "the subnet has no routes", drop("routing-private-a"), "prep-1"},
	}
}

func groupExamples() []example {
	anyPort := func(token string, more inputs) func(*stack) {
		return add(token, "bad", with(inputs{
			"securityGroupId": "group-sentry_id", "ipProtocol": "-1", "description": "x", "tags": tags("x"),
		}, more))
	}
	inline := func(way string) func(*stack) {
		return set("group-prep", way, []any{inputs{"protocol": "tcp", "fromPort": 22, "toPort": 22, "cidrBlocks": []any{"0.0.0.0/0"}}})
	}
	old := add(typeGroupRule, "bad", inputs{
		"type": "ingress", "securityGroupId": "group-prep_id", "protocol": "tcp", "fromPort": 20, "toPort": 25, "cidrBlocks": []any{"0.0.0.0/0"},
	})
	return []example{
		{"EC2.13", "SSH is open", fromAnywhere("bastion", 22), "bad"},
		{"EC2.13", "every port is open", anyPort(typeIngress, inputs{"cidrIpv4": "0.0.0.0/0"}), "bad"},
		{"EC2.13", "SSH is open to half of the internet", set("ssh-bastion", "cidrIpv4", "0.0.0.0/1"), "ssh-bastion"},
		{"EC2.13", "the network is not known", set("ssh-bastion", "cidrIpv4", unknown()), "ssh-bastion"},
		{"EC2.13", "the ports are not known", set("p2p-sentry", "fromPort", unknown()), "p2p-sentry"},
		{"EC2.13", "SSH is open inline", inline("ingress"), "group-prep"},
		{"EC2.13", "SSH is open by an old rule", old, "bad"},
		{"EC2.14", "remote desktop is open", fromAnywhere("sentry", 3389), "bad"},
		{"EC2.53", "Docker is open", fromAnywhere("sentry", 2375), "bad"},
		{"EC2.54", "SSH is open by IPv6", add(typeIngress, "bad", ingress("bastion", 22, inputs{"cidrIpv6": "::/0"})), "bad"},
		{"EC2.18", "another port is open", fromAnywhere("sentry", 8443), "bad"},
		{"EC2.18", "UDP is open", add(typeIngress, "bad", ingress("sentry", 443, inputs{"ipProtocol": "udp", "cidrIpv4": "0.0.0.0/0"})), "bad"},
		{"EC2.18", "HTTP of a machine is open", fromAnywhere("sentry", 80), "bad"},
		{"EC2.19", "a database is open", fromAnywhere("citizen", 5432), "bad"},
		{
			"ICON.4", "administrators come past the bastion",
			add(typeIngress, "bad", ingress("prep", 22, inputs{"cidrIpv4": "192.0.2.0/24"})), "bad",
		},
		{"ICON.4", "a sentry is a second bastion", set("ssh-prep", "referencedSecurityGroupId", "group-sentry_id"), "ssh-prep"},
		{"ICON.4", "a list of prefixes comes", add(typeIngress, "bad", ingress("sentry", 22, inputs{"prefixListId": "pl-1"})), "bad"},
		{"ICON.5", "a P-Rep is open", fromAnywhere("prep", 7100), "bad"},
		{"ICON.5", "citizens reach it", set("p2p-prep", "referencedSecurityGroupId", "group-citizen_id"), "p2p-prep"},
		{"ICON.5", "a group of somebody else's reaches it", set("p2p-prep", "referencedSecurityGroupId", "sg-1"), "p2p-prep"},
		{"ICON.6", "a network reaches it", add(typeIngress, "bad", ingress("prep", 9000, inputs{"cidrIpv4": "192.0.2.0/24"})), "bad"},
		{"ICON.6", "sentries reach it", set("p2p-prep", "toPort", 9000), "p2p-prep"},
		{"ICON.7", "a citizen is open", fromAnywhere("citizen", 9000), "bad"},
		{"ICON.7", "a sentry is open", fromAnywhere("sentry", 9000), "bad"},
		{"ICON.8", "rules are inline", inline("egress"), "group-prep"},
		{"ICON.8", "rules are of the old kind", old, "bad"},
		{"ICON.9", "a rule says nothing", set("p2p-prep", "description", nil), "p2p-prep"},
		{"ICON.9", "a group says what everyone says", set("group-prep", "description", "Managed by Pulumi"), "group-prep"},
		{"ICON.10", "everything may go everywhere", anyPort(typeEgress, inputs{"cidrIpv4": "0.0.0.0/0"}), "bad"},
		{"ICON.10", "every TCP port may", func(s *stack) { s.set("out-prep", "fromPort", 0); s.set("out-prep", "toPort", 65535) }, "out-prep"},
		{"ICON.10", "where to is not known", func(s *stack) {
			s.set("out-prep", "cidrIpv4", unknown())
			s.set("out-prep", "toPort", unknown())
		}, "out-prep"},
	}
}

func encryptionExamples() []example {
	return []example{
		{"EC2.3", "a data volume", set("prep-1-data", "encrypted", false), "prep-1-data"},
		{"EC2.3", "a root volume", set("prep-1", "rootBlockDevice.encrypted", nil), "prep-1"},
		{"EC2.3", "nothing is said of the root volume", set("prep-1", "rootBlockDevice", nil), "prep-1"},
		{"EC2.3", "another volume", set("sentry-1", "ebsBlockDevices", []any{inputs{"volumeSize": 1}}), "sentry-1"},
		{"EC2.3", "it is not known", set("prep-1-data", "encrypted", unknown()), "prep-1-data"},
		{"EC2.181", "a template does not", set("template", "blockDeviceMappings.ebs.encrypted", nil), "template"},
		{"EC2.181", "a template says nothing", set("template", "blockDeviceMappings", nil), "template"},
		{"ICON.21", "a volume has AWS's key", set("prep-1-data", "kmsKeyId", nil), "prep-1-data"},
		{"ICON.21", "a root volume has AWS's key", set("prep-1", "rootBlockDevice.kmsKeyId", nil), "prep-1"},
		{
			"ICON.21", "copies are in the clear",
			set("snapshots", "policyDetails.schedules.crossRegionCopyRules", []any{inputs{"target": "eu-west-1", "encrypted": false}}), "snapshots",
		},
		{"KMS.4", "it never rotates", set("key", "enableKeyRotation", nil), "key"},
		{"KMS.4", "it rotates every seven years", set("key", "rotationPeriodInDays", 2560), "key"},
		{"ACM.1", "it is imported", set("certificate", "privateKey", secret("x")), "certificate"},
		{"ACM.1", "somebody must answer a letter", set("certificate", "validationMethod", "EMAIL"), "certificate"},
		{"ACM.2", "its key is short", set("certificate", "keyAlgorithm", "RSA_1024"), "certificate"},
	}
}

func identityExamples() []example {
	role := func(statement string) func(*stack) { return set("role-policy", "policy", policyOf(statement)) }
	managed := func(statement string) func(*stack) { return set("managed-policy", "policy", policyOf(statement)) }
	key := func(statement string) func(*stack) { return set("key", "policy", policyOf(statement)) }
	return []example{
		{"IAM.1", "everything on everything", role(`{"Effect":"Allow","Action":"*",` + onEverything), "role-policy"},
		{
			"IAM.1", "in a role itself",
			set("role", "inlinePolicies", []any{inputs{"policy": policyOf(`{"Effect":"Allow","Action":["*"],` + onEverything)}}), "role",
		},
		{
			"IAM.21", "all of a service",
			managed(`{"Effect":"Allow","Action":"ec2:*","Resource":"arn:aws:ec2:*:*:volume/vol-1"}`), "managed-policy",
		},
		{"KMS.1", "every key", managed(`{"Effect":"Allow","Action":"kms:Decrypt",` + onEverything), "managed-policy"},
		{
			"KMS.1", "every key of the account",
			managed(`{"Effect":"Allow","Action":"KMS:De*","Resource":"arn:aws:kms:*:123456789012:key/*"}`), "managed-policy",
		},
		{"KMS.2", "every key", role(`{"Effect":"Allow","Action":["kms:ReEncrypt*"],` + onEverything), "role-policy"},
		{"KMS.5", "anybody", key(`{"Effect":"Allow","Principal":{"AWS":"*"},"Action":"kms:Decrypt",` + onEverything), "key"},
		{"IAM.2", "a user", add("aws:iam/user:User", "bad", inputs{"tags": tags("bad")}), "bad"},
		{"IAM.2", "an access key", add("aws:iam/accessKey:AccessKey", "bad", inputs{"user": "x"}), "bad"},
		{
			"ICON.22", "all that a key can",
			key(`{"Effect":"Allow","Principal":{"AWS":"arn:aws:iam::1:root"},"Action":"kms:*",` + onEverything), "key",
		},
		{"ICON.22", "all that begins with Describe", role(`{"Effect":"Allow","Action":"ec2:Describe*",` + onEverything), "role-policy"},
		{"ICON.22", "every bucket", role(`{"Effect":"Allow","Action":"s3:Get*","Resource":"arn:aws:s3:::*"}`), "role-policy"},
		{"ICON.22", "all but something", role(`{"Effect":"Allow","NotAction":"iam:*",` + onEverything), "role-policy"},
		{"ICON.22", "on all but something", role(`{"Effect":"Allow","Action":"ec2:RunInstances","NotResource":"x"}`), "role-policy"},
		{"ICON.22", "question marks", role(`{"Effect":"Allow","Action":"ec2:?????????????","Resource":"?*"}`), "role-policy"},
		{
			"ICON.23", "anybody takes a role",
			set("role", "assumeRolePolicy", policyOf(`{"Effect":"Allow","Principal":"*","Action":"sts:AssumeRole"}`)), "role",
		},
		{"ICON.23", "a condition that holds nobody", key(`{"Effect":"Allow","Principal":"*","Action":"kms:Decrypt","Resource":"*",` +
			`"Condition":{"Bool":{"aws:SecureTransport":"true"}}}`), "key"},
		{"ICON.23", "a condition that fits everyone", key(`{"Effect":"Allow","Principal":"*","Action":"kms:Decrypt","Resource":"*",` +
			`"Condition":{"StringLike":{"aws:PrincipalArn":"arn:aws:*:*:*:*"}}}`), "key"},
		{"ICON.23", "a condition for those who have it", key(`{"Effect":"Allow","Principal":"*","Action":"kms:Decrypt","Resource":"*",` +
			`"Condition":{"StringEqualsIfExists":{"aws:SourceAccount":"1"}}}`), "key"},
		{
			"ICON.24", "an administrator",
			add("aws:iam/rolePolicyAttachment:RolePolicyAttachment", "bad", inputs{
				"role": "role_id", "policyArn": "arn:aws:iam::aws:policy/AdministratorAccess",
			}),
			"bad",
		},
		{"ICON.24", "in a role itself", set("role", "managedPolicyArns", []any{"arn:aws:iam::aws:policy/AmazonEC2FullAccess"}), "role"},
		{"ICON.25", "an element twice", role(`{"Effect":"Deny","effect":"Allow","Action":"*",` + onEverything), "role-policy"},
		{"ICON.25", "no JSON", set("role-policy", "policy", "{"), "role-policy"},
		{"ICON.25", "an element that no policy has", role(`{"Effect":"Allow","Action":"ec2:RunInstances","Resources":"*"}`), "role-policy"},
	}
}
