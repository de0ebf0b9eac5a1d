package arena

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"github.com/insight-icon/pulumi-icon/internal/sentry"
	"github.com/insight-icon/pulumi-icon/sandbox/peers"
	"github.com/insight-icon/pulumi-icon/tests/attack/honest"
)

// Front is what stands before the nodes on one sentry.
type Front struct {
	// Files by their name in a directory; Argv runs them, with "{dir}" for that directory.
	Files map[string]string
	Argv  []string
	// Firewall is nftables' text of the host's own, empty for none.
	Firewall string
	// Kernel is nftables' text, empty for none; Agent is the agent's configuration, nil for none.
	Kernel string
	Agent  *sentry.AgentConfig
	// Relay says that the P-Rep's own connections go through the sentries. Without, the P-Rep has a way out of its own.
	Relay bool
	// Sessions is how many websockets the citizens are told to allow; 0 leaves what goloop begins with.
	Sessions int
}

// Scene is what a front is made for.
type Scene struct {
	// N is the sentry's number, from 1.
	N int
	// Settings are those of ours, without the variant.
	Settings sentry.Settings
	// PRep and Citizens are where the nodes are, "address:port".
	PRep     string
	Citizens []string
}

// front is one that runs.
type front struct {
	n       int
	dir     string
	spec    Front
	proxy   *process
	agent   *process
	control string
}

// SceneOf is what sentry n, from 1, is made for.
func (a *Arena) SceneOf(n int, cid string) Scene {
	var seeds []string
	for _, v := range validators {
		seeds = append(seeds, at(v, p2pPort))
	}
	prep, citizens := at(privatePRep, p2pPort), []string{at(privateCitizen, apiPort)}
	return Scene{
		N: n, PRep: prep, Citizens: citizens,
		Settings: sentry.Settings{
			PrivateAddress: privateSentries[n-1].String(), PRep: prep, Seeds: seeds, Relay: true, Citizens: citizens, CID: cid,
			Users: []string{honest.Users.String()}, Limits: sentry.Limits{}.WithDefaults(),
		},
	}
}

// AgentOf is what the agent of ours is told in the arena: who the peers are, as an operator's own list.
func AgentOf(s sentry.Settings) *sentry.AgentConfig {
	static := []string{honest.Peers.String()}
	for _, v := range validators {
		static = append(static, v.String())
	}
	for _, address := range sentriesAt {
		static = append(static, address.String())
	}
	c := &sentry.AgentConfig{
		Kernel: s.Variant == sentry.HAProxyNftables, AdminSocket: sentry.AdminSocket, StateDir: sentry.StateDir,
		ControlSocket: sentry.ControlSocket, Metrics: sentry.AgentMetrics, Users: s.Users,
		Bans: sentry.AgentBans{
			Strikes: s.Limits.BanStrikes, Seconds: s.Limits.BanSeconds, MaxSeconds: s.Limits.BanMaxSeconds, Network: s.Limits.BanNetwork,
		},
		Peers: sentry.AgentPeers{
			Mode: sentry.PeersPrefer, Static: static, Channel: peers.Channel, RefreshSeconds: 120, MaxShrinkPercent: 20, ConfirmSeconds: 3600,
		},
	}
	return c
}

// within moves the paths of a host's file into a directory.
func within(dir string) *strings.Replacer {
	return strings.NewReplacer(
		filepath.Dir(sentry.ControlSocket), dir+"/control",
		filepath.Dir(sentry.AdminSocket), dir+"/run",
		sentry.StateDir, dir+"/state",
		sentry.ConfigDir, dir,
		"{dir}", dir,
	)
}

