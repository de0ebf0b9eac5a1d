package aws_test

import (
	"strings"
	"testing"

	"github.com/insight-icon/pulumi-icon/tests/graph"
)

func TestAKeyThatNoMachineWouldLetInIsRefusedBeforeAnyMachineIsMade(t *testing.T) {
	stranger, strangerPublic := keyPair("stranger", "")
	sealed, _ := keyPair("deploy", "open sesame")
	for name, c := range map[string]struct{ private, passphrase, want string }{
		"stranger": {stranger, "", "icon:sshPrivateKey is not the private half of any of icon:aws.administratorKeys: " +
			"no new machine would let it in. Add its public half, " + strangerPublic},
		"sealed":           {sealed, "", "icon:sshPrivateKey is protected by a passphrase: set icon:sshPrivateKeyPassphrase"},
		"wrong passphrase": {sealed, "open barley", "icon:sshPrivateKey does not open with icon:sshPrivateKeyPassphrase"},
		"no key":           {"hello", "", "icon:sshPrivateKey is no SSH private key"},
	} {
		t.Run(name, func(t *testing.T) {
			s := newSmall()
			s.args.PrivateKey = secret(c.private)
			if c.passphrase != "" {
				s.args.Passphrase = secret(c.passphrase)
			}
			g, err := graph.Run(t, graph.Options{}, s.program(nil))
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Fatalf("error %v, wanted %s", err, c.want)
			}
			if strings.Contains(err.Error(), "PRIVATE KEY") {
				t.Errorf("the error shows the key: %v", err)
			}
			for _, kind := range []string{"aws:ec2/instance:Instance", graph.CommandType} {
				if made := g.OfType(kind); len(made) > 0 {
					t.Errorf("%s is made", made[0].URN)
				}
			}
		})
	}
}

func TestAKeyWithAPassphraseAndAnAgentAreAccepted(t *testing.T) {
	s := newSmall()
	sealed, _ := keyPair("deploy", "open sesame")
	s.args.PrivateKey, s.args.Passphrase = secret(sealed), secret("open sesame")
	c := input(one(t, s.record(t), "prep-1-ready"), "connection").ObjectValue()
	if bare(c["privateKey"]).V != sealed || bare(c["privateKeyPassword"]).V != "open sesame" {
		t.Error("the key and its passphrase are not in the connection")
	}
	s.args.PrivateKey, s.args.Passphrase = nil, nil
	c = input(one(t, s.record(t), "prep-1-ready"), "connection").ObjectValue()
	if c["privateKey"].V != nil {
		t.Error("there is a private key, and an agent was asked for")
	}
}
