package front_test

import (
	"strings"
	"testing"

	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"github.com/insight-icon/pulumi-icon/components/platform/aws"
	"github.com/insight-icon/pulumi-icon/components/platform/aws/front"
	"github.com/insight-icon/pulumi-icon/internal/awsplan"
	"github.com/insight-icon/pulumi-icon/tests/graph"
)

func TestWhatIsMissingIsSaidBeforeAnythingIsMade(t *testing.T) {
	for _, c := range []struct {
		name     string
		settings awsplan.Settings
		change   func(*front.Args)
		want     []string
	}{
		{"no network", settings("dns"), func(a *front.Args) { a.Made = nil }, []string{"Made is required"}},
		{"no design", settings("dns"), func(a *front.Args) { a.Made = &aws.Made{} }, []string{"Made is required"}},
		{"an unknown kind", settings("dns"), func(a *front.Args) { a.Made.Design.Settings.Front.Kind = "anycast" }, []string{
			`icon:aws.front.kind: "anycast", wanted dns or nlb`,
		}},
		{"sentries without a kind", settings("dns"), func(a *front.Args) { a.Made.Design.Settings.Front.Kind = "" }, []string{
			"icon:aws.front.kind: empty",
		}},
		{"dns without anything", settings("dns"), func(a *front.Args) { a.Announce, a.Sentries = "prep.example.org", nil }, []string{
			"Sentries: at least one", `Announce: "prep.example.org", wanted "name:7100"`,
		}},
		{"another port", settings("dns"), func(a *front.Args) { a.Announce = "prep.example.org:7200" }, []string{"Announce"}},
		{"a sentry without an address", settings("dns"), func(a *front.Args) { a.Sentries = []string{"sentry-3"} }, []string{
			"Sentries: sentry-3 has no elastic address",
		}},
		{"nlb without its parts", settings("nlb"), func(a *front.Args) {
			a.Sentries = []string{"sentry-3"}
			delete(a.Made.Groups, "nlb")
			delete(a.Made.Subnets, "balancer-b")
		}, []string{
			"Sentries: sentry-3 is not in Made.Instances", `Made.Groups: has no "nlb"`, "Made.Subnets: has no balancer-b",
		}},
		{"nlb without addresses", settings("nlb"), func(a *front.Args) { a.Made.Design.ElasticIPs = nil }, []string{`"nlb-<zone>"`}},
		{"an API without its parts", withAPI(settings("")), func(a *front.Args) {
			*a.Made.Design.Settings.API = awsplan.API{}
			a.Citizens, a.Made.WAFLogPrefix = nil, "/icon/"
			delete(a.Made.Groups, "alb")
			delete(a.Made.Subnets, "balancer-b")
		}, []string{
			"icon:aws.api.name: empty", "neither hostedZone nor certificate", "Citizens: at least one", `Made.Groups: has no "alb"`,
			"there are balancer subnets in 1", `Made.WAFLogPrefix: "/icon/"`,
		}},
		{"a citizen that is not there", withAPI(settings("")), func(a *front.Args) { a.Citizens = []string{"citizen-3"} }, []string{
			"Citizens: citizen-3 is not in Made.Instances",
		}},
		{"all sentries drain", settings("dns"), func(a *front.Args) { a.Draining = a.Sentries }, []string{"Draining: names all sentries"}},
		{"two ways to the API", withAPI(settings("nlb")), func(a *front.Args) { a.APIPorts = []int{9000} }, []string{"APIPorts: not together"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			g, err := graph.Run(t, graph.Options{}, program(c.settings, c.change, nil))
			if err == nil {
				t.Fatal("no error")
			}
			for _, want := range c.want {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("the error is %v, wanted in it %q", err, want)
				}
			}
			if made := g.OfType(front.Type); len(made) != 0 {
				t.Error("the component was registered nevertheless")
			}
		})
	}
}

func TestANameThatAWSWouldRefuseIsRefused(t *testing.T) {
	name := "a-front-of-16-ch"
	long := func(s awsplan.Settings) error {
		_, err := graph.Run(t, graph.Options{}, func(ctx *pulumi.Context) error {
			made, err := makeNetwork(ctx, s)
			if err != nil {
				return err
			}
			_, err = front.New(ctx, name, args(made))
			return err
		})
		return err
	}
	if err := long(settings("nlb")); err == nil || !strings.Contains(err.Error(), "at most 15 are allowed") {
		t.Errorf("a load balancer's name: %v", err)
	}
	if err := long(settings("dns")); err != nil {
		t.Errorf("no load balancer: %v", err)
	}
	name = name[:15]
	if err := long(settings("nlb")); err != nil {
		t.Errorf("15 characters: %v", err)
	}
	if _, err := front.New(nil, "front", nil); err == nil {
		t.Error("no arguments: no error")
	}
}

func TestAFrontIsWantedWhereTheSettingsAskForOne(t *testing.T) {
	for name, c := range map[string]struct {
		settings awsplan.Settings
		want     bool
	}{"nothing": {settings(""), false}, "dns": {settings("dns"), true}, "nlb": {settings("nlb"), true}, "api": {withAPI(settings("")), true}} {
		a := &front.Args{Made: &aws.Made{Design: &awsplan.Design{Settings: c.settings}}}
		if got := a.Wanted(); got != c.want {
			t.Errorf("%s: %v, wanted %v", name, got, c.want)
		}
	}
	var none *front.Args
	if none.Wanted() || (&front.Args{}).Wanted() {
		t.Error("wanted without a network")
	}
}
