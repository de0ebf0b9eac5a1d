package awsplan

import (
	"fmt"
	"strings"
	"testing"

	"golang.org/x/crypto/ssh"
)

// Public keys of nobody: the numbers in them are zeros but for one.
func edKey(n byte) string {
	return line(struct {
		Type string
		Key  []byte
	}{ssh.KeyAlgoED25519, append(make([]byte, 31), n)})
}

func rsaKey(bytes int) string {
	n := make([]byte, bytes+1)
	n[1], n[bytes] = 0x80, 1
	return line(struct {
		Type string
		E, N []byte
	}{ssh.KeyAlgoRSA, []byte{1, 0, 1}, n})
}

// dsaKey is a key of a type that sshd has given up.
func dsaKey() string {
	number := func(bytes int) []byte { return append([]byte{0, 0x80}, make([]byte, bytes-1)...) }
	return line(struct {
		Type       string
		P, Q, G, Y []byte
	}{"ssh-dss", number(128), number(20), []byte{2}, []byte{2}})
}

func line(parts any) string {
	key, err := ssh.ParsePublicKey(ssh.Marshal(parts))
	if err != nil {
		panic(err)
	}
	return strings.TrimSpace(string(ssh.MarshalAuthorizedKey(key)))
}

// fronted are settings and a need for a P-Rep behind two sentries with a citizen, in three zones.
func fronted() (Settings, Need) {
	const region = "eu-central-1"
	return Settings{
			Region: region, Zones: []string{region + "a", region + "b", region + "c"}, AdministratorKeys: []string{edKey(1)},
			Machines: map[string]Machine{
				"prep": {Zone: region + "a"}, "citizen": {Zone: region + "c"}, "sentry-1": {Zone: region + "a"},
				"sentry-2": {Zone: region + "b"}, Bastion: {Zone: region + "a"},
			},
			Front: Front{HostedZone: "Z0123456789"},
		}, Need{
			Network: "mainnet", Announce: "p2p.example.org:7100", Administrators: []string{"203.0.113.0/24"},
			Hosts: []Host{
				{Name: "prep", Role: PRep, Arch: amd64, MinDiskGB: 2500},
				{Name: "citizen", Role: Citizen, Arch: amd64, MinDiskGB: 2500},
				{Name: "sentry-1", Role: Sentry, Exposed: true},
				{Name: "sentry-2", Role: Sentry, Exposed: true},
				{Name: Bastion, Role: Bastion},
			},
		}
}

// single are settings and a need for one P-Rep in one zone.
func single() (Settings, Need) {
	return Settings{Region: "us-east-1", Zones: []string{"us-east-1a"}, AdministratorKeys: []string{edKey(1)}},
		Need{
			Network: "lisbon", Administrators: []string{"203.0.113.0/24"},
			Hosts: []Host{{Name: "prep", Role: PRep, Exposed: true, MinDiskGB: 500}, {Name: Bastion, Role: Bastion}},
		}
}

// published is fronted with its citizens' API.
func published() (Settings, Need) {
	s, n := fronted()
	s.API = &API{Name: "api.example.org", HostedZone: "Z0123456789"}
	return s, n
}

// ownNetwork is fronted in a VPC of the operator's.
func ownNetwork() (Settings, Need) {
	s, n := fronted()
	subnets := func(tier int) map[string]string {
		byZone := map[string]string{}
		for i, zone := range s.Zones {
			byZone[zone] = fmt.Sprintf("subnet-%08x", 16*tier+i)
		}
		return byZone
	}
	s.Front.Kind = FrontNLB
	s.VPC = VPC{CIDR: "10.30.0.0/16", Existing: &ExistingVPC{
		ID: "vpc-0123456789abcdef0", Public: subnets(0), Private: subnets(1), Balancer: subnets(2), BalancerCIDRs: []string{"10.30.3.0/24"},
	}}
	return s, n
}

// designed is the design of sound settings.
func designed(tb testing.TB, s Settings, n Need) *Design {
	tb.Helper()
	d, problems := s.Complete(n)
	for _, p := range problems {
		tb.Errorf("%s: %s", p.Key, p.Message)
	}
	return d
}
