package tools

import (
	"context"
	"fmt"
	"path/filepath"
)

// pebbleSource is a certificate authority, for tests of those who ask one.
var pebbleSource = source{
	name: "pebble", dir: "pebble", pkg: "github.com/letsencrypt/pebble/v2/cmd/pebble",
	module: "github.com/letsencrypt/pebble/v2", stamp: "main.version", takes: "ten seconds",
}

// One finds or builds a single program that a test needs: "goloop" or "pebble". What it builds is kept in dir, as by Ensure.
func One(ctx context.Context, dir, name string, progress func(string, ...any)) (string, error) {
	root, err := repository()
	if err != nil {
		return "", err
	}
	if dir, err = filepath.Abs(dir); err != nil {
		return "", err
	}
	for _, s := range []source{goloopSource, pebbleSource} {
		if s.name == name {
			paths, err := (&builder{root: root, dir: dir, progress: progress}).buildAll(ctx, s)
			if err != nil {
				return "", err
			}
			return paths[0], nil
		}
	}
	return "", fmt.Errorf("%q is no program of tools/; wanted goloop or pebble", name)
}
