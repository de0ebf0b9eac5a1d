package lab

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/netip"
	"path/filepath"
	"slices"
)

// Connect gives a host that runs an address on the internet segment, as a cloud does with a machine that has none; it keeps the address
// until Disconnect.
func (l *Lab) Connect(ctx context.Context, name string, addr netip.Addr) error {
	return l.locked(ctx, func(ctx context.Context) error {
		spec, err := l.record(name)
		if err != nil {
			return err
		}
		if spec.Internet.IsValid() {
			return fmt.Errorf("host %s has the address %s on the internet segment", name, spec.Internet)
		}
		others, err := l.records()
		if err != nil {
			return err
		}
		others = slices.DeleteFunc(others, func(other HostSpec) bool { return other.Name == name })
		spec.Internet = addr
		if err := l.checkSpecs([]HostSpec{spec}, others); err != nil {
			return err
		}
		card := l.nics(spec)[0]
		path, file := card.config()
		if err := writeFiles(filepath.Join(l.hostDir(name), "root"), map[string]File{path: file}); err != nil {
			return err
		}
		if err := l.note(spec); err != nil {
			return err
		}
		if _, err := l.Exec(ctx, name, nil, "networkctl", "reload"); err != nil {
			return err
		}
		return ip(ctx, l.switchNetns(), l.cable(card, name)...)
	})
}

// Disconnect takes a host's address on the internet segment away. A host without one is left alone.
func (l *Lab) Disconnect(ctx context.Context, name string) error {
	return l.locked(ctx, func(ctx context.Context) error {
		spec, err := l.record(name)
		if err != nil || !spec.Internet.IsValid() {
			return err
		}
		spec.Internet = netip.Addr{}
		return errors.Join(l.dropPort(ctx, portName(internet, name)), l.note(spec))
	})
}

// Remove takes a host away for good, its disk included. One that is not there is fine.
func (l *Lab) Remove(ctx context.Context, name string) error {
	return l.locked(ctx, func(ctx context.Context) error {
		if err := l.cg.kill(l.group(name)); err != nil {
			return err
		}
		// The cables first: the kernel may take its time with a host's namespace, and until it is gone that would answer in the place of
		// another host that gets its address.
		errs := []error{l.dropPort(ctx, portName(internet, name)), l.dropPort(ctx, portName(private, name))}
		return errors.Join(append(errs, unplug(ctx, l.hostNetns(name)), removeTree(l.hostDir(name)))...)
	})
}

// note records a host. Its files may hold secrets, and are on the host by now.
func (l *Lab) note(spec HostSpec) error {
	spec.Files = nil
	record, err := json.MarshalIndent(spec, "", "  ")
	if err != nil {
		return err
	}
	return writeFile(filepath.Join(l.hostDir(spec.Name), "host.json"), append(record, '\n'), 0o600)
}
