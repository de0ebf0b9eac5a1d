package lab

import (
	"bufio"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"
)

// mountsBelow lists the mount points at and below a directory, in the order they were mounted.
func mountsBelow(dir string) ([]string, error) {
	file, err := os.Open("/proc/self/mountinfo")
	if err != nil {
		return nil, err
	}
	defer file.Close()
	var points []string
	lines := bufio.NewScanner(file)
	for lines.Scan() {
		fields := strings.Fields(lines.Text())
		if len(fields) > 4 && (fields[4] == dir || strings.HasPrefix(fields[4], dir+"/")) {
			points = append(points, fields[4])
		}
	}
	return points, lines.Err()
}

// unmountBelow unmounts everything at and below a directory. A mount may stay busy for a moment after its users were killed.
func unmountBelow(dir string) error {
	points, err := mountsBelow(dir)
	if err != nil {
		return err
	}
	slices.Reverse(points)
	for _, point := range points {
		for end := time.Now().Add(5 * time.Second); ; time.Sleep(20 * time.Millisecond) {
			err := syscall.Unmount(point, 0)
			if err == nil {
				break
			}
			if !errors.Is(err, syscall.EBUSY) || time.Now().After(end) {
				return fmt.Errorf("unmount %s: %w: end the processes that use it (fuser -vm %s)", point, err, point)
			}
		}
	}
	return nil
}

// removeTree removes a directory for good, after everything mounted in it: what is mounted must not be deleted with it.
func removeTree(dir string) error {
	dir, err := filepath.Abs(dir)
	if err != nil {
		return err
	}
	if err := unmountBelow(dir); err != nil {
		return err
	}
	return os.RemoveAll(dir)
}

// mountRoot puts a host's own layer on top of the shared base image. Mounted already is fine.
func (l *Lab) mountRoot(name string) (string, error) {
	dir := l.hostDir(name)
	root := filepath.Join(dir, "root")
	for _, sub := range []string{"upper", "work", "root"} {
		if err := os.MkdirAll(filepath.Join(dir, sub), 0o755); err != nil {
			return "", err
		}
	}
	if points, err := mountsBelow(root); err != nil || len(points) > 0 {
		return root, err
	}
	options := fmt.Sprintf("lowerdir=%s,upperdir=%s/upper,workdir=%s/work", l.baseDir(), dir, dir)
	if err := syscall.Mount("overlay", root, "overlay", 0, options); err != nil {
		return "", fmt.Errorf("host %s: overlay mount on %s: %w (the state directory must be on a plain filesystem such as ext4 or xfs, "+
			"not itself on an overlay: set ICON_SANDBOX_DIR)", name, root, err)
	}
	return root, nil
}

func isNoDevice(err error) bool { return errors.Is(err, syscall.ENODEV) }
