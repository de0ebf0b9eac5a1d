package attack

import (
	"context"
	"encoding/json"
	"fmt"
	"net/netip"
	"slices"
	"time"

	"github.com/insight-icon/pulumi-icon/sandbox/peers"
	"github.com/insight-icon/pulumi-icon/tests/attack/arena"
	"github.com/insight-icon/pulumi-icon/tests/attack/attackers"
	"github.com/insight-icon/pulumi-icon/tests/attack/honest"
)

// Roles that processes of this program play in the arena.
const (
	roleHonest = "honest"
	roleAttack = "attack"
	roleFlat   = "flat"
)

// PlayIfAsked has the process play a role in an arena, if it was started for one. Programs and tests that attack call it first.
func PlayIfAsked() {
	arena.PlayIfAsked(map[string]arena.Role{
		roleHonest: func(ctx context.Context, wishes []byte) (any, error) {
			var c honest.Config
			if err := json.Unmarshal(wishes, &c); err != nil {
				return nil, err
			}
			return honest.Run(ctx, c)
		},
		roleAttack: func(ctx context.Context, wishes []byte) (any, error) {
			var w attackWishes
			if err := json.Unmarshal(wishes, &w); err != nil {
				return nil, err
			}
			a, err := attackers.Find(w.Name)
			if err != nil {
				return nil, err
			}
			return a.Run(ctx, w.Target)
		},
		roleFlat: func(ctx context.Context, wishes []byte) (any, error) {
			var c honest.Config
			if err := json.Unmarshal(wishes, &c); err != nil {
				return nil, err
			}
			return honest.Flat(ctx, c)
		},
	})
}

type attackWishes struct {
	Name   string
	Target attackers.Target
}

// before is how long honest ones are alone: what is compared with.
const before = 4 * time.Second

// after is how long they stay once the attack has ended, because operations of its last moment take their time.
const after = 500 * time.Millisecond

// stage is a variant in an arena.
type stage struct {
	*arena.Arena
	variant string
	// cells so far: each attack comes from other addresses, and newcomers are new.
	cells int
}

// sources are the attackers' addresses in a cell: 65,536 that no other cell of this arena has had.
func (s *stage) sources() netip.Prefix {
	base := arena.AttackerNets.Addr().As4()
	return netip.PrefixFrom(netip.AddrFrom4([4]byte{base[0], base[1] + byte(1+s.cells%126), 0, 0}), 16)
}

// measure runs one attack, Clean for none.
func (s *stage) measure(ctx context.Context, attack string, run, seconds int) (*Cell, error) {
	s.cells++
	p2p, api := s.Target(1)
	wanted := time.Duration(seconds) * time.Second
	load := honest.Config{
		API: api, P2P: p2p, Channel: peers.Channel, CID: s.CID(), Seconds: (before + wanted).Seconds(), Seed: uint64(s.cells),
	}
	var samples []honest.Sample
	begin := time.Now()
	ended := make(chan error, 1)
	go func() {
		_, err := s.Play(ctx, arena.HonestPlace, roleHonest, load, &samples)
		ended <- err
	}()
	watch := s.Watch(ctx)
	time.Sleep(time.Until(begin.Add(before - time.Second)))
	if err := watch.Mark(ctx); err != nil {
		return nil, fmt.Errorf("before %s: the chain, as others see it: %w", attack, err)
	}
	time.Sleep(time.Until(begin.Add(before)))
	c := &Cell{Variant: s.variant, Attack: attack, Run: run, Seconds: seconds, DropSeconds: -1}
	attackUsed, err := s.attack(ctx, c, attackers.Target{
		P2P: p2p, API: api, Sources: s.sources(), Victims: honest.Victims(), Channel: peers.Channel, CID: s.CID(),
		Seconds: seconds, Seed: int64(run),
	})
	time.Sleep(after)
	seen, watchErr := watch.Stop(ctx, attackUsed)
	if err == nil {
		err = watchErr
	}
	if honestErr := <-ended; err == nil {
		err = honestErr
	}
	if err != nil {
		return nil, fmt.Errorf("%s on %s: %w", attack, s.variant, err)
	}
	c.fill(samples, seen, s.sources())
	return c, nil
}

