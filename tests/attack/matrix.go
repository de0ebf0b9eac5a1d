package attack

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/insight-icon/pulumi-icon/tests/attack/arena"
)

// Options of a run.
type Options struct {
	// Arena says which programs are used.
	Arena arena.Options
	// Seconds that each attack lasts.
	Seconds int
	// Progress gets a line for each cell and for what else takes time.
	Progress func(format string, args ...any)
	// Keep gets each cell as soon as it was measured.
	Keep func(*Cell) error
}

// Matrix attacks a variant with each of the attacks, so often. It gives what it measured, also when it ends with an error.
func Matrix(ctx context.Context, o Options, v Variant, attacks []string, runs int) ([]*Cell, error) {
	var cells []*Cell
	var s *stage
	var err error
	down := func() {
		if s != nil {
			err = errors.Join(err, s.Down(ctx))
			s = nil
		}
	}
	defer down()
	for run := 1; run <= runs; run++ {
		for _, attack := range attacks {
			if s == nil {
				if s, err = raise(ctx, o, v); err != nil {
					return cells, err
				}
			}
			var c *Cell
			if c, err = s.measure(ctx, attack, run, o.Seconds); err != nil {
				return cells, err
			}
			cells = append(cells, c)
			o.Progress("%s", c.line())
			if err = o.Keep(c); err != nil {
				return cells, err
			}
			if c.spent() {
				down()
			} else if err = pause(ctx, settle); err != nil {
				return cells, err
			}
		}
	}
	down()
	return cells, err
}

// settle is the time for what is left of an attack to end: the proxies' shortest deadlines.
const settle = 3 * time.Second

// spent says that the next attack would not find the nodes as they were: one has ended, or holds what the last one sent.
func (c *Cell) spent() bool {
	return len(c.Ended) > 0 || c.Citizen.MiB > 1000 || c.PRep.MiB > 1000 || c.Citizen.Connections > 200
}

func raise(ctx context.Context, o Options, v Variant) (*stage, error) {
	o.Progress("%s: nodes and sentries start", v.Name)
	a, err := arena.Up(ctx, o.Arena, v.front)
	s := &stage{Arena: a, variant: v.Name}
	if err != nil {
		return s, fmt.Errorf("%s: %w", v.Name, err)
	}
	// goloop settles down, and strangers' first requests make them known.
	return s, pause(ctx, settle)
}

func pause(ctx context.Context, d time.Duration) error {
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(d):
		return nil
	}
}

// line sums a cell up.
func (c *Cell) line() string {
	known, strangers := Sum(c.Honest, knownKinds...), Sum(c.Honest, strangerKinds...)
	text := fmt.Sprintf("%-18s %-15s run %d: known %d/%d, p99 %.1f ms (%.1f); strangers %d/%d; missed %d/%d; sentry %.0f %%, packets %.0f %%",
		c.Variant, c.Attack, c.Run, known.OK, known.All, c.Honest["known"].P99, c.Before["known"].P99, strangers.OK, strangers.All,
		c.Missed, c.Turns, c.SentryCPU, c.SoftCPU)
	if c.Banned > 0 {
		text += fmt.Sprintf("; banned %d of %d", c.Banned, c.Attackers.Sources)
	}
	if c.ForeignCPU > quiet {
		text += fmt.Sprintf("; the machine is busy (%.0f %%)", c.ForeignCPU)
	}
	if len(c.Ended) > 0 {
		text += fmt.Sprintf("; ended: %q", c.Ended)
	}
	return text
}
