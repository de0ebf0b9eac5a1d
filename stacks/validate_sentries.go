package stacks

import (
	"net/mail"
	"net/netip"
	"net/url"
	"regexp"
	"slices"
	"strings"

	"github.com/insight-icon/pulumi-icon/internal/awsplan"
	"github.com/insight-icon/pulumi-icon/internal/sentry"
	"github.com/insight-icon/pulumi-icon/internal/wording"
)

func (c *Config) validateSentries(p *collector) {
	s := c.Sentries
	switch {
	case len(s.Hosts) == 0:
		p.missing("sentries.hosts", "at least two machines' names")
	case len(s.Hosts) == 1:
		p.add("sentries.hosts", "names only %s; wanted at least two: one alone is a single point of failure", wording.Quote(s.Hosts[0]))
	}
	switch api := s.API != nil && *s.API; {
	case api && c.Citizens == nil && p.readable("citizens"):
		p.add("sentries.api", "is true, but there are no icon:citizens whose API could be published")
	case api && c.AWS != nil && c.AWS.API != nil:
		p.add("sentries.api", "is true, but the load balancer of icon:aws.api publishes the citizens' API; remove one of them")
	case !api && p.readable("citizens") && p.readable("sentries.api"):
		s.refuseWithoutAPI(p)
	}
	if s.Announce == "" {
		p.missing("sentries.announce", "\"name:7100\", where the name resolves to every sentry's public address")
	} else if host, port, ok := p.endpoint("sentries.announce", s.Announce); ok {
		c.validateAnnounced(p, host, port)
	}
	p.oneOf("sentries.announceCheck", s.AnnounceCheck, announceRequired, announceWarned)
	if c.Platform == PlatformAWS && s.AnnounceCheck == announceRequired {
		p.add("sentries.announceCheck", "is require, but on aws the sentries' addresses are made by the deploy, and nobody can publish them "+
			"before; remove it")
	}
	for _, problem := range s.Limits.Problems() {
		p.add(wording.Under("sentries.limits", problem.Limit), "%s", problem.Text)
	}
	s.validateVariant(p)
	c.validatePeers(p)
	s.validateUsers(p)
	s.validateTLS(p)
	s.validateDraining(p)
	c.validateRotate(p)
}

// refuseWithoutAPI reports what is about the API of sentries that publish none.
func (s *Sentries) refuseWithoutAPI(p *collector) {
	for _, key := range []struct {
		name  string
		given bool
	}{
		{"tls", s.TLS != nil},
		{"cors", len(s.CORS) > 0},
		{"users", len(s.Users) > 0},
		{"apiKeys", len(s.APIKeys) > 0},
		{"apiKeysOnly", s.APIKeysOnly},
	} {
		if key.given {
			p.add("sentries."+key.name, "is set, but the sentries publish no API: icon:sentries.api is false, which is its default without "+
				"icon:citizens and with icon:aws.api; remove one of them")
		}
	}
}

func (s *Sentries) validateVariant(p *collector) {
	var known []string
	for _, v := range sentry.Variants() {
		known = append(known, string(v))
	}
	p.oneOf("sentries.variant", s.Variant, known...)
	if s.Variant != string(sentry.Nginx) {
		return
	}
	for _, key := range []struct {
		name  string
		given bool
	}{
		{"peers.mode", s.Peers.Mode != sentry.PeersOff && s.Peers.Mode != ""},
		{"peers.static", len(s.Peers.Static) > 0},
		{"peers.endpoints", len(s.Peers.Endpoints) > 0},
		{"apiKeys", len(s.APIKeys) > 0},
		{"apiKeysOnly", s.APIKeysOnly},
	} {
		if key.given {
			p.add("sentries."+key.name, "is set, but icon:sentries.variant is nginx, which can't: it keeps no list of peers and knows no API "+
				"keys; remove it, or choose haproxy+nftables or haproxy")
		}
	}
}

func (c *Config) validatePeers(p *collector) {
	peers := c.Sentries.Peers
	p.oneOf("sentries.peers.mode", peers.Mode, sentry.PeersPrefer, sentry.PeersEnforce, sentry.PeersOff)
	for i, text := range peers.Static {
		path := wording.Item("sentries.peers.static", i)
		p.peer(path, text)
		if slices.Contains(peers.Static[:i], text) {
			p.add(path, "is %s, which is in the list already", wording.Quote(text))
		}
	}
	for i, text := range peers.Endpoints {
		path := wording.Item("sentries.peers.endpoints", i)
		p.apiAddress(path, text)
		if slices.Contains(peers.Endpoints[:i], text) {
			p.add(path, "is %s, which is in the list already", wording.Quote(text))
		}
	}
	p.between("sentries.peers.refreshSeconds", peers.RefreshSeconds, 10, 86_400)
	p.between("sentries.peers.maxShrinkPercent", peers.MaxShrinkPercent, 1, 100)
	listed := len(peers.Static)+len(peers.Endpoints) > 0
	switch {
	case c.Sentries.Variant == string(sentry.Nginx): // which was reported
	case peers.Mode == sentry.PeersOff && listed:
		p.add("sentries.peers.mode", "is off, so icon:sentries.peers.static and endpoints are for nothing; remove them, or choose prefer")
	case peers.Mode == sentry.PeersEnforce && !listed && c.Citizens == nil && p.readable("citizens"):
		p.add("sentries.peers.mode", "is enforce, but nothing says who the peers are: there are neither static nor endpoints, and no citizens "+
			"that could be asked; give one of them, or choose prefer")
	}
}

