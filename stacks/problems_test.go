package stacks

import (
	"fmt"
	"strings"
	"testing"

	"github.com/insight-icon/pulumi-icon/internal/wording"
)

func TestUnknownNamesLeadToKnownOnes(t *testing.T) {
	many := []string{}
	for i := range 30 {
		many = append(many, fmt.Sprintf("machine-number-%02d", i))
	}
	for _, c := range []struct {
		name   string
		known  []string
		wanted string
	}{
		{"toplogy", []string{"platform", "topology"}, `did you mean "topology"?`},
		{"TOPOLOGY", []string{"platform", "topology"}, `did you mean "topology"?`},
		{"wibble", []string{"platform", "node"}, "known here: node, platform"},
		{"x", nil, "none is known here"},
		{"prep", many, "known here: " + strings.Join(many[:20], ", ") + " and 10 more"},
	} {
		if got := wording.DidYouMean(c.name, c.known); got != c.wanted {
			t.Errorf("%s: %s, wanted %s", c.name, got, c.wanted)
		}
	}
}

func TestLongValuesAreCutAndPrivateKeysNotShown(t *testing.T) {
	if got := wording.Quote(strings.Repeat("ä", 100)); got != `"`+strings.Repeat("ä", 80)+`…"` {
		t.Errorf("got %s, wanted 80 letters", got)
	}
	if got := wording.Quote("-----BEGIN RSA PRIVATE KEY-----\nMIIE"); strings.Contains(got, "MIIE") {
		t.Errorf("a private key was shown: %s", got)
	}
}
