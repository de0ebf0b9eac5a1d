package goloop

import (
	"fmt"
	"sort"
	"strings"
)

// Image says how the official image is run.
type Image struct {
	// Reference pinned by digest.
	Reference string
	// Engine is "podman" or "docker".
	Engine string
	// Service is the network's name in the image's settings: MainNet, LisbonNet, BerlinNet, or a custom network's own.
	Service string
	// ConfigURL is where the image finds the network's settings and genesis. Empty: the image's own default.
	ConfigURL string
}

// ContainerEnv is the environment file of the official image. It holds no secret: the image takes the key's password from a file of
// its own that the service step writes.
//
// Each value answers a trap of the image: it would announce whatever checkip.amazonaws.com says, keep its own clock, and write its log
// into the container.
func ContainerEnv(s Settings, img Image) string {
	env := map[string]string{
		"SERVICE":              img.Service,
		"CID":                  s.CID,
		"NID":                  s.NID,
		"SEEDS":                strings.Join(s.SeedList(), ","),
		"ROLE":                 fmt.Sprint(int(s.Role)),
		"GOLOOP_P2P":           s.Announce,
		"GOLOOP_P2P_LISTEN":    fmt.Sprintf(":%d", P2PPort),
		"GOLOOP_RPC_ADDR":      s.RPCListen,
		"GOLOOP_LOG_LEVEL":     s.LogLevel,
		"GOLOOP_CONSOLE_LEVEL": s.LogLevel,
		"KEY_STORE_FILENAME":   "keystore.json",
		"IS_AUTOGEN_CERT":      "false",
		"USE_NTP_SYNC":         "false",
		"LOCAL_TEST":           "false",
		"FASTEST_START":        "false",
		"LOG_OUTPUT_TYPE":      "file",
	}
	if img.ConfigURL != "" {
		env["CONFIG_URL"] = img.ConfigURL
	}
	keys := make([]string, 0, len(env))
	for k := range env {
		keys = append(keys, k)
	}
	sort.Strings(keys)
	var b strings.Builder
	for _, k := range keys {
		fmt.Fprintf(&b, "%s=%s\n", k, env[k])
	}
	return b.String()
}

// ContainerUnit is the systemd unit of the runtime "container": one container in the foreground, made anew at every start, because the
// image keeps its settings in the container's own layer. The host's network is used, so that nftables' input rules hold for it and no
// published port can bypass them. SYS_TIME is not given: the host's chrony keeps the clock.
func ContainerUnit(s Settings, img Image) string {
	run := []string{
		"run", "--rm", "--name", "icon-node", "--network", "host", "--pull", "never",
		"--env-file", "/etc/icon/node/node.env",
		"--env-file", "/etc/icon/node/password.env",
		"--volume", "/etc/icon/node/hosts:/etc/hosts:ro",
		"--volume", s.DataDir + "/chain:/goloop/data",
		"--volume", s.DataDir + "/key:/goloop/config",
		"--volume", s.DataDir + "/logs:/goloop/logs",
		"--ulimit", "nofile=65536:65536",
		"--security-opt", "no-new-privileges",
	}
	dependency := ""
	if img.Engine == "docker" {
		dependency = "Requires=docker.service\nAfter=docker.service\n"
		run = append(run, "--log-driver", "none")
	} else {
		// systemd supervises the container's own processes and holds its log.
		run = append(run, "--replace", "--cgroups", "no-conmon", "--log-driver", "none")
	}
	run = append(run, img.Reference)
	return fmt.Sprintf(containerUnit, dependency, "/usr/bin/"+img.Engine, strings.Join(run, " "))
}

const containerUnit = `# Made by pulumi-icon.
[Unit]
Description=ICON node (official image)
Wants=network-online.target icon-firewall.service
After=network-online.target icon-firewall.service chrony.service
%[1]sStartLimitIntervalSec=0

[Service]
Type=exec
ExecStartPre=-%[2]s rm -f icon-node
ExecStart=%[2]s %[3]s
ExecStop=%[2]s stop -t 50 icon-node
Restart=always
RestartSec=3
TimeoutStopSec=60
LimitNOFILE=65536
KillMode=mixed

[Install]
WantedBy=multi-user.target
`
