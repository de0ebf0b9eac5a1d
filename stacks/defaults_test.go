package stacks

import (
	"path/filepath"
	"reflect"
	"testing"

	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"github.com/insight-icon/pulumi-icon/internal/sentry"
)

func loaded(t *testing.T, name string) *Config {
	t.Helper()
	config, err := decode(fixtureSettings(t, filepath.Join("testdata", "valid", name)))
	if err != nil {
		t.Fatal(err)
	}
	return config
}

func TestKeysThatAreLeftOutHaveTheirDocumentedDefaults(t *testing.T) {
	config := loaded(t, "sentry-fronted.yaml")
	api := true
	want := &Sentries{
		Hosts: []string{"sentry-1", "sentry-2"}, Announce: "prep.example.org:7100", API: &api,
		Variant: "haproxy+nftables", AnnounceCheck: "require", Limits: sentry.Limits{}.WithDefaults(),
		Peers: Peers{
			Mode: "prefer", RefreshSeconds: 120, MaxShrinkPercent: 20,
			Endpoints: []string{"https://api.icon.community/api/v3", "https://ctz.solidwallet.io/api/v3"},
		},
	}
	if !reflect.DeepEqual(config.Sentries, want) {
		t.Errorf("sentries %+v, wanted %+v", config.Sentries, want)
	}
	node := config.Node
	node.Container = nil
	wantNode := Node{
		Runtime: "container", Arch: "amd64", DataDir: "/var/lib/icon-node", MinDiskGB: 2500, OnDestroy: "keep", LogLevel: "info",
		SyncTimeout: 300,
	}
	if node != wantNode {
		t.Errorf("node %+v, wanted %+v", node, wantNode)
	}
	if c := config.Node.Container; c.Engine != "podman" || c.ConfigURL != "https://networkinfo.solidwallet.io/node_info" {
		t.Errorf("container %+v, wanted podman and the network operator's address", c)
	}
	if to := config.Maintenance; !reflect.DeepEqual(to, Maintenance{To: []string{"0.0.0.0/0"}, Ports: []int{80, 443}}) {
		t.Errorf("maintenance %+v, wanted everywhere on 80 and 443", to)
	}
	if config.PRep.Egress != "sealed" || config.PRep.Announce != "" {
		t.Errorf("prep %+v, wanted sealed and no address of its own", config.PRep)
	}
	m := config.Hosts.Machines["sentry-1"]
	if m.User != "root" || m.Port != 22 || m.PrivateAddress != "10.2.0.21" || m.PublicAddress != "198.51.100.21" {
		t.Errorf("sentry-1 %+v, wanted root, 22 and its address as the public one", m)
	}
}

func TestSingleNodeAnnouncesItsPublicAddress(t *testing.T) {
	config := loaded(t, "single-node.yaml")
	if config.PRep.Announce != "10.1.0.11:7100" || config.PRep.Egress != "" {
		t.Errorf("prep %+v, wanted its own address announced", config.PRep)
	}
	if n := config.Network; n.Platform != "basic" || n.Channel != "icon_dex" || config.Node.MinDiskGB != 1 {
		t.Errorf("network %+v with %d GB, wanted basic, icon_dex, 1", n, config.Node.MinDiskGB)
	}
}

func TestWhatIsGivenWinsOverDefaults(t *testing.T) {
	config := loaded(t, "sentry-fronted-binary.yaml")
	hosts := config.Hosts.Machines
	if m := hosts["citizen-1"]; m.User != "deploy" || m.Port != 2222 || m.Bastion != config.Hosts.Bastion || m.PublicAddress != m.Address {
		t.Errorf("citizen-1 %+v, wanted user, port and bastion of icon:hosts", m)
	}
	if m := hosts["prep-1"]; m.User != "root" || m.Port != 22 || m.PublicAddress != "198.51.100.11" {
		t.Errorf("prep-1 %+v, wanted its own user, port and address", m)
	}
	if b := hosts["sentry-1"].Bastion; b.Address != "203.0.113.7" || b.PrivateAddress != "203.0.113.7" || b.User != "root" || b.Port != 22 {
		t.Errorf("bastion of sentry-1 %+v, wanted its own with defaults", b)
	}
	if *config.Sentries.API || config.Sentries.Limits.APIBodyKiB != 32 || config.Node.MinDiskGB != 20 || config.PRep.Egress != "routed" {
		t.Error("a given value was replaced by a default")
	}
}

