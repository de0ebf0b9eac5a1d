package cloud

// The types of resources that the project makes on AWS. What replaces a resource, what is required and what AWS refuses is that of the
// provider's documentation (v6.83.2) and of the EC2 API reference, as far as this project can run into it.

// AWS are the kinds of pulumi-aws.
func AWS() Kinds {
	all := map[string]kind{}
	for _, some := range []map[string]kind{network(), machinery(), around(), fronts()} {
		for token, k := range some {
			// Every resource has a name by which policies speak of it.
			k.computed = append(k.computed, "arn")
			if k.make == nil {
				k.make = madeUp
			}
			all[token] = k
		}
	}
	return Kinds{resources: all, call: awsCall}
}

func network() map[string]kind {
	vpc := []string{"vpcId"}
	return map[string]kind{
		"aws:ec2/vpc:Vpc": {
			prefix: "vpc-", required: []string{"cidrBlock"}, fixed: []string{"cidrBlock", "instanceTenancy"},
			computed: []string{"defaultSecurityGroupId", "defaultNetworkAclId", "mainRouteTableId"}, check: cidr("cidrBlock"),
		},
		"aws:ec2/subnet:Subnet": {
			prefix: "subnet-", required: []string{"vpcId"}, fixed: []string{"vpcId", "cidrBlock", "availabilityZone"}, holds: vpc,
			check: cidr("cidrBlock"), allow: subnetInVPC,
		},
		"aws:ec2/internetGateway:InternetGateway": {prefix: "igw-", holds: vpc, free: noMappedAddresses},
		"aws:ec2/natGateway:NatGateway": {
			prefix: "nat-", required: []string{"subnetId"}, fixed: []string{"subnetId", "allocationId", "connectivityType"},
			holds: []string{"subnetId", "allocationId"}, allow: gatewayAttached("subnetId"),
		},
		"aws:ec2/routeTable:RouteTable": {prefix: "rtb-", required: vpc, fixed: vpc, holds: vpc},
		"aws:ec2/route:Route": {
			prefix: "r-", required: []string{"routeTableId"}, fixed: []string{"routeTableId", "destinationCidrBlock"},
		},
		"aws:ec2/routeTableAssociation:RouteTableAssociation": {
			prefix: "rtbassoc-", required: []string{"routeTableId"}, fixed: []string{"subnetId"}, holds: []string{"routeTableId", "subnetId"},
		},
		"aws:ec2/networkAcl:NetworkAcl": {prefix: "acl-", required: vpc, fixed: vpc, holds: vpc, check: fewEntries},
		"aws:ec2/networkAclAssociation:NetworkAclAssociation": {
			prefix: "aclassoc-", required: []string{"networkAclId", "subnetId"}, fixed: []string{"networkAclId", "subnetId"},
			holds: []string{"networkAclId"},
		},
		"aws:ec2/vpcEndpoint:VpcEndpoint": {
			prefix: "vpce-", required: vpc, fixed: []string{"vpcId", "serviceName", "vpcEndpointType"}, holds: vpc,
		},
		"aws:ec2/vpcEndpointRouteTableAssociation:VpcEndpointRouteTableAssociation": {
			prefix: "a-vpce-", required: []string{"routeTableId", "vpcEndpointId"}, fixed: []string{"routeTableId", "vpcEndpointId"},
		},
		"aws:ec2/flowLog:FlowLog": {
			prefix: "fl-", fixed: []string{
				"iamRoleArn", "logDestination", "logDestinationType", "maxAggregationInterval", "trafficType", "vpcId",
			},
		},
		"aws:ec2/defaultSecurityGroup:DefaultSecurityGroup": {prefix: "sg-", fixed: vpc},
		"aws:ec2/securityGroup:SecurityGroup": {
			prefix: "sg-", fixed: []string{"name", "namePrefix", "description", "vpcId"}, holds: vpc, check: described,
		},
		"aws:vpc/securityGroupIngressRule:SecurityGroupIngressRule": rule(),
		"aws:vpc/securityGroupEgressRule:SecurityGroupEgressRule":   rule(),
	}
}

// rule is a security group's: it goes with its group, and keeps another that it names.
func rule() kind {
	return kind{
		prefix: "sgr-", required: []string{"securityGroupId", "ipProtocol"}, fixed: []string{"securityGroupId"},
		holds: []string{"referencedSecurityGroupId"}, check: described,
	}
}

func machinery() map[string]kind {
	return map[string]kind{
		"aws:ec2/placementGroup:PlacementGroup": {required: []string{"strategy"}, fixed: []string{"name", "strategy"}},
		"aws:ec2/instance:Instance": {
			prefix: "i-", required: []string{"ami", "instanceType", "subnetId"},
			fixed: []string{
				"ami", "subnetId", "availabilityZone", "placementGroup", "keyName", "associatePublicIpAddress", "privateIp",
			},
			holds:    []string{"subnetId", "vpcSecurityGroupIds", "placementGroup"},
			computed: []string{"privateIp", "primaryNetworkInterfaceId"}, make: machine,
			check: userData, free: notProtected("disableApiTermination"), ours: true,
		},
		"aws:ebs/volume:Volume": {
			prefix: "vol-", required: []string{"availabilityZone"}, fixed: []string{"availabilityZone", "encrypted", "kmsKeyId", "snapshotId"},
			allow: volumesGrow, ours: true,
		},
		"aws:ec2/volumeAttachment:VolumeAttachment": {
			prefix: "vai-", required: []string{"deviceName", "instanceId", "volumeId"}, fixed: []string{"deviceName", "instanceId", "volumeId"},
			holds: []string{"volumeId"}, allow: oneMachineInTheZone, ours: true,
		},
		"aws:ec2/eip:Eip": {
			prefix: "eipalloc-", fixed: []string{"domain"}, computed: []string{"publicIp", "allocationId"}, make: elastic, allow: quota, ours: true,
		},
		"aws:ec2/eipAssociation:EipAssociation": {
			prefix: "eipassoc-", required: []string{"allocationId", "instanceId"}, fixed: []string{"allocationId", "instanceId"},
			holds: []string{"allocationId"}, computed: []string{"publicIp"}, make: elastic, allow: associable, ours: true,
		},
		"aws:ec2transitgateway/instanceState:InstanceState": {
			prefix: "state-", required: []string{"instanceId", "state"}, fixed: []string{"instanceId"}, ours: true,
		},
		"aws:iam/instanceProfile:InstanceProfile": {fixed: []string{"name"}, holds: []string{"role"}},
	}
}