func (s *stage) attack(ctx context.Context, c *Cell, t attackers.Target) (float64, error) {
	if c.Attack == Clean {
		time.Sleep(time.Duration(t.Seconds) * time.Second)
		return 0, nil
	}
	return s.Play(ctx, arena.AttackersPlace, roleAttack, attackWishes{c.Attack, t}, &c.Attackers)
}

// fill works out what was seen.
func (c *Cell) fill(samples []honest.Sample, seen *arena.Watched, sources netip.Prefix) {
	// The load starts a moment after the clock does; the first second fills connections and is not counted.
	from, to := before.Milliseconds(), before.Milliseconds()+int64(c.Seconds)*1000
	c.Before, c.Honest = figures(samples, 1000, from), figures(samples, from, to)
	c.Blocks = len(seen.Blocks)
	c.Turns, c.Missed, c.Rounds = turns(seen.Blocks, seen.PRep)
	for _, l := range seen.Looks {
		if l.At < before {
			c.PRepBefore.most(l.PRep)
			c.CitizenBefore.most(l.Citizen)
			continue
		}
		c.PRep.most(l.PRep)
		c.Citizen.most(l.Citizen)
	}
	c.Reached = accepted(seen.Looks, before, before+time.Duration(c.Seconds)*time.Second)
	c.PeersLost, c.Ended, c.Limits = seen.PeersLost, seen.Ended, seen.Limits
	c.SentryCPU, c.SoftCPU, c.ForeignCPU = seen.SentryCPU, seen.SoftCPU, seen.ForeignCPU
	c.bans(seen.Looks, sources)
	c.Attackers.Used = nil
}

// accepted is how many connections the P-Rep's host took between two moments.
func accepted(looks []arena.Look, from, to time.Duration) int {
	first, last := -1, 0
	for _, l := range looks {
		if l.At < from || l.At > to || l.PRep.Accepted == 0 {
			continue
		}
		if first < 0 {
			first = l.PRep.Accepted
		}
		last = l.PRep.Accepted
	}
	return max(0, last-max(0, first))
}

// validators of the network; the P-Rep is the first of them in its genesis, and proposes each fourth block.
const validators = 4

// turns counts the blocks that the P-Rep was to propose, those of them that another had to, and all that were not proposed by the
// one whose turn it was, as far as the P-Rep tells: it proposed in another's place, or another in its.
func turns(blocks []arena.Block, prep string) (turns, missed, rounds int) {
	for _, b := range blocks {
		turn := b.Height%validators == 0
		if turn {
			turns++
		}
		if (b.Proposer == prep) != turn {
			rounds++
			if turn {
				missed++
			}
		}
	}
	return turns, missed, rounds
}

func (n *Node) most(l arena.NodeLook) {
	n.Connections, n.MiB, n.Files = max(n.Connections, l.Connections), max(n.MiB, l.MiB), max(n.Files, l.Files)
}

// bans works out who was dropped in the kernel, and when.
func (c *Cell) bans(looks []arena.Look, sources netip.Prefix) {
	wrong := map[string]bool{}
	// Bans of an attack before this one may still be in force: they are not of this one.
	used := map[netip.Addr]bool{}
	for _, a := range c.Attackers.Used {
		used[a] = true
	}
	for _, l := range looks {
		// An address may be banned by itself and with its network.
		dropped := map[netip.Addr]bool{}
		for _, r := range l.Banned {
			switch {
			case !sources.Contains(r.From):
				if honest.IsHonest(r.From) || honest.IsHonest(r.To) {
					wrong[r.From.String()] = true
				}
			case r.From == r.To:
				if used[r.From] {
					dropped[r.From] = true
				}
			default:
				for a := range used {
					if r.Contains(a) {
						dropped[a] = true
					}
				}
			}
		}
		c.Banned = max(c.Banned, len(dropped))
		if c.DropSeconds < 0 && c.Attackers.Sources > 0 && l.At >= before && float64(len(dropped)) >= 0.95*float64(c.Attackers.Sources) {
			c.DropSeconds = (l.At - before).Seconds()
		}
	}
	for address := range wrong {
		c.FalseBans = append(c.FalseBans, address)
	}
	slices.Sort(c.FalseBans)
}
