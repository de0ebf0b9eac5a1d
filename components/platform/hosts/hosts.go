// Package hosts is the platform of machines that already exist: rented, in a rack, or anywhere that SSH reaches. It makes no machine
// and has no firewall of its own: the edges are closed by the hosts' nftables alone.
package hosts

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"github.com/insight-icon/pulumi-icon/components/platform"
	"github.com/insight-icon/pulumi-icon/internal/remote"
	"github.com/insight-icon/pulumi-icon/internal/sshrun"
)

// Args are the inputs of New.
type Args struct {
	// Machines by host name. Every host of a plan needs one.
	Machines map[string]Machine
	// PrivateKey logs in to all of them, Passphrase opens it: secrets. Nil PrivateKey: the SSH agent.
	PrivateKey, Passphrase pulumi.StringPtrInput
	// ConnectTimeout is how long a machine may take to answer. Default 60 s.
	ConnectTimeout time.Duration
	// Where is the configuration path that messages name. Default "icon:hosts".
	Where string
	// WithoutLoginCheck leaves out the login to every machine before the first step. For unit tests with Pulumi's mocks, where there
	// are no machines.
	WithoutLoginCheck bool
}

// Machine is one existing machine.
type Machine struct {
	// Address is where SSH reaches it. PrivateAddress is where the plan's other hosts reach it, PublicAddress where the internet does;
	// both default to Address.
	Address, PrivateAddress, PublicAddress string
	// User, default "root", and Port, default 22.
	User string
	Port int
	// HostKey is the machine's host key, "ssh-ed25519 AAAA…". Required.
	HostKey string
	// Bastion is the jump host, nil for none.
	Bastion *Bastion
}

// Bastion is a jump host.
type Bastion struct {
	Address string
	User    string
	Port    int
	HostKey string
}

// Hosts is the platform; see platform.Platform.
type Hosts struct{ args Args }

var _ platform.Platform = (*Hosts)(nil)

// New makes the platform. Nothing is contacted before Network.
func New(args Args) *Hosts {
	if args.ConnectTimeout == 0 {
		args.ConnectTimeout = time.Minute
	}
	if args.Where == "" {
		args.Where = "icon:hosts"
	}
	return &Hosts{args: args}
}

// Name is "hosts".
func (*Hosts) Name() string { return "hosts" }

// LoginUser is the machine's, as configured.
func (h *Hosts) LoginUser(host string) string { return or(h.args.Machines[host].User, "root") }

// Validate refuses hosts that have no machine, and machines without what a login needs.
func (h *Hosts) Validate(spec platform.NetworkSpec) error {
	var errs []error
	for _, s := range spec.Hosts {
		m, ok := h.args.Machines[s.Name]
		where := h.where(s.Name)
		if s.Generation != 0 {
			errs = append(errs, fmt.Errorf("host %s: is to get another public address (Generation %d), which existing machines are given by "+
				"their owner: set %s.publicAddress", s.Name, s.Generation, where))
		}
		if !ok {
			errs = append(errs, fmt.Errorf("%s: missing: the plan has a host %q (%s)", where, s.Name, s.Role))
			continue
		}
		if m.Address == "" {
			errs = append(errs, fmt.Errorf("%s.address: missing", where))
		}
		if m.HostKey == "" {
			errs = append(errs, fmt.Errorf("%s.hostKey: missing: a host is never trusted on first sight", where))
		}
		if strings.HasPrefix(m.HostKey, "ssh-rsa ") {
			errs = append(errs, fmt.Errorf("%s.hostKey: is an RSA key, which pulumi-command can only check by SHA-1 signatures: "+
				"want the machine's ssh-ed25519 key", where))
		}
		if b := m.Bastion; b != nil && (b.Address == "" || b.HostKey == "") {
			errs = append(errs, fmt.Errorf("%s.bastion: needs address and hostKey", where))
		}
	}
	return errors.Join(errs...)
}

func (h *Hosts) where(host string) string { return h.args.Where + ".machines." + host }

