// Command sandbox deploys a sentry-fronted ICON installation for real on this machine: hosts, network, `pulumi up`, report.
package main

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"syscall"
	"time"

	"github.com/insight-icon/pulumi-icon/sandbox"
)

const usage = `usage: sandbox up|report|down|bench|tools

  up      makes what is missing (tools, hosts, network), runs pulumi up --stack sandbox, and reports
  report  asks nodes and network again and scans the P-Rep from the internet segment
  down    removes hosts, segments and stacks, those of interrupted tests too; tools and images are kept for the next time
  bench   measures a deployment on hosts of its own, and removes them
  tools   builds what is missing of pulumi, its plugins and goloop, and says where they are

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
		return errors.New("one word is wanted: up, report, down, bench or tools")
	}
	if os.Geteuid() != 0 {
		return errors.New("the sandbox boots hosts of its own: it needs root (sudo make …)")
	}
	project, err := projectRoot()
	if err != nil {
		return err
	}
	if err := install(ctx, project); err != nil {
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
		return s.DownAll(ctx)
	case "bench":
		return bench(ctx, project)
	case "tools":
		if err := s.Prepare(ctx); err != nil {
			return err
		}
		fmt.Printf("pulumi                   %s\npulumi-language-go       %s\n", s.Tools.Pulumi, s.Tools.LanguageHost)
		fmt.Printf("pulumi-resource-command  %s\ngoloop                   %s\n", s.Tools.CommandPlugin, s.Tools.Goloop)
		if s.Tools.StandIn {
			fmt.Println("pulumi-resource-command is a stand-in, because the real plugin is neither installed nor downloadable here")
		}
		return nil
	default:
		fmt.Fprint(os.Stderr, usage)
		return fmt.Errorf("%q is not known: up, report, down, bench or tools", args[0])
	}
}

func report(ctx context.Context, s *sandbox.Sandbox) error {
	r, err := s.Look(ctx, window, true)
	if err != nil {
		return err
	}
	r.Write(os.Stdout)
	if len(r.Problems) > 0 {
		return fmt.Errorf("%d problem(s), see above", len(r.Problems))
	}
	return nil
}

// bench measures on a sandbox of its own, so that one that is up is left alone.
func bench(ctx context.Context, project string) error {
	s, err := sandbox.Open(sandbox.Options{
		Project: project, Stack: "bench", Lab: "bench", Progress: progress,
		Internet: netip.MustParsePrefix("10.77.31.0/24"), Private: netip.MustParsePrefix("10.77.32.0/24"),
	})
	if err != nil {
		return err
	}
	if err := s.Down(ctx); err != nil {
		return err
	}
	if err := s.Prepare(ctx); err != nil {
		return err
	}
	progress("measuring a deployment")
	f, err := s.Measure(ctx)
	if err == nil {
		f.Write(os.Stdout)
	}
	// Interrupted or not, the hosts go.
	return errors.Join(err, s.Down(context.WithoutCancel(ctx)))
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

// install gets the Debian packages that the sandbox needs and the machine lacks.
func install(ctx context.Context, project string) error {
	cmd := exec.CommandContext(ctx, "bash", filepath.Join(project, "sandbox", "install-packages.sh"))
	cmd.Stdout, cmd.Stderr = os.Stdout, os.Stderr
	if err := cmd.Run(); err != nil {
		return fmt.Errorf("sandbox/install-packages.sh: %w", err)
	}
	return nil
}
