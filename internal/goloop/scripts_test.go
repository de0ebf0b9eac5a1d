package goloop_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/insight-icon/pulumi-icon/internal/goloop"
	"github.com/insight-icon/pulumi-icon/tests/host"
)

// nodeAPI is an HAProxy that answers in a node's place.
const nodeAPI = `
defaults
	mode http
	timeout client 5s
	timeout server 5s
	timeout connect 5s
frontend node
	bind 127.0.0.1:9000
	http-request return status %s
`

// chainOf is the node's list of chains. HAProxy's own log format makes a height that rises with the clock.
func chainOf(cid, state, height string) string {
	return `200 content-type application/json lf-string '[{"cid":"` + cid + `","nid":"0x1","channel":"lab","state":"` + state +
		`","height":` + height + `,"lastError":""}]'`
}

func TestVerifySaysWhichOfAnsweringJoiningAndRisingDidNotHappen(t *testing.T) {
	const clock = "%[date]"
	for name, c := range map[string]struct {
		answer string
		code   string
		says   string
	}{
		"rises":         {chainOf("0x1ecbb6", "started", clock), "exit 0", "chain=0x1ecbb6"},
		"stands still":  {chainOf("0x1ecbb6", "started", "7"), "exit 1", "the node has joined 0x1ecbb6 but its height stays at 7 for 4 s"},
		"other network": {chainOf("0x1ecbb7", "started", clock), "exit 1", "the node answers but has not joined the network 0x1ecbb6 after 4 s"},
		"stopped":       {chainOf("0x1ecbb6", "stopped", clock), "exit 1", `"state":"stopped"`},
		"no chain":      {`200 content-type text/plain string '[]'`, "exit 1", "has not joined the network 0x1ecbb6 after 4 s. It says: []"},
		"error":         {`500 content-type application/json string 'broken'`, "exit 1", "the node does not answer on 127.0.0.1:9000 after 4 s"},
		"nobody":        {"", "exit 1", "the node does not answer on 127.0.0.1:9000 after 4 s"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			files := map[string]string{"verify": program(t, goloop.VerifyScript, verifyVars, nil)}
			start := ""
			if c.answer != "" {
				files["haproxy.cfg"] = fmt.Sprintf(nodeAPI, c.answer)
				start = `haproxy -D -p /run/haproxy.pid -f "$FILES/haproxy.cfg" || exit 98; `
			}
			out, _ := host.Scenario(t, files, start+`step verify apply; echo "exit $?"; [[ ! -e /run/haproxy.pid ]] || kill $(</run/haproxy.pid)`)
			if !strings.Contains(out, c.code) || !strings.Contains(out, c.says) {
				t.Errorf("wanted %q and %q:\n%s", c.code, c.says, out)
			}
		})
	}
}

// inspected is what `goloop chain inspect` prints of a chain, as far as the step reads it.
const inspected = `{
  "cid": "0x1ecbb6",
  "nid": "0x1ecbb6",
  "channel": "icon_dex",
  "state": "started",
  "genesisTx": {"role": 1, "seedAddress": "not this one"},
  "config": {
    "dbType": "goleveldb",
    "seedAddress": "10.2.0.21:7101,10.2.0.22:7101",
    "role": 3,
    "concurrencyLevel": 1
  }
}
`

func TestASettingIsChangedOnlyWhenItDiffers(t *testing.T) {
	// Everything is the step's own but for the node, which notes what it is told.
	script := goloop.ServiceScript + `
apply() {
  local chain
  chain=$(<"$STEP_DIR/inspected")
  goloop() { summary "goloop $*"; }
  setting seedAddress "$SEEDS" "$chain"
  setting role "$ROLE" "$chain"
}
`
	for name, c := range map[string]struct{ seeds, role, want string }{
		"same":  {"10.2.0.21:7101,10.2.0.22:7101", "3", "changed=0\n"},
		"seeds": {"10.2.0.21:7101", "3", "goloop chain config -s /d/chain/cli.sock 0x1ecbb6 seedAddress 10.2.0.21:7101\nchanged=1\n"},
		"role":  {"10.2.0.21:7101,10.2.0.22:7101", "0", "goloop chain config -s /d/chain/cli.sock 0x1ecbb6 role 0\nchanged=1\n"},
	} {
		text := program(t, script, map[string]string{"DATA_DIR": "/d", "CID": "0x1ecbb6", "SEEDS": c.seeds, "ROLE": c.role},
			map[string]string{"inspected": inspected})
		if out, code := host.Scenario(t, map[string]string{"service": text}, "step service apply"); out != c.want || code != 0 {
			t.Errorf("%s: exit %d, the step says\n%s\nwanted\n%s", name, code, out, c.want)
		}
	}
}

func TestWebsocketsAreSetInTheNodesOwnFileAndOnlyWhenTheyDiffer(t *testing.T) {
	// goloop's own file, in which nothing else may change.
	const own = `{"eeInstances":1,"rpcDefaultChannel":"","rpcIncludeDebug":false,"rpcRosetta":false,"disableRPC":false,"rpcBatchLimit":10,` +
		`"wsMaxSession":10}`
	script := goloop.ServiceScript + `
apply() {
  install -d -o icon-node "$DATA_DIR/chain"
  if [[ -e $STEP_DIR/before ]]; then install -o icon-node "$STEP_DIR/before" "$DATA_DIR/chain/rconfig.json"; fi
  # The namespace has no such user: what matters is done by it.
  runuser() { shift 3; "$@"; }
  if websockets; then summary restart; fi
  if [[ -e $DATA_DIR/chain/rconfig.json ]]; then summary "$(<"$DATA_DIR/chain/rconfig.json")"; fi
}
`
	for name, c := range map[string]struct{ before, wanted, want string }{
		"a new node with the default":    {"", "10", "changed=0\n"},
		"a new node with more":           {"", "10000", "restart\n{\"wsMaxSession\":10000}\nchanged=1\n"},
		"the same":                       {own, "10", own + "\nchanged=0\n"},
		"more":                           {own, "10000", "restart\n" + strings.Replace(own, ":10}", ":10000}", 1) + "\nchanged=1\n"},
		"the default again":              {`{"wsMaxSession":10000,"x":1}`, "10", "restart\n{\"wsMaxSession\":10,\"x\":1}\nchanged=1\n"},
		"one digit more is not the same": {`{"wsMaxSession":100}`, "10", "restart\n{\"wsMaxSession\":10}\nchanged=1\n"},
		"none yet in the file":           {`{"x":1}`, "20", "restart\n{\"wsMaxSession\":20,\"x\":1}\nchanged=1\n"},
	} {
		files := map[string]string{}
		if c.before != "" {
			files["before"] = c.before
		}
		vars := map[string]string{"DATA_DIR": "/var/tmp/d", "WEBSOCKETS": c.wanted}
		text := program(t, strings.ReplaceAll(script, "-o icon-node ", ""), vars, files)
		if out, code := host.Scenario(t, map[string]string{"service": text}, "step service apply"); out != c.want || code != 0 {
			t.Errorf("%s: exit %d, the step says\n%s\nwanted\n%s", name, code, out, c.want)
		}
	}
}
