// Images on AWS of which new machines are ready in the time that they take to boot, since they were hardened when the images were built.
// It is a program of its own, and no part of a stack: it takes half an hour, and images outlive stacks.
//
// Put your own values in place of the example's and run `pulumi up` here, again whenever you want images with Debian's newest packages.
// Then name an image in the stack file: icon:aws.machines.<host>.image. It needs AWS credentials.
package main

import (
	"errors"
	"fmt"

	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"github.com/insight-icon/pulumi-icon/components/platform/aws"
	"github.com/insight-icon/pulumi-icon/components/platform/aws/image"
	"github.com/insight-icon/pulumi-icon/hardening"
)

const (
	region = "eu-central-1"
	// A network with a way out, such as the account's default VPC and one of its subnets.
	network = "vpc-0123456789abcdef0"
	subnet  = "subnet-0123456789abcdef0"
)

// wanted are the images, by profile.
var wanted = []struct {
	profile, arch string
	packages      []string
}{
	{"sentry", "arm64", []string{"haproxy"}},
	{"bastion", "arm64", nil},
}

func build(ctx *pulumi.Context) error {
	// A provider for the region, whatever the environment's is.
	provider, err := aws.NewProvider(ctx, "aws", aws.Settings{Region: region})
	if err != nil {
		return err
	}
	for _, w := range wanted {
		selection, problems := hardening.Resolve(w.profile, hardening.Facts{Role: w.profile, LoginUser: "admin"})
		if selection == nil {
			return problem(w.profile, problems)
		}
		made, err := image.New(ctx, w.profile, &image.Args{
			Hardening: selection, Packages: w.packages, Region: region, Arch: w.arch,
			VPC: pulumi.String(network), Subnet: pulumi.String(subnet),
		}, pulumi.Providers(provider))
		if err != nil {
			return err
		}
		ctx.Export(w.profile, made.ID)
	}
	return nil
}

// problem says what is wrong with a profile and its overrides.
func problem(profile string, problems [][]hardening.Problem) error {
	var errs []error
	for _, list := range problems {
		for _, p := range list {
			errs = append(errs, fmt.Errorf("%s: %s %s", profile, p.Path, p.Text))
		}
	}
	return errors.Join(errs...)
}

func main() { pulumi.Run(build) }
