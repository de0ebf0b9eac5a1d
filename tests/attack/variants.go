package attack

import (
	"fmt"
	"path/filepath"
	"slices"
	"strings"

	"github.com/insight-icon/pulumi-icon/hardening"
	"github.com/insight-icon/pulumi-icon/internal/goloop"
	"github.com/insight-icon/pulumi-icon/internal/sentry"
	"github.com/insight-icon/pulumi-icon/tests/attack/arena"
	"github.com/insight-icon/pulumi-icon/tests/attack/variants"
)

// Variant is what is attacked.
type Variant struct {
	// Name is a word; About says what it is in a few.
	Name, About string
	// front is nil where there are no sentries.
	front func(arena.Scene) (arena.Front, error)
}

// Direct has the nodes on the internet, with nothing before them.
const Direct = "direct"

// Variants lists ours, the default first, and what they are compared with.
func Variants() []Variant {
	all := []Variant{
		{string(sentry.HAProxyNftables), "this project's default: HAProxy, the kernel's table, the agent", ours(sentry.HAProxyNftables)},
		{string(sentry.HAProxy), "this project's HAProxy alone", ours(sentry.HAProxy)},
		{string(sentry.Nginx), "this project's nginx", ours(sentry.Nginx)},
	}
	// Their names are all that is asked for here.
	others, err := variants.All("10.0.0.1:1", "10.0.0.1:2")
	if err != nil {
		panic(err) // of a template of this repository
	}
	for i, v := range others {
		all = append(all, Variant{v.Name, v.About, func(s arena.Scene) (arena.Front, error) {
			made, err := variants.All(s.PRep, s.Citizens...)
			if err != nil {
				return arena.Front{}, err
			}
			return arena.Front{Files: made[i].Files, Argv: made[i].Argv}, nil
		}})
	}
	return append(all, Variant{Name: Direct, About: "no sentry: the nodes' ports on the internet"})
}

// FindVariant gives a variant by its name.
func FindVariant(name string) (Variant, error) {
	all := Variants()
	if i := slices.IndexFunc(all, func(v Variant) bool { return v.Name == name }); i >= 0 {
		return all[i], nil
	}
	var names []string
	for _, v := range all {
		names = append(names, v.Name)
	}
	return Variant{}, fmt.Errorf("variant %q: there is none; wanted one of %s", name, strings.Join(names, ", "))
}

// ours is a variant of this project, as it is rendered for hosts.
func ours(variant sentry.Variant) func(arena.Scene) (arena.Front, error) {
	return func(scene arena.Scene) (arena.Front, error) {
		s := scene.Settings
		s.Variant = variant
		agent := arena.AgentOf(s)
		files, err := sentry.Files(s, *agent)
		if err != nil {
			return arena.Front{}, err
		}
		// What the agent changes. It is empty, as on a host whose agent has not started yet.
		files["state/"+filepath.Base(sentry.PeersFile)] = ""
		files["state/"+filepath.Base(sentry.EnforceFile)] = ""
		wall, err := firewall(s)
		if err != nil {
			return arena.Front{}, err
		}
		f := arena.Front{
			Firewall: wall, Files: files, Argv: []string{"haproxy", "-db", "-f", "{dir}/haproxy.cfg"}, Kernel: files["kernel.nft"], Agent: agent,
			Relay: true, Sessions: s.Limits.WebSockets + 10,
		}
		if variant == sentry.Nginx {
			f.Agent = nil
			f.Argv = []string{"nginx", "-c", "{dir}/nginx.conf", "-g", "daemon off;"}
		}
		return f, nil
	}
}

// firewall is what every host of an installation has, as a sentry's edges make it: it tracks connections, but for those that the sentry's
// own table takes out.
func firewall(s sentry.Settings) (string, error) {
	f := hardening.Firewall{
		In: []hardening.Rule{
			{
				Protocol: "tcp", Ports: sentry.PublicPorts(s), Networks: []string{"0.0.0.0/0"}, Untracked: s.Variant.HasKernel(),
				Why: "validators and users",
			},
			{Protocol: "tcp", Ports: goloop.RelayPorts(len(s.Seeds)), Networks: []string{arena.Private.String()}, Why: "the nodes to the seeds"},
		},
		Out: []hardening.Rule{
			{Protocol: "tcp", Ports: []int{sentry.P2PPort, sentry.APIPort}, Networks: []string{arena.Private.String()}, Why: "the nodes"},
			{Protocol: "tcp", Ports: []int{sentry.P2PPort}, Networks: []string{arena.Internet.String()}, Why: "the seeds"},
		},
	}
	return f.Render()
}
