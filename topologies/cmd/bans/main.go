// Command bans lists, adds and removes bans on the sentries of a deployed stack, on all of them at once. It reads the connections from the
// stack's state, through pulumi, and keeps none of it in a file.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"slices"
	"strings"
	"syscall"

	"github.com/insight-icon/pulumi-icon/internal/agent/bans"
	"github.com/insight-icon/pulumi-icon/internal/verify"
)

const usage = `usage: bans [-host NAME[,NAME…]] [-json] STACK [list]
       bans [-host NAME[,NAME…]] [-json] STACK add ADDRESS|NETWORK --why TEXT [--for 1h]
       bans [-host NAME[,NAME…]] [-json] STACK remove ADDRESS|NETWORK
   or: make bans STACK=name [HOST=a,b] [ARGS='add 203.0.113.7 --why "seen in an attack"']

Runs "icon-sentry bans …" on every sentry of a deployed stack, by SSH as its deploy does it, and shows what they answer in one table. Each
sentry has bans of its own: without -host, one is added or removed on all. Known peers and users are never banned.

  -host  only these sentries
  -json  the same as JSON, for other programs

The stack is read by "pulumi stack export --show-secrets", through a pipe. pulumi has to find the stack and to open its secrets as for
"pulumi up": PULUMI_BACKEND_URL, and PULUMI_CONFIG_PASSPHRASE or PULUMI_CONFIG_PASSPHRASE_FILE. A stack with icon:sshAgent needs the agent.

exit codes: 0 all sentries have done it, 1 at least one has refused, 2 at least one could not be asked or the stack could not be read,
64 a mistake in the command itself
`

// Exit codes; those of verify mean the same.
const (
	exitDone = iota
	exitRefused
	exitNotAsked
	exitUsage = 64
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	code := run(ctx, os.Args[1:], os.Stdout, os.Stderr)
	stop()
	os.Exit(code)
}

// wish is what the command is asked for.
type wish struct {
	stack string
	hosts []string
	json  bool
	// args are those of "icon-sentry bans".
	args []string
}

func read(args []string) (*wish, error) {
	w := &wish{}
	hosts := ""
	flags := flag.NewFlagSet("bans", flag.ContinueOnError)
	flags.SetOutput(io.Discard)
	flags.StringVar(&hosts, "host", "", "")
	flags.BoolVar(&w.json, "json", false, "")
	if err := flags.Parse(args); err != nil {
		return nil, err
	}
	if hosts != "" {
		w.hosts = strings.Split(hosts, ",")
	}
	if flags.NArg() == 0 || !verify.StackName.MatchString(flags.Arg(0)) {
		return nil, fmt.Errorf("expected the name of a stack first, found %q", flags.Args())
	}
	w.stack, w.args = flags.Arg(0), flags.Args()[1:]
	if last := len(w.args) - 1; last >= 0 && strings.TrimLeft(w.args[last], "-") == "json" && w.args[last][0] == '-' {
		w.json, w.args = true, w.args[:last]
	}
	if len(w.args) == 0 {
		w.args = []string{"list"}
	}
	return w, w.check()
}

// check refuses what every sentry would refuse. The rest of a command line is theirs to judge.
func (w *wish) check() error {
	switch verb, rest := w.args[0], w.args[1:]; {
	case !slices.Contains([]string{"list", "add", "remove"}, verb):
		return fmt.Errorf("%q is not understood; wanted list, add or remove", verb)
	case verb == "list" && len(rest) > 0:
		return fmt.Errorf("list: %q is not understood", rest)
	case verb != "list" && len(rest) == 0:
		return fmt.Errorf("%s: an address or network is missing", verb)
	case verb != "list":
		if _, err := bans.Parse(rest[0]); err != nil {
			return fmt.Errorf("%s: %w", verb, err)
		}
	}
	return nil
}

// run is the command, but for its process. It gives the exit code.
func run(ctx context.Context, args []string, out, said io.Writer) int {
	w, err := read(args)
	if err != nil {
		if !errors.Is(err, flag.ErrHelp) {
			fmt.Fprintf(said, "bans: %v\n\n", err)
		}
		fmt.Fprint(said, usage)
		return exitUsage
	}
	hosts, err := verify.Deployed(ctx, w.stack, w.hosts)
	if err == nil {
		hosts, err = sentries(hosts, w)
	}
	if err != nil {
		fmt.Fprintln(said, "bans:", err)
		return exitNotAsked
	}
	all := ask(ctx, hosts, w.args)
	text := all.table()
	if w.json {
		text = all.json()
	}
	if _, err := io.WriteString(out, text); err != nil {
		return exitNotAsked
	}
	for _, a := range all {
		if a.Problem != "" {
			fmt.Fprintf(said, "bans: %s: %s\n", a.Host, a.Problem)
		}
	}
	return all.exitCode()
}

// sentries are those of the hosts that are.
func sentries(hosts []verify.Host, w *wish) ([]verify.Host, error) {
	var errs []error
	for _, h := range hosts {
		if slices.Contains(w.hosts, h.Target.Name) && !h.Sentry {
			errs = append(errs, fmt.Errorf("-host %s: is no sentry: it bans nobody", h.Target.Name))
		}
	}
	found := slices.DeleteFunc(hosts, func(h verify.Host) bool { return !h.Sentry })
	if len(found) == 0 && len(errs) == 0 {
		errs = append(errs, fmt.Errorf("the stack %s has no sentries", w.stack))
	}
	return found, errors.Join(errs...)
}
