package awsplan

import (
	"net/netip"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/crypto/ssh"

	"github.com/insight-icon/pulumi-icon/internal/wording"
)

// Forms of AWS's names. Identifiers have 8 hexadecimal digits, or since 2016 17.
var (
	imagePattern      = regexp.MustCompile(`^ami-([0-9a-f]{8}|[0-9a-f]{17})$`)
	snapshotPattern   = regexp.MustCompile(`^snap-([0-9a-f]{8}|[0-9a-f]{17})$`)
	vpcPattern        = regexp.MustCompile(`^vpc-([0-9a-f]{8}|[0-9a-f]{17})$`)
	subnetPattern     = regexp.MustCompile(`^subnet-([0-9a-f]{8}|[0-9a-f]{17})$`)
	hostedZonePattern = regexp.MustCompile(`^Z[0-9A-Z]{1,31}$`)
	accountPattern    = regexp.MustCompile(`^[0-9]{12}$`)
	timePattern       = regexp.MustCompile(`^([01][0-9]|2[0-3]):[0-5][0-9]$`)
	keyPattern        = regexp.MustCompile(`^arn:aws:kms:([a-z0-9-]+):([0-9]{12}):key/[0-9a-z-]{16,64}$`)
	certPattern       = regexp.MustCompile(`^arn:aws:acm:([a-z0-9-]+):([0-9]{12}):certificate/[0-9a-f-]{36}$`)
	hostNamePattern   = regexp.MustCompile(`^([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z]([a-z0-9-]{0,61}[a-z0-9])?$`)
	tagPattern        = regexp.MustCompile(`^[\p{L}\p{Z}\p{N}_.:/=+@-]*$`)
)

// matches wants text to have the pattern's form.
func (c *collector) matches(key, text string, pattern *regexp.Regexp, wanted string) bool {
	if !pattern.MatchString(text) {
		c.add(key, "is %s; wanted %s", wording.Quote(text), wanted)
		return false
	}
	return true
}

// between wants least <= n <= most.
func (c *collector) between(key string, n, least, most int) bool {
	if n < least || n > most {
		c.add(key, "is %d; wanted a whole number from %d to %d", n, least, most)
		return false
	}
	return true
}

// arn wants the ARN of something in the stack's own region and account.
func (c *completion) arn(key, text string, pattern *regexp.Regexp, wanted string) {
	m := pattern.FindStringSubmatch(text)
	if m == nil {
		c.add(key, "is %s; wanted %s", wording.Quote(text), wanted)
		return
	}
	if c.s.Region != "" && m[1] != c.s.Region {
		c.add(key, "is of the region %s; wanted one of %s", wording.Quote(m[1]), c.s.Region)
	}
	if accountPattern.MatchString(c.s.Account) && m[2] != c.s.Account {
		c.add(key, "is of the account %s; wanted one of icon:aws.account, %s", m[2], c.s.Account)
	}
}

const (
	leastRSABits = 3072
	// mostKeyText keeps the user data, which has the machine's host key besides, below AWS's 16 KiB.
	mostKeyText = 8192
)

// loginTypes are the keys that Debian 12's sshd lets in.
var loginTypes = []string{
	ssh.KeyAlgoED25519, ssh.KeyAlgoECDSA256, ssh.KeyAlgoECDSA384, ssh.KeyAlgoECDSA521, ssh.KeyAlgoRSA, ssh.KeyAlgoSKED25519,
	ssh.KeyAlgoSKECDSA256,
}

// administratorKeys wants public keys that a person may log in with.
func (c *collector) administratorKeys(list []string) {
	const key = "administratorKeys"
	if len(list) == 0 {
		c.missing(key, `at least one public SSH key, "ssh-ed25519 AAAA…": new machines let nobody in without`)
	}
	seen, size := map[string]int{}, 0
	for i, text := range list {
		size += len(text)
		public, ok := c.loginKey(wording.Item(key, i), text)
		if !ok {
			continue
		}
		if first, again := seen[string(public.Marshal())]; again {
			c.add(wording.Item(key, i), "is the key of icon:aws.%s again", wording.Item(key, first))
			continue
		}
		seen[string(public.Marshal())] = i
	}
	if size > mostKeyText {
		c.add(key, "are %d characters; wanted at most %d, which is what a machine can be given when it is made", size, mostKeyText)
	}
}

