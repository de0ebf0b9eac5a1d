// Package hardening says what state a host must be in, whatever runs on it: who may talk to it and to whom it may talk, its packages
// and its clock. It knows neither Pulumi nor clouds: it renders what the steps apply.
package hardening

import _ "embed"

// ReadyScript is the step "ready": it changes nothing but waits for the machine and checks that it can become what the plan wants,
// naming everything that stands in the way at once. Its variables:
//
//	PORTS       TCP ports that must be free or ours, separated by spaces
//	DATA_DIR    where a node's data will be, empty for hosts without a node
//	MIN_DISK_GB least size of the file system below it, in 10^9 bytes
//	UNIT        the systemd unit of the host's role, whose own ports do not count
//	CID         chain id of the network, hexadecimal, empty for hosts without a node
//
//go:embed scripts/ready.sh
var ReadyScript string

// HardenScript is the step "harden": packages, clock and firewall. Its files: firewall.nft (Firewall.Render). Its variables:
//
//	ADMINISTRATORS  networks (CIDR) that SSH is answered to, separated by spaces
//	SSH_PORTS       ports that SSH listens on, separated by spaces
//	NODE            "true" on hosts that run goloop
//	ROLE_PACKAGES   further packages, separated by spaces
//
//go:embed scripts/harden.sh
var HardenScript string
