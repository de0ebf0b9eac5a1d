package scan

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/insight-icon/pulumi-icon/hardening"
	"github.com/insight-icon/pulumi-icon/sandbox/vm"
)

// howMachine is what the page says of a machine's figures.
const howMachine = "A full virtual machine (QEMU without help of the processor, 2 CPUs, 4 GiB) with the disk of a cloud image: a BIOS, " +
	"GRUB, Debian's cloud kernel, one root file system and an EFI partition; without cloud-init. It was hardened over one SSH session, " +
	"verified, booted again, verified once more, and scanned from inside. Packages come from the scan's own server."

// Machine hardens a full virtual machine by the first profile, boots it again, verifies and scans it. It takes an hour or so. What it
// finds is written to a file for ReadVM.
func Machine(ctx context.Context, opts Options, path string) (err error) {
	r := &run{ctx: ctx, opts: opts}
	if r.tools, err = ensureScanners(ctx, filepath.Join(opts.Dir, "cache"), opts.Progress); err != nil {
		return err
	}
	if r.lab, err = openLab(opts.Dir, opts.Progress); err != nil {
		return err
	}
	if err := r.lab.Prepare(ctx); err != nil {
		return err
	}
	// From here on no other network is needed.
	if done, err := vm.Apart(ctx); done || err != nil {
		return err
	}
	if r.work, err = os.MkdirTemp("", "scan-vm-"); err != nil {
		return err
	}
	defer os.RemoveAll(r.work)
	opts.Progress("making the machine's disk")
	r.machine, err = vm.Make(ctx, vm.Config{Dir: r.work, Tree: r.lab.Tree(), Packages: r.lab.Repository()})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, r.machine.Stop()) }()
	result := &VMResult{Date: time.Now().UTC(), How: howMachine, Profile: opts.Profiles[0]}
	if err := r.hardenMachine(result.Profile); err != nil {
		return err
	}
	opts.Progress("scanning (half an hour)")
	if result.Look, err = r.look("vm"); err != nil {
		return err
	}
	return WriteVM(path, result)
}

const bootedAgain = "booted again"

// hardenMachine hardens the machine and boots it again. That one can then log in, and all is as wanted, is half of what a machine is for.
func (r *run) hardenMachine(profile string) error {
	role, err := findRole(profile)
	if err != nil {
		return err
	}
	program, err := role.programFor(vm.Gateway, "http://"+vm.Gateway+"/")
	if err != nil {
		return err
	}
	if program, err = patient(program); err != nil {
		return err
	}
	r.opts.Progress("booting")
	if err := r.machine.Start(r.ctx); err != nil {
		return err
	}
	// Nothing tells it the time, and its clock counts for Lynis and for certificates.
	if _, err := r.machine.Exec(r.ctx, nil, "date", "--utc", "--set", time.Now().UTC().Format(time.DateTime)); err != nil {
		return err
	}
	r.opts.Progress("hardening by profile %s", profile)
	times, err := r.hardenTwice("vm", program)
	if err != nil {
		return err
	}
	r.opts.Progress("first run %.0f s, second %.0f s with %d changes", times.First.Seconds, times.Second.Seconds, times.Second.Changed)
	if times.Second.Changed > 0 {
		return fmt.Errorf("virtual machine: the second run changed %d things: want none", times.Second.Changed)
	}
	for _, state := range []string{"hardened", bootedAgain} {
		if state == bootedAgain {
			r.opts.Progress("booting again")
			if err := r.machine.Reboot(r.ctx); err != nil {
				return err
			}
		}
		if err := r.verifyMachine(program, state); err != nil {
			return err
		}
	}
	return nil
}

// verifyMachine fails with everything that is not as wanted, and with whatever only a container may leave out.
func (r *run) verifyMachine(program, state string) error {
	text, err := r.machine.Exec(r.ctx, strings.NewReader(program), "bash", "-s", "verify")
	if err != nil {
		return err
	}
	r.keep("verify-vm-"+strings.ReplaceAll(state, " ", "-")+".txt", text)
	errs := unwanted(text, state == bootedAgain)
	if failed, err := r.machine.Exec(r.ctx, nil, "systemctl", "list-units", "--failed", "--plain", "--no-legend"); err != nil {
		errs = append(errs, err)
	} else if failed != "" {
		errs = append(errs, fmt.Errorf("units have failed: %s", oneLine(failed)))
	}
	if len(errs) > 0 {
		return fmt.Errorf("virtual machine, %s, is not as wanted: %w", state, errors.Join(errs...))
	}
	r.opts.Progress("%s: all is as wanted", state)
	return nil
}

