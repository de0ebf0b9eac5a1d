package hosts_test

import (
	"testing"

	"github.com/insight-icon/pulumi-icon/components/platform"
	"github.com/insight-icon/pulumi-icon/components/platform/hosts"
)

func TestValidateNamesEveryMissingThingWithItsPath(t *testing.T) {
	key := "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAINshC8xUowwfOaLH2MlU21clT/tjXq4QiaAmu0rDjzKt"
	on := hosts.New(hosts.Args{Machines: map[string]hosts.Machine{
		"good":    {Address: "10.0.0.1", HostKey: key},
		"nothing": {},
		"bastion": {Address: "10.0.0.2", HostKey: key, Bastion: &hosts.Bastion{Address: "10.0.0.3"}},
		"unused":  {},
	}})
	err := on.Validate(platform.NetworkSpec{Hosts: []platform.HostSpec{
		{Name: "good", Role: platform.PRep},
		{Name: "nothing", Role: platform.Citizen},
		{Name: "bastion", Role: platform.Sentry},
		{Name: "ghost", Role: platform.Sentry},
	}})
	const want = `icon:hosts.machines.nothing.address: missing
icon:hosts.machines.nothing.hostKey: missing: a host is never trusted on first sight
icon:hosts.machines.bastion.bastion: needs address and hostKey
icon:hosts.machines.ghost: missing: the plan has a host "ghost" (sentry)`
	if err == nil || err.Error() != want {
		t.Errorf("error\n%v\nwanted\n%s", err, want)
	}
}

func TestValidateAcceptsMachinesThatHaveAllTheyNeed(t *testing.T) {
	on := hosts.New(hosts.Args{Machines: map[string]hosts.Machine{"a": {Address: "10.0.0.1", HostKey: "ssh-ed25519 AAAA"}}})
	if err := on.Validate(platform.NetworkSpec{Hosts: []platform.HostSpec{{Name: "a"}}}); err != nil {
		t.Error(err)
	}
}

func TestAnotherPublicAddressIsTheOwnersToGive(t *testing.T) {
	on := hosts.New(hosts.Args{Machines: map[string]hosts.Machine{"a": {Address: "10.0.0.1", HostKey: "ssh-ed25519 AAAA"}}})
	err := on.Validate(platform.NetworkSpec{Hosts: []platform.HostSpec{{Name: "a", Generation: 2}}})
	const want = "host a: is to get another public address (Generation 2), which existing machines are given by their owner: " +
		"set icon:hosts.machines.a.publicAddress"
	if err == nil || err.Error() != want {
		t.Errorf("error %v, wanted %s", err, want)
	}
}

func TestMessagesUseTheCallersPath(t *testing.T) {
	on := hosts.New(hosts.Args{Where: "lab"})
	err := on.Validate(platform.NetworkSpec{Hosts: []platform.HostSpec{{Name: "a", Role: platform.PRep}}})
	if err == nil || err.Error() != `lab.machines.a: missing: the plan has a host "a" (prep)` {
		t.Errorf("error %v", err)
	}
}
