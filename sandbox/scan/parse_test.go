package scan

import (
	"io"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
)

func fixture(tb testing.TB, name string) string {
	tb.Helper()
	text, err := os.ReadFile(filepath.Join("testdata", name))
	if err != nil {
		tb.Fatal(err)
	}
	return string(text)
}

func wantError(t *testing.T, err error, words string) {
	t.Helper()
	if err == nil || !strings.Contains(err.Error(), words) {
		t.Errorf("error %v, want one with %q", err, words)
	}
}

func TestOpenSCAPRulesAreCountedAndNamed(t *testing.T) {
	got, err := ParseOpenSCAP(strings.NewReader(fixture(t, "oscap.xml")), CIS)
	if err != nil {
		t.Fatal(err)
	}
	want := &Compliance{
		Profile: "cis_level2_server", Score: 61.25, Pass: 3, Fail: 2, NotApplicable: 1, NotChecked: 1,
		Open: []Finding{
			{Scanner: CIS, ID: "sudo_one", Title: "The first rule (error)", Severity: "high", Area: "system/sudo"},
			{Scanner: CIS, ID: "sudo_two", Title: "The second rule", Severity: "low", Area: "system/sudo"},
		},
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got  %+v\nwant %+v", got, want)
	}
	if rate := got.PassRate(); rate != 60 {
		t.Errorf("pass rate %v, want 60: what does not apply is not counted", rate)
	}
}

func TestOpenSCAPResultsThatSayNothingAreRefused(t *testing.T) {
	whole := fixture(t, "oscap.xml")
	never := strings.NewReplacer("pass<", "notapplicable<", "fail<", "notapplicable<", "error<", "notapplicable<")
	for name, c := range map[string]struct{ text, want string }{
		"cut off":           {whole[:len(whole)/2], "XML"},
		"no result":         {`<Benchmark><Group id="g"/></Benchmark>`, "no TestResult"},
		"nothing applies":   {never.Replace(whole), "applies"},
		"an unknown result": {strings.Replace(whole, "<result>fail<", "<result>perhaps<", 1), `"perhaps"`},
		"a wild score":      {strings.Replace(whole, "61.250000", "612", 1), `"612"`},
		"two results":       {strings.Replace(whole, "</TestResult>", "</TestResult><TestResult/>", 1), "two TestResults"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := ParseOpenSCAP(strings.NewReader(c.text), CIS)
			wantError(t, err, c.want)
		})
	}
}

func TestLynisIndexAndFindingsAreRead(t *testing.T) {
	got, err := ParseLynis(strings.NewReader(fixture(t, "lynis.dat")))
	if err != nil {
		t.Fatal(err)
	}
	want := &Lynis{Version: "3.1.7", Index: 61, Tests: 245, Open: []Finding{
		{Scanner: LynisName, ID: "KRNL-5830", Title: "Reboot of system is most likely needed", Severity: "warning"},
		{Scanner: LynisName, ID: "DEB-0280", Title: "Install libpam-tmpdir to set $TMP and $TMPDIR for PAM sessions", Severity: "suggestion"},
		{Scanner: LynisName, ID: "SSH-7408", Title: "Consider hardening SSH configuration: Port (set 22 to )", Severity: "suggestion"},
	}}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got  %+v\nwant %+v", got, want)
	}
}

func TestALynisReportThatWasCutOffIsRefused(t *testing.T) {
	_, err := ParseLynis(strings.NewReader(strings.Replace(fixture(t, "lynis.dat"), "hardening_index=61\n", "", 1)))
	wantError(t, err, "no hardening_index")
	_, err = ParseLynis(strings.NewReader("hardening_index=161\n"))
	wantError(t, err, "0 to 100")
}

func TestSSHAuditNotesAreCounted(t *testing.T) {
	got, err := ParseSSHAudit(strings.NewReader(fixture(t, "ssh-audit.json")))
	if err != nil {
		t.Fatal(err)
	}
	if got.Count("fail") != 2 || got.Count("warn") != 2 || got.Software != "OpenSSH_9.2p1" {
		t.Errorf("%d fail, %d warn of %s, want 2 and 2 of OpenSSH_9.2p1", got.Count("fail"), got.Count("warn"), got.Software)
	}
	first := Finding{
		Scanner: SSHAuditName, ID: "ecdh-sha2-nistp256", Title: "key exchange: using elliptic curves of doubtful origin", Severity: "fail",
	}
	if got.Open[0] != first {
		t.Errorf("first finding %+v, want %+v", got.Open[0], first)
	}
}

func TestAnAuditOfNobodyIsRefused(t *testing.T) {
	_, err := ParseSSHAudit(strings.NewReader(`{"banner": null}`))
	wantError(t, err, "no algorithms")
}