func around() map[string]kind {
	return map[string]kind{
		"aws:kms/key:Key": {
			prefix: "mrk-", fixed: []string{"customerMasterKeySpec", "keyUsage", "multiRegion"}, computed: []string{"keyId"},
		},
		"aws:iam/role:Role": {
			required: []string{"assumeRolePolicy"}, fixed: []string{"name"}, check: document("assumeRolePolicy"),
		},
		"aws:iam/rolePolicy:RolePolicy": {
			required: []string{"policy", "role"}, fixed: []string{"role"}, holds: []string{"role"}, check: document("policy"),
		},
		"aws:cloudwatch/logGroup:LogGroup": {fixed: []string{"name"}},
		"aws:cloudwatch/metricAlarm:MetricAlarm": {
			required: []string{"comparisonOperator", "evaluationPeriods"}, fixed: []string{"name"},
		},
		"aws:dlm/lifecyclePolicy:LifecyclePolicy": {
			prefix: "policy-", required: []string{"description", "executionRoleArn", "policyDetails"}, check: lifecycle,
		},
		"aws:s3/bucketV2:BucketV2": {fixed: []string{"bucket", "bucketPrefix"}, computed: []string{"bucket"}},
		"aws:s3/bucketLifecycleConfigurationV2:BucketLifecycleConfigurationV2":                       ofBucket("lifecycle-"),
		"aws:s3/bucketOwnershipControls:BucketOwnershipControls":                                     ofBucket("owner-"),
		"aws:s3/bucketPolicy:BucketPolicy":                                                           ofBucket("policy-"),
		"aws:s3/bucketPublicAccessBlock:BucketPublicAccessBlock":                                     ofBucket("block-"),
		"aws:s3/bucketServerSideEncryptionConfigurationV2:BucketServerSideEncryptionConfigurationV2": ofBucket("sse-"),
		"aws:s3/bucketVersioningV2:BucketVersioningV2":                                               ofBucket("versions-"),
	}
}

// ofBucket is a setting of a bucket.
func ofBucket(prefix string) kind {
	return kind{prefix: prefix, required: []string{"bucket"}, fixed: []string{"bucket"}, holds: []string{"bucket"}}
}

func fronts() map[string]kind {
	return map[string]kind{
		"aws:lb/loadBalancer:LoadBalancer": {
			prefix: "lb-", fixed: []string{"name", "internal", "loadBalancerType"}, holds: []string{"subnets", "securityGroups"},
			computed: []string{"dnsName", "zoneId", "arnSuffix"}, free: notProtected("enableDeletionProtection"),
		},
		"aws:lb/targetGroup:TargetGroup": {
			prefix: "tg-", fixed: []string{"name", "port", "protocol", "vpcId", "targetType"}, holds: []string{"vpcId"},
		},
		"aws:lb/targetGroupAttachment:TargetGroupAttachment": {
			prefix: "tga-", required: []string{"targetGroupArn", "targetId"}, fixed: []string{"targetGroupArn", "targetId"},
		},
		"aws:lb/listener:Listener": {
			prefix: "listener-", required: []string{"defaultActions", "loadBalancerArn"}, fixed: []string{"loadBalancerArn"},
		},
		"aws:lb/listenerRule:ListenerRule": {
			prefix: "listener-rule-", required: []string{"actions", "conditions", "listenerArn"}, fixed: []string{"listenerArn"},
		},
		"aws:acm/certificate:Certificate": {
			prefix: "certificate-", fixed: []string{"domainName", "validationMethod"}, computed: []string{"domainValidationOptions"},
			make: certificate,
		},
		"aws:acm/certificateValidation:CertificateValidation": {
			prefix: "validation-", required: []string{"certificateArn"}, fixed: []string{"certificateArn"},
		},
		"aws:route53/healthCheck:HealthCheck": {prefix: "check-", required: []string{"type"}, fixed: []string{"type", "ipAddress"}},
		"aws:route53/record:Record": {
			prefix: "record-", required: []string{"name", "type", "zoneId"}, fixed: []string{"zoneId"}, computed: []string{"fqdn"},
		},
		"aws:shield/protection:Protection": {
			prefix: "shield-", required: []string{"resourceArn"}, fixed: []string{"name", "resourceArn"},
		},
		"aws:wafv2/webAcl:WebAcl": {
			prefix: "acl-", required: []string{"defaultAction", "scope", "visibilityConfig"}, fixed: []string{"name", "scope"},
		},
		"aws:wafv2/webAclAssociation:WebAclAssociation": {
			prefix: "waf-", required: []string{"resourceArn", "webAclArn"}, fixed: []string{"resourceArn", "webAclArn"},
		},
		"aws:wafv2/webAclLoggingConfiguration:WebAclLoggingConfiguration": {
			prefix: "waf-log-", required: []string{"logDestinationConfigs", "resourceArn"}, fixed: []string{"resourceArn"},
		},
	}
}
