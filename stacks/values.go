package stacks

import (
	"net/netip"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/crypto/ssh"

	"github.com/insight-icon/pulumi-icon/internal/wording"
)

// Rules for single values. Each reports what is wrong at path; those whose value is used further say whether it is good.

// oneOf wants text to be one of the known values.
func (c *collector) oneOf(path, text string, known ...string) {
	if !slices.Contains(known, text) {
		c.add(path, "is %s; wanted one of: %s", wording.Quote(text), strings.Join(known, ", "))
	}
}

// chosen wants one of the known values to be given.
func (c *collector) chosen(path, text string, known ...string) {
	if text == "" {
		c.missing(path, "one of: "+strings.Join(known, ", "))
		return
	}
	c.oneOf(path, text, known...)
}

// between wants least <= n <= most.
func (c *collector) between(path string, n, least, most int) {
	if n < least || n > most {
		c.add(path, "is %d; wanted a whole number from %d to %d", n, least, most)
	}
}

// matches wants text to have the pattern's form.
func (c *collector) matches(path, text string, pattern *regexp.Regexp, wanted string) {
	if !pattern.MatchString(text) {
		c.add(path, "is %s; wanted %s", wording.Quote(text), wanted)
	}
}

// network wants an IPv4 network in CIDR form, without bits set to the right of its mask.
func (c *collector) network(path, text string) (netip.Prefix, bool) {
	prefix, err := netip.ParsePrefix(text)
	switch {
	case err != nil && validIPv4(text):
		c.add(path, "is the single address %s; wanted a network: write %s/32", text, text)
	case err != nil:
		c.add(path, "is %s; wanted an IPv4 network such as 203.0.113.0/24", wording.Quote(text))
	case !prefix.Addr().Is4():
		c.add(path, "is %s; IPv6 is not served: goloop speaks IPv4 only", wording.Quote(text))
	case prefix.Masked() != prefix:
		c.add(path, "is %s, an address inside a network; the network is %s", wording.Quote(text), prefix.Masked())
	default:
		return prefix, true
	}
	return netip.Prefix{}, false
}

// networks wants IPv4 networks, none of them twice.
func (c *collector) networks(path string, list []string) {
	good := []netip.Prefix{}
	for i, text := range list {
		prefix, ok := c.network(wording.Item(path, i), text)
		if ok && slices.Contains(good, prefix) {
			c.add(wording.Item(path, i), "is %s, which is in the list already", wording.Quote(text))
		}
		if ok {
			good = append(good, prefix)
		}
	}
}

// closedNetworks is networks for a door that must not stand open to the internet; why says what is behind it.
func (c *collector) closedNetworks(path string, list []string, why string) {
	const widest = 8
	for i, text := range list {
		prefix, err := netip.ParsePrefix(text)
		switch {
		case err != nil || !prefix.Addr().Is4():
		case prefix.Bits() == 0:
			c.add(wording.Item(path, i), "is %s, the whole internet: %s; name the networks that need it", wording.Quote(text), why)
		case prefix.Bits() < widest:
			c.add(wording.Item(path, i), "is %s, wider than /%d: %s; name the networks that need it", wording.Quote(text), widest, why)
		}
	}
	c.networks(path, list)
}

// ipv4 wants the address of one host that other hosts can reach.
func (c *collector) ipv4(path, text string) (netip.Addr, bool) {
	address, err := netip.ParseAddr(text)
	switch {
	case err != nil:
		c.add(path, "is %s; wanted an IPv4 address", wording.Quote(text))
	case !address.Is4():
		c.add(path, "is the IPv6 address %s; wanted IPv4: goloop speaks IPv4 only", text)
	case !assignable(address) || address.IsLoopback():
		c.add(path, "is %s, which is not an address that other hosts can reach", text)
	default:
		return address, true
	}
	return netip.Addr{}, false
}

// The last label has a letter in front, so that a mistyped address is not taken for a name.
var hostNamePattern = regexp.MustCompile(`^([a-zA-Z0-9]([a-zA-Z0-9-]{0,61}[a-zA-Z0-9])?\.)*[a-zA-Z]([a-zA-Z0-9-]{0,61}[a-zA-Z0-9])?$`)

// assignable says whether a host can have the address at all.
func assignable(address netip.Addr) bool {
	return !address.IsUnspecified() && !address.IsMulticast() && address != netip.AddrFrom4([4]byte{255, 255, 255, 255})
}

