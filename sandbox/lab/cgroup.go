package lab

import (
	"bufio"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"
)

// cgroups are the mount points a lab makes its groups in. A machine of today has the unified hierarchy alone; one that still
// mounts cgroup v1 has it besides, with a named "systemd" hierarchy that nspawn then also wants a group in.
type cgroups struct {
	unified string
	named   string
}

func findCgroups(mountinfo string) (cgroups, error) {
	file, err := os.Open(mountinfo)
	if err != nil {
		return cgroups{}, err
	}
	defer file.Close()
	var cg cgroups
	for lines := bufio.NewScanner(file); lines.Scan(); {
		mount, kind, found := strings.Cut(lines.Text(), " - ")
		where, options := strings.Fields(mount), strings.Fields(kind)
		if !found || len(where) < 5 || len(options) < 3 {
			continue
		}
		switch {
		case options[0] == "cgroup2" && cg.unified == "":
			cg.unified = where[4]
		case options[0] == "cgroup" && slices.Contains(strings.Split(options[2], ","), "name=systemd"):
			cg.named = where[4]
		}
	}
	if cg.unified == "" {
		return cgroups{}, errors.New("no cgroup v2 hierarchy is mounted: the sandbox needs one at /sys/fs/cgroup or /sys/fs/cgroup/unified")
	}
	return cg, nil
}

// group names the cgroup of one host or service of the lab; name "" is the whole lab.
func (l *Lab) group(name string) string { return filepath.Join("sandbox-"+l.cfg.Name, name) }

// buildGroup names the cgroup of what fills the cache. The cache may serve several labs.
func (l *Lab) buildGroup() string { return "sandbox-build-" + recipeKey([]string{l.cfg.Dir}) + "/now" }

// paths lists a cgroup's directory in each hierarchy, the unified one first.
func (cg cgroups) paths(group string) []string {
	paths := []string{filepath.Join(cg.unified, group)}
	if cg.named != "" {
		paths = append(paths, filepath.Join(cg.named, group))
	}
	return paths
}

// join makes a cgroup and returns the shell command, to be followed by a program's own arguments, that runs the program in it.
// The shell joins before it becomes the program: there is no moment outside of the group.
func (cg cgroups) join(group string) ([]string, error) {
	const script = `while [ "$1" != -- ]; do echo $$ > "$1" || exit 1; shift; done; shift; exec "$@"`
	command := []string{"/bin/sh", "-c", script, "sh"}
	for i, dir := range cg.paths(group) {
		if err := os.MkdirAll(dir, 0o755); err != nil {
			return nil, fmt.Errorf("cgroup: %w", err)
		}
		if i == 0 {
			if err := enableControllers(filepath.Dir(dir)); err != nil {
				return nil, err
			}
		}
		command = append(command, filepath.Join(dir, "cgroup.procs"))
	}
	return append(command, "--"), nil
}

// enableControllers passes on what the hosts' units use for their limits, as far as the machine offers it.
func enableControllers(group string) error {
	offered, err := os.ReadFile(filepath.Join(group, "cgroup.controllers"))
	if err != nil {
		return fmt.Errorf("cgroup: %w", err)
	}
	for _, controller := range strings.Fields(string(offered)) {
		if controller != "cpu" && controller != "memory" && controller != "pids" {
			continue
		}
		if err := os.WriteFile(filepath.Join(group, "cgroup.subtree_control"), []byte("+"+controller), 0); err != nil {
			return fmt.Errorf("cgroup: pass on controller %s: %w", controller, err)
		}
	}
	return nil
}

// kill ends every process below a cgroup at once, waits until they are gone, and removes the group from all hierarchies.
// A group that does not exist is fine.
func (cg cgroups) kill(group string) error {
	paths := cg.paths(group)
	if _, err := os.Stat(paths[0]); err == nil {
		if err := os.WriteFile(filepath.Join(paths[0], "cgroup.kill"), []byte("1"), 0); err != nil {
			return fmt.Errorf("cgroup: kill (needs Linux 5.14 or newer): %w", err)
		}
		if err := waitEmpty(paths[0], 20*time.Second); err != nil {
			return err
		}
	}
	for _, dir := range paths {
		if err := removeGroup(dir); err != nil {
			return err
		}
	}
	return nil
}

func waitEmpty(group string, bound time.Duration) error {
	for end := time.Now().Add(bound); ; time.Sleep(10 * time.Millisecond) {
		events, err := os.ReadFile(filepath.Join(group, "cgroup.events"))
		if err != nil {
			return fmt.Errorf("cgroup: %w", err)
		}
		if strings.Contains(string(events), "populated 0") {
			return nil
		}
		if time.Now().After(end) {
			pids, err := groupPids(group)
			return errors.Join(fmt.Errorf("cgroup %s: processes %v are killed and still there after %s", group, pids, bound), err)
		}
	}
}

// removeGroup removes a cgroup and those below it, deepest first: rmdir is the only way a cgroup goes.
func removeGroup(group string) error {
	var dirs []string
	err := filepath.WalkDir(group, func(path string, entry fs.DirEntry, err error) error {
		if err == nil && entry.IsDir() {
			dirs = append(dirs, path)
		}
		return err
	})
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("cgroup: %w", err)
	}
	slices.Reverse(dirs)
	for _, dir := range dirs {
		if err := os.Remove(dir); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("cgroup: %w", err)
		}
	}
	return nil
}

// pids lists the processes of a cgroup and those below it. A group that does not exist has none.
func (cg cgroups) pids(group string) ([]int, error) { return groupPids(cg.paths(group)[0]) }

func groupPids(group string) ([]int, error) {
	var pids []int
	err := filepath.WalkDir(group, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.Name() != "cgroup.procs" {
			return ignoreGone(err)
		}
		data, err := os.ReadFile(path)
		for _, field := range strings.Fields(string(data)) {
			pid, convErr := strconv.Atoi(field)
			if convErr != nil {
				return fmt.Errorf("%s: %w", path, convErr)
			}
			pids = append(pids, pid)
		}
		return ignoreGone(err)
	})
	return pids, err
}

// ignoreGone lets a walk go on over a group or process that ended meanwhile.
func ignoreGone(err error) error {
	if errors.Is(err, fs.ErrNotExist) || isNoDevice(err) {
		return nil
	}
	return err
}
