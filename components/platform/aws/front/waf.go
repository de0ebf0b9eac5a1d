package front

import (
	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/cloudwatch"
	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/wafv2"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"
)

// counted are the rules of AWS's common set that only count here. The set is written for web sites; a JSON-RPC request of a contract or a
// transaction can be as large as half a megabyte and hold any text, and nothing of it is ever shown by a browser, opened as a file or
// fetched. The rest of the set blocks.
var counted = []string{
	// Bodies above 8 KB, which is all that the firewall of an application load balancer sees of one.
	"SizeRestrictions_BODY",
	// An address with a number in it: what a P-Rep may register as its site and its details.
	"GenericRFI_BODY", "EC2MetaDataSSRF_BODY",
	// Paths and HTML, in messages of transactions.
	"GenericLFI_BODY", "CrossSiteScripting_BODY",
	// Websocket clients in Go send no User-Agent, relays among them.
	"NoUserAgent_HEADER",
}

// managedGroup is one of AWS's own groups of rules.
type managedGroup struct {
	name, group string
	counted     []string
}

// makeWAF puts the web firewall before the load balancer: it lets pass what no rule blocks. 927 of the 1500 units that cost nothing extra.
func (m *maker) makeWAF() error {
	rules := wafv2.WebAclRuleArray{m.rateRule(0)}
	for i, g := range []managedGroup{
		{name: "reputation", group: "AWSManagedRulesAmazonIpReputationList"},
		{name: "known-bad", group: "AWSManagedRulesKnownBadInputsRuleSet"},
		{name: "common", group: "AWSManagedRulesCommonRuleSet", counted: counted},
	} {
		rules = append(rules, m.managedRule(i+1, g))
	}
	acl, err := wafv2.NewWebAcl(m.ctx, m.called("waf"), &wafv2.WebAclArgs{
		Scope: pulumi.String("REGIONAL"), Rules: rules,
		DefaultAction: wafv2.WebAclDefaultActionArgs{Allow: wafv2.WebAclDefaultActionAllowArgs{}},
		VisibilityConfig: wafv2.WebAclVisibilityConfigArgs{
			CloudwatchMetricsEnabled: pulumi.Bool(true), SampledRequestsEnabled: pulumi.Bool(true), MetricName: pulumi.String(m.called("waf")),
		},
		Tags: m.tags("waf"),
	}, m.parent)
	if err != nil {
		return err
	}
	m.front.WebACL = acl
	if err := m.wafLog(acl); err != nil {
		return err
	}
	_, err = wafv2.NewWebAclAssociation(m.ctx, m.called("waf-alb"), &wafv2.WebAclAssociationArgs{
		ResourceArn: m.front.ALB.Arn, WebAclArn: acl.Arn,
	}, m.parent)
	return err
}

// rateRule refuses an address that asks too much, with the code that the sentries use too, until it asks less.
func (m *maker) rateRule(priority int) wafv2.WebAclRuleArgs {
	return wafv2.WebAclRuleArgs{
		Name: pulumi.String("rate"), Priority: pulumi.Int(priority), VisibilityConfig: m.visible("rate"),
		Statement: wafv2.WebAclRuleStatementArgs{RateBasedStatement: wafv2.WebAclRuleStatementRateBasedStatementArgs{
			AggregateKeyType: pulumi.String("IP"), EvaluationWindowSec: pulumi.Int(300),
			Limit: pulumi.Int(m.settings.API.RequestsPerSource),
		}},
		Action: wafv2.WebAclRuleActionArgs{Block: wafv2.WebAclRuleActionBlockArgs{
			CustomResponse: wafv2.WebAclRuleActionBlockCustomResponseArgs{ResponseCode: pulumi.Int(429)},
		}},
	}
}

