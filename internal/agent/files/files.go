// Package files writes the files that the agent keeps.
package files

import (
	"os"
	"path/filepath"
)

// Write replaces a file as a whole: who reads it, also after a crash, finds the old text or the new one. Its directory exists.
func Write(path string, content []byte, mode os.FileMode) error {
	temp, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+"-")
	if err != nil {
		return err
	}
	defer os.Remove(temp.Name())
	defer temp.Close()
	// The mode comes before the content, so that a secret is at no time open to more than it should be.
	if err := temp.Chmod(mode); err != nil {
		return err
	}
	if _, err := temp.Write(content); err != nil {
		return err
	}
	if err := temp.Sync(); err != nil {
		return err
	}
	if err := temp.Close(); err != nil {
		return err
	}
	return os.Rename(temp.Name(), path)
}
