package policy

func kindExamples() []example {
	return []example{
		{"ICON.33", "a group from outside", set("prep-1", "vpcSecurityGroupIds", []any{"group-prep_id", "sg-1"}), "prep-1"},
		{"ICON.33", "no group", set("prep-1", "vpcSecurityGroupIds", nil), "prep-1"},
		{"ICON.33", "a balancer without one", set("nlb", "securityGroups", []any{}), "nlb"},
		{"ICON.33", "a rule of a group from outside", set("p2p-prep", "securityGroupId", "sg-1"), "p2p-prep"},
		{"ICON.33", "a rule about one", set("ssh-bastion", "referencedSecurityGroupId", "sg-1"), "ssh-bastion"},
		{
			"ICON.33", "one is attached later",
			add("aws:ec2/networkInterfaceSecurityGroupAttachment:NetworkInterfaceSecurityGroupAttachment", "bad", inputs{
				"securityGroupId": "sg-1", "networkInterfaceId": "eni-prep-1",
			}),
			"bad",
		},
		{"ICON.34", "whatever is asked is passed on", set("listen-api", "defaultActions.type", "forward"), "listen-api"},
		{"ICON.34", "every path is", set("listen-api-rule", "conditions.pathPattern.values", []any{"/api/v3", "/*"}), "listen-api-rule"},
		{"ICON.34", "the debugging API is", set("listen-api-rule", "conditions.pathPattern.values", []any{"/api/v3*"}), "listen-api-rule"},
		{"ICON.34", "every path of a name is", set("listen-api-rule", "conditions", []any{
			inputs{"hostHeader": inputs{"values": []any{"api.example.org"}}},
		}), "listen-api-rule"},
		{"ICON.34", "TLS without a look at paths is", set("listen-p2p", "protocol", "TLS"), "listen-p2p"},
		{"ICON.35", "a spot fleet", add("aws:ec2/spotFleetRequest:SpotFleetRequest", "bad", inputs{"tags": tags("bad")}), "bad"},
		{"ICON.35", "the other provider", add("aws-native:ec2:Instance", "bad", inputs{}), "bad"},
		{"ICON.36", "there is no limit", set("firewall", "rules.statement", inputs{"geoMatchStatement": inputs{}}), "firewall"},
		{"ICON.36", "who goes beyond it is counted", set("firewall", "rules.action", inputs{"count": inputs{}}), "firewall"},
	}
}

// documentEvasions are second forms of mistakes in policies: what a rule found only in its usual form, once.
func documentEvasions() []example {
	role := func(statement string) func(*stack) { return set("role-policy", "policy", policyOf(statement)) }
	key := func(condition string) func(*stack) {
		return set("key", "policy", policyOf(
			`{"Effect":"Allow","Principal":"*","Action":"kms:Decrypt","Resource":"*","Condition":`+condition+`}`))
	}
	return []example{
		{"IAM.1", "everything of every service", role(`{"Effect":"Allow","Action":"*:*",` + onEverything), "role-policy"},
		{"KMS.2", "all of the account's KMS", role(`{"Effect":"Allow","Action":"kms:Decrypt","Resource":"arn:aws:kms:*:1:*"}`), "role-policy"},
		{"KMS.2", "every alias", role(`{"Effect":"Allow","Action":"kms:Decrypt","Resource":"arn:aws:kms:*:1:alias/*"}`), "role-policy"},
		{"ICON.22", "every machine", role(`{"Effect":"Allow","Action":"ec2:T*","Resource":"arn:aws:ec2:*:*:instance/*"}`), "role-policy"},
		{"ICON.22", "whatever is an ARN", role(`{"Effect":"Allow","Action":"ec2:T*","Resource":"arn:*"}`), "role-policy"},
		{"ICON.23", "anybody's ARN", key(`{"ArnLike":{"aws:SourceArn":"arn:aws:logs:*:*:log-group:x"}}`), "key"},
		{"ICON.23", "accounts that end in 2", key(`{"StringLike":{"aws:SourceAccount":"*2"}}`), "key"},
		{
			"ICON.22", "a policy of another name",
			add("aws:cloudwatch/logResourcePolicy:LogResourcePolicy", "bad", inputs{
				"policyName": "x", "policyDocument": policyOf(`{"Effect":"Allow","Principal":{"Service":"x"},"Action":"*",` + onEverything),
			}),
			"bad",
		},
		{"ICON.24", "who may read everything", set("role", "managedPolicyArns", []any{"arn:aws:iam::aws:policy/ReadOnlyAccess"}), "role"},
	}
}

