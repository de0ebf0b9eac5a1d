package main

import (
	"strings"
	"testing"

	"github.com/insight-icon/pulumi-icon/hardening"
)

func TestThePageOfControlsHasASectionForEachWithAllItsParameters(t *testing.T) {
	page := controls()
	for _, c := range hardening.Controls() {
		_, section, found := strings.Cut(page, "\n## `"+c.ID+"`\n")
		section, _, _ = strings.Cut(section, "\n## ")
		if !found || c.Why == "" || !strings.Contains(section, cell(c.Why)) || !strings.Contains(page, "(#"+c.ID+")") {
			t.Errorf("%s: no section that says why, with a link to it", c.ID)
		}
		for _, p := range c.Params {
			if !strings.Contains(section, "| `"+p.Name+"` | ") {
				t.Errorf("%s: the parameter %s is not there", c.ID, p.Name)
			}
		}
		for _, item := range c.Items {
			if !strings.Contains(section, string(item.Benchmark)+": ") || !strings.Contains(section, item.ID) {
				t.Errorf("%s: %s %s is not there", c.ID, item.Benchmark, item.ID)
			}
		}
	}
	for _, p := range hardening.Profiles() {
		if !strings.Contains(page, "| `"+p.Name+"` | ") {
			t.Errorf("the profile %s is not there", p.Name)
		}
	}
}

func TestAValueIsShownAsAStackFileWritesIt(t *testing.T) {
	for _, c := range []struct {
		value any
		want  string
	}{
		{5, "`5`"},
		{true, "`true`"},
		{[]string{"a", "b"}, "`[a, b]`"},
		{"a b", "`a b`"},
		{"", "`\"\"`"},
		{"a\nb", "`\"a\\nb\"`"},
		{"a|b", "`a\\|b`"},
	} {
		if got := value(c.value); got != c.want {
			t.Errorf("%v: %s, wanted %s", c.value, got, c.want)
		}
	}
}
