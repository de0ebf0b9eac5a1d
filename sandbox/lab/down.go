package lab

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"strings"
)

// nspawnDirs are where nspawn keeps a directory or file for each machine it runs; it leaves them when it is killed.
var nspawnDirs = []string{"/run/systemd/nspawn/propagate", "/run/systemd/nspawn/unix-export"}

// Down removes the lab: processes, cgroups, network, mounts and the running state with the hosts' disks and the administrator's
// key. It goes by what is there, not by records, so it also cleans up after an interrupted Boot, and running it twice is fine.
// The cache of images and packages stays.
func (l *Lab) Down(ctx context.Context) error {
	return l.locked(ctx, func(ctx context.Context) error {
		if err := l.cg.kill(l.group("")); err != nil {
			return err
		}
		errs := []error{l.dropUnfinished(), l.segmentsDown(ctx), removeTree(l.runDir())}
		for _, dir := range nspawnDirs {
			left, err := filepath.Glob(filepath.Join(dir, l.machine("*")))
			errs = append(errs, err)
			for _, path := range left {
				errs = append(errs, removeTree(path))
			}
		}
		errs = append(errs, restoreLimits())
		if err := errors.Join(errs...); err != nil {
			return err
		}
		left, err := l.leftovers()
		if err == nil && len(left) > 0 {
			err = fmt.Errorf("sandbox %q is not quite gone, left are: %s", l.cfg.Name, strings.Join(left, ", "))
		}
		return err
	})
}

func (l *Lab) segmentsDown(ctx context.Context) error {
	// The switch goes with its bridges and both ends of every cable; its end here is removed by name in case the namespace
	// was never made or something holds on to it.
	names, err := l.netnsOfLab()
	errs := []error{err}
	if _, err := net.InterfaceByName(l.adminLink()); err == nil {
		errs = append(errs, ip(ctx, "", "link del "+l.adminLink()))
	}
	for _, name := range names {
		errs = append(errs, unplug(ctx, name))
	}
	return errors.Join(errs...)
}

// leftovers lists what is still there of the lab.
func (l *Lab) leftovers() ([]string, error) {
	left, err := mountsBelow(l.runDir())
	errs := []error{err}
	names, err := l.netnsOfLab()
	errs = append(errs, err)
	for _, name := range names {
		left = append(left, "network namespace "+name)
	}
	if _, err := net.InterfaceByName(l.adminLink()); err == nil {
		left = append(left, "network device "+l.adminLink())
	}
	for _, path := range append(l.cg.paths(l.group("")), l.runDir()) {
		if _, err := os.Lstat(path); err == nil {
			left = append(left, path)
		} else if !errors.Is(err, fs.ErrNotExist) {
			errs = append(errs, err)
		}
	}
	return left, errors.Join(errs...)
}