// startFront runs a sentry and waits until it listens.
func (a *Arena) startFront(ctx context.Context, n int, spec Front) error {
	f := &front{n: n, dir: filepath.Join(a.dir, fmt.Sprintf("s%d", n)), spec: spec}
	in := within(f.dir)
	for _, sub := range []string{".", "run", "state", "control"} {
		path := filepath.Join(f.dir, sub)
		// Proxies' workers have users of their own.
		if err := errors.Join(os.MkdirAll(path, 0o777), os.Chmod(path, 0o777)); err != nil {
			return err
		}
	}
	for name, text := range spec.Files {
		path := filepath.Join(f.dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			return err
		}
		if err := os.WriteFile(path, []byte(in.Replace(text)), 0o644); err != nil {
			return err
		}
	}
	if settings, ok := spec.Files["sysctl.conf"]; ok {
		if err := a.set(ctx, Sentry(n), settings); err != nil {
			return err
		}
	}
	for _, rules := range []string{spec.Firewall, spec.Kernel} {
		if rules == "" {
			continue
		}
		if err := a.load(ctx, Sentry(n), rules); err != nil {
			return err
		}
	}
	argv := make([]string, len(spec.Argv))
	for i, word := range spec.Argv {
		argv[i] = in.Replace(word)
	}
	var err error
	if f.proxy, err = a.start(Sentry(n), fmt.Sprintf("proxy-%d", n), f.dir, systemCPU, rankSentry, argv...); err != nil {
		return err
	}
	for len(a.fronts) < n {
		a.fronts = append(a.fronts, nil)
	}
	a.fronts[n-1] = f
	if err := a.listens(ctx, f); err != nil {
		return err
	}
	if spec.Agent == nil {
		return nil
	}
	return a.startAgent(ctx, f)
}

func (a *Arena) load(ctx context.Context, namespace, rules string) error {
	cmd := exec.CommandContext(ctx, "ip", "netns", "exec", namespace, "nft", "-f", "-")
	cmd.Stdin = strings.NewReader(rules)
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("%s: nft: %w: %s", namespace, err, out)
	}
	return nil
}

// set makes the kernel's settings of a sentry, as far as a namespace has its own.
func (a *Arena) set(ctx context.Context, namespace, settings string) error {
	cmd := exec.CommandContext(ctx, "ip", "netns", "exec", namespace, "sysctl", "--ignore", "--quiet", "--load=-")
	cmd.Stdin = strings.NewReader(settings)
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("%s: sysctl: %w: %s", namespace, err, out)
	}
	return nil
}

func (a *Arena) listens(ctx context.Context, f *front) error {
	for _, port := range []int{p2pPort, apiPort} {
		err := await(ctx, fmt.Sprintf("sentry %d: port %d", f.n, port), 20*time.Second, func() error {
			if !f.proxy.alive() {
				return fmt.Errorf("the proxy ended: %s", f.proxy.tail())
			}
			return inside(Honest, func() error {
				d := net.Dialer{LocalAddr: &net.TCPAddr{IP: honest.Users.Addr().Next().AsSlice()}, Timeout: time.Second}
				conn, err := d.Dial("tcp4", at(sentriesAt[f.n-1], port))
				if err != nil {
					return err
				}
				return conn.Close()
			})
		})
		if err != nil {
			return err
		}
	}
	return nil
}

func (a *Arena) startAgent(ctx context.Context, f *front) error {
	if a.opts.Agent == "" {
		return errors.New("the variant has an agent, and none was built")
	}
	in := within(f.dir)
	path := filepath.Join(f.dir, "agent.json")
	f.control = in.Replace(sentry.ControlSocket)
	var err error
	f.agent, err = a.start(Sentry(f.n), fmt.Sprintf("agent-%d", f.n), f.dir, systemCPU, rankSentry, a.opts.Agent, "agent", "-config", path)
	if err != nil {
		return err
	}
	return await(ctx, fmt.Sprintf("sentry %d: the agent's list of peers", f.n), 20*time.Second, func() error {
		if !f.agent.alive() {
			return fmt.Errorf("the agent ended: %s", f.agent.tail())
		}
		if !f.spec.Agent.Kernel {
			_, err := os.Stat(f.control)
			return err
		}
		known, err := setElements(Sentry(f.n), sentry.SetPeers)
		if err == nil && len(known) == 0 {
			err = errors.New("the set is empty")
		}
		return err
	})
}

// Target is where one reaches the P-Rep and the API of sentry n, or of the nodes themselves.
func (a *Arena) Target(n int) (p2p, api netip.AddrPort) {
	if a.direct {
		return netip.AddrPortFrom(openPRep, p2pPort), netip.AddrPortFrom(openCitizen, apiPort)
	}
	return netip.AddrPortFrom(sentriesAt[n-1], p2pPort), netip.AddrPortFrom(sentriesAt[n-1], apiPort)
}
