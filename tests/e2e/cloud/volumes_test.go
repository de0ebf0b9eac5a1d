//go:build sandbox

package cloud

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
)

// file is where a volume, or a snapshot of one, is kept.
func (a *aws) file(id string) string { return filepath.Join(a.dir, id+".img") }

// size is that of a volume in bytes.
func size(o order) int64 {
	gib, _ := o.Resource.Properties["size"].(float64)
	return int64(gib) << 30
}

// makeVolume makes a blank volume, or a copy of a snapshot.
func (a *aws) makeVolume(ctx context.Context, o order) error {
	v := &volume{file: a.file(o.Resource.ID)}
	if snapshot := o.text("snapshotId"); snapshot != "" {
		if err := copyFile(ctx, a.file(snapshot), v.file); err != nil {
			return fmt.Errorf("InvalidSnapshot.NotFound: %s: %w", snapshot, err)
		}
	} else if err := os.WriteFile(v.file, nil, 0o600); err != nil {
		return err
	}
	if err := os.Truncate(v.file, size(o)); err != nil {
		return err
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	a.volumes[o.Resource.ID] = v
	return nil
}

func (a *aws) growVolume(ctx context.Context, o order) error {
	v := a.volume(o.Resource.ID)
	if err := os.Truncate(v.file, size(o)); err != nil || v.held == nil {
		return err
	}
	return run(ctx, "losetup", "--set-capacity", v.device)
}

func (a *aws) removeVolume(_ context.Context, o order) error {
	return os.Remove(a.file(o.Resource.ID))
}

func (a *aws) volume(id string) *volume {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.volumes[id]
}

// snapshot copies a volume, whatever is mounted: as a snapshot of EBS it may hold what a power cut would have left.
func (a *aws) snapshot(ctx context.Context, volume, snapshot string) error {
	return copyFile(ctx, a.file(volume), a.file(snapshot))
}

func copyFile(ctx context.Context, from, to string) error {
	return run(ctx, "cp", "--sparse=always", from, to)
}

func run(ctx context.Context, name string, args ...string) error {
	if out, err := exec.CommandContext(ctx, name, args...).CombinedOutput(); err != nil {
		return fmt.Errorf("%s %q: %w: %s", name, args, err, out)
	}
	return nil
}

// attach gives a machine a volume, at once or, if it is off, when it is started.
func (a *aws) attach(ctx context.Context, o order) error {
	m, err := a.machine(o.text("instanceId"))
	if err != nil {
		return err
	}
	v := a.volume(o.text("volumeId"))
	if err := v.open(ctx); err != nil {
		return err
	}
	link := "/dev/disk/by-id/nvme-Amazon_Elastic_Block_Store_" + strings.ReplaceAll(o.text("volumeId"), "-", "")
	m.devices = fmt.Sprintf("b %s 0600 root root - 7:%s\nd /dev/disk/by-id\nL %s - - - - %s\n",
		v.device, strings.TrimPrefix(v.device, "/dev/loop"), link, v.device)
	if h, err := box.Lab.Host(m.host); err != nil || !h.Running {
		return err
	}
	return m.plug(ctx)
}

// plug makes a machine see its volume as a block device with the link that udev makes on a real one, now and at its next boots: udev does
// not run in a container, and systemd there waits for no device.
func (m *machine) plug(ctx context.Context) error {
	_, err := box.Lab.Exec(ctx, m.host, strings.NewReader(m.devices), "bash", "-c", `set -e; cat >/etc/tmpfiles.d/lab.conf
		d='/etc/systemd/system/var-lib-icon\x2dnode.mount.d'; mkdir -p "$d"
		printf '[Unit]\nAfter=systemd-tmpfiles-setup-dev.service\n' >"$d/lab.conf"
		systemd-tmpfiles --create /etc/tmpfiles.d/lab.conf; systemctl daemon-reload`)
	return err
}

// detach stops the machine first if it is told to, as the provider does, which does not start it again.
func (a *aws) detach(ctx context.Context, o order) error {
	m, err := a.machine(o.text("instanceId"))
	if err != nil {
		return err
	}
	if o.Resource.Properties["stopInstanceBeforeDetaching"] != true {
		return errors.New("the stand-in detaches no volume from a machine that runs")
	}
	if h, err := box.Lab.Host(m.host); err != nil {
		return err
	} else if h.Running {
		if _, err := box.Lab.Exec(ctx, m.host, nil, "rm", "/etc/tmpfiles.d/lab.conf"); err != nil {
			return err
		}
	}
	m.devices = ""
	if err := a.stop(ctx, m); err != nil {
		return err
	}
	a.volume(o.text("volumeId")).close()
	return nil
}

// open makes a volume a block device of this machine, which goes away with this process, however that ends.
func (v *volume) open(ctx context.Context) error {
	if v.held != nil {
		return fmt.Errorf("VolumeInUse: %s", v.file)
	}
	out, err := exec.CommandContext(ctx, "losetup", "--find", "--show", v.file).Output()
	if err != nil {
		return fmt.Errorf("losetup: %w", err)
	}
	v.device = strings.TrimSpace(string(out))
	v.held, err = os.Open(v.device)
	// In use as it is, it is detached when its last user is gone.
	return errors.Join(err, run(ctx, "losetup", "--detach", v.device))
}

func (v *volume) close() {
	if v.held != nil {
		v.held.Close()
		v.held = nil
	}
}

// names are what is in the cloud: the program's names by the cloud's.
func (a *aws) names() (map[string]string, error) {
	text, err := os.ReadFile(filepath.Join(a.dir, "cloud.json"))
	if err != nil {
		return nil, err
	}
	var cloud struct {
		Resources map[string]struct{ Name string }
	}
	if err := json.Unmarshal(text, &cloud); err != nil {
		return nil, err
	}
	all := map[string]string{}
	for id, r := range cloud.Resources {
		all[id] = r.Name
	}
	return all, nil
}

// there lists what is in the cloud by the program's names.
func (a *aws) there() ([]string, error) {
	names, err := a.names()
	return slices.Sorted(maps.Values(names)), err
}

// id is what the cloud calls a resource, "" if it is not there.
func (a *aws) id(name string) (string, error) {
	names, err := a.names()
	for id, n := range names {
		if n == name {
			return id, err
		}
	}
	return "", err
}
