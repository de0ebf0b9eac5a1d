//go:build sandbox

package controls

import (
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/insight-icon/pulumi-icon/hardening"
)

const tamperings = "../../../hardening/testdata/tamper"

// tampering is what an intruder or a careless administrator does to one control.
type tampering struct {
	control, script string
	// expect is part of what the verification has to name.
	expect string
}

// readTamperings gives them in rounds: in each at most one for a control.
func readTamperings(t *testing.T) [][]tampering {
	t.Helper()
	files, err := filepath.Glob(tamperings + "/*.sh")
	must(t, err)
	var rounds [][]tampering
	count := map[string]int{}
	for _, file := range slices.Sorted(slices.Values(files)) {
		text, err := os.ReadFile(file)
		must(t, err)
		control, _, _ := strings.Cut(filepath.Base(file), ".")
		_, rest, found := strings.Cut(string(text), "# expect: ")
		expect, _, _ := strings.Cut(rest, "\n")
		if _, known := hardening.Find(control); !known || !found || expect == "" {
			t.Fatalf("%s: want the name of a control and a line \"# expect: …\"", file)
		}
		round := count[control]
		count[control]++
		if round == len(rounds) {
			rounds = append(rounds, nil)
		}
		rounds[round] = append(rounds[round], tampering{control, string(text), expect})
	}
	for _, c := range hardening.Controls() {
		if count[c.ID] == 0 {
			t.Errorf("control %s: nothing tampers with it", c.ID)
		}
	}
	return rounds
}

// TestEveryControlIsAppliedVerifiedMissedAndPutBack goes through a host's life; each part builds on the one before it.
func TestEveryControlIsAppliedVerifiedMissedAndPutBack(t *testing.T) {
	rounds := readTamperings(t)
	h := &host{T: t, lab: boot(t, "host"), name: "host"}
	h.harden(selection(t, "prep"))

	begin := time.Now()
	first := h.run("apply")
	t.Logf("first run: %.1f s, %d controls", time.Since(begin).Seconds(), len(first.Controls))
	t.Run("a host that was hardened a moment ago is as wanted", func(t *testing.T) { asWanted(t, h.run("verify")) })
	t.Run("a second run changes nothing, within 2 s", func(t *testing.T) {
		begin := time.Now()
		unchanged(t, h.run("apply"))
		if took := time.Since(begin); took > 2*time.Second {
			t.Errorf("took %s", took)
		}
	})
	for i, round := range rounds {
		t.Run(fmt.Sprintf("tamperings %d are named", i+1), func(t *testing.T) {
			for _, x := range round {
				if out, err := h.lab.Exec(t.Context(), h.name, strings.NewReader(x.script), "bash", "-s"); err != nil {
					t.Fatalf("tampering with %s: %v\n%s", x.control, err, out)
				}
			}
			report := h.run("verify")
			for _, x := range round {
				named(t, report, x)
			}
		})
		t.Run(fmt.Sprintf("and put back by the next run %d", i+1), func(t *testing.T) {
			repaired := states(h.run("apply"))
			for _, x := range round {
				if repaired[x.control] != "changed" {
					t.Errorf("%s: %s", x.control, repaired[x.control])
				}
			}
			asWanted(t, h.run("verify"))
		})
	}
	t.Run("it is all there after a power cut", func(t *testing.T) {
		must(t, h.lab.Kill(t.Context(), h.name))
		must(t, h.lab.Start(t.Context(), h.name))
		asWanted(t, h.run("verify"))
		unchanged(t, h.run("apply"))
	})
}

func asWanted(t *testing.T, r *hardening.Report) {
	t.Helper()
	for _, d := range r.Drifts {
		t.Errorf("%s: %s: expected %q, found %q", d.Control, d.What, d.Expected, d.Found)
	}
	for _, c := range r.Controls {
		if c.State == hardening.StateNotHere {
			t.Logf("%s cannot be in force in a container: %s", c.Control, c.Detail)
		}
	}
}

func unchanged(t *testing.T, r *hardening.Report) {
	t.Helper()
	for _, c := range r.Controls {
		if c.State == hardening.StateChanged {
			t.Errorf("%s changed %s thing(s)", c.Control, c.Detail)
		}
	}
}

func named(t *testing.T, r *hardening.Report, x tampering) {
	t.Helper()
	for _, d := range r.Drifts {
		if d.Control == x.control && strings.Contains(d.What, x.expect) {
			return
		}
	}
	t.Errorf("%s: the verification does not name %q; it says %v", x.control, x.expect,
		slices.DeleteFunc(slices.Clone(r.Drifts), func(d hardening.Drift) bool { return d.Control != x.control }))
}

// TestWhatIsLeftOutIsLeftAloneAndReported leaves out whatever can be.
func TestWhatIsLeftOutIsLeftAloneAndReported(t *testing.T) {
	const reason = "somebody else sees to it"
	leave := map[string]string{}
	for _, c := range hardening.Controls() {
		if c.Required == "" {
			leave[c.ID] = reason
		}
	}
	h := &host{T: t, lab: boot(t, "host"), name: "host"}
	h.harden(selection(t, "prep", hardening.Overrides{LeaveOut: leave}))
	// What required controls may change is their own.
	const own = `! -path '/etc/icon*' ! -path '/etc/systemd/system/*' ! -path '/etc/nftables.conf' ! -path '/etc/nftables.d*' ! -path '*/etc/passwd*' ! -path '*/etc/group*' ! -path '*/etc/shadow*' ` +
		`! -path '*/etc/gshadow*' ! -path '*/etc/subuid*' ! -path '*/etc/subgid*'`
	state := `find /etc -xdev -type f ` + own + ` -exec sha256sum {} +; find /etc -xdev ` + own + ` -printf '%m %u %g %p\n' | sort; cat /proc/sys/net/ipv4/conf/all/rp_filter`
	// Its packages first, as a run whose changes to files would be those of packages.
	h.on("apt-get -qq update && apt-get -qq -y install --no-install-recommends " + packagesOf(t, leave) + " >/dev/null 2>&1 || true")
	before := h.on(state)
	report := h.run("apply")
	if after := h.on(state); after != before {
		t.Errorf("files were changed: %s", difference(before, after))
	}
	for _, half := range []*hardening.Report{report, h.run("verify")} {
		found := map[string]string{}
		for _, c := range half.Controls {
			if c.State == hardening.StateLeftOut {
				found[c.Control] = c.Detail
			}
		}
		if !maps.Equal(found, leave) {
			t.Errorf("reported as left out: %v", found)
		}
	}
}

func packagesOf(t *testing.T, leave map[string]string) string {
	t.Helper()
	list := []string{"nftables"}
	for _, c := range selection(t, "prep", hardening.Overrides{LeaveOut: leave}).Controls {
		list = append(list, c.Packages...)
	}
	return strings.Join(list, " ")
}

func difference(before, after string) string {
	was := map[string]bool{}
	for line := range strings.Lines(before) {
		was[line] = true
	}
	var b strings.Builder
	for line := range strings.Lines(after) {
		if !was[line] {
			b.WriteString("\n" + strings.TrimSpace(line))
		}
	}
	return b.String()
}
