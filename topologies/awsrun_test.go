package topologies

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/pulumi/pulumi/sdk/v3/go/common/resource"

	"github.com/insight-icon/pulumi-icon/tests/graph"
)

// ownValues are put in the place of the examples', which the program asks to be replaced.
var ownValues = strings.NewReplacer(
	"203.0.113.0/24", "198.51.100.0/24", "example.org", "icon.test", "example.net", "peer.test", graph.HostedZone, graph.OwnZone,
)

// run is the whole program with a stack's configuration, as the engine starts it.
func run(t *testing.T, text string, preview bool) (*graph.Graph, error) {
	t.Helper()
	values := engineConfig(t, parsed(t, text))
	for key, value := range values {
		values[key] = ownValues.Replace(value)
	}
	values["icon:sshPrivateKey"] = testKey(t)
	return graph.Run(t, graph.Options{Preview: preview, Config: values, SecretKeys: []string{"icon:sshPrivateKey"}}, Run)
}

func TestAStackOnAWSSaysWhatItsOperatorMustKnow(t *testing.T) {
	withCertificate := "\n    api: {name: api.example.org, certificate: \"" + anARN + "\"}"
	for name, c := range map[string]struct {
		text    string
		outputs []string
	}{
		"single node": {alone + mainnet + inOneZone, []string{"announce", "bastion", "hardening", "nodeAddresses"}},
		"sentries": {
			fronted + mainnet + sentries + inTwoZones + machinesAB + "\n    front: {" + zone + "}",
			[]string{"announce", "bastion", "hardening", "nodeAddresses", "sentryAddresses"},
		},
		"balancer and API": {
			fronted + mainnet + sentries + citizen + inTwoZones + machinesABC + "\n    front: {kind: nlb, " + zone + "}" + api,
			[]string{"announce", "api", "bastion", "hardening", "nodeAddresses", "sentryAddresses"},
		},
		"API whose record is the operator's": {
			archive + mainnet + inTwoZones + citizensAB + withCertificate, []string{"api", "apiBalancer", "bastion", "hardening", "nodeAddresses"},
		},
	} {
		for _, preview := range []bool{false, true} {
			g, err := run(t, c.text, preview)
			if err != nil {
				t.Errorf("%s: %v", name, err)
				continue
			}
			var got []string
			for key, value := range g.Outputs {
				got = append(got, string(key))
				if !preview && !known(value) {
					t.Errorf("%s: the output %s is %v", name, key, value)
				}
			}
			if slices.Sort(got); !slices.Equal(got, c.outputs) {
				t.Errorf("%s: outputs %v, wanted %v", name, got, c.outputs)
			}
		}
	}
}

// known says whether an output has a text, or texts, in the clear.
func known(v any) bool {
	text := fmt.Sprint(v)
	return text != "" && !strings.Contains(text, "ecret") && !strings.Contains(text, "nknown") && !strings.Contains(text, "<nil>")
}

func TestASingleNodeAnnouncesItsElasticAddress(t *testing.T) {
	g, err := run(t, alone+mainnet+inOneZone, false)
	if err != nil {
		t.Fatal(err)
	}
	for output, want := range map[string]string{"announce": ":7100", "bastion": ""} {
		got, _ := graph.Plain(g.Outputs[resource.PropertyKey(output)])
		if !strings.HasPrefix(got, "198.51.") || !strings.HasSuffix(got, want) {
			t.Errorf("%s is %q, wanted an elastic address%s", output, got, want)
		}
	}
}

// What an operator forgot to replace is asked for all at once, before AWS is.
func TestTheValuesOfTheShippedStacksAreAskedForBeforeAnythingIsMade(t *testing.T) {
	for _, name := range []string{"mainnet-prep", "lisbon-prep", "citizen-archive"} {
		c, err := ReadStack("../stacks/Pulumi." + name + ".yaml")
		if err != nil {
			t.Fatal(err)
		}
		values := engineConfig(t, c)
		values["icon:sshPrivateKey"] = testKey(t)
		g, err := graph.Run(t, graph.Options{Config: values, SecretKeys: []string{"icon:sshPrivateKey"}}, Run)
		for _, want := range []string{"icon:administrators[0]: ", "icon:aws.administratorKeys[0]: ", "icon:node.container.image: "} {
			if err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("%s: error %v, wanted %q in it", name, err, want)
			}
		}
		if len(g.Resources) > 0 {
			t.Errorf("%s: %s is made", name, g.Resources[0].URN)
		}
	}
}

// What AWS alone can say of a configuration is asked before anything but providers is made.
func TestAHostedZoneThatIsNotThereStopsTheProgramBeforeAnythingIsMade(t *testing.T) {
	const none = "hostedZone: Z0123456789NOSUCHZ0"
	wrong := "\n    front: {" + none + "}\n    api: {name: api.example.net, " + zone + "}"
	g, err := run(t, fronted+mainnet+sentries+citizen+inTwoZones+machinesABC+wrong, false)
	for _, want := range []string{
		"icon:aws.front.hostedZone: AWS gives no hosted zone", "icon:aws.api.hostedZone: ", "cannot hold api.peer.test",
	} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error %v, wanted %q in it", err, want)
		}
	}
	types := map[string]bool{}
	for _, r := range g.Resources {
		types[r.Type] = true
	}
	for _, made := range slices.Sorted(maps.Keys(types)) {
		if !strings.HasPrefix(made, "pulumi:providers:") {
			t.Errorf("it made a %s", made)
		}
	}
}

// `make plan` says what `pulumi up` would say of the plan as a whole.
func TestAPlanThatAWSHasNoRoomForIsRefusedAsAPlan(t *testing.T) {
	var networks []string
	for i := range 61 {
		networks = append(networks, fmt.Sprintf("192.0.%d.0/24", i))
	}
	list := strings.Join(networks, ", ")
	for name, c := range map[string]struct{ text, want string }{
		"API users": {
			strings.Replace(archive, "citizen-2]", "citizen-2], apiFrom: ["+list+"]", 1) + mainnet + inTwoZones + citizensAB,
			"into the security group of citizen",
		},
		"upkeep": {
			archive + "\n  icon:maintenance: {to: [" + list + "]}" + mainnet + inTwoZones + citizensAB, "out of the security group of bastion",
		},
	} {
		_, err := PlanOf(parsed(t, c.text))
		for _, want := range []string{c.want, "AWS allows 60", "icon:maintenance"} {
			if err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("%s: error %v, wanted %q in it", name, err, want)
			}
		}
	}
}
