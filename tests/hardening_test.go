package tests

import (
	"slices"
	"testing"

	"github.com/insight-icon/pulumi-icon/hardening"
	"github.com/insight-icon/pulumi-icon/sandbox/lab"
)

func TestTheLabsHostsCanInstallWhatTheHardeningNeeds(t *testing.T) {
	for _, c := range hardening.Controls() {
		for _, p := range c.Packages {
			if !slices.Contains(lab.DefaultPackages, p) {
				t.Errorf("control %s needs %s, which lab.DefaultPackages lacks", c.ID, p)
			}
		}
	}
}