func TestPortsThatRefuseCountAsReached(t *testing.T) {
	got, err := ParseNmap(strings.NewReader(fixture(t, "nmap.xml")))
	if err != nil {
		t.Fatal(err)
	}
	if beyond := got.Beyond([]string{"tcp/22"}); !reflect.DeepEqual(beyond, []string{"tcp/7100"}) {
		t.Errorf("beyond tcp/22: %v, want tcp/7100", beyond)
	}
	if beyond := got.Beyond([]string{"tcp/22", "tcp/7100"}); len(beyond) > 0 {
		t.Errorf("beyond what answers: %v, want nothing", beyond)
	}
}

func TestPortsThatNmapSumsUpAreNotLost(t *testing.T) {
	text := strings.Replace(fixture(t, "nmap.xml"), `state="filtered" count="65533"`, `state="closed" count="65533"`, 1)
	got, err := ParseNmap(strings.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	if beyond := got.Beyond([]string{"tcp/22", "tcp/7100"}); !reflect.DeepEqual(beyond, []string{"65533 others"}) {
		t.Errorf("beyond: %v, want the 65533 others", beyond)
	}
}

func TestAScanThatDidNotEndIsRefused(t *testing.T) {
	for _, text := range []string{
		strings.Replace(fixture(t, "nmap.xml"), `exit="success"`, `exit="error"`, 1),
		strings.Replace(fixture(t, "nmap.xml"), `<host>`, `<host timedout="true">`, 1),
		`<nmaprun><runstats><finished exit="success"/></runstats></nmaprun>`,
	} {
		_, err := ParseNmap(strings.NewReader(text))
		wantError(t, err, "did not come to its end")
	}
}

func TestTheExposureOfTheUnitInQuestionIsRead(t *testing.T) {
	level, err := ParseExposure(fixture(t, "security.txt"), "icon-node.service")
	if err != nil || level != 1.9 {
		t.Errorf("level %v, error %v, want 1.9", level, err)
	}
	_, err = ParseExposure(fixture(t, "security.txt"), "icon-sentry.service")
	wantError(t, err, "icon-sentry.service: no line")
}

const recapText = `PLAY RECAP *********************************************************************
many-1                     : ok=120  changed=40   unreachable=0    failed=0    skipped=90   rescued=0    ignored=0
many-2                     : ok=120  changed=2    unreachable=0    failed=0    skipped=90   rescued=0    ignored=0
`

func TestAPlayThatFailsOnAHostIsNoMeasurement(t *testing.T) {
	if changed, err := ParseRecap(recapText, 2); err != nil || changed != 42 {
		t.Errorf("%d changed, error %v, want 42", changed, err)
	}
	_, err := ParseRecap(recapText, 3)
	wantError(t, err, "2 hosts, want 3")
	_, err = ParseRecap(strings.Replace(recapText, "failed=0", "failed=1", 1), 2)
	wantError(t, err, "many-1")
	_, err = ParseRecap(strings.Replace(recapText, "unreachable=0", "unreachable=1", 1), 2)
	wantError(t, err, "many-1")
}

// Whatever a scanner writes, the parsers answer or complain, and what they count fits together.
func fuzzParser(f *testing.F, name string, parse func(r io.Reader) (findings []Finding, counted bool, err error)) {
	f.Helper()
	f.Add(fixture(f, name))
	f.Fuzz(func(t *testing.T, text string) {
		findings, counted, err := parse(strings.NewReader(text))
		if err != nil {
			return
		}
		if !counted {
			t.Error("what is counted does not fit the findings")
		}
		for _, finding := range findings {
			if finding.Scanner == "" || finding.Severity == "" && name != "oscap.xml" {
				t.Errorf("finding without scanner or severity: %+v", finding)
			}
		}
	})
}

func FuzzParseOpenSCAP(f *testing.F) {
	fuzzParser(f, "oscap.xml", func(r io.Reader) ([]Finding, bool, error) {
		c, err := ParseOpenSCAP(r, ANSSI)
		if err != nil {
			return nil, false, err
		}
		return c.Open, len(c.Open) == c.Fail && c.PassRate() >= 0 && c.PassRate() <= 100, nil
	})
}

func FuzzParseLynis(f *testing.F) {
	fuzzParser(f, "lynis.dat", func(r io.Reader) ([]Finding, bool, error) {
		l, err := ParseLynis(r)
		if err != nil {
			return nil, false, err
		}
		return l.Open, l.Count("warning")+l.Count("suggestion") == len(l.Open) && l.Index >= 0 && l.Index <= 100, nil
	})
}

func FuzzParseSSHAudit(f *testing.F) {
	fuzzParser(f, "ssh-audit.json", func(r io.Reader) ([]Finding, bool, error) {
		s, err := ParseSSHAudit(r)
		if err != nil {
			return nil, false, err
		}
		return s.Open, s.Count("fail")+s.Count("warn") == len(s.Open), nil
	})
}

func FuzzParseNmap(f *testing.F) {
	fuzzParser(f, "nmap.xml", func(r io.Reader) ([]Finding, bool, error) {
		p, err := ParseNmap(r)
		if err != nil {
			return nil, false, err
		}
		return nil, len(p.Beyond(p.Reached())) == 0, nil
	})
}
