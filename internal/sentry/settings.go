package sentry

import (
	"fmt"
	"slices"
	"strings"
)

// Variant is what stands between the internet and the nodes.
type Variant string

// The variants of a sentry. All are made from the same Settings.
const (
	// HAProxyNftables, the default: HAProxy for what is seen of protocols, nftables for what the kernel can drop before that, and the agent
	// that tells the kernel what HAProxy has seen.
	HAProxyNftables Variant = "haproxy+nftables"
	// HAProxy alone: nothing of it needs rights over the network, as in a container. Its agent keeps lists and certificates.
	HAProxy Variant = "haproxy"
	// Nginx is what many operators know: its stream and http modules. It has no share for peers, no methods and no bans.
	Nginx Variant = "nginx"
)

// Variants lists them, the default first.
func Variants() []Variant { return []Variant{HAProxyNftables, HAProxy, Nginx} }

// Ports of a sentry.
const (
	// P2PPort is where other validators reach the P-Rep.
	P2PPort = 7100
	// APIPort is where users reach the citizens where there is no TLS, TLSPort where there is. ACMEPort is where a certificate authority
	// asks, and where users are sent on to TLSPort.
	APIPort  = 9000
	TLSPort  = 443
	ACMEPort = 80
	// ChallengePort is where a sentry's agent answers the certificate authority's questions, to the proxies of all sentries: the authority
	// asks any of them.
	ChallengePort = 9480
)

// Modes of the list of peers.
const (
	// PeersPrefer, the default, keeps a share of the connections for the peers on the list; strangers share the rest.
	PeersPrefer = "prefer"
	// PeersEnforce lets nobody else in, once there is a list.
	PeersEnforce = "enforce"
	// PeersOff keeps no list: all are strangers.
	PeersOff = "off"
)

// Settings of one sentry.
type Settings struct {
	// Variant, "" for HAProxyNftables.
	Variant Variant
	// PrivateAddress is where the relay listens, and where the agent answers other sentries. Empty: no relay.
	PrivateAddress string
	// PRep is the validator behind, "address:port".
	PRep string
	// Seeds are the network's, which the relay leads to. Used with Relay.
	Seeds []string
	// Relay leads the plan's own nodes to the seeds.
	Relay bool
	// Citizens are the nodes that answer the API, "address:port". None: no API.
	Citizens []string
	// CID is the network's chain id ("0x…"); a first packet for another network is refused.
	CID string
	// Users are the networks (CIDR) of known users of the API: they have a reserved share and the wider limits.
	Users []string
	// TLS has the API on TLSPort in place of APIPort.
	TLS *TLS
	// CORS are the origins ("https://app.example.org") whose pages may ask the API; "*" alone is any. None: the sentry adds no header and
	// removes what goloop says of itself.
	CORS []string
	// Keys are the API keys, by the name of who holds them.
	Keys map[string]Key
	// KeysOnly refuses requests without a key.
	KeysOnly bool
	// Sentries are the private addresses of all sentries, whose agents are asked for a certificate authority's challenge. Used with TLS by
	// ACME.
	Sentries []string
	// Limits of this sentry.
	Limits Limits
}

// TLS is where the API's certificate comes from.
type TLS struct {
	// Names that users call; the certificate has them.
	Names []string
	// ACME has the agent get and renew a certificate. Otherwise the operator's own is in CertificatePath.
	ACME bool
}

// Key is what the holder of an API key may do. The key itself is known to its holder alone.
type Key struct {
	// SHA256 of the key, 64 lower-case hexadecimal digits.
	SHA256 string
	// Requests and Expensive in 10 seconds on each sentry. Expensive counts what Limits.APIExpensivePerSource does.
	Requests, Expensive int
}

