package aws

import (
	"fmt"

	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/dlm"
	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/iam"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"
)

// snapshotMark is the value of the volumes' tag: DLM takes every volume with the tag, so it names this network of this stack.
func (b *builder) snapshotMark() string {
	return b.ctx.Project() + "/" + b.ctx.Stack() + "/" + b.name
}

// makeSnapshots has copies made of the chain-data volumes every day. They outlive the stack: DLM's policy is deleted with it, what it
// made is not.
func (b *builder) makeSnapshots() error {
	if !b.snapshotsWanted() {
		return nil
	}
	name := b.name + "-snapshots"
	role, err := iam.NewRole(b.ctx, name+"-role", &iam.RoleArgs{
		Description:      pulumi.String("icon: makes the snapshots of stack " + b.ctx.Stack()),
		AssumeRolePolicy: b.assumedBy("dlm.amazonaws.com", "dlm", "policy/*"),
		Tags:             b.tags(name + "-role"),
	}, b.options()...)
	if err != nil {
		return fmt.Errorf("role of the snapshots: %w", err)
	}
	allowed, err := iam.NewRolePolicy(b.ctx, name+"-policy", &iam.RolePolicyArgs{
		Role: role.ID(), Policy: b.policy(b.snapshotPolicy, b.made.KeyARN),
	}, b.options()...)
	if err != nil {
		return fmt.Errorf("policy of the snapshots: %w", err)
	}
	s := b.settings.Snapshots
	// The lifecycle policy names the role, not its policy, without which no snapshot would be made.
	_, err = dlm.NewLifecyclePolicy(b.ctx, name, &dlm.LifecyclePolicyArgs{
		Description:      pulumi.String("icon - daily snapshots of the chain data"),
		ExecutionRoleArn: role.Arn,
		State:            pulumi.String("ENABLED"),
		PolicyDetails: dlm.LifecyclePolicyPolicyDetailsArgs{
			ResourceTypes: pulumi.StringArray{pulumi.String("VOLUME")},
			TargetTags:    pulumi.StringMap{snapshotTag: pulumi.String(b.snapshotMark())},
			Schedules: dlm.LifecyclePolicyPolicyDetailsScheduleArray{dlm.LifecyclePolicyPolicyDetailsScheduleArgs{
				Name:     pulumi.String("daily"),
				CopyTags: pulumi.Bool(true),
				CreateRule: dlm.LifecyclePolicyPolicyDetailsScheduleCreateRuleArgs{
					Interval: pulumi.Int(24), IntervalUnit: pulumi.String("HOURS"), Times: pulumi.String(s.At),
				},
				RetainRule: dlm.LifecyclePolicyPolicyDetailsScheduleRetainRuleArgs{Count: pulumi.Int(s.Keep)},
			}},
		},
		Tags: b.tags(name),
	}, b.options(pulumi.DependsOn([]pulumi.Resource{allowed}))...)
	if err != nil {
		return fmt.Errorf("snapshots: %w", err)
	}
	return nil
}

func (b *builder) snapshotsWanted() bool {
	if b.settings.Snapshots.Off {
		return false
	}
	for _, h := range b.design.Hosts {
		if h.Data != nil {
			return true
		}
	}
	return false
}

// snapshotPolicy lets DLM copy and delete what carries this stack's mark, and tag snapshots, as it does with those that it makes. Reading
// lists cannot be limited to some.
func (b *builder) snapshotPolicy(account, partition string, about []string) []statement {
	marked := map[string]map[string]string{"StringEquals": {"aws:ResourceTag/" + snapshotTag: b.snapshotMark()}}
	volumes := fmt.Sprintf("arn:%s:ec2:%s:%s:volume/*", partition, b.settings.Region, account)
	snapshots := fmt.Sprintf("arn:%s:ec2:%s::snapshot/*", partition, b.settings.Region)
	return []statement{
		{
			Sid: "Look", Action: []string{"ec2:DescribeInstances", "ec2:DescribeSnapshots", "ec2:DescribeVolumes"}, Resource: []string{"*"},
		},
		{Sid: "CopyMarkedVolumes", Action: []string{"ec2:CreateSnapshot"}, Resource: []string{volumes}, Condition: marked},
		{Sid: "MakeSnapshots", Action: []string{"ec2:CreateSnapshot", "ec2:CreateTags"}, Resource: []string{snapshots}},
		{Sid: "DeleteMarkedSnapshots", Action: []string{"ec2:DeleteSnapshot"}, Resource: []string{snapshots}, Condition: marked},
		{
			Sid: "UseKey", Resource: []string{about[0]}, Action: []string{
				"kms:Decrypt", "kms:DescribeKey", "kms:GenerateDataKeyWithoutPlaintext", "kms:ReEncryptFrom", "kms:ReEncryptTo",
			},
		},
		{
			Sid: "GrantKeyToEBS", Action: []string{"kms:CreateGrant"}, Resource: []string{about[0]},
			Condition: map[string]map[string]string{"Bool": {"kms:GrantIsForAWSResource": "true"}},
		},
	}
}
