package graph

import (
	"fmt"
	"slices"
	"strings"
)

// fixed are the inputs of which a change replaces the resource ("forces new resource" in the provider's documentation of v6.83.2), for
// the types whose replacement costs an operator data, an address or a running node.
var fixed = map[string][]string{
	"aws:ec2/vpc:Vpc":                           {"cidrBlock", "instanceTenancy"},
	"aws:ec2/subnet:Subnet":                     {"vpcId", "cidrBlock", "availabilityZone"},
	"aws:ec2/instance:Instance":                 {"subnetId", "availabilityZone", "placementGroup", "keyName", "associatePublicIpAddress"},
	"aws:ec2/volume:Volume":                     {"availabilityZone", "encrypted", "kmsKeyId", "snapshotId"},
	"aws:ec2/volumeAttachment:VolumeAttachment": {"volumeId", "instanceId", "deviceName"},
	"aws:ec2/eip:Eip":                           {"domain"},
	"aws:ec2/securityGroup:SecurityGroup":       {"name", "namePrefix", "description", "vpcId"},
	"aws:ec2/natGateway:NatGateway":             {"subnetId", "allocationId"},
	"aws:ec2/placementGroup:PlacementGroup":     {"name", "strategy"},
	"aws:kms/key:Key":                           {"customerMasterKeySpec", "keyUsage", "multiRegion"},
	"aws:lb/loadBalancer:LoadBalancer":          {"name", "internal", "loadBalancerType"},
	"aws:lb/targetGroup:TargetGroup":            {"name", "port", "protocol", "vpcId", "targetType"},
	"aws:s3/bucketV2:BucketV2":                  {"bucket", "bucketPrefix"},
	"tls:index/privateKey:PrivateKey":           {"algorithm", "rsaBits", "ecdsaCurve"},
}

// Upgrade says, in words, what an engine that has an older graph in its state would delete or replace to reach this one. The older graph
// is the text of its Detail. A resource is found again by its URN or by an alias that names the old one. Components and the order of steps
// cost nothing; steps on hosts are looked at by name only, since a change of theirs is an update.
func Upgrade(older string, g *Graph) []string {
	now := map[string]*Resource{}
	for _, r := range g.Resources {
		for _, a := range r.Aliases {
			now[a] = r
		}
	}
	for _, r := range g.Resources {
		now[r.URN] = r
	}
	var problems []string
	for _, old := range parseDetail(older) {
		r := now[old.urn]
		if r == nil {
			if !strings.HasPrefix(typeOf(old.urn), "icon:") {
				problems = append(problems, old.urn+" would be deleted: if it has a new name or parent, give it an alias (pulumi.Aliases)")
			}
			continue
		}
		for _, key := range fixed[r.Type] {
			if value := old.inputs[key]; value != r.shown(key) {
				problems = append(problems, fmt.Sprintf("%s would be replaced: its %s was %s and is %s", old.urn, key, none(value), none(r.shown(key))))
			}
		}
	}
	slices.Sort(problems)
	return problems
}

func none(text string) string {
	if text == "" {
		return "not set"
	}
	return text
}

// shown is an input as Detail shows it, empty if it is not set.
func (r *Resource) shown(key string) string {
	for k, v := range r.Inputs {
		if string(k) == key {
			return show(v)
		}
	}
	return ""
}

type detailed struct {
	urn    string
	inputs map[string]string
}

// parseDetail reads what Detail wrote.
func parseDetail(text string) []detailed {
	var all []detailed
	for line := range strings.Lines(text) {
		line = strings.TrimRight(line, "\n")
		switch key, value, isInput := strings.Cut(strings.TrimPrefix(line, "  "), " = "); {
		case strings.HasPrefix(line, "urn:"):
			all = append(all, detailed{urn: line, inputs: map[string]string{}})
		case isInput && len(all) > 0:
			all[len(all)-1].inputs[key] = value
		}
	}
	return all
}

// typeOf is the type of a URN, without those of its parents.
func typeOf(urn string) string {
	parts := strings.Split(urn, "::")
	if len(parts) < 4 {
		return ""
	}
	return parts[2][strings.LastIndex(parts[2], "$")+1:]
}
