package front

import (
	"encoding/json"
	"fmt"

	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/s3"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"
)

// log is a bucket for the access log of one load balancer, "nlb" or "alb". AWS has a writer of its own for each kind, and each bucket lets
// in its writer alone.
type log struct {
	*maker
	balancer string
	bucket   *s3.BucketV2
	// written is what the load balancer waits for: AWS looks whether it may write when the log is switched on.
	written pulumi.Resource
}

func (l *log) called(suffix string) string { return l.maker.called(l.balancer + "-logs" + suffix) }

// makeLog makes the bucket of a load balancer.
func (m *maker) makeLog(balancer string) (*log, error) {
	l := &log{maker: m, balancer: balancer}
	var err error
	l.bucket, err = s3.NewBucketV2(m.ctx, l.called(""), &s3.BucketV2Args{
		// A stack that is not protected can be destroyed with its logs in it.
		ForceDestroy: pulumi.Bool(!m.protect), Tags: m.tags(balancer + "-logs"),
	}, m.kept)
	if err != nil {
		return nil, err
	}
	for _, step := range []func() error{l.encrypt, l.expire, l.close} {
		if err := step(); err != nil {
			return nil, err
		}
	}
	return l, nil
}

// encrypt uses S3's own keys. An application load balancer's log can be delivered to no other bucket. A network load balancer's can, but
// AWS refuses the balancer while the key's policy does not let the log's writer in. The stack's key does not, since it is for no buckets
// (aws.Made.KeyARN), and the operator's may not: too much for a log that stays empty without TLS listeners.
func (l *log) encrypt() error {
	_, err := s3.NewBucketServerSideEncryptionConfigurationV2(l.ctx, l.called("-encryption"),
		&s3.BucketServerSideEncryptionConfigurationV2Args{
			Bucket: l.bucket.ID(),
			Rules: s3.BucketServerSideEncryptionConfigurationV2RuleArray{s3.BucketServerSideEncryptionConfigurationV2RuleArgs{
				ApplyServerSideEncryptionByDefault: s3.BucketServerSideEncryptionConfigurationV2RuleApplyServerSideEncryptionByDefaultArgs{
					SseAlgorithm: pulumi.String("AES256"),
				},
				BucketKeyEnabled: pulumi.Bool(false),
			}},
		}, l.parent)
	return err
}

// expire keeps logs for LogDays, and what was overwritten or deleted before that for one day more.
func (l *log) expire() error {
	versions, err := s3.NewBucketVersioningV2(l.ctx, l.called("-versions"), &s3.BucketVersioningV2Args{
		Bucket:                  l.bucket.ID(),
		VersioningConfiguration: s3.BucketVersioningV2VersioningConfigurationArgs{Status: pulumi.String("Enabled")},
	}, l.parent)
	if err != nil {
		return err
	}
	_, err = s3.NewBucketLifecycleConfigurationV2(l.ctx, l.called("-expiry"), &s3.BucketLifecycleConfigurationV2Args{
		Bucket: l.bucket.ID(),
		Rules: s3.BucketLifecycleConfigurationV2RuleArray{s3.BucketLifecycleConfigurationV2RuleArgs{
			Id: pulumi.String("expire"), Status: pulumi.String("Enabled"),
			// All that load balancers write is below this.
			Filter:     s3.BucketLifecycleConfigurationV2RuleFilterArgs{Prefix: pulumi.String("AWSLogs/")},
			Expiration: s3.BucketLifecycleConfigurationV2RuleExpirationArgs{Days: pulumi.Int(l.settings.LogDays)},
			NoncurrentVersionExpiration: s3.BucketLifecycleConfigurationV2RuleNoncurrentVersionExpirationArgs{
				NoncurrentDays: pulumi.Int(1),
			},
			AbortIncompleteMultipartUpload: s3.BucketLifecycleConfigurationV2RuleAbortIncompleteMultipartUploadArgs{
				DaysAfterInitiation: pulumi.Int(1),
			},
		}},
	}, l.parent, pulumi.DependsOn([]pulumi.Resource{versions}))
	return err
}

// close lets nobody in but AWS's own delivery, by TLS.
func (l *log) close() error {
	private, err := s3.NewBucketPublicAccessBlock(l.ctx, l.called("-private"), &s3.BucketPublicAccessBlockArgs{
		Bucket: l.bucket.ID(), BlockPublicAcls: pulumi.Bool(true), BlockPublicPolicy: pulumi.Bool(true),
		IgnorePublicAcls: pulumi.Bool(true), RestrictPublicBuckets: pulumi.Bool(true),
	}, l.parent)
	if err != nil {
		return err
	}
	owned, err := s3.NewBucketOwnershipControls(l.ctx, l.called("-owner"), &s3.BucketOwnershipControlsArgs{
		Bucket: l.bucket.ID(), Rule: s3.BucketOwnershipControlsRuleArgs{ObjectOwnership: pulumi.String("BucketOwnerEnforced")},
	}, l.parent)
	if err != nil {
		return err
	}
	l.written, err = s3.NewBucketPolicy(l.ctx, l.called("-policy"), &s3.BucketPolicyArgs{
		Bucket: l.bucket.ID(),
		Policy: pulumi.All(l.bucket.Arn, l.made.Partition, l.made.Account).ApplyT(func(in []any) (string, error) {
			return l.policy(in[0].(string), in[1].(string), in[2].(string))
		}).(pulumi.StringOutput),
		// S3 refuses two changes of one bucket's access at a time.
	}, l.parent, pulumi.DependsOn([]pulumi.Resource{private, owned}))
	return err
}

// statement of a bucket's policy.
type statement struct {
	Sid, Effect string
	Principal   any
	Action      string
	Resource    any
	Condition   map[string]map[string]string `json:",omitempty"`
}

// policy lets in the principals that AWS names for each kind of load balancer, for this account's logs alone.
func (l *log) policy(bucket, partition, account string) (string, error) {
	logs := bucket + "/AWSLogs/" + account + "/*"
	statements := []statement{{
		Sid: "NothingWithoutTLS", Effect: "Deny", Principal: "*", Action: "s3:*", Resource: []string{bucket, bucket + "/*"},
		Condition: map[string]map[string]string{"Bool": {"aws:SecureTransport": "false"}},
	}}
	if l.balancer == "alb" {
		statements = append(statements, statement{
			Sid: "WriteLogs", Effect: "Allow", Principal: map[string]string{"Service": "logdelivery.elasticloadbalancing.amazonaws.com"},
			Action: "s3:PutObject", Resource: logs,
		})
	} else {
		delivery := map[string]string{"Service": "delivery.logs.amazonaws.com"}
		source := map[string]string{"aws:SourceArn": fmt.Sprintf("arn:%s:logs:%s:%s:*", partition, l.settings.Region, account)}
		statements = append(statements, statement{
			Sid: "WriteLogs", Effect: "Allow", Principal: delivery, Action: "s3:PutObject", Resource: logs,
			Condition: map[string]map[string]string{
				"StringEquals": {"s3:x-amz-acl": "bucket-owner-full-control", "aws:SourceAccount": account}, "ArnLike": source,
			},
		}, statement{
			Sid: "LookBeforeWriting", Effect: "Allow", Principal: delivery, Action: "s3:GetBucketAcl", Resource: bucket,
			Condition: map[string]map[string]string{"StringEquals": {"aws:SourceAccount": account}, "ArnLike": source},
		})
	}
	document, err := json.Marshal(map[string]any{"Version": "2012-10-17", "Statement": statements})
	return string(document), err
}
