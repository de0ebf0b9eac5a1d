package tools

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
)

const (
	commandPlugin = "pulumi-resource-command"
	// commandVersion is the one the program's SDK asks for.
	commandVersion = "1.2.1"
	oldestPulumi   = "3.100.0"
	// downloadLimit bounds the wait for a plugin. Without internet the CLI gives up after ten seconds, with a slow one after minutes.
	downloadLimit = 20 * time.Second
)

// pulumiOnPath returns the installed CLI and the language host beside it; an empty path is something that has to be built.
func (b *builder) pulumiOnPath(ctx context.Context) (pulumi, languageHost string) {
	pulumi, err := exec.LookPath("pulumi")
	if err != nil {
		return "", ""
	}
	out, err := runPulumi(ctx, pulumi, nil, "version")
	if err != nil {
		b.progress("the installed pulumi is not used: %v", err)
		return "", ""
	}
	if version := strings.TrimSpace(out); !atLeast(version, oldestPulumi) {
		b.progress("the installed %s is not used: it is %s, and at least v%s is needed", pulumi, version, oldestPulumi)
		return "", ""
	}
	if target, err := filepath.EvalSymlinks(pulumi); err == nil {
		if host := filepath.Join(filepath.Dir(target), languageSource.name); executable(host) {
			return pulumi, host
		}
	}
	if host, err := exec.LookPath(languageSource.name); err == nil {
		return pulumi, host
	}
	return pulumi, ""
}

// command returns the provider pulumi-command: the one on PATH, as the engine would; the newest that pulumi installed; a stand-in
// built before; a downloaded one; or else the stand-in, built now. A stand-in stays chosen, so that a machine without internet waits
// once for the download to fail.
func (b *builder) command(ctx context.Context, pulumi string) (path string, standIn bool, err error) {
	if path := b.commandOnPath(ctx, pulumi); path != "" {
		return path, false, nil
	}
	own := filepath.Join(b.dir, "pulumi-home")
	for _, home := range []string{os.Getenv("PULUMI_HOME"), own} {
		if path, err := installedCommand(ctx, pulumi, home); err != nil || path != "" {
			return path, false, err
		}
	}
	path, built, err := b.find(ctx, standInSource)
	if err != nil || built {
		return path, true, err
	}
	b.progress("downloading the Pulumi plugin command v%s (at most %.0f s)", commandVersion, downloadLimit.Seconds())
	limited, cancel := context.WithTimeout(ctx, downloadLimit)
	defer cancel()
	_, err = runPulumi(limited, pulumi, []string{"PULUMI_HOME=" + own}, "plugin", "install", "resource", "command", commandVersion)
	if ctx.Err() != nil {
		return "", false, ctx.Err()
	}
	if err == nil {
		path, err := installedCommand(ctx, pulumi, own)
		if err == nil && path == "" {
			err = fmt.Errorf("pulumi installed the plugin command v%s, but there is none in %s", commandVersion, own)
		}
		return path, false, err
	}
	b.progress("the plugin can't be downloaded here: a stand-in for its SSH resources takes its place")
	paths, err := b.buildAll(ctx, standInSource)
	if err != nil {
		return "", false, err
	}
	return paths[0], true, nil
}

// commandOnPath returns the plugin on PATH if it is new enough.
func (b *builder) commandOnPath(ctx context.Context, pulumi string) string {
	path, err := exec.LookPath(commandPlugin)
	if err != nil {
		return ""
	}
	// A plugin has no word for its version; its schema does.
	out, err := runPulumi(ctx, pulumi, nil, "package", "get-schema", path)
	var schema struct{ Version string }
	if err == nil {
		err = json.Unmarshal([]byte(out), &schema)
	}
	if err == nil && !atLeast(schema.Version, commandVersion) {
		err = fmt.Errorf("its version is %q, and at least %s is needed", schema.Version, commandVersion)
	}
	if err != nil {
		b.progress("the installed %s is not used: %v", path, err)
		return ""
	}
	return path
}

// installedCommand returns the newest fitting plugin below home, empty if there is none. An empty home is pulumi's default.
func installedCommand(ctx context.Context, pulumi, home string) (string, error) {
	var env []string
	if home != "" {
		env = []string{"PULUMI_HOME=" + home}
	}
	out, err := runPulumi(ctx, pulumi, env, "plugin", "ls", "--json")
	if err != nil {
		return "", err
	}
	var plugins []struct{ Name, Kind, Version string }
	if err := json.Unmarshal([]byte(out), &plugins); err != nil {
		return "", fmt.Errorf("pulumi plugin ls: %w", err)
	}
	newest := ""
	for _, p := range plugins {
		if p.Name == "command" && p.Kind == "resource" && atLeast(p.Version, commandVersion) && (newest == "" || atLeast(p.Version, newest)) {
			newest = p.Version
		}
	}
	if newest == "" {
		return "", nil
	}
	if home == "" {
		user, err := os.UserHomeDir()
		if err != nil {
			return "", err
		}
		home = filepath.Join(user, ".pulumi")
	}
	path := filepath.Join(home, "plugins", "resource-command-v"+newest, commandPlugin)
	if !executable(path) {
		return "", fmt.Errorf("pulumi plugin ls lists command v%s, but %s is not an executable file: "+
			"run `pulumi plugin rm resource command %s`", newest, path, newest)
	}
	return path, nil
}

func runPulumi(ctx context.Context, pulumi string, env []string, args ...string) (string, error) {
	cmd := exec.CommandContext(ctx, pulumi, args...)
	cmd.Env = append(append(os.Environ(), "PULUMI_SKIP_UPDATE_CHECK=true"), env...)
	cmd.WaitDelay = 5 * time.Second
	out, err := cmd.Output()
	if err != nil {
		var exit *exec.ExitError
		if errors.As(err, &exit) {
			err = fmt.Errorf("%w\n%s", err, lastLines(string(exit.Stderr), 20))
		}
		return "", fmt.Errorf("`%s %s`: %w", pulumi, strings.Join(args, " "), err)
	}
	return string(out), nil
}

func executable(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.Mode().IsRegular() && info.Mode()&0o111 != 0
}

var versionNumbers = regexp.MustCompile(`^v?(\d+)\.(\d+)\.(\d+)`)

// atLeast tells whether version is oldest or later within its major version. What is no version is not.
func atLeast(version, oldest string) bool {
	v, o := numbers(version), numbers(oldest)
	return v != nil && v[0] == o[0] && slices.Compare(v, o) >= 0
}

func numbers(version string) []int {
	match := versionNumbers.FindStringSubmatch(version)
	if match == nil {
		return nil
	}
	var all []int
	for _, digits := range match[1:] {
		n, err := strconv.Atoi(digits)
		if err != nil {
			return nil
		}
		all = append(all, n)
	}
	return all
}