// evasionExamples are the same of networks and machines.
func evasionExamples() []example {
	list := func(s *stack) {
		s.add("aws:ec2/managedPrefixList:ManagedPrefixList", "list", inputs{
			"entries": []any{inputs{"cidr": "0.0.0.0/0"}}, "tags": tags("list"),
		})
		s.add(typeIngress, "bad", ingress("bastion", 22, inputs{"prefixListId": "list_id"}))
	}
	return []example{
		{"EC2.13", "a list of prefixes from outside", add(typeIngress, "bad", ingress("bastion", 22, inputs{"prefixListId": "pl-1"})), "bad"},
		{"EC2.13", "a list of prefixes with everyone", list, "bad"},
		{"EC2.13", "-1 is every port", add(typeIngress, "bad", ingress("sentry", -1, inputs{"cidrIpv4": "0.0.0.0/0"})), "bad"},
		{
			"EC2.18", "a tunnel is open",
			add(typeIngress, "bad", ingress("sentry", 7100, inputs{"ipProtocol": "47", "cidrIpv4": "0.0.0.0/0"})), "bad",
		},
		{"ICON.4", "a sentry reaches the bastion", set("ssh-bastion", "referencedSecurityGroupId", "group-sentry_id"), "ssh-bastion"},
		{"ICON.4", "the whole VPC reaches the bastion", set("ssh-bastion", "cidrIpv4", "10.20.0.0/16"), "ssh-bastion"},
		{"EC2.9", "an address goes to its interface", set("sentry-1-address", "networkInterface", "eni-citizen-1"), "citizen-1"},
		{"ICON.14", "an address goes to its interface", set("sentry-1-association", "networkInterfaceId", "eni-prep-1"), "prep-1"},
		{
			"ICON.14", "it has a second interface",
			add(typeInterface, "bad", inputs{"subnetId": "public-a_id", "attachments": []any{inputs{"instance": "prep-1_id"}}}), "prep-1",
		},
		{
			"ICON.14", "a balancer is before it",
			add("aws:lb/targetGroupAttachment:TargetGroupAttachment", "bad", inputs{"targetId": "prep-1_id"}), "bad",
		},
		{"ICON.17", "the alarm never goes off", set("prep-1-alarm", "threshold", 2), "prep-1"},
		{"ICON.17", "the alarm goes off when all is well", set("prep-1-alarm", "comparisonOperator", "LessThanThreshold"), "prep-1"},
		{"EC2.28", "once a week", set("snapshots", "policyDetails.schedules.createRule.interval", 168), "prep-1-data"},
		{"EC2.2", "a rule beside it", add(typeIngress, "bad", inputs{"securityGroupId": "default-group_id", "ipProtocol": "-1"}), "bad"},
		{"ICON.1", "the ACL is somebody else's", set("guard-private-a", "networkAclId", "acl-1"), "private-a"},
		{"ICON.3", "a list of prefixes goes out", func(s *stack) {
			s.set("way-private-a", "destinationCidrBlock", nil)
			s.set("way-private-a", "destinationPrefixListId", "pl-1")
			s.set("way-private-a", "gatewayId", "gateway_id")
		}, "prep-1"},
		{"ICON.21", "AWS's key by its name", set("prep-1-data", "kmsKeyId", "alias/aws/ebs"), "prep-1-data"},
		{"ICON.21", "another volume has AWS's key", set("sentry-1", "ebsBlockDevices", []any{inputs{"encrypted": true}}), "sentry-1"},
		{"CT.CLOUDWATCH.PR.3", "AWS's key by its name", set("flow-logs", "kmsKeyId", "arn:aws:kms:eu-central-1:1:alias/aws/logs"), "flow-logs"},
	}
}