// peer wants the address, network or name of peers that are known.
func (c *collector) peer(path, text string) {
	const widest = 8
	_, err := netip.ParseAddr(text)
	switch {
	case strings.Contains(text, "/"):
		if prefix, ok := c.network(path, text); ok && prefix.Bits() < widest {
			c.add(path, "is %s, wider than /%d: nobody would be a stranger; name the peers that are known", wording.Quote(text), widest)
		}
	case err == nil:
		c.ipv4(path, text)
	case len(text) > 253 || !hostNamePattern.MatchString(text):
		c.add(path, "is %s; wanted a peer's IPv4 address, network (CIDR) or name, without a port", wording.Quote(text))
	}
}

// apiAddress wants the address of an API whose answers are believed.
func (c *collector) apiAddress(path, text string) {
	u, err := url.Parse(text)
	if err != nil || u.Scheme != "https" && u.Scheme != "http" || u.Hostname() == "" || u.User != nil || u.RawQuery != "" ||
		u.Fragment != "" || !strings.HasPrefix(u.Path, "/api/v3") {
		c.add(path, "is %s; wanted an API's address such as \"https://api.example.org/api/v3\"", wording.Quote(text))
		return
	}
	address, err := netip.ParseAddr(u.Hostname())
	if u.Scheme == "http" && (err != nil || !address.IsPrivate()) {
		c.add(path, "is %s, in the clear: whoever is in between could say who the peers are; wanted https://, or an address in your own network",
			wording.Quote(text))
	}
}

var (
	keyHolderPattern = regexp.MustCompile(`^[a-z][a-z0-9-]{0,39}$`)
	sha256Pattern    = regexp.MustCompile(`^[0-9a-f]{64}$`)
)

// sha256OfNothing is what sha256sum says when it was given no key.
const sha256OfNothing = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"

// mostPer10s bounds what an API key may be given.
const mostPer10s = 1_000_000

func (s *Sentries) validateUsers(p *collector) {
	p.closedNetworks("sentries.users", s.Users, "everybody would be a known user")
	for i, origin := range s.CORS {
		p.origin(wording.Item("sentries.cors", i), origin, len(s.CORS) > 1)
	}
	if s.APIKeysOnly && len(s.APIKeys) == 0 && p.readable("sentries.apiKeys") {
		p.add("sentries.apiKeysOnly", "is true, but there are no icon:sentries.apiKeys: nobody could ask the API")
	}
	holders := map[string]string{}
	for _, name := range sortedKeys(s.APIKeys) {
		key, path := s.APIKeys[name], wording.Under("sentries.apiKeys", name)
		p.matches(path, name, keyHolderPattern, `a name of lower-case letters, digits and "-", a letter first, at most 40`)
		switch sum := wording.Under(path, "sha256"); {
		case key.SHA256 == "":
			p.missing(sum, "the key's SHA-256, never the key itself: printf %s KEY | sha256sum")
		case key.SHA256 == sha256OfNothing:
			p.add(sum, "is the SHA-256 of nothing; make one of the key: printf %%s KEY | sha256sum")
		case !sha256Pattern.MatchString(key.SHA256):
			// It may be the key itself.
			p.add(sum, "is no SHA-256 (not shown); wanted 64 hexadecimal digits in lower case: printf %%s KEY | sha256sum")
		case holders[key.SHA256] != "":
			p.add(sum, "is the same as that of %s; wanted a key of its own for each", holders[key.SHA256])
		default:
			holders[key.SHA256] = at(path)
		}
		p.between(wording.Under(path, "requestsPer10s"), key.RequestsPer10s, 1, mostPer10s)
		p.between(wording.Under(path, "expensivePer10s"), key.ExpensivePer10s, 1, mostPer10s)
		if key.ExpensivePer10s > key.RequestsPer10s {
			p.add(wording.Under(path, "expensivePer10s"), "is %d, and requestsPer10s, which it is a part of, %d; wanted at most that",
				key.ExpensivePer10s, key.RequestsPer10s)
		}
	}
}

