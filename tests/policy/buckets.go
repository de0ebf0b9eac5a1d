package policy

import (
	"slices"
	"strings"

	"github.com/insight-icon/pulumi-icon/tests/graph"
)

// Types of what makes a bucket safe, each a resource of its own.
const (
	typeBucketPolicy     = "aws:s3/bucketPolicy:BucketPolicy"
	typeBucketBlock      = "aws:s3/bucketPublicAccessBlock:BucketPublicAccessBlock"
	typeBucketEncryption = "aws:s3/bucketServerSideEncryptionConfigurationV2:BucketServerSideEncryptionConfigurationV2"
	typeBucketVersions   = "aws:s3/bucketVersioningV2:BucketVersioningV2"
	typeBucketLifecycle  = "aws:s3/bucketLifecycleConfigurationV2:BucketLifecycleConfigurationV2"
	typeBucketLogging    = "aws:s3/bucketLoggingV2:BucketLoggingV2"
	typeBucketOwnership  = "aws:s3/bucketOwnershipControls:BucketOwnershipControls"
	typeBucketACL        = "aws:s3/bucketAclV2:BucketAclV2"
)

func bucketRules() []Rule {
	return []Rule{
		{
			ID: "S3.2", Source: "FSBP S3.2", Title: "Nobody unknown reads a bucket.",
			Why: "Access logs tell who uses a node.", Check: overStatements(notPublic("s3:GetObject", "s3:ListBucket"), typeBucketPolicy),
		},
		{
			ID: "S3.3", Source: "FSBP S3.3", Title: "Nobody unknown writes to a bucket.",
			Why:   "What is written there is believed, and paid for.",
			Check: overStatements(notPublic("s3:PutObject", "s3:DeleteObject", "s3:PutBucketPolicy", "s3:PutObjectAcl"), typeBucketPolicy),
		},
		{
			ID: "S3.5", Source: "FSBP S3.5; CIS AWS 3.0.0 2.1.1", Title: "Buckets refuse requests without TLS.",
			Why: "Otherwise what is read and written can be seen on its way.", Check: each(tlsOnly, bucketTypes...),
		},
		{
			ID: "S3.8", Source: "FSBP S3.8; CIS AWS 3.0.0 2.1.4", Title: "Public access is blocked for every bucket.",
			Why: "A policy or an ACL that opens it by mistake then opens nothing.", Check: each(publicBlocked, bucketTypes...),
		},
		{
			ID: "S3.9", Source: "FSBP S3.9", Title: "Buckets log their access, but those that hold logs.",
			Why: "Who read what can't be found out afterwards.", Check: over(accessLogged),
		},
		{
			ID: "S3.10", Source: "Security Hub S3.10", Title: "Buckets with versions let old ones go.",
			Why: "Otherwise nothing is ever deleted, and paid for for ever.", Check: each(oldVersionsGo, typeBucketVersions),
		},
		{
			ID: "S3.12", Source: "FSBP S3.12", Title: "Access to buckets is not ruled by ACLs.",
			Why: "What a policy says is then all there is to know.", Check: over(noACLs),
		},
		{
			ID: "S3.13", Source: "FSBP S3.13", Title: "Buckets have a lifecycle.",
			Why: "Logs that are kept for ever are a cost, and a collection of addresses.", Check: each(hasLifecycle, bucketTypes...),
		},
		{
			ID: "S3.17", Source: "Security Hub S3.17", Title: "Buckets are encrypted with a key of KMS.",
			Why:   "Its use can be seen and taken away. Access logs of application load balancers can't: there AES256 is all that AWS supports.",
			Check: over(bucketsEncrypted),
		},
	}
}

// notPublic wants no statement to let anybody do one of these.
func notPublic(actions ...string) func(*graph.Resource, statement) string {
	return func(_ *graph.Resource, s statement) string {
		if s.allows() && s.anybody() && !s.narrowed() && (s.does(actions...) || len(s.notActions) > 0) {
			return "it lets anybody do one of " + strings.Join(actions, ", ")
		}
		return ""
	}
}

func tlsOnly(l *look, bucket *graph.Resource) {
	policy := l.companion(bucket, "bucket", typeBucketPolicy)
	text := input(bucket, "policy")
	if policy != nil {
		text = input(policy, "policy")
	}
	if text.unknown() {
		return // made of the bucket's ARN, which a preview does not know
	}
	d, err := parseDocument(text.text())
	if err == nil && slices.ContainsFunc(d.statements, refusesPlain) {
		return
	}
	l.at(bucket, "no policy of its own denies everyone everything, on it and on what is in it, where aws:SecureTransport is false")
}

