package hardening

import (
	"slices"
	"strings"
	"testing"
)

// toy replaces the registry by a few controls for one test.
func toy(t *testing.T) {
	t.Helper()
	kept, keptProfiles := registry, profiles
	t.Cleanup(func() { registry, profiles = kept, keptProfiles })
	registry = []Control{
		{ID: "door", Access: true, Params: []Param{
			{Name: "maxTries", Kind: Int, Default: 3, Min: 1, Max: 10},
			{Name: "users", Kind: Words, Default: []string{"root"}, Form: wordForm, FormIs: "a user's name"},
		}, Check: func(s *Selection) []Conflict {
			if !slices.Contains(s.Words("door", "users"), s.Facts.LoginUser) {
				return []Conflict{{"users", "does not name " + s.Facts.LoginUser}}
			}
			return nil
		}},
		{ID: "log", Packages: []string{"logger", "shared"}, Params: []Param{
			{Name: "level", Kind: Word, Default: "info", Choices: []string{"info", "debug"}},
			{Name: "remote", Kind: Bool, Default: false},
			{Name: "text", Kind: Text, Default: "a\nb"},
		}},
		{ID: "alarm", Needs: []string{"log"}, Purge: []string{"shared", "old"}},
		{ID: "base", Required: "everything stands on it"},
	}
	profiles = []Profile{
		{Name: Baseline},
		{Name: "open", Parameters: map[string]Params{"log": {"level": "debug"}}, Without: map[string]string{"alarm": "nobody listens"}},
	}
}

func TestAllMistakesInOverridesAreToldAtOnceWithTheirPlaceAndTheNearestName(t *testing.T) {
	toy(t)
	selection, problems := Resolve(Baseline, Facts{LoginUser: "admin"},
		Overrides{
			Parameters: map[string]map[string]any{
				"dor": {"maxTries": 1}, "door": {"maxTrys": 2, "maxTries": 99, "users": []any{"x y"}},
				"log": {"level": "loud", "remote": "yes", "text": 5}, "alarm": {},
			},
			LeaveOut: map[string]string{"alarms": "x", "base": "because", "alarm": " "},
		},
		Overrides{LeaveOut: map[string]string{"log": "no disk"}},
	)
	if selection != nil {
		t.Fatal("a selection, in spite of mistakes")
	}
	want := [][]string{
		{
			`leaveOut.alarm needs a reason, one line`,
			`leaveOut.alarms is no control: did you mean "alarm"?`,
			`leaveOut.base cannot be left out: everything stands on it`,
			`parameters.door.maxTries is 99; wanted: a whole number from 1 to 10`,
			`parameters.door.maxTrys is no parameter of the control door: did you mean "maxTries"?`,
			`parameters.door.users does not name admin`,
			`parameters.door.users holds an item that is "x y"; wanted: a list, each a user's name`,
			`parameters.dor is no control: did you mean "door"?`,
			`parameters.log.level is "loud"; wanted: one of info, debug`,
			`parameters.log.remote is "yes"; wanted: true or false`,
			`parameters.log.text is "5"; wanted: text of several lines`,
		},
		{`leaveOut.log is needed by the control alarm`},
	}
	for i, list := range problems {
		for j, p := range list {
			if j >= len(want[i]) || !strings.HasPrefix(p.Path+" "+p.Text, want[i][j]) {
				t.Errorf("overrides %d, problem %d: %s %s", i, j, p.Path, p.Text)
			}
		}
		if len(list) != len(want[i]) {
			t.Errorf("overrides %d: %d problems, wanted %d", i, len(list), len(want[i]))
		}
	}
}

func TestLaterOverridesTakePrecedenceOverEarlierOnesAndTheProfile(t *testing.T) {
	toy(t)
	s, problems := Resolve("open", Facts{},
		Overrides{Parameters: map[string]map[string]any{"door": {"maxTries": 4}, "log": {"remote": true}}},
		Overrides{Parameters: map[string]map[string]any{"door": {"maxTries": 5.0}}},
	)
	if s == nil {
		t.Fatal(problems)
	}
	if s.Int("door", "maxTries") != 5 || !s.Bool("log", "remote") || s.Word("log", "level") != "debug" {
		t.Errorf("values %v", s.Values)
	}
	if s.Has("alarm") || s.LeftOut["alarm"] != "nobody listens" {
		t.Errorf("the profile's own leave-out: %v", s.LeftOut)
	}
	if other, _ := Resolve(Baseline, Facts{}); other.Int("door", "maxTries") != 3 || !other.Has("alarm") {
		t.Error("overrides of one host reached another")
	}
}

