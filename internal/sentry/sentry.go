// Package sentry renders the reverse proxy that stands in front of a P-Rep: HAProxy's configuration, its unit and its step scripts.
// It knows no Pulumi.
package sentry

import (
	_ "embed"
	"encoding/hex"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"text/template"

	"github.com/insight-icon/pulumi-icon/internal/goloop"
)

// Ports of a sentry.
const (
	// P2PPort is where other validators reach the P-Rep.
	P2PPort = 7100
	// APIPort is where users reach the citizens.
	APIPort = 9000
)

// Unit supervises HAProxy; Debian's own haproxy.service is left alone and off.
const Unit = "icon-sentry.service"

// Limits of one sentry; all are counts.
type Limits struct {
	P2PConnections, P2PPerSource, P2PNewPerSource                  int
	APIConnections, APIPerSource, APIRequestsPerSource, APIBodyKiB int
}

// Settings of one sentry.
type Settings struct {
	// PrivateAddress is where the relay listens. Empty: no relay.
	PrivateAddress string
	// PRep is the validator behind, "address:port".
	PRep string
	// Seeds are the network's, which the relay leads to. Used with PrivateAddress.
	Seeds []string
	// Citizens are the nodes that answer the API, "address:port". None: no API.
	Citizens []string
	// CID is the network's chain id ("0x…"); a first packet for another network is refused.
	CID string
	// Limits of this sentry.
	Limits Limits
}

// ServiceScript is the step "service" of a sentry. Its files: haproxy.cfg, icon-sentry.service.
//
//go:embed scripts/service.sh
var ServiceScript string

// VerifyScript is the step "verify" of a sentry: it is up and refuses what it must. Its variables: API ("true" or "false"),
// RELAYS (the relays' listeners, "address:port", separated by spaces).
//
//go:embed scripts/verify.sh
var VerifyScript string

//go:embed haproxy.cfg.tmpl
var configText string

var configTemplate = template.Must(template.New("haproxy.cfg").Option("missingkey=error").Parse(configText))

// Config renders HAProxy's configuration.
func Config(s Settings) (string, error) {
	for _, address := range append(append([]string{s.PRep}, s.Seeds...), s.Citizens...) {
		if err := goloop.Word("address", address); err != nil {
			return "", fmt.Errorf("haproxy.cfg: %w", err)
		}
	}
	var b strings.Builder
	err := configTemplate.Execute(&b, struct {
		Settings
		Channel      string
		ChannelBytes int
		NeedBytes    int
		RelayPorts   []int
		MaxConn      int
		BodyBytes    int
		NamedSeeds   bool
	}{
		Settings:     s,
		Channel:      channelBytes(s.CID),
		ChannelBytes: len(channelBytes(s.CID)) / 2,
		RelayPorts:   goloop.RelayPorts(len(s.Seeds)),
		NeedBytes:    headerBytes + len(channelBytes(s.CID))/2,
		MaxConn:      s.Limits.P2PConnections + s.Limits.APIConnections + relayConnections*len(s.Seeds),
		BodyBytes:    s.Limits.APIBodyKiB * 1024,
		NamedSeeds:   s.PrivateAddress != "" && slices.ContainsFunc(s.Seeds, isName),
	})
	if err != nil {
		return "", fmt.Errorf("haproxy.cfg: %w", err)
	}
	return b.String(), nil
}

// isName says whether a seed ("host:port") has a name for a host, not an address.
func isName(seed string) bool {
	_, err := netip.ParseAddrPort(seed)
	return err != nil
}

const (
	// headerBytes is the length of the packet header that comes before the first packet's payload.
	headerBytes = 30
	// relayConnections is what the private side may take for each seed: as many nodes.
	relayConnections = 100
)

// channelBytes is how goloop's first packet names the network: a msgpack array of four whose first element is the chain id as
// hexadecimal text without "0x". As hexadecimal for HAProxy's binary match.
func channelBytes(cid string) string {
	name := strings.TrimPrefix(cid, "0x")
	// 0xa0 to 0xbf are short texts by their length; a chain id has at most 16 digits.
	return fmt.Sprintf("94%02x%s", 0xa0+len(name), hex.EncodeToString([]byte(name)))
}

// UnitFile is the systemd unit: HAProxy as its own user from the start, with nothing it could gain or write to. MemoryDenyWriteExecute is
// left out because HAProxy compiles its regular expressions at run time and refuses the configuration where it can't; @resources stays
// because it binds its threads to processors. Each reload leaves a worker of old for up to 15 minutes: TasksMax has room for many.
const UnitFile = `# Made by pulumi-icon.
[Unit]
Description=ICON sentry (HAProxy)
Wants=network-online.target
Requires=icon-firewall.service
After=network-online.target icon-firewall.service
StartLimitIntervalSec=0

[Service]
Type=notify
User=haproxy
Group=haproxy
RuntimeDirectory=icon-sentry
RuntimeDirectoryMode=0700
ExecStartPre=/usr/sbin/haproxy -c -q -f /etc/icon/sentry/haproxy.cfg
ExecStart=/usr/sbin/haproxy -Ws -f /etc/icon/sentry/haproxy.cfg -p /run/icon-sentry/haproxy.pid
ExecReload=/usr/sbin/haproxy -c -q -f /etc/icon/sentry/haproxy.cfg
ExecReload=/bin/kill -USR2 $MAINPID
KillMode=mixed
SuccessExitStatus=143
Restart=always
RestartSec=1
LimitNOFILE=524288
UMask=0077
TasksMax=2048
` + goloop.Sandboxing + `ExecPaths=/usr/sbin/haproxy /usr/bin/kill /usr/lib /usr/lib64
SystemCallFilter=~@privileged

[Install]
WantedBy=multi-user.target
`
