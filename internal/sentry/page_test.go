package sentry_test

import (
	"encoding/json"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/insight-icon/pulumi-icon/internal/agent"
	"github.com/insight-icon/pulumi-icon/internal/sentry"
)

// The page about sentries has a row for each limit with its default, for each verdict and for each refusal.
func TestThePageAboutSentriesSaysWhatTheyDo(t *testing.T) {
	raw, err := os.ReadFile("../../docs/sentries.md")
	if err != nil {
		t.Fatal(err)
	}
	page := string(raw)
	rows := map[string]bool{}
	limits := map[string]int{}
	text, err := json.Marshal(sentry.Limits{}.WithDefaults())
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(text, &limits); err != nil {
		t.Fatal(err)
	}
	for name, value := range limits {
		rows[fmt.Sprintf("| `%s` | %d | ", name, value)] = true
	}
	for _, v := range sentry.Verdicts() {
		rows[fmt.Sprintf("| `%s` | %s |\n", v.Name, v.What)] = true
	}
	for _, r := range sentry.Refusals() {
		rows[fmt.Sprintf("| %d | %d | %s |\n", r.Status, r.Code, r.Message)] = true
	}
	for row := range rows {
		if strings.Count(page, row) != 1 {
			t.Errorf("docs/sentries.md: wanted one row %q", row)
		}
	}
	// No row of these tables is about what there is not.
	if n := strings.Count(page, "\n| `p2p-") + strings.Count(page, "\n| `api-"); n != len(sentry.Verdicts()) {
		t.Errorf("docs/sentries.md has %d rows of verdicts, wanted %d", n, len(sentry.Verdicts()))
	}
	_, after, _ := strings.Cut(page, "\n| limit | default |")
	table, _, _ := strings.Cut(after, "\n\n")
	if n := strings.Count(table, "\n| `"); n != len(limits) {
		t.Errorf("docs/sentries.md has %d rows of limits, wanted %d", n, len(limits))
	}
	_, after, _ = strings.Cut(page, "\n| status | code |")
	table, _, _ = strings.Cut(after, "\n\n")
	if n := strings.Count(table, "\n| "); n != len(sentry.Refusals()) {
		t.Errorf("docs/sentries.md has %d rows of refusals, wanted %d", n, len(sentry.Refusals()))
	}
}

func TestThePageAboutMetricsHasThoseOfTheAgent(t *testing.T) {
	raw, err := os.ReadFile("../../docs/sentry-metrics.md")
	if err != nil {
		t.Fatal(err)
	}
	page := string(raw)
	all := agent.Metrics()
	for _, m := range all {
		var labels []string
		for _, l := range m.Labels {
			labels = append(labels, "`"+l+"`")
		}
		if row := fmt.Sprintf("| `%s` | %s | %s |\n", m.Name, strings.Join(labels, ", "), m.Help); !strings.Contains(page, row) {
			t.Errorf("docs/sentry-metrics.md: wanted %q", row)
		}
	}
	if n := strings.Count(page, "\n| `icon_sentry_"); n != len(all) {
		t.Errorf("docs/sentry-metrics.md has %d rows, wanted %d", n, len(all))
	}
}
