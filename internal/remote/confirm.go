package remote

import (
	"context"
	"time"

	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"github.com/insight-icon/pulumi-icon/internal/sshrun"
	"github.com/insight-icon/pulumi-icon/internal/verify"
)

// confirmAfter is how long a step has to be under way before a login waits for its trial. A step that has nothing to do has ended by then,
// and so have all steps of a program that runs with Pulumi's mocks, where there are no hosts.
const confirmAfter = time.Second

// queued is how long a step may wait for its turn: for others that the engine runs first, and for another deploy's lock on the host.
const queued = time.Hour

type offlineKey struct{}

// Offline is ctx for a program that must not connect to its hosts from this process: for tests with a stand-in for the engine, where there
// are no hosts. Trials are then not confirmed, and Verify asks nobody.
func Offline(ctx *pulumi.Context) *pulumi.Context { return ctx.WithValue(offlineKey{}, true) }

// connects tells whether the program's own process connects to hosts.
func connects(ctx *pulumi.Context) bool {
	return !ctx.DryRun() && !ctx.RunningWithMocks() && ctx.Value(offlineKey{}) == nil
}

// confirm has a login wait for the trial of a step, from the moment that the step can begin until its result is known. That it does not
// come to one is no error: the host then takes back what it tried, and the step fails and says why.
func (s *Session) confirm(
	ctx *pulumi.Context, program pulumi.StringOutput, before []pulumi.Resource, step pulumi.Resource, timeout time.Duration,
) {
	if !connects(ctx) {
		return
	}
	ended := make(chan struct{})
	step.URN().ApplyT(func(pulumi.URN) bool {
		close(ended)
		return true
	})
	// Not a part of the program's work that the engine waits for: of a step that fails nothing is heard here, and the program ends.
	pulumi.All(s.reach(), program, done(before)).ApplyT(func(in []any) bool {
		go func() {
			select {
			case <-ended:
				return
			case <-time.After(confirmAfter):
			}
			waiting, cancel := context.WithTimeout(ctx.Context(), queued+timeout)
			defer cancel()
			go func() {
				select {
				case <-ended:
				case <-waiting.Done():
				}
				cancel()
			}()
			target, key := s.target(in[0].([]any))
			if err := verify.Confirm(waiting, target, key); err != nil {
				_ = ctx.Log.Warn(err.Error(), nil)
			}
		}()
		return true
	})
}

// done resolves once all of rs are as wanted.
func done(rs []pulumi.Resource) pulumi.ArrayOutput {
	urns := pulumi.Array{}
	for _, r := range rs {
		urns = append(urns, r.URN())
	}
	return urns.ToArrayOutput()
}

// reach are the values of the login that may not be known before the host exists.
func (s *Session) reach() pulumi.ArrayOutput {
	l := s.login
	values := []any{l.Address, l.HostKey, plain(l.PrivateKey), plain(l.Passphrase)}
	if l.Bastion != nil {
		values = append(values, l.Bastion.Address, l.Bastion.HostKey)
	}
	return pulumi.All(values...)
}

func plain(text pulumi.StringPtrInput) pulumi.StringOutput {
	if text == nil {
		return pulumi.String("").ToStringOutput()
	}
	return text.ToStringPtrOutput().Elem()
}

// target is the login by the values of reach.
func (s *Session) target(values []any) (sshrun.Target, sshrun.Key) {
	l, text := s.login, func(i int) string { return values[i].(string) }
	t := sshrun.Target{Name: s.host, Where: "its login", Address: text(0), Port: l.Port, User: l.User, HostKey: text(1)}
	if b := l.Bastion; b != nil {
		t.Via = &sshrun.Target{
			Name: "bastion of " + s.host, Where: "its login", Address: text(4), Port: portOr22(b.Port), User: userOrRoot(b.User),
			HostKey: text(5),
		}
	}
	return t, sshrun.Key{PrivateKey: text(2), Passphrase: text(3)}
}
