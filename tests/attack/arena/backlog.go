package arena

import (
	"errors"
	"io/fs"
	"os"
)

// The kernel has one length for the queues of packets that wait for a processor, for all namespaces. Sentries are given a longer one
// than hosts have by default (sentry.Sysctl); so is this machine while an arena is up.
const (
	backlogSetting = "/proc/sys/net/core/netdev_max_backlog"
	backlogBefore  = "/run/lock/icon-attack.backlog"
	backlog        = "16384"
)

// longBacklog sets it, and keeps what it was in a file, for whoever removes the arena.
func longBacklog() error {
	was, err := os.ReadFile(backlogSetting)
	if err != nil {
		return err
	}
	if err := os.WriteFile(backlogBefore, was, 0o600); err != nil {
		return err
	}
	return os.WriteFile(backlogSetting, []byte(backlog), 0)
}

// oldBacklog puts back what there was; nothing if it was put back already.
func oldBacklog() error {
	was, err := os.ReadFile(backlogBefore)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	return errors.Join(os.WriteFile(backlogSetting, was, 0), os.Remove(backlogBefore))
}
