package hardening

import (
	"embed"
	"slices"
)

//go:embed scripts/controls/*.sh
var controlScripts embed.FS

// registry lists all controls in the order in which they are applied, those with Access last.
var registry = slices.Concat(
	kernelControls,
	auditControls,
	updateControls,
	containerControls,
	verificationControls,
	loginControls,
	firewallControls,
)

// Controls lists all controls.
func Controls() []Control { return slices.Clone(registry) }

// Find looks a control up by its ID.
func Find(id string) (Control, bool) {
	i := slices.IndexFunc(registry, func(c Control) bool { return c.ID == id })
	if i < 0 {
		return Control{}, false
	}
	return registry[i], true
}

func controlIDs() []string {
	ids := make([]string, len(registry))
	for i := range registry {
		ids[i] = registry[i].ID
	}
	return ids
}
