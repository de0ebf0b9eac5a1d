package topologies

import (
	"encoding/json"
	"fmt"
	"net"
	"path/filepath"
	"strings"
	"testing"

	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"github.com/insight-icon/pulumi-icon/stacks"
	"github.com/insight-icon/pulumi-icon/tests/graph"
)

// closedPort is a port of this machine where nothing listens.
func closedPort(t *testing.T) int {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	return l.Addr().(*net.TCPAddr).Port
}

// engineConfig is a configuration as the engine hands it to the program.
func engineConfig(t *testing.T, c *stacks.Config) map[string]string {
	t.Helper()
	text, err := json.Marshal(c)
	if err != nil {
		t.Fatal(err)
	}
	var fields map[string]json.RawMessage
	if err := json.Unmarshal(text, &fields); err != nil {
		t.Fatal(err)
	}
	values := map[string]string{}
	for name, raw := range fields {
		var word string
		switch {
		case string(raw) == "null" || string(raw) == "{}":
		case json.Unmarshal(raw, &word) == nil:
			values["icon:"+name] = word
		default:
			values["icon:"+name] = string(raw)
		}
	}
	return values
}

func TestNothingIsChangedWhenHostsCannotBeLoggedInTo(t *testing.T) {
	c := singleNodeConfig("citizen-1")
	c.Hosts.ConnectTimeout = 1
	for name, m := range c.Hosts.Machines {
		m.Address, m.Port, m.PublicAddress = "127.0.0.1", closedPort(t), m.Address
		c.Hosts.Machines[name] = m
	}
	c.Citizens.APIFrom = nil
	values := engineConfig(t, c)
	values["icon:sshPrivateKey"] = testKey(t)
	config, err := json.Marshal(values)
	if err != nil {
		t.Fatal(err)
	}
	t.Setenv(pulumi.EnvConfig, string(config))
	g, err := graph.Run(t, graph.Options{Config: values, SecretKeys: []string{"icon:sshPrivateKey"}}, Run)
	if err == nil {
		t.Fatal("the program succeeded although no host answers")
	}
	for name, m := range c.Hosts.Machines {
		want := fmt.Sprintf("host %s (icon:hosts.machines.%s): not reached within 1s at 127.0.0.1:%d", name, name, m.Port)
		if !strings.Contains(err.Error(), want) {
			t.Errorf("the error does not say %q:\n%v", want, err)
		}
	}
	if steps := g.OfType(graph.CommandType); len(steps) > 0 {
		t.Errorf("%d steps were registered, the first is %s", len(steps), steps[0].URN)
	}
}

func TestAFileThatIsNotThereStopsTheProgram(t *testing.T) {
	c := singleNodeConfig()
	binary(t, c)
	c.Node.Binary.Path = filepath.Join(t.TempDir(), "no-goloop")
	values := engineConfig(t, c)
	values["icon:sshPrivateKey"] = testKey(t)
	_, err := graph.Run(t, graph.Options{Config: values, SecretKeys: []string{"icon:sshPrivateKey"}}, Run)
	if err == nil || !strings.Contains(err.Error(), "icon:node.binary.path: is "+c.Node.Binary.Path+", which does not exist") {
		t.Errorf("error %v", err)
	}
}
