package scan

import (
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"
)

func finding(scanner, id, title, severity string) Finding {
	return Finding{Scanner: scanner, ID: id, Title: title, Severity: severity}
}

func look(lynis int, open ...Finding) *Look {
	l := &Look{
		CIS: &Compliance{Score: 90, Pass: 99}, ANSSI: &Compliance{Score: 80, Pass: 50}, Lynis: &Lynis{Index: lynis}, SSH: &SSHAudit{},
		Ports: map[string]*Ports{placeAdmin: {Open: []string{"tcp/22"}}, placeNeighbour: {Closed: []string{"tcp/7100"}}, placeInternet: {}},
		Units: map[string]float64{"icon-node.service": 1.9},
	}
	for _, f := range open {
		switch f.Scanner {
		case CIS:
			l.CIS.Open, l.CIS.Fail = append(l.CIS.Open, f), l.CIS.Fail+1
		case ANSSI:
			l.ANSSI.Open, l.ANSSI.Fail = append(l.ANSSI.Open, f), l.ANSSI.Fail+1
		case LynisName:
			l.Lynis.Open = append(l.Lynis.Open, f)
		default:
			l.SSH.Open = append(l.SSH.Open, f)
		}
	}
	return l
}

var (
	grub = finding(CIS, "grub2_password", "Set Boot Loader Password", "high")
	port = finding(LynisName, "SSH-7408", "Consider hardening SSH configuration: Port (set 22 to )", "suggestion")
	keep = finding(LynisName, "SSH-7408", "Consider hardening SSH configuration: TCPKeepAlive (set YES to NO)", "suggestion")
)

func result() *Result {
	bastion := look(94, grub)
	bastion.Ports[placeNeighbour] = &Ports{}
	return &Result{
		Date: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC), Scanners: []string{"lynis 3.1.7-1"}, Fresh: look(61, grub, port, keep),
		Profiles: []ProfileResult{
			{Profile: "prep", Look: look(95, grub, port), Times: Times{First: Applied{20, 80}, Second: Applied{1.5, 0}}},
			{Profile: "bastion", Look: bastion, Times: Times{First: Applied{19, 70}, Second: Applied{1.4, 0}}},
		},
		Many: &ManyResult{Hosts: 8, Ours: Times{First: Applied{50, 0}, Second: Applied{4, 0}}},
	}
}

