// Command verify asks the hosts of a deployed stack whether they are still hardened as their last deploy wanted, and repairs them if that
// is asked for. It reads connections and programs from the stack's state, through pulumi, and keeps none of it in a file.
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

	"github.com/insight-icon/pulumi-icon/hardening"
	"github.com/insight-icon/pulumi-icon/internal/verify"
)

const usage = `usage: verify [-host NAME[,NAME…]] [-json] [-repair] STACK
   or: make verify STACK=name    make repair STACK=name

Compares each host of a deployed stack with what its last "pulumi up" wanted of it, and shows a table of hosts and controls, and below it
each difference with what was expected and what was found. Changes nothing, without -repair.

  -host    only these hosts
  -json    the same as JSON, for other programs
  -repair  applies the hardening again on hosts that differ, and compares once more. Changes of access (SSH, firewall, logins) are rolled
           back by the host unless this command can log in anew

The stack is read by "pulumi stack export --show-secrets", through a pipe. pulumi has to find the stack and to open its secrets as for
"pulumi up": PULUMI_BACKEND_URL, and PULUMI_CONFIG_PASSPHRASE or PULUMI_CONFIG_PASSPHRASE_FILE. A stack with icon:sshAgent needs the agent.

exit codes: 0 all hosts are as wanted, 1 at least one differs, 2 at least one could not be asked (others may differ) or the stack could
not be read, 64 a mistake in the command itself
`

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	code := run(ctx, os.Args[1:], os.Stdout, os.Stderr)
	stop()
	os.Exit(code)
}

// wish is what the command is asked for.
type wish struct {
	stack        string
	hosts        []string
	json, repair bool
}

func read(args []string) (*wish, error) {
	w := &wish{}
	hosts := ""
	flags := flag.NewFlagSet("verify", flag.ContinueOnError)
	flags.SetOutput(io.Discard)
	flags.StringVar(&hosts, "host", "", "")
	flags.BoolVar(&w.json, "json", false, "")
	flags.BoolVar(&w.repair, "repair", false, "")
	if err := flags.Parse(args); err != nil {
		return nil, err
	}
	if hosts != "" {
		w.hosts = strings.Split(hosts, ",")
	}
	if flags.NArg() != 1 || !verify.StackName.MatchString(flags.Arg(0)) {
		return nil, fmt.Errorf("expected one name of a stack, found %q", flags.Args())
	}
	w.stack = flags.Arg(0)
	return w, nil
}

// run is the command, but for its process. It gives the exit code.
func run(ctx context.Context, args []string, out, said io.Writer) int {
	w, err := read(args)
	if err != nil {
		if !errors.Is(err, flag.ErrHelp) {
			fmt.Fprintf(said, "verify: %v\n\n", err)
		}
		fmt.Fprint(said, usage)
		return hardening.ExitUsage
	}
	hosts, err := verify.Deployed(ctx, w.stack, w.hosts)
	if err != nil {
		fmt.Fprintln(said, "verify:", err)
		return hardening.ExitNotAsked
	}
	reports := verify.Ask(ctx, hosts)
	if w.repair {
		repair(ctx, hosts, reports, said)
	}
	text := []byte(reports.Table())
	if w.json {
		if text, err = reports.JSON(); err != nil {
			fmt.Fprintln(said, "verify:", err)
			return hardening.ExitNotAsked
		}
		text = append(text, '\n')
	}
	if _, err := out.Write(text); err != nil {
		return hardening.ExitNotAsked
	}
	return reports.ExitCode()
}

// repair applies the hardening again where it differs, and puts what is found afterwards into reports.
func repair(ctx context.Context, hosts []verify.Host, reports hardening.Reports, said io.Writer) {
	var broken []verify.Host
	var at []int
	for i, r := range reports {
		if slices.Contains(reports.Drifted(), r.Host) {
			broken, at = append(broken, hosts[i]), append(at, i)
		}
	}
	if len(broken) == 0 {
		fmt.Fprintln(said, "nothing to repair: no host that answers differs")
		return
	}
	fmt.Fprintf(said, "repairing: %s%s\n", strings.Join(reports.Drifted(), " "), reports.Problems())
	failures := verify.Repair(ctx, broken)
	for j, again := range verify.Ask(ctx, broken) {
		reports[at[j]] = again
		if failures[j] != nil {
			// What the host is now matters less than that it could not be repaired.
			reports[at[j]].Problem = "could not be repaired: " + failures[j].Error()
		}
	}
}
