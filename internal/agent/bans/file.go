package bans

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"time"

	"github.com/insight-icon/pulumi-icon/internal/agent/files"
)

// Save keeps the bans for the agent's next start.
func (b *Book) Save(path string) error {
	all := make([]*Ban, 0, len(b.all))
	for _, ban := range b.all {
		all = append(all, ban)
	}
	text, err := json.Marshal(all)
	if err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	if err := files.Write(path, append(text, '\n'), 0o640); err != nil {
		return fmt.Errorf("bans were not kept: %w", err)
	}
	return nil
}

// Load takes what was kept into an empty book: bans in force go on for the time that they had left. A file that there is not is no error.
// One that can't be read leaves the book empty: the bans are in the kernel, and end there by themselves.
func (b *Book) Load(path string, now time.Time) error {
	text, err := os.ReadFile(path)
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("bans of before: %w", err)
	}
	if err := b.decode(text, now); err != nil {
		return fmt.Errorf("bans of before: %s: %w; it begins without them", path, err)
	}
	return nil
}

func (b *Book) decode(text []byte, now time.Time) error {
	var all []Ban
	if err := json.Unmarshal(text, &all); err != nil {
		return err
	}
	if len(all) > most {
		return fmt.Errorf("has %d bans; wanted at most %d", len(all), most)
	}
	kept := New(b.rules)
	kept.known = b.known
	for _, ban := range all {
		if err := kept.take(ban, now); err != nil {
			return err
		}
	}
	kept.made, kept.version = b.made, b.version+1
	*b = *kept
	return nil
}

func (b *Book) take(ban Ban, now time.Time) error {
	p := ban.Source
	if !p.IsValid() || !p.Addr().Is4() || p != p.Masked() || p.Bits() < widest || ban.Times < 1 || ban.Rule == "" {
		return fmt.Errorf("%s is no ban", p)
	}
	if b.known.covers(p) || now.Sub(ban.Ends) >= memory || b.all[p] != nil {
		return nil
	}
	// Whatever a clock said when it was written: no ban lasts longer than one may.
	length := b.rules.Max
	if ban.Rule == ByHand {
		length = longest
	}
	if last := now.Add(length); ban.Ends.After(last) {
		ban.Ends = last
	}
	b.all[p] = &ban
	switch {
	case !ban.Ends.After(now):
		// Its strikes may still be counted.
		if p.IsSingleIP() && now.Sub(ban.Ends) < 2*time.Minute {
			b.settle[p.Addr()] = true
		}
	case p.IsSingleIP() && ban.Rule != ByHand:
		b.crowd[networkOf(p)]++
	}
	end := ban.Ends
	if !end.After(now) {
		end = end.Add(memory)
	}
	if b.next.IsZero() || end.Before(b.next) {
		b.next = end
	}
	return nil
}

// Banned tells whether an address is banned, itself or with its network, and by what.
func (b *Book) Banned(a netip.Addr, now time.Time) (Ban, bool) {
	if b.known.contains(a) {
		return Ban{}, false
	}
	for bits := a.BitLen(); bits >= widest; bits-- {
		if p := netip.PrefixFrom(a, bits).Masked(); b.active(p, now) {
			return *b.all[p], true
		}
	}
	return Ban{}, false
}