// refusesPlain says that a statement denies everyone every request without TLS, for a bucket and for what is in it.
func refusesPlain(s statement) bool {
	whole := slices.ContainsFunc(s.actions, func(a string) bool { return a == "*" || strings.EqualFold(a, "s3:*") })
	inside := slices.ContainsFunc(s.resources, func(r string) bool { return r == "*" || strings.HasSuffix(r, "/*") })
	itself := slices.ContainsFunc(s.resources, func(r string) bool { return r == "*" || !strings.Contains(r, "/") })
	insecure := false
	for key, values := range s.conditions["Bool"] {
		insecure = insecure || strings.EqualFold(key, "aws:SecureTransport") && slices.Equal(values, []string{"false"})
	}
	narrower := len(s.conditions) != 1 || len(s.conditions["Bool"]) != 1
	return s.effect == "Deny" && slices.Contains(s.principals, "*") && whole && inside && itself && insecure && !narrower
}

func publicBlocked(l *look, bucket *graph.Resource) {
	block := l.companion(bucket, "bucket", typeBucketBlock)
	if block == nil {
		l.at(bucket, "it has no BucketPublicAccessBlock")
		return
	}
	for _, key := range []string{"blockPublicAcls", "blockPublicPolicy", "ignorePublicAcls", "restrictPublicBuckets"} {
		if v := input(block, key); !v.yes() {
			l.at(block, "%s is %s; true is wanted", key, v)
		}
	}
}

// holdsLogs says that load balancers or other buckets write their logs to a bucket.
func (l *look) holdsLogs(bucket *graph.Resource) bool {
	return l.companion(bucket, "targetBucket", typeBucketLogging) != nil || len(l.loggingTo(bucket)) > 0
}

// loggingTo are the load balancers whose access logs go to a bucket.
func (l *look) loggingTo(bucket *graph.Resource) []*graph.Resource {
	return slices.DeleteFunc(l.all(balancerTypes...), func(r *graph.Resource) bool {
		return !l.means(r, input(r, "accessLogs", "bucket"), bucket)
	})
}

func accessLogged(l *look) {
	for _, bucket := range l.all(bucketTypes...) {
		if l.companion(bucket, "bucket", typeBucketLogging) == nil && !input(bucket, "loggings").given() && !l.holdsLogs(bucket) {
			l.at(bucket, "it has no BucketLoggingV2, and holds no logs itself")
		}
	}
}

func oldVersionsGo(l *look, versions *graph.Resource) {
	if status := input(versions, "versioningConfiguration", "status"); !status.is("Enabled") && !status.unknown() {
		return
	}
	bucket := l.refer(versions, input(versions, "bucket"), bucketTypes...)
	if bucket != nil {
		lifecycle := l.companion(bucket, "bucket", typeBucketLifecycle)
		if lifecycle != nil && slices.ContainsFunc(several(input(lifecycle, "rules")), func(rule value) bool {
			return rule.at("status").is("Enabled") && rule.at("noncurrentVersionExpiration").given()
		}) {
			return
		}
	}
	l.at(versions, "no enabled rule of its bucket's lifecycle has noncurrentVersionExpiration")
}

func noACLs(l *look) {
	for _, r := range l.all(typeBucketACL) {
		l.at(r, "it is an ACL: write it as a policy")
	}
	for _, bucket := range l.all(bucketTypes...) {
		if input(bucket, "acl").given() || input(bucket, "grants").given() {
			l.at(bucket, "acl or grants are given: write them as a policy")
		}
		ownership := l.companion(bucket, "bucket", typeBucketOwnership)
		if ownership == nil || !input(ownership, "rule", "objectOwnership").is("BucketOwnerEnforced") {
			l.at(bucket, "no BucketOwnershipControls with BucketOwnerEnforced switch its ACLs off")
		}
	}
}

func hasLifecycle(l *look, bucket *graph.Resource) {
	lifecycle := l.companion(bucket, "bucket", typeBucketLifecycle)
	if lifecycle == nil || !slices.ContainsFunc(several(input(lifecycle, "rules")), func(rule value) bool {
		return rule.at("status").is("Enabled") && rule.at("expiration").given()
	}) {
		l.at(bucket, "no BucketLifecycleConfigurationV2 of its own has an enabled rule with an expiration")
	}
}

func bucketsEncrypted(l *look) {
	for _, bucket := range l.all(bucketTypes...) {
		onlyAES := slices.ContainsFunc(l.loggingTo(bucket), func(r *graph.Resource) bool { return !isNetwork(r) })
		config := l.companion(bucket, "bucket", typeBucketEncryption)
		if config == nil || !input(config, "rules").given() {
			l.at(bucket, "it has no BucketServerSideEncryptionConfigurationV2 with a rule")
			continue
		}
		for _, rule := range several(input(config, "rules")) {
			by := rule.at("applyServerSideEncryptionByDefault")
			algorithm := by.at("sseAlgorithm")
			switch {
			case onlyAES && algorithm.is("AES256"):
			case !algorithm.is("aws:kms") && !algorithm.is("aws:kms:dsse"):
				l.at(config, "sseAlgorithm is %s; \"aws:kms\" is wanted", algorithm)
			case !by.at("kmsMasterKeyId").operators():
				l.at(config, "kmsMasterKeyId is %s: a key of the stack's, or the operator's, is wanted", by.at("kmsMasterKeyId"))
			}
		}
	}
}
