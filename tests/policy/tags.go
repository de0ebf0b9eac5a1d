package policy

import (
	_ "embed" // for the list of types
	"slices"
	"strings"
	"sync"

	"github.com/insight-icon/pulumi-icon/tests/graph"
)

// awsTypes lists all types of resources of pulumi-aws, each with "tags" if it takes them, "-" if not. A test makes it from the SDK's own
// source: after another version of it is taken into use, run go test -update in this directory.
//
//go:embed aws-types.txt
var awsTypes string

// takesTags says of every known type whether it takes tags.
var takesTags = sync.OnceValue(func() map[string]bool {
	types := map[string]bool{}
	for line := range strings.Lines(awsTypes) {
		if name, what, found := strings.Cut(strings.TrimSpace(line), " "); found {
			types[name] = what == "tags"
		}
	}
	return types
})

// isAWS says that a resource is one of AWS's, not its provider.
func isAWS(r *graph.Resource) bool { return strings.HasPrefix(r.Type, "aws:") }

// Tags that everything has, and those of machines and their volumes beside.
var (
	everyTag   = []string{"Name", "Project", "Stack", "ManagedBy"}
	machineTag = []string{"Role", "Host"}
)

func tagRules() []Rule {
	return []Rule{
		{
			ID: "ICON.28", Source: "AWS Resource Tagging Standard (Security Hub EC2.33 to EC2.52, ACM.3, Route53.1 and their kind)",
			Title: "Everything that takes tags has Name, Project, Stack and ManagedBy.",
			Why:   "Who finds a resource in the console must know what it belongs to, and what it costs.", Check: over(tagged),
		},
		{
			ID: "ICON.29", Source: "icon", Title: "Machines, their root volumes and data volumes have Role and Host.",
			Why: "Snapshots, bills and these rules tell machines by them.", Check: over(machinesTagged),
		},
		{
			ID: "ICON.30", Source: "icon", Title: "Every type of AWS's is known to take tags or not.",
			Why: "A new type must not slip through the other rules.", Check: over(typesKnown),
		},
		{
			ID: "ICON.31", Source: "icon", Title: "Every resource of AWS's has a provider that was given to it.",
			Why: "The default one takes whatever account and region the shell is set to.", Check: over(providerGiven),
		},
		{
			ID: "ICON.32", Source: "icon", Title: "Snapshots have the tags of their volumes.",
			Why: "Nobody dares to delete a snapshot that belongs to nothing, or to restore it.", Check: each(snapshotsTagged, typeSnapshots),
		},
	}
}

// without gives a finding for tags that are missing or empty. Tags are plain: one that is not known yet is missing.
func (l *look) without(r *graph.Resource, where string, tags value, wanted []string) {
	var missing []string
	for _, tag := range wanted {
		if tags.at(tag).text() == "" {
			missing = append(missing, tag)
		}
	}
	if len(missing) > 0 {
		l.at(r, "%s: %s missing", where, strings.Join(missing, ", "))
	}
}

func tagged(l *look) {
	for _, r := range l.g.Resources {
		if !takesTags()[r.Type] {
			continue
		}
		tags := input(r, "tags")
		if list := tags.list(); list != nil { // those of autoscaling groups
			names := make([]string, 0, len(list))
			for _, tag := range list {
				names = append(names, tag.at("key").text())
			}
			if slices.ContainsFunc(everyTag, func(t string) bool { return !slices.Contains(names, t) }) {
				l.at(r, "tags: not all of %s are there", strings.Join(everyTag, ", "))
			}
			continue
		}
		l.without(r, "tags", tags, everyTag)
	}
	for _, r := range l.all(typeInstance) {
		l.without(r, "rootBlockDevice.tags", rootTags(r), everyTag)
	}
}

// rootTags are those of an instance's root volume, which has none of its instance's.
func rootTags(r *graph.Resource) value {
	if tags := input(r, "volumeTags"); tags.given() {
		return tags
	}
	return input(r, "rootBlockDevice", "tags")
}

func machinesTagged(l *look) {
	for _, r := range l.all(typeInstance, typeVolume) {
		l.without(r, "tags", input(r, "tags"), machineTag)
	}
	for _, r := range l.all(typeInstance) {
		l.without(r, "rootBlockDevice.tags", rootTags(r), machineTag)
		roles := []string{rolePRep, roleCitizen, roleSentry, roleBastion}
		if role(r) != "" && !slices.Contains(roles, role(r)) {
			l.at(r, "its tag Role is %q; one of %s is wanted", role(r), strings.Join(roles, ", "))
		}
	}
}

func typesKnown(l *look) {
	for _, r := range l.g.Resources {
		if _, known := takesTags()[r.Type]; isAWS(r) && r.Custom && !known {
			l.at(r, "the type %s is not in tests/policy/aws-types.txt", r.Type)
		}
	}
}

func providerGiven(l *look) {
	for _, r := range l.g.Resources {
		// A provider below a component has the component's type before its own.
		ours := strings.Contains(r.Provider, ":pulumi:providers:aws::") || strings.Contains(r.Provider, "$pulumi:providers:aws::")
		if isAWS(r) && r.Custom && !ours {
			l.at(r, "it has no provider of AWS's: give one with pulumi.Provider, to it or to a component above it")
		}
	}
}

func snapshotsTagged(l *look, r *graph.Resource) {
	for _, schedule := range several(input(r, "policyDetails", "schedules")) {
		if !schedule.at("copyTags").yes() {
			l.at(r, "schedules.copyTags is %s; true is wanted", schedule.at("copyTags"))
		}
	}
}
