package remote_test

import (
	"fmt"
	"io"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"github.com/insight-icon/pulumi-icon/hardening"
	"github.com/insight-icon/pulumi-icon/internal/remote"
	"github.com/insight-icon/pulumi-icon/internal/sshrun/sshtest"
	"github.com/insight-icon/pulumi-icon/tests/graph"
)

// machine is a host at a server of this process. Its report can be changed.
type machine struct {
	key    sshtest.Key
	server *sshtest.Server
	report atomic.Value
	asked  atomic.Int32
	// program is what it was last asked with.
	program atomic.Value
}

func newMachine(t *testing.T) *machine {
	t.Helper()
	m := &machine{key: sshtest.NewKey(t)}
	m.report.Store("control\tbanners\tok\t\t1\ncontrol\taudit\tn/a\ta container\t1\ncontrol\tlogs\tleft\tours\t0\n")
	m.server = sshtest.Serve(t, "deploy", m.key, func(c sshtest.Call) uint32 {
		in, _ := io.ReadAll(c.In)
		if !strings.Contains(c.Command, " bash -s verify ") {
			return 127
		}
		m.asked.Add(1)
		m.program.Store(string(in))
		fmt.Fprint(c.Out, m.report.Load())
		return 0
	})
	return m
}

// harden adds the step to a session with the host; its steps are a secret's.
func (m *machine) harden(ctx *pulumi.Context, name string, step remote.Step, opts ...pulumi.ResourceOption) (*remote.Session, error) {
	secret := func(s string) pulumi.StringPtrOutput {
		return pulumi.ToSecret(pulumi.StringPtr(s)).(pulumi.StringPtrOutput)
	}
	session, err := remote.NewSession(remote.SessionArgs{Host: name, Login: remote.Login{
		Address: pulumi.String("127.0.0.1"), Port: m.server.Port, User: "deploy", HostKey: pulumi.String(m.server.HostKey),
		PrivateKey: secret(m.key.Private), Passphrase: secret(""),
	}})
	if err != nil {
		return nil, err
	}
	step.Name, step.Script = "harden", idle
	step.Vars = map[string]pulumi.StringInput{"SECRET": pulumi.ToSecret(pulumi.String("hunter2")).(pulumi.StringOutput)}
	_, err = session.Run(ctx, name+"-harden", step, opts...)
	return session, err
}

// deployed is a program of hosts that are hardened and verified.
func deployed(machines map[string]*machine, offline bool) pulumi.RunFunc {
	return func(ctx *pulumi.Context) error {
		if !offline {
			ctx = remote.Online(ctx)
		}
		var sessions []*remote.Session
		for name, m := range machines {
			session, err := m.harden(ctx, name, remote.Step{Controls: 2})
			if err != nil {
				return err
			}
			if _, err := session.Run(ctx, name+"-service", remote.Step{Name: "service", Script: idle}); err != nil {
				return err
			}
			sessions = append(sessions, session)
		}
		remote.Verify(ctx, "hardening", sessions...)
		return nil
	}
}

func TestADeployIsVerifiedAndSaysSo(t *testing.T) {
	machines := map[string]*machine{"a": newMachine(t), "b": newMachine(t)}
	g := graph.Record(t, graph.Options{}, deployed(machines, false))
	for name, m := range machines {
		if text, _ := m.program.Load().(string); m.asked.Load() != 1 || !strings.Contains(text, "hunter2") {
			t.Errorf("host %s was asked %d times", name, m.asked.Load())
		}
		if given, _ := g.Step(name, "harden").Stdin(); given != m.program.Load() {
			t.Errorf("host %s was not asked with the program of its step", name)
		}
	}
	if said := g.Outputs["hardening"]; said.IsSecret() || !said.IsString() || said.StringValue() != "2 hosts, 4 controls: as wanted" {
		t.Errorf("the stack's output is %v", said)
	}
}

