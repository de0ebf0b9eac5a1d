// Package arena is a small internet on this machine, to attack sentries in: network namespaces with real goloop nodes, sentries as
// they are rendered for hosts, honest ones and attackers. There is no way out of it, and nothing else is in it. Needs root, iproute2
// and nftables.
package arena

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/insight-icon/pulumi-icon/tests/attack/honest"
)

// Prefix of the namespaces' names. What begins with it is removed at the start of each arena and by Sweep.
const Prefix = "att-"

// Namespaces.
const (
	wire      = Prefix + "wire" // the two bridges
	Attackers = Prefix + "attackers"
	Honest    = Prefix + "honest"
	PRep      = Prefix + "prep"
	Citizen   = Prefix + "citizen"
)

// Announced is the name under which validators reach the P-Rep.
const Announced = "prep.attack.test"

// Internet and Private are the two segments.
var (
	Internet = netip.MustParsePrefix("10.70.0.0/24")
	Private  = netip.MustParsePrefix("10.80.0.0/24")
)

// Addresses on them, and the attackers' own.
var (
	AttackerNets = netip.MustParsePrefix("10.128.0.0/9")

	attackersAt = netip.MustParseAddr("10.70.0.66")
	honestAt    = netip.MustParseAddr("10.70.0.77")
	sentriesAt  = []netip.Addr{netip.MustParseAddr("10.70.0.11"), netip.MustParseAddr("10.70.0.12")}
	validators  = []netip.Addr{netip.MustParseAddr("10.70.0.21"), netip.MustParseAddr("10.70.0.22"), netip.MustParseAddr("10.70.0.23")}
	// openPRep and openCitizen are where the nodes are reached without sentries.
	openPRep    = netip.MustParseAddr("10.70.0.31")
	openCitizen = netip.MustParseAddr("10.70.0.32")

	privatePRep     = netip.MustParseAddr("10.80.0.10")
	privateCitizen  = netip.MustParseAddr("10.80.0.20")
	privateSentries = []netip.Addr{netip.MustParseAddr("10.80.0.11"), netip.MustParseAddr("10.80.0.12")}
)

// Processors: attackers, honest ones and the other validators are the world; sentries and the nodes behind them the installation.
const (
	worldCPU  = 0
	systemCPU = 1
)

// Ranks in real time. Honest ones come first, so that what they see is the sentries' doing. Nodes come before sentries, whose
// processor they share: in an installation they have machines of their own. Attackers have no rank.
const (
	rankSentry = 1
	rankNode   = 2
	rankHonest = 3
)

// Options of an arena.
type Options struct {
	// Goloop is the program; Network is a directory for the network's keys, which later arenas use again.
	Goloop, Network string
	// Agent is a built agent; without one the variants that have an agent can't be run.
	Agent string
	// Progress gets a line for what takes time.
	Progress func(format string, args ...any)
}

// Arena is one that is up.
type Arena struct {
	opts Options
	dir  string
	lock *os.File
	// realtime says that the scheduler lets the installation and the honest ones run before whatever else the machine does.
	realtime bool
	// direct has the nodes on the internet themselves; egress lets the P-Rep reach it.
	direct, egress bool

	chain  *chain
	fronts []*front
}

// Sentry is the namespace of a sentry, from 1.
func Sentry(n int) string { return fmt.Sprintf("%ssentry-%d", Prefix, n) }

func validator(n int) string { return fmt.Sprintf("%svalidator-%d", Prefix, n) }

// lockFile keeps arenas on one machine apart: they have the same names.
const lockFile = "/run/lock/icon-attack.lock"

// up makes the namespaces, after removing what an interrupted arena left. Down has to be called, also after an error.
func up(ctx context.Context, opts Options, direct, egress bool) (*Arena, error) {
	if os.Geteuid() != 0 {
		return nil, errors.New("the arena is made of network namespaces: it needs root")
	}
	a := &Arena{opts: opts, direct: direct, egress: egress, realtime: exec.Command("chrt", "-r", "1", "true").Run() == nil}
	if err := a.lockUp(ctx); err != nil {
		return a, err
	}
	if err := errors.Join(sweep(ctx), longBacklog()); err != nil {
		return a, err
	}
	dir, err := os.MkdirTemp("", Prefix)
	if err != nil {
		return a, err
	}
	a.dir = dir
	// Proxies run as users of their own and read what is below.
	if err := os.Chmod(dir, 0o755); err != nil {
		return a, err
	}
	return a, a.segments(ctx)
}

