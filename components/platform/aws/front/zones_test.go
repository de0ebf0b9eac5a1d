package front_test

import (
	"strings"
	"testing"

	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"github.com/insight-icon/pulumi-icon/components/platform/aws"
	"github.com/insight-icon/pulumi-icon/components/platform/aws/front"
	"github.com/insight-icon/pulumi-icon/tests/graph"
)

func TestAHostedZoneThatIsMissingOrAnothersIsRefusedBeforeAnythingIsMade(t *testing.T) {
	for name, c := range map[string]struct {
		settings aws.Settings
		announce string
		want     []string
	}{
		"none":     {settings: aws.Settings{}, announce: "prep.example.net:7100"},
		"holds it": {settings: aws.Settings{Front: aws.Front{HostedZone: graph.HostedZone}}, announce: "prep.example.org:7100"},
		"its own":  {settings: aws.Settings{Front: aws.Front{HostedZone: graph.HostedZone}}, announce: "Example.org:7100"},
		"another's": {
			settings: aws.Settings{Front: aws.Front{HostedZone: graph.HostedZone}}, announce: "prep.notexample.org:7100",
			want: []string{"icon:aws.front.hostedZone: " + graph.HostedZone + " is the zone of example.org, which cannot hold prep.notexample.org"},
		},
		"all at once": {
			settings: aws.Settings{
				Front: aws.Front{HostedZone: "Z404"}, API: &aws.API{Name: "api.example.org", HostedZone: graph.PrivateZone},
			},
			announce: "prep.example.org:7100",
			want: []string{
				"icon:aws.front.hostedZone: AWS gives no hosted zone Z404 (", "that holds prep.example.org",
				"icon:aws.api.hostedZone: " + graph.PrivateZone + " (example.org) is a private zone",
			},
		},
	} {
		t.Run(name, func(t *testing.T) {
			var err error
			g, _ := graph.Run(t, graph.Options{}, func(ctx *pulumi.Context) error {
				err = front.CheckZones(ctx, c.settings, c.announce)
				return nil
			})
			if len(g.Resources) > 0 {
				t.Errorf("it made %v", g.URNs())
			}
			if len(c.want) == 0 && err != nil {
				t.Errorf("error %v", err)
			}
			for _, want := range c.want {
				if err == nil || !strings.Contains(err.Error(), want) {
					t.Errorf("error %v\nwanted %s", err, want)
				}
			}
		})
	}
}
