package cloud

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
)

// Resource is something that there is in the cloud.
type Resource struct {
	// Type is the token, "aws:ec2/instance:Instance", ID the cloud's name for it, Name the program's.
	Type, ID, Name string
	// Properties are its inputs and outputs, secrets in the clear: the file is readable by its owner alone.
	Properties map[string]any
}

func (r *Resource) text(key string) string {
	s, _ := r.Properties[key].(string)
	return s
}

// state is all that there is.
type state struct {
	// Resources by id.
	Resources map[string]*Resource
	// Given are the addresses that were given out of each network, ever: a new machine gets another one than the last.
	Given map[string]int
}

// store keeps the cloud in a file, which several processes may change.
type store struct{ dir string }

// change reads the cloud, has it changed, and writes it unless there was an error.
func (s store) change(f func(*state) error) error {
	if s.dir == "" {
		return fmt.Errorf("%s is not set: it names the directory in which the cloud is kept", DirVariable)
	}
	lock, err := os.OpenFile(filepath.Join(s.dir, "lock"), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return err
	}
	defer lock.Close()
	if err := syscall.Flock(int(lock.Fd()), syscall.LOCK_EX); err != nil {
		return fmt.Errorf("%s: %w", lock.Name(), err)
	}
	path := filepath.Join(s.dir, "cloud.json")
	now := &state{Resources: map[string]*Resource{}, Given: map[string]int{}}
	text, err := os.ReadFile(path)
	if err == nil {
		err = json.Unmarshal(text, now)
	}
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("%s: %w", path, err)
	}
	if err := f(now); err != nil {
		return err
	}
	if text, err = json.MarshalIndent(now, "", "  "); err != nil {
		return err
	}
	if err := os.WriteFile(path+".new", text, 0o600); err != nil {
		return err
	}
	return os.Rename(path+".new", path)
}
