package lab

import (
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"
)

func (l *Lab) packagesDir() string {
	return filepath.Join(l.cacheDir(), "packages-"+recipeKey([]string{l.baseKey()}, l.cfg.Packages))
}

// ensurePackages makes the repository the hosts install from: the wanted packages with every dependency the base image lacks.
func (l *Lab) ensurePackages(ctx context.Context) error {
	return l.ensure("package repository", l.packagesDir(), func(dir string) error {
		if err := l.download(ctx, dir); err != nil {
			return err
		}
		return index(ctx, dir)
	})
}

// download lets apt itself decide what the base image lacks: it runs with the image's package database and its own lists.
func (l *Lab) download(ctx context.Context, dir string) error {
	apt := filepath.Join(dir, "apt")
	for _, sub := range []string{"lists/partial", "archives/partial"} {
		if err := os.MkdirAll(filepath.Join(apt, sub), 0o755); err != nil {
			return err
		}
	}
	sources := filepath.Join(apt, "sources.list")
	if err := os.WriteFile(sources, []byte(strings.Join(l.sources(), "\n")+"\n"), 0o644); err != nil {
		return err
	}
	options := []string{
		"-qq", "-oDir::State::status=" + filepath.Join(l.baseDir(), "var/lib/dpkg/status"),
		"-oDir::State::extended_states=/dev/null", "-oDir::State::lists=" + filepath.Join(apt, "lists"),
		"-oDir::Cache=" + apt, "-oDir::Cache::archives=" + filepath.Join(apt, "archives"),
		"-oDir::Etc::sourcelist=" + sources, "-oDir::Etc::sourceparts=/dev/null", "-oDir::Etc::preferencesparts=/dev/null",
		"-oAPT::Sandbox::User=root", "-oAPT::Architecture=amd64", "-oDebug::NoLocking=true",
	}
	if _, err := run(ctx, nil, "apt-get", append(options, "update")...); err != nil {
		return err
	}
	install := append(options, "install", "--download-only", "--yes", "--no-install-recommends")
	if _, err := run(ctx, nil, "apt-get", append(install, l.cfg.Packages...)...); err != nil {
		return err
	}
	debs, err := filepath.Glob(filepath.Join(apt, "archives", "*.deb"))
	if err != nil {
		return err
	}
	for _, deb := range debs {
		if err := os.Rename(deb, filepath.Join(dir, filepath.Base(deb))); err != nil {
			return err
		}
	}
	l.cfg.Progress("package repository: %d packages", len(debs))
	return os.RemoveAll(apt)
}

// index writes what apt reads: Packages, its compressed form, and Release with their checksums.
func index(ctx context.Context, dir string) error {
	ftparchive := func(args ...string) ([]byte, error) {
		cmd := exec.CommandContext(ctx, "apt-ftparchive", args...)
		cmd.Dir = dir
		out, err := capture(cmd)
		return []byte(out), err
	}
	packages, err := ftparchive("packages", ".")
	if err != nil {
		return err
	}
	var compressed bytes.Buffer
	zip := gzip.NewWriter(&compressed)
	_, err = zip.Write(packages)
	err = errors.Join(err, zip.Close(),
		os.WriteFile(filepath.Join(dir, "Packages"), packages, 0o644),
		os.WriteFile(filepath.Join(dir, "Packages.gz"), compressed.Bytes(), 0o644))
	if err != nil {
		return err
	}
	release, err := ftparchive("-oAPT::FTPArchive::Release::Suite=sandbox", "-oAPT::FTPArchive::Release::Architectures=amd64",
		"release", ".")
	if err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(dir, "Release"), release, 0o644)
}

// ServeRepo serves a directory over HTTP at addr until ctx is done. It is what the program of Config.ServeArgv calls.
func ServeRepo(ctx context.Context, dir, addr string) error {
	if _, err := os.Stat(dir); err != nil {
		return err
	}
	listener, err := net.Listen("tcp4", addr)
	if err != nil {
		return fmt.Errorf("package server: %w", err)
	}
	server := &http.Server{Handler: http.FileServer(http.Dir(dir)), ReadHeaderTimeout: 10 * time.Second}
	stop := context.AfterFunc(ctx, func() { server.Close() })
	defer stop()
	if err := server.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}

const serverGroup = "_server" // not a host name

func (l *Lab) serverLog() string { return filepath.Join(l.runDir(), "server.log") }

// serverUp starts the package server unless it answers.
func (l *Lab) serverUp(ctx context.Context) error {
	link := filepath.Join(l.wwwDir(), "debian")
	if err := os.Remove(link); err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	if err := os.Symlink(l.packagesDir(), link); err != nil {
		return err
	}
	if l.serverAnswers(ctx) == nil {
		return nil
	}
	if err := l.cg.kill(l.group(serverGroup)); err != nil {
		return err
	}
	addr := net.JoinHostPort(l.cfg.Admin.String(), "80")
	argv := append(append([]string{}, l.cfg.ServeArgv...), l.wwwDir(), addr)
	ended, err := l.background(serverGroup, l.serverLog(), []string{"PATH=" + searchPath}, argv)
	if err != nil {
		return fmt.Errorf("package server: %w", err)
	}
	for end := time.Now().Add(10 * time.Second); ; {
		err := l.serverAnswers(ctx)
		if err == nil {
			return nil
		}
		select {
		case end := <-ended:
			return fmt.Errorf("package server: %w%s", end, indented(tailFile(l.serverLog(), 20)))
		case <-time.After(20 * time.Millisecond):
		}
		if ctx.Err() != nil || time.Now().After(end) {
			return fmt.Errorf("package server on %s: %w%s", addr, err, indented(tailFile(l.serverLog(), 20)))
		}
	}
}

func (l *Lab) serverAnswers(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, 2*time.Second)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodHead, "http://"+l.cfg.Admin.String()+"/debian/Release", nil)
	if err != nil {
		return err
	}
	// No proxy of the environment: the address is local. No kept connection: the server may be restarted.
	client := http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	response, err := client.Do(request)
	if err != nil {
		return err
	}
	response.Body.Close()
	if response.StatusCode != http.StatusOK {
		return fmt.Errorf("%s answers %s", request.URL, response.Status)
	}
	return nil
}
