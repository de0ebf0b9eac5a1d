package aws

import (
	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/ec2"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"
)

// debianAccount is Debian's own on AWS, which publishes its official images there
// (https://wiki.debian.org/Cloud/AmazonEC2Image/Bookworm).
const debianAccount = "136693071363"

// os is what the images hold, as platform.Host names it.
const os = "debian-12"

// newestImages finds Debian's newest image for each architecture that a machine without an image of its own wants. Machines keep the image
// that they were made from.
func (b *builder) newestImages() map[string]pulumi.StringOutput {
	images := map[string]pulumi.StringOutput{}
	for _, h := range b.design.Hosts {
		if _, found := images[h.Arch]; found || h.Image != "" {
			continue
		}
		machine := h.Arch
		if machine == "amd64" {
			machine = "x86_64"
		}
		filter := func(name, value string) ec2.GetAmiFilterInput {
			return ec2.GetAmiFilterArgs{Name: pulumi.String(name), Values: pulumi.StringArray{pulumi.String(value)}}
		}
		images[h.Arch] = ec2.LookupAmiOutput(b.ctx, ec2.LookupAmiOutputArgs{
			Owners: pulumi.StringArray{pulumi.String(debianAccount)}, MostRecent: pulumi.BoolPtr(true),
			Filters: ec2.GetAmiFilterArray{
				filter("name", os+"-"+h.Arch+"-*"), filter("architecture", machine), filter("root-device-type", "ebs"),
				filter("virtualization-type", "hvm"), filter("state", "available"),
			},
		}, b.parent.(pulumi.InvokeOption)).Id()
	}
	return images
}
