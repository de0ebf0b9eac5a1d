package policy

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/pulumi/pulumi/sdk/v3/go/common/resource"

	"github.com/insight-icon/pulumi-icon/tests/graph"
)

// stack is a small installation that keeps to every rule: what an example changes in it is all that is wrong with it.
type stack struct{ resources []*graph.Resource }

type inputs = map[string]any

const provider = "urn:pulumi:test::icon::pulumi:providers:aws::aws::aws_id"

func (s *stack) graph() *graph.Graph { return graph.New(s.resources...) }

// add adds a resource of AWS's.
func (s *stack) add(token, name string, in inputs) *graph.Resource {
	r := &graph.Resource{
		URN:  fmt.Sprintf("urn:pulumi:test::icon::icon:network:Network$%s::%s", token, name),
		Type: token, Name: name, Custom: true, Provider: provider, Inputs: resource.NewPropertyMapFromMap(in),
	}
	s.resources = append(s.resources, r)
	return r
}

// get is the resource with a name.
func (s *stack) get(name string) *graph.Resource {
	for _, r := range s.resources {
		if r.Name == name {
			return r
		}
	}
	panic("the compliant stack has no resource " + name)
}

func (s *stack) drop(name string) {
	gone := s.get(name)
	s.resources = slices.DeleteFunc(s.resources, func(r *graph.Resource) bool { return r == gone })
}

// set changes an input, or a part of one; nil takes it away. Steps into a list go to its first element.
func (s *stack) set(name, path string, to any) {
	v := resource.NewProperty(s.get(name).Inputs)
	steps := strings.Split(path, ".")
	for _, step := range steps[:len(steps)-1] {
		v = v.ObjectValue()[resource.PropertyKey(step)]
		if v.IsArray() {
			v = v.ArrayValue()[0]
		}
	}
	last := resource.PropertyKey(steps[len(steps)-1])
	switch value := to.(type) {
	case nil:
		delete(v.ObjectValue(), last)
	case resource.PropertyValue:
		v.ObjectValue()[last] = value
	default:
		v.ObjectValue()[last] = resource.NewPropertyValue(to)
	}
}

// unknown is an input that a preview does not know; secret one that is marked.
func unknown() resource.PropertyValue { return resource.MakeComputed(resource.NewProperty("")) }

func secret(text string) resource.PropertyValue {
	return resource.MakeSecret(resource.NewProperty(text))
}

func tags(name string, more ...string) inputs {
	t := inputs{"Name": name, "Project": "icon", "Stack": "test", "ManagedBy": "pulumi"}
	for i := 0; i < len(more); i += 2 {
		t[more[i]] = more[i+1]
	}
	return t
}

func with(base inputs, more inputs) inputs {
	all := maps.Clone(base)
	maps.Copy(all, more)
	return all
}

func arn(service, name string) string {
	return "arn:aws:" + service + ":eu-central-1:123456789012:" + name
}

// compliant is the installation: a P-Rep, a sentry, a bastion, a citizen behind a load balancer, and all around them.
func compliant() *stack {
	s := &stack{}
	s.addKey()
	s.addNetwork()
	for _, m := range []struct{ name, role, subnet string }{
		{"prep-1", "prep", "private-a"},
		{"citizen-1", "citizen", "private-a"},
		{"sentry-1", "sentry", "public-a"},
		{"bastion", "bastion", "public-a"},
	} {
		s.addMachine(m.name, m.role, m.subnet)
	}
	s.addGroups()
	s.addBalancers()
	s.addIdentities()
	return s
}

func (s *stack) addKey() {
	key := s.add(typeKey, "key", inputs{
		"enableKeyRotation": true, "deletionWindowInDays": 30, "tags": tags("key"),
		"policy": `{"Version":"2012-10-17","Statement":[{"Sid":"Account","Effect":"Allow","Principal":{"AWS":"arn:aws:iam::123456789012:root"},` +
			`"Action":["kms:Decrypt","kms:DescribeKey"],"Resource":"*"}]}`,
	})
	key.Protect, key.RetainOnDelete = true, true
}

