// Package goloop renders what a host needs to run an ICON node: systemd units, settings and the step scripts. It knows no Pulumi.
package goloop

import (
	_ "embed"
	"fmt"
	"strings"
)

// Places on a node host. The data directory is the operator's choice; the rest is fixed.
const (
	// User owns data and key and runs the node.
	User = "icon-node"
	// Unit supervises the node, whatever the runtime.
	Unit = "icon-node.service"
	// BinaryPath is the installed executable of the runtime "binary".
	BinaryPath = "/usr/local/lib/icon/goloop"
	// P2PPort and RPCPort are ICON's usual ports; the announced port is the same.
	P2PPort = 7100
	RPCPort = 9000
	// WebSockets is how many goloop has at once if nothing is said (wsMaxSession): all users' together.
	WebSockets = 10
)

// Role is what a node says it is on the network.
type Role int

// The roles of goloop's --role that this project uses.
const (
	// Citizen follows the chain.
	Citizen Role = 0
	// Validator is seed and validator: goloop gives the vote only to those that the chain elected.
	Validator Role = 3
)

// Settings are one node's settings, the same for both runtimes.
type Settings struct {
	// Role on the network.
	Role Role
	// DataDir on the host.
	DataDir string
	// Announce is the address that other nodes are told.
	Announce string
	// RPCListen is where the API listens, "address:port".
	RPCListen string
	// Seeds are the addresses where the network is found, "host:port". Unused with Relays.
	Seeds []string
	// Relays are addresses of sentries that lead to the network's seeds, RelayedSeeds the number of those seeds.
	Relays       []string
	RelayedSeeds int
	// CID, NID, Channel and Platform are the network's.
	CID, NID, Channel, Platform string
	// LogLevel of goloop.
	LogLevel string
}

// RelayName is what a node calls the sentries' relays. All of them stand under this one name, because goloop loses its connection to a
// seed that it reaches by two addresses at once (seen with v1.4.4), while it tries the addresses of one name in turn.
const RelayName = "sentries.icon.internal"

// RelayPort is where sentries lead to the network's first seed; each further seed has the next port. A node has to reach every seed
// of the network, as it would without sentries: one that knows a pure seed only may never be found by the validators, who do not ask
// the seeds that hang on them (seen with v1.4.4).
const RelayPort = 7101

// MaxSeeds bounds the relays' ports: 7101 to 7132.
const MaxSeeds = 32

// RelayPorts are the ports of a number of relayed seeds.
func RelayPorts(seeds int) []int {
	ports := make([]int, seeds)
	for i := range ports {
		ports[i] = RelayPort + i
	}
	return ports
}

// SeedList are the seeds that goloop is told.
func (s Settings) SeedList() []string {
	if len(s.Relays) == 0 {
		return s.Seeds
	}
	var list []string
	for _, port := range RelayPorts(s.RelayedSeeds) {
		list = append(list, fmt.Sprintf("%s:%d", RelayName, port))
	}
	return list
}

// HostsFile is the node's own /etc/hosts, which the unit lays over the host's.
func HostsFile(s Settings) string {
	var b strings.Builder
	b.WriteString("127.0.0.1 localhost\n")
	for _, r := range s.Relays {
		fmt.Fprintf(&b, "%s %s\n", r, RelayName)
	}
	return b.String()
}

// KeyScript is the step "key": the node's user, its directories and its key, born on the host or imported. Its variables: DATA_DIR,
// RUNTIME, ENGINE, IMAGE, ARCHIVE, BINARY_STAGED, BINARY_SHA256, IMPORT_ADDRESS ("" for a key born here), ON_DESTROY. Its files, for
// an import only: keystore.json, password. It prints address=hx….
//
//go:embed scripts/key.sh
var KeyScript string

// ServiceScript is the step "service": settings, unit, joining the network. Its variables: DATA_DIR, RUNTIME, CID, JOIN (arguments of
// `goloop chain join`), SEEDS, ROLE, TIMEOUT, WEBSOCKETS. Its files: icon-node.service, hosts, node.env (container), genesis.b64 (binary).
//
//go:embed scripts/service.sh
var ServiceScript string

// VerifyScript is the step "verify": the node answers, has joined, and its height rises. Its variables: CID, TIMEOUT.
//
//go:embed scripts/verify.sh
var VerifyScript string

// GuardScript refuses a plan in which two hosts hold one node key. Its file: keys, lines "host address".
//
//go:embed scripts/guard.sh
var GuardScript string

// BinaryUnit is the systemd unit of the runtime "binary". The node can write to its data directory and nowhere else.
func BinaryUnit(s Settings) string {
	args := []string{
		"--node_dir", s.DataDir + "/chain",
		"--node_sock", s.DataDir + "/chain/cli.sock",
		"--key_store", s.DataDir + "/key/keystore.json",
		"--key_secret", s.DataDir + "/key/password",
		"--p2p", s.Announce,
		"--p2p_listen", fmt.Sprintf(":%d", P2PPort),
		"--rpc_addr", s.RPCListen,
		"--engines", "none",
		"--log_level", s.LogLevel,
		"--console_level", s.LogLevel,
	}
	way := "by itself"
	if len(s.Relays) > 0 {
		way = "through the sentries"
	}
	return fmt.Sprintf(binaryUnit, s.DataDir, BinaryPath, strings.Join(args, " "), way)
}

// MemoryDenyWriteExecute and the native-only architecture hold because goloop without engines is one static binary.
const binaryUnit = `# Made by pulumi-icon.
# Finds the network %[4]s; a change restarts the node, so that no connection of before lives on.
[Unit]
Description=ICON node (goloop)
Wants=network-online.target
# No node without its firewall.
Requires=icon-firewall.service
After=network-online.target icon-firewall.service chrony.service
StartLimitIntervalSec=0

[Service]
Type=exec
User=icon-node
Group=icon-node
WorkingDirectory=%[1]s
ExecStart=%[2]s server start %[3]s
Restart=always
RestartSec=3
TimeoutStopSec=60
LimitNOFILE=65536
UMask=0077
TasksMax=4096
` + Sandboxing + `ExecPaths=/usr/local/lib/icon/goloop
ReadWritePaths=%[1]s
BindReadOnlyPaths=/etc/icon/node/hosts:/etc/hosts
MemoryDenyWriteExecute=yes
SystemCallFilter=~@privileged @resources

[Install]
WantedBy=multi-user.target
`

// JoinArgs are the arguments of `goloop chain join` after the socket, for the runtime "binary".
func JoinArgs(s Settings) string {
	args := []string{
		"--channel", s.Channel,
		"--auto_start",
		"--role", fmt.Sprint(int(s.Role)),
		"--seed", strings.Join(s.SeedList(), ","),
		// Encrypted links where the peer can: the first suite that both know is taken. "none" stays, because a peer may know no other.
		"--secure_suites", "ecdhe,tls,none",
	}
	if s.Platform != "" && s.Platform != "basic" {
		args = append(args, "--platform", s.Platform)
	}
	return strings.Join(args, " ")
}
