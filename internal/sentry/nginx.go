package sentry

import (
	_ "embed"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"text/template"

	"github.com/insight-icon/pulumi-icon/internal/goloop"
)

//go:embed nginx.conf.tmpl
var nginxText string

var nginxTemplate = template.Must(template.New("nginx.conf").Option("missingkey=error").Parse(nginxText))

// NginxStatus is where nginx tells how many connections it has ("/status"), on the host itself only.
const NginxStatus = HAProxyMetrics

// NginxResolver is beside nginx.conf where seeds have names: nginx's line "resolver", made on the host from its /etc/resolv.conf.
const NginxResolver = ConfigDir + "/resolver.conf"

// nginxRefusal is a refusal in nginx's words: what it is for by its own reckoning, and the statuses of nginx itself that it is given for.
type nginxRefusal struct {
	Refusal
	Name string
	Of   []int
}

// nginxRefusals are the sentry's, as far as nginx can tell them apart.
func nginxRefusals() []nginxRefusal {
	own := map[int]Refusal{}
	for _, e := range httpErrors() {
		own[e.Status] = Refusal(e)
	}
	all := Refusals()
	many := Refusal{429, codeLimit, "too many requests or websockets from this address"}
	return []nginxRefusal{
		{own[400], "request", []int{400, 411, 414, 494, 495, 496, 497, 505}},
		{own[500], "error", []int{500, 501}},
		{all["path"], "path", []int{403, 404}},
		{all["verb"], "verb", []int{405}},
		{all["upgrade"], "upgrade", nil},
		{all["size"], "size", []int{413}},
		{many, "many", []int{429}},
		{all["busy"], "busy", []int{502, 503, 504}},
	}
}

// NginxConfig renders nginx's configuration for the variant Nginx, from 1.22 on with the module stream. What nginx cannot do at all is
// refused, all of it at once: API keys. What it can do in part stands in docs/sentries.md.
func NginxConfig(s Settings) (string, error) {
	users, err := s.nginxCan()
	if err != nil {
		return "", fmt.Errorf("nginx.conf: %w", err)
	}
	s.Limits = s.Limits.WithDefaults()
	l := s.Limits
	named := make([]bool, len(s.Seeds))
	for i, seed := range s.Seeds {
		named[i] = isName(seed)
	}
	data := struct {
		Settings
		UserNetworks                           []netip.Prefix
		AnyOrigin, ACME, NamedSeeds            bool
		Named                                  []bool
		RelayPorts                             []int
		RelayConnections, WorkerConnections    int
		RequestsPerMinute                      int
		StrangersRequests, StrangersWebSockets int
		Status, Certificate, CertificatePath   string
		APIPort, TLSPort                       int
		ACMEPort, ChallengePort                int
		KnownAtOnce                            int
		AllowedHeaders                         string
		Refusals                               []nginxRefusal
	}{
		Settings:            s,
		UserNetworks:        users,
		AnyOrigin:           slices.Contains(s.CORS, "*"),
		ACME:                s.TLS != nil && s.TLS.ACME,
		NamedSeeds:          slices.Contains(named, true),
		Named:               named,
		RelayPorts:          goloop.RelayPorts(len(s.Seeds)),
		RelayConnections:    relayConnections,
		WorkerConnections:   2*(l.P2PConnections+l.APIConnections+relayConnections*len(s.Seeds)) + spareConnections,
		RequestsPerMinute:   6 * l.APIRequestsPerSource,
		StrangersRequests:   l.APIConnections - l.APIReserved,
		StrangersWebSockets: l.WebSockets - l.WebSocketsReserved,
		Status:              NginxStatus,
		Certificate:         CertificatePath,
		CertificatePath:     CertificatePath,
		APIPort:             APIPort,
		TLSPort:             TLSPort,
		ACMEPort:            ACMEPort,
		ChallengePort:       ChallengePort,
		KnownAtOnce:         knownAtOnce,
		AllowedHeaders:      allowedHeaders(s),
		Refusals:            nginxRefusals(),
	}
	if data.ACME {
		data.Certificate = "$certificate"
	}
	var b strings.Builder
	if err := nginxTemplate.Execute(&b, data); err != nil {
		return "", fmt.Errorf("nginx.conf: %w", err)
	}
	return b.String(), nil
}

// spareConnections are for what is about to be refused, for a certificate authority and for the status page.
const spareConnections = 1024

// nginxCan names what nginx can't do, and values that would be read as something else in its configuration; all of it at once. It gives the
// users' networks, each one once.
func (s Settings) nginxCan() ([]netip.Prefix, error) {
	var errs []error
	if len(s.Keys) > 0 {
		errs = append(errs, errors.New("Keys: nginx cannot compare the hash of a header, so API keys would have to lie on the host in clear; "+
			"take the variant haproxy or haproxy+nftables"))
	}
	if s.KeysOnly {
		errs = append(errs, errors.New("KeysOnly: nginx knows no API keys; take the variant haproxy or haproxy+nftables"))
	}
	// The rest is asked of both proxies alike.
	others := s
	others.Variant, others.Keys = "", nil
	errs = append(errs, checkWords(others))
	if s.Relay {
		errs = append(errs, goloop.Word("PrivateAddress", s.PrivateAddress))
	}
	var users []netip.Prefix
	for _, text := range s.Users {
		network, err := netip.ParsePrefix(text)
		if err != nil {
			errs = append(errs, fmt.Errorf("Users: %q is no network; wanted one as 192.0.2.0/24", text))
		} else if network = network.Masked(); !slices.Contains(users, network) {
			users = append(users, network)
		}
	}
	return users, errors.Join(errs...)
}
