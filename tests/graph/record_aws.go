package graph

import (
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/hex"
	"encoding/pem"
	"errors"
	"fmt"
	"hash/fnv"
	"strings"

	"github.com/pulumi/pulumi/sdk/v3/go/common/resource"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"
	"golang.org/x/crypto/ssh"
)

// What the recorder says in AWS's place. An account, and addresses, that are nobody's.
const (
	awsAccount = "123456789012"
	awsRegion  = "eu-central-1"
	// AMI is the image that a search finds.
	AMI = "ami-0123456789abcdef0"
	// HostedZone is the public zone of example.org.
	HostedZone = "Z0123456789EXAMPLE00"
	// PrivateZone is a private zone of the same name.
	PrivateZone = "Z0123456789PRIVATE00"
	// OwnZone is the public zone of icon.test, for programs that take no example's values. There are no others.
	OwnZone = "Z0123456789OPERATOR0"
)

// errNoZone is what AWS says of any other.
var errNoZone = errors.New("NoSuchHostedZone")

// awsCall answers a question to AWS.
func awsCall(args pulumi.MockCallArgs) (answer resource.PropertyMap, known bool, err error) {
	text := func(kv ...string) (resource.PropertyMap, bool, error) {
		answer := resource.PropertyMap{}
		for i := 0; i < len(kv); i += 2 {
			answer[resource.PropertyKey(kv[i])] = resource.NewProperty(kv[i+1])
		}
		return answer, true, nil
	}
	switch args.Token {
	case "aws:index/getCallerIdentity:getCallerIdentity":
		return text("accountId", awsAccount, "arn", "arn:aws:iam::"+awsAccount+":user/operator", "userId", "AIDA", "id", awsAccount)
	case "aws:index/getPartition:getPartition":
		return text("partition", "aws", "dnsSuffix", "amazonaws.com", "id", "aws", "reverseDnsPrefix", "com.amazonaws")
	case "aws:index/getRegion:getRegion":
		return text("name", awsRegion, "id", awsRegion, "description", "Europe (Frankfurt)", "endpoint", "ec2."+awsRegion+".amazonaws.com")
	case "aws:ec2/getAmi:getAmi":
		architecture := "x86_64"
		if strings.Contains(fmt.Sprint(args.Args), "arm64") {
			architecture = "arm64"
		}
		return text("id", AMI, "imageId", AMI, "architecture", architecture, "rootDeviceName", "/dev/xvda")
	case "aws:route53/getZone:getZone":
		id, _ := Plain(args.Args["zoneId"])
		name := map[string]string{HostedZone: "example.org", PrivateZone: "example.org", OwnZone: "icon.test"}[id]
		if name == "" {
			return nil, true, errNoZone
		}
		answer, known, err = text("id", id, "zoneId", id, "name", name)
		answer["privateZone"] = resource.NewProperty(id == PrivateZone)
		return answer, known, err
	default:
		return nil, false, nil
	}
}

// awsOutputs fills in what AWS and pulumi-tls would say of a resource.
func awsOutputs(r *Resource, out resource.PropertyMap) {
	set := func(key, value string) {
		if _, given := out[resource.PropertyKey(key)]; !given {
			out[resource.PropertyKey(key)] = resource.NewProperty(value)
		}
	}
	if strings.HasPrefix(r.Type, "aws:") {
		service := strings.Split(strings.TrimPrefix(r.Type, "aws:"), "/")[0]
		set("arn", fmt.Sprintf("arn:aws:%s:%s:%s:%s", service, awsRegion, awsAccount, r.Name))
	}
	switch r.Type {
	case "aws:ec2/instance:Instance":
		set("privateIp", addressIn("10.20", r.Name))
		set("primaryNetworkInterfaceId", "eni-"+r.Name)
	case "aws:ec2/eip:Eip":
		set("publicIp", addressIn("198.51", r.Name))
		set("allocationId", r.ID())
	case "aws:lb/loadBalancer:LoadBalancer":
		set("dnsName", r.Name+".elb.example.com")
		set("zoneId", "ZELB")
		set("arnSuffix", r.Name)
	case "aws:kms/key:Key":
		set("keyId", r.ID())
	case "aws:ec2/vpc:Vpc":
		set("defaultSecurityGroupId", r.Name+"-default-group")
		set("defaultNetworkAclId", r.Name+"-default-acl")
		set("mainRouteTableId", r.Name+"-main-routes")
	case "aws:acm/certificate:Certificate":
		option := resource.PropertyMap{
			"resourceRecordName": resource.NewProperty("_x." + r.Name), "resourceRecordType": resource.NewProperty("CNAME"),
			"resourceRecordValue": resource.NewProperty("_y." + r.Name), "domainName": r.Inputs["domainName"],
		}
		out["domainValidationOptions"] = resource.NewProperty([]resource.PropertyValue{resource.NewProperty(option)})
	case "aws:imagebuilder/image:Image":
		amis := resource.NewProperty([]resource.PropertyValue{resource.NewProperty(resource.PropertyMap{
			"image": resource.NewProperty("ami-" + r.Name), "region": resource.NewProperty(awsRegion),
		})})
		out["outputResources"] = resource.NewProperty([]resource.PropertyValue{resource.NewProperty(resource.PropertyMap{"amis": amis})})
	case "tls:index/privateKey:PrivateKey":
		hostKeyOutputs(r.Name, out)
	}
}

// hostKeyOutputs is a key pair, another one for each name, as pulumi-tls would make it.
func hostKeyOutputs(name string, out resource.PropertyMap) {
	seed := sha256.Sum256([]byte(name))
	private := ed25519.NewKeyFromSeed(seed[:])
	block, err := ssh.MarshalPrivateKey(private, "")
	if err != nil {
		panic(err)
	}
	public, err := ssh.NewPublicKey(private.Public())
	if err != nil {
		panic(err)
	}
	out["privateKeyOpenssh"] = resource.MakeSecret(resource.NewProperty(string(pem.EncodeToMemory(block))))
	out["publicKeyOpenssh"] = resource.NewProperty(string(ssh.MarshalAuthorizedKey(public)))
	out["publicKeyFingerprintSha256"] = resource.NewProperty(hex.EncodeToString(seed[:8]))
}

// addressIn is an address of a network, another one for each name as far as 16 bits allow.
func addressIn(network, name string) string {
	h := fnv.New32a()
	_, _ = h.Write([]byte(name)) // never fails
	sum := h.Sum32()
	return fmt.Sprintf("%s.%d.%d", network, 1+sum%254, 1+(sum>>8)%254)
}
