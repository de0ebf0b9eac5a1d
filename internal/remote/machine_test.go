package remote_test

import (
	"strings"
	"testing"

	"github.com/pulumi/pulumi-tls/sdk/v5/go/tls"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"github.com/insight-icon/pulumi-icon/internal/remote"
	"github.com/insight-icon/pulumi-icon/tests/graph"
)

// fencedOn records a fenced step and a copy on a host whose machine has the name; empty: a machine that exists anyway. Any resource with
// an id can stand for a machine.
func fencedOn(t *testing.T, machine string) (step, copied *graph.Resource) {
	t.Helper()
	g := graph.Record(t, graph.Options{}, func(ctx *pulumi.Context) error {
		login := remote.Login{Address: pulumi.String("192.0.2.1"), HostKey: pulumi.String("ssh-ed25519 AAAA")}
		args := remote.SessionArgs{Host: "a", Login: login}
		if machine != "" {
			made, err := tls.NewPrivateKey(ctx, machine, &tls.PrivateKeyArgs{Algorithm: pulumi.String("ED25519")})
			if err != nil {
				return err
			}
			args.DeletedWith = made
		}
		session, err := remote.NewSession(args)
		if err != nil {
			return err
		}
		if err := session.Copy(ctx, "a-copy", "machine_test.go", "/root/file"); err != nil {
			return err
		}
		_, err = session.Run(ctx, "a-service", remote.Step{Name: "service", Script: idle, Remove: true, Fenced: true})
		return err
	})
	return g.Step("a", "service"), g.Named("a-copy")[0]
}

// A bastion keeps its elastic address and its host key when its machine is made anew.
func TestAnotherMachineWithTheSameAddressAndKeyGetsAllStepsAndCopies(t *testing.T) {
	one, copiedToOne := fencedOn(t, "one")
	two, copiedToTwo := fencedOn(t, "two")
	first, _ := one.Stdin()
	second, _ := two.Stdin()
	if first == second || !strings.Contains(second, "two_id") {
		t.Error("the program does not say which machine it is for")
	}
	if a, b := copiedToOne.Inputs["triggers"], copiedToTwo.Inputs["triggers"]; a.DeepEquals(b) {
		t.Errorf("the copy has the same triggers on both: %v", a)
	}
}

// The machine of a host that the platform makes is gone before its successor is there, and a half that must run on it would keep a lost
// P-Rep from ever being made anew. Another host's machine runs on.
func TestAFenceIsAroundMachinesAndWhereThePlatformMakesThemAroundHosts(t *testing.T) {
	for machine, want := range map[string]string{"": "192.0.2.1", "one": "a", "two": "a"} {
		step, _ := fencedOn(t, machine)
		if got := step.Inputs["triggers"].ArrayValue(); len(got) != 1 || got[0].V != want {
			t.Errorf("machine %q: replaced with a change of %v, wanted of %q", machine, got, want)
		}
	}
}

// A node's key and chain are on a disk that may be exchanged under a machine.
func TestStepsAreAppliedAgainWhereTheMachineHoldsAnotherDisk(t *testing.T) {
	programOn := func(disk string) string {
		g := graph.Record(t, graph.Options{}, func(ctx *pulumi.Context) error {
			session, err := remote.NewSession(remote.SessionArgs{
				Host: "a", Login: remote.Login{Address: pulumi.String("192.0.2.1"), HostKey: pulumi.String("ssh-ed25519 AAAA")},
			})
			if err != nil {
				return err
			}
			session.Holds(pulumi.String(disk))
			_, err = session.Run(ctx, "a-key", remote.Step{Name: "key", Script: idle})
			return err
		})
		text, _ := g.Step("a", "key").Stdin()
		return text
	}
	if one, two := programOn("/dev/one"), programOn("/dev/two"); one == two {
		t.Error("the program is the same for both disks")
	}
}
