//go:build sandbox

package container

import (
	"encoding/json"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// step is a step as the engine's state has it.
type step struct{ Create, Stdin string }

var launched = regexp.MustCompile(` apply ([a-z0-9-]+) ([a-z]+) `)

// steps are those of the deployment, by "host step".
func steps(t *testing.T) map[string]step {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(box.Engine.State, "backend", ".pulumi", "stacks", "icon", box.Engine.Stack+".json"))
	must(t, err)
	var state struct {
		Checkpoint struct {
			Latest struct {
				Resources []struct {
					Type   string
					Inputs struct{ Create, Stdin any }
				}
			}
		}
	}
	must(t, json.Unmarshal(text, &state))
	all := map[string]step{}
	for _, r := range state.Checkpoint.Latest.Resources {
		create, createIsText := r.Inputs.Create.(string)
		stdin, stdinIsText := r.Inputs.Stdin.(string)
		if r.Type != "command:remote:Command" || !createIsText || !stdinIsText {
			continue
		}
		if names := launched.FindStringSubmatch(create); names != nil {
			all[names[1]+" "+names[2]] = step{Create: create, Stdin: stdin}
		}
	}
	return all
}

// again runs a step on its host as the deploy does, and gives its summary.
func again(t *testing.T, s step, host string) (string, error) {
	t.Helper()
	h, err := box.Lab.Host(host)
	must(t, err)
	connection := "export SSH_CONNECTION='" + box.Nth(1).String() + " 50000 " + h.Private.String() + " 22'; "
	return box.Lab.Exec(t.Context(), host, strings.NewReader(s.Stdin), "sh", "-c", connection+s.Create)
}

func stepsAgain(t *testing.T) {
	all := steps(t)
	for _, host := range nodes {
		for _, name := range []string{"ready", "harden", "key", "service", "verify"} {
			s, ok := all[host+" "+name]
			if !ok {
				t.Errorf("the deployment has no plain step %s on %s", name, host)
				continue
			}
			out, err := again(t, s, host)
			must(t, err)
			if !strings.HasSuffix(out, "changed=0\n") {
				t.Errorf("step %s again on %s says\n%s\nthe log:\n%s", name, host, out, on(t, host, "tail -n 12 /var/log/icon/"+name+".log"))
			}
		}
	}
}
