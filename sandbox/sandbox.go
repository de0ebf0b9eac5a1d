// Package sandbox deploys this project for real on one machine: hosts of the lab, a network of goloop nodes, and the Pulumi engine.
// `make up` and the end-to-end tests are made of it.
package sandbox

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"time"

	"github.com/insight-icon/pulumi-icon/sandbox/engine"
	"github.com/insight-icon/pulumi-icon/sandbox/lab"
	"github.com/insight-icon/pulumi-icon/sandbox/peers"
	"github.com/insight-icon/pulumi-icon/sandbox/tools"
)

// Names of the sandbox's hosts; more sentries and citizens are numbered on.
const (
	PRepHost = "prep-1"
	PeerHost = "network-1"
)

// Announced is the name under which other validators reach the P-Rep: it resolves to every sentry.
const Announced = "prep.sandbox.test"

// DataDir of the nodes.
const DataDir = "/var/lib/icon-node"

// Options of a sandbox.
type Options struct {
	// Project is the repository's root.
	Project string
	// Dir keeps tools, images and state. Default: lab.DefaultDir.
	Dir string
	// Stack, default "sandbox", and Lab, default "icon", tell sandboxes on one machine apart. Others than the default have one name for
	// both.
	Stack, Lab string
	// Internet and Private are the segments. Default: 10.77.1.0/24 and 10.77.2.0/24.
	Internet, Private netip.Prefix
	// Image are packages that the hosts' image holds beyond those of every lab.
	Image []string
	// Progress gets a line for whatever takes time; Output what pulumi prints.
	Progress func(format string, args ...any)
	Output   io.Writer
}

// Sandbox is a set of hosts, the network they join, and the stack that is deployed on them.
type Sandbox struct {
	Lab    *lab.Lab
	Engine *engine.Engine
	Peers  *peers.Network
	Tools  *tools.Tools
	// Layout of the stack; change it and call Configure.
	Layout Layout
	opts   Options
}

// Layout is what the sandbox's stack deploys.
type Layout struct {
	Sentries, Citizens []string
	// Machines are the stack's machines. Default: the P-Rep's host, sentries and citizens.
	Machines []string
	// Override replaces or adds top-level configuration keys.
	Override map[string]any
}

// Open finds or makes what needs no running host: tools and lab settings. It builds nothing.
func Open(opts Options) (*Sandbox, error) {
	if opts.Stack == "" {
		opts.Stack = "sandbox"
	}
	if opts.Dir == "" {
		opts.Dir = lab.DefaultDir(opts.Project)
	}
	if opts.Progress == nil {
		opts.Progress = func(string, ...any) {}
	}
	if !opts.Internet.IsValid() {
		opts.Internet = netip.MustParsePrefix("10.77.1.0/24")
	}
	if !opts.Private.IsValid() {
		opts.Private = netip.MustParsePrefix("10.77.2.0/24")
	}
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	l, err := lab.Open(lab.Config{
		Dir: opts.Dir, Name: opts.Lab, Internet: opts.Internet, Private: opts.Private, Image: opts.Image,
		// This program, or the test binary, serves the packages; see ServeIfAsked.
		ServeArgv: []string{self, serveWord}, Progress: opts.Progress,
	})
	if err != nil {
		return nil, err
	}
	return &Sandbox{Lab: l, opts: opts, Layout: Layout{Sentries: []string{"sentry-1", "sentry-2"}, Citizens: []string{"citizen-1"}}}, nil
}

const serveWord = "serve-packages"

// ServeIfAsked turns this process into the lab's package server if it was started as such. Programs that use this package call it
// first.
func ServeIfAsked() {
	if len(os.Args) == 4 && os.Args[1] == serveWord {
		if err := lab.ServeRepo(context.Background(), os.Args[2], os.Args[3]); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
}

// Prepare builds tools and images, once, and makes the network's keys and genesis.
func (s *Sandbox) Prepare(ctx context.Context) error {
	built, err := tools.Ensure(ctx, filepath.Join(s.opts.Dir, "tools"), s.opts.Progress)
	if err != nil {
		return err
	}
	s.Tools = built
	if err := s.Lab.Prepare(ctx); err != nil {
		return err
	}
	s.Engine = &engine.Engine{
		Project: s.opts.Project, Stack: s.opts.Stack, State: s.state(), Pulumi: built.Pulumi, Env: built.Env(), Output: s.opts.Output,
	}
	if err := s.compile(ctx); err != nil {
		return err
	}
	s.Peers, err = peers.Make(ctx, filepath.Join(s.state(), "network"), built.Goloop)
	return err
}

// compile builds the program once beforehand, so that pulumi finds it in Go's cache: the first time takes minutes, in which pulumi would
// say nothing.
func (s *Sandbox) compile(ctx context.Context) error {
	begin := time.Now()
	hint := time.AfterFunc(3*time.Second, func() { s.opts.Progress("building the Pulumi program (about two minutes, the first time)") })
	defer hint.Stop()
	cmd := exec.CommandContext(ctx, "go", "build", "-o", os.DevNull, ".")
	cmd.Dir = s.opts.Project
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("go build of the Pulumi program: %w\n%s", err, out)
	}
	if took := time.Since(begin); took > 3*time.Second {
		s.opts.Progress("built the Pulumi program in %.0f s", took.Seconds())
	}
	return nil
}

