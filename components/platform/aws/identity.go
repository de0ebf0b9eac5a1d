package aws

import (
	"fmt"

	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/iam"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"
)

// makeProfile makes the identity of the machines. Its role grants nothing: whoever takes a machine over finds credentials that are good
// for nothing. It is there so that a later need, an agent's for example, is a policy on the role and not a restart of machines.
func (b *builder) makeProfile() error {
	name := b.name + "-machine-role"
	role, err := iam.NewRole(b.ctx, name, &iam.RoleArgs{
		Description:      pulumi.String("icon: the machines of stack " + b.ctx.Stack() + ", may do nothing"),
		AssumeRolePolicy: b.assumedBy("ec2.amazonaws.com", "", ""),
		Tags:             b.tags(name),
	}, b.options()...)
	if err != nil {
		return fmt.Errorf("role of the machines: %w", err)
	}
	name = b.name + "-machine-profile"
	profile, err := iam.NewInstanceProfile(b.ctx, name, &iam.InstanceProfileArgs{Role: role.ID(), Tags: b.tags(name)}, b.options()...)
	if err != nil {
		return fmt.Errorf("profile of the machines: %w", err)
	}
	b.profile = profile.ID().ToStringOutput()
	return nil
}
