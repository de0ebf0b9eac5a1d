package policy

import (
	"github.com/insight-icon/pulumi-icon/tests/graph"
)

// yearOfDays is how long logs are kept at least.
const yearOfDays = 365

func loggingRules() []Rule {
	return []Rule{
		{
			ID: "CloudWatch.16", Source: "Security Hub CloudWatch.16", Title: "Log groups are kept for a year at least, and not for ever.",
			Why: "Break-ins are found after months; and what has no end is never looked through.", Check: each(logsKept, typeLogGroup),
		},
		{
			ID: "CT.CLOUDWATCH.PR.3", Source: "AWS Control Tower CT.CLOUDWATCH.PR.3",
			Title: "Log groups are encrypted with a key of the operator's.", Why: "Flow logs are a map of the network.",
			Check: each(logsEncrypted, typeLogGroup),
		},
		{
			ID: "Route53.2", Source: "FSBP Route53.2", Title: "Public hosted zones log the questions that they are asked.",
			Why: "An attack begins with questions.", Check: each(questionsLogged, "aws:route53/zone:Zone"),
		},
	}
}

func logsKept(l *look, r *graph.Resource) {
	v := input(r, "retentionInDays")
	if days, known := v.number(); !known || days < yearOfDays {
		l.at(r, "retentionInDays is %s; %d or more is wanted", v, yearOfDays)
	}
}

func logsEncrypted(l *look, r *graph.Resource) {
	if v := input(r, "kmsKeyId"); !v.operators() {
		l.at(r, "kmsKeyId is %s: a key of the stack's, or the operator's, is wanted", v)
	}
}

func questionsLogged(l *look, zone *graph.Resource) {
	if !input(zone, "vpcs").given() && l.companion(zone, "zoneId", "aws:route53/queryLog:QueryLog") == nil {
		l.at(zone, "it is public and has no QueryLog")
	}
}
