package topologies

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"github.com/insight-icon/pulumi-icon/components/platform/aws/front"
	"github.com/insight-icon/pulumi-icon/stacks"
	"github.com/insight-icon/pulumi-icon/tests/golden"
	"github.com/insight-icon/pulumi-icon/tests/graph"
	"github.com/insight-icon/pulumi-icon/tests/policy"
	"github.com/insight-icon/pulumi-icon/tests/reach"
)

// exceptions are the policies that a shipped stack does not keep, each with its reason.
var exceptions = map[string][]policy.Exception{
	"mainnet-prep": {
		{
			Rule: "ICON.7", Resource: "network-group-sentry-in-tcp-9000-anywhere",
			Reason: "sentries are the reverse proxies of the API: they let /api/v3 through and nothing else, within limits",
		},
		{
			Rule: "EC2.18", Resource: "network-group-sentry-in-tcp-9000-anywhere",
			Reason: "9000 is the port where ICON's users expect the API; see ICON.7",
		},
	},
	"lisbon-prep": {
		{Rule: "EC2.9", Resource: "network-prep-1-instance", Reason: singleNodeReason},
		{Rule: "ICON.14", Resource: "network-prep-1-instance", Reason: singleNodeReason},
	},
}

const singleNodeReason = "the topology single-node is a P-Rep that the internet reaches directly; its page says what that costs"

// shipped are the stack files on AWS that the repository ships, as they are but for the administrator's key, whose private half nobody has:
// here it is one that the test knows.
func shipped(tb testing.TB) map[string]*stacks.Config {
	tb.Helper()
	all := map[string]*stacks.Config{}
	for _, name := range []string{"mainnet-prep", "lisbon-prep", "citizen-archive"} {
		all[name] = shippedStack(tb, name)
	}
	return all
}

func shippedStack(tb testing.TB, name string, changes ...string) *stacks.Config {
	tb.Helper()
	text, err := os.ReadFile(filepath.Join("..", "stacks", "Pulumi."+name+".yaml"))
	if err != nil {
		tb.Fatal(err)
	}
	changed := strings.NewReplacer(changes...).Replace(string(text))
	if len(changes) > 0 && changed == string(text) {
		tb.Fatalf("%s: nothing of %q is in the file", name, changes)
	}
	c, err := stacks.Parse([]byte(changed), stacks.Secrets{
		SSHPrivateKey: pulumi.ToSecret(pulumi.StringPtr(testKey(tb))).(pulumi.StringPtrOutput),
	})
	if err != nil {
		tb.Fatal(err)
	}
	c.AWS.AdministratorKeys = []string{publicKey(tb)}
	return c
}

// awsProgram is what Run does with a configuration that it has loaded.
func awsProgram(tb testing.TB, c *stacks.Config) pulumi.RunFunc {
	tb.Helper()
	full, err := c.Complete()
	if err != nil {
		tb.Fatal(err)
	}
	return func(ctx *pulumi.Context) error {
		_, _, err := deployAll(ctx, full)
		return err
	}
}

func TestShippedStacksKeepTheLibrarysPromises(t *testing.T) {
	for name, c := range shipped(t) {
		t.Run(name, func(t *testing.T) {
			graph.InBothModes(t, awsProgram(t, c), func(t *testing.T, g *graph.Graph) {
				t.Helper()
				graph.UniqueURNs(t, g)
				graph.EveryChildBelow(t, g, append(componentTypes, front.Type)...)
				graph.ProvidersGiven(t, g)
				graph.SecretsMarked(t, g, testKey(t))
				graph.CommandsAreLaunchers(t, g)
				graph.OneAtATime(t, g)
				graph.ResourcesPerHost(t, g, 9) // one more than elsewhere: the step "disk"
			})
		})
	}
}

func TestShippedStacksKeepEveryPolicy(t *testing.T) {
	for name, c := range shipped(t) {
		t.Run(name, func(t *testing.T) {
			graph.InBothModes(t, awsProgram(t, c), func(t *testing.T, g *graph.Graph) {
				t.Helper()
				policy.Holds(t, g, policy.AWS(), exceptions[name]...)
			})
		})
	}
}

// The tables in testdata/aws are the whole of who can open a connection to what. A difference is told with its way in words; -update writes
// the tables anew.
func TestShippedStacksAreReachableAsReviewedAndNotOtherwise(t *testing.T) {
	for name, c := range shipped(t) {
		t.Run(name, func(t *testing.T) {
			r, err := reach.Analyse(graph.Record(t, graph.Options{}, awsProgram(t, c)))
			if err != nil {
				t.Fatal(err)
			}
			file := filepath.Join("aws", name+"-reach.txt")
			for _, difference := range reach.Compare(golden.Wanted(t, file, r.Table()), r) {
				t.Error(difference)
			}
			if !t.Failed() {
				golden.Check(t, file, r.Table()) // the same connections, written as they were reviewed
			}
		})
	}
}

func TestShippedStacksMakeTheResourcesThatWereReviewed(t *testing.T) {
	for name, c := range shipped(t) {
		t.Run(name, func(t *testing.T) {
			golden.Check(t, filepath.Join("aws", name+"-graph.txt"), graph.Record(t, graph.Options{}, awsProgram(t, c)).Detail())
			golden.Check(t, filepath.Join("aws", name+"-plan.txt"), planOf(t, c).String())
		})
	}
}

// testdata/released holds the graphs of the last release: what operators have in their states. It is never made anew by -update.
func TestStatesOfTheLastReleaseAreUpgradedInPlace(t *testing.T) {
	for name, c := range shipped(t) {
		t.Run(name, func(t *testing.T) {
			older, err := os.ReadFile(filepath.Join("testdata", "released", name+".txt"))
			if err != nil {
				t.Fatal(err)
			}
			for _, problem := range graph.Upgrade(string(older), graph.Record(t, graph.Options{}, awsProgram(t, c))) {
				t.Error(problem)
			}
		})
	}
}

// Two machines never hold one node key: a machine is gone, and its volume and address free, before its successor is made.
func TestAMachineIsGoneBeforeItsSuccessorIsMade(t *testing.T) {
	for name, c := range shipped(t) {
		g := graph.Record(t, graph.Options{}, awsProgram(t, c))
		for _, kind := range []string{
			"aws:ec2/instance:Instance", "aws:ec2/volumeAttachment:VolumeAttachment", "aws:ec2/eipAssociation:EipAssociation",
		} {
			all := g.OfType(kind)
			if len(all) == 0 {
				t.Errorf("%s: no %s", name, kind)
			}
			for _, r := range all {
				if !r.DeleteBeforeReplace {
					t.Errorf("%s: %s would stand beside its successor", name, r.Name)
				}
			}
		}
	}
}
