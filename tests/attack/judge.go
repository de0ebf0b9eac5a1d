package attack

import (
	"fmt"
	"slices"
	"strings"

	"github.com/insight-icon/pulumi-icon/tests/attack/honest"
)

// Kinds by what is promised to them.
var (
	knownKinds    = []string{honest.Known, honest.WSKnown, honest.WSKept, honest.PeerKnown, honest.VictimKept}
	strangerKinds = []string{honest.Unknown, honest.Newcomer, honest.WSUnknown, honest.PeerNew}
)

// What is promised of the default variant.
const (
	// slower and slowerMS bound the known users' p99 by that without an attack.
	slower   = 1.5
	slowerMS = 10
	// served is how many strangers are, in percent; servedSpoofed under SYNs with forged sources.
	served        = 99.9
	servedSpoofed = 99
	// servedShort and slowest, in milliseconds, are for the short form. Without a sentry a flood has a p99 of 300 ms and more.
	servedShort = 97
	slowest     = 200
	// quiet is how much of the processors the rest of the machine may use for times to be judged: what is above shows the machine, not
	// the sentry.
	quiet = 25
)

// handshakes are the attacks whose first packets are real: a share of them reaches the P-Rep, as that of a new validator would.
var handshakes = []string{"p2preplay", "p2psign", "mixed"}

// Problems of a cell of the default variant, by what is promised, each a short sentence. cleanP99 is that of known users without an
// attack, in milliseconds; 0 has it taken from the time right before the attack.
func (c *Cell) Problems(cleanP99 float64) []string {
	if cleanP99 == 0 {
		cleanP99 = c.Before[honest.Known].P99
	}
	all := c.failures(served)
	if p99 := c.Honest[honest.Known].P99; p99 > slower*cleanP99+slowerMS && c.ForeignCPU <= quiet {
		all = append(all, fmt.Sprintf("known users' p99 is %.1f ms, without an attack %.1f", p99, cleanP99))
	}
	return all
}

// ShortProblems are those that a few seconds on any machine can show: of some 165 strangers a few may be unlucky, and times are held only
// to what tells a sentry from none.
func (c *Cell) ShortProblems() []string {
	all := c.failures(servedShort)
	if p99 := c.Honest[honest.Known].P99; p99 > slowest && c.ForeignCPU <= quiet {
		all = append(all, fmt.Sprintf("known users' p99 is %.1f ms, wanted less than %d", p99, slowest))
	}
	return all
}

// failures are all problems but those of time, where so many strangers are to be served, in percent.
func (c *Cell) failures(want float64) []string {
	var all []string
	say := func(format string, args ...any) { all = append(all, fmt.Sprintf(format, args...)) }
	if known := Sum(c.Honest, knownKinds...); known.OK < known.All {
		say("%d of %d operations of known ones failed (%s)", known.All-known.OK, known.All, listed(known.Problems))
	}
	if strings.HasPrefix(c.Attack, "synspoof") || c.Attack == "mixed" {
		want = servedSpoofed
	}
	if strangers := Sum(c.Honest, strangerKinds...); strangers.Ratio() < want {
		say("%.1f %% of strangers were served, wanted %g (%s)", strangers.Ratio(), want, listed(strangers.Problems))
	}
	if c.Missed > 0 {
		say("the P-Rep missed %d of %d blocks", c.Missed, c.Turns)
	}
	if c.PeersLost > 0 {
		say("%d connections of validators were cut", c.PeersLost)
	}
	if most := c.honestPeers(); c.Reached > most && !slices.Contains(handshakes, c.Attack) {
		say("%d connections reached the P-Rep, honest ones were at most %d", c.Reached, most)
	}
	if len(c.FalseBans) > 0 {
		say("honest addresses were banned: %s", strings.Join(c.FalseBans, ", "))
	}
	if len(c.Ended) > 0 {
		say("ended: %s", strings.Join(c.Ended, ", "))
	}
	return all
}

// honestPeers is how many connections honest ones can have made to the P-Rep: peers', and each sentry's own check every 2 s.
func (c *Cell) honestPeers() int {
	peers := c.Honest[honest.PeerKnown].All + c.Honest[honest.PeerNew].All
	return peers + c.Seconds + 6
}

func listed(problems map[string]int) string {
	var all []string
	for what, n := range problems {
		all = append(all, fmt.Sprintf("%s: %d", what, n))
	}
	slices.Sort(all)
	return strings.Join(all, ", ")
}

// Harmed says whether an attack did what it is meant to where nothing stands against it: otherwise it proves nothing.
func (c *Cell) Harmed() bool {
	all := Sum(c.Honest, append(slices.Clone(knownKinds), strangerKinds...)...)
	grown := max(c.PRep.MiB-c.PRepBefore.MiB, c.Citizen.MiB-c.CitizenBefore.MiB)
	return all.Ratio() < 99 || grown > 500 || c.Honest[honest.Known].P99 > 5*c.Before[honest.Known].P99 || c.Missed > 0 || len(c.Ended) > 0
}
