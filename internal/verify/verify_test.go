package verify_test

import (
	"context"
	"fmt"
	"io"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/insight-icon/pulumi-icon/hardening"
	"github.com/insight-icon/pulumi-icon/internal/sshrun"
	"github.com/insight-icon/pulumi-icon/internal/sshrun/sshtest"
	"github.com/insight-icon/pulumi-icon/internal/verify"
)

const clean = "control\tbanners\tok\t\t3\n"

// hostOf is a host at a server that lets key in as user.
func hostOf(name, user string, key sshtest.Key, s *sshtest.Server) verify.Host {
	return verify.Host{
		Target: sshrun.Target{Name: name, Where: "here", Address: "127.0.0.1", Port: s.Port, User: user, HostKey: s.HostKey},
		Key:    sshrun.Key{PrivateKey: key.Private}, Program: "the program\n", Timeout: time.Minute,
	}
}

func TestHostsAreAskedWithTheirProgramsAndTheirReportsKeepTheirOrder(t *testing.T) {
	t.Parallel()
	key := sshtest.NewKey(t)
	var mu sync.Mutex
	var commands []string
	answer := func(report string) func(sshtest.Call) uint32 {
		return func(c sshtest.Call) uint32 {
			in, _ := io.ReadAll(c.In)
			mu.Lock()
			commands = append(commands, c.Command)
			mu.Unlock()
			if string(in) != "the program\n" {
				return 9
			}
			_, _ = io.WriteString(c.Out, report)
			return 0
		}
	}
	good := sshtest.Serve(t, "root", key, answer(clean))
	drifted := sshtest.Serve(t, "deploy", key, answer("drift\tbanners\t/etc/motd\ta\tb\ncontrol\tbanners\tdrift\t1\t3\n"))
	lying := sshtest.Serve(t, "root", key, answer("all is well\n"))
	failing := sshtest.Serve(t, "root", key, func(c sshtest.Call) uint32 {
		fmt.Fprintln(c.Err, "host failing, step harden: the disk is on fire")
		return 1
	})
	reports := verify.Ask(t.Context(), []verify.Host{
		hostOf("good", "root", key, good), hostOf("drifted", "deploy", key, drifted), hostOf("lying", "root", key, lying),
		hostOf("failing", "root", key, failing),
	})
	if reports.ExitCode() != hardening.ExitNotAsked || reports[0].Problem != "" || len(reports[1].Report.Drifts) != 1 {
		t.Errorf("%+v", reports)
	}
	if p := reports[2].Problem; !strings.Contains(p, `host lying: report of the hardening, line 1`) {
		t.Errorf("of the lying host: %q", p)
	}
	if p := reports[3].Problem; !strings.Contains(p, "host failing, step harden: the disk is on fire") {
		t.Errorf("of the failing host: %q", p)
	}
	all := strings.Join(commands, "\n")
	for _, want := range []string{
		`timeout -k 30 120 bash -s verify good harden "$SSH_CONNECTION"`,
		`sudo -n timeout -k 30 120 bash -s verify drifted harden "$SSH_CONNECTION"`,
	} {
		if !strings.Contains(all, want) {
			t.Errorf("no host was asked by %s:\n%s", want, all)
		}
	}
}

// trial is a host that waits for a new login while a change of access is tried.
type trial struct {
	awaiting, confirmed atomic.Bool
	// first is the login that the change is tried by.
	first      atomic.Int32
	confirming atomic.Int32
}

