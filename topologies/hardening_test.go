package topologies

import (
	"strings"
	"testing"

	"github.com/insight-icon/pulumi-icon/components/platform"
	"github.com/insight-icon/pulumi-icon/stacks"
)

// overridden stacks: one thing for all hosts, another for one, and one left out.
func overriddenStack(t *testing.T, name string) *stacks.Config {
	t.Helper()
	c := *stacksUnderTest(t)[name]
	c.Hardening = stacks.Hardening{
		Parameters: map[string]map[string]any{"banners": {"text": "Keep out."}},
		Hosts: map[string]stacks.HostHardening{
			"sentry-1": {Parameters: map[string]map[string]any{"banners": {"text": "Keep out\nof here."}}},
			"prep-1":   {LeaveOut: map[string]string{"banners": "the office's own are there"}},
		},
	}
	full, err := c.Complete()
	if err != nil {
		t.Fatal(err)
	}
	return full
}

func TestEveryHostOfAPlanHasItsRolesHardening(t *testing.T) {
	for name, c := range stacksUnderTest(t) {
		p := planOf(t, c)
		for i, h := range p.Hosts {
			s := h.Hardening
			if s == nil || s != p.Hardening[h.Name] {
				t.Fatalf("%s: host %s has the hardening %v, the plan says %v", name, h.Name, s, p.Hardening[h.Name])
			}
			if s.Profile != string(h.Role) || s.Facts.Role != s.Profile || len(s.Controls) == 0 {
				t.Errorf("%s: %s, a %s, has the profile %s and %d controls", name, h.Name, h.Role, s.Profile, len(s.Controls))
			}
			data := platform.Data{}
			if h.Data != nil {
				data = *h.Data
			}
			if data.Runtime != s.Facts.Runtime || data.Dir != s.Facts.DataDir || (h.Data != nil) != (data.Runtime != "") {
				t.Errorf("%s: %s has the data %+v and the facts %+v", name, h.Name, data, s.Facts)
			}
			for _, other := range p.Hosts[:i] {
				if other.Hardening.Facts.Order == s.Facts.Order {
					t.Errorf("%s: %s and %s have the same place in the order", name, h.Name, other.Name)
				}
			}
		}
	}
}

func TestAPlanSaysWhatDiffersFromTheProfilesAndWhy(t *testing.T) {
	text := planOf(t, overriddenStack(t, "sentry-fronted")).String()
	for _, want := range []string{
		"\n  sentry-2             sentry   ",
		"\n                       banners.text = \"Keep out.\"\n",
		"\n                       banners.text = \"Keep out\\nof here.\"\n",
		"\n                       without banners: the office's own are there\n",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("the plan does not say %q:\n%s", want, text)
		}
	}
	if usual := planOf(t, stacksUnderTest(t)["sentry-fronted"]).String(); strings.Contains(usual, "banners.text") {
		t.Errorf("a plan without overrides shows one:\n%s", usual)
	}
}

func TestWhatIsForOneHostReachesNoOther(t *testing.T) {
	p := planOf(t, overriddenStack(t, "sentry-fronted"))
	for host, want := range map[string]string{"sentry-1": "Keep out\nof here.", "sentry-2": "Keep out.", "prep-1": ""} {
		s := p.Hardening[host]
		if want == "" {
			if s.Has("banners") {
				t.Errorf("%s has what it leaves out", host)
			}
		} else if got := s.Word("banners", "text"); got != want {
			t.Errorf("%s: %q, wanted %q", host, got, want)
		}
	}
}

func TestHostsKnowWhereTheirAdministratorsComeFrom(t *testing.T) {
	c := shippedStack(t, "mainnet-prep")
	for host, s := range planOf(t, c).Hardening {
		want := strings.Join(c.Administrators, " ")
		if host != bastionName {
			want = "10.20.0.0/19" // the public tier, where the bastion may stand
		}
		if got := strings.Join(s.Facts.Administrators, " "); got != want || s.Facts.LoginUser != "admin" {
			t.Errorf("%s: %s from %s, wanted admin from %s", host, s.Facts.LoginUser, got, want)
		}
	}
	jump, err := stacksUnderTest(t)["sentry-fronted-bastion-sudo"].Complete()
	if err != nil {
		t.Fatal(err)
	}
	behind := 0
	for host, s := range planOf(t, jump).Hardening {
		machine := jump.Hosts.Machines[host]
		if machine.Bastion == nil {
			continue
		}
		behind++
		from := machine.Bastion.PrivateAddress + "/32"
		if s.Facts.LoginUser != machine.User || !strings.HasSuffix(strings.Join(s.Facts.Administrators, " "), from) {
			t.Errorf("%s: facts %+v, wanted %s, from %s besides", host, s.Facts, machine.User, from)
		}
	}
	if behind == 0 {
		t.Error("no host of the test is behind a bastion")
	}
}