func waivers(t *testing.T, text string) []Waiver {
	t.Helper()
	list, err := ParseWaivers(strings.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	return list
}

const allReasons = "oscap\tgrub2_password\tNobody sits at a console.\nlynis\tSSH-7408 Port\tAnother port hides nothing.\n"

func TestAFindingWithoutAReasonFailsTheScan(t *testing.T) {
	if err := NewReport(result(), waivers(t, allReasons)).Problems(); err != nil {
		t.Errorf("every finding has its reason, but: %v", err)
	}
	report := NewReport(result(), waivers(t, "oscap\tgrub2_password\tNobody sits at a console.\n"))
	wantError(t, report.Problems(), "SSH-7408 (suggestion, profiles prep) stays open without a reason")
	if !strings.Contains(report.Markdown(), "**no reason given**") {
		t.Error("the page does not mark the finding without a reason")
	}
}

func TestAReasonForOneOptionIsNoneForAnother(t *testing.T) {
	r := result()
	r.Profiles[0].Look = look(95, grub, port, keep)
	wantError(t, NewReport(r, waivers(t, allReasons)).Problems(), "TCPKeepAlive")
}

func TestAReasonThatNoFindingNeedsIsNamed(t *testing.T) {
	report := NewReport(result(), waivers(t, allReasons+"cis\tgone_rule\tIt was so once.\n"))
	if err := report.Problems(); err != nil {
		t.Errorf("an idle reason fails the scan: %v", err)
	}
	var summary strings.Builder
	report.Summary(&summary)
	for what, text := range map[string]string{"page": report.Markdown(), "summary": summary.String()} {
		if !strings.Contains(text, "gone_rule") || strings.Contains(text, "Reasons that no finding needs\n\n- oscap") {
			t.Errorf("the %s does not name the idle reason alone:\n%s", what, text)
		}
	}
}

func TestASecondRunThatChangesThingsFailsTheScan(t *testing.T) {
	r := result()
	r.Profiles[1].Times.Second.Changed = 3
	wantError(t, NewReport(r, waivers(t, allReasons)).Problems(), "profile bastion: the second run changed 3 things")
}

func TestAPortBeyondTheEdgesFailsTheScan(t *testing.T) {
	r := result()
	r.Profiles[0].Look.Ports[placeInternet] = &Ports{Closed: []string{"tcp/7100"}}
	want := "profile prep: the internet segment reaches tcp/7100: the edges allow nothing"
	wantError(t, NewReport(r, waivers(t, allReasons)).Problems(), want)
}

func TestThePageHoldsFiguresReasonsAndProfiles(t *testing.T) {
	r := result()
	r.Notes = []string{"The machine was busy."}
	page := NewReport(r, waivers(t, allReasons)).Markdown()
	for _, want := range []string{
		"| fresh Debian 12 | 61 | 90.0, 99.0 % (99 pass, 1 fail) | 80.0, 100.0 % (50 pass, 0 fail) | 0 / 0 | – | – |",
		"| this project, profile prep | 95 |", "| 20.0 s | 1.5 s, 0 changes |",
		"| high | `grub2_password` | Set Boot Loader Password | all | Nobody sits at a console. |",
		"| suggestion | `SSH-7408` | Consider hardening SSH configuration: Port (set 22 to ) | prep | Another port hides nothing. |",
		"## 8 hosts at once", "| prep | the administrator's workstation | tcp/22 | nothing | tcp/22 |", "| prep | icon-node.service | 1.9 |",
		"dev-sec's roles were left out", "dev-sec's roles were not timed on several hosts in this scan", "**Note**: The machine was busy.",
	} {
		if !strings.Contains(page, want) {
			t.Errorf("the page lacks %q:\n%s", want, page)
		}
	}
}

func TestRatesWithoutWhatAContainerCannotFollowAreWorkedOutApart(t *testing.T) {
	r := result()
	r.Profiles[0].Look.CIS.Pass, r.Profiles[0].Look.CIS.Fail = 3, 1
	page := NewReport(r, waivers(t, "cis\tgrub2_password\tIn a container there is no boot loader.\n")).Markdown()
	for _, want := range []string{
		"| this project, profile prep | 95 | 90.0, 75.0 % (3 pass, 1 fail)", "Profile prep: 1 of the rules of CIS",
		"the rates are 100.0 % and 100.0 %, Lynis's index is 95",
	} {
		if !strings.Contains(page, want) {
			t.Errorf("the page lacks %q:\n%s", want, page)
		}
	}
}

func TestAScannerOfAnotherVersionIsSaid(t *testing.T) {
	r := result()
	r.Fallbacks = []string{"lynis 3.1.7-1 is gone from Debian unstable; used lynis_3.0.8-1.1_all.deb"}
	if page := NewReport(r, nil).Markdown(); !strings.Contains(page, "**Not the pinned scanner**: lynis 3.1.7-1 is gone") {
		t.Errorf("the page does not say so:\n%s", page)
	}
}

func TestMistakesInReasonsAreToldAtOnce(t *testing.T) {
	_, err := ParseWaivers(strings.NewReader("cis\tx\n# a comment\n\nnessus\ty\tz\ncis\ta\tonce\ncis\ta\ttwice\ncis\tb\t \n"))
	for _, want := range []string{"line 1: want", `line 4: scanner "nessus"`, "line 6: cis a has a reason in line 5", "line 7: want"} {
		wantError(t, err, want)
	}
}

func TestTheReasonsOfThisRepositoryAreWellFormed(t *testing.T) {
	list, err := Waivers()
	if err != nil {
		t.Error(err)
	}
	for _, w := range list {
		if !strings.HasSuffix(w.Reason, ".") || len(w.Reason) < 20 {
			t.Errorf("%s %s: %q: want a sentence", w.Scanner, w.ID, w.Reason)
		}
	}
}

var good = Scores{
	"prep: lynis 3.1.7-1: index": 95, "prep: ssg-debian 1: CIS, pass rate": 98, "prep: ssg-debian 1: ANSSI, pass rate": 93,
	"prep: ssg-debian 1: CIS, rules that fail": 8, "prep: ssh-audit 1: fails": 0, "prep: exposure: icon-node.service": 1.9,
}

func TestEveryFigureThatGetsWorseIsARegression(t *testing.T) {
	for name, value := range map[string]float64{
		"prep: lynis 3.1.7-1: index": 94, "prep: ssg-debian 1: CIS, pass rate": 97.6, "prep: ssg-debian 1: ANSSI, pass rate": 92,
		"prep: ssg-debian 1: CIS, rules that fail": 9, "prep: ssh-audit 1: fails": 1, "prep: exposure: icon-node.service": 2,
	} {
		t.Run(name, func(t *testing.T) {
			worse := maps.Clone(good)
			worse[name] = value
			wantError(t, Regressions(good, worse), fmt.Sprintf("%s is %v, was %v", name, value, good[name]))
			if err := Regressions(worse, good); err != nil {
				t.Errorf("getting better is a regression: %v", err)
			}
		})
	}
	if err := Regressions(good, good); err != nil {
		t.Errorf("the same figures: %v", err)
	}
}

func TestAFigureOfAnotherVersionIsSaidAndNotCompared(t *testing.T) {
	found := Scores{"prep: lynis 3.2.0-1: index": 60, "prep: ssh-audit 1: fails": 0}
	if err := Regressions(good, found); err != nil {
		t.Errorf("figures of another version are compared: %v", err)
	}
	if got := Unrecorded(good, found); !reflect.DeepEqual(got, []string{"prep: lynis 3.2.0-1: index"}) {
		t.Errorf("said: %q", got)
	}
}

func TestScoresAreNamedAfterTheScannersVersion(t *testing.T) {
	r := result()
	r.Profiles = r.Profiles[:1]
	want := Scores{
		"prep: lynis 3.1.7-1: index": 95, "prep: ssg-debian: CIS, pass rate": 99, "prep: ssg-debian: CIS, rules that fail": 1,
		"prep: ssg-debian: ANSSI, pass rate": 100, "prep: ssg-debian: ANSSI, rules that fail": 0, "prep: ssh-audit: fails": 0,
		"prep: ssh-audit: warnings": 0, "prep: exposure: icon-node.service": 1.9,
	}
	if got := r.Scores(); !reflect.DeepEqual(got, want) {
		t.Errorf("scores %v, want %v", got, want)
	}
}

func TestRecordingKeepsWhatWasNotScanned(t *testing.T) {
	path := filepath.Join(t.TempDir(), "scores.json")
	for _, s := range []Scores{{"prep: a": 1, "sentry: a": 2}, {"prep: a": 3}} {
		if err := WriteScores(path, s); err != nil {
			t.Fatal(err)
		}
	}
	got, err := ReadScores(path)
	if want := (Scores{"prep: a": 3, "sentry: a": 2}); err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("read %+v, error %v", got, err)
	}
	if err := os.WriteFile(path, []byte("{"), 0o600); err != nil {
		t.Fatal(err)
	}
	_, err = ReadScores(path)
	wantError(t, err, path)
}

