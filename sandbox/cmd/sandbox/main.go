// Command sandbox deploys a sentry-fronted ICON installation for real on this machine: hosts, network, `pulumi up`, report.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/insight-icon/pulumi-icon/sandbox"
	"github.com/insight-icon/pulumi-icon/sandbox/lab"
)

const usage = `usage: sandbox up|report|down

  up      makes what is missing (tools, hosts, network), runs pulumi up --stack sandbox, and reports
  report  asks nodes and network again and scans the P-Rep from the internet segment
  down    removes hosts, segments and the stack; tools and images are kept for the next time

State is kept in .sandbox, or in the directory that $ICON_SANDBOX_DIR names. Needs root on a Debian 12 machine with Go.
`

// window is how many blocks the report looks at: with four validators, a P-Rep that works proposes about a quarter of them.
const window = 16

func main() {
	sandbox.ServeIfAsked()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "\n"+err.Error())
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string) error {
	if len(args) != 1 {
		fmt.Fprint(os.Stderr, usage)
		return errors.New("one word is wanted: up, report or down")
	}
	if os.Geteuid() != 0 {
		return errors.New("the sandbox boots hosts of its own: it needs root (sudo make …)")
	}
	project, err := projectRoot()
	if err != nil {
		return err
	}
	if err := install(ctx, lab.Packages()); err != nil {
		return err
	}
	s, err := sandbox.Open(sandbox.Options{Project: project, Progress: progress, Output: os.Stdout})
	if err != nil {
		return err
	}
	switch args[0] {
	case "up":
		if _, err := s.Up(ctx); err != nil {
			return err
		}
		return report(ctx, s)
	case "report":
		if err := s.Prepare(ctx); err != nil {
			return err
		}
		return report(ctx, s)
	case "down":
		return s.Down(ctx)
	default:
		fmt.Fprint(os.Stderr, usage)
		return fmt.Errorf("%q is not known: up, report or down", args[0])
	}
}

func report(ctx context.Context, s *sandbox.Sandbox) error {
	r, err := s.Look(ctx, window)
	if err != nil {
		return err
	}
	r.Write(os.Stdout)
	if len(r.Problems) > 0 {
		return fmt.Errorf("%d problem(s), see above", len(r.Problems))
	}
	return nil
}

var begin = time.Now()

func progress(format string, args ...any) {
	fmt.Printf("[%5.1f s] %s\n", time.Since(begin).Seconds(), fmt.Sprintf(format, args...))
}

// projectRoot is the nearest directory upwards that holds Pulumi.yaml.
func projectRoot() (string, error) {
	dir, err := os.Getwd()
	if err != nil {
		return "", err
	}
	for d := dir; ; d = filepath.Dir(d) {
		if _, err := os.Stat(filepath.Join(d, "Pulumi.yaml")); err == nil {
			return d, nil
		}
		if d == filepath.Dir(d) {
			return "", fmt.Errorf("no Pulumi.yaml in %s or above: run this inside the repository", dir)
		}
	}
}

// install gets the Debian packages that the lab needs and the machine lacks.
func install(ctx context.Context, packages []string) error {
	var missing []string
	for _, p := range packages {
		out, err := exec.CommandContext(ctx, "dpkg-query", "-W", "-f", "${db:Status-Status}", p).Output()
		if err != nil || string(out) != "installed" {
			missing = append(missing, p)
		}
	}
	if len(missing) == 0 {
		return nil
	}
	progress("installing %s", strings.Join(missing, " "))
	for _, args := range [][]string{{"update", "-qq"}, append([]string{"install", "-y", "-qq", "--no-install-recommends"}, missing...)} {
		cmd := exec.CommandContext(ctx, "apt-get", args...)
		cmd.Env = append(os.Environ(), "DEBIAN_FRONTEND=noninteractive")
		if out, err := cmd.CombinedOutput(); err != nil {
			return fmt.Errorf("apt-get %s: %w\n%s", strings.Join(args, " "), err, out)
		}
	}
	return nil
}
