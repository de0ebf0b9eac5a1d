package components

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"net/netip"
	"net/url"
	"regexp"
	"slices"

	"github.com/insight-icon/pulumi-icon/hardening"
	"github.com/insight-icon/pulumi-icon/internal/goloop"
	"github.com/insight-icon/pulumi-icon/internal/sentry"
)

func (a *SentryLayerArgs) withDefaults() *SentryLayerArgs {
	if a == nil {
		return nil
	}
	full := *a
	full.Variant = cmp.Or(a.Variant, string(sentry.HAProxyNftables))
	full.Channel = cmp.Or(a.Channel, "icon_dex")
	full.Peers.Mode = cmp.Or(a.Peers.Mode, sentry.PeersPrefer)
	full.Peers.RefreshSeconds = cmp.Or(a.Peers.RefreshSeconds, 120)
	full.Peers.MaxShrinkPercent = cmp.Or(a.Peers.MaxShrinkPercent, 20)
	full.Limits = a.Limits.WithDefaults()
	return &full
}

// problems collects errors that name their fields.
type problems []error

func (p *problems) add(wrong bool, format string, args ...any) {
	if wrong {
		*p = append(*p, fmt.Errorf(format, args...))
	}
}

func (a *SentryLayerArgs) validate() error {
	if a == nil {
		return errors.New("args are required")
	}
	var p problems
	p.add(len(a.Hosts) < 2, "Hosts: %d given, at least two are required", len(a.Hosts))
	p.add(a.PRep == nil, "PRep is required")
	p.add(a.CID == "", "CID is required")
	n := len(a.Seeds)
	p.add(a.Relay && (n == 0 || n > goloop.MaxSeeds), "Seeds: %d given, with Relay 1 to %d are required", n, goloop.MaxSeeds)
	variant, err := sentry.ParseVariant(a.Variant)
	if err != nil {
		p.add(true, "Variant: %w", err)
	}
	for _, h := range a.Hosts {
		installed, err := sentry.ParseVariant(h.Spec.Variant)
		p.add(err == nil && !slices.Equal(installed.Packages(), variant.Packages()),
			"Variant: is %q, and the host %q was made for %q: set HostSpec.Variant to the same",
			a.Variant, h.Spec.Name, cmp.Or(h.Spec.Variant, string(installed)))
	}
	a.validatePeers(&p)
	a.validateAPI(&p)
	a.validateDraining(&p)
	if variant == sentry.Nginx {
		p.add(len(a.Keys) > 0 || a.KeysOnly, "Keys: nginx cannot compare hashes of keys: take another Variant, or leave Keys and KeysOnly out")
		p.add(a.Peers.Mode == sentry.PeersEnforce, "Peers.Mode: nginx keeps no list of peers, so it cannot be %q: take another Variant",
			a.Peers.Mode)
	}
	for _, problem := range a.Limits.Problems() {
		p.add(true, "Limits: %s %s", problem.Limit, problem.Text)
	}
	return errors.Join(p...)
}

// peerName is a name of the domain name system.
var peerName = regexp.MustCompile(`^([A-Za-z0-9]([A-Za-z0-9-]*[A-Za-z0-9])?\.)+[A-Za-z]([A-Za-z0-9-]*[A-Za-z0-9])?$`)

func (a *SentryLayerArgs) validatePeers(p *problems) {
	modes := []string{sentry.PeersPrefer, sentry.PeersEnforce, sentry.PeersOff}
	p.add(!slices.Contains(modes, a.Peers.Mode), "Peers.Mode: %q; wanted one of %v", a.Peers.Mode, modes)
	p.add(a.Peers.RefreshSeconds < 10, "Peers.RefreshSeconds: %d; wanted at least 10", a.Peers.RefreshSeconds)
	shrink := a.Peers.MaxShrinkPercent
	p.add(shrink < 1 || shrink > 100, "Peers.MaxShrinkPercent: %d; wanted 1 to 100", shrink)
	for _, s := range a.Peers.Static {
		if peerName.MatchString(s) {
			continue
		}
		network, err := hardening.ParseNetwork(s)
		p.add(err != nil, "Peers.Static: %q is no IPv4 address, network (CIDR) or name", s)
		p.add(err == nil && network.Bits() < 8, "Peers.Static: %q is a good part of the internet: nobody would be a stranger", s)
	}
	for _, e := range a.Peers.Endpoints {
		u, err := url.Parse(e)
		p.add(err != nil || (u.Scheme != "http" && u.Scheme != "https") || u.Host == "" || u.User != nil,
			`Peers.Endpoints: %q; wanted an address as "https://ctz.example.org/api/v3"`, e)
	}
	p.add(a.Peers.Mode == sentry.PeersEnforce && len(a.Peers.Static) == 0 && len(a.Peers.Endpoints) == 0 && len(a.Peers.Own) == 0,
		"Peers: enforced, and nobody says who they are: give Static, Endpoints or Own")
}

