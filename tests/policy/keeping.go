package policy

import (
	"slices"

	"github.com/insight-icon/pulumi-icon/tests/graph"
)

// keepingRules are about what must not be deleted by mistake.
func keepingRules() []Rule {
	return []Rule{
		{
			ID: "KMS.3", Source: "FSBP KMS.3", Title: "Keys can't be deleted by mistake: protected, in use, and with 30 days to think again.",
			Why: "What a key encrypted is gone with it.", Check: each(keyKept, typeKey),
		},
		{
			ID: "ICON.18", Source: "icon", Title: "AWS refuses to terminate a P-Rep.",
			Why: "A click in the console must not end a validator.", Check: over(terminationProtected),
		},
		{
			ID: "ICON.19", Source: "icon", Title: "P-Reps, data volumes, elastic addresses, keys and buckets are protected.",
			Why:   "Pulumi then refuses to delete or replace them: a P-Rep is its key, and an address is in other people's settings.",
			Check: over(stackProtected),
		},
		{
			ID: "ICON.20", Source: "icon", Title: "Data volumes outlive the stack, and their key with them.",
			Why: "The chain and the node key are on them; a kept volume without its key is noise.", Check: over(dataRetained),
		},
	}
}

func keyKept(l *look, r *graph.Resource) {
	if v := input(r, "deletionWindowInDays"); v.given() {
		if days, known := v.number(); !known || days < 30 {
			l.at(r, "deletionWindowInDays is %s; 30, the default, is wanted", v)
		}
	}
	if v := input(r, "isEnabled"); v.given() && !v.yes() {
		l.at(r, "isEnabled is %s; true, the default, is wanted", v)
	}
	if !r.Protect {
		l.at(r, "it is not protected: pulumi.Protect(true) is wanted")
	}
}

func terminationProtected(l *look) {
	for _, r := range l.machines(rolePRep) {
		if v := input(r, "disableApiTermination"); !v.yes() {
			l.at(r, "disableApiTermination is %s; true is wanted", v)
		}
		if v := input(r, "instanceInitiatedShutdownBehavior"); v.given() && !v.is("stop") {
			l.at(r, "instanceInitiatedShutdownBehavior is %s; \"stop\", the default, is wanted", v)
		}
	}
}

func stackProtected(l *look) {
	kept := l.all(append([]string{typeVolume, typeEIP, typeKey}, bucketTypes...)...)
	for _, r := range slices.Concat(l.machines(rolePRep), kept) {
		if !r.Protect {
			l.at(r, "it is not protected: pulumi.Protect(true) is wanted, on it or on a component above it")
		}
	}
}

func dataRetained(l *look) {
	for _, volume := range l.all(typeVolume) {
		if !volume.RetainOnDelete {
			l.at(volume, "it goes with the stack: pulumi.RetainOnDelete(true) is wanted")
			continue
		}
		if key := l.refer(volume, input(volume, "kmsKeyId"), typeKey); key != nil && !key.RetainOnDelete {
			l.at(key, "the volume %s that it encrypts is kept and it is not: pulumi.RetainOnDelete(true) is wanted", volume.Name)
		}
	}
}
