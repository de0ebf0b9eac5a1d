//go:build sandbox

// Package scan holds a hardened host's figures against the recorded ones, by scanners that others wrote. Needs root on a Debian 12 machine
// and Debian's archive; takes some four minutes.
package scan

import (
	"context"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/insight-icon/pulumi-icon/sandbox/lab"
	"github.com/insight-icon/pulumi-icon/sandbox/scan"
)

func TestMain(m *testing.M) {
	scan.ServeIfAsked()
	os.Exit(m.Run())
}

const root = "../../.."

func TestNoScannerFindsAHardenedHostWorseThanRecorded(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), 15*time.Minute)
	defer cancel()
	recorded, err := scan.ReadScores(root + "/sandbox/scan/scores.json")
	if err != nil {
		t.Fatal(err)
	}
	waivers, err := scan.Waivers()
	if err != nil {
		t.Fatal(err)
	}
	// Run takes its hosts away at the end, and those that an interrupted one has left at the beginning.
	result, err := scan.Run(ctx, scan.Options{Dir: lab.DefaultDir(root), Profiles: []string{"prep"}, Fast: true, Progress: t.Logf})
	if err != nil {
		t.Fatal(err)
	}
	report := scan.NewReport(result, waivers)
	var summary strings.Builder
	report.Summary(&summary)
	t.Logf("\n%s", summary.String())
	for _, name := range scan.Unrecorded(recorded, result.Scores()) {
		t.Logf("nothing is recorded to compare with: %s", name)
	}
	if err := report.Problems(); err != nil {
		t.Error(err)
	}
	if err := scan.Regressions(recorded, result.Scores()); err != nil {
		t.Error(err)
	}
	if len(recorded) == 0 {
		t.Error("no scores are recorded (sandbox/scan/scores.json): make scan with -record writes them")
	}
}
