// Package scan measures what the hardening is worth by scanners that others wrote, on hosts of this very machine: before and after, side
// by side with dev-sec's Ansible roles. It writes docs/hardening-report.md, and fails when a finding stays open without a reason or a
// figure is worse than the one recorded.
package scan

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"sync"
	"syscall"
	"time"

	"github.com/insight-icon/pulumi-icon/sandbox/lab"
	"github.com/insight-icon/pulumi-icon/sandbox/vm"
)

// Options of a scan.
type Options struct {
	// Dir keeps scanners, images and hosts. It must not be on an overlay filesystem.
	Dir string
	// Profiles to scan. Default: prep.
	Profiles []string
	// Fast leaves out the fresh host, nmap, the comparison and the run on several hosts.
	Fast bool
	// Collection to compare with, nil for none.
	Collection *Collection
	// Hosts at once in the timed run. Default 8.
	Hosts int
	// Raw, if not empty, is a directory that gets what the scanners wrote.
	Raw string
	// Again, if not nil, is what an earlier scan found: only its times are measured again. A machine that is busy has few quiet minutes.
	Again *Result
	// Progress gets a line for whatever takes time.
	Progress func(format string, args ...any)
}

// Result is what a scan found.
type Result struct {
	Date      time.Time
	Scanners  []string
	Fallbacks []string
	// Notes are what a reader has to know of how this scan went, whole sentences.
	Notes []string `json:",omitempty"`
	// Fresh is a host before anything was done to it.
	Fresh *Look
	// Profiles in the order asked for.
	Profiles []ProfileResult
	// DevSec is the comparison, nil if it was left out.
	DevSec *DevSecResult
	// Many is the timed run on several hosts at once, nil if it was left out.
	Many *ManyResult
	// VM is what was found on a full virtual machine, measured before, nil if it was not.
	VM *VMResult
}

// ProfileResult is what hardening by one profile came to.
type ProfileResult struct {
	Profile string
	Look    *Look
	Times   Times
}

// DevSecResult is what dev-sec's os_hardening and ssh_hardening came to.
type DevSecResult struct {
	Version string
	Look    *Look
	Times   Times
}

// ManyResult are seconds for several hosts at once: until the last of them was done.
type ManyResult struct {
	Hosts        int
	Ours, DevSec Times
}

type run struct {
	ctx  context.Context
	opts Options
	lab  *lab.Lab
	// machine is scanned instead of the lab's hosts, if it is not nil.
	machine *vm.Machine
	tools   *Scanners
	work    string
}

// Run scans. The lab is taken down at the end, whatever happens.
func Run(ctx context.Context, opts Options) (result *Result, err error) {
	if len(opts.Profiles) == 0 {
		opts.Profiles = []string{"prep"}
	}
	if opts.Hosts == 0 {
		opts.Hosts = 8
	}
	r := &run{ctx: ctx, opts: opts}
	unlock, err := r.lock()
	if err != nil {
		return nil, err
	}
	defer unlock()
	if r.work, err = os.MkdirTemp("", "scan-"); err != nil {
		return nil, err
	}
	defer os.RemoveAll(r.work)
	if r.tools, err = ensureScanners(ctx, filepath.Join(opts.Dir, "cache"), opts.Progress); err != nil {
		return nil, err
	}
	if r.lab, err = openLab(opts.Dir, opts.Progress); err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, r.lab.Down(context.WithoutCancel(ctx))) }()
	if err := r.lab.Down(ctx); err != nil { // what an interrupted scan left
		return nil, err
	}
	if opts.Again != nil {
		return opts.Again, r.again(opts.Again)
	}
	result = &Result{Date: time.Now().UTC(), Scanners: r.tools.Versions, Fallbacks: r.tools.Fallbacks}
	err = r.all(result)
	if text, failed := json.MarshalIndent(result, "", " "); failed == nil {
		r.keep(resultFile, string(text))
	}
	return result, err
}

// resultFile, among the raw files, is the whole result.
const resultFile = "result.json"

func (r *run) all(result *Result) error {
	if !r.opts.Fast {
		if err := r.boot(10, neighbourHost); err != nil {
			return err
		}
		if err := r.compare(result); err != nil {
			return fmt.Errorf("dev-sec: %w", err)
		}
	}
	for i, profile := range r.opts.Profiles {
		found, err := r.profile(profile, i == 0, result)
		if err != nil {
			return fmt.Errorf("profile %s: %w", profile, err)
		}
		result.Profiles = append(result.Profiles, *found)
	}
	if r.opts.Fast {
		return nil
	}
	return r.many(result)
}

