package topologies

import (
	"strings"
	"testing"

	"github.com/insight-icon/pulumi-icon/tests/graph"
)

// What is added to a stack stands beside what is there: nothing of that is deleted or replaced.
func TestAnotherZoneHostOrOptionMovesNothing(t *testing.T) {
	public := fronted + mainnet + sentries + citizen + inTwoZones + machinesABC
	quiet := strings.Replace(public, "announce:", "api: false, announce:", 1)
	byDNS := "\n    front: {" + zone + "}\n    elasticIPQuota: 9"
	byNLB := "\n    front: {kind: nlb, " + zone + "}\n    elasticIPQuota: 9"
	// Another zone, and another machine of each kind in it, named so that they come before those that are there.
	wider := strings.NewReplacer("zones: [eu-central-1a, eu-central-1b]", "zones: [eu-central-1a, eu-central-1b, eu-central-1c]",
		"[sentry-1, ", "[a-sentry, sentry-1, ", "[citizen-1", "[a-citizen, citizen-1",
		"machines: {", "machines: {a-sentry: {zone: eu-central-1c}, a-citizen: {zone: eu-central-1c}, ").Replace
	for name, c := range map[string]struct{ older, newer string }{
		"zone and hosts, dns":         {public + byDNS, wider(public) + byDNS},
		"zone and hosts, nlb and api": {public + byNLB + api, wider(public) + byNLB + api},
		"zone and hosts, a gateway in each zone": {
			public + byDNS + "\n    vpc: {nat: per-zone}", wider(public) + byDNS + "\n    vpc: {nat: per-zone}",
		},
		"gateways":           {public + byDNS, public + byDNS + "\n    vpc: {nat: per-zone}"},
		"API":                {quiet + byDNS, quiet + byDNS + api},
		"shield":             {public + byNLB, public + strings.Replace(byNLB, "kind", "shieldAdvanced: true, kind", 1)},
		"hosted zone":        {public, public + byDNS},
		"no snapshots yet":   {alone + mainnet + inOneZone + "\n    snapshots: {off: true}", alone + mainnet + inOneZone},
		"citizen of a P-Rep": {alone + mainnet + inOneZone, alone + mainnet + citizen + inOneZone},
		"sentries' API":      {quiet + byNLB, public + byNLB},
	} {
		t.Run(name, func(t *testing.T) {
			older := graph.Record(t, graph.Options{}, awsProgram(t, parsed(t, c.older)))
			newer := graph.Record(t, graph.Options{}, awsProgram(t, parsed(t, c.newer)))
			if len(newer.Resources) < len(older.Resources) || c.older == c.newer {
				t.Fatalf("nothing was added: %d resources, then %d", len(older.Resources), len(newer.Resources))
			}
			for _, problem := range graph.Upgrade(older.Detail(), newer) {
				t.Error(problem)
			}
		})
	}
}
