// Package tools provides the programs that a real `pulumi up` and a goloop network need: those installed on the machine where they fit,
// else built once from the Go modules under tools/.
package tools

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// Tools are the paths of the programs.
type Tools struct {
	Pulumi        string // the CLI with the engine
	LanguageHost  string // pulumi-language-go, which the engine starts to run a Go program
	CommandPlugin string // pulumi-resource-command, the provider of steps over SSH
	Goloop        string
	// StandIn tells that CommandPlugin is built from tools/command-plugin: the real one is neither installed nor downloadable.
	StandIn bool
	// Cloud are the stand-ins for the providers of a cloud, once WithCloud has built them.
	Cloud []string
}

// Ensure finds or builds the programs. What it builds or downloads is kept in dir, and built again only when Go or the sources change.
// The working directory is inside the repository. Progress gets a line for whatever takes time. An error names the program and the
// command that failed, with the last lines it printed.
func Ensure(ctx context.Context, dir string, progress func(string, ...any)) (*Tools, error) {
	root, err := repository()
	if err != nil {
		return nil, err
	}
	if dir, err = filepath.Abs(dir); err != nil {
		return nil, err
	}
	b := &builder{root: root, dir: dir, progress: progress}
	var t Tools
	t.Pulumi, t.LanguageHost = b.pulumiOnPath(ctx)
	wanted, into := []source{goloopSource}, []*string{&t.Goloop}
	if t.LanguageHost == "" {
		wanted, into = append(wanted, languageSource), append(into, &t.LanguageHost)
	}
	if t.Pulumi == "" {
		wanted, into = append(wanted, pulumiSource), append(into, &t.Pulumi)
	}
	paths, err := b.buildAll(ctx, wanted...)
	if err != nil {
		return nil, err
	}
	for i, path := range paths {
		*into[i] = path
	}
	t.CommandPlugin, t.StandIn, err = b.command(ctx, t.Pulumi)
	if err != nil {
		return nil, err
	}
	return &t, nil
}

// WithCloud builds the stand-ins for the providers of AWS and TLS keys. From then on Env gives them to the engine, which then deploys to no
// cloud, even where the real ones are installed.
func (t *Tools) WithCloud(ctx context.Context, dir string, progress func(string, ...any)) error {
	root, err := repository()
	if err != nil {
		return err
	}
	if dir, err = filepath.Abs(dir); err != nil {
		return err
	}
	b := &builder{root: root, dir: dir, progress: progress}
	t.Cloud, err = b.buildAll(ctx, cloudSources...)
	return err
}

// Env returns what a process that runs the engine needs beyond this process's environment.
func (t *Tools) Env() []string {
	var path []string
	// The engine takes plugins from PATH before its own: the ones chosen here come first.
	for _, program := range append(slices.Clone(t.Cloud), t.CommandPlugin, t.LanguageHost, t.Pulumi, t.Goloop) {
		if dir := filepath.Dir(program); !slices.Contains(path, dir) {
			path = append(path, dir)
		}
	}
	if inherited := os.Getenv("PATH"); inherited != "" {
		path = append(path, inherited)
	}
	env := []string{"PATH=" + strings.Join(path, string(filepath.ListSeparator)), "PULUMI_SKIP_UPDATE_CHECK=true"}
	if t.StandIn || t.Cloud != nil {
		env = append(env, "PULUMI_DISABLE_AUTOMATIC_PLUGIN_ACQUISITION=true")
	}
	return env
}

const module = "module github.com/insight-icon/pulumi-icon\n"

// repository is the nearest directory upwards that holds this module.
func repository() (string, error) {
	start, err := os.Getwd()
	if err != nil {
		return "", err
	}
	for dir := start; ; dir = filepath.Dir(dir) {
		text, err := os.ReadFile(filepath.Join(dir, "go.mod"))
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return "", err
		}
		if bytes.HasPrefix(text, []byte(module)) {
			return dir, nil
		}
		if dir == filepath.Dir(dir) {
			return "", fmt.Errorf("%s is not inside a checkout of github.com/insight-icon/pulumi-icon, "+
				"whose tools/ holds the programs to build: run this there", start)
		}
	}
}
