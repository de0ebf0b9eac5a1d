// Package engine runs the real Pulumi engine on this project: a stack with its file, its secrets and its state in a directory.
package engine

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"gopkg.in/yaml.v3"
)

// Engine runs pulumi for one stack.
type Engine struct {
	// Project is the directory of Pulumi.yaml.
	Project string
	// Stack is the stack's name.
	Stack string
	// State is the directory of the stack's state and passphrase; it is made.
	State string
	// Pulumi is the CLI, Env the environment that finds its language host and plugins.
	Pulumi string
	Env    []string
	// Output gets what pulumi prints while it works. Default: nothing.
	Output io.Writer
}

// Init makes the stack, if it is not there.
func (e *Engine) Init(ctx context.Context) error {
	if err := os.MkdirAll(filepath.Join(e.State, "backend"), 0o700); err != nil {
		return err
	}
	if _, err := os.Stat(e.passphrase()); errors.Is(err, os.ErrNotExist) {
		secret := make([]byte, 24)
		if _, err := rand.Read(secret); err != nil {
			return err
		}
		if err := os.WriteFile(e.passphrase(), []byte(base64.StdEncoding.EncodeToString(secret)), 0o600); err != nil {
			return err
		}
		// A stack file of another passphrase can't be used.
		if err := os.Remove(e.file()); err != nil && !errors.Is(err, os.ErrNotExist) {
			return err
		}
	}
	if _, err := e.run(ctx, nil, "stack", "select", e.Stack); err == nil {
		return nil
	}
	_, err := e.run(ctx, nil, "stack", "init", e.Stack, "--secrets-provider", "passphrase")
	return err
}

func (e *Engine) passphrase() string { return filepath.Join(e.State, "passphrase") }

// StackFile is the path of the stack's file.
func (e *Engine) StackFile() string { return e.file() }

func (e *Engine) file() string { return filepath.Join(e.Project, "stacks", "Pulumi."+e.Stack+".yaml") }

// Configure writes the stack's plain configuration (without the namespace "icon:"); secrets stay as they are.
func (e *Engine) Configure(config map[string]any) error {
	file := map[string]any{}
	text, err := os.ReadFile(e.file())
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	if err := yaml.Unmarshal(text, &file); err != nil {
		return fmt.Errorf("%s: %w", e.file(), err)
	}
	all := map[string]any{}
	if old, ok := file["config"].(map[string]any); ok {
		for k, v := range old {
			if m, ok := v.(map[string]any); ok && m["secure"] != nil {
				all[k] = v
			}
		}
	}
	for k, v := range config {
		all["icon:"+k] = v
	}
	file["config"] = all
	out, err := yaml.Marshal(file)
	if err != nil {
		return err
	}
	return os.WriteFile(e.file(), out, 0o600)
}

// SetSecret sets a secret. Its value goes by standard input.
func (e *Engine) SetSecret(ctx context.Context, key, value string) error {
	_, err := e.run(ctx, strings.NewReader(value), "config", "set", "--secret", "icon:"+key)
	return err
}

// RemoveSecret takes a secret out of the stack.
func (e *Engine) RemoveSecret(ctx context.Context, key string) error {
	_, err := e.run(ctx, nil, "config", "rm", "icon:"+key)
	return err
}

// Result is what an update did.
type Result struct {
	// Steps are the operations on resources, in the order of their ends.
	Steps []StepEvent
	// Output is all that pulumi printed.
	Output string
}

// Up runs `pulumi up`. The result is there with an error, too.
func (e *Engine) Up(ctx context.Context, args ...string) (*Result, error) {
	return e.update(ctx, append([]string{"up", "--yes", "--skip-preview"}, args...)...)
}

// Preview runs `pulumi preview`.
func (e *Engine) Preview(ctx context.Context, args ...string) (*Result, error) {
	return e.update(ctx, append([]string{"preview"}, args...)...)
}

// Destroy runs `pulumi destroy`.
func (e *Engine) Destroy(ctx context.Context) (*Result, error) {
	return e.update(ctx, "destroy", "--yes", "--skip-preview")
}

// DestroyAfterPreview runs `pulumi destroy` as an operator does. What is protected is refused in the preview: without one, the engine
// deletes all that comes before it first.
func (e *Engine) DestroyAfterPreview(ctx context.Context) (*Result, error) {
	return e.update(ctx, "destroy", "--yes")
}

func (e *Engine) update(ctx context.Context, args ...string) (*Result, error) {
	events := filepath.Join(e.State, "events.jsonl")
	if err := os.Remove(events); err != nil && !errors.Is(err, os.ErrNotExist) {
		return nil, err
	}
	out, err := e.run(ctx, nil, append(args, "--event-log", events)...)
	steps, readErr := readEvents(events)
	return &Result{Steps: steps, Output: out}, errors.Join(err, readErr)
}

// Outputs of the stack.
func (e *Engine) Outputs(ctx context.Context) (map[string]any, error) {
	out, err := e.run(ctx, nil, "stack", "output", "--json")
	if err != nil {
		return nil, err
	}
	var v map[string]any
	return v, json.Unmarshal([]byte(out), &v)
}

// Secrets is the stack's state as text, with its secrets in the clear: for tests that look for what must not be there.
func (e *Engine) Secrets(ctx context.Context) (string, error) {
	return e.run(ctx, nil, "stack", "export", "--show-secrets")
}

// Sealed is the same with its secrets encrypted, as it is stored.
func (e *Engine) Sealed(ctx context.Context) (string, error) {
	return e.run(ctx, nil, "stack", "export")
}

// Remove forgets the stack with its state, passphrase and file. What it deployed stays as it is.
func (e *Engine) Remove() error {
	if err := os.Remove(e.file()); err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	return os.RemoveAll(e.State)
}

func (e *Engine) run(ctx context.Context, stdin io.Reader, args ...string) (string, error) {
	cmd := exec.CommandContext(ctx, e.Pulumi, append(args, "--stack", e.Stack, "--non-interactive")...)
	if args[0] == "stack" && (args[1] == "select" || args[1] == "init") {
		cmd = exec.CommandContext(ctx, e.Pulumi, append(args, "--non-interactive")...)
	}
	cmd.Dir = e.Project
	cmd.Env = append(os.Environ(), e.Env...)
	cmd.Env = append(cmd.Env, "PULUMI_BACKEND_URL=file://"+filepath.Join(e.State, "backend"),
		"PULUMI_CONFIG_PASSPHRASE_FILE="+e.passphrase(), "PULUMI_DEBUG_COMMANDS=true", "PULUMI_SKIP_UPDATE_CHECK=true")
	var all bytes.Buffer
	cmd.Stdin, cmd.Stdout, cmd.Stderr = stdin, &all, &all
	if e.Output != nil && (args[0] == "up" || args[0] == "destroy") {
		w := io.MultiWriter(&all, e.Output)
		cmd.Stdout, cmd.Stderr = w, w
	}
	if err := cmd.Run(); err != nil {
		return all.String(), fmt.Errorf("pulumi %s: %w\n%s", args[0], err, tail(all.String(), 60))
	}
	return all.String(), nil
}

func tail(s string, n int) string {
	lines := strings.Split(strings.TrimRight(s, "\n"), "\n")
	if len(lines) > n {
		lines = lines[len(lines)-n:]
	}
	return strings.Join(lines, "\n")
}
