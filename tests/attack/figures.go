// Package attack measures sentries under attack: each variant of them, and what stood there before, with real goloop nodes behind,
// in an arena of its own on this machine. The page docs/attack-report.md is written by it.
package attack

import (
	"slices"

	"github.com/insight-icon/pulumi-icon/tests/attack/attackers"
	"github.com/insight-icon/pulumi-icon/tests/attack/honest"
)

// Clean is the name of what is measured without an attack.
const Clean = "clean"

// Figures of one kind of honest operations.
type Figures struct {
	OK  int `json:"ok"`
	All int `json:"all"`
	// P50, P99 and Max in milliseconds, of those that succeeded.
	P50 float64 `json:"p50"`
	P99 float64 `json:"p99"`
	Max float64 `json:"max"`
	// Problems counts the others by what was wrong.
	Problems map[string]int `json:"problems,omitempty"`
}

// Cell is one attack on one variant, once.
type Cell struct {
	Variant string `json:"variant"`
	Attack  string `json:"attack"`
	Run     int    `json:"run"`
	Seconds int    `json:"seconds"`
	// Honest operations while the attack went on, and Before, in the seconds right before it, by their kind.
	Honest map[string]Figures `json:"honest"`
	Before map[string]Figures `json:"before"`
	// Turns are the blocks that the P-Rep was to propose, Missed those of them that another had to. Blocks are all; Rounds those that
	// were not proposed by the one whose turn it was.
	Turns  int `json:"turns"`
	Missed int `json:"missed"`
	Blocks int `json:"blocks"`
	Rounds int `json:"rounds"`
	// PRep and Citizen are the nodes: the most of each during the attack, and before it.
	PRep          Node `json:"prep"`
	PRepBefore    Node `json:"prepBefore"`
	Citizen       Node `json:"citizen"`
	CitizenBefore Node `json:"citizenBefore"`
	// Reached is how many connections to its P2P port the P-Rep's host took during the attack.
	Reached int `json:"reached"`
	// PeersLost are connections between the P-Rep and validators that were cut.
	PeersLost int `json:"peersLost"`
	// SentryCPU and SoftCPU are percents of one processor, ForeignCPU of all of the machine's together.
	SentryCPU  float64 `json:"sentryCPU"`
	SoftCPU    float64 `json:"softCPU"`
	ForeignCPU float64 `json:"foreignCPU"`
	// Banned is the greatest number of attackers that the kernel dropped; DropSeconds how long after the attack's begin that was 95 %
	// of them, -1 for never.
	Banned      int     `json:"banned"`
	DropSeconds float64 `json:"dropSeconds"`
	// Limits of the sentry that were met, and how often.
	Limits map[string]int `json:"limits,omitempty"`
	// FalseBans are honest addresses that were banned.
	FalseBans []string `json:"falseBans,omitempty"`
	// Attackers is what the attack did.
	Attackers attackers.Result `json:"attackers"`
	// Ended are nodes and proxies that did not survive.
	Ended []string `json:"ended,omitempty"`
}

// Node is the most that a node had of each.
type Node struct {
	Connections int `json:"connections"`
	MiB         int `json:"mib"`
	Files       int `json:"files"`
}

// figures sums up the samples that were due in [from, to) milliseconds, by their kind.
func figures(samples []honest.Sample, from, to int64) map[string]Figures {
	took := map[string][]float64{}
	all := map[string]Figures{}
	for _, s := range samples {
		if s.At < from || s.At >= to {
			continue
		}
		f := all[s.Kind]
		f.All++
		if s.Problem == "" {
			f.OK++
			took[s.Kind] = append(took[s.Kind], float64(s.Took)/1000)
		} else {
			if f.Problems == nil {
				f.Problems = map[string]int{}
			}
			f.Problems[s.Problem]++
		}
		all[s.Kind] = f
	}
	for kind, f := range all {
		f.P50, f.P99, f.Max = percentile(took[kind], 50), percentile(took[kind], 99), percentile(took[kind], 100)
		all[kind] = f
	}
	return all
}

// percentile is the smallest of the values that p percent of them don't exceed; 0 if there are none.
func percentile(values []float64, p int) float64 {
	if len(values) == 0 {
		return 0
	}
	sorted := slices.Sorted(slices.Values(values))
	return sorted[max(0, (len(sorted)*p+99)/100-1)]
}

// Ratio of those that succeeded, in percent; 100 where there were none.
func (f Figures) Ratio() float64 {
	if f.All == 0 {
		return 100
	}
	return 100 * float64(f.OK) / float64(f.All)
}

// Sum of several kinds; P50, P99 and Max are the greatest.
func Sum(of map[string]Figures, kinds ...string) Figures {
	var sum Figures
	for _, kind := range kinds {
		f := of[kind]
		sum.OK += f.OK
		sum.All += f.All
		sum.P50, sum.P99, sum.Max = max(sum.P50, f.P50), max(sum.P99, f.P99), max(sum.Max, f.Max)
		for problem, n := range f.Problems {
			if sum.Problems == nil {
				sum.Problems = map[string]int{}
			}
			sum.Problems[problem] += n
		}
	}
	return sum
}
