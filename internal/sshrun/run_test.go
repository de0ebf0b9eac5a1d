package sshrun_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/insight-icon/pulumi-icon/internal/sshrun"
	"github.com/insight-icon/pulumi-icon/internal/sshrun/sshtest"
)

// dial logs in to a server that runs commands by run.
func dial(t *testing.T, run func(sshtest.Call) uint32) *sshrun.Client {
	t.Helper()
	key := sshtest.NewKey(t)
	s := sshtest.Serve(t, "root", key, run)
	target := sshrun.Target{Name: "a", Where: "here", Address: "127.0.0.1", Port: s.Port, User: "root", HostKey: s.HostKey}
	client, err := sshrun.Dial(context.Background(), target, sshrun.Key{PrivateKey: key.Private}, 10*time.Second)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = client.Close() })
	return client
}

func TestACommandGetsItsInputAndGivesItsOutput(t *testing.T) {
	t.Parallel()
	client := dial(t, func(c sshtest.Call) uint32 {
		in, _ := io.ReadAll(c.In)
		fmt.Fprintf(c.Out, "%s got %s", c.Command, in)
		return 0
	})
	for _, in := range []string{"x", strings.Repeat("long ", 100000)} {
		if out, err := client.Run(t.Context(), "command", strings.NewReader(in)); err != nil || out != "command got "+in {
			t.Errorf("%.40q, %v", out, err)
		}
	}
}

func TestAFailedCommandSaysHowAndWhy(t *testing.T) {
	t.Parallel()
	client := dial(t, func(c sshtest.Call) uint32 {
		fmt.Fprintln(c.Err, "no such thing")
		return 3
	})
	_, err := client.Run(t.Context(), "command", strings.NewReader("input that nobody reads"))
	var ended *sshrun.ExitError
	if !errors.As(err, &ended) || ended.Status != 3 || err.Error() != "ended with 3: no such thing" {
		t.Errorf("error %v", err)
	}
}

func TestACommandThatDoesNotEndIsGivenUp(t *testing.T) {
	t.Parallel()
	client := dial(t, func(c sshtest.Call) uint32 {
		_, _ = io.ReadAll(c.In)
		return 0
	})
	ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
	defer cancel()
	begin := time.Now()
	// Without input its standard input stays open, so that it does not end by itself.
	_, err := client.Run(ctx, "command", nil)
	if !errors.Is(err, context.DeadlineExceeded) || time.Since(begin) > 5*time.Second {
		t.Errorf("after %s: %v", time.Since(begin), err)
	}
}

func TestAHostThatSendsWithoutEndFillsNoMemory(t *testing.T) {
	t.Parallel()
	client := dial(t, func(c sshtest.Call) uint32 {
		for range 10 {
			_, _ = c.Out.Write(make([]byte, 1<<20))
		}
		return 0
	})
	if out, err := client.Run(t.Context(), "command", nil); err == nil || out != "" {
		t.Errorf("%d bytes are kept, error %v", len(out), err)
	}
}

func TestClosingTwiceIsNoError(t *testing.T) {
	t.Parallel()
	client := dial(t, nil)
	for range 2 {
		if err := client.Close(); err != nil {
			t.Error(err)
		}
	}
}