func TestAParameterOfALeftOutControlIsRefused(t *testing.T) {
	toy(t)
	_, problems := Resolve(Baseline, Facts{}, Overrides{
		Parameters: map[string]map[string]any{"door": {"maxTries": 4}}, LeaveOut: map[string]string{"door": "no door"},
	})
	if len(problems[0]) != 1 || !strings.Contains(problems[0][0].Text, "left out (no door)") {
		t.Errorf("%v", problems)
	}
}

func TestAnUnknownProfileIsNamedWithTheNearest(t *testing.T) {
	_, problems := Resolve("senty", Facts{})
	if len(problems[0]) != 1 || !strings.Contains(problems[0][0].Text, `did you mean "sentry"?`) {
		t.Errorf("%v", problems)
	}
}

func TestWhatCouldLockOutComesLast(t *testing.T) {
	for _, p := range Profiles() {
		s, problems := Resolve(p.Name, Facts{Role: p.Name})
		if s == nil {
			t.Fatalf("profile %s as it is: %v", p.Name, problems)
		}
		access := false
		for _, c := range s.Controls {
			if access && !c.Access {
				t.Errorf("profile %s: %s comes after a control with access", p.Name, c.ID)
			}
			access = access || c.Access
		}
	}
}

func TestAPackageThatOneControlNeedsIsNotPurgedForAnother(t *testing.T) {
	toy(t)
	s, _ := Resolve(Baseline, Facts{})
	if install, purge := s.packages([]string{"role"}); install != "logger role shared" || purge != "old" {
		t.Errorf("install %q, purge %q", install, purge)
	}
}

// TestTheRegistryIsWhole holds every control to what its users are promised.
func TestTheRegistryIsWhole(t *testing.T) {
	seen := map[string]bool{}
	for _, c := range Controls() {
		if seen[c.ID] || !idForm.MatchString(c.ID) {
			t.Errorf("control %q: there twice, or not lower-case words joined by -", c.ID)
		}
		seen[c.ID] = true
		if c.Title == "" || len(c.Why) < 40 {
			t.Errorf("control %s: wants a title and a reason", c.ID)
		}
		// That a host looks after itself is what no benchmark asks for.
		if len(c.Items) == 0 && c.ID != "verification" {
			t.Errorf("control %s: wants the benchmarks' items that it satisfies", c.ID)
		}
		text, err := controlScripts.ReadFile("scripts/controls/" + c.ID + ".sh")
		if err != nil || !strings.HasPrefix(string(text), shellcheckLine) {
			t.Errorf("control %s: its script begins with another line than %q (%v)", c.ID, shellcheckLine, err)
		}
		if !strings.Contains(string(text), "\n"+c.function()+"() {") && !strings.Contains(string(text), "\n"+c.function()+"_verify() {") {
			t.Errorf("control %s: its script has nothing to verify", c.ID)
		}
		for i := range c.Params {
			checkParam(t, c.ID, &c.Params[i])
		}
		for _, need := range c.Needs {
			if _, ok := Find(need); !ok {
				t.Errorf("control %s needs %s, which is none", c.ID, need)
			}
		}
	}
	scripts, _ := controlScripts.ReadDir("scripts/controls")
	for _, s := range scripts {
		if !seen[strings.TrimSuffix(s.Name(), ".sh")] {
			t.Errorf("scripts/controls/%s is no control's", s.Name())
		}
	}
	for _, p := range Profiles() {
		for id, params := range p.Parameters {
			c, ok := Find(id)
			for name, value := range params {
				if !ok || c.param(name) == nil {
					t.Errorf("profile %s sets %s.%s, which is none", p.Name, id, name)
				} else if _, problem := c.param(name).read(value); problem != "" {
					t.Errorf("profile %s: %s.%s %s", p.Name, id, name, problem)
				}
			}
		}
		for id, reason := range p.Without {
			if _, ok := Find(id); !ok || reason == "" {
				t.Errorf("profile %s leaves out %s, which is none or has no reason", p.Name, id)
			}
		}
	}
}

func checkParam(t *testing.T, control string, p *Param) {
	t.Helper()
	if p.What == "" {
		t.Errorf("%s.%s: wants a word on what it means", control, p.Name)
	}
	value, problem := p.read(p.Default)
	if problem != "" {
		t.Errorf("%s.%s: its default %s", control, p.Name, problem)
	}
	if p.Kind == Int && p.Min >= p.Max {
		t.Errorf("%s.%s: wants bounds", control, p.Name)
	}
	if p.Form != nil && p.FormIs == "" {
		t.Errorf("%s.%s: wants its form in words", control, p.Name)
	}
	_ = value
}
