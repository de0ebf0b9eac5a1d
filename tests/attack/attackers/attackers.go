// Package attackers holds the attacks that sentries are measured under. They run on Linux, as root, in a network namespace that leads
// nowhere: what they aim at and every route that they find is inside 10.0.0.0/8, and anything else is refused before a packet is sent.
// Each ends by itself after a minute at the latest, whatever it meets, and leaves nothing open.
package attackers

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"time"
)

// Target is what an attack aims at, and from where.
type Target struct {
	// P2P and API are the ports of one sentry, or of a node that has none.
	P2P netip.AddrPort `json:"p2p"`
	API netip.AddrPort `json:"api"`
	// Sources are the attackers' own addresses. All of them are local where the attack runs ("ip route add local … dev lo").
	Sources netip.Prefix `json:"sources"`
	// Victims are honest addresses, which synspoofvictim names as the sources of its packets.
	Victims []netip.Addr `json:"victims,omitempty"`
	// Channel as in the API's paths ("icon_dex"), CID as in the first packet of the P2P protocol ("0x1ecbb6").
	Channel string `json:"channel"`
	CID     string `json:"cid"`
	// Seconds that the attack lasts, 1 to 60.
	Seconds int `json:"seconds"`
	// Seed chooses the sources, and what else is random: the same seed, the same attack.
	Seed int64 `json:"seed,omitempty"`
	// TLS says that the API speaks it. Its certificate is not looked at.
	TLS bool `json:"tls,omitempty"`
	// Rate is how many packets in 1 second the attacks of raw packets send, 1 to 300,000. Default: the attack's own.
	Rate int `json:"rate,omitempty"`
	// Connections is the greatest number that an attack holds, 1 to 40,000. Default: the attack's own. Never more than this process may open.
	Connections int `json:"connections,omitempty"`
}

// Layers that an attack is on.
const (
	LayerPackets   = "packets"
	LayerTCP       = "tcp"
	LayerHTTP      = "http"
	LayerWebSocket = "websocket"
	LayerP2P       = "p2p"
	LayerMixed     = "mixed"
)

// Attack is one of them.
type Attack struct {
	// Name is a word; About is one sentence, for the report.
	Name, About string
	// Layer is one of the constants.
	Layer string
	run   func(*scene) error
}

// Result is what an attack has done and what it met.
type Result struct {
	// Sent are packets, requests or first bytes that left, as the attack has them.
	Sent int64 `json:"sent"`
	// Connected are TCP connections that were opened; Held is the greatest number at once.
	Connected int64 `json:"connected"`
	Held      int64 `json:"held"`
	// Answered are requests with a good answer: HTTP 200, a websocket, a P2P response. For evasion, it is what should not have been answered,
	// which Evaded names.
	Answered int64 `json:"answered"`
	// Refused are requests that got another answer, and connections that the other side closed.
	Refused int64 `json:"refused"`
	// Failed are connections and requests without any answer in 3 s.
	Failed int64 `json:"failed"`
	// Bytes that were sent over connections.
	Bytes int64 `json:"bytes"`
	// Sources is how many of the attackers' own addresses were used.
	Sources int `json:"sources"`
	// Used are these addresses, in no order.
	Used []netip.Addr `json:"used,omitempty"`
	// Evaded are the disguises of evasion that worked.
	Evaded []string `json:"evaded,omitempty"`
	// Note is what else there is to say.
	Note string `json:"note,omitempty"`
}

// All lists the attacks, in the order of a report.
func All() []Attack {
	return slices.Concat(packetAttacks(), connectionAttacks(), httpAttacks(), webSocketAttacks(), p2pAttacks(), []Attack{
		{"evasion", "Requests that are forbidden, each disguised in another way, from a source of its own.", LayerHTTP, evade},
		{"mixed", "Spoofed SYNs, slow headers, floods, expensive calls, websockets and P2P garbage, all at once.", LayerMixed, mix},
	})
}

// Find gives an attack by its name.
func Find(name string) (Attack, error) {
	all := All()
	if i := slices.IndexFunc(all, func(a Attack) bool { return a.Name == name }); i >= 0 {
		return all[i], nil
	}
	names := make([]string, len(all))
	for i, a := range all {
		names[i] = a.Name
	}
	return Attack{}, fmt.Errorf("attack %q: there is none; wanted one of %s", name, strings.Join(names, ", "))
}

// Run attacks until the target's seconds are over or the context ends. An error says why nothing, or not all, could be sent; an attack
// that is beaten is none.
func (a Attack) Run(ctx context.Context, t Target) (Result, error) {
	if err := errors.Join(t.check(), leadsNowhere()); err != nil {
		return Result{}, fmt.Errorf("attack %s: %w", a.Name, err)
	}
	ctx, cancel := context.WithTimeout(ctx, time.Duration(t.Seconds)*time.Second)
	defer cancel()
	s := newScene(ctx, t, a.Name)
	err := a.run(s)
	// Nothing outlives the attack, even when a part of it could not begin.
	cancel()
	s.open.Wait()
	if err != nil {
		err = fmt.Errorf("attack %s: %w", a.Name, err)
	}
	return s.result(), err
}
