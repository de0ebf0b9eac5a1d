package aws

import (
	"fmt"

	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/kms"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"
)

// keyActions are what the account may do with the key, by IAM policies of its own: look after it, and use it for volumes, snapshots and
// logs. EBS works by grants (kms:CreateGrant), which the one who starts a machine must be allowed to make.
var keyActions = []string{
	"kms:CancelKeyDeletion", "kms:CreateAlias", "kms:CreateGrant", "kms:Decrypt", "kms:DeleteAlias", "kms:DescribeKey", "kms:DisableKey",
	"kms:DisableKeyRotation", "kms:EnableKey", "kms:EnableKeyRotation", "kms:Encrypt", "kms:GenerateDataKey",
	"kms:GenerateDataKeyWithoutPlaintext", "kms:GetKeyPolicy", "kms:GetKeyRotationStatus", "kms:ListGrants", "kms:ListKeyPolicies",
	"kms:ListKeyRotations", "kms:ListResourceTags", "kms:PutKeyPolicy", "kms:ReEncryptFrom", "kms:ReEncryptTo", "kms:RetireGrant",
	"kms:RevokeGrant", "kms:RotateKeyOnDemand", "kms:ScheduleKeyDeletion", "kms:TagResource", "kms:UntagResource", "kms:UpdateAlias",
	"kms:UpdateKeyDescription",
}

// serviceActions are what CloudWatch Logs needs to keep logs encrypted.
var serviceActions = []string{
	"kms:Decrypt", "kms:DescribeKey", "kms:Encrypt", "kms:GenerateDataKey", "kms:GenerateDataKeyWithoutPlaintext", "kms:ReEncryptFrom",
	"kms:ReEncryptTo",
}

// makeKey makes the stack's key, or uses the operator's.
func (b *builder) makeKey() error {
	if b.settings.KMSKey != "" {
		b.made.KeyARN = pulumi.String(b.settings.KMSKey).ToStringOutput()
		return nil
	}
	name := b.name + "-key"
	key, err := kms.NewKey(b.ctx, name, &kms.KeyArgs{
		Description:          pulumi.String("icon: volumes, snapshots and logs of stack " + b.ctx.Stack()),
		EnableKeyRotation:    pulumi.Bool(true),
		DeletionWindowInDays: pulumi.Int(30),
		Policy:               b.policy(b.keyPolicy),
		Tags:                 b.tags(name),
		// A volume that is kept could not be read without its key.
	}, b.kept(pulumi.RetainOnDelete(b.keepsData()))...)
	if err != nil {
		return fmt.Errorf("key %q: %w", name, err)
	}
	b.made.KeyARN = key.Arn
	return nil
}

// keyPolicy names actions one by one; Resource "*" in a key's policy is the key itself.
func (b *builder) keyPolicy(account, partition string, _ []string) []statement {
	logs := fmt.Sprintf("arn:%s:logs:%s:%s:log-group:", partition, b.settings.Region, account)
	logGroups := func(sid, prefix string) statement {
		return statement{
			Sid: sid, Action: serviceActions, Resource: []string{"*"},
			Principal: map[string]string{"Service": "logs." + b.settings.Region + ".amazonaws.com"},
			Condition: map[string]map[string]string{"ArnLike": {"kms:EncryptionContext:aws:logs:arn": logs + prefix + "*"}},
		}
	}
	statements := []statement{
		{
			Sid: "Account", Principal: map[string]string{"AWS": fmt.Sprintf("arn:%s:iam::%s:root", partition, account)},
			Action: keyActions, Resource: []string{"*"},
		},
		logGroups("LogGroups", b.made.LogPrefix),
	}
	if b.settings.API != nil && !b.settings.API.WithoutWAF {
		statements = append(statements, logGroups("FirewallLogs", b.made.WAFLogPrefix))
	}
	return statements
}

// keepsData says that a volume outlives the stack.
func (b *builder) keepsData() bool {
	for _, h := range b.spec.Hosts {
		if h.Data != nil && h.Data.Keep {
			return true
		}
	}
	return false
}
