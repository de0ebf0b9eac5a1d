// Command icon-sentry is what runs on a sentry beside HAProxy, and how an operator speaks with it.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"strings"
	"syscall"

	"github.com/insight-icon/pulumi-icon/internal/agent"
	"github.com/insight-icon/pulumi-icon/internal/sentry"
)

// Exit codes.
const (
	exitOK = iota
	// exitFailed: it was tried, and did not succeed.
	exitFailed
	// exitUsage: the command line is wrong.
	exitUsage
	// exitAway: no agent answers.
	exitAway
)

const usage = `icon-sentry speaks with the agent of this sentry. It is for root.

  icon-sentry status [--json]                 what the sentry does, and what it lacks
  icon-sentry bans [list] [--all] [--json]    who is banned, why, and until when; --all: or was in the last day
  icon-sentry bans add ADDRESS|NETWORK --why TEXT [--for 1h]
  icon-sentry bans remove ADDRESS|NETWORK     let in again; with a network, all in it
  icon-sentry peers [--json]                  the known peers, and where they are known from
  icon-sentry drain [status] [--json]         where a drain stands, and what it waits for
  icon-sentry agent -config FILE              the agent itself; systemd runs it

Known peers and users are never banned. A drain is begun and ended by the deployment.
Exit codes: 0 done, 1 failed, 2 wrong command line, 3 the agent is away.
`

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, syscall.SIGINT)
	code := run(ctx, os.Args[1:], os.Stdout, os.Stderr)
	stop()
	os.Exit(code)
}

// usageError is a command line that is wrong.
type usageError struct{ text string }

func (u *usageError) Error() string { return u.text }

func run(ctx context.Context, args []string, out, problems io.Writer) int {
	err := command(ctx, args, out)
	var wrong *usageError
	switch {
	case err == nil || errors.Is(err, flag.ErrHelp):
		return exitOK
	case errors.As(err, &wrong):
		fmt.Fprintf(problems, "icon-sentry: %v; see: icon-sentry help\n", err)
		return exitUsage
	case errors.Is(err, agent.ErrAway):
		fmt.Fprintf(problems, "icon-sentry: %v\n", err)
		return exitAway
	default:
		fmt.Fprintf(problems, "icon-sentry: %v\n", err)
		return exitFailed
	}
}

func command(ctx context.Context, args []string, out io.Writer) error {
	name := ""
	if len(args) > 0 {
		name, args = args[0], args[1:]
	}
	switch name {
	case "agent":
		return runAgent(ctx, args)
	case "status":
		return status(ctx, args, out)
	case "bans":
		return bansCommand(ctx, args, out)
	case "peers":
		return peersCommand(ctx, args, out)
	case "drain":
		return drainCommand(ctx, args, out)
	case "help", "-h", "-help", "--help":
		_, err := io.WriteString(out, usage)
		return err
	case "":
		return &usageError{"a command is missing"}
	default:
		return &usageError{fmt.Sprintf("%q is no command", name)}
	}
}

// options of a command line: flags may stand before, between and after what else there is.
type options struct {
	*flag.FlagSet
	json   *bool
	socket *string
}

func newOptions(name string) *options {
	set := flag.NewFlagSet(name, flag.ContinueOnError)
	set.SetOutput(io.Discard)
	return &options{set, set.Bool("json", false, "for programs"), set.String("socket", sentry.ControlSocket, "the agent's control socket")}
}

// parse gives what is no flag.
func (o *options) parse(args []string) ([]string, error) {
	var rest []string
	for {
		if err := o.Parse(args); err != nil {
			if errors.Is(err, flag.ErrHelp) {
				return nil, &usageError{"icon-sentry " + o.Name()}
			}
			return nil, &usageError{err.Error()}
		}
		if o.NArg() == 0 {
			return rest, nil
		}
		rest, args = append(rest, o.Arg(0)), o.Args()[1:]
	}
}

// only parses a command line that has nothing but flags.
func (o *options) only(args []string, allowed ...string) (*agent.Client, error) {
	rest, err := o.parse(args)
	if err != nil {
		return nil, err
	}
	if text := strings.Join(rest, " "); text != "" && (len(allowed) == 0 || text != allowed[0]) {
		return nil, &usageError{fmt.Sprintf("%s: %q is not understood", o.Name(), text)}
	}
	return agent.NewClient(*o.socket), nil
}

func runAgent(ctx context.Context, args []string) error {
	set := flag.NewFlagSet("agent", flag.ContinueOnError)
	set.SetOutput(io.Discard)
	path := set.String("config", sentry.ConfigDir+"/agent.json", "the agent's configuration")
	if err := set.Parse(args); err != nil {
		return &usageError{err.Error()}
	}
	if set.NArg() > 0 {
		return &usageError{fmt.Sprintf("agent: %q is not understood", set.Arg(0))}
	}
	config, err := agent.ReadConfig(*path)
	if err != nil {
		return err
	}
	// The journal has the time.
	log := slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{ReplaceAttr: func(groups []string, a slog.Attr) slog.Attr {
		if a.Key == slog.TimeKey && len(groups) == 0 {
			return slog.Attr{}
		}
		return a
	}}))
	return agent.Run(ctx, config, log)
}
