// Package sentry renders the reverse proxy that stands in front of a P-Rep: the configuration of HAProxy or nginx, of the kernel's table,
// their units and their step scripts. It knows no Pulumi.
package sentry

import (
	_ "embed"
	"encoding/hex"
	"errors"
	"fmt"
	"net/netip"
	"regexp"
	"slices"
	"strings"
	"text/template"

	"github.com/insight-icon/pulumi-icon/internal/goloop"
)

var (
	//go:embed haproxy.cfg.tmpl
	configText string
	//go:embed haproxy-api.cfg.tmpl
	configAPIText string
)

// LuaText looks into the bodies of JSON-RPC calls, inside HAProxy. It is installed as LuaFile.
//
//go:embed jsonrpc.lua
var LuaText string

// LuaFile is where LuaText is installed.
const LuaFile = ConfigDir + "/jsonrpc.lua"

var configTemplate = template.Must(template.Must(
	template.New("haproxy.cfg").Option("missingkey=error").
		Funcs(template.FuncMap{"verdict": verdictText, "refusal": refusalText, "strikes": strikes}).
		Parse(configText)).Parse(configAPIText))

const (
	// headerBytes is the length of the packet header that comes before the first packet's payload.
	headerBytes = 30
	// relayConnections is what the private side may take for each seed: as many nodes.
	relayConnections = 100
	// handshakeBytes is more than the P-Rep sends to one that begins a handshake and cannot sign: its answer to the first packet (about 120
	// bytes), and one that says why the signature is wrong (about 80). A true peer is sent at least 267.
	handshakeBytes = 240
	// provenBytes is what the P-Rep sends to a true peer within 2 minutes, and to nobody else.
	provenBytes = 4096
	// unprovenP2P is the greatest number of connections of an address that was never sent as much: a validator needs one or two.
	unprovenP2P = 2
	// firstTimes is how many times as many new connections may come in a second from addresses that come for the first or second time in
	// 10 s. The kernel's limit of first packets is near it.
	firstTimes = 10
	// perKnown is how many connections a known peer has at least, however small the limits are: those of a dead path linger.
	perKnown = 10
	// slowAllowed is how many headers or bodies of a source may not arrive in 10 s before its next connection is refused.
	slowAllowed = 5
	// headerLimit is the greatest size of a request's headers, in bytes; bufferSlack is what a buffer has beside a body, for them.
	headerLimit, bufferSlack = 8192, 16 * 1024
	// knownAtOnce is how many requests of known users one citizen works on at once.
	knownAtOnce = 64
)

// Config renders HAProxy's configuration.
func Config(s Settings) (string, error) {
	if err := checkWords(s); err != nil {
		return "", fmt.Errorf("haproxy.cfg: %w", err)
	}
	channel, l := channelBytes(s.CID), s.Limits.WithDefaults()
	s.Limits = l
	var more []int
	// A batch counts for as many calls as it has, and a body for up to ten more by its size.
	for n := 2; n <= l.APIBatch+10; n++ {
		more = append(more, n)
	}
	notKeyed := ""
	if len(s.Keys) > 0 || s.KeysOnly {
		notKeyed = " !keyed"
	}
	p2pShare, apiShare := l.P2PConnections-l.P2PReserved, l.APIConnections-l.APIReserved
	var b strings.Builder
	err := configTemplate.Execute(&b, map[string]any{
		"PRep": s.PRep, "PrivateAddress": s.PrivateAddress, "Seeds": s.Seeds, "Relay": s.Relay, "Citizens": s.Citizens, "Limits": l,
		"TLS": s.TLS, "ACME": s.TLS != nil && s.TLS.ACME && len(s.Citizens) > 0, "Sentries": s.Sentries, "Keys": len(s.Keys) > 0 || s.KeysOnly,
		"KeysOnly": s.KeysOnly, "NotKeyed": notKeyed, "CORS": s.CORS, "AnyOrigin": slices.Contains(s.CORS, "*"),
		"Channel": channel, "ChannelBytes": len(channel) / 2, "NeedBytes": headerBytes + len(channel)/2,
		"RelayPorts": goloop.RelayPorts(len(s.Seeds)), "NamedSeeds": s.Relay && slices.ContainsFunc(s.Seeds, isName),
		// Beside the public ports: the relays, ACME's 200, the metrics' 20, and what HAProxy uses itself.
		"MaxConn":  l.P2PConnections + l.APIConnections + relayConnections*len(s.Seeds) + 300,
		"P2PShare": p2pShare, "P2PNewShare": part(p2pShare, 1, 2), "P2PFirstShare": part(p2pShare, 9, 10), "P2PFirst": l.P2PNew * firstTimes,
		"P2PUnproven": min(unprovenP2P, l.P2PPerSource),
		"APIShare":    apiShare, "APINewShare": part(apiShare, 1, 2), "APIMoreShare": part(apiShare, 3, 4),
		"APIFirstShare": part(apiShare, 9, 10),
		"APIFirst":      l.APINew * firstTimes, "WebSocketMore": part(l.WebSockets-l.WebSocketsReserved, 1, 2),
		"WebSocketShare": l.WebSockets - l.WebSocketsReserved,
		"HandshakeBytes": handshakeBytes, "ProvenBytes": provenBytes, "SlowAllowed": slowAllowed,
		"P2PPerKnown": max(perKnown, 2*l.P2PPerSource), "KeyedPerSource": 10 * l.APIPerSource, "KeyedNew": 10 * l.APINewPerSource,
		"KeyedShare": apiShare + l.APIReserved/2,
		"BodyBytes":  l.APIBodyKiB * 1024, "BufferBytes": l.APIBodyKiB*1024 + bufferSlack, "PlainBytes": plainBytes, "PlainCall": plainCall(),
		"HeaderBytes": headerLimit, "More": more,
		"CheapAtOnce": l.APIAtOnce - l.APIExpensiveAtOnce, "KnownAtOnce": knownAtOnce, "BusyRequests": max(1, l.APIRequestsPerSource/6),
		"HTTPErrors": httpErrors(), "Statuses": refusalStatuses(), "AllowedHeaders": allowedHeaders(s),
		"ChallengeRetries": max(3, len(s.Sentries)),
		"AdminSocket":      AdminSocket, "PeersSocket": PeersSocket, "LuaFile": LuaFile, "PeersFile": PeersFile, "EnforceFile": EnforceFile,
		"UsersFile": UsersFile, "KeysFile": KeysFile, "QuotaFile": QuotaFile, "ExpensiveFile": ExpensiveFile, "CertificatePath": CertificatePath,
		"HAProxyMetrics": HAProxyMetrics,
		"P2PPort":        P2PPort, "APIPort": APIPort, "TLSPort": TLSPort, "ACMEPort": ACMEPort, "ChallengePort": ChallengePort,
	})
	if err != nil {
		return "", fmt.Errorf("haproxy.cfg: %w", err)
	}
	return b.String(), nil
}

