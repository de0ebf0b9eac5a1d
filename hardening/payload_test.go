package hardening

import (
	"os/exec"
	"regexp"
	"strings"
	"testing"

	"github.com/insight-icon/pulumi-icon/tests/host"
)

var (
	wordForm = regexp.MustCompile(`^[a-z]+$`)
	idForm   = regexp.MustCompile(`^[a-z][a-z0-9]*(-[a-z0-9]+)*$`)
)

func programOf(t *testing.T, profile string, live Live, overrides ...Overrides) string {
	t.Helper()
	s, problems := Resolve(profile, Facts{Role: profile}, overrides...)
	if s == nil {
		t.Fatal(problems)
	}
	text, err := s.Program(live)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

func TestEveryProfilesProgramIsCleanBash(t *testing.T) {
	for _, p := range Profiles() {
		text := programOf(t, p.Name, Live{Administrators: []string{"203.0.113.0/24"}, Firewall: "table inet icon {}\n"})
		host.Shellcheck(t, text)
		if p.Name == Baseline {
			host.Shellcheck(t, Step(text))
		}
	}
}

func TestValuesReachTheScriptAsWhatTheyAre(t *testing.T) {
	toy(t)
	evil := "it's $(touch /tmp/x) `id` \\ \"\nsecond line"
	s, problems := Resolve(Baseline, Facts{LoginUser: "root"}, Overrides{Parameters: map[string]map[string]any{"log": {"text": evil}}})
	if s == nil {
		t.Fatal(problems)
	}
	vars := s.Values["log"]["text"].(string)
	if got := "LOG_TEXT=" + quote(vars); got != `LOG_TEXT='it'\''s $(touch /tmp/x) `+"`id`"+` \ "`+"\nsecond line'" {
		t.Errorf("%s", got)
	}
}

func TestReasonsOfWhatIsLeftOutAreDataToBash(t *testing.T) {
	reason := "we don't; $(rm -rf /) ] )"
	text := programOf(t, Baseline, Live{}, Overrides{LeaveOut: map[string]string{"banners": reason}})
	if !strings.Contains(text, "\n  [banners]="+quote(reason)+"\n") {
		t.Error("the reason is not in the program, quoted")
	}
	if strings.Contains(text, "\nbanners() {") || strings.Contains(text, "BANNERS_TEXT=") {
		t.Error("a control that is left out is in the program")
	}
	check := exec.Command("bash", "-n")
	check.Stdin = strings.NewReader(text)
	if out, err := check.CombinedOutput(); err != nil || len(out) > 0 {
		t.Errorf("%v: %s", err, out)
	}
}

func TestRulesThatWouldEndTheirPlaceEarlyAreRefused(t *testing.T) {
	s, _ := Resolve(Baseline, Facts{})
	for _, rules := range []string{"x\n" + endOfFile + "\nrm -rf /\n", "no end of line"} {
		if _, err := s.Program(Live{Firewall: rules}); err == nil {
			t.Errorf("%q is taken", rules)
		}
	}
}
