package remote

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"

	"github.com/pkg/sftp"
)

// uploader writes files to a host.
type uploader struct{ host *sftp.Client }

func (u *uploader) upload(in *CopyToRemoteInputs) error {
	asset := in.Source.Asset
	switch {
	case asset == nil:
		return u.fromPath(in.Source.Archive.Path, in.RemotePath)
	case asset.IsText():
		return u.text(asset.Text, in.RemotePath)
	default:
		return u.fromPath(asset.Path, in.RemotePath)
	}
}

func (u *uploader) text(content, target string) error {
	isDir, exists, err := u.stat(target)
	if err != nil {
		return err
	}
	if isDir {
		return fmt.Errorf("remotePath %q is a directory: a StringAsset needs the path of a file", target)
	}
	return u.file(strings.NewReader(content), target, exists)
}

// fromPath copies a local file or directory the way cp -r does: onto an existing
// directory means into it, and of a directory named with a trailing slash only
// the content is copied.
func (u *uploader) fromPath(source, target string) error {
	info, err := os.Stat(source)
	if err != nil {
		return err
	}
	isDir, exists, err := u.stat(target)
	if err != nil {
		return err
	}
	if !info.IsDir() {
		if isDir {
			target, exists = path.Join(target, filepath.Base(source)), true
		}
		return u.localFile(source, target, exists)
	}
	if exists && !isDir {
		return fmt.Errorf("remotePath %q is a file: %q is a directory", target, source)
	}
	if !strings.HasSuffix(source, "/") {
		target = path.Join(target, filepath.Base(source))
	}
	return u.tree(source, target)
}

func (u *uploader) tree(source, target string) error {
	return filepath.WalkDir(source, func(local string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		relative, err := filepath.Rel(source, local)
		if err != nil {
			return err
		}
		remote := path.Join(target, filepath.ToSlash(relative))
		if !entry.IsDir() {
			return u.localFile(local, remote, true)
		}
		if err := u.host.MkdirAll(remote); err != nil {
			return fmt.Errorf("make directory %q: %w", remote, err)
		}
		return nil
	})
}

func (u *uploader) localFile(source, target string, parentExists bool) error {
	file, err := os.Open(source)
	if err != nil {
		return err
	}
	defer file.Close()
	return u.file(file, target, parentExists)
}

func (u *uploader) file(content io.Reader, target string, parentExists bool) (err error) {
	if !parentExists {
		if err := u.host.MkdirAll(path.Dir(target)); err != nil {
			return fmt.Errorf("make the parent directories of %q: %w", target, err)
		}
	}
	file, err := u.host.Create(target)
	if err != nil {
		return fmt.Errorf("create %q: %w", target, err)
	}
	defer func() { err = errors.Join(err, file.Close()) }()
	if _, err := file.ReadFrom(content); err != nil {
		return fmt.Errorf("write %q: %w", target, err)
	}
	return nil
}

func (u *uploader) stat(target string) (isDir, exists bool, err error) {
	info, err := u.host.Stat(target)
	if errors.Is(err, os.ErrNotExist) {
		return false, false, nil
	}
	if err != nil {
		return false, false, fmt.Errorf("look at %q: %w", target, err)
	}
	return info.IsDir(), true, nil
}