var (
	sha256Hex = regexp.MustCompile(`^[0-9a-f]{64}$`)
	origin    = regexp.MustCompile(`^https?://[A-Za-z0-9.-]+(:[0-9]{1,5})?$`)
)

func (a *SentryLayerArgs) validateAPI(p *problems) {
	for _, user := range a.Users {
		network, err := hardening.ParseNetwork(user)
		p.add(err != nil, "Users: %q is no IPv4 network (CIDR)", user)
		p.add(err == nil && network.Bits() == 0, "Users: %q is everybody: nobody would have a limit", user)
	}
	for _, o := range a.CORS {
		p.add(!origin.MatchString(o) && !slices.Equal(a.CORS, []string{"*"}),
			`CORS: %q is no origin; wanted one as "https://app.example.org", or "*" alone`, o)
	}
	for _, name := range slices.Sorted(maps.Keys(a.Keys)) {
		k := a.Keys[name]
		p.add(!sha256Hex.MatchString(k.SHA256), "Keys[%q].SHA256: wanted 64 hexadecimal digits in lower case: printf %%s KEY | sha256sum", name)
		p.add(k.Requests < 1 || k.Expensive < 0 || k.Expensive > k.Requests,
			"Keys[%q]: Requests %d, Expensive %d; wanted at least one request, and no more expensive ones than requests",
			name, k.Requests, k.Expensive)
	}
	p.add(a.KeysOnly && len(a.Keys) == 0, "KeysOnly: nobody holds a key: give Keys")
	published := len(a.Citizens) > 0
	for field, set := range map[string]bool{
		"Users": len(a.Users) > 0, "CORS": len(a.CORS) > 0, "Keys": len(a.Keys) > 0 || a.KeysOnly, "TLS": a.TLS != nil,
	} {
		p.add(set && !published, "%s: without Citizens there is no API that it could be for", field)
	}
	if a.TLS == nil {
		return
	}
	p.add(len(a.TLS.Names) == 0, "TLS.Names: at least one is required")
	for _, name := range a.TLS.Names {
		p.add(!peerName.MatchString(name), "TLS.Names: %q is no name; wanted one as %q", name, "api.example.org")
	}
	p.add((a.TLS.ACME == nil) == (a.TLS.Certificate == nil), "TLS: exactly one of ACME and Certificate is required")
	if a.TLS.ACME != nil {
		u, err := url.Parse(a.TLS.ACME.Directory)
		p.add(err != nil || u.Scheme != "https" || u.Host == "",
			`TLS.ACME.Directory: %q; wanted an address as "https://acme-v02.api.letsencrypt.org/directory"`, a.TLS.ACME.Directory)
	}
}

func (a *SentryLayerArgs) validateDraining(p *problems) {
	serving := 0
	for _, h := range a.Hosts {
		if !slices.Contains(a.Draining, h.Spec.Name) {
			serving++
		}
	}
	p.add(serving == 0 && len(a.Hosts) > 0, "Draining: names all sentries; at least one must serve")
	for _, name := range a.Draining {
		known := false
		for _, h := range a.Hosts {
			known = known || h.Spec.Name == name
		}
		p.add(!known, "Draining: %q is none of Hosts", name)
	}
}

// isAddress says that a text is an address and no name.
func isAddress(text string) bool {
	_, err := netip.ParseAddr(text)
	return err == nil
}
