// Package hardening says what state a host must be in, whatever runs on it: who may talk to it and to whom it may talk, its logins,
// its kernel, its records, its packages and its clock. It knows neither Pulumi nor clouds: it renders what the steps apply.
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
var ReadyScript = bootScript + readyScript

// DiskScript is the step "disk", for hosts whose chain data has a disk of its own: it waits for the machine and the disk, formats a blank
// one and nothing else, claims it for this host, mounts it, and lets it grow with its disk. It comes before "ready", which looks at the
// data directory. Its variables:
//
//	DEVICE    the disk by a stable name, "/dev/disk/by-id/…": a whole disk, not a partition
//	DATA_DIR  where it is mounted
//	OWNER     this host among all installations, one word such as "organization/project/stack/host". A disk is stamped with it.
//	SIZE_GIB  the least size of the disk, which is waited for: one that was made larger shows its old size for a while
//	RESTORED  "true" when the disk is a copy, made from a snapshot: a node key in it that is not OWNER's is removed
//
// A summary line "removed-key-of=OWNER" ("unknown" without a stamp) tells that a key was removed.
var DiskScript = bootScript + diskScript

//go:embed scripts/boot.sh
var bootScript string

//go:embed scripts/ready.sh
var readyScript string

//go:embed scripts/disk.sh
var diskScript string

// HardenScript is the step "harden": all controls of the host's profile, the firewall among them, in one program. Its file: hardening
// (Selection.Program). Its halves: apply, verify, remove.
//
//go:embed scripts/harden.sh
var HardenScript string

// ConfirmScript is what a new login runs to confirm the changes of access that a trial waits with: `bash -s "$SSH_CONNECTION"`, as root.
//
//go:embed scripts/confirm.sh
var ConfirmScript string
