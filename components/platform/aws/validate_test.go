package aws_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"github.com/insight-icon/pulumi-icon/components/platform"
	"github.com/insight-icon/pulumi-icon/components/platform/aws"
	"github.com/insight-icon/pulumi-icon/tests/graph"
)

func TestASoundPlanIsAccepted(t *testing.T) {
	s := newSmall()
	if err := aws.New(s.args).Validate(s.spec); err != nil {
		t.Error(err)
	}
}

func TestEverythingThatIsWrongIsSaidAtOnce(t *testing.T) {
	s := newSmall()
	s.args.Where = "lab:aws"
	s.args.Settings.Region, s.args.Settings.AdministratorKeys = "", nil
	s.spec.Administrators = []string{"0.0.0.0/0"}
	s.spec.Hosts[0].SSHPorts = []int{22, 2222}
	s.spec.Hosts[1].Behind = ""
	s.spec.Edges = append(s.spec.Edges,
		platform.Edge{From: platform.HostParty("sentry-1"), To: platform.HostParty("prep-1"), Protocol: "tcp", Ports: []int{7100}, Why: "half"},
		platform.Edge{From: platform.HostParty("prep-1"), To: platform.Anywhere(), Protocol: "icmp", Why: "ping"})
	err := aws.New(s.args).Validate(s.spec)
	if err == nil {
		t.Fatal("the plan is accepted")
	}
	for _, want := range []string{
		"lab:aws.region: ", "lab:aws.administratorKeys: ",
		"Administrators: 0.0.0.0/0 would open SSH to the whole internet",
		"host prep-1: its SSH ports are [22 2222]",
		`host sentry-1: is behind "": wanted "bastion"`,
		"Edges[6] (half): names sentry-1 and not sentry-2: on AWS all hosts of the role sentry share a security group",
		`Edges[7] (ping): has the protocol "icmp" and the ports []: wanted tcp or udp, and ports`,
	} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("the error does not say %q:\n%v", want, err)
		}
	}
}

func TestExactlyOneBastionIsWanted(t *testing.T) {
	s := newSmall()
	s.spec.Hosts = s.spec.Hosts[:4]
	delete(s.args.Settings.Machines, "bastion")
	s.connect()
	if err := aws.New(s.args).Validate(s.spec); err == nil || !strings.Contains(err.Error(), "there is no host with the role bastion") {
		t.Errorf("without a bastion: %v", err)
	}
	s = newSmall()
	s.spec.Hosts = append(s.spec.Hosts, platform.HostSpec{Name: "bastion-2", Role: platform.Bastion})
	s.args.Settings.Machines["bastion-2"] = aws.Machine{Zone: "eu-central-1b"}
	s.connect()
	if err := aws.New(s.args).Validate(s.spec); err == nil || !strings.Contains(err.Error(), "there are 2 hosts with the role bastion") {
		t.Errorf("with two bastions: %v", err)
	}
}

func TestMoreRulesThanAGroupTakesAreRefused(t *testing.T) {
	s := newSmall()
	var networks []string
	for i := range 60 {
		networks = append(networks, fmt.Sprintf("198.51.100.%d/32", i))
	}
	s.spec.Edges = append(s.spec.Edges, platform.Edge{
		From: platform.NetworkParty(networks...), To: platform.HostParty("citizen-1"), Protocol: "tcp", Ports: []int{9000}, Why: "API users",
	})
	err := aws.New(s.args).Validate(s.spec)
	want := "Edges: make 61 rules into the security group of citizen, and AWS allows 60"
	if err == nil || !strings.Contains(err.Error(), want) {
		t.Errorf("error %v, wanted %s", err, want)
	}
}

func TestAProviderIsBoundToTheAccountThatIsMeant(t *testing.T) {
	for account, want := range map[string]string{"": "", "123456789012": "123456789012"} {
		g := graph.Record(t, graph.Options{}, func(ctx *pulumi.Context) error {
			_, err := aws.NewProvider(ctx, "aws", aws.Settings{Region: "eu-west-1", Account: account})
			return err
		})
		p := g.Named("aws")[0]
		region, allowed := fmt.Sprint(p.Inputs["region"].V), fmt.Sprint(p.Inputs["allowedAccountIds"].V)
		if region != "eu-west-1" || want != "" && !strings.Contains(allowed, want) || want == "" && p.Inputs["allowedAccountIds"].V != nil {
			t.Errorf("account %q: region %s, allowed %s", account, region, allowed)
		}
	}
}
