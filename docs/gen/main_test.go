package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

const root = "../.."

func TestGeneratedPagesAreUpToDate(t *testing.T) {
	files, err := Generate(root)
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range files {
		got, err := os.ReadFile(filepath.Join(root, name))
		if err != nil {
			t.Error(err)
		} else if string(got) != want {
			t.Errorf("%s is not what the comments in the code say: run go run ./docs/gen", name)
		}
	}
	made, err := filepath.Glob(filepath.Join(root, "docs/components/*.md"))
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range made {
		if _, wanted := files["docs/components/"+filepath.Base(path)]; !wanted {
			t.Errorf("%s is made by nothing: delete it", path)
		}
	}
}

func TestACommentIsTakenApart(t *testing.T) {
	for _, c := range []struct{ doc, what, need string }{
		{"Host is the machine's name. Required.", "Host is the machine's name.", "required"},
		{"To lists networks. Default: 0.0.0.0/0. Narrow it.", "To lists networks. Narrow it.", "default: 0.0.0.0/0"},
		{"A network to join. Key icon:network, required.", "A network to join.", "required"},
		{"Hosts of the plan. Key icon:maintenance.", "Hosts of the plan.", ""},
		{`Engine is "podman" (default) or "docker".`, `Engine is "podman" (default) or "docker".`, `default "podman"`},
		{`Name, lower case ("0x…"). Custom only, required there.`, `Name, lower case ("0x…").`, "custom only, required there"},
	} {
		if what, need := split(c.doc); what != c.what || need != c.need {
			t.Errorf("%q: %q and %q, want %q and %q", c.doc, what, need, c.what, c.need)
		}
	}
}

func TestTheConfigurationPageShowsWhatIsDeclaredElsewhere(t *testing.T) {
	files, err := Generate(root)
	if err != nil {
		t.Fatal(err)
	}
	page := files["docs/configuration.md"]
	for _, key := range []string{"`icon:aws.region`", "`icon:aws.machines.<name>.restoreFrom`", "`icon:aws.vpc.existing.balancerCIDRs`"} {
		if !strings.Contains(page, key) {
			t.Errorf("the page does not show %s", key)
		}
	}
	// A machine is one thing on hosts and another on aws.
	for _, anchor := range []string{"machine", "aws-machines"} {
		if strings.Count(page, `<a id="`+anchor+`">`) != 1 || !strings.Contains(page, "(#"+anchor+")") {
			t.Errorf("wanted one section %s, and a link to it", anchor)
		}
	}
	elsewhere := &keys{code: map[string]*source{}, sections: map[string]section{}}
	if rows, err := elsewhere.table("gcpplan.Settings", "icon:gcp."); err == nil {
		t.Errorf("a type of a package that nobody reads: no error, but %q", rows)
	}
}

func TestAPageOfATypeThatIsGoneIsAnError(t *testing.T) {
	s, err := parse(filepath.Join(root, "components"))
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range []page{{types: []string{"NoSuchArgs"}}, {new: "NewNoSuch"}} {
		if text, err := p.render(s); err == nil {
			t.Errorf("%+v: no error, but %q", p, text)
		}
	}
}