// Network logs in to every machine once, so that all that cannot be reached are named before anything is changed, and hands them out.
func (h *Hosts) Network(ctx *pulumi.Context, name string, spec platform.NetworkSpec, parent pulumi.Resource) (
	map[string]*platform.Host, error,
) {
	key := h.checkedKey(ctx, spec)
	made := make(map[string]*platform.Host, len(spec.Hosts))
	for _, s := range spec.Hosts {
		m := h.args.Machines[s.Name]
		login := remote.Login{
			Address: pulumi.String(m.Address), Port: m.Port, User: m.User, HostKey: checked(key, m.HostKey),
		}
		if h.args.PrivateKey != nil {
			login.PrivateKey, login.Passphrase = h.args.PrivateKey, h.args.Passphrase
		}
		if b := m.Bastion; b != nil {
			login.Bastion = &remote.Bastion{Address: pulumi.String(b.Address), Port: b.Port, User: b.User, HostKey: pulumi.String(b.HostKey)}
		}
		host, err := platform.NewHost(ctx, name+"-"+s.Name, &platform.HostArgs{
			Spec:           s,
			Address:        pulumi.String(m.Address),
			PrivateAddress: pulumi.String(or(m.PrivateAddress, m.Address)),
			PublicAddress:  pulumi.String(or(m.PublicAddress, m.Address)),
			Login:          login,
		}, pulumi.Parent(parent))
		if err != nil {
			return nil, err
		}
		made[s.Name] = host
	}
	return made, nil
}

// checkedKey resolves once every machine has let us in, and fails with all problems otherwise. Every connection depends on it.
func (h *Hosts) checkedKey(ctx *pulumi.Context, spec platform.NetworkSpec) pulumi.BoolOutput {
	targets := h.targets(spec)
	private, passphrase := text(h.args.PrivateKey), text(h.args.Passphrase)
	return pulumi.UnsecretWithContext(ctx.Context(), pulumi.All(private, passphrase).ApplyTWithContext(ctx.Context(),
		func(c context.Context, in []any) (bool, error) {
			key := sshrun.Key{PrivateKey: in[0].(string), Passphrase: in[1].(string)}
			if h.args.WithoutLoginCheck {
				return true, nil
			}
			if err := sshrun.Check(c, targets, key, h.args.ConnectTimeout); err != nil {
				return false, fmt.Errorf("not every host can be logged in to; nothing was changed:\n%w", err)
			}
			return true, nil
		})).(pulumi.BoolOutput)
}

func (h *Hosts) targets(spec platform.NetworkSpec) []sshrun.Target {
	targets := make([]sshrun.Target, 0, len(spec.Hosts))
	for _, s := range spec.Hosts {
		m := h.args.Machines[s.Name]
		t := sshrun.Target{
			Name: s.Name, Where: h.where(s.Name), Address: m.Address, Port: orInt(m.Port, 22), User: or(m.User, "root"), HostKey: m.HostKey,
		}
		if b := m.Bastion; b != nil {
			t.Via = &sshrun.Target{
				Name: "bastion of " + s.Name, Where: h.where(s.Name) + ".bastion",
				Address: b.Address, Port: orInt(b.Port, 22), User: or(b.User, "root"), HostKey: b.HostKey,
			}
		}
		targets = append(targets, t)
	}
	return targets
}

// checked is the host key, once the machines have been checked.
func checked(ok pulumi.BoolOutput, hostKey string) pulumi.StringOutput {
	return ok.ApplyT(func(bool) string { return hostKey }).(pulumi.StringOutput)
}

func text(s pulumi.StringPtrInput) pulumi.StringOutput {
	if s == nil {
		return pulumi.String("").ToStringOutput()
	}
	return s.ToStringPtrOutput().Elem()
}

func or(a, b string) string {
	if a == "" {
		return b
	}
	return a
}

func orInt(a, b int) int {
	if a == 0 {
		return b
	}
	return a
}
