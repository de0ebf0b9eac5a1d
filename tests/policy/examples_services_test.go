package policy

func bucketExamples() []example {
	public := func(action string) func(*stack) {
		return set("nlb-logs-policy", "policy", policyOf(
			`{"Effect":"Allow","Principal":"*","Action":"`+action+`","Resource":"arn:aws:s3:::nlb-logs/*"}`))
	}
	tls := func(change string) func(*stack) {
		return set("nlb-logs-policy", "policy", policyOf(`{"Effect":"Deny","Principal":"*",`+change+`}`))
	}
	const all = `"Resource":["arn:aws:s3:::nlb-logs","arn:aws:s3:::nlb-logs/*"]`
	const plain = `"Condition":{"Bool":{"aws:SecureTransport":"false"}}`
	third := func(s *stack) {
		s.addBucket("third", "aws:kms")
		s.drop("third-block")
	}
	return []example{
		{"S3.2", "everyone reads", public("s3:GetObject*"), "nlb-logs-policy"},
		{"S3.3", "everyone writes", public("s3:*Object"), "nlb-logs-policy"},
		{"S3.5", "there is no policy", drop("nlb-logs-policy"), "nlb-logs"},
		{"S3.5", "only writing is denied", tls(`"Action":"s3:PutObject",` + all + `,` + plain), "nlb-logs"},
		{"S3.5", "only what is in it is denied", tls(`"Action":"s3:*","Resource":"arn:aws:s3:::nlb-logs/*",` + plain), "nlb-logs"},
		{"S3.5", "with TLS is denied", tls(`"Action":"s3:*",` + all + `,"Condition":{"Bool":{"aws:SecureTransport":"true"}}`), "nlb-logs"},
		{"S3.8", "nothing is blocked", third, "third"},
		{"S3.8", "policies are not blocked", set("nlb-logs-block", "blockPublicPolicy", false), "nlb-logs-block"},
		{"S3.9", "a bucket without logs", third, "third"},
		{"S3.10", "old versions stay", set("nlb-logs-lifecycle", "rules.noncurrentVersionExpiration", nil), "nlb-logs-versions"},
		{"S3.12", "an ACL", add(typeBucketACL, "bad", inputs{"bucket": "nlb-logs_id", "acl": "log-delivery-write"}), "bad"},
		{"S3.12", "ACLs are not switched off", drop("nlb-logs-ownership"), "nlb-logs"},
		{"S3.13", "logs stay", set("nlb-logs-lifecycle", "rules.expiration", nil), "nlb-logs"},
		{"S3.13", "the rule is off", set("nlb-logs-lifecycle", "rules.status", "Disabled"), "nlb-logs"},
		{
			"S3.17", "AWS's way only",
			set("nlb-logs-encryption", "rules.applyServerSideEncryptionByDefault.sseAlgorithm", "AES256"), "nlb-logs-encryption",
		},
		{"S3.17", "AWS's key", set("nlb-logs-encryption", "rules.applyServerSideEncryptionByDefault.kmsMasterKeyId", nil), "nlb-logs-encryption"},
		{"S3.17", "not at all", drop("alb-logs-encryption"), "alb-logs"},
	}
}

func loggingExamples() []example {
	return []example{
		{"CloudWatch.16", "a month", set("flow-logs", "retentionInDays", 30), "flow-logs"},
		{"CloudWatch.16", "for ever", set("flow-logs", "retentionInDays", nil), "flow-logs"},
		{"CloudWatch.16", "not known", set("flow-logs", "retentionInDays", unknown()), "flow-logs"},
		{"CT.CLOUDWATCH.PR.3", "AWS's key", set("flow-logs", "kmsKeyId", nil), "flow-logs"},
		{"Route53.2", "nothing is logged", drop("questions"), "zone"},
	}
}

