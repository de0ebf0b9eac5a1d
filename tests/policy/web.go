package policy

import (
	"slices"
	"strings"

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
			ID: "ICON.34", Source: "icon", Title: "Load balancers pass on /api/v3, and no other path.",
			Why: "A node answers on port 9000 to more than users: what it measures, and what it is asked for debugging.",
			Check: each(apiOnly, append([]string{
				"aws:lb/listenerRule:ListenerRule", "aws:alb/listenerRule:ListenerRule",
			}, listenerTypes...)...),
		},
		{
			ID: "ICON.36", Source: "icon", Title: "Every web ACL limits what one address may ask.",
			Why: "The API is free for all; one user must not take it from the others.", Check: each(rateLimited, typeWebACL),
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

// apiOnly judges listeners by what they do if no rule of theirs fits, and rules by their paths. A listener of a network load balancer
// tells no paths apart.
func apiOnly(l *look, r *graph.Resource) {
	protocol := input(r, "protocol")
	switch {
	case strings.HasSuffix(r.Type, ":ListenerRule"):
		if slices.ContainsFunc(several(input(r, "actions")), forwards) && !slices.ContainsFunc(several(input(r, "conditions")), apiPaths) {
			l.at(r, "it passes on more than /api/v3: a condition with the pathPattern /api/v3 and /api/v3/* is wanted")
		}
	case protocol.is("TCP"): // ELB.18 judges that
	case slices.ContainsFunc(several(input(r, "defaultActions")), forwards):
		l.at(r, "it passes on what no rule is about: a fixed-response or a redirect is wanted as its default action")
	}
}

// forwards says that an action passes a request on, or may.
func forwards(action value) bool {
	kind := action.at("type")
	return !kind.is("fixed-response") && !kind.is("redirect")
}

// apiPaths says that a condition is about paths, and that all of them are of the API.
func apiPaths(condition value) bool {
	paths := several(condition.at("pathPattern", "values"))
	return len(paths) > 0 && !slices.ContainsFunc(paths, func(p value) bool {
		return p.text() != "/api/v3" && !strings.HasPrefix(p.text(), "/api/v3/")
	})
}

func rateLimited(l *look, r *graph.Resource) {
	limits := slices.ContainsFunc(several(input(r, "rules")), func(rule value) bool {
		limit, known := rule.at("statement", "rateBasedStatement", "limit").number()
		return known && limit > 0 && rule.at("action").has("block")
	})
	if !limits && !input(r, "ruleJson").given() {
		l.at(r, "no rule of its has a rateBasedStatement and the action block")
	}
}

func noSubscription(l *look) {
	for _, r := range l.all("aws:shield/subscription:Subscription") {
		l.at(r, "it subscribes the account: do that by hand, and let the program protect what it makes")
	}
}
