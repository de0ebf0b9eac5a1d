package aws_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/insight-icon/pulumi-icon/components/platform/aws"
	"github.com/insight-icon/pulumi-icon/tests/graph"
)

// A machine that is made anew: the bastion keeps its elastic address and its host key, so that nothing of the connection tells.
func TestEveryStepIsOfOneMachine(t *testing.T) {
	g := newSmall().record(t)
	steps := g.OfType(graph.CommandType)
	for _, r := range steps {
		program, _ := r.Stdin()
		if want := "MACHINE='network-" + r.Host() + "-instance_id'"; !strings.Contains(program, want) {
			t.Errorf("the program of %s does not say %s: it would not be applied to another machine", r.Name, want)
		}
	}
	if len(steps) < 10 {
		t.Errorf("only %d steps were looked at", len(steps))
	}
}

// The bastion is the one way in. If the others knew it by its address, another one would be locked out, and they with it.
func TestABastionThatIsMadeAnewIsLetInByTheOthers(t *testing.T) {
	own := func(*small) {}
	for name, c := range map[string]struct {
		change func(*small)
		want   string
	}{
		"own network":       {own, "10.20.0.0/19"}, // of the public tier, all eight zones
		"bastion in zone b": {func(s *small) { s.with("bastion", func(m *aws.Machine) { m.Zone = "eu-central-1b" }) }, "10.20.0.0/19"},
		"small network":     {func(s *small) { s.args.Settings.VPC.CIDR = "10.30.4.0/22" }, "10.30.4.0/25"},
		"the operator's network": {func(s *small) {
			s.args.Settings.VPC = aws.VPC{CIDR: "10.30.0.0/16", Existing: &aws.ExistingVPC{
				ID:      "vpc-0123456789abcdef0",
				Public:  map[string]string{"eu-central-1a": "subnet-0aaaaaaaaaaaaaaa1", "eu-central-1b": "subnet-0aaaaaaaaaaaaaaa2"},
				Private: map[string]string{"eu-central-1a": "subnet-0aaaaaaaaaaaaaaa3", "eu-central-1b": "subnet-0aaaaaaaaaaaaaaa4"},
			}}
		}, "10.30.0.0/16"},
	} {
		t.Run(name, func(t *testing.T) {
			s := newSmall()
			c.change(s)
			g := s.record(t)
			for _, host := range []string{"prep-1", "sentry-1"} {
				program, _ := g.Step(host, "harden").Stdin()
				if want := "ADMINISTRATORS='" + c.want + "'"; !strings.Contains(program, want) {
					t.Errorf("%s: its program does not say %s", host, want)
				}
				if !strings.Contains(program, "ip saddr { "+c.want+" } tcp dport 22 accept") {
					t.Errorf("%s: its firewall does not let %s in", host, c.want)
				}
				if deps := g.Step(host, "harden").PropertyDependencies["stdin"]; slices.Contains(deps, one(t, g, "bastion-instance").URN) {
					t.Errorf("%s: its firewall follows the bastion's address", host)
				}
			}
			// The administrators' networks alone reach the bastion itself.
			if program, _ := g.Step("bastion", "harden").Stdin(); !strings.Contains(program, "ADMINISTRATORS='203.0.113.0/24'") {
				t.Error("the bastion answers to others than the administrators")
			}
		})
	}
}