// PeersSocket is where HAProxy's worker of before a reload tells the new one its tables.
const PeersSocket = "/run/icon-sentry/peers.sock"

func part(n, of, in int) int { return max(1, n*of/in) }

// allowedHeaders are what a page may send: the type of its body, goloop's options, and a key where there are any.
func allowedHeaders(s Settings) string {
	if len(s.Keys) > 0 {
		return "content-type, icon-options, x-api-key"
	}
	return "content-type, icon-options"
}

// originPattern is an origin as browsers send it.
var originPattern = regexp.MustCompile(`^(\*|[a-z][a-z0-9+.-]*://[A-Za-z0-9._:\[\]-]+)$`)

// checkWords names everything that cannot stand in HAProxy's configuration: it would be read as something else.
func checkWords(s Settings) error {
	var problems []error
	if s.Variant == Nginx {
		problems = append(problems, fmt.Errorf("the variant %s has a configuration of its own: NginxConfig", Nginx))
	}
	for _, address := range slices.Concat([]string{s.PRep}, s.Seeds, s.Citizens, s.Sentries) {
		problems = append(problems, goloop.Word("address", address))
	}
	if s.TLS != nil {
		if len(s.TLS.Names) == 0 {
			problems = append(problems, errors.New("TLS has no name; wanted the names that users call"))
		}
		for _, name := range s.TLS.Names {
			problems = append(problems, goloop.Word("TLS name", name))
		}
		if s.TLS.ACME && len(s.Sentries) == 0 {
			problems = append(problems, errors.New("TLS by ACME has no sentries to ask for the challenge; wanted their private addresses"))
		}
	}
	for _, origin := range s.CORS {
		if !originPattern.MatchString(origin) {
			problems = append(problems, fmt.Errorf("CORS origin %q; wanted \"*\" or one like \"https://app.example.org\"", origin))
		}
	}
	for name := range s.Keys {
		if !keyName.MatchString(name) {
			problems = append(problems, fmt.Errorf("name of an API key %q; wanted 1 to 63 of A-Z a-z 0-9 . _ -", name))
		}
	}
	return errors.Join(problems...)
}

// isName says whether a seed ("host:port") has a name for a host, not an address.
func isName(seed string) bool {
	_, err := netip.ParseAddrPort(seed)
	return err != nil
}

// channelBytes is how goloop's first packet names the network: a msgpack array of four whose first element is the chain id as
// hexadecimal text without "0x". As hexadecimal for HAProxy's binary match.
func channelBytes(cid string) string {
	name := strings.TrimPrefix(cid, "0x")
	// 0xa0 to 0xbf are short texts by their length; a chain id has at most 16 digits.
	return fmt.Sprintf("94%02x%s", 0xa0+len(name), hex.EncodeToString([]byte(name)))
}
