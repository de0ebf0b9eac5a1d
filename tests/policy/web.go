package policy

import (
	"github.com/insight-icon/pulumi-icon/tests/graph"
)

// webRules are about AWS WAF and Shield.
func webRules() []Rule {
	return []Rule{
		{
			ID: "WAF.10", Source: "FSBP WAF.10", Title: "Every web ACL has a rule.",
			Why: "One without lets everything through, and looks as if it did not.", Check: each(hasRules, typeWebACL),
		},
		{
			ID: "WAF.11", Source: "Security Hub WAF.11", Title: "Every web ACL logs.",
			Why: "What it stopped, and why, can't be found out otherwise.", Check: each(aclLogs, typeWebACL),
		},
		{
			ID: "WAF.12", Source: "FSBP WAF.12", Title: "Web ACLs and their rules have metrics.",
			Why:   "A rule that stops too much, or nothing, is seen by its figures only.",
			Check: each(aclMeasured, typeWebACL, "aws:wafv2/ruleGroup:RuleGroup"),
		},
		{
			ID: "ICON.27", Source: "icon", Title: "The program never subscribes to Shield Advanced.",
			Why: "It costs 3,000 USD a month, for a year at least: an account's owner decides that.", Check: over(noSubscription),
		},
	}
}

func hasRules(l *look, r *graph.Resource) {
	if !input(r, "rules").given() && !input(r, "ruleJson").given() {
		l.at(r, "rules are not given; one at least is wanted")
	}
}

func aclLogs(l *look, r *graph.Resource) {
	if l.companion(r, "resourceArn", "aws:wafv2/webAclLoggingConfiguration:WebAclLoggingConfiguration") == nil {
		l.at(r, "no WebAclLoggingConfiguration names it")
	}
}

func aclMeasured(l *look, r *graph.Resource) {
	if v := input(r, "visibilityConfig", "cloudwatchMetricsEnabled"); !v.yes() {
		l.at(r, "visibilityConfig.cloudwatchMetricsEnabled is %s; true is wanted", v)
	}
	for _, rule := range several(input(r, "rules")) {
		if v := rule.at("visibilityConfig", "cloudwatchMetricsEnabled"); !v.yes() {
			l.at(r, "the rule %s: visibilityConfig.cloudwatchMetricsEnabled is %s; true is wanted", rule.at("name"), v)
		}
	}
}

func noSubscription(l *look) {
	for _, r := range l.all("aws:shield/subscription:Subscription") {
		l.at(r, "it subscribes the account: do that by hand, and let the program protect what it makes")
	}
}