// profile hardens a fresh host and scans it; the first one also before.
func (r *run) profile(profile string, first bool, result *Result) (*ProfileResult, error) {
	role, err := findRole(profile)
	if err != nil {
		return nil, err
	}
	program, err := role.program()
	if err != nil {
		return nil, err
	}
	if err := r.boot(20, profile); err != nil {
		return nil, err
	}
	if first && !r.opts.Fast {
		r.opts.Progress("scanning a fresh host")
		if result.Fresh, err = r.lookAs("fresh", profile); err != nil {
			return nil, err
		}
	}
	r.opts.Progress("hardening by profile %s", profile)
	found := &ProfileResult{Profile: profile}
	if found.Times, err = r.hardenTwice(profile, program); err != nil {
		return nil, err
	}
	r.opts.Progress("first run %.1f s, second %.1f s; scanning", found.Times.First.Seconds, found.Times.Second.Seconds)
	if found.Look, err = r.look(profile); err != nil {
		return nil, err
	}
	if !r.opts.Fast {
		if err := r.lookFromSegments(profile, found.Look); err != nil {
			return nil, err
		}
	}
	if err := r.units(profile, found.Look, role.units); err != nil {
		return nil, err
	}
	return found, r.remove(profile)
}

// lookAs is look with the raw files of another name.
func (r *run) lookAs(name, host string) (*Look, error) {
	look, err := r.look(host)
	if r.opts.Raw == "" || err != nil {
		return look, err
	}
	files, err := filepath.Glob(filepath.Join(r.opts.Raw, "*-"+host+".*"))
	for _, file := range files {
		base := filepath.Base(file)
		stem := base[:len(base)-len(filepath.Ext(base))-len(host)]
		err = errors.Join(err, os.Rename(file, filepath.Join(r.opts.Raw, stem+name+filepath.Ext(base))))
	}
	return look, err
}

// compare hardens a host with dev-sec's roles, if they are there.
func (r *run) compare(result *Result) error {
	if r.opts.Collection == nil {
		return nil
	}
	r.opts.Progress("comparing with devsec.hardening %s", r.opts.Collection.Version)
	if err := r.installAnsible(r.opts.Collection); err != nil {
		return err
	}
	if err := r.boot(20, "devsec"); err != nil {
		return err
	}
	d := &DevSecResult{Version: r.opts.Collection.Version}
	var err error
	if d.Times, err = r.playTwice("devsec"); err != nil {
		return err
	}
	r.opts.Progress("first run %.1f s, second %.1f s; scanning", d.Times.First.Seconds, d.Times.Second.Seconds)
	if d.Look, err = r.look("devsec"); err != nil {
		return err
	}
	result.DevSec = d
	return r.remove("devsec")
}

// many hardens several fresh hosts at once, by both.
func (r *run) many(result *Result) error {
	if r.opts.Hosts < 2 {
		return nil
	}
	role, err := findRole(r.opts.Profiles[0])
	if err != nil {
		return err
	}
	program, err := role.program()
	if err != nil {
		return err
	}
	names := make([]string, r.opts.Hosts)
	for i := range names {
		names[i] = fmt.Sprintf("many-%d", i+1)
	}
	m := &ManyResult{Hosts: r.opts.Hosts}
	if err := r.boot(30, names...); err != nil {
		return err
	}
	r.opts.Progress("hardening %d hosts at once", r.opts.Hosts)
	if m.Ours.First, err = r.hardenAll(names, program); err == nil {
		m.Ours.Second, err = r.hardenAll(names, program)
	}
	if err = errors.Join(err, r.remove(names...)); err != nil {
		return err
	}
	r.opts.Progress("first run %.1f s, second %.1f s", m.Ours.First.Seconds, m.Ours.Second.Seconds)
	if r.opts.Collection != nil {
		if err := r.boot(30, names...); err != nil {
			return err
		}
		r.opts.Progress("dev-sec's roles on %d hosts at once", r.opts.Hosts)
		if m.DevSec, err = r.playTwice(names...); err != nil {
			return err
		}
		r.opts.Progress("first run %.1f s, second %.1f s", m.DevSec.First.Seconds, m.DevSec.Second.Seconds)
		if err := r.remove(names...); err != nil {
			return err
		}
	}
	result.Many = m
	return nil
}

func (r *run) hardenAll(names []string, program string) (Applied, error) {
	begin := time.Now()
	results, errs := make([]Applied, len(names)), make([]error, len(names))
	var wait sync.WaitGroup
	for i, name := range names {
		wait.Go(func() { results[i], errs[i] = r.harden(name, program) })
	}
	wait.Wait()
	all := Applied{Seconds: time.Since(begin).Seconds()}
	for _, one := range results {
		all.Changed += one.Changed
	}
	return all, errors.Join(errs...)
}

// keep writes what a scanner said for whoever wants to look closer. It must not fail a scan.
func (r *run) keep(name, text string) {
	if r.opts.Raw != "" {
		if err := os.WriteFile(filepath.Join(r.opts.Raw, name), []byte(text), 0o600); err != nil {
			r.opts.Progress("cannot keep %s: %v", name, err)
		}
	}
}

func round(f float64) float64 { return math.Round(f*10) / 10 }

// lock keeps two scans on one machine from taking each other's hosts away.
func (r *run) lock() (func(), error) {
	if err := os.MkdirAll(r.opts.Dir, 0o755); err != nil {
		return nil, err
	}
	file, err := os.OpenFile(filepath.Join(r.opts.Dir, "scan.lock"), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, err
	}
	if err := syscall.Flock(int(file.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		return nil, errors.Join(fmt.Errorf("another scan is under way (%s): wait for its end", file.Name()), file.Close())
	}
	return func() { file.Close() }, nil
}