// unwanted is what a verification holds against the machine. What only a boot brings into force may wait for it, and no longer; nor may a
// control leave out here what it can only leave out in a container.
func unwanted(report string, booted bool) []error {
	var errs []error
	for line := range strings.Lines(report) {
		fields := strings.Split(strings.TrimSuffix(line, "\n"), "\t")
		switch {
		case fields[0] == "drift" && len(fields) >= 5:
			errs = append(errs, fmt.Errorf("%s: %s: expected %s, found %s", fields[1], fields[2], fields[3], fields[4]))
		case fields[0] == "control" && len(fields) >= 4 && fields[2] == "n/a":
			if strings.Contains(fields[3], "container") || booted && strings.Contains(fields[3], "next boot") {
				errs = append(errs, fmt.Errorf("%s is not in force: %s", fields[1], fields[3]))
			}
		}
	}
	return errs
}

var trialSeconds = regexp.MustCompile(`(?m)^TRIAL_SECONDS=\d+`)

// patient gives a machine as slow as this one more time to make its changes of access in than a host gets.
func patient(program string) (string, error) {
	if len(trialSeconds.FindAllString(program, -1)) != 1 {
		return "", errors.New("virtual machine: the hardening's program has no single line TRIAL_SECONDS=…: see hardening/scripts/engine")
	}
	return trialSeconds.ReplaceAllString(program, "TRIAL_SECONDS=600"), nil
}

// exec runs a program as root on the scanned host, or on the machine.
func (r *run) exec(name string, stdin io.Reader, argv ...string) (string, error) {
	if r.machine != nil {
		return r.machine.Exec(r.ctx, stdin, argv...)
	}
	return r.lab.Exec(r.ctx, name, stdin, argv...)
}

// sshTarget is how ssh-audit is told of the SSH server of a host, or of the machine.
func (r *run) sshTarget(name string) ([]string, error) {
	if r.machine != nil {
		return []string{"--port", fmt.Sprint(vm.Port), "127.0.0.1"}, nil
	}
	host, err := r.lab.Host(name)
	if err != nil {
		return nil, err
	}
	return []string{host.Private.String()}, nil
}

// programFor is what hardens a host of the role that is deployed to, and gets its packages, from an address. Sources that sign nothing are
// named by how they begin; a container needs none to be named.
func (r role) programFor(workstation string, unsigned ...any) (string, error) {
	profile, overrides := r.profile, hardening.Overrides{Parameters: map[string]map[string]any{}}
	if len(unsigned) > 0 {
		overrides.Parameters["packages"] = map[string]any{"unsignedSources": unsigned}
	}
	if profile == withLogHost {
		authority, err := logAuthority()
		if err != nil {
			return "", err
		}
		profile = "prep"
		overrides.Parameters["logs"] = map[string]any{"forwardTo": neighbour + ":6514", "forwardAuthority": authority}
	}
	facts := hardening.Facts{Role: profile, LoginUser: user, Runtime: r.runtime}
	if r.runtime != "" {
		facts.DataDir = dataDir
	}
	selection, problems := hardening.Resolve(profile, facts, overrides)
	for _, list := range problems {
		for _, p := range list {
			return "", fmt.Errorf("profile %s: %s %s", r.profile, p.Path, p.Text)
		}
	}
	packages := hardening.Rule{Protocol: "tcp", Ports: []int{80}, Networks: []string{workstation + "/32"}, Why: "Debian packages"}
	firewall := hardening.Firewall{
		In: r.in, Out: []hardening.Rule{packages, toTime},
		SSH: hardening.Rule{Protocol: "tcp", Ports: []int{22}, Networks: []string{workstation + "/32"}, Why: "administrators"},
	}
	rules, err := firewall.Render()
	if err != nil {
		return "", err
	}
	program, err := selection.Program(hardening.Live{
		Administrators: []string{workstation + "/32"}, Firewall: rules, Packages: slices.Concat([]string{"nftables", "chrony"}, r.packages),
	})
	return hardening.Step(program), err
}
