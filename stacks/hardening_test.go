package stacks

import (
	"testing"

	"github.com/insight-icon/pulumi-icon/hardening"
)

func TestParametersForAllHostsAreForThoseThatHaveTheControl(t *testing.T) {
	all := map[string]map[string]any{"kept": {"a": 1}, "dropped": {"b": 2}}
	used := usedBy(hardening.Profile{Without: map[string]string{"dropped": "no use here"}}, all)
	if len(used) != 1 || used["kept"] == nil || len(all) != 2 {
		t.Errorf("used %v of %v", used, all)
	}
	if usedBy(hardening.Profile{}, nil) != nil {
		t.Error("no parameters became some")
	}
}

func TestAnotherCitizenChangesNoNumberOfOtherHosts(t *testing.T) {
	c := &Config{
		Topology: TopologySentryFronted, PRep: &PRep{Host: "x-prep"}, Sentries: &Sentries{Hosts: []string{"sentry-2", "sentry-1"}},
		Citizens: &Citizens{Hosts: []string{"a-citizen"}},
	}
	orders := func() map[string]int {
		all := map[string]int{}
		for _, h := range c.hardenedHosts() {
			all[h.name] = h.facts.Order
		}
		return all
	}
	before := orders()
	c.Citizens.Hosts = append(c.Citizens.Hosts, "b-citizen")
	after := orders()
	for host, order := range before {
		if after[host] != order {
			t.Errorf("%s had the number %d, and has %d", host, order, after[host])
		}
	}
	if len(before) != 4 || len(after) != 5 {
		t.Errorf("%v, then %v", before, after)
	}
}
