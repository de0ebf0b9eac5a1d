package scan

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/insight-icon/pulumi-icon/hardening"
	"github.com/insight-icon/pulumi-icon/internal/goloop"
	"github.com/insight-icon/pulumi-icon/internal/sentry"
)

// role is a profile as it is scanned: the rules of its firewall and what else its hosts have.
type role struct {
	profile, runtime string
	packages         []string
	in               []hardening.Rule
	// units by name: those of the role's service.
	units map[string]string
}

// The scan's edges: a node is reached from its neighbour on the private segment, a sentry by everybody, and all get packages from the
// administrator's workstation.
var (
	fromNeighbour = hardening.Rule{Protocol: "tcp", Ports: []int{7100}, Networks: []string{neighbour + "/32"}, Why: "blocks of the neighbour"}
	fromAnybody   = hardening.Rule{Protocol: "tcp", Ports: []int{7100, 9000}, Networks: []string{"0.0.0.0/0"}, Why: "what the sentry forwards"}
	toTime        = hardening.Rule{Protocol: "udp", Ports: []int{123}, Networks: []string{"0.0.0.0/0"}, Why: "time"}
)

// neighbour is the address of the host that scans from the private segment and may speak to nodes.
const neighbour = "10.91.2.10"

// withLogHost is the profile prep where logs are forwarded, as an operator is to configure it: no default can name a log host.
const withLogHost = "prep-log"

const dataDir = "/var/lib/icon-node"

var (
	nodeUnit   = map[string]string{goloop.Unit: goloop.BinaryUnit(goloop.Settings{DataDir: dataDir, LogLevel: "info"})}
	sentryUnit = map[string]string{sentry.Unit: sentry.UnitFile(sentry.HAProxyNftables)}
)

var roles = []role{
	{profile: "prep", runtime: "binary", in: []hardening.Rule{fromNeighbour}, units: nodeUnit},
	{profile: withLogHost, runtime: "binary", in: []hardening.Rule{fromNeighbour}, units: nodeUnit},
	{profile: "citizen", runtime: "binary", in: []hardening.Rule{fromNeighbour}, units: nodeUnit},
	{profile: "sentry", packages: []string{"haproxy"}, in: []hardening.Rule{fromAnybody}, units: sentryUnit},
	{profile: "bastion"},
	{profile: "monitor"},
	{profile: "baseline"},
}

func findRole(profile string) (role, error) {
	for _, r := range roles {
		if r.profile == profile {
			return r, nil
		}
	}
	return role{}, fmt.Errorf("profile %q: want prep, prep-log, citizen, sentry, bastion, monitor or baseline", profile)
}

// allowed are the ports that the edges let a place reach.
func (r role) allowed(from string) []string {
	var ports []string
	if from == admin {
		ports = append(ports, "tcp/22")
	}
	for _, rule := range r.in {
		if slices.Contains(rule.Networks, "0.0.0.0/0") || slices.Contains(rule.Networks, from+"/32") {
			for _, port := range rule.Ports {
				ports = append(ports, fmt.Sprintf("%s/%d", rule.Protocol, port))
			}
		}
	}
	return ports
}

// program is what hardens a host of the role, as the deploy sends it.
func (r role) program() (string, error) { return r.programFor(admin) }

// hardeningPackages are what the controls of all profiles install.
func hardeningPackages() []string {
	var all []string
	for _, c := range hardening.Controls() {
		all = append(all, c.Packages...)
	}
	slices.Sort(all)
	return slices.Compact(all)
}

// Applied is one run of the hardening.
type Applied struct {
	// Seconds from the first packet of the connection to its end, the confirmation by a second login included.
	Seconds float64
	// Changed counts what it says that it changed.
	Changed int
}

// awaiting begins the line by which the program asks for another login.
const awaiting = "waiting "

// harden runs the program on a host over one SSH session, and confirms it by another.
func (r *run) harden(name, program string) (Applied, error) {
	var a Applied
	begin := time.Now()
	client, err := r.login(name)
	if err != nil {
		return a, err
	}
	defer client.Close()
	confirmed := make(chan error, 1)
	asked := false
	out, err := session(client, `sudo -n bash -s apply "$SSH_CONNECTION"`, program, func(line string) {
		if strings.HasPrefix(line, "changed: ") {
			a.Changed++
		}
		if strings.HasPrefix(line, awaiting) && !asked {
			asked = true
			go func() { confirmed <- r.confirm(name) }()
		}
	})
	if asked {
		err = errors.Join(err, <-confirmed)
	}
	a.Seconds = time.Since(begin).Seconds()
	r.keep("harden-"+name+".log", out)
	if err != nil {
		return a, fmt.Errorf("harden %s: %w:\n%s", name, err, lastLines(out, 20))
	}
	return a, nil
}

func (r *run) confirm(name string) error {
	client, err := r.login(name)
	if err != nil {
		return err
	}
	defer client.Close()
	out, err := session(client, `sudo -n bash -s "$SSH_CONNECTION"`, hardening.ConfirmScript, nil)
	if err != nil {
		return fmt.Errorf("confirm: %w: %s", err, out)
	}
	return nil
}

// Times are a first run and a second one right after it.
type Times struct {
	First, Second Applied
}

// lastKept gives the log of the first run a name of its own.
func (r *run) lastKept(name string) {
	if r.opts.Raw != "" {
		_ = os.Rename(filepath.Join(r.opts.Raw, "harden-"+name+".log"), filepath.Join(r.opts.Raw, "harden-"+name+"-first.log"))
	}
}

func (r *run) hardenTwice(name, program string) (Times, error) {
	var t Times
	var err error
	if t.First, err = r.harden(name, program); err != nil {
		return t, err
	}
	r.lastKept(name)
	t.Second, err = r.harden(name, program)
	return t, err
}
