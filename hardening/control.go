package hardening

import "strings"

// Control is one thing that a host is hardened by: data, and a bash script of the same name (scripts/controls/<ID>.sh) with its halves.
type Control struct {
	// ID names the control in configurations, reports and metrics: lower-case words joined by "-".
	ID string
	// Title in a few words; Why it is worth having; Breaks what it may get in the way of, empty if nothing is known.
	Title, Why, Breaks string
	// Items are what benchmarks ask for and this control gives.
	Items []Item
	// Params can be set by name.
	Params []Param
	// Packages that it needs, by the distribution's names. All controls' packages are installed in one run, before the first control.
	Packages []string
	// PackagesFor, if not nil, adds packages that only some values of its parameters need.
	PackagesFor func(s *Selection) []string
	// Purge are packages that it wants gone.
	Purge []string
	// Access says that a mistake in it can lock everybody out: it is applied last, and rolled back unless a new login confirms it.
	Access bool
	// Required says why it can't be left out, empty if it can.
	Required string
	// Needs are the controls without which this one is worth nothing, or breaks.
	Needs []string
	// Check, if not nil, finds what its own parameters' forms don't tell: contradictions between them, with other controls or with the host.
	// A problem is told for the parameter of that name.
	Check func(s *Selection) []Conflict
}

// Item is a requirement of a benchmark.
type Item struct {
	Benchmark Benchmark
	// ID is the benchmark's own number of it: "5.1.20" of CIS, "R30" of ANSSI, "sshd-10" of dev-sec.
	ID string
}

// Benchmark names a published list of requirements.
type Benchmark string

// The benchmarks that controls refer to.
const (
	// CIS is the CIS Debian Linux 12 Benchmark, v1.1.0.
	CIS Benchmark = "CIS Debian 12"
	// ANSSI is the French security agency's guide BP-028, v2.0.
	ANSSI Benchmark = "ANSSI BP-028"
	// DevSec are dev-sec's baselines for Linux and SSH.
	DevSec Benchmark = "dev-sec"
)

func items(b Benchmark, ids ...string) []Item {
	list := make([]Item, len(ids))
	for i, id := range ids {
		list[i] = Item{b, id}
	}
	return list
}

func cis(ids ...string) []Item    { return items(CIS, ids...) }
func anssi(ids ...string) []Item  { return items(ANSSI, ids...) }
func devsec(ids ...string) []Item { return items(DevSec, ids...) }

// Conflict is what a control's Check finds.
type Conflict struct {
	// Param of the control, empty for the control as a whole.
	Param string
	// Text says what is wrong, what was expected and what to do.
	Text string
}

// function is the control's name in bash.
func (c *Control) function() string { return strings.ReplaceAll(c.ID, "-", "_") }

func (c *Control) param(name string) *Param {
	for i := range c.Params {
		if c.Params[i].Name == name {
			return &c.Params[i]
		}
	}
	return nil
}
