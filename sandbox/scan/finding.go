package scan

import (
	"cmp"
	"slices"
	"strings"
)

// Names of scanners in findings and waivers. WaiverOpenSCAP is for waivers only: it is both profiles of OpenSCAP.
const (
	CIS            = "cis"
	ANSSI          = "anssi"
	LynisName      = "lynis"
	SSHAuditName   = "ssh-audit"
	WaiverOpenSCAP = "oscap"
)

// Finding is one thing that a scanner holds against a host.
type Finding struct {
	// Scanner that says so, one of the names above.
	Scanner string
	// ID of the scanner's rule or test: "sudo_add_noexec", "SSH-7408", an algorithm.
	ID string
	// Title is the scanner's own words.
	Title string
	// Severity is "high", "medium", "low" or "unknown" with OpenSCAP, "warning" or "suggestion" with Lynis, "fail" or "warn" with ssh-audit.
	Severity string
	// Area of the rule, OpenSCAP only: "system/accounts/accounts-pam".
	Area string
}

var severities = []string{"high", "fail", "medium", "warning", "warn", "low", "suggestion"}

// sortFindings puts the gravest first, then by ID.
func sortFindings(list []Finding) {
	rank := func(f Finding) int {
		if i := slices.Index(severities, f.Severity); i >= 0 {
			return i
		}
		return len(severities)
	}
	slices.SortFunc(list, func(a, b Finding) int {
		return cmp.Or(cmp.Compare(rank(a), rank(b)), strings.Compare(a.ID, b.ID), strings.Compare(a.Title, b.Title))
	})
}