func (a *Arena) lockUp(ctx context.Context) error {
	file, err := os.OpenFile(lockFile, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return err
	}
	a.lock = file
	for said := false; ; {
		err := syscall.Flock(int(file.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
		if err == nil || !errors.Is(err, syscall.EWOULDBLOCK) {
			return err
		}
		if !said {
			said = true
			a.opts.Progress("waiting for another arena on this machine to end")
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(time.Second):
		}
	}
}

// Down removes the arena and all processes in it.
func (a *Arena) Down(ctx context.Context) error {
	if a.lock == nil {
		return nil
	}
	err := sweep(context.WithoutCancel(ctx))
	if a.dir != "" && os.Getenv("ICON_ATTACK_KEEP") == "" {
		err = errors.Join(err, os.RemoveAll(a.dir))
	}
	return errors.Join(err, a.lock.Close())
}

// Sweep removes an arena that an interrupted process left. It does nothing while one is in use.
func Sweep(ctx context.Context) error {
	found, err := filepath.Glob("/run/netns/" + Prefix + "*")
	if err != nil || len(found) == 0 {
		return err
	}
	file, err := os.OpenFile(lockFile, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return err
	}
	defer file.Close()
	if err := syscall.Flock(int(file.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		return nil
	}
	return sweep(ctx)
}

// sweep ends every process that is in one of the namespaces, and removes these.
func sweep(ctx context.Context) error {
	found, err := filepath.Glob("/run/netns/" + Prefix + "*")
	if err != nil {
		return err
	}
	for _, path := range found {
		for range 50 {
			pids, err := pidsIn(path)
			if err != nil || len(pids) == 0 {
				break
			}
			for _, pid := range pids {
				_ = syscall.Kill(pid, syscall.SIGKILL)
			}
			time.Sleep(20 * time.Millisecond)
		}
		if err := ip(ctx, "", "netns del "+filepath.Base(path)); err != nil {
			return err
		}
	}
	if err := oldBacklog(); err != nil {
		return err
	}
	hosts, err := filepath.Glob("/etc/netns/" + Prefix + "*")
	if err != nil {
		return err
	}
	for _, dir := range hosts {
		if err := os.RemoveAll(dir); err != nil {
			return err
		}
	}
	return nil
}

// segments makes namespaces, cables, addresses and routes.
func (a *Arena) segments(ctx context.Context) error {
	lines := []string{"link set lo up"}
	for _, segment := range []string{"internet", "private"} {
		lines = append(lines, "link add "+segment+" type bridge", "link set "+segment+" up")
	}
	if err := errors.Join(ip(ctx, "", "netns add "+wire), ip(ctx, wire, lines...)); err != nil {
		return err
	}
	for i, h := range a.hosts() {
		if err := plug(ctx, i, h); err != nil {
			return fmt.Errorf("%s: %w", h.namespace, err)
		}
	}
	var names strings.Builder
	names.WriteString("127.0.0.1 localhost\n")
	for _, address := range a.announced() {
		fmt.Fprintf(&names, "%s %s\n", address, Announced)
	}
	for i := range validators {
		dir := filepath.Join("/etc/netns", validator(i+1))
		if err := os.MkdirAll(dir, 0o755); err != nil {
			return err
		}
		if err := os.WriteFile(filepath.Join(dir, "hosts"), []byte(names.String()), 0o644); err != nil {
			return err
		}
	}
	return nil
}

// announced are the addresses that the announced name has.
func (a *Arena) announced() []netip.Addr {
	if a.direct {
		return []netip.Addr{openPRep}
	}
	return sentriesAt
}

// hostSpec is a namespace with its place on the two segments.
type hostSpec struct {
	namespace         string
	internet, private netip.Addr
	// own are networks that belong to the namespace as a whole: any address in them can be used there.
	own []netip.Prefix
	// reached says that strangers come here: answers go back to whoever asked.
	reached bool
	cpu     int
}

func (a *Arena) hosts() []hostSpec {
	all := []hostSpec{
		{namespace: Attackers, internet: attackersAt, own: []netip.Prefix{AttackerNets}, cpu: worldCPU},
		{namespace: Honest, internet: honestAt, own: []netip.Prefix{honest.All}, cpu: worldCPU},
	}
	for i, address := range validators {
		all = append(all, hostSpec{namespace: validator(i + 1), internet: address, cpu: worldCPU})
	}
	for i := range sentriesAt {
		all = append(all, hostSpec{
			namespace: Sentry(i + 1), internet: sentriesAt[i], private: privateSentries[i], reached: true, cpu: systemCPU,
		})
	}
	prep := hostSpec{namespace: PRep, private: privatePRep, cpu: systemCPU}
	citizen := hostSpec{namespace: Citizen, private: privateCitizen, cpu: systemCPU}
	if a.direct {
		citizen.internet, citizen.reached = openCitizen, true
	}
	if a.direct || a.egress {
		prep.internet, prep.reached = openPRep, a.direct
	}
	return append(all, prep, citizen)
}

// plug makes a namespace with its cables.
func plug(ctx context.Context, n int, h hostSpec) error {
	if err := ip(ctx, "", "netns add "+h.namespace); err != nil {
		return err
	}
	inside := []string{"link set lo up"}
	var cables []string
	add := func(device, bridge string, address netip.Addr) {
		if !address.IsValid() {
			return
		}
		port := fmt.Sprintf("%s-%d", device, n)
		cables = append(cables, fmt.Sprintf("link add %s type veth peer name %s netns %s", port, device, h.namespace),
			fmt.Sprintf("link set %s master %s", port, bridge), fmt.Sprintf("link set %s up", port))
		inside = append(inside, fmt.Sprintf("addr add %s/24 dev %s", address, device), fmt.Sprintf("link set %s up", device))
	}
	add("inet", "internet", h.internet)
	add("priv", "private", h.private)
	for _, own := range h.own {
		inside = append(inside, "route add local "+own.String()+" dev lo")
	}
	if h.reached || strings.HasPrefix(h.namespace, Prefix+"validator") {
		inside = append(inside, fmt.Sprintf("route add %s via %s", honest.All, honestAt))
	}
	if h.reached {
		// Whatever address a packet claims to come from, its answer ends where the attackers are.
		inside = append(inside, "route add default via "+attackersAt.String())
	}
	if err := errors.Join(ip(ctx, wire, cables...), ip(ctx, h.namespace, inside...)); err != nil {
		return err
	}
	return tune(ctx, h)
}

// tune sets what hosts of a sentry's profile have, and has packets received by the processor of the one they are for.
func tune(ctx context.Context, h hostSpec) error {
	script := fmt.Sprintf(`set -e
for queue in /sys/class/net/*/queues/rx-0/rps_cpus; do echo %x >"$queue"; done
cd /proc/sys/net
echo 1 >ipv6/conf/all/disable_ipv6
echo 1024 65000 >ipv4/ip_local_port_range
echo 1 >ipv4/tcp_syncookies
echo 4096 >ipv4/tcp_max_syn_backlog
echo 4096 >core/somaxconn
echo 15 >ipv4/tcp_fin_timeout
`, 1<<h.cpu)
	out, err := exec.CommandContext(ctx, "ip", "netns", "exec", h.namespace, "sh", "-c", script).CombinedOutput()
	if err != nil {
		return fmt.Errorf("kernel settings: %w: %s", err, out)
	}
	return nil
}

// ip runs lines of ip(8), in a namespace if one is named.
func ip(ctx context.Context, namespace string, lines ...string) error {
	args := []string{"-batch", "-"}
	if namespace != "" {
		args = append([]string{"-n", namespace}, args...)
	}
	cmd := exec.CommandContext(ctx, "ip", args...)
	cmd.Stdin = strings.NewReader(strings.Join(lines, "\n") + "\n")
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("ip: %w: %s (of: %s)", err, out, strings.Join(lines, "; "))
	}
	return nil
}
