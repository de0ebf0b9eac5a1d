package scan

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"time"
)

// VMResult is what the scanners found on a full virtual machine. It takes too long for each scan, so it is kept in vm-results.json, and the
// page says when it was measured.
type VMResult struct {
	Date time.Time
	// How it was measured, whole sentences.
	How string
	// Profile that the machine was hardened by.
	Profile string
	// Fresh is the machine before that, nil if it was not scanned.
	Fresh *Look `json:",omitempty"`
	// Look is the hardened machine, after a boot.
	Look *Look
}

// ReadVM reads a kept result. There is none, and no error, if the file does not exist.
func ReadVM(path string) (*VMResult, error) {
	data, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil //nolint:nilnil // a machine is not always measured
	}
	if err != nil {
		return nil, err
	}
	v := &VMResult{}
	if err := json.Unmarshal(data, v); err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	for name, look := range map[string]*Look{"Fresh": v.Fresh, "Look": v.Look} {
		if look == nil && name == "Fresh" {
			continue
		}
		if look == nil || look.CIS == nil || look.ANSSI == nil || look.Lynis == nil {
			return nil, fmt.Errorf("%s: %s: want the results of OpenSCAP's two profiles and of Lynis", path, name)
		}
		if look.SSH == nil {
			look.SSH = &SSHAudit{}
		}
	}
	return v, nil
}

// WriteVM keeps a result.
func WriteVM(path string, v *VMResult) error {
	data, err := json.MarshalIndent(v, "", "  ")
	if err != nil {
		return err
	}
	return os.WriteFile(path, append(data, '\n'), 0o644)
}
