package attack

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/insight-icon/pulumi-icon/internal/sentry"
	"github.com/insight-icon/pulumi-icon/sandbox/peers"
	"github.com/insight-icon/pulumi-icon/tests/attack/arena"
	"github.com/insight-icon/pulumi-icon/tests/attack/attackers"
	"github.com/insight-icon/pulumi-icon/tests/attack/honest"
)

// Loss is what happened when one of two sentries was lost under attack.
type Loss struct {
	// How it was lost, and what attacked both meanwhile.
	How    string `json:"how"`
	Attack string `json:"attack"`
	// Seconds until the P-Rep had every validator as a peer again without the sentry that was lost; -1 if it never had. Limit is what
	// was promised.
	Seconds float64 `json:"seconds"`
	Limit   float64 `json:"limit"`
	// Missed are the P-Rep's blocks in the 20 s from then on, of Turns. Known are the users who ask the other sentry.
	Missed int     `json:"missed"`
	Turns  int     `json:"turns"`
	Known  Figures `json:"known"`
}

// lossAttack goes on against both sentries while one is lost.
const lossAttack = "httpflood"

// Losses measures the loss of the first of two sentries, each way in an arena of its own.
func Losses(ctx context.Context, o Options) ([]Loss, error) {
	var all []Loss
	for _, way := range []struct {
		how   string
		limit float64
		lose  func(*arena.Arena, context.Context) error
	}{
		{"killed", 2, func(a *arena.Arena, _ context.Context) error { return a.Kill(1) }},
		{"cut off from the internet", 10, func(a *arena.Arena, ctx context.Context) error { return a.Cut(ctx, 1, false) }},
		{"cut off on both sides", 10, func(a *arena.Arena, ctx context.Context) error { return a.Cut(ctx, 1, true) }},
	} {
		l, err := lose(ctx, o, way.how, way.limit, way.lose)
		if err != nil {
			return all, err
		}
		o.Progress("a sentry is %s: validators are back after %.1f s (promised: %g), the P-Rep missed %d of %d blocks, known users %d/%d",
			l.How, l.Seconds, l.Limit, l.Missed, l.Turns, l.Known.OK, l.Known.All)
		all = append(all, *l)
	}
	return all, nil
}

// lossSeconds is how long it is watched what becomes of it.
const lossSeconds = 40

func lose(
	ctx context.Context, o Options, how string, limit float64, lost func(*arena.Arena, context.Context) error,
) (l *Loss, err error) {
	v, err := FindVariant(string(sentry.HAProxyNftables))
	if err != nil {
		return nil, err
	}
	s, err := raise(ctx, o, v)
	defer func() { err = errors.Join(err, s.Down(ctx)) }()
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, 2*time.Minute)
	defer cancel()
	ended := make(chan error, 3)
	for n := range 2 {
		p2p, api := s.Target(n + 1)
		s.cells++
		t := attackers.Target{P2P: p2p, API: api, Sources: s.sources(), Channel: peers.Channel, CID: s.CID(), Seconds: lossSeconds + 5, Seed: 1}
		go func() {
			var r attackers.Result
			_, err := s.Play(ctx, arena.AttackersPlace, roleAttack, attackWishes{lossAttack, t}, &r)
			ended <- err
		}()
	}
	p2p, api := s.Target(2)
	load := honest.Config{API: api, P2P: p2p, Channel: peers.Channel, CID: s.CID(), Seconds: lossSeconds, Only: honest.Known}
	var samples []honest.Sample
	go func() {
		_, err := s.Play(ctx, arena.HonestPlace, roleHonest, load, &samples)
		ended <- err
	}()
	if err := pause(ctx, 4*time.Second); err != nil {
		return nil, err
	}
	l, err = s.after(ctx, lost)
	for range 3 {
		err = errors.Join(err, <-ended)
	}
	if err != nil {
		return nil, fmt.Errorf("a sentry that is %s: %w", how, err)
	}
	l.How, l.Limit, l.Attack = how, limit, lossAttack
	l.Known = figures(samples, 1000, 1<<40)[honest.Known]
	return l, nil
}

// after loses a sentry and waits until the P-Rep has its peers again.
func (s *stage) after(ctx context.Context, lost func(*arena.Arena, context.Context) error) (*Loss, error) {
	before, err := s.Validators(ctx, 1)
	if err != nil {
		return nil, err
	}
	if before.All != validators-1 {
		return nil, fmt.Errorf("the P-Rep has %d validators as peers before, wanted %d", before.All, validators-1)
	}
	height, err := s.Height(ctx)
	if err != nil {
		return nil, err
	}
	begin := time.Now()
	if err := lost(s.Arena, ctx); err != nil {
		return nil, err
	}
	l := &Loss{Seconds: -1}
	// A proxy that looks whether a validator is there has a connection for a moment, too: only one that stays counts.
	seen, since := 0, begin
	for end := begin.Add((lossSeconds - 8) * time.Second); time.Now().Before(end) && seen < 5; time.Sleep(100 * time.Millisecond) {
		now, err := s.Validators(ctx, 1)
		switch {
		case err != nil || now.Elsewhere < validators-1:
			seen = 0
		case seen == 0:
			since = time.Now()
			fallthrough
		default:
			seen++
		}
	}
	if seen >= 5 {
		l.Seconds = since.Sub(begin).Seconds()
	}
	if err := pause(ctx, time.Until(begin.Add(20*time.Second))); err != nil {
		return nil, err
	}
	blocks, prep, err := s.Blocks(ctx, height+1)
	l.Turns, l.Missed, _ = turns(blocks, prep)
	return l, err
}