// loginKey wants one public key in the form "type base64 comment".
func (c *collector) loginKey(key, text string) (ssh.PublicKey, bool) {
	public, _, options, _, err := ssh.ParseAuthorizedKey([]byte(text))
	switch {
	case strings.Contains(text, "PRIVATE KEY"):
		c.add(key, "is a private key (not shown); wanted its public half, \"ssh-ed25519 AAAA…\" (ssh-keygen -y prints it), and a new key: "+
			"this one has been in a file that it does not belong in")
	case err != nil:
		c.add(key, "is %s; wanted a public SSH key, \"ssh-ed25519 AAAA…\"", wording.Quote(text))
	case len(options) > 0:
		c.add(key, "has options in front of the key; wanted the key alone")
	case strings.ContainsAny(strings.TrimSpace(text), "\r\n"):
		c.add(key, "is several lines; wanted one public key for each item")
	case !slices.Contains(loginTypes, public.Type()):
		c.add(key, "is a key of the type %s; wanted one of: %s", public.Type(), strings.Join(loginTypes, ", "))
	case public.Type() == ssh.KeyAlgoRSA && rsaBits(public) < leastRSABits:
		c.add(key, "is an RSA key of %d bits; wanted at least %d, or better an ssh-ed25519 key", rsaBits(public), leastRSABits)
	default:
		return public, true
	}
	return nil, false
}

func rsaBits(public ssh.PublicKey) int {
	var parts struct {
		Type string
		E, N []byte
	}
	if ssh.Unmarshal(public.Marshal(), &parts) != nil {
		return 0
	}
	n := strings.TrimLeft(string(parts.N), "\x00")
	if n == "" {
		return 0
	}
	return len(n)*8 - (8 - len(strconv.FormatUint(uint64(n[0]), 2)))
}

// Limits of tags. AWS lets a resource have 50; the library's own are kept free.
const (
	mostTags      = 40
	mostTagKey    = 128
	mostTagValue  = 256
	awsTagPrefix  = "aws:"
	tagCharacters = `letters, digits, blanks and "_.:/=+-@"`
)

// ownTags are the names that the library gives values itself.
var ownTags = []string{"Name", "Project", "Stack", "ManagedBy", "Role", "Host", "Tier", "Snapshots"}

func (c *collector) tags(tags map[string]string) {
	names := make([]string, 0, len(tags))
	for name := range tags {
		names = append(names, name)
	}
	slices.Sort(names)
	for i, name := range names {
		key := wording.Under("tags", name)
		same := func(other string) bool { return strings.EqualFold(name, other) }
		switch {
		case name == "" || !tagPattern.MatchString(name) || !tagPattern.MatchString(tags[name]):
			c.add(key, "is %s: %s; wanted %s", wording.Quote(name), wording.Quote(tags[name]), tagCharacters)
		case strings.HasPrefix(strings.ToLower(name), awsTagPrefix):
			c.add(key, "begins with %q, which AWS keeps for itself; wanted another name", awsTagPrefix)
		case slices.ContainsFunc(ownTags, same):
			c.add(key, "is one of the library's own: %s; wanted another name", strings.Join(ownTags, ", "))
		case slices.ContainsFunc(names[:i], same):
			c.add(key, "differs from another tag in capital letters only, which roles cannot have; wanted one of them")
		}
		if n := len([]rune(name)); n > mostTagKey {
			c.add(key, "has a name of %d characters; wanted at most %d", n, mostTagKey)
		}
		if n := len([]rune(tags[name])); n > mostTagValue {
			c.add(key, "has a value of %d characters; wanted at most %d", n, mostTagValue)
		}
	}
	if len(tags) > mostTags {
		c.add("tags", "are %d; wanted at most %d: AWS allows 50, and the library has its own", len(tags), mostTags)
	}
}

// hostOf is the host in "host:port", and whether it is a name.
func hostOf(announced string) (host string, named bool) {
	host, _, _ = strings.Cut(announced, ":")
	_, err := netip.ParseAddr(host)
	return host, err != nil
}
