//go:build sandbox

package attack_test

import (
	"context"
	"fmt"
	"os"
	"testing"
	"time"

	"github.com/insight-icon/pulumi-icon/tests/attack"
)

func TestMain(m *testing.M) {
	attack.PlayIfAsked()
	os.Exit(m.Run())
}

// short are the attacks of the short form: one of each kind, and Clean to compare with.
var short = []string{
	attack.Clean, "synspoof", "httpflood", "bigbody", "expensive", "ws", "slowloris", "p2pgarbage", "p2preplay",
}

func TestTheDefaultKeepsItsPromisesUnderAttack(t *testing.T) {
	o := options(t)
	variant, err := attack.FindVariant("haproxy+nftables")
	if err != nil {
		t.Fatal(err)
	}
	cells := measure(t, o, variant, short)
	var again []string
	for _, c := range cells {
		if problems := c.ShortProblems(); len(problems) > 0 {
			t.Logf("%s, at first: %q (%.0f %% of the processors were others')", c.Attack, problems, c.ForeignCPU)
			again = append(again, c.Attack)
		}
	}
	if len(again) == 0 {
		return
	}
	// A machine that does something else for a second fails promises that are about a second. What fails twice is the sentry's.
	for _, c := range measure(t, o, variant, again) {
		for _, problem := range c.ShortProblems() {
			t.Errorf("%s: %s", c.Attack, problem)
		}
	}
}

// Without this, attacks that do nothing would make everything look good.
func TestTheAttacksHarmWhatHasNoSentry(t *testing.T) {
	variant, err := attack.FindVariant(attack.Direct)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range measure(t, options(t), variant, []string{"ws", "bigbody"}) {
		if !c.Harmed() {
			t.Errorf("%s does no harm: %+v", c.Attack, c.Honest)
		}
	}
}

func options(t *testing.T) attack.Options {
	t.Helper()
	opts, err := attack.Prepare(t.Context(), t.TempDir(), t.Logf)
	if err != nil {
		t.Fatal(err)
	}
	return attack.Options{Arena: opts, Seconds: 5, Progress: t.Logf, Keep: func(*attack.Cell) error { return nil }}
}

func measure(t *testing.T, o attack.Options, v attack.Variant, attacks []string) []*attack.Cell {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
	defer cancel()
	cells, err := attack.Matrix(ctx, o, v, attacks, 1)
	if err != nil {
		t.Fatal(err)
	}
	if len(cells) != len(attacks) {
		t.Fatal(fmt.Errorf("%d of %d attacks were measured", len(cells), len(attacks)))
	}
	return cells
}
