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
)

// CheckFiles looks at the files that the configuration names; relative paths start at dir, the Pulumi project's directory. Each must be a
// readable file of the right kind: genesis storage, goloop executable for Linux and node.arch, image archive. Its error is a Problems.
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

func checkBinary(c *collector, path string, file *os.File, arch string) {
	machines := map[string]elf.Machine{archAMD64: elf.EM_X86_64, archARM64: elf.EM_AARCH64}
	executable, err := elf.NewFile(file)
	switch {
	case err != nil:
		c.add(path, "is %s, which is not an executable for Linux (%v); make tools builds goloop", file.Name(), err)
	case executable.Type != elf.ET_EXEC && executable.Type != elf.ET_DYN,
		executable.OSABI != elf.ELFOSABI_NONE && executable.OSABI != elf.ELFOSABI_LINUX:
		c.add(path, "is %s, an ELF file that Linux cannot execute (%v, %v)", file.Name(), executable.Type, executable.OSABI)
	case executable.Machine != machines[arch]:
		c.add(path, "is %s, made for %v, but icon:node.arch is %s; wanted %v", file.Name(), executable.Machine, arch, machines[arch])
	}
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