func TestDefaultsOfSentriesFollowWhatIsGiven(t *testing.T) {
	keys := loaded(t, "sentries.yaml").Sentries.APIKeys
	if k := keys["shop"]; k.RequestsPer10s != 3000 || k.ExpensivePer10s != 200 {
		t.Errorf("the key of shop has %+v, wanted ten times what a stranger has", k)
	}
	if k := keys["wallet"]; k.RequestsPer10s != 100 || k.ExpensivePer10s != 5 {
		t.Errorf("the key of wallet has %+v, wanted what is given", k)
	}
	acme := loaded(t, "sentries-acme.yaml").Sentries.TLS.ACME
	if acme == nil || acme.Directory != "https://acme-v02.api.letsencrypt.org/directory" || acme.Email != "" {
		t.Errorf("acme %+v, wanted Let's Encrypt without an e-mail address", acme)
	}
	if s := loaded(t, "aws-sentry-fronted.yaml").Sentries; s.AnnounceCheck != "warn" {
		t.Errorf("announceCheck is %s on aws, wanted warn", s.AnnounceCheck)
	}
	if p := loaded(t, "sentry-fronted-binary.yaml").Sentries.Peers; p.Endpoints != nil || p.Mode != "prefer" {
		t.Errorf("peers of a custom network %+v, wanted prefer and no endpoint", p)
	}
	given := loaded(t, "sentry-fronted.yaml")
	given.Sentries.Variant, given.Sentries.Peers = "nginx", Peers{}
	given.Secrets.SSHPrivateKey = pulumi.String("x")
	if full, err := given.Complete(); err != nil || full.Sentries.Peers.Mode != "off" || full.Sentries.Peers.Endpoints != nil {
		t.Errorf("peers of nginx: %+v (%v), wanted off, without endpoints", full, err)
	}
}

func TestCompleteLeavesTheGivenConfigAlone(t *testing.T) {
	given := loaded(t, "sentry-fronted.yaml")
	given.Secrets.SSHPrivateKey = pulumi.String("x")
	given.Sentries.Limits, given.Sentries.API, given.Node.Container.Engine = sentry.Limits{}, nil, ""
	machine := given.Hosts.Machines["prep-1"]
	machine.User = ""
	given.Hosts.Machines["prep-1"] = machine
	full, err := given.Complete()
	if err != nil {
		t.Fatal(err)
	}
	if full.Sentries.Limits.P2PConnections != 1000 || full.Hosts.Machines["prep-1"].User != "root" || full.Node.Container.Engine != "podman" {
		t.Error("defaults are missing in the copy")
	}
	if given.Sentries.Limits != (sentry.Limits{}) || given.Sentries.API != nil || given.Node.Container.Engine != "" ||
		given.Hosts.Machines["prep-1"].User != "" {
		t.Error("the given Config was changed")
	}
	given.Topology = "star"
	if _, err := given.Complete(); err == nil {
		t.Error("an unknown topology was accepted")
	}
}

func TestProfilesHoldTheNetworksData(t *testing.T) {
	for name, want := range map[string]Profile{
		"mainnet": {
			Name: "mainnet", Service: "MainNet", CID: "0x1", NID: "0x1", MinDiskGB: 2500, Seeds: []string{"seed-ctz.solidwallet.io:7100"},
			Endpoints: []string{"https://api.icon.community/api/v3", "https://ctz.solidwallet.io/api/v3"},
		},
		"lisbon": {
			Name: "lisbon", Service: "LisbonNet", CID: "0x23cdd9", NID: "0x2", MinDiskGB: 500, Seeds: []string{"seed-lisbon.solidwallet.io:7100"},
			Endpoints: []string{"https://lisbon.net.solidwallet.io/api/v3"},
		},
		"berlin": {
			Name: "berlin", Service: "BerlinNet", CID: "0xee03d9", NID: "0x7", MinDiskGB: 500, Seeds: []string{"seed-berlin.solidwallet.io:7100"},
			Endpoints: []string{"https://berlin.net.solidwallet.io/api/v3"},
		},
	} {
		want.Platform, want.Channel = "icon", "icon_dex"
		if got := (Network{Profile: name}).Resolve(); !reflect.DeepEqual(got, want) {
			t.Errorf("%s: %+v, wanted %+v", name, got, want)
		}
	}
	own := (Network{Profile: "mainnet", Seeds: []string{"10.0.0.1:7100"}}).Resolve()
	if !reflect.DeepEqual(own.Seeds, []string{"10.0.0.1:7100"}) || own.CID != "0x1" {
		t.Errorf("%+v, wanted mainnet with the stack's own seeds", own)
	}
	custom := loaded(t, "sentry-fronted-binary.yaml").Network.Resolve()
	want := Profile{
		Name: "lab", Service: "lab", CID: "0x1ecbb6", NID: "0x1ecbb6", Seeds: []string{"seed.lab.example.org:7100"},
		Platform: "basic", Channel: "lab_chain", MinDiskGB: 1, Genesis: "genesis.zip",
	}
	if !reflect.DeepEqual(custom, want) {
		t.Errorf("%+v, wanted %+v", custom, want)
	}
}
