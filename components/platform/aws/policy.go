package aws

import (
	"encoding/json"
	"fmt"

	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"
)

// statement is one of an IAM policy. All of ours allow.
type statement struct {
	Sid       string                       `json:"Sid"`
	Effect    string                       `json:"Effect"`
	Principal map[string]string            `json:"Principal,omitempty"`
	Action    []string                     `json:"Action"`
	Resource  []string                     `json:"Resource,omitempty"`
	Condition map[string]map[string]string `json:"Condition,omitempty"`
}

// policy is the text of one with these statements, once the account and the partition are known, and whatever else it is about.
func (b *builder) policy(of func(account, partition string, about []string) []statement, about ...pulumi.StringInput) pulumi.StringOutput {
	in := []any{b.account, b.partition}
	for _, a := range about {
		in = append(in, a.ToStringOutput())
	}
	return pulumi.All(in...).ApplyT(func(known []any) (string, error) {
		words := make([]string, len(known))
		for i, k := range known {
			words[i] = k.(string)
		}
		statements := of(words[0], words[1], words[2:])
		for i := range statements {
			statements[i].Effect = "Allow"
		}
		text, err := json.Marshal(struct {
			Version   string
			Statement []statement
		}{"2012-10-17", statements})
		if err != nil {
			return "", fmt.Errorf("policy: %w", err)
		}
		return string(text), nil
	}).(pulumi.StringOutput)
}

// assumedBy lets a service of AWS's take a role, for resources of this account alone (the "confused deputy" of the IAM User Guide); of is
// the resource's ARN after the account, such as "vpc-flow-log/*", in the service's own name.
func (b *builder) assumedBy(principal, service, of string) pulumi.StringOutput {
	return b.policy(func(account, partition string, _ []string) []statement {
		s := statement{Sid: "Service", Principal: map[string]string{"Service": principal}, Action: []string{"sts:AssumeRole"}}
		if of != "" {
			s.Condition = map[string]map[string]string{
				"StringEquals": {"aws:SourceAccount": account},
				"ArnLike": {
					"aws:SourceArn": fmt.Sprintf("arn:%s:%s:%s:%s:%s", partition, service, b.settings.Region, account, of),
				},
			}
		}
		return []statement{s}
	})
}
