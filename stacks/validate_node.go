package stacks

import (
	"net/url"
	"path"
	"regexp"
	"slices"
	"strings"

	"github.com/insight-icon/pulumi-icon/internal/wording"
)

func (c *Config) validateNode(p *collector) {
	n := c.Node
	p.oneOf("node.runtime", n.Runtime, runtimeContainer, runtimeBinary)
	p.oneOf("node.arch", n.Arch, archAMD64, archARM64)
	p.oneOf("node.onDestroy", n.OnDestroy, "keep", "wipe")
	p.oneOf("node.logLevel", n.LogLevel, "trace", "debug", "info", "warn", "error")
	p.between("node.syncTimeout", n.SyncTimeout, 10, 24*60*60)
	if n.MinDiskGB < 0 {
		p.add("node.minDiskGB", "is %d; wanted a size in GB, or no such key for the network's own", n.MinDiskGB)
	}
	validateDataDir(p, n.DataDir)
	switch {
	case !p.readable("node.runtime"):
	case n.Runtime == runtimeBinary:
		c.validateBinary(p)
	case n.Runtime == runtimeContainer:
		c.validateContainer(p)
	}
}

func (c *Config) validateBinary(p *collector) {
	if c.Node.Binary == nil || c.Node.Binary.Path == "" {
		p.missing("node.binary.path", "the path of a goloop executable (make tools builds one)")
	}
	if c.Node.Container != nil {
		p.add("node.container", "contradicts icon:node.runtime, which is binary; remove one of them")
	}
	switch _, public := publicProfiles()[c.Network.Profile]; {
	case public:
		p.add("node.runtime", "is binary, but on %s contracts are executed, by the engines of the official image; wanted container",
			c.Network.Profile)
	case c.Network.Platform == platformIcon:
		p.add("node.runtime", "is binary, but contracts of the platform icon are executed by the engines of the official image; wanted container")
	}
}

var (
	// registryPattern is how an image's name begins. Without a registry, podman and docker disagree on where to look.
	registryPattern = regexp.MustCompile(`^(localhost|[a-z0-9-]+(\.[a-z0-9-]+)+)(:[0-9]{1,5})?/`)
	// imagePattern is the rest: the name, an optional tag, and a digest.
	imagePattern = regexp.MustCompile(`^[^/]+(/[a-z0-9]+([._-]+[a-z0-9]+)*)+(:[A-Za-z0-9_][A-Za-z0-9_.-]{0,127})?@sha256:[0-9a-f]{64}$`)
)

func (c *Config) validateContainer(p *collector) {
	if c.Node.Binary != nil {
		p.add("node.binary", "contradicts icon:node.runtime, which is container; remove it or set icon:node.runtime to binary")
	}
	container := c.Node.Container
	if container == nil {
		p.missing("node.container.image", imageForm)
		return
	}
	switch {
	case container.Image == "":
		p.missing("node.container.image", imageForm)
	case !strings.Contains(container.Image, "@"):
		p.add("node.container.image", "is %s, which can change under its name; wanted it pinned by digest: %s@sha256:…",
			wording.Quote(container.Image), container.Image)
	case !registryPattern.MatchString(container.Image):
		p.add("node.container.image", "is %s, without a registry; wanted one in front, such as docker.io/", wording.Quote(container.Image))
	default:
		p.matches("node.container.image", container.Image, imagePattern, imageForm)
	}
	// icon-project/icon2-docker builds the image for the builder's own platform; at v1.4.4 it puts an installer and a program for x86-64
	// in. goloop's own Dockerfiles build on arm64, so an image of the operator's may serve a custom network.
	if _, public := publicProfiles()[c.Network.Profile]; public && c.Node.Arch == archARM64 {
		p.add("node.arch", "is arm64, but the official image, which executes the contracts of %s, exists for amd64 alone; wanted amd64",
			c.Network.Profile)
	}
	p.oneOf("node.container.engine", container.Engine, "podman", "docker")
	switch {
	case container.ConfigURL != "":
		validateConfigURL(p, container.ConfigURL)
	case c.Network.Profile == NetworkCustom:
		p.missing("node.container.configURL", "the address of a web server with the custom network's settings and genesis")
	}
}

const imageForm = `"registry/name:tag@sha256:<64 hexadecimal digits>"`

// validateConfigURL wants what the image can append "/<service>/<file>" to.
func validateConfigURL(p *collector, text string) {
	const key = "node.container.configURL"
	address, err := url.Parse(text)
	switch {
	case err != nil || address.Host == "" || address.Scheme != "http" && address.Scheme != "https":
		p.add(key, "is %s; wanted an address that begins with https:// or http://", wording.Quote(text))
	case address.User != nil:
		p.add(key, "holds a user or password (not shown), which hosts would show to everyone; wanted an address without")
	case address.RawQuery != "" || address.Fragment != "" || strings.HasSuffix(text, "/"):
		p.add(key, "is %s; wanted an address without a query and without a slash at its end: the image appends /<service>/<file>",
			wording.Quote(text))
	case strings.ContainsFunc(text, func(r rune) bool { return r <= ' ' || r > '~' || strings.ContainsRune("\"'`$\\", r) }):
		p.add(key, "is %s; wanted an address without blanks, quotes, \"$\" and \"\\\"", wording.Quote(text))
	}
}

var dataDirPattern = regexp.MustCompile(`^/[A-Za-z0-9._/-]*$`)

// validateDataDir keeps chain data out of directories that belong to the system: goloop's user will own the directory, nobody else will be
// able to read it, and with onDestroy: wipe it will be removed.
func validateDataDir(p *collector, dir string) {
	const key = "node.dataDir"
	switch {
	case !dataDirPattern.MatchString(dir):
		p.add(key, "is %s; wanted an absolute path of letters, digits, \".\", \"_\" and \"-\"", wording.Quote(dir))
	case path.Clean(dir) != dir:
		p.add(key, "is %s; wanted the same directory in its plain form, %s", wording.Quote(dir), path.Clean(dir))
	case slices.Contains(systemDirs, dir):
		p.add(key, "is %s, a directory of the system; wanted one of the node's own, such as /var/lib/icon-node", wording.Quote(dir))
	case slices.Contains(systemTrees, "/"+strings.Split(dir, "/")[1]):
		p.add(key, "is %s, inside a directory of the system; wanted one of the node's own, such as /var/lib/icon-node", wording.Quote(dir))
	}
}

var (
	// systemTrees hold nothing but the system's own files, or are hidden from the node by its sandbox (home directories, /tmp).
	systemTrees = []string{
		"/bin", "/boot", "/dev", "/etc", "/home", "/lib", "/lib32", "/lib64", "/libx32", "/proc", "/root", "/run", "/sbin", "/sys",
		"/tmp", "/usr",
	}
	// systemDirs may hold a node's directory but not be one.
	systemDirs = []string{
		"/", "/media", "/mnt", "/opt", "/srv", "/var", "/var/backups", "/var/cache", "/var/lib", "/var/local", "/var/lock", "/var/log",
		"/var/mail", "/var/opt", "/var/run", "/var/spool", "/var/tmp",
	}
)
