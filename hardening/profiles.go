package hardening

// profiles are what the roles' hosts are hardened by.
var profiles = []Profile{
	{Name: Baseline, What: "a host without a role of this installation's"},
	{Name: "prep", What: "the validator: nothing restarts it by itself", Parameters: map[string]Params{
		"reboot-window": {"mode": "never"},
	}},
	{Name: "citizen", What: "a node without a vote"},
	{Name: "sentry", What: "a reverse proxy that the internet sees"},
	{Name: "bastion", What: "the jump host, the only one that forwards SSH", Parameters: map[string]Params{
		// Each of a deploy's connections, to whatever host, is one to the bastion.
		firewallID:  {"newSSHPerMinute": 6000},
		sshServerID: {"forwarding": true, "maxStartups": "64:30:128"},
	}},
	{Name: "monitor", What: "the host of Prometheus and Alertmanager"},
}
