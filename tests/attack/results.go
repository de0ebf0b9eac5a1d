package attack

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"time"
)

// Results of all that was measured, from which the report is written.
type Results struct {
	// Date of the last run, and the machine that it was on.
	Date    string  `json:"date"`
	Machine Machine `json:"machine"`
	Losses  []Loss  `json:"losses,omitempty"`
	Cost    *Cost   `json:"cost,omitempty"`
	Cells   []*Cell `json:"-"`
}

// Machine is what the run was on.
type Machine struct {
	Cores    int    `json:"cores"`
	CPU      string `json:"cpu"`
	Kernel   string `json:"kernel"`
	Realtime bool   `json:"realtime"`
	// Versions of the programs, by their names.
	Versions map[string]string `json:"versions"`
}

func resultsPath(given string) (string, error) {
	if given != "" {
		return given, nil
	}
	root, err := projectRoot()
	return filepath.Join(root, "docs", "attack-results.json"), err
}

// readResults reads the file: the run's facts on the first line, then a cell on each. Without a file there are none.
func readResults(path string) (*Results, error) {
	text, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return &Results{}, nil
	}
	if err != nil {
		return nil, err
	}
	var r Results
	for i, line := range bytes.Split(bytes.TrimSpace(text), []byte("\n")) {
		var into any = &r
		if i > 0 {
			c := &Cell{}
			r.Cells = append(r.Cells, c)
			into = c
		}
		if err := json.Unmarshal(line, into); err != nil {
			return nil, fmt.Errorf("%s:%d: %w", path, i+1, err)
		}
	}
	return &r, nil
}

func (r *Results) write(path string) error {
	var b bytes.Buffer
	encoder := json.NewEncoder(&b)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(r); err != nil {
		return err
	}
	for _, c := range r.Cells {
		if err := encoder.Encode(c); err != nil {
			return err
		}
	}
	return os.WriteFile(path, b.Bytes(), 0o644)
}

// add keeps a cell at once: a run that is interrupted has not measured in vain.
func (r *Results) add(path string, c *Cell) error {
	r.Cells = append(r.Cells, c)
	return r.write(path)
}

// drop forgets what was measured before of the same attacks on a variant.
func (r *Results) drop(variant string, attacks []string) {
	r.Cells = slices.DeleteFunc(r.Cells, func(c *Cell) bool { return c.Variant == variant && slices.Contains(attacks, c.Attack) })
}

// begin notes when and on what a run is.
func (r *Results) begin() {
	r.Date = time.Now().UTC().Format(time.DateOnly)
	r.Machine = Machine{
		Cores: runtime.NumCPU(), CPU: processor(), Kernel: strings.SplitN(first("uname", "-r"), "-", 2)[0],
		Realtime: exec.Command("chrt", "-r", "1", "true").Run() == nil,
		Versions: map[string]string{
			"HAProxy": word(first("haproxy", "-v"), 2), "nginx": strings.TrimPrefix(first("nginx", "-v"), "nginx version: nginx/"),
			"nftables": strings.TrimPrefix(word(first("nft", "--version"), 1), "v"), "Go": runtime.Version(), "goloop": "v1.4.4",
		},
	}
}

func processor() string {
	text, err := os.ReadFile("/proc/cpuinfo")
	if err != nil {
		return ""
	}
	for line := range strings.Lines(string(text)) {
		if name, value, ok := strings.Cut(line, ":"); ok && strings.TrimSpace(name) == "model name" {
			return strings.TrimSpace(value)
		}
	}
	return ""
}

// first is the first line that a program prints.
func first(program string, args ...string) string {
	out, err := exec.Command(program, args...).CombinedOutput()
	if err != nil {
		return ""
	}
	line, _, _ := strings.Cut(string(out), "\n")
	return line
}

func word(line string, n int) string {
	if fields := strings.Fields(line); n < len(fields) {
		return fields[n]
	}
	return line
}
