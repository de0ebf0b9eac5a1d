package aws_test

import (
	"encoding/json"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/insight-icon/pulumi-icon/components/platform/aws"
	"github.com/insight-icon/pulumi-icon/tests/graph"
)

type statement struct {
	Sid, Effect      string
	Principal        map[string]string
	Action, Resource []string
	Condition        map[string]map[string]string
}

// statements are those of all IAM policies and key policies of a graph, by resource name.
func statements(t *testing.T, g *graph.Graph) map[string][]statement {
	t.Helper()
	all := map[string][]statement{}
	for _, r := range g.Resources {
		for _, key := range []string{"policy", "assumeRolePolicy"} {
			text := input(r, key)
			if !strings.HasPrefix(r.Type, "aws:") || !text.IsString() {
				continue
			}
			var p struct{ Statement []statement }
			if err := json.Unmarshal([]byte(text.StringValue()), &p); err != nil {
				t.Errorf("%s: %v", r.URN, err)
			}
			all[r.Name] = append(all[r.Name], p.Statement...)
		}
	}
	return all
}

func TestNoPolicyAllowsMoreThanItNames(t *testing.T) {
	all := statements(t, newSmall().record(t))
	if len(all) < 6 {
		t.Errorf("only these were found: %v", names(all))
	}
	for name, list := range all {
		for _, s := range list {
			if slices.ContainsFunc(s.Action, func(a string) bool { return strings.Contains(a, "*") }) {
				t.Errorf("%s, %s: allows %v", name, s.Sid, s.Action)
			}
			// A key's policy is about the key, and lists cannot be read in part.
			reads := !slices.ContainsFunc(s.Action, func(a string) bool { return !strings.HasPrefix(a, "ec2:Describe") })
			if slices.Contains(s.Resource, "*") && name != "network-key" && !reads {
				t.Errorf("%s, %s: allows %v on everything", name, s.Sid, s.Action)
			}
			if s.Effect != "Allow" || slices.Contains([]string{"*"}, s.Principal["AWS"]) {
				t.Errorf("%s, %s: %+v", name, s.Sid, s)
			}
		}
	}
}

// AWS's documentation lists these five for the role of a flow log, all on everything. The group is made by us.
func TestFlowLogsCanBeWrittenToTheirGroupAlone(t *testing.T) {
	allowed := map[string]string{}
	for _, s := range statements(t, newSmall().record(t))["network-flow-logs-policy"] {
		for _, action := range s.Action {
			allowed[action] = strings.Join(s.Resource, " ")
		}
	}
	// The recorder's ARN of the group, and all that is in it; a list is always of all groups.
	const group, all = "arn:aws:cloudwatch:eu-central-1:123456789012:network-flow-logs:*", "arn:aws:logs:eu-central-1:123456789012:log-group:*"
	want := map[string]string{
		"logs:CreateLogStream": group, "logs:PutLogEvents": group, "logs:DescribeLogStreams": group, "logs:DescribeLogGroups": all,
	}
	if !maps.Equal(allowed, want) {
		t.Errorf("allowed are %v, wanted %v", allowed, want)
	}
}

func TestServicesActForThisStackAlone(t *testing.T) {
	s := newSmall()
	s.args.Settings.API = &aws.API{Name: "api.example.org", HostedZone: "Z0123456789ABCDEFGHIJ"}
	all := statements(t, s.record(t))
	for _, c := range []struct{ policy, sid, operator, key, want string }{
		{
			"key", "LogGroups", "ArnLike", "kms:EncryptionContext:aws:logs:arn",
			"arn:aws:logs:eu-central-1:123456789012:log-group:/icon/test/network/*",
		},
		{
			"key", "FirewallLogs", "ArnLike", "kms:EncryptionContext:aws:logs:arn",
			"arn:aws:logs:eu-central-1:123456789012:log-group:aws-waf-logs-icon-test-network*",
		},
		{"flow-logs-role", "Service", "ArnLike", "aws:SourceArn", "arn:aws:ec2:eu-central-1:123456789012:vpc-flow-log/*"},
		{"snapshots-role", "Service", "StringEquals", "aws:SourceAccount", "123456789012"},
		{"snapshots-policy", "CopyMarkedVolumes", "StringEquals", "aws:ResourceTag/Snapshots", "icon/test/network"},
		{"snapshots-policy", "DeleteMarkedSnapshots", "StringEquals", "aws:ResourceTag/Snapshots", "icon/test/network"},
		{"snapshots-policy", "GrantKeyToEBS", "Bool", "kms:GrantIsForAWSResource", "true"},
	} {
		i := slices.IndexFunc(all["network-"+c.policy], func(s statement) bool { return s.Sid == c.sid })
		if i < 0 {
			t.Errorf("%s has no statement %s", c.policy, c.sid)
			continue
		}
		if got := all["network-"+c.policy][i].Condition[c.operator][c.key]; got != c.want {
			t.Errorf("%s, %s: %s is %q, wanted %q", c.policy, c.sid, c.key, got, c.want)
		}
	}
}