func (h *trial) run(c sshtest.Call) uint32 {
	switch {
	case strings.Contains(c.Command, " apply "):
		_, _ = io.ReadAll(c.In)
		h.first.Store(c.Login)
		h.awaiting.Store(true)
		for end := time.Now().Add(20 * time.Second); time.Now().Before(end); time.Sleep(10 * time.Millisecond) {
			if h.confirmed.Load() {
				return 0
			}
		}
		fmt.Fprintln(c.Err, "rolled back")
		return 1
	case strings.Contains(c.Command, "/run/icon/hardening/awaiting"):
		// As on a host: the loop ends with its connection.
		gone := make(chan struct{})
		go func() {
			_, _ = io.ReadAll(c.In)
			close(gone)
		}()
		for !h.awaiting.Load() {
			select {
			case <-gone:
				return 1
			case <-time.After(10 * time.Millisecond):
			}
		}
		h.confirming.Store(c.Login)
		fmt.Fprintln(c.Out, "awaiting")
		return 0
	case strings.Contains(c.Command, `bash -s "$SSH_CONNECTION"`):
		in, _ := io.ReadAll(c.In)
		if string(in) != hardening.ConfirmScript || c.Login == h.first.Load() || c.Login == h.confirming.Load() {
			fmt.Fprintln(c.Out, "the same login")
			return 1
		}
		h.confirmed.Store(true)
		fmt.Fprintln(c.Out, "confirmed")
		return 0
	}
	return 127
}

func TestATrialIsConfirmedByANewLogin(t *testing.T) {
	t.Parallel()
	key, h := sshtest.NewKey(t), &trial{}
	s := sshtest.Serve(t, "root", key, h.run)
	if err := hostOf("a", "root", key, s).Apply(t.Context()); err != nil || !h.confirmed.Load() {
		t.Errorf("confirmed %v, error %v", h.confirmed.Load(), err)
	}
}

// Another deploy on the same host is confirmed by the login that waits for ours, which comes later.
func TestATrialAfterAnotherDeploysIsConfirmedAsWell(t *testing.T) {
	t.Parallel()
	key, h := sshtest.NewKey(t), &trial{}
	var trials atomic.Int32
	s := sshtest.Serve(t, "root", key, func(c sshtest.Call) uint32 {
		code := h.run(c)
		if h.confirmed.CompareAndSwap(true, false) {
			trials.Add(1)
			h.first.Store(0)
		}
		return code
	})
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	h.awaiting.Store(true)
	a := hostOf("a", "root", key, s)
	go func() {
		for trials.Load() < 2 && ctx.Err() == nil {
			time.Sleep(10 * time.Millisecond)
		}
		cancel()
	}()
	if err := verify.Confirm(ctx, a.Target, a.Key); err != nil || trials.Load() < 2 {
		t.Errorf("%d trials confirmed, error %v", trials.Load(), err)
	}
}

func TestTheNewLoginIsNewOnTheBastionAsWell(t *testing.T) {
	t.Parallel()
	key, h := sshtest.NewKey(t), &trial{}
	s, bastion := sshtest.Serve(t, "deploy", key, h.run), sshtest.Serve(t, "jump", key, nil)
	a, via := hostOf("a", "deploy", key, s), hostOf("bastion of a", "jump", key, bastion).Target
	a.Target.Via = &via
	if err := a.Apply(t.Context()); err != nil {
		t.Error(err)
	}
	// The step, the login that waits, and the one that confirms.
	if logins, forwards := bastion.Logins.Load(), bastion.Forwards.Load(); logins != 3 || forwards != 3 {
		t.Errorf("%d logins at the bastion and %d connections through it, wanted 3 and 3", logins, forwards)
	}
}

func TestALoginThatIsRefusedAtFirstIsTriedAgain(t *testing.T) {
	t.Parallel()
	key, h := sshtest.NewKey(t), &trial{}
	s := sshtest.Serve(t, "root", key, h.run)
	var refused atomic.Int32
	s.Refuse = func() bool { return h.awaiting.Load() && refused.Add(1) < 2 }
	if err := hostOf("a", "root", key, s).Apply(t.Context()); err != nil || refused.Load() < 2 {
		t.Errorf("refused %d times, error %v", refused.Load(), err)
	}
}

func TestNobodyConfirmsWhereNothingIsTried(t *testing.T) {
	t.Parallel()
	key, h := sshtest.NewKey(t), &trial{}
	s := sshtest.Serve(t, "root", key, h.run)
	ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
	defer cancel()
	a := hostOf("a", "root", key, s)
	if err := verify.Confirm(ctx, a.Target, a.Key); err != nil || h.confirmed.Load() {
		t.Errorf("confirmed %v, error %v", h.confirmed.Load(), err)
	}
	if s.Connections.Load() != 1 {
		t.Errorf("%d connections, wanted one that waits", s.Connections.Load())
	}
}