// Files of a sentry. What the agent changes is in StateDir; what the deploy writes is in ConfigDir.
const (
	ConfigDir = "/etc/icon/sentry"
	// StateDir belongs to the agent's user and is read by HAProxy's: it holds no secret but the certificate, which only the two can read.
	StateDir = "/var/lib/icon-sentry"
	// PeersFile is the list of peers' addresses, one a line. It outlives restarts, and is what HAProxy starts with.
	PeersFile = StateDir + "/peers.lst"
	// EnforceFile holds the word "on" while strangers are refused on P2PPort, and is empty otherwise.
	EnforceFile = StateDir + "/enforce.lst"
	// UsersFile has Settings.Users, one network a line.
	UsersFile = ConfigDir + "/users.lst"
	// KeysFile maps an API key's hash to its name, QuotaFile a name to its requests in 10 s, ExpensiveFile a name to its expensive ones.
	KeysFile      = ConfigDir + "/keys.map"
	QuotaFile     = ConfigDir + "/quota.map"
	ExpensiveFile = ConfigDir + "/expensive.map"
	// CertificatePath is the chain and its key, PEM in one file, mode 0640.
	CertificatePath = StateDir + "/certificate.pem"
	// AdminSocket is HAProxy's; its group is the agent's.
	AdminSocket = "/run/icon-sentry/admin.sock"
	// ControlSocket is the agent's, for root and the command icon-sentry.
	ControlSocket = "/run/icon-sentry-agent/control.sock"
	// AgentPath is the agent and the command.
	AgentPath = "/usr/local/sbin/icon-sentry"
	// MetricsAddress is where the agent and HAProxy are asked for their counters; on the host itself only.
	AgentMetrics   = "127.0.0.1:9471"
	HAProxyMetrics = "127.0.0.1:9472"
)

// The kernel's table and what the agent reads and writes of it.
const (
	Table = "icon_sentry"
	// SetPeers and SetUsers are the known ones (intervals), SetEnforced the ports where only SetPeers are let in.
	SetPeers    = "peers"
	SetUsers    = "users"
	SetEnforced = "enforced"
	// SetBanned are addresses, SetBannedNets networks (intervals), both with a time-out for each element.
	SetBanned     = "banned"
	SetBannedNets = "banned_nets"
	// SetProven are addresses that the proxy has sent data to, which nobody reaches with another's address.
	SetProven = "proven"
)

// Tables of HAProxy that the agent reads.
const (
	// BadTable is keyed by a source's address: gpt0 is the last Verdict's code, gpc0_rate how many there were in a minute. Entries end by
	// themselves a minute after the last.
	BadTable = "st_bad"
	// LimitsTable is keyed by a Verdict's name: gpc0 counts how often it was given.
	LimitsTable = "st_limits"
)

// Verdict is a limit that a source has met.
type Verdict struct {
	// Code is how HAProxy notes it.
	Code int
	// Name as in metrics and in the explanation of a ban.
	Name string
	// What is said of the source: "… in 10 s", for people.
	What string
}

// Verdicts lists every limit of the proxies that counts against a source. A ban needs Limits.BanStrikes of them.
func Verdicts() []Verdict {
	return []Verdict{
		{1, "p2p-concurrent", "more connections to the P2P port at once than one source may have"},
		{2, "p2p-new", "more new connections to the P2P port than one source may open"},
		{3, "p2p-garbage", "first bytes on the P2P port that are no handshake for this network"},
		{4, "p2p-silent", "no handshake within 3 s on the P2P port"},
		{5, "api-concurrent", "more connections to the API at once than one source may have"},
		{6, "api-new", "more new connections to the API than one source may open"},
		{7, "api-requests", "more requests than one source may send"},
		{8, "api-expensive", "more expensive requests than one source may send"},
		{9, "api-path", "a path that is not published"},
		{10, "api-body", "a body that is too large, chunked or not JSON-RPC"},
		{11, "api-slow", "a header or body that did not arrive in time"},
		{12, "api-websockets", "more websockets than one source may have"},
		{13, "api-method", "a method that is not published, or a batch that is too large"},
		{14, "api-errors", "more answers that were errors than one source may cause"},
		{15, "api-key", "an API key that nobody holds, or none where one is required"},
		{16, "p2p-stranger", "no room on the P2P port but the share that is kept for known peers"},
		{17, "api-stranger", "no room on the API but the share that is kept for known users"},
	}
}

// VerdictByCode finds a verdict.
func VerdictByCode(code int) (Verdict, error) {
	all := Verdicts()
	i := slices.IndexFunc(all, func(v Verdict) bool { return v.Code == code })
	if i < 0 {
		return Verdict{}, fmt.Errorf("HAProxy's table %s: there is no verdict with the code %d", BadTable, code)
	}
	return all[i], nil
}

// ParseVariant reads a variant; "" is the default.
func ParseVariant(text string) (Variant, error) {
	if text == "" {
		return HAProxyNftables, nil
	}
	var names []string
	for _, v := range Variants() {
		if string(v) == text {
			return v, nil
		}
		names = append(names, string(v))
	}
	return "", fmt.Errorf("%q is no variant of a sentry; wanted %s", text, strings.Join(names, ", "))
}
