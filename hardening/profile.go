package hardening

import "slices"

// Profile is a list of controls with parameters, for one kind of host.
type Profile struct {
	Name string
	// What kind of host it is for.
	What string
	// Parameters that differ from the controls' defaults, by control.
	Parameters map[string]Params
	// Without are controls that make no sense on such a host, with the reason.
	Without map[string]string
}

// Baseline is the profile of hosts without a role.
const Baseline = "baseline"

// Profiles lists the profiles, the baseline first. A profile holds all controls but those that it names under Without.
func Profiles() []Profile { return slices.Clone(profiles) }

// FindProfile looks a profile up by its name.
func FindProfile(name string) (Profile, bool) {
	for _, p := range profiles {
		if p.Name == name {
			return p, true
		}
	}
	return Profile{}, false
}
