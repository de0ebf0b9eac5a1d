package stacks

import (
	"fmt"
	"regexp"
	"strings"

	"golang.org/x/crypto/ssh"

	"github.com/insight-icon/pulumi-icon/internal/wording"
)

var (
	machinePattern = regexp.MustCompile(`^[a-z][a-z0-9-]{0,39}$`)
	userPattern    = regexp.MustCompile(`^[a-z_][a-z0-9_-]{0,31}$`)
)

const (
	machineForm = `as a machine's name lower-case letters, digits and "-", a letter first, at most 40`
	userForm    = `a login: lower-case letters, digits, "_" and "-", at most 32`
)

func (c *Config) validateHosts(p *collector) {
	if c.Hosts == nil {
		if c.Platform == PlatformHosts {
			p.missing("hosts", "the machines, since icon:platform is hosts")
		}
		return
	}
	if c.Platform == PlatformAWS {
		p.add("hosts", "contradicts icon:platform, which is aws, where the machines are made; remove it, or set icon:platform to hosts")
		return
	}
	h := c.Hosts
	p.matches("hosts.user", h.User, userPattern, userForm)
	p.between("hosts.port", h.Port, 1, 65535)
	p.between("hosts.connectTimeout", h.ConnectTimeout, 1, 3600)
	h.Bastion.validate(p, "hosts.bastion")
	if len(h.Machines) == 0 {
		p.missing("hosts.machines", "at least one machine by name, with its address and hostKey")
	}
	once := &unique{collector: p, seen: map[string]string{}}
	for _, name := range sortedKeys(h.Machines) {
		path, m := wording.Under("hosts.machines", name), h.Machines[name]
		p.matches(path, name, machinePattern, machineForm)
		m.validate(p, path, once)
		// What a machine has from icon:hosts is reported there.
		if m.User != h.User {
			p.matches(wording.Under(path, "user"), m.User, userPattern, userForm)
		}
		if m.Port != h.Port {
			p.between(wording.Under(path, "port"), m.Port, 1, 65535)
		}
		if m.Bastion != h.Bastion {
			m.Bastion.validate(p, wording.Under(path, "bastion"))
		}
	}
}

func (m Machine) validate(p *collector, path string, once *unique) {
	addressGood, addressOwn := false, true
	if m.Address == "" {
		p.missing(wording.Under(path, "address"), "the IPv4 address or the name where SSH reaches the machine")
	} else if addressGood = p.hostAddress(wording.Under(path, "address"), m.Address); addressGood {
		door := fmt.Sprintf("%s port %d", strings.ToLower(m.Address), m.Port)
		addressOwn = once.see(wording.Under(path, "address"), "SSH address", door, "two names for one machine?")
	}
	switch {
	case m.PrivateAddress != "":
		if address, ok := p.ipv4(wording.Under(path, "privateAddress"), m.PrivateAddress); ok && addressOwn {
			once.see(wording.Under(path, "privateAddress"), "private address", address.String(), "the firewall could not tell the two apart")
		}
	case addressGood:
		p.missing(wording.Under(path, "privateAddress"),
			"the machine's IPv4 address among the hosts, since address is a name or a forwarded port")
	}
	if m.PublicAddress != "" && m.PublicAddress != m.Address {
		p.ipv4(wording.Under(path, "publicAddress"), m.PublicAddress)
	}
	if m.HostKey == "" {
		p.missing(wording.Under(path, "hostKey"), "the machine's SSH host key (on the machine: cat /etc/ssh/ssh_host_ed25519_key.pub)")
	} else if key, ok := p.hostKey(wording.Under(path, "hostKey"), m.HostKey); ok {
		once.see(wording.Under(path, "hostKey"), "host key", ssh.FingerprintSHA256(key),
			"whoever holds one machine could pass for the other; make new ones: rm /etc/ssh/ssh_host_*; ssh-keygen -A")
	}
}

// unique reports values that two machines share.
type unique struct {
	*collector
	seen map[string]string // where each value was first seen
}

// see says whether no machine before had the value.
func (u *unique) see(path, kind, value, why string) bool {
	id := kind + " " + value
	if other, twice := u.seen[id]; twice {
		u.add(path, "has the same %s as %s (%s): %s", kind, at(other), value, why)
		return false
	}
	u.seen[id] = path
	return true
}

func (b *Bastion) validate(p *collector, path string) {
	if b == nil {
		return
	}
	p.matches(wording.Under(path, "user"), b.User, userPattern, userForm)
	p.between(wording.Under(path, "port"), b.Port, 1, 65535)
	addressGood := false
	if b.Address == "" {
		p.missing(wording.Under(path, "address"), "the IPv4 address or the name where SSH reaches the bastion")
	} else {
		addressGood = p.hostAddress(wording.Under(path, "address"), b.Address)
	}
	switch {
	case b.PrivateAddress != "":
		p.ipv4(wording.Under(path, "privateAddress"), b.PrivateAddress)
	case addressGood:
		p.missing(wording.Under(path, "privateAddress"),
			"the IPv4 address from which the bastion reaches the hosts, since address is a name or a forwarded port")
	}
	if b.HostKey == "" {
		p.missing(wording.Under(path, "hostKey"), "the bastion's SSH host key (on the bastion: cat /etc/ssh/ssh_host_ed25519_key.pub)")
	} else {
		p.hostKey(wording.Under(path, "hostKey"), b.HostKey)
	}
}
