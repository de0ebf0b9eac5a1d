package awsplan

import "testing"

func TestTheBastionsPlacesAreThePublicTierWholeOrTheOperatorsNetwork(t *testing.T) {
	d := Design{
		Settings: Settings{VPC: VPC{CIDR: "10.20.0.0/16"}},
		Subnets: []Subnet{
			{Tier: Private, CIDR: "10.20.32.0/22"}, {Tier: Public, CIDR: "10.20.4.0/22"}, {Tier: Public, CIDR: "10.20.8.0/22"},
		},
	}
	if got := d.SSHFrom(); got != "10.20.0.0/19" {
		t.Errorf("%s, wanted the range of all public subnets, 10.20.0.0/19", got)
	}
	d.Subnets = nil
	if got := d.SSHFrom(); got != "10.20.0.0/16" {
		t.Errorf("%s, wanted the whole network: where its subnets are is the operator's", got)
	}
}
