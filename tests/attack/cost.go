package attack

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/insight-icon/pulumi-icon/internal/sentry"
	"github.com/insight-icon/pulumi-icon/sandbox/peers"
	"github.com/insight-icon/pulumi-icon/tests/attack/arena"
	"github.com/insight-icon/pulumi-icon/tests/attack/honest"
)

// Cost is what the default variant takes where nobody attacks, compared with HAProxy without limits. One sentry of an arena has the
// one, the other the other, before the same citizen; they are measured by turns.
type Cost struct {
	// P50 is the median of a single request in milliseconds, Throughput requests in a second of 8 connections: median of the rounds.
	P50             float64 `json:"p50"`
	P50Plain        float64 `json:"p50Plain"`
	Throughput      float64 `json:"throughput"`
	ThroughputPlain float64 `json:"throughputPlain"`
	Rounds          int     `json:"rounds"`
}

const (
	costRounds  = 5
	costSeconds = 3
	// plain is what is compared with.
	plain = "haproxy-plain"
)

// MeasureCost measures it.
func MeasureCost(ctx context.Context, o Options) (c *Cost, err error) {
	ours, err := FindVariant(string(sentry.HAProxyNftables))
	if err != nil {
		return nil, err
	}
	theirs, err := FindVariant(plain)
	if err != nil {
		return nil, err
	}
	both := Variant{Name: "cost", front: func(s arena.Scene) (arena.Front, error) {
		if s.N == 1 {
			return ours.front(s)
		}
		return theirs.front(s)
	}}
	s, err := raise(ctx, o, both)
	defer func() { err = errors.Join(err, s.Down(ctx)) }()
	if err != nil {
		return nil, err
	}
	var p50, rps [2][]float64
	for range costRounds {
		for n := range 2 {
			p2p, api := s.Target(n + 1)
			load := honest.Config{API: api, P2P: p2p, Channel: peers.Channel, CID: s.CID(), Seconds: costSeconds, Only: honest.Known}
			var samples []honest.Sample
			if _, err := s.Play(ctx, arena.HonestPlace, roleHonest, load, &samples); err != nil {
				return nil, err
			}
			p50[n] = append(p50[n], figures(samples, 500, 1<<40)[honest.Known].P50)
			var flat honest.Throughput
			if _, err := s.Play(ctx, arena.HonestPlace, roleFlat, load, &flat); err != nil {
				return nil, err
			}
			rps[n] = append(rps[n], flat.PerSecond)
			if err := pause(ctx, 200*time.Millisecond); err != nil {
				return nil, err
			}
		}
	}
	for _, values := range [][]float64{p50[0], p50[1], rps[0], rps[1]} {
		slices.Sort(values)
	}
	c = &Cost{p50[0][costRounds/2], p50[1][costRounds/2], rps[0][costRounds/2], rps[1][costRounds/2], costRounds}
	o.Progress("without an attack: median %.2f ms, HAProxy without limits %.2f; %.0f requests a second, without limits %.0f",
		c.P50, c.P50Plain, c.Throughput, c.ThroughputPlain)
	return c, nil
}