func validIPv4(text string) bool {
	address, err := netip.ParseAddr(text)
	return err == nil && address.Is4()
}

// hostAddress wants an IPv4 address or a name, without a port.
func (c *collector) hostAddress(path, text string) bool {
	host, _, hasPort := strings.Cut(text, ":")
	address, err := netip.ParseAddr(text)
	switch {
	case err == nil && !address.Is4():
		c.add(path, "is the IPv6 address %s; wanted an IPv4 address or a name: goloop speaks IPv4 only", text)
	case err == nil && !assignable(address):
		c.add(path, "is %s, which is no host's address", text)
	case err == nil:
		return true
	case hasPort && host != "":
		c.add(path, "is %s; wanted %s alone: the port has its own key, port", wording.Quote(text), wording.Quote(host))
	case len(text) > 253 || !hostNamePattern.MatchString(text):
		c.add(path, "is %s; wanted an IPv4 address or a host name", wording.Quote(text))
	default:
		return true
	}
	return false
}

// endpoint wants "host:port" with an IPv4 address or a name.
func (c *collector) endpoint(path, text string) (host string, port int, ok bool) {
	host, portText, _ := strings.Cut(text, ":")
	address, err := netip.ParseAddr(host)
	named := err != nil && len(host) <= 253 && hostNamePattern.MatchString(host)
	port, portErr := strconv.Atoi(portText)
	switch {
	case strings.Count(text, ":") > 1:
		c.add(path, "is %s; wanted host:port with an IPv4 address or a name: goloop speaks IPv4 only", wording.Quote(text))
	case portText == "":
		c.add(path, "is %s, without a port; wanted host:port, for instance %s", wording.Quote(text), wording.Quote(host+":7100"))
	case !named && err != nil:
		c.add(path, "is %s; wanted host:port with an IPv4 address or a host name", wording.Quote(text))
	case err == nil && !assignable(address):
		c.add(path, "is %s, whose address no host can have", wording.Quote(text))
	case portErr != nil || port < 1 || port > 65535:
		c.add(path, "is %s; wanted a port from 1 to 65535 after the colon", wording.Quote(text))
	default:
		return host, port, true
	}
	return "", 0, false
}

// hostKey wants one SSH host key in the form "type base64". A comment after it, as in the host's own .pub file, is allowed.
func (c *collector) hostKey(path, text string) (ssh.PublicKey, bool) {
	words := strings.Fields(text)
	key, _, options, _, err := ssh.ParseAuthorizedKey([]byte(text))
	switch {
	case strings.Contains(text, "PRIVATE KEY"):
		c.add(path, "is a private key (not shown); wanted the public half, \"ssh-ed25519 AAAA…\"")
	case len(words) > 1 && !isKeyType(words[0]) && isKeyType(words[1]):
		c.add(path, "is a known_hosts line; cut its first word, the host: wanted %s and what follows it", wording.Quote(words[1]))
	case err != nil || len(options) > 0:
		c.add(path, "is %s; wanted one SSH host key, \"ssh-ed25519 AAAA…\" (on the host: cat /etc/ssh/ssh_host_ed25519_key.pub)",
			wording.Quote(text))
	case strings.Count(strings.TrimSpace(text), "\n") > 0:
		c.add(path, "is several lines; wanted one SSH host key, best the ssh-ed25519 one")
	case !slices.Contains(hostKeyTypes, key.Type()):
		c.add(path, "is a key of the type %s; wanted one of: %s", key.Type(), strings.Join(hostKeyTypes, ", "))
	default:
		return key, true
	}
	return nil, false
}

// hostKeyTypes has no RSA: with a pinned RSA key, pulumi-command v1.2.1 asks for SHA-1 signatures only, which today's sshd refuses.
var hostKeyTypes = []string{ssh.KeyAlgoED25519, ssh.KeyAlgoECDSA256, ssh.KeyAlgoECDSA384, ssh.KeyAlgoECDSA521}

// isKeyType recognises the first word of a public key, also of a type that is refused.
func isKeyType(word string) bool {
	return strings.HasPrefix(word, "ssh-") || strings.HasPrefix(word, "ecdsa-sha2-") || strings.HasPrefix(word, "sk-")
}
