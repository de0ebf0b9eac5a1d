package cloud

import (
	"errors"
	"fmt"
	"net/netip"
	"strings"

	"github.com/pulumi/pulumi/sdk/v3/go/common/resource"
)

// An account that is nobody's, in one region. AMI is the image that a search finds, Zone the public zone of ZoneName.
const (
	account = "123456789012"
	region  = "eu-central-1"
	AMI     = "ami-0123456789abcdef0"
	Zone    = "Z0123456789SANDBOX00"
	// ZoneName is in the domain that RFC 6761 keeps for tests. The names of examples are refused by stacks.
	ZoneName = "sandbox.test"
)

// awsCall answers a function of AWS's.
func awsCall(token string, args resource.PropertyMap) (resource.PropertyMap, error) {
	answer := func(texts map[string]string) (resource.PropertyMap, error) {
		m := resource.PropertyMap{}
		for key, text := range texts {
			m[resource.PropertyKey(key)] = resource.NewProperty(text)
		}
		return m, nil
	}
	switch token {
	case "aws:index/getCallerIdentity:getCallerIdentity":
		return answer(map[string]string{
			"accountId": account, "arn": "arn:aws:iam::" + account + ":user/operator", "userId": "AIDA", "id": account,
		})
	case "aws:index/getPartition:getPartition":
		return answer(map[string]string{
			"partition": "aws", "dnsSuffix": "amazonaws.com", "id": "aws", "reverseDnsPrefix": "com.amazonaws",
		})
	case "aws:ec2/getAmi:getAmi":
		return answer(map[string]string{"id": AMI, "imageId": AMI, "rootDeviceName": "/dev/xvda"})
	case "aws:route53/getZone:getZone":
		id := bare(args["zoneId"])
		if !id.IsString() || id.StringValue() != Zone {
			return nil, errors.New("NoSuchHostedZone")
		}
		m, err := answer(map[string]string{"id": Zone, "zoneId": Zone, "name": ZoneName})
		m["privateZone"] = resource.NewProperty(false)
		return m, err
	default:
		return nil, fmt.Errorf("the stand-in for the provider aws does not know the function %s", token)
	}
}

// madeUp are outputs that only have to be there.
func madeUp(_ *state, r *Resource, key string) (resource.PropertyValue, error) {
	service := strings.Split(strings.TrimPrefix(r.Type, "aws:"), "/")[0]
	switch key {
	case "arn":
		return resource.NewProperty(fmt.Sprintf("arn:aws:%s:%s:%s:%s", service, region, account, r.ID)), nil
	case "keyId", "allocationId", "bucket":
		return resource.NewProperty(r.ID), nil
	case "dnsName":
		return resource.NewProperty(r.Name + ".elb.example.com"), nil
	case "fqdn":
		return resource.NewProperty(r.text("name")), nil
	default:
		return resource.NewProperty(key + "-of-" + r.ID), nil
	}
}

func certificate(s *state, r *Resource, key string) (resource.PropertyValue, error) {
	if key != "domainValidationOptions" {
		return madeUp(s, r, key)
	}
	option := resource.PropertyMap{}
	for k, v := range map[string]string{
		"resourceRecordName": "_x." + r.text("domainName"), "resourceRecordType": "CNAME", "resourceRecordValue": "_y.example.com",
		"domainName": r.text("domainName"),
	} {
		option[resource.PropertyKey(k)] = resource.NewProperty(v)
	}
	return resource.NewProperty([]resource.PropertyValue{resource.NewProperty(option)}), nil
}

// machine gives an instance its private address, one that its subnet has not given before.
func machine(s *state, r *Resource, key string) (resource.PropertyValue, error) {
	if key != "privateIp" {
		return madeUp(s, r, key)
	}
	subnet := s.Resources[r.text("subnetId")]
	network, err := netip.ParsePrefix(subnet.text("cidrBlock"))
	if err != nil {
		return resource.PropertyValue{}, err
	}
	const reserved = 4 // AWS keeps a subnet's first four addresses, and its last, for itself
	address, err := s.give(subnet.ID, network, reserved)
	return resource.NewProperty(address), err
}

// PublicNetwork is where elastic addresses come from; the first is PublicFirst addresses into it.
const (
	PublicNetwork = "10.77.43.0/24"
	PublicFirst   = 20
)

func elastic(s *state, r *Resource, key string) (resource.PropertyValue, error) {
	switch {
	case key != "publicIp":
		return madeUp(s, r, key)
	case strings.HasSuffix(r.Type, ":EipAssociation"):
		return resource.NewProperty(s.Resources[r.text("allocationId")].text("publicIp")), nil
	}
	address, err := s.give("elastic", netip.MustParsePrefix(PublicNetwork), PublicFirst)
	return resource.NewProperty(address), err
}

// give gives the next address of a network that was not given before.
func (s *state) give(name string, network netip.Prefix, first int) (string, error) {
	address := network.Masked().Addr()
	for range first + s.Given[name] {
		address = address.Next()
	}
	s.Given[name]++
	if !network.Contains(address.Next()) {
		return "", fmt.Errorf("InsufficientFreeAddressesInSubnet: %s of %s has no address left", network, name)
	}
	return address.String(), nil
}
