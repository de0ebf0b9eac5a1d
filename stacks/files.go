package stacks

import (
	"archive/tar"
	"archive/zip"
	"cmp"
	"debug/elf"
	"errors"
	"io"
	"os"
	"path/filepath"
	"slices"

	"github.com/insight-icon/pulumi-icon/internal/awsplan"
)

// CheckFiles looks at the files that the configuration names; relative paths start at dir, the Pulumi project's directory. Each must be a
// readable file of the right kind: genesis storage, goloop executable for Linux and node.arch, image archive, sentries' agent. Its error is
// a Problems.
func (c *Config) CheckFiles(dir string) error {
	p := newCollector()
	if c.Network.Genesis != "" {
		p.file("network.genesis", dir, c.Network.Genesis, checkGenesis)
	}
	if c.Node.Binary != nil {
		arch := cmp.Or(c.Node.Arch, archAMD64)
		p.file("node.binary.path", dir, c.Node.Binary.Path, func(p *collector, path string, file *os.File, _ int64) {
			checkBinary(p, path, file, arch)
		})
	}
	if c.Node.Container != nil && c.Node.Container.Archive != "" {
		p.file("node.container.archive", dir, c.Node.Container.Archive, checkArchive)
	}
	if c.Sentries != nil && c.Sentries.Agent != "" {
		p.file("sentries.agent", dir, c.Sentries.Agent, c.checkAgent)
	}
	return p.err()
}

// file wants a readable regular file that passes the check.
func (c *collector) file(path, dir, name string, check func(c *collector, path string, file *os.File, size int64)) {
	if !filepath.IsAbs(name) {
		name = filepath.Join(dir, name)
	}
	info, err := os.Stat(name)
	if err == nil && !info.Mode().IsRegular() {
		c.add(path, "is %s, which is not a file", name)
		return
	}
	if err == nil {
		var file *os.File
		if file, err = os.Open(name); err == nil {
			defer func() { _ = file.Close() }() // only read
			check(c, path, file, info.Size())
			return
		}
	}
	if errors.Is(err, os.ErrNotExist) {
		c.add(path, "is %s, which does not exist", name)
		return
	}
	c.add(path, "cannot be read: %v", err)
}

func checkGenesis(c *collector, path string, file *os.File, size int64) {
	archive, err := zip.NewReader(file, size)
	if err != nil {
		c.add(path, "is %s, which is not a genesis storage (%v); goloop gs gen makes one", file.Name(), err)
		return
	}
	if !slices.ContainsFunc(archive.File, func(f *zip.File) bool { return f.Name == "genesis.json" }) {
		c.add(path, "is %s, a zip without genesis.json; wanted a genesis storage, as goloop gs gen makes it", file.Name())
	}
}

// machines are the processors of an architecture's executables.
var machines = map[string]elf.Machine{archAMD64: elf.EM_X86_64, archARM64: elf.EM_AARCH64}

func checkBinary(c *collector, path string, file *os.File, arch string) {
	executable := c.executable(path, file, "make tools builds goloop")
	if executable != nil && executable.Machine != machines[arch] {
		c.add(path, "is %s, made for %v, but icon:node.arch is %s; wanted %v", file.Name(), executable.Machine, arch, machines[arch])
	}
}

// checkAgent wants the sentries' agent. What existing machines are is known to nobody here.
func (c *Config) checkAgent(p *collector, path string, file *os.File, _ int64) {
	executable := p.executable(path, file, "go build ./cmd/icon-sentry makes one")
	if executable == nil || c.AWS == nil {
		return
	}
	design, _ := c.AWS.Complete(c.AWSNeed())
	for _, h := range design.Hosts {
		if h.Role == awsplan.Sentry && executable.Machine != machines[h.Arch] {
			p.add(path, "is %s, made for %v, but %s is a machine of %s; build it with GOARCH=%s, or leave the key out", file.Name(),
				executable.Machine, h.Name, h.Arch, h.Arch)
			return
		}
	}
}

// executable wants a program for Linux; nil if it is none, which is reported with what makes one.
func (c *collector) executable(path string, file *os.File, how string) *elf.File {
	executable, err := elf.NewFile(file)
	switch {
	case err != nil:
		c.add(path, "is %s, which is not an executable for Linux (%v); %s", file.Name(), err, how)
	case executable.Type != elf.ET_EXEC && executable.Type != elf.ET_DYN,
		executable.OSABI != elf.ELFOSABI_NONE && executable.OSABI != elf.ELFOSABI_LINUX:
		c.add(path, "is %s, an ELF file that Linux cannot execute (%v, %v)", file.Name(), executable.Type, executable.OSABI)
	default:
		return executable
	}
	return nil
}

// checkArchive looks for the index of an image archive. Entries are skipped, not read, so that large archives cost nothing.
func checkArchive(c *collector, path string, file *os.File, _ int64) {
	archive := tar.NewReader(file)
	for {
		header, err := archive.Next()
		if errors.Is(err, io.EOF) {
			c.add(path, "is %s, a tar without an image's manifest.json or index.json; wanted what podman save or docker save writes", file.Name())
			return
		}
		if err != nil {
			c.add(path, "is %s, which is not an image archive (%v); wanted an uncompressed tar, as podman save or docker save writes it",
				file.Name(), err)
			return
		}
		if name := filepath.Clean(header.Name); name == "manifest.json" || name == "index.json" {
			return
		}
	}
}