func (s *Sandbox) state() string { return filepath.Join(s.opts.Dir, "stack-"+s.opts.Stack) }

// Boot boots the network's host, the P-Rep's, and those of the layout.
func (s *Sandbox) Boot(ctx context.Context) error {
	prep := s.spec(PRepHost)
	prep.Files = s.Peers.PRepFiles(DataDir)
	specs := []lab.HostSpec{s.peerHost(), prep}
	for _, name := range slices.Concat(s.Layout.Sentries, s.Layout.Citizens) {
		specs = append(specs, s.spec(name))
	}
	return s.Lab.Boot(ctx, specs...)
}

// BootPeers boots the network's host alone.
func (s *Sandbox) BootPeers(ctx context.Context) error {
	return s.Lab.Boot(ctx, s.peerHost())
}

func (s *Sandbox) peerHost() lab.HostSpec {
	return s.Peers.Host(PeerHost, s.inet(10), Announced, s.sentryAddresses())
}

// BootMore boots further hosts by name.
func (s *Sandbox) BootMore(ctx context.Context, names ...string) error {
	var specs []lab.HostSpec
	for _, n := range names {
		specs = append(specs, s.spec(n))
	}
	return s.Lab.Boot(ctx, specs...)
}

// spec gives a host its addresses: those that it has, or else by kind and number, so that a name always has the same.
func (s *Sandbox) spec(name string) lab.HostSpec {
	if h, err := s.Lab.Host(name); err == nil {
		return lab.HostSpec{Name: name, Internet: h.Internet, Private: h.Private}
	}
	var n int
	spec := lab.HostSpec{Name: name}
	switch {
	case name == PRepHost:
		spec.Private = s.priv(11)
	case scan(name, "sentry-%d", &n):
		spec.Private, spec.Internet = s.priv(20+n), s.inet(20+n)
	case scan(name, "citizen-%d", &n):
		spec.Private = s.priv(30 + n)
	case scan(name, "spare-%d", &n):
		spec.Private = s.priv(50 + n)
	}
	return spec
}

func scan(name, form string, n *int) bool {
	_, err := fmt.Sscanf(name, form, n)
	return err == nil
}

func (s *Sandbox) inet(n int) netip.Addr { return nth(s.opts.Internet, n) }
func (s *Sandbox) priv(n int) netip.Addr { return nth(s.opts.Private, n) }

func nth(p netip.Prefix, n int) netip.Addr {
	a := p.Masked().Addr().As4()
	a[3] += byte(n)
	return netip.AddrFrom4(a)
}

func (s *Sandbox) sentryAddresses() []netip.Addr {
	var all []netip.Addr
	for _, name := range s.Layout.Sentries {
		all = append(all, s.spec(name).Internet)
	}
	return all
}

// Announce makes the announced name resolve to the layout's sentries on the network's host, as a change of DNS would.
func (s *Sandbox) Announce(ctx context.Context) error {
	content := peers.Hosts(PeerHost, Announced, s.sentryAddresses())
	_, err := s.Lab.Exec(ctx, PeerHost, newReader(content), "tee", "/etc/hosts")
	return err
}

// Configure writes the stack's configuration from the layout.
func (s *Sandbox) Configure(ctx context.Context) error {
	if err := s.Engine.Init(ctx); err != nil {
		return err
	}
	config, err := s.config()
	if err != nil {
		return err
	}
	return s.Engine.Configure(config)
}

// SetKey gives the stack the administrator's SSH key, a secret.
func (s *Sandbox) SetKey(ctx context.Context) error {
	key, err := os.ReadFile(s.Lab.AdminKey())
	if err != nil {
		return err
	}
	return s.Engine.SetSecret(ctx, "sshPrivateKey", string(key))
}

// Address is a host's address on the internet segment, or else on the private one.
func (s *Sandbox) Address(host string) netip.Addr {
	if host == PeerHost {
		return s.inet(10)
	}
	spec := s.spec(host)
	if spec.Internet.IsValid() {
		return spec.Internet
	}
	return spec.Private
}