func TestAScannerThatIsNotThePinnedOneFailsNothing(t *testing.T) {
	r := result()
	r.Fallbacks = []string{"ssg-debian 0.1.82-1 is gone from Debian unstable; used ssg-debian 0.1.90-1"}
	err := NewReport(r, waivers(t, "lynis\tSSH-7408 Port\tAnother port hides nothing.\n")).Problems()
	if err != nil {
		t.Errorf("a finding of a newer scanner fails the scan: %v", err)
	}
	wantError(t, NewReport(r, nil).Problems(), "SSH-7408")
}

func TestTheVirtualMachinesFiguresAreOnThePage(t *testing.T) {
	path := filepath.Join(t.TempDir(), "vm.json")
	kept := &VMResult{Date: time.Date(2026, 1, 3, 0, 0, 0, 0, time.UTC), How: "By QEMU.", Profile: "prep", Look: look(96, grub)}
	if err := WriteVM(path, kept); err != nil {
		t.Fatal(err)
	}
	r := result()
	var err error
	if r.VM, err = ReadVM(path); err != nil || !reflect.DeepEqual(r.VM, kept) {
		t.Fatalf("read %+v, error %v", r.VM, err)
	}
	page := NewReport(r, waivers(t, allReasons)).Markdown()
	for _, want := range []string{
		"| this project, profile prep, virtual machine | 96 |", "measured on 2026-01-03, apart from this scan. By QEMU.",
	} {
		if !strings.Contains(page, want) {
			t.Errorf("the page lacks %q:\n%s", want, page)
		}
	}
	if v, err := ReadVM(path + "x"); v != nil || err != nil {
		t.Errorf("a machine that was not measured: %v, error %v", v, err)
	}
	if err := os.WriteFile(path, []byte(`{"Profile": "prep", "Look": {}}`), 0o600); err != nil {
		t.Fatal(err)
	}
	_, err = ReadVM(path)
	wantError(t, err, "want the results of OpenSCAP's two profiles")
}