func (s *stack) addNetwork() {
	s.add(typeVPC, "vpc", inputs{"cidrBlock": "10.20.0.0/16", "tags": tags("vpc")})
	s.add(groupTypes[1], "default-group", inputs{"vpcId": "vpc_id", "ingress": []any{}, "egress": []any{}, "tags": tags("default-group")})
	s.add("aws:ec2/internetGateway:InternetGateway", "gateway", inputs{"vpcId": "vpc_id", "tags": tags("gateway")})
	s.add("aws:ec2/natGateway:NatGateway", "nat", inputs{"subnetId": "public-a_id", "allocationId": "nat-address_id", "tags": tags("nat")})
	s.add(typeEIP, "nat-address", inputs{"domain": "vpc", "tags": tags("nat-address")}).Protect = true
	acl := func(number int, action, cidr, protocol string, from, to int) inputs {
		return inputs{"ruleNo": number, "action": action, "cidrBlock": cidr, "protocol": protocol, "fromPort": from, "toPort": to}
	}
	s.add("aws:ec2/networkAcl:NetworkAcl", "acl", inputs{
		"vpcId": "vpc_id", "subnetIds": []any{"public-a_id"}, "tags": tags("acl"),
		"ingress": []any{
			acl(400, "allow", "0.0.0.0/0", "-1", 0, 0), acl(100, "allow", "192.0.2.0/24", "tcp", 22, 22),
			acl(300, "deny", "0.0.0.0/0", "tcp", 22, 22), acl(310, "deny", "0.0.0.0/0", "tcp", 3389, 3389),
		},
	})
	for i, name := range []string{"public-a", "private-a", "private-b"} {
		s.add(typeSubnet, name, inputs{
			"vpcId": "vpc_id", "cidrBlock": fmt.Sprintf("10.20.%d.0/24", i), "availabilityZone": "eu-central-1" + name[len(name)-1:],
			"mapPublicIpOnLaunch": false, "tags": tags(name),
		})
		s.add("aws:ec2/routeTable:RouteTable", "routes-"+name, inputs{"vpcId": "vpc_id", "tags": tags("routes-" + name)})
		s.add("aws:ec2/routeTableAssociation:RouteTableAssociation", "routing-"+name,
			inputs{"routeTableId": "routes-" + name + "_id", "subnetId": name + "_id"})
		to := inputs{"routeTableId": "routes-" + name + "_id", "destinationCidrBlock": "0.0.0.0/0"}
		if name == "public-a" {
			s.add("aws:ec2/route:Route", "way-"+name, with(to, inputs{"gatewayId": "gateway_id"}))
			continue
		}
		s.add("aws:ec2/route:Route", "way-"+name, with(to, inputs{"natGatewayId": "nat_id"}))
		s.add("aws:ec2/networkAclAssociation:NetworkAclAssociation", "guard-"+name, inputs{"networkAclId": "acl_id", "subnetId": name + "_id"})
	}
	s.add(typeLogGroup, "flow-logs", inputs{"retentionInDays": 365, "kmsKeyId": arn("kms", "key"), "tags": tags("flow-logs")})
	s.add("aws:ec2/flowLog:FlowLog", "flows", inputs{
		"vpcId": "vpc_id", "trafficType": "ALL", "logDestination": arn("logs", "flow-logs"), "tags": tags("flows"),
	})
}

func (s *stack) addMachine(name, role, subnet string) {
	all := tags(name, "Role", role, "Host", name)
	m := s.add(typeInstance, name, inputs{
		"ami": graph.AMI, "subnetId": subnet + "_id", "vpcSecurityGroupIds": []any{"group-" + role + "_id"}, "monitoring": true,
		"disableApiTermination": true, "iamInstanceProfile": "profile_id", "tags": all, "userData": secret("PRIVATE KEY"),
		"metadataOptions": inputs{"httpTokens": "required", "httpPutResponseHopLimit": 1, "instanceMetadataTags": "disabled"},
		"rootBlockDevice": inputs{"encrypted": true, "kmsKeyId": arn("kms", "key"), "volumeType": "gp3", "tags": all},
	})
	m.IgnoreChanges, m.Protect = []string{"ami", "userData"}, true
	s.add(typeAlarm, name+"-alarm", inputs{
		"namespace": "AWS/EC2", "metricName": "StatusCheckFailed_System", "dimensions": inputs{"InstanceId": name + "_id"},
		"comparisonOperator": "GreaterThanOrEqualToThreshold", "threshold": 1,
		"alarmActions": []any{"arn:aws:automate:eu-central-1:ec2:recover"}, "tags": tags(name + "-alarm"),
	})
	if subnet == "public-a" {
		s.add(typeEIP, name+"-address", inputs{"domain": "vpc", "tags": tags(name + "-address")}).Protect = true
		s.add(typeEIPAssociation, name+"-association", inputs{"allocationId": name + "-address_id", "instanceId": name + "_id"})
		return
	}
	data := s.add(typeVolume, name+"-data", inputs{
		"encrypted": true, "kmsKeyId": arn("kms", "key"), "size": 100,
		"tags": tags(name+"-data", "Role", role, "Host", name, "Snapshots", "daily"),
	})
	data.Protect, data.RetainOnDelete = true, true
	s.add(typeAttachment, name+"-attachment", inputs{"instanceId": name + "_id", "volumeId": name + "-data_id", "deviceName": "/dev/sdf"})
}