// Nth is the nth address of the private segment; those above 100 belong to no host.
func (s *Sandbox) Nth(n int) netip.Addr { return s.priv(n) }

// Machines is the configuration of the layout's machines.
func (s *Sandbox) Machines() (map[string]any, error) {
	machines := map[string]any{}
	names := s.Layout.Machines
	if names == nil {
		names = slices.Concat([]string{PRepHost}, s.Layout.Sentries, s.Layout.Citizens)
	}
	for _, name := range names {
		h, err := s.Lab.Host(name)
		if err != nil {
			return nil, err
		}
		m := map[string]any{"address": h.Private.String(), "hostKey": keyOf(h.HostKey)}
		if h.Internet.IsValid() {
			m["publicAddress"] = h.Internet.String()
		}
		machines[name] = m
	}
	return machines, nil
}

// Node is the configuration of the nodes, with some of it replaced.
func (s *Sandbox) Node(override map[string]any) map[string]any {
	node := map[string]any{
		"arch": runtime.GOARCH, "runtime": "binary", "binary": map[string]any{"path": s.relative(s.Tools.Goloop)},
		"dataDir": DataDir, "syncTimeout": 90,
	}
	maps.Copy(node, override)
	return node
}

// SentriesConfig is the configuration of the sentries, with more or some of it replaced. Their name resolves inside the lab only.
func (s *Sandbox) SentriesConfig(more map[string]any) map[string]any {
	sentries := map[string]any{"hosts": s.Layout.Sentries, "announce": Announced + ":7100", "announceCheck": "warn"}
	maps.Copy(sentries, more)
	return sentries
}

func (s *Sandbox) config() (map[string]any, error) {
	// The machine that runs pulumi has the first private address.
	admin := s.priv(1).String() + "/32"
	machines, err := s.Machines()
	if err != nil {
		return nil, err
	}
	config := map[string]any{
		"topology": "sentry-fronted", "platform": "hosts",
		"network": map[string]any{
			"profile": "custom", "name": "sandbox", "cid": s.Peers.CID, "nid": s.Peers.CID, "genesis": s.relative(s.Peers.Genesis()),
			"seeds": peers.Seeds(s.inet(10)),
		},
		"administrators": []string{admin},
		"maintenance":    map[string]any{"to": []string{admin}},
		"node":           s.Node(nil),
		"prep":           map[string]any{"host": PRepHost},
		"sentries":       s.SentriesConfig(nil),
		"hosts":          map[string]any{"machines": machines, "connectTimeout": 30},
	}
	if len(s.Layout.Citizens) > 0 {
		config["citizens"] = map[string]any{"hosts": s.Layout.Citizens}
	}
	for k, v := range s.Layout.Override {
		if v == nil {
			delete(config, k)
		} else {
			config[k] = v
		}
	}
	return config, nil
}

func (s *Sandbox) relative(path string) string {
	if rel, err := filepath.Rel(s.opts.Project, path); err == nil {
		return rel
	}
	return path
}

// Up does everything: tools, hosts, network, `pulumi up`.
func (s *Sandbox) Up(ctx context.Context) (*engine.Result, error) {
	if err := s.Prepare(ctx); err != nil {
		return nil, err
	}
	if err := s.Boot(ctx); err != nil {
		return nil, err
	}
	if err := s.Configure(ctx); err != nil {
		return nil, err
	}
	if err := s.SetKey(ctx); err != nil {
		return nil, err
	}
	start := time.Now()
	s.opts.Progress("pulumi up --stack %s", s.opts.Stack)
	result, err := s.Engine.Up(ctx)
	s.opts.Progress("pulumi up: %.1f s", time.Since(start).Seconds())
	return result, err
}

// Down removes hosts, segments and the stack's state; tools and images stay for the next time.
func (s *Sandbox) Down(ctx context.Context) error {
	e := &engine.Engine{Project: s.opts.Project, Stack: s.opts.Stack, State: s.state()}
	return errors.Join(s.Lab.Down(ctx), e.Remove())
}

// DownAll is Down for every sandbox that has state in the same directory: those of interrupted tests, too.
func (s *Sandbox) DownAll(ctx context.Context) error {
	left, err := filepath.Glob(filepath.Join(s.opts.Dir, "stack-*"))
	if err != nil {
		return err
	}
	errs := []error{s.Down(ctx)}
	for _, dir := range left {
		name := strings.TrimPrefix(filepath.Base(dir), "stack-")
		if name == s.opts.Stack {
			continue
		}
		other, err := Open(Options{Project: s.opts.Project, Dir: s.opts.Dir, Stack: name, Lab: name, Progress: s.opts.Progress})
		if err != nil {
			errs = append(errs, err)
			continue
		}
		errs = append(errs, other.Down(ctx))
	}
	return errors.Join(errs...)
}
