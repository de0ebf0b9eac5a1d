package hardening

const firewallID = "firewall"

// firewallControls are listed in registry.
var firewallControls = []Control{{
	ID:    firewallID,
	Title: "Default-deny firewall in both directions",
	Why: "Only what the plan's edges name gets in or out: a service that somebody starts by mistake is not reached, and an intruder's " +
		"program cannot call home. SSH is answered to the administrators alone.",
	Breaks: "Whatever the plan does not know: open it with an edge. /etc/nftables.conf becomes ours; rules of the machine's own go to " +
		"/etc/nftables.d/*.nft, and cannot open what this table closes.",
	Items: cis("4.1.1", "4.3.1", "4.3.4", "4.3.5", "4.3.6", "4.3.8", "4.3.9", "4.3.10"),
	Params: []Param{{
		Name: "newSSHPerMinute", Kind: Int, Min: 60, Max: 60000, Default: 600,
		What: "new connections to SSH that one address may open in a minute, half of them at once; more wait. A deploy opens about ten to each " +
			"host (one for each step and copy, the first look, the confirmation, the verification), and all of them through the bastion",
	}},
	Packages: []string{"nftables"},
	Access:   true,
	Required: "a node or a sentry without its firewall does not start, and the plan's edges would mean nothing",
}}
