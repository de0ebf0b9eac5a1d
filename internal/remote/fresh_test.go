package remote_test

import (
	"testing"

	"github.com/pulumi/pulumi/sdk/v3/go/common/resource"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"github.com/insight-icon/pulumi-icon/internal/remote"
	"github.com/insight-icon/pulumi-icon/tests/graph"
)

// tries are how often a step of a host behind a bastion tries to reach the host, and the bastion.
func tries(t *testing.T, fresh bool) (host, bastion float64) {
	t.Helper()
	g := graph.Record(t, graph.Options{}, func(ctx *pulumi.Context) error {
		key := pulumi.String("ssh-ed25519 AAAA")
		session, err := remote.NewSession(remote.SessionArgs{Host: "a", Login: remote.Login{
			Address: pulumi.String("192.0.2.1"), HostKey: key, Fresh: fresh,
			Bastion: &remote.Bastion{Address: pulumi.String("192.0.2.2"), HostKey: key},
		}})
		if err != nil {
			return err
		}
		_, err = session.Run(ctx, "a-ready", remote.Step{Name: "ready", Script: idle})
		return err
	})
	connection := g.Step("a", "ready").Inputs["connection"]
	for connection.IsSecret() {
		connection = connection.SecretValue().Element
	}
	if connection.IsOutput() {
		connection = connection.OutputValue().Element
	}
	limit := func(v resource.PropertyMap) float64 { return v["dialErrorLimit"].NumberValue() }
	return limit(connection.ObjectValue()), limit(connection.ObjectValue()["proxy"].ObjectValue())
}

func TestAFreshMachineIsTriedForLonger(t *testing.T) {
	for fresh, want := range map[bool]float64{false: 20, true: 60} {
		if host, bastion := tries(t, fresh); host != want || bastion != want {
			t.Errorf("fresh %v: %v tries for the host and %v for the bastion, wanted %v", fresh, host, bastion, want)
		}
	}
}
