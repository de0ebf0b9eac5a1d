package hardening

import (
	"slices"
	"strconv"
	"strings"
)

// Facts are what controls have to know of a host, as far as a plan knows it.
type Facts struct {
	// Role of the host, the name of its profile.
	Role string
	// LoginUser is who the deploy logs in as.
	LoginUser string
	// SSHPorts are where sshd listens.
	SSHPorts []int
	// Runtime of the host's node: "binary", "podman" or "docker"; empty without a node.
	Runtime string
	// DataDir of the node, empty without one.
	DataDir string
	// Administrators are the networks (CIDR) that SSH connections to the host come from, as far as the plan knows them.
	Administrators []string
	// Order tells the stack's hosts apart by a small number, so that not all do at one time what each does once a week.
	Order int
}

// vars are the facts as every control's script sees them.
func (f Facts) vars() map[string]string {
	ports := make([]string, len(f.SSHPorts))
	for i, p := range f.SSHPorts {
		ports[i] = strconv.Itoa(p)
	}
	return map[string]string{
		"ROLE": f.Role, "LOGIN_USER": f.LoginUser, "SSH_PORTS": strings.Join(ports, " "), "RUNTIME": f.Runtime, "DATA_DIR": f.DataDir,
		"ORDER": strconv.Itoa(f.Order), "NODE": strconv.FormatBool(f.Runtime != ""),
	}
}

func (f Facts) withDefaults() Facts {
	if f.Role == "" {
		f.Role = Baseline
	}
	if f.LoginUser == "" {
		f.LoginUser = "root"
	}
	if len(f.SSHPorts) == 0 {
		f.SSHPorts = []int{22}
	}
	f.SSHPorts = slices.Clone(f.SSHPorts)
	return f
}
