// Package image makes a stand-in for the official image iconloop/icon2-node, where no registry can be reached: an OCI archive, as
// `skopeo copy docker://… oci-archive:…` writes it, with the goloop executable and a manager that keeps the official image's contract
// (package manager says what that is). Deployments with `runtime: container` are tested with it. It has no contract engines.
package image

import (
	"archive/tar"
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"time"
)

// Name of the image. Its registry is "localhost": it is never pulled.
const Name = "localhost/icon2-node-stand-in"

// managerPackage is the program that the image starts.
const managerPackage = "github.com/insight-icon/pulumi-icon/sandbox/image/manager"

// Image is an archive that was written.
type Image struct {
	// Archive is the path of the OCI archive.
	Archive string
	// Reference pins the image by the digest that podman knows it by after `podman load`, "name@sha256:…".
	Reference string
}

// Make writes the archive <dir>/icon2-node-<version>.tar from a static goloop executable of this machine's architecture. The same inputs
// give the same bytes, another version another digest. The working directory is inside the repository.
func Make(ctx context.Context, dir, goloop, version string) (*Image, error) {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, err
	}
	manager := filepath.Join(dir, "manager")
	build := exec.CommandContext(ctx, "go", "build", "-trimpath", "-buildvcs=false", "-ldflags", "-s -w", "-o", manager, managerPackage)
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		return nil, fmt.Errorf("stand-in image: go build %s: %w\n%s", managerPackage, err, out)
	}
	layer, err := makeLayer(map[string]string{"init": manager, "goloop/bin/goloop": goloop})
	if err != nil {
		return nil, fmt.Errorf("stand-in image: %w", err)
	}
	archive, digest, err := makeArchive(layer, version)
	if err != nil {
		return nil, fmt.Errorf("stand-in image: %w", err)
	}
	path := filepath.Join(dir, "icon2-node-"+version+".tar")
	return &Image{Archive: path, Reference: Name + "@" + digest}, os.WriteFile(path, archive, 0o644)
}

// environment is that of the official image and its base, goloop-icon, as far as goloop and its manager read it. Engines are left out.
var environment = []string{
	"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin:/goloop/bin:/ctx/bin",
	"BASE_DIR=/goloop",
	"IS_DOCKER=true",
	"GOLOOP_DATA_ROOT=/goloop/data",
	"GOLOOP_NODE_DIR=/goloop/data",
	"GOLOOP_CONFIG=/goloop/config/server.json",
	"GOLOOP_KEY_STORE=/goloop/config/keystore.json",
	"GOLOOP_KEY_SECRET=/goloop/config/keysecret",
	"GOLOOP_P2P_LISTEN=:7100",
	"GOLOOP_RPC_ADDR=:9000",
	"GOLOOP_RPC_DUMP=false",
	"GOLOOP_CONSOLE_LEVEL=debug",
	"GOLOOP_LOG_LEVEL=debug",
	"GOLOOP_ENGINES=none",
}

// directories of the image's one layer, parents first. /tmp is for goloop, the rest for what is mounted.
var directories = []string{
	"dev/", "etc/", "goloop/", "goloop/bin/", "goloop/config/", "goloop/data/", "goloop/logs/", "proc/", "run/", "sys/", "tmp/",
}

// makeLayer puts executables into a tar with nothing in it that differs from run to run.
func makeLayer(executables map[string]string) ([]byte, error) {
	var layer bytes.Buffer
	w := tar.NewWriter(&layer)
	for _, name := range directories {
		if err := w.WriteHeader(&tar.Header{Typeflag: tar.TypeDir, Name: name, Mode: 0o755, ModTime: epoch}); err != nil {
			return nil, err
		}
	}
	for _, name := range []string{"goloop/bin/goloop", "init"} {
		content, err := os.ReadFile(executables[name])
		if err != nil {
			return nil, err
		}
		if err := add(w, name, 0o755, content); err != nil {
			return nil, err
		}
	}
	return layer.Bytes(), w.Close()
}

var epoch = time.Unix(0, 0)

func add(w *tar.Writer, name string, mode int64, content []byte) error {
	header := &tar.Header{Typeflag: tar.TypeReg, Name: name, Mode: mode, Size: int64(len(content)), ModTime: epoch}
	if err := w.WriteHeader(header); err != nil {
		return err
	}
	_, err := w.Write(content)
	return err
}

type descriptor struct {
	MediaType   string            `json:"mediaType"`
	Digest      string            `json:"digest"`
	Size        int               `json:"size"`
	Annotations map[string]string `json:"annotations,omitempty"`
}

// makeArchive is an OCI image layout in a tar. The digest is that of the manifest: `podman load` keeps it.
func makeArchive(layer []byte, version string) (archive []byte, digest string, err error) {
	config := object{
		"architecture": runtime.GOARCH, "os": "linux", "created": "1970-01-01T00:00:00Z",
		"config": object{
			"Env": append(environment, "VERSION="+version), "Entrypoint": []string{"/init"}, "WorkingDir": "/goloop",
			"Volumes": object{"/goloop/data": object{}}, "Labels": object{"org.label-schema.version": version},
		},
		"rootfs": object{"type": "layers", "diff_ids": []string{digestOf(layer)}},
	}
	configJSON, configErr := json.Marshal(config)
	manifest, manifestErr := json.Marshal(object{
		"schemaVersion": 2, "mediaType": "application/vnd.oci.image.manifest.v1+json",
		"config": describe("application/vnd.oci.image.config.v1+json", configJSON),
		"layers": []descriptor{describe("application/vnd.oci.image.layer.v1.tar", layer)},
	})
	top := describe("application/vnd.oci.image.manifest.v1+json", manifest)
	top.Annotations = map[string]string{"org.opencontainers.image.ref.name": Name + ":" + version}
	index, indexErr := json.Marshal(object{"schemaVersion": 2, "manifests": []descriptor{top}})
	if err := errors.Join(configErr, manifestErr, indexErr); err != nil {
		return nil, "", err
	}
	var out bytes.Buffer
	w := tar.NewWriter(&out)
	err = errors.Join(add(w, "oci-layout", 0o644, []byte(`{"imageLayoutVersion":"1.0.0"}`)), add(w, "index.json", 0o644, index))
	for _, blob := range [][]byte{configJSON, manifest, layer} {
		err = errors.Join(err, add(w, "blobs/sha256/"+digestOf(blob)[len("sha256:"):], 0o644, blob))
	}
	return out.Bytes(), top.Digest, errors.Join(err, w.Close())
}

type object = map[string]any

func describe(mediaType string, content []byte) descriptor {
	return descriptor{MediaType: mediaType, Digest: digestOf(content), Size: len(content)}
}

func digestOf(content []byte) string {
	sum := sha256.Sum256(content)
	return "sha256:" + hex.EncodeToString(sum[:])
}