func (s *stack) addGroups() {
	for _, name := range []string{"prep", "citizen", "sentry", "bastion", "nlb", "alb"} {
		s.add(groupTypes[0], "group-"+name, inputs{"vpcId": "vpc_id", "description": "icon: " + name, "tags": tags("group-" + name)})
	}
	rule := func(token, name, group string, port int, source string) {
		in := inputs{
			"securityGroupId": "group-" + group + "_id", "ipProtocol": "tcp", "fromPort": port, "toPort": port, "description": name,
			"tags": tags(name),
		}
		if strings.Contains(source, "/") {
			in["cidrIpv4"] = source
		} else {
			in["referencedSecurityGroupId"] = "group-" + source + "_id"
		}
		s.add(token, name, in)
	}
	rule(typeIngress, "ssh-bastion", "bastion", 22, "192.0.2.0/24")
	for _, group := range []string{"prep", "citizen", "sentry"} {
		rule(typeIngress, "ssh-"+group, group, 22, "bastion")
	}
	rule(typeIngress, "p2p-prep", "prep", 7100, "sentry")
	rule(typeIngress, "p2p-sentry", "sentry", 7100, "0.0.0.0/0")
	rule(typeIngress, "p2p-nlb", "nlb", 7100, "0.0.0.0/0")
	rule(typeIngress, "api-alb", "alb", 443, "0.0.0.0/0")
	rule(typeIngress, "http-alb", "alb", 80, "0.0.0.0/0")
	rule(typeIngress, "api-citizen", "citizen", 9000, "alb")
	rule(typeEgress, "out-prep", "prep", 443, "0.0.0.0/0")
}

func (s *stack) addBalancers() {
	for name, kind := range map[string]string{"nlb": "network", "alb": "application"} {
		s.add(balancerTypes[0], name, inputs{
			"loadBalancerType": kind, "subnets": []any{"private-a_id", "private-b_id"}, "securityGroups": []any{"group-" + name + "_id"},
			"enableDeletionProtection": true, "dropInvalidHeaderFields": true, "ipAddressType": "ipv4", "desyncMitigationMode": "defensive",
			"accessLogs": inputs{"bucket": name + "-logs_id", "enabled": true}, "tags": tags(name),
		})
	}
	s.addBucket("nlb-logs", "aws:kms")
	s.addBucket("alb-logs", "AES256")
	listen := func(name, balancer, protocol string, port int, action inputs) {
		in := inputs{
			"loadBalancerArn": arn("lb", balancer), "protocol": protocol, "port": port, "defaultActions": []any{action}, "tags": tags(name),
		}
		if protocol == "HTTPS" {
			in["sslPolicy"] = "ELBSecurityPolicy-TLS13-1-2-Res-2021-06"
		}
		s.add(listenerTypes[0], name, in)
	}
	forward := inputs{"type": "forward", "targetGroupArn": arn("lb", "targets")}
	listen("listen-p2p", "nlb", "TCP", 7100, forward)
	listen("listen-api", "alb", "HTTPS", 443, inputs{"type": "fixed-response"})
	s.add("aws:lb/listenerRule:ListenerRule", "listen-api-rule", inputs{
		"listenerArn": arn("lb", "listen-api"), "tags": tags("listen-api-rule"), "actions": []any{forward},
		"conditions": []any{inputs{"pathPattern": inputs{"values": []any{"/api/v3", "/api/v3/*"}}}},
	})
	listen("listen-http", "alb", "HTTP", 80, inputs{
		"type": "redirect", "redirect": inputs{"protocol": "HTTPS", "port": "443", "statusCode": "HTTP_301"},
	})
	s.add("aws:lb/targetGroup:TargetGroup", "targets", inputs{
		"protocol": "TCP", "port": 7100, "proxyProtocolV2": false, "tags": tags("targets"),
	})
	metrics := inputs{"cloudwatchMetricsEnabled": true, "metricName": "icon", "sampledRequestsEnabled": true}
	s.add(typeWebACL, "firewall", inputs{
		"scope": "REGIONAL", "visibilityConfig": metrics, "rules": []any{inputs{
			"name": "rate", "priority": 1, "visibilityConfig": metrics, "action": inputs{"block": inputs{}},
			"statement": inputs{"rateBasedStatement": inputs{"limit": 2000}},
		}},
		"tags": tags("firewall"),
	})
	s.add("aws:wafv2/webAclAssociation:WebAclAssociation", "before-alb", inputs{
		"resourceArn": arn("lb", "alb"), "webAclArn": arn("wafv2", "firewall"),
	})
	s.add("aws:wafv2/webAclLoggingConfiguration:WebAclLoggingConfiguration", "firewall-logging", inputs{
		"resourceArn": arn("wafv2", "firewall"), "logDestinationConfigs": []any{arn("logs", "flow-logs")},
	})
	s.add(typeCertificate, "certificate", inputs{"domainName": "api.example.org", "validationMethod": "DNS", "tags": tags("certificate")})
	s.add("aws:route53/zone:Zone", "zone", inputs{"name": "example.org", "tags": tags("zone")})
	s.add("aws:route53/queryLog:QueryLog", "questions", inputs{"zoneId": "zone_id", "cloudwatchLogGroupArn": arn("logs", "flow-logs")})
}

