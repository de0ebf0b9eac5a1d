package stacks

import (
	"archive/tar"
	"archive/zip"
	"bytes"
	"debug/elf"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
)

type fileCase struct {
	name   string
	config Config
	dir    string
	wanted string // the message; DIR stands for the directory
}

// fileCases are configurations that name the wrong kind of file.
func fileCases(t *testing.T) []fileCase {
	t.Helper()
	dir := t.TempDir()
	write := func(name string, content []byte) string {
		if err := os.WriteFile(filepath.Join(dir, name), content, 0o600); err != nil {
			t.Fatal(err)
		}
		return name
	}
	if err := os.Symlink("loop", filepath.Join(dir, "loop")); err != nil {
		t.Fatal(err)
	}
	relocatable := thisProgram(t)
	relocatable[16] = 1 // e_type: ET_REL, what a compiler writes before linking
	other, otherMachine := "arm64", elf.EM_AARCH64
	if runtime.GOARCH == other {
		other, otherMachine = "amd64", elf.EM_X86_64
	}
	here := map[string]elf.Machine{"amd64": elf.EM_X86_64, "arm64": elf.EM_AARCH64}[runtime.GOARCH]
	genesis := func(name string) Config { return Config{Network: Network{Genesis: name}} }
	binary := func(name string) Config { return Config{Node: Node{Arch: runtime.GOARCH, Binary: &Binary{Path: name}}} }
	foreign := binary(write("goloop", thisProgram(t)))
	foreign.Node.Arch = other
	agent := func(name string) Config { return Config{Sentries: &Sentries{Agent: name}} }
	elsewhere := thisProgram(t)
	elsewhere[18], elsewhere[19] = 243, 0 // e_machine: RISC-V
	onAWS := *loaded(t, "aws-sentry-fronted.yaml")
	onAWS.Sentries.Agent = write("icon-sentry", elsewhere)
	archive := func(name string) Config { return Config{Node: Node{Container: &Container{Archive: name}}} }
	return []fileCase{
		{"absent", genesis("none.zip"), dir, "icon:network.genesis: is DIR/none.zip, which does not exist"},
		{"directory", genesis("."), dir, "icon:network.genesis: is DIR, which is not a file"},
		{"unreadable", genesis("loop"), dir, "icon:network.genesis: cannot be read: stat DIR/loop: too many levels of symbolic links"},
		{
			"genesis as JSON", genesis(write("genesis.json", []byte(`{"accounts":[]}`))), dir,
			"icon:network.genesis: is DIR/genesis.json, which is not a genesis storage (zip: not a valid zip file); goloop gs gen makes one",
		},
		{
			"another zip", genesis(write("other.zip", zipOf(t, "readme.txt"))), dir,
			"icon:network.genesis: is DIR/other.zip, a zip without genesis.json; wanted a genesis storage, as goloop gs gen makes it",
		},
		{
			"script for a binary", binary(write("goloop.sh", []byte("#!/bin/sh\necho goloop\n"))), dir,
			"icon:node.binary.path: is DIR/goloop.sh, which is not an executable for Linux " +
				"(bad magic number '[35 33 47 98]' in record at byte 0x0); make tools builds goloop",
		},
		{
			"object file", binary(write("goloop.o", relocatable)), dir,
			"icon:node.binary.path: is DIR/goloop.o, an ELF file that Linux cannot execute (ET_REL, ELFOSABI_NONE)",
		},
		{
			"executable for another architecture", foreign, dir,
			fmt.Sprintf("icon:node.binary.path: is DIR/goloop, made for %v, but icon:node.arch is %s; wanted %v", here, other, otherMachine),
		},
		{
			"script for an agent", agent("goloop.sh"), dir,
			"icon:sentries.agent: is DIR/goloop.sh, which is not an executable for Linux " +
				"(bad magic number '[35 33 47 98]' in record at byte 0x0); go build ./cmd/icon-sentry makes one",
		},
		{
			"agent for another architecture", onAWS, dir,
			"icon:sentries.agent: is DIR/icon-sentry, made for EM_RISCV, but sentry-1 is a machine of arm64; build it with GOARCH=arm64, " +
				"or leave the key out",
		},
		{
			"tar of something else", archive(write("other.tar", tarOf(t, "readme.txt"))), dir,
			"icon:node.container.archive: is DIR/other.tar, a tar without an image's manifest.json or index.json; " +
				"wanted what podman save or docker save writes",
		},
		{
			"compressed archive", archive(write("image.tar.gz", []byte("\x1f\x8b\x08 and so on, for more than one block of a tar file"+
				strings.Repeat("x", 1024)))), dir,
			"icon:node.container.archive: is DIR/image.tar.gz, which is not an image archive (archive/tar: invalid tar header); " +
				"wanted an uncompressed tar, as podman save or docker save writes it",
		},
	}
}

func TestWrongFilesAreRefusedByName(t *testing.T) {
	for _, c := range fileCases(t) {
		t.Run(c.name, func(t *testing.T) {
			err := c.config.CheckFiles(c.dir)
			if err == nil {
				t.Fatal("accepted")
			}
			want := "stack configuration: 1 problem\n  " + strings.ReplaceAll(c.wanted, "DIR", c.dir)
			if err.Error() != want {
				t.Errorf("message\n%v\nwanted\n%s", err, want)
			}
		})
	}
}

func TestRightFilesAreAccepted(t *testing.T) {
	dir := t.TempDir()
	for name, content := range map[string][]byte{
		"genesis.zip": zipOf(t, "genesis.json"), "goloop": thisProgram(t), "docker.tar": tarOf(t, "layer.tar", "manifest.json"),
		"oci.tar": tarOf(t, "oci-layout", "./index.json"),
	} {
		if err := os.WriteFile(filepath.Join(dir, name), content, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for _, archive := range []string{"docker.tar", filepath.Join(dir, "oci.tar")} {
		config := Config{
			Network: Network{Genesis: "genesis.zip"},
			Node:    Node{Arch: runtime.GOARCH, Binary: &Binary{Path: "goloop"}, Container: &Container{Archive: archive}},
		}
		if err := config.CheckFiles(dir); err != nil {
			t.Error(err)
		}
	}
}

// thisProgram is an executable for Linux: the running test.
func thisProgram(t *testing.T) []byte {
	t.Helper()
	name, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	content, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return content
}

func zipOf(t *testing.T, names ...string) []byte {
	t.Helper()
	var buffer bytes.Buffer
	archive := zip.NewWriter(&buffer)
	for _, name := range names {
		if _, err := archive.Create(name); err != nil {
			t.Fatal(err)
		}
	}
	if err := archive.Close(); err != nil {
		t.Fatal(err)
	}
	return buffer.Bytes()
}

func tarOf(t *testing.T, names ...string) []byte {
	t.Helper()
	var buffer bytes.Buffer
	archive := tar.NewWriter(&buffer)
	for _, name := range names {
		content := strings.Repeat("x", 1000)
		if err := archive.WriteHeader(&tar.Header{Name: name, Mode: 0o600, Size: int64(len(content))}); err != nil {
			t.Fatal(err)
		}
		if _, err := archive.Write([]byte(content)); err != nil {
			t.Fatal(err)
		}
	}
	if err := archive.Close(); err != nil {
		t.Fatal(err)
	}
	return buffer.Bytes()
}
