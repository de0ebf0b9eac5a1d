package lab

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// Every systemd holds about nine inotify instances, and the kernel allows root 128 by default: a fourteenth host would hang while it
// boots. The limit is raised while there is a lab, and put back when the last one goes.
const (
	instancesWanted = 2048
	instancesLimit  = "/proc/sys/fs/inotify/max_user_instances"
	instancesBefore = "/run/icon-sandbox-inotify"
)

func (l *Lab) raiseLimits() error {
	text, err := os.ReadFile(instancesLimit)
	if err != nil {
		return err
	}
	have, err := strconv.Atoi(strings.TrimSpace(string(text)))
	if err != nil {
		return fmt.Errorf("%s: %w", instancesLimit, err)
	}
	if have >= instancesWanted {
		return nil
	}
	if err := os.WriteFile(instancesBefore, text, 0o600); err != nil {
		return err
	}
	l.cfg.Progress("%s: %d while there is a sandbox, was %d", instancesLimit, instancesWanted, have)
	return os.WriteFile(instancesLimit, []byte(strconv.Itoa(instancesWanted)), 0)
}

func restoreLimits() error {
	others, err := filepath.Glob("/run/netns/*-switch")
	if err != nil || len(others) > 0 {
		return err
	}
	text, err := os.ReadFile(instancesBefore)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	return errors.Join(os.WriteFile(instancesLimit, text, 0), os.Remove(instancesBefore))
}
