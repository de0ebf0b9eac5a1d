package front_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/insight-icon/pulumi-icon/components/platform/aws/front"
	"github.com/insight-icon/pulumi-icon/tests/graph"
	"github.com/insight-icon/pulumi-icon/tests/policy"
)

func TestFrontsKeepThePoliciesButWhatTheirOperatorChoseOtherwise(t *testing.T) {
	chosen := map[string][]string{
		"nlb where sentries publish the API": {"ELB.18 front-nlb-9000-listener"}, // without TLS
		"nlb and api without waf":            {"ELB.16 front-alb"},
		// The sentries end TLS themselves, with certificates of their own.
		"nlb where sentries publish the API with TLS": {"ELB.18 front-nlb-443-listener", "ELB.18 front-nlb-80-listener"},
	}
	// The balancer could not be made before the key's policy lets the log's writer in, which never comes: see encrypt.
	const emptyBucket = "S3.17 front-nlb-logs-encryption"
	for _, c := range cases {
		graph.InBothModes(t, program(c.settings(), c.change, nil), func(t *testing.T, g *graph.Graph) {
			t.Helper()
			var found []string
			for _, f := range policy.Check(g, policy.AWS()) {
				if strings.Contains(f.URN, front.Type) {
					found = append(found, f.Rule+" "+f.URN[strings.LastIndex(f.URN, "::")+2:])
				}
			}
			want := chosen[c.name]
			if len(g.Named("front-nlb-logs-encryption")) > 0 {
				want = append(slices.Clone(want), emptyBucket)
			}
			same(t, c.name, found, want)
		})
	}
}
