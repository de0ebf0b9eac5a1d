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

// keystoreFile is the keystore's name in the data directory's key/ and in the image.
const keystoreFile = "keystore.json"

// ContainerEnv is the environment file of the official image. It holds no secret: the image takes the key's password from a file of
// its own that the service step writes.
//
// Each value answers a trap of the image: it would announce whatever checkip.amazonaws.com says, ask the network's public API about the
// P-Rep's address, keep its own clock, and write its log into the container. All of them were seen to take effect in the image's own
// code (icon2-docker, ctx/config/configure.py), which heeds only what the network's default_configure.yml lists.
func ContainerEnv(s Settings, img Image) string {
	env := map[string]string{
		"SERVICE":              img.Service,
		"CID":                  s.CID,
		"NID":                  s.NID,
		"SEEDS":                strings.Join(s.SeedList(), ","),
		"ROLE":                 fmt.Sprint(int(s.Role)),
		"ENDPOINT":             fmt.Sprintf("http://127.0.0.1:%d", RPCPort),
		"GOLOOP_P2P":           s.Announce,
		"GOLOOP_P2P_LISTEN":    fmt.Sprintf(":%d", P2PPort),
		"GOLOOP_RPC_ADDR":      s.RPCListen,
		"GOLOOP_LOG_LEVEL":     s.LogLevel,
		"GOLOOP_CONSOLE_LEVEL": s.LogLevel,
		"KEY_STORE_FILENAME":   keystoreFile,
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
// image keeps its settings in the container's own layer (and so needs it writable). The host's network is used, so that nftables' rules
// hold for it and no published port can bypass them.
//
// The image's root is the host's, without the privileges that make it one. A user namespace would be better, but: docker refuses one
// together with the host's network; podman 4.3 cannot start an image whose root is icon-node and whose other users are elsewhere
// (github.com/containers/storage issue 1308, seen on Debian 12); with no other users the image's cron would fail, which keeps its logs
// small; and a range of its own could not write what icon-node owns.
func ContainerUnit(s Settings, img Image) string {
	run := []string{
		"run", "--rm", "--name", "icon-node", "--network", "host", "--pull", "never",
		// The image writes the key's password to its standard error and would have it in the host's journal: of the container's output
		// only the rest is attached, and that goes nowhere. Its logs are files in the data directory.
		"--attach", "stdout", "--log-driver", "none",
		"--env-file", "/etc/icon/node/node.env",
		"--env-file", "/etc/icon/node/password.env",
		"--volume", "/etc/icon/node/hosts:/etc/hosts:ro",
		"--volume", s.DataDir + "/chain:/goloop/data",
		"--volume", s.DataDir + "/logs:/goloop/logs",
		// What the image writes here it writes at every start: the password in clear, genesis, settings. The key itself it can't touch.
		"--tmpfs", "/goloop/config:rw,mode=0700",
		"--volume", s.DataDir + "/key/" + keystoreFile + ":/goloop/config/" + keystoreFile + ":ro",
		"--security-opt", "no-new-privileges",
	}
	// These let the image's root write into directories of the node's user, and its supervisor and cron change users and end processes.
	// The host's chrony keeps the clock.
	run = append(run, "--cap-drop", "ALL")
	for _, c := range []string{"CHOWN", "DAC_OVERRIDE", "FOWNER", "KILL", "SETGID", "SETUID"} {
		run = append(run, "--cap-add", c)
	}
	dependency, sandboxing := "", fmt.Sprintf(podmanSandboxing, s.DataDir)
	if img.Engine == "docker" {
		dependency, sandboxing = "Requires=docker.service\nAfter=docker.service\n", dockerSandboxing
		// docker's daemon starts the processes, outside the unit: the slice, and these, are their limits.
		run = append(run, "--cgroup-parent", "icon-node.slice", "--ulimit", "nofile=65536:65536", "--ulimit", "core=0:0", "--pids-limit", "4096")
	} else {
		// All processes stay in the unit's own cgroup, where systemd sees, limits and ends them, and have the unit's limits.
		run = append(run, "--cgroups", "disabled", "--ulimit", "host")
	}
	run = append(run, img.Reference)
	return fmt.Sprintf(containerUnit, dependency, "/usr/bin/"+img.Engine, strings.Join(run, " "), sandboxing)
}

// ExecStop gives the image's own supervisor the time that it takes to end goloop (at least 3 s, s6-overlay's grace time). A container that
// a power cut, or the end of the engine's own process, has left behind is removed before the start and after the stop.
const containerUnit = `# Made by pulumi-icon.
[Unit]
Description=ICON node (official image)
Wants=network-online.target
# No node without its firewall.
Requires=icon-firewall.service
After=network-online.target icon-firewall.service chrony.service
%[1]sStartLimitIntervalSec=0

[Service]
Type=exec
ExecStartPre=-%[2]s rm -f icon-node
ExecStart=%[2]s %[3]s
ExecStop=%[2]s stop -t 50 icon-node
ExecStopPost=-%[2]s rm -f icon-node
StandardOutput=null
StandardError=journal
Restart=always
RestartSec=3
TimeoutStopSec=60
LimitNOFILE=65536
%[4]s
[Install]
WantedBy=multi-user.target
`