func (m *maker) managedRule(priority int, g managedGroup) wafv2.WebAclRuleArgs {
	var overrides wafv2.WebAclRuleStatementManagedRuleGroupStatementRuleActionOverrideArray
	for _, rule := range g.counted {
		overrides = append(overrides, wafv2.WebAclRuleStatementManagedRuleGroupStatementRuleActionOverrideArgs{
			Name: pulumi.String(rule),
			ActionToUse: wafv2.WebAclRuleStatementManagedRuleGroupStatementRuleActionOverrideActionToUseArgs{
				Count: wafv2.WebAclRuleStatementManagedRuleGroupStatementRuleActionOverrideActionToUseCountArgs{},
			},
		})
	}
	return wafv2.WebAclRuleArgs{
		Name: pulumi.String(g.name), Priority: pulumi.Int(priority), VisibilityConfig: m.visible(g.name),
		Statement: wafv2.WebAclRuleStatementArgs{ManagedRuleGroupStatement: wafv2.WebAclRuleStatementManagedRuleGroupStatementArgs{
			VendorName: pulumi.String("AWS"), Name: pulumi.String(g.group), RuleActionOverrides: overrides,
		}},
		OverrideAction: wafv2.WebAclRuleOverrideActionArgs{None: wafv2.WebAclRuleOverrideActionNoneArgs{}},
	}
}

// visible gives a rule a metric of its own and keeps samples of what it matched, for three hours.
func (m *maker) visible(rule string) wafv2.WebAclRuleVisibilityConfigArgs {
	return wafv2.WebAclRuleVisibilityConfigArgs{
		CloudwatchMetricsEnabled: pulumi.Bool(true), SampledRequestsEnabled: pulumi.Bool(true),
		MetricName: pulumi.String(m.called("waf-" + rule)),
	}
}

// wafLog records what was blocked or counted. What was let pass is in the load balancer's access log, at a fraction of the price.
func (m *maker) wafLog(acl *wafv2.WebAcl) error {
	group, err := cloudwatch.NewLogGroup(m.ctx, m.called("waf-log"), &cloudwatch.LogGroupArgs{
		// AWS WAF writes to no group whose name begins otherwise than this prefix, and the stack's key serves no other.
		Name:     pulumi.String(m.made.WAFLogPrefix + "-" + m.name),
		KmsKeyId: m.made.KeyARN, RetentionInDays: pulumi.Int(m.settings.LogDays), Tags: m.tags("waf-log"),
	}, m.parent)
	if err != nil {
		return err
	}
	keep := func(action string) wafv2.WebAclLoggingConfigurationLoggingFilterFilterConditionArgs {
		return wafv2.WebAclLoggingConfigurationLoggingFilterFilterConditionArgs{
			ActionCondition: wafv2.WebAclLoggingConfigurationLoggingFilterFilterConditionActionConditionArgs{Action: pulumi.String(action)},
		}
	}
	redacted := wafv2.WebAclLoggingConfigurationRedactedFieldArray{}
	for _, header := range []string{"authorization", "cookie"} {
		redacted = append(redacted, wafv2.WebAclLoggingConfigurationRedactedFieldArgs{
			SingleHeader: wafv2.WebAclLoggingConfigurationRedactedFieldSingleHeaderArgs{Name: pulumi.String(header)},
		})
	}
	_, err = wafv2.NewWebAclLoggingConfiguration(m.ctx, m.called("waf-logging"), &wafv2.WebAclLoggingConfigurationArgs{
		ResourceArn: acl.Arn, LogDestinationConfigs: pulumi.StringArray{group.Arn}, RedactedFields: redacted,
		LoggingFilter: wafv2.WebAclLoggingConfigurationLoggingFilterArgs{
			DefaultBehavior: pulumi.String("DROP"),
			Filters: wafv2.WebAclLoggingConfigurationLoggingFilterFilterArray{wafv2.WebAclLoggingConfigurationLoggingFilterFilterArgs{
				Behavior: pulumi.String("KEEP"), Requirement: pulumi.String("MEETS_ANY"),
				Conditions: wafv2.WebAclLoggingConfigurationLoggingFilterFilterConditionArray{
					keep("BLOCK"), keep("COUNT"), keep("EXCLUDED_AS_COUNT"),
				},
			}},
		},
	}, m.parent)
	return err
}