// origin wants what a browser sends as Origin, or "*" alone.
func (c *collector) origin(path, text string, among bool) {
	if text == "*" {
		if among {
			c.add(path, "is \"*\", any origin, beside others; keep one of both")
		}
		return
	}
	u, err := url.Parse(text)
	if err != nil || u.Scheme != "https" && u.Scheme != "http" || u.Scheme+"://"+u.Host != text || u.Hostname() == "" ||
		!hostNamePattern.MatchString(u.Hostname()) && !validIPv4(u.Hostname()) || text != strings.ToLower(text) {
		c.add(path, "is %s, which is no origin; wanted scheme and name in lower case, with the port if it has one, and nothing after it: "+
			"\"https://app.example.org\"", wording.Quote(text))
	}
}

func (s *Sentries) validateTLS(p *collector) {
	if s.TLS == nil {
		return
	}
	const most = 20
	switch n := len(s.TLS.Names); {
	case n == 0:
		p.missing("sentries.tls.names", "the host names that users call")
	case n > most:
		p.add("sentries.tls.names", "has %d names; wanted at most %d", n, most)
	}
	for i, name := range s.TLS.Names {
		path := wording.Item("sentries.tls.names", i)
		switch {
		case len(name) > 253 || !hostNamePattern.MatchString(name) || !strings.Contains(name, ".") || name != strings.ToLower(name):
			p.add(path, "is %s; wanted a host name such as \"api.example.org\", in lower case", wording.Quote(name))
		case slices.Contains(s.TLS.Names[:i], name):
			p.add(path, "is %s, which is in the list already", wording.Quote(name))
		}
	}
	acme := s.TLS.ACME
	if acme == nil {
		return
	}
	if u, err := url.Parse(acme.Directory); err != nil || u.Scheme != "https" || u.Hostname() == "" || u.User != nil {
		p.add("sentries.tls.acme.directory", "is %s; wanted an authority's ACME address, https://…", wording.Quote(acme.Directory))
	}
	if acme.Email != "" {
		if a, err := mail.ParseAddress(acme.Email); err != nil || a.Address != acme.Email {
			p.add("sentries.tls.acme.email", "is %s; wanted an e-mail address alone", wording.Quote(acme.Email))
		}
	}
}

// validateCertificate compares the secret with what asks for it. What it holds is looked at when it is known.
func (c *Config) validateCertificate(p *collector) {
	given := c.Secrets.SentryCertificate != nil
	var tls *TLS
	if s := c.wantedSentries(); s != nil {
		tls = s.TLS
	}
	switch {
	case !p.readable("sentries.tls") || !p.readable("sentryCertificate"):
	case tls != nil && tls.ACME == nil && !given && p.readable("sentries.tls.acme"):
		p.missing("sentryCertificate", "the certificate for icon:sentries.tls.names, its chain and its key, PEM in one file: "+
			"pulumi config set --secret icon:sentryCertificate < file (or have one made: icon:sentries.tls.acme)")
	case tls != nil && tls.ACME != nil && given:
		p.add("sentryCertificate", "is set, but icon:sentries.tls.acme gets certificates; remove one of them")
	case tls == nil && given:
		p.add("sentryCertificate", "is set, but no icon:sentries.tls uses it; give it the names of the certificate, or run: "+
			"pulumi config rm icon:sentryCertificate")
	}
}

func (s *Sentries) validateDraining(p *collector) {
	for i, host := range s.Draining {
		path := wording.Item("sentries.draining", i)
		switch {
		case !slices.Contains(s.Hosts, host):
			p.add(path, "names %s, which is none of icon:sentries.hosts (%s)", wording.Quote(host), wording.DidYouMean(host, sorted(s.Hosts)))
		case slices.Contains(s.Draining[:i], host):
			p.add(path, "names %s, which is in the list already", wording.Quote(host))
		}
	}
	if len(s.Hosts) > 0 && !slices.ContainsFunc(s.Hosts, func(h string) bool { return !slices.Contains(s.Draining, h) }) {
		p.add("sentries.draining", "names all sentries: nobody could reach the P-Rep; leave at least one out")
	}
}

func (c *Config) validateRotate(p *collector) {
	s := c.Sentries
	switch {
	case len(s.Rotate) == 0:
	case c.Platform == PlatformHosts:
		p.add("sentries.rotate", "is for machines that are made by the deploy; drain the sentry (icon:sentries.draining), give the machine its "+
			"new address, put that into icon:hosts.machines.<name>.publicAddress, and take the sentry off the list again")
	case c.AWS != nil && c.AWS.Front.Kind == awsplan.FrontNLB:
		p.add("sentries.rotate", "is set, but with icon:aws.front.kind nlb sentries have no public address; remove it")
	}
	for _, host := range sortedKeys(s.Rotate) {
		path := wording.Under("sentries.rotate", host)
		if !slices.Contains(s.Hosts, host) {
			p.add(path, "names %s, which is none of icon:sentries.hosts (%s)", wording.Quote(host), wording.DidYouMean(host, sorted(s.Hosts)))
		}
		p.between(path, s.Rotate[host], 1, 1_000_000)
	}
}
