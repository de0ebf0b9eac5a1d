package graph

import (
	"fmt"
	"slices"
	"strings"
)

// fixed are the inputs of which a change replaces the resource ("forces new resource" in the provider's documentation of v6.83.2), for
// the types whose replacement costs an operator data, an address or a running node. "a.b" is the part b of the input a.
var fixed = map[string][]string{
	"aws:ec2/vpc:Vpc":       {"cidrBlock", "instanceTenancy"},
	"aws:ec2/subnet:Subnet": {"vpcId", "cidrBlock", "availabilityZone"},
	"aws:ec2/instance:Instance": {
		"ami", "subnetId", "availabilityZone", "placementGroup", "keyName", "associatePublicIpAddress", "privateIp",
		"rootBlockDevice.encrypted", "rootBlockDevice.kmsKeyId",
	},
	"aws:ebs/volume:Volume":                     {"availabilityZone", "encrypted", "kmsKeyId", "snapshotId", "multiAttachEnabled"},
	"aws:cloudwatch/logGroup:LogGroup":          {"name", "namePrefix"},
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
// is the text of its Detail. A resource is found again by its URN or by an alias, its own or of a component above it, that names the old
// one; two that claim to be the same one are an error. Components and the order of steps cost nothing; steps on hosts are looked at by
// name only, since a change of theirs is an update. Changes of inputs that the resource ignores cost nothing either.
func Upgrade(older string, g *Graph) []string {
	now := map[string]*Resource{}
	for _, r := range g.Resources {
		now[r.URN] = r
	}
	claims := map[string]string{}
	var problems []string
	for _, r := range g.Resources {
		for _, a := range r.Aliases {
			if now[a] == nil {
				now[a] = r
			} else if now[a] != r {
				claims[a] = fmt.Sprintf("%s is what both %s and %s claim to have been: take one alias away", a, now[a].URN, r.URN)
			}
		}
	}
	for _, old := range parseDetail(older) {
		r := now[old.urn]
		if claim := claims[old.urn]; claim != "" && r.URN != old.urn {
			problems = append(problems, claim)
		}
		if r == nil {
			if !strings.HasPrefix(typeOf(old.urn), "icon:") {
				problems = append(problems, old.urn+" would be deleted: if it has a new name or parent, give it an alias (pulumi.Aliases)")
			}
			continue
		}
		for _, key := range fixed[r.Type] {
			input, inner, _ := strings.Cut(key, ".")
			was, is := partOf(old.inputs[input], inner), partOf(r.shown(input), inner)
			if was != is && !slices.Contains(r.IgnoreChanges, input) && !slices.Contains(r.IgnoreChanges, key) {
				problems = append(problems, fmt.Sprintf("%s would be replaced: its %s was %s and is %s", old.urn, key, none(was), none(is)))
			}
		}
	}
	slices.Sort(problems)
	return problems
}

// partOf is a part of an object as Detail shows it; the whole if no part is meant.
func partOf(shown, name string) string {
	if name == "" {
		return shown
	}
	_, rest, found := strings.Cut(strings.Replace(shown, "{", " ", 1), " "+name+": ")
	if !found {
		return ""
	}
	return rest[:strings.IndexAny(rest+",", ",}")]
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