func TestADeployFailsWithAllThatDiffersAndAllThatAreSilent(t *testing.T) {
	machines := map[string]*machine{"a": newMachine(t), "b": newMachine(t), "c": newMachine(t), "d": newMachine(t)}
	machines["b"].report.Store("drift\tbanners\t/etc/motd\thello\tgoodbye\ncontrol\tbanners\tdrift\t1\t1\ncontrol\taudit\tok\t\t1\n")
	machines["c"].server.Refuse = func() bool { return true }
	machines["d"].report.Store("control\tbanners\tok\t\t1\n")
	_, err := graph.Run(t, graph.Options{}, deployed(machines, false))
	if err == nil {
		t.Fatal("the program succeeded")
	}
	for _, want := range []string{
		"b, banners: /etc/motd: expected hello, found goodbye", `refuses the SSH key for user "deploy"`,
		"host d: its verification tells of 1 controls, expected 2",
	} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("the error does not say %q:\n%v", want, err)
		}
	}
	for _, secret := range []string{"hunter2", "PRIVATE KEY"} {
		if strings.Contains(err.Error(), secret) {
			t.Errorf("the error says %q", secret)
		}
	}
}

func TestNobodyIsAskedInAPreviewOrOffline(t *testing.T) {
	for name, o := range map[string]graph.Options{"preview": {Preview: true}, "offline": {}} {
		m := newMachine(t)
		g := graph.Record(t, o, deployed(map[string]*machine{"a": m}, !o.Preview))
		if n := m.server.Connections.Load(); n != 0 {
			t.Errorf("%s: %d connections", name, n)
		}
		// What the output will be is known, so that a preview shows no change of it.
		if said := g.Outputs["hardening"]; !said.IsString() || said.StringValue() != "1 host, 2 controls: as wanted" {
			t.Errorf("%s: the stack's output is %v", name, said)
		}
	}
}

func TestNobodyLogsInForATrialThatHasNotBegunOrHasEnded(t *testing.T) {
	m := newMachine(t)
	trial := func(ctx *pulumi.Context) error {
		_, err := m.harden(remote.Online(ctx), "a", remote.Step{Trial: true})
		return err
	}
	for _, preview := range []bool{true, false} {
		graph.Record(t, graph.Options{Preview: preview}, trial)
	}
	time.Sleep(1500 * time.Millisecond)
	if n := m.server.Connections.Load(); n != 0 {
		t.Errorf("%d connections", n)
	}
}

func TestAStepThatTriesAChangeOfAccessIsConfirmedWhileItRuns(t *testing.T) {
	var waited, confirmed atomic.Bool
	m := &machine{key: sshtest.NewKey(t)}
	m.server = sshtest.Serve(t, "deploy", m.key, func(c sshtest.Call) uint32 {
		in := ""
		if !strings.Contains(c.Command, "awaiting") {
			text, _ := io.ReadAll(c.In)
			in = string(text)
		}
		switch {
		case strings.HasPrefix(c.Command, "sudo -n bash -c ") && strings.Contains(c.Command, "awaiting"):
			waited.Store(true)
			fmt.Fprintln(c.Out, "awaiting")
		case c.Command == `sudo -n bash -s "$SSH_CONNECTION"` && in == hardening.ConfirmScript && waited.Load():
			confirmed.Store(true)
			fmt.Fprintln(c.Out, "confirmed")
		default:
			return 127
		}
		return 0
	})
	graph.Record(t, graph.Options{}, func(ctx *pulumi.Context) error {
		// The recorder's steps take no time. This one can begin, and does not end before it is confirmed.
		running := pulumi.String("").ToStringOutput().ApplyT(func(string) []pulumi.Resource {
			for end := time.Now().Add(20 * time.Second); !confirmed.Load() && time.Now().Before(end); {
				time.Sleep(10 * time.Millisecond)
			}
			return nil
		}).(pulumi.ResourceArrayOutput)
		_, err := m.harden(remote.Online(ctx), "a", remote.Step{Trial: true}, pulumi.DependsOnInputs(running))
		return err
	})
	if !confirmed.Load() {
		t.Error("nobody has confirmed it")
	}
}
