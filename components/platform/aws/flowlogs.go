package aws

import (
	"fmt"

	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/cloudwatch"
	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/ec2"
	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/iam"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"
)

// flowSeconds is how long packets are counted into one record. Machines of the Nitro kind, all that we offer, report every minute in any
// case: so do the gateways then, and records of both can be compared.
const flowSeconds = 60

// makeFlowLogs records who talked to whom, let through or not. An existing VPC has the operator's own.
func (b *builder) makeFlowLogs() error {
	if b.settings.VPC.Existing != nil {
		return nil
	}
	name := b.name + "-flow-logs"
	group, err := cloudwatch.NewLogGroup(b.ctx, name, &cloudwatch.LogGroupArgs{
		// The key's policy lets log groups in by this name.
		Name:            pulumi.String(b.made.LogPrefix + "flow-logs"),
		KmsKeyId:        b.made.KeyARN,
		RetentionInDays: pulumi.Int(b.settings.LogDays),
		Tags:            b.tags(name),
	}, b.options()...)
	if err != nil {
		return fmt.Errorf("log group of the flow logs: %w", err)
	}
	role, err := iam.NewRole(b.ctx, name+"-role", &iam.RoleArgs{
		Description:      pulumi.String("icon: writes the flow logs of stack " + b.ctx.Stack()),
		AssumeRolePolicy: b.assumedBy("vpc-flow-logs.amazonaws.com", "ec2", "vpc-flow-log/*"),
		Tags:             b.tags(name + "-role"),
	}, b.options()...)
	if err != nil {
		return fmt.Errorf("role of the flow logs: %w", err)
	}
	allowed, err := iam.NewRolePolicy(b.ctx, name+"-policy", &iam.RolePolicyArgs{
		Role: role.ID(),
		Policy: b.policy(func(account, partition string, about []string) []statement {
			return []statement{
				{
					Sid: "ThisLogGroup", Action: []string{"logs:CreateLogStream", "logs:DescribeLogStreams", "logs:PutLogEvents"},
					Resource: []string{about[0] + ":*"},
				},
				// A list of log groups is asked for of all of them.
				{
					Sid: "Look", Action: []string{"logs:DescribeLogGroups"},
					Resource: []string{fmt.Sprintf("arn:%s:logs:%s:%s:log-group:*", partition, b.settings.Region, account)},
				},
			}
		}, group.Arn),
	}, b.options()...)
	if err != nil {
		return fmt.Errorf("policy of the flow logs: %w", err)
	}
	// The flow log names the role, not its policy, without which nothing would be written.
	_, err = ec2.NewFlowLog(b.ctx, name+"-vpc", &ec2.FlowLogArgs{
		VpcId: b.made.VPC, TrafficType: pulumi.String("ALL"), MaxAggregationInterval: pulumi.Int(flowSeconds),
		LogDestinationType: pulumi.String("cloud-watch-logs"), LogDestination: group.Arn, IamRoleArn: role.Arn, Tags: b.tags(name + "-vpc"),
	}, b.options(pulumi.DependsOn([]pulumi.Resource{allowed}))...)
	if err != nil {
		return fmt.Errorf("flow logs: %w", err)
	}
	return nil
}
