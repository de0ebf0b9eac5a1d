// Scan measures the hardening by scanners that others wrote: `make scan`. It needs root on a Debian 12 machine with Go.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/insight-icon/pulumi-icon/sandbox/lab"
	"github.com/insight-icon/pulumi-icon/sandbox/scan"
)

func main() {
	scan.ServeIfAsked()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx); err != nil {
		fmt.Fprintln(os.Stderr, "\n"+err.Error())
		os.Exit(1)
	}
}

func run(ctx context.Context) error {
	profiles := flag.String("profiles", "prep,prep-log,citizen,sentry,bastion", "profiles, separated by commas; with -fast the first one")
	fast := flag.Bool("fast", false, "one hardened host, no nmap, no comparison, no run on several hosts, and no report: for CI")
	devsec := flag.String("devsec", "", "directory of a release of dev-sec/ansible-collection-hardening to compare with")
	hosts := flag.Int("hosts", 8, "hosts at once in the timed run; 1 leaves it out")
	raw := flag.String("raw", "", "directory that gets what the scanners wrote")
	times := flag.Bool("times", false, "measure only the times again; all else is as the last scan with the same -raw found it")
	machine := flag.Bool("vm", false, "scan a full virtual machine hardened by the first profile, for the page's next writing; takes an hour")
	record := flag.Bool("record", false, "record the scores that later scans are held against")
	flag.Parse()
	if os.Geteuid() != 0 {
		return errors.New("the scan boots hosts of its own: it needs root (sudo make scan)")
	}
	project, err := projectRoot()
	if err != nil {
		return err
	}
	opts := scan.Options{
		Dir: lab.DefaultDir(project), Profiles: strings.Split(*profiles, ","), Fast: *fast, Hosts: *hosts, Raw: *raw,
		Progress: progress,
	}
	if *fast || *machine {
		opts.Profiles = opts.Profiles[:1]
	}
	if *machine {
		return scan.Machine(ctx, opts, filepath.Join(project, vmResults))
	}
	if opts.Collection, err = scan.OpenCollection(*devsec); err != nil {
		return err
	}
	if *times {
		if opts.Again, err = scan.ReadResult(*raw); err != nil {
			return err
		}
		opts.Profiles = []string{opts.Again.Profiles[0].Profile}
	}
	return measure(ctx, opts, project, *record)
}

// vmResults are kept: not every scan boots a virtual machine.
var vmResults = filepath.Join("sandbox", "scan", "vm-results.json")

func measure(ctx context.Context, opts scan.Options, project string, record bool) error {
	waivers, err := scan.Waivers()
	if err != nil {
		return err
	}
	recorded := filepath.Join(project, "sandbox", "scan", "scores.json")
	scores, err := scan.ReadScores(recorded)
	if err != nil {
		return err
	}
	vm, err := scan.ReadVM(filepath.Join(project, vmResults))
	if err != nil {
		return err
	}
	result, err := scan.Run(ctx, opts)
	if err != nil {
		return err
	}
	if !opts.Fast {
		result.VM = vm
	}
	report := scan.NewReport(result, waivers)
	report.Summary(os.Stdout)
	if !opts.Fast {
		if err := writePage(filepath.Join(project, "docs", "hardening-report.md"), report); err != nil {
			return err
		}
	}
	for _, name := range scan.Unrecorded(scores, result.Scores()) {
		progress("nothing is recorded to compare with: %s", name)
	}
	err = errors.Join(report.Problems(), scan.Regressions(scores, result.Scores()))
	if record && err == nil {
		return scan.WriteScores(recorded, result.Scores())
	}
	return err
}

func writePage(path string, report *scan.Report) error {
	if err := os.WriteFile(path, []byte(report.Markdown()), 0o644); err != nil {
		return err
	}
	progress("wrote %s", path)
	return nil
}

var begin = time.Now()

func progress(format string, args ...any) {
	fmt.Printf("[%6.1f s] %s\n", time.Since(begin).Seconds(), fmt.Sprintf(format, args...))
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