func (s *stack) addBucket(name, algorithm string) {
	s.add(bucketTypes[0], name, inputs{"tags": tags(name)}).Protect = true
	of := func(more inputs) inputs { return with(more, inputs{"bucket": name + "_id"}) }
	by := inputs{"sseAlgorithm": algorithm}
	if algorithm == "aws:kms" {
		by["kmsMasterKeyId"] = arn("kms", "key")
	}
	s.add(typeBucketEncryption, name+"-encryption", of(inputs{"rules": []any{inputs{"applyServerSideEncryptionByDefault": by}}}))
	s.add(typeBucketBlock, name+"-block", of(inputs{
		"blockPublicAcls": true, "blockPublicPolicy": true, "ignorePublicAcls": true, "restrictPublicBuckets": true,
	}))
	s.add(typeBucketOwnership, name+"-ownership", of(inputs{"rule": inputs{"objectOwnership": "BucketOwnerEnforced"}}))
	s.add(typeBucketVersions, name+"-versions", of(inputs{"versioningConfiguration": inputs{"status": "Enabled"}}))
	s.add(typeBucketLifecycle, name+"-lifecycle", of(inputs{"rules": []any{inputs{
		"id": "old", "status": "Enabled", "expiration": inputs{"days": 365}, "noncurrentVersionExpiration": inputs{"noncurrentDays": 30},
	}}}))
	s.add(typeBucketPolicy, name+"-policy", of(inputs{"policy": strings.ReplaceAll(`{"Version":"2012-10-17","Statement":[`+
		`{"Sid":"TLS","Effect":"Deny","Principal":"*","Action":"s3:*","Resource":["arn:aws:s3:::NAME","arn:aws:s3:::NAME/*"],`+
		`"Condition":{"Bool":{"aws:SecureTransport":"false"}}},`+
		`{"Sid":"Logs","Effect":"Allow","Principal":{"Service":"delivery.logs.amazonaws.com"},"Action":"s3:PutObject",`+
		`"Resource":"arn:aws:s3:::NAME/*"}]}`,
		"NAME", name)}))
}

func (s *stack) addIdentities() {
	const trust = `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"Service":"dlm.amazonaws.com"},` +
		`"Action":"sts:AssumeRole","Condition":{"StringEquals":{"aws:SourceAccount":"123456789012"}}}]}`
	s.add("aws:iam/role:Role", "role", inputs{"assumeRolePolicy": trust, "tags": tags("role")})
	s.add("aws:iam/instanceProfile:InstanceProfile", "profile", inputs{"role": "role_id", "tags": tags("profile")})
	const can = `{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":["ec2:CreateSnapshot","ec2:DescribeVolumes"],"Resource":"*"}}`
	s.add(inlinePolicy[0], "role-policy", inputs{"role": "role_id", "policy": can})
	s.add(managedPolicy[0], "managed-policy", inputs{"policy": can, "tags": tags("managed-policy")})
	s.add(typeSnapshots, "snapshots", inputs{
		"state": "ENABLED", "executionRoleArn": arn("iam", "role"), "tags": tags("snapshots"),
		"policyDetails": inputs{
			"resourceTypes": []any{"VOLUME"}, "targetTags": inputs{"Snapshots": "daily"},
			"schedules": []any{inputs{
				"name": "daily", "copyTags": true, "createRule": inputs{"interval": 24}, "retainRule": inputs{"count": 7},
			}},
		},
	})
	s.add(typeTemplate, "template", inputs{
		"metadataOptions":     inputs{"httpTokens": "required", "httpPutResponseHopLimit": 1},
		"networkInterfaces":   []any{inputs{"associatePublicIpAddress": "false"}},
		"blockDeviceMappings": []any{inputs{"deviceName": "/dev/xvda", "ebs": inputs{"encrypted": "true"}}}, "tags": tags("template"),
	})
}
