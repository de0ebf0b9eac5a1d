package image

import (
	"encoding/json"
	"strings"
)

// partition is the part of AWS that a region belongs to.
func partition(region string) string {
	switch {
	case strings.HasPrefix(region, "cn-"):
		return "aws-cn"
	case strings.HasPrefix(region, "us-gov-"):
		return "aws-us-gov"
	default:
		return "aws"
	}
}

// assumedByEC2 lets machines take the role.
const assumedByEC2 = `{"Version":"2012-10-17","Statement":[{"Sid":"Service","Effect":"Allow",` +
	`"Principal":{"Service":"ec2.amazonaws.com"},"Action":"sts:AssumeRole"}]}`

type statement struct {
	Sid, Effect      string
	Action, Resource []string
}

// buildPolicy is what a machine that builds may do. It is what AWS's own policies AmazonSSMManagedInstanceCore and
// EC2InstanceProfileForImageBuilder allow, without what the build has no use for: parameters of Systems Manager, which may be secret,
// other services' images, and keys. What Systems Manager tells the machine cannot be named by a resource.
func buildPolicy(region string) string {
	arn := "arn:" + partition(region) + ":"
	text, err := json.Marshal(struct {
		Version   string
		Statement []statement
	}{"2012-10-17", []statement{
		{"Orders", "Allow", []string{
			"ec2messages:AcknowledgeMessage", "ec2messages:DeleteMessage", "ec2messages:FailMessage", "ec2messages:GetEndpoint",
			"ec2messages:GetMessages", "ec2messages:SendReply", "ssmmessages:CreateControlChannel", "ssmmessages:CreateDataChannel",
			"ssmmessages:OpenControlChannel", "ssmmessages:OpenDataChannel",
		}, []string{"*"}},
		{"Agent", "Allow", []string{
			"ssm:DescribeAssociation", "ssm:DescribeDocument", "ssm:GetDeployablePatchSnapshotForInstance", "ssm:GetDocument",
			"ssm:GetManifest", "ssm:ListAssociations", "ssm:ListInstanceAssociations", "ssm:PutComplianceItems",
			"ssm:PutConfigurePackageResult", "ssm:PutInventory", "ssm:UpdateAssociationStatus", "ssm:UpdateInstanceAssociationStatus",
			"ssm:UpdateInstanceInformation",
		}, []string{"*"}},
		{"Components", "Allow", []string{"imagebuilder:GetComponent"}, []string{arn + "imagebuilder:" + region + ":*:component/*"}},
		{"Tools", "Allow", []string{"s3:GetObject"}, []string{arn + "s3:::ec2imagebuilder*"}},
		{"Log", "Allow", []string{"logs:CreateLogGroup", "logs:CreateLogStream", "logs:PutLogEvents"}, []string{
			arn + "logs:" + region + ":*:log-group:/aws/imagebuilder/*",
		}},
	}})
	if err != nil {
		panic(err) // it is made of strings
	}
	return string(text)
}
