package scan

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"time"
)

// neighbourHost is the host beside those that are scanned: Ansible runs on it, and nmap looks from its network.
const neighbourHost = "neighbour"

// Collection is dev-sec's Ansible collection, which Debian's package ansible does not hold.
type Collection struct {
	// Dir is an unpacked release: galaxy.yml and roles/.
	Dir string
	// Version of the collection.
	Version string
}

var galaxyVersion = regexp.MustCompile(`(?m)^version:\s*"?([0-9][0-9A-Za-z.+-]*)"?\s*$`)

// OpenCollection checks that a directory holds the collection. An empty one is no collection, and no error.
func OpenCollection(dir string) (*Collection, error) {
	if dir == "" {
		return nil, nil //nolint:nilnil // to compare or not to compare is the caller's choice
	}
	text, err := os.ReadFile(filepath.Join(dir, "galaxy.yml"))
	if err != nil {
		return nil, fmt.Errorf("DEVSEC %s: want a release of dev-sec/ansible-collection-hardening, unpacked: %w", dir, err)
	}
	found := galaxyVersion.FindSubmatch(text)
	if found == nil || !strings.Contains(string(text), "namespace: devsec") {
		return nil, fmt.Errorf("DEVSEC %s: galaxy.yml is not that of devsec.hardening", dir)
	}
	return &Collection{Dir: dir, Version: string(found[1])}, nil
}

// playbook runs both roles as their own page shows it. The roles expect that apt knows its packages. The variables are the roles' own
// switches for containers: settings of the kernel that a container can't write, and auditd, which can't start in one, are left out.
const playbook = `- hosts: all
  become: true
  vars:
    molecule_yml: {driver: {name: docker}}
    sysctl_unsupported_entries: "{{ sysctl_config.keys() | reject('match', '^net[.]') | list }}"
  pre_tasks:
    - ansible.builtin.apt: {update_cache: true}
  roles:
    - devsec.hardening.os_hardening
    - devsec.hardening.ssh_hardening
`

const collectionDir = "/root/.ansible/collections/ansible_collections/devsec/hardening"

// installAnsible puts Debian's Ansible and the collection on the neighbour. It is not part of any time that is measured.
func (r *run) installAnsible(c *Collection) error {
	install := "apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends ansible openssh-client"
	if _, err := r.lab.Exec(r.ctx, neighbourHost, nil, "bash", "-euc", install); err != nil {
		return err
	}
	tar := exec.CommandContext(r.ctx, "tar", "--create", "--directory", c.Dir, "--exclude=.git", ".")
	pipe, err := tar.StdoutPipe()
	if err != nil {
		return err
	}
	if err := tar.Start(); err != nil {
		return err
	}
	_, err = r.lab.Exec(r.ctx, neighbourHost, pipe, "bash", "-euc", "mkdir -p "+collectionDir+"; tar --extract --directory "+collectionDir)
	if err = errors.Join(err, tar.Wait()); err != nil {
		return err
	}
	key, err := os.Open(r.lab.AdminKey())
	if err != nil {
		return err
	}
	defer key.Close()
	_, err = r.lab.Exec(r.ctx, neighbourHost, key, "bash", "-euc", "umask 077; cat >/root/key")
	if err == nil {
		_, err = r.lab.Exec(r.ctx, neighbourHost, strings.NewReader(playbook), "bash", "-euc", "cat >/root/play.yml")
	}
	return err
}

// recap is a host's line at the end of a play.
var recap = regexp.MustCompile(`(?m)^(\S+)\s+: ok=(\d+)\s+changed=(\d+)\s+unreachable=(\d+)\s+failed=(\d+)`)

// ParseRecap counts what a play changed, over all its hosts; want is how many hosts it had.
func ParseRecap(text string, want int) (changed int, err error) {
	lines := recap.FindAllStringSubmatch(text, -1)
	if len(lines) != want {
		return 0, fmt.Errorf("ansible: a recap of %d hosts, want %d", len(lines), want)
	}
	for _, line := range lines {
		n, err := strconv.Atoi(line[3])
		if err != nil || line[4] != "0" || line[5] != "0" {
			return 0, fmt.Errorf("ansible: host %s: %s", line[1], line[0])
		}
		changed += n
	}
	return changed, nil
}

// play runs the roles once on all hosts, as many at a time as there are, with Ansible's own settings otherwise.
func (r *run) play(names ...string) (Applied, error) {
	var inventory strings.Builder
	for _, name := range names {
		host, err := r.lab.Host(name)
		if err != nil {
			return Applied{}, err
		}
		fmt.Fprintf(&inventory, "%s ansible_host=%s ansible_user=%s ansible_ssh_private_key_file=/root/key\n", name, host.Private, user)
	}
	if _, err := r.lab.Exec(r.ctx, neighbourHost, strings.NewReader(inventory.String()), "bash", "-euc", "cat >/root/hosts"); err != nil {
		return Applied{}, err
	}
	ctx, cancel := context.WithTimeout(r.ctx, 40*time.Minute)
	defer cancel()
	begin := time.Now()
	out, err := r.lab.Exec(ctx, neighbourHost, nil, "env", "HOME=/root", "LC_ALL=C.UTF-8", "ANSIBLE_HOST_KEY_CHECKING=False",
		"ansible-playbook", "--inventory", "/root/hosts", "--forks", strconv.Itoa(len(names)), "/root/play.yml")
	a := Applied{Seconds: time.Since(begin).Seconds()}
	r.keep("ansible-"+names[0]+".log", out)
	if err != nil {
		return a, fmt.Errorf("%w:\n%s", err, lastLines(out, 30))
	}
	a.Changed, err = ParseRecap(out, len(names))
	return a, err
}

func (r *run) playTwice(names ...string) (Times, error) {
	var t Times
	var err error
	if t.First, err = r.play(names...); err != nil {
		return t, err
	}
	t.Second, err = r.play(names...)
	return t, err
}