func TestTheIndexWithoutSomeTestsIsWorkedOutFromTheirPoints(t *testing.T) {
	l := &Lynis{Index: 80}
	if got := l.Without([]string{"KRNL-5830"}); got != 80 {
		t.Errorf("without points: %d, want the index", got)
	}
	log := `Performing test ID KRNL-5830 (Checking)
Hardening: assigned partial number of hardening points (0 of 5). Currently having 20 points (out of 30)
Performing test ID PROC-3802 (Checking)
Hardening: assigned maximum number of hardening points for this item (4). Currently having 24 points (out of 34)
`
	if err := l.ReadPoints(strings.NewReader(log)); err != nil {
		t.Fatal(err)
	}
	if got := l.Without(nil); got != 70 {
		t.Errorf("with all tests: %d, want 70", got)
	}
	if got := l.Without([]string{"KRNL-5830", "PROC-3802"}); got != 82 {
		t.Errorf("without one that lost 5: %d, want 82", got)
	}
}

func TestADirectoryThatIsNoCollectionIsRefused(t *testing.T) {
	dir := t.TempDir()
	_, err := OpenCollection(dir)
	wantError(t, err, "dev-sec/ansible-collection-hardening")
	galaxy := filepath.Join(dir, "galaxy.yml")
	for text, want := range map[string]string{"namespace: devsec\nname: hardening\n": "is not that of", "version: 1.0.0\n": "is not that of"} {
		if err := os.WriteFile(galaxy, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		_, err = OpenCollection(dir)
		wantError(t, err, want)
	}
	if err := os.WriteFile(galaxy, []byte("---\nnamespace: devsec\nname: hardening\nversion: 10.2.0\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if c, err := OpenCollection(dir); err != nil || c.Version != "10.2.0" {
		t.Errorf("collection %+v, error %v, want version 10.2.0", c, err)
	}
}

func TestTheProfileWithALogHostForwardsLogs(t *testing.T) {
	for profile, want := range map[string]bool{"prep": false, withLogHost: true} {
		role, err := findRole(profile)
		if err != nil {
			t.Fatal(err)
		}
		program, err := role.program()
		if err != nil {
			t.Fatal(err)
		}
		if got := strings.Contains(program, "LOGS_FORWARD_TO='10.91.2.10:6514'"); got != want {
			t.Errorf("profile %s forwards: %v, want %v", profile, got, want)
		}
	}
}

func TestWhoeverMayReachAPortFollowsFromTheEdges(t *testing.T) {
	prep, err := findRole("prep")
	if err != nil {
		t.Fatal(err)
	}
	sentry, err := findRole("sentry")
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		role role
		from string
		want []string
	}{
		{prep, admin, []string{"tcp/22"}},
		{prep, neighbour, []string{"tcp/7100"}},
		{prep, "10.91.1.10", nil},
		{sentry, admin, []string{"tcp/22", "tcp/7100", "tcp/9000"}},
		{sentry, "10.91.1.10", []string{"tcp/7100", "tcp/9000"}},
	} {
		if got := c.role.allowed(c.from); !reflect.DeepEqual(got, c.want) {
			t.Errorf("%s from %s: %v, want %v", c.role.profile, c.from, got, c.want)
		}
	}
	_, err = findRole("prepp")
	wantError(t, err, `profile "prepp": want prep`)
}
