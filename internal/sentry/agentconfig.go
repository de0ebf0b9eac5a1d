package sentry

// AgentConfig is what the agent of a sentry is told: ConfigDir/agent.json. It holds no secret.
type AgentConfig struct {
	// Kernel says that there is a table of nftables to feed: the variant HAProxyNftables.
	Kernel bool `json:"kernel"`
	// AdminSocket is HAProxy's; empty for nginx, whose agent keeps certificates only.
	AdminSocket string `json:"adminSocket,omitempty"`
	// StateDir, ControlSocket and Metrics as the constants of this package.
	StateDir      string `json:"stateDir"`
	ControlSocket string `json:"controlSocket"`
	Metrics       string `json:"metrics"`
	// Users as Settings.Users: never banned.
	Users []string `json:"users,omitempty"`
	// Bans says when a source is banned, and for how long.
	Bans  AgentBans  `json:"bans"`
	Peers AgentPeers `json:"peers"`
	// ACME is nil where the agent gets no certificate.
	ACME *AgentACME `json:"acme,omitempty"`
	// Drain is nil where the sentry is not to be drained.
	Drain *AgentDrain `json:"drain,omitempty"`
}

// AgentBans are of Limits.
type AgentBans struct {
	Strikes    int `json:"strikes"`
	Seconds    int `json:"seconds"`
	MaxSeconds int `json:"maxSeconds"`
	Network    int `json:"network"`
}

// AgentPeers says where the list of peers comes from.
type AgentPeers struct {
	// Mode is PeersPrefer, PeersEnforce or PeersOff.
	Mode string `json:"mode"`
	// Static are addresses, networks (CIDR) or names that are always on the list. The other sentries' and the seeds' are among them.
	Static []string `json:"static,omitempty"`
	// Endpoints are API addresses ("https://…/api/v3") that are asked for the P-Reps, in this order, until one answers.
	Endpoints []string `json:"endpoints,omitempty"`
	// Own are the API addresses ("http://10.0.0.5:9000") of the plan's own nodes: asked for the P-Reps after Endpoints, and for the peers
	// that they see, in addition to that.
	Own []string `json:"own,omitempty"`
	// Channel of the own nodes.
	Channel string `json:"channel"`
	// RefreshSeconds between two refreshes (120). MaxShrinkPercent (20) is how much smaller a new list may be; one that is smaller still is
	// taken only when the same comes again ConfirmSeconds (3600) later.
	RefreshSeconds   int `json:"refreshSeconds"`
	MaxShrinkPercent int `json:"maxShrinkPercent"`
	ConfirmSeconds   int `json:"confirmSeconds"`
}

// AgentACME is how a certificate is got.
type AgentACME struct {
	// Names on the certificate; Directory of the authority; Email to be warned, may be empty.
	Names     []string `json:"names"`
	Directory string   `json:"directory"`
	Email     string   `json:"email,omitempty"`
	// Listen is where challenges are answered, "private address:ChallengePort".
	Listen string `json:"listen"`
	// Roots is a file with the authority's own root certificates, for private ones; empty: the system's.
	Roots string `json:"roots,omitempty"`
}

// AgentDrain is how a sentry leaves.
type AgentDrain struct {
	// Announced is the name that validators are told, PublicAddress the one that has to be gone from it before anything else is done; an
	// empty name is not waited for.
	Announced     string `json:"announced,omitempty"`
	PublicAddress string `json:"publicAddress,omitempty"`
	// TTLSeconds are waited after that (300); WaitSeconds (900) is how long connections may go on then.
	TTLSeconds  int `json:"ttlSeconds"`
	WaitSeconds int `json:"waitSeconds"`
}
