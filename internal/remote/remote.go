// Package remote applies steps to hosts over SSH. It is the only importer of pulumi-command.
//
// A step is an idempotent bash script with an apply and a remove half. Everything it needs goes to the host on standard input, so that
// neither a payload nor a secret is ever part of a command line or an environment. Steps of one host form a chain: two never run at
// once. Steps of different hosts run in parallel.
package remote

import (
	"errors"
	"fmt"

	"github.com/pulumi/pulumi-command/sdk/go/command"
	"github.com/pulumi/pulumi-command/sdk/go/command/remote"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"
)

// dialErrorLimit is how often pulumi-command tries to connect: with its back-off (0.1 s, ×1.5, at most 5 s) 20 tries take more than a
// minute, enough for a host that is rebooting, and less than three for one that is silent.
const dialErrorLimit = 20

// freshDialErrorLimit is the same for a machine that was made a moment ago: 60 tries take more than four minutes (about 260 s where its
// port refuses), enough for a first boot.
const freshDialErrorLimit = 60

// perDialTimeout bounds each try, in seconds. A host that answers at all does so within one or two.
const perDialTimeout = 5

// NewProvider makes the pulumi-command provider that the steps of a stack run with. Programs that disable default providers, as this
// project does, pass it to their components with pulumi.Provider.
func NewProvider(ctx *pulumi.Context, name string, opts ...pulumi.ResourceOption) (pulumi.ProviderResource, error) {
	p, err := command.NewProvider(ctx, name, &command.ProviderArgs{}, opts...)
	if err != nil {
		return nil, fmt.Errorf("command provider %q: %w", name, err)
	}
	return p, nil
}

// Login says how SSH reaches a host. Values are plain where they are known before anything exists.
type Login struct {
	// Address is the host's IPv4 address or name.
	Address pulumi.StringInput
	// Port, default 22, and User, default "root". Another user needs sudo without a password.
	Port int
	User string
	// HostKey is the one accepted host key, "ssh-ed25519 AAAA…". Required: no host is trusted on first sight.
	HostKey pulumi.StringInput
	// PrivateKey logs in; its Passphrase opens it. Both are secrets. Nil PrivateKey: the agent at $SSH_AUTH_SOCK.
	PrivateKey pulumi.StringPtrInput
	Passphrase pulumi.StringPtrInput
	// Bastion is the jump host, nil for none.
	Bastion *Bastion
	// Fresh says that the host, and its bastion, may have been made a moment ago and be booting for the first time: more tries to connect.
	// It is the same for all the host's life, since a change of the connection applies its steps again.
	Fresh bool
}

// Bastion is a jump host; the same key logs in there.
type Bastion struct {
	Address pulumi.StringInput
	Port    int
	User    string
	HostKey pulumi.StringInput
}

// Session is one host's chain of steps.
type Session struct {
	host       string
	address    pulumi.StringInput
	identity   pulumi.StringOutput
	connection remote.ConnectionOutput
	login      Login
	deleted    pulumi.Resource
	machine    pulumi.StringInput // the id of deleted, nil without
	holds      pulumi.StringInput // nil without
	last       []pulumi.Resource
	hardened   *hardened // nil before a step with controls
}

// SessionArgs are the inputs of NewSession.
type SessionArgs struct {
	// Host is the host's name, which errors and logs show. Required.
	Host string
	// Login says how to reach it. Required.
	Login Login
	// DeletedWith is the machine's own resource, whose removal makes removal halves pointless, and whose id says which machine it is: all
	// steps are applied again to another one, also where it has the old one's address and host key. It must be gone before another is
	// made in its place (DeleteBeforeReplace). Nil for machines that exist anyway.
	DeletedWith pulumi.Resource
}

// NewSession opens a chain of steps on a host. It makes no connection.
func NewSession(args SessionArgs) (*Session, error) {
	var errs []error
	need := func(missing bool, field string) {
		if missing {
			errs = append(errs, fmt.Errorf("session %q: %s is required", args.Host, field))
		}
	}
	need(args.Host == "", "Host")
	need(args.Login.Address == nil, "Login.Address")
	need(args.Login.HostKey == nil, "Login.HostKey")
	if b := args.Login.Bastion; b != nil {
		need(b.Address == nil, "Login.Bastion.Address")
		need(b.HostKey == nil, "Login.Bastion.HostKey")
	}
	if len(errs) > 0 {
		return nil, errors.Join(errs...)
	}
	l := args.Login
	l.User, l.Port = userOrRoot(l.User), portOr22(l.Port)
	s := &Session{
		host:       args.Host,
		address:    l.Address,
		identity:   pulumi.Sprintf("%s %s", l.Address, l.HostKey),
		connection: l.connection().ToConnectionOutput(),
		login:      l,
		deleted:    args.DeletedWith,
	}
	if r, ok := args.DeletedWith.(pulumi.CustomResource); ok {
		s.machine = r.ID().ToStringOutput()
		s.identity = pulumi.Sprintf("%s %s", s.identity, s.machine)
	}
	return s, nil
}

// Holds says what the steps from here on find on the machine, under a name that changes when it is exchanged: a disk. They are then applied
// again, though the machine is the same.
func (s *Session) Holds(what pulumi.StringInput) { s.holds = what }

// Host is the host's name.
func (s *Session) Host() string { return s.host }

// After makes the next step on this host wait for r as well, a step of another host for example.
func (s *Session) After(r ...pulumi.Resource) { s.last = append(s.last, r...) }

// Last is what a step of another host has to wait for to come after all steps that this host has so far.
func (s *Session) Last() []pulumi.Resource { return append([]pulumi.Resource(nil), s.last...) }

func (l Login) connection() remote.ConnectionArgs {
	tries := dialErrorLimit
	if l.Fresh {
		tries = freshDialErrorLimit
	}
	c := remote.ConnectionArgs{
		Host:           l.Address,
		Port:           pulumi.Float64Ptr(float64(l.Port)),
		User:           pulumi.StringPtr(l.User),
		HostKey:        optional(l.HostKey),
		DialErrorLimit: pulumi.IntPtr(tries),
		PerDialTimeout: pulumi.IntPtr(perDialTimeout),
	}
	if l.PrivateKey != nil {
		c.PrivateKey, c.PrivateKeyPassword = l.PrivateKey, l.Passphrase
	}
	if b := l.Bastion; b != nil {
		p := remote.ProxyConnectionArgs{
			Host:           b.Address,
			Port:           pulumi.Float64Ptr(float64(portOr22(b.Port))),
			User:           pulumi.StringPtr(userOrRoot(b.User)),
			HostKey:        optional(b.HostKey),
			DialErrorLimit: pulumi.IntPtr(tries),
			PerDialTimeout: pulumi.IntPtr(perDialTimeout),
		}
		if l.PrivateKey != nil {
			p.PrivateKey, p.PrivateKeyPassword = l.PrivateKey, l.Passphrase
		}
		c.Proxy = p
	}
	return c
}

func optional(s pulumi.StringInput) pulumi.StringPtrInput {
	return s.ToStringOutput().ToStringPtrOutput()
}

func portOr22(port int) int {
	if port == 0 {
		return 22
	}
	return port
}

func userOrRoot(user string) string {
	if user == "" {
		return "root"
	}
	return user
}