func balancerExamples() []example {
	const metrics = "cloudwatchMetricsEnabled"
	return []example{
		{"ELB.1", "HTTP is served", set("listen-http", "defaultActions.type", "forward"), "listen-http"},
		{"ELB.1", "HTTP goes to HTTP", set("listen-http", "defaultActions.redirect.protocol", "HTTP"), "listen-http"},
		{"ELB.4", "invalid headers pass", set("alb", "dropInvalidHeaderFields", nil), "alb"},
		{"ELB.5", "there are no logs", set("nlb", "accessLogs", nil), "nlb"},
		{"ELB.5", "logs are off", set("alb", "accessLogs.enabled", false), "alb"},
		{"ELB.6", "it can be deleted", set("nlb", "enableDeletionProtection", nil), "nlb"},
		{"ELB.6", "whether it can is not known", set("nlb", "enableDeletionProtection", unknown()), "nlb"},
		{"ELB.12", "requests are only watched", set("alb", "desyncMitigationMode", "monitor"), "alb"},
		{"ELB.13", "one subnet", set("nlb", "subnets", []any{"private-a_id"}), "nlb"},
		{"ELB.13", "one zone", set("nlb", "subnets", []any{"private-a_id", "public-a_id"}), "nlb"},
		{"ELB.16", "there is no firewall", drop("before-alb"), "alb"},
		{"ELB.17", "AWS's default", set("listen-api", "sslPolicy", nil), "listen-api"},
		{"ELB.17", "TLS 1.1", set("listen-api", "sslPolicy", "ELBSecurityPolicy-TLS13-1-1-2021-06"), "listen-api"},
		{"ELB.18", "HTTP is served", set("listen-http", "defaultActions.type", "forward"), "listen-http"},
		{"ELB.18", "another port in the clear", set("listen-p2p", "port", 9000), "listen-p2p"},
		{"ICON.26", "PROXY protocol is spoken", set("targets", "proxyProtocolV2", true), "targets"},
		{"WAF.10", "it has no rules", set("firewall", "rules", []any{}), "firewall"},
		{"WAF.11", "it logs nothing", drop("firewall-logging"), "firewall"},
		{"WAF.12", "it has no metrics", set("firewall", "visibilityConfig", inputs{metrics: false}), "firewall"},
		{"WAF.12", "a rule has no metrics", set("firewall", "rules.visibilityConfig", inputs{metrics: false}), "firewall"},
		{"ICON.27", "it subscribes", add("aws:shield/subscription:Subscription", "bad", inputs{}), "bad"},
	}
}

func tagExamples() []example {
	return []example{
		{"ICON.28", "a tag is missing", set("vpc", "tags.Project", nil), "vpc"},
		{"ICON.28", "a tag is empty", set("vpc", "tags.Stack", ""), "vpc"},
		{"ICON.28", "a tag is not known", set("vpc", "tags.Stack", unknown()), "vpc"},
		{"ICON.28", "there are none", set("p2p-prep", "tags", nil), "p2p-prep"},
		{"ICON.28", "none on the root volume", set("prep-1", "rootBlockDevice.tags", nil), "prep-1"},
		{
			"ICON.28", "none of a group of instances",
			add("aws:autoscaling/group:Group", "bad", inputs{"tags": []any{inputs{"key": "Name", "value": "x"}}}), "bad",
		},
		{
			"ICON.29", "a volume's host is not named",
			set("prep-1-data", "tags", tags("prep-1-data", "Role", "prep", "Snapshots", "daily")), "prep-1-data",
		},
		{
			"ICON.29", "a role is misspelt",
			func(s *stack) { s.set("prep-1", "tags", tags("prep-1", "Role", "pprep", "Host", "prep-1")) }, "prep-1",
		},
		{"ICON.30", "a new type", add("aws:ec2/teleporter:Teleporter", "bad", inputs{}), "bad"},
		{"ICON.31", "none", func(s *stack) { s.get("vpc").Provider = "" }, "vpc"},
		{"ICON.31", "another cloud's", func(s *stack) { s.get("vpc").Provider = "urn:pulumi:test::icon::pulumi:providers:gcp::gcp::x" }, "vpc"},
		{"ICON.32", "copies have none", set("snapshots", "policyDetails.schedules.copyTags", nil), "snapshots"},
	}
}
