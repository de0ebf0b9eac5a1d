package agent

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/insight-icon/pulumi-icon/internal/agent/proxy"
	"github.com/insight-icon/pulumi-icon/internal/sentry"
)

func quiet() *slog.Logger { return slog.New(slog.NewTextHandler(io.Discard, nil)) }

func TestConfigurationIsReadStrictly(t *testing.T) {
	const good = `{"kernel":true,"adminSocket":"/run/a.sock","stateDir":"/var/lib/a","controlSocket":"/run/c.sock",` +
		`"metrics":"127.0.0.1:9471","users":["192.0.2.0/24","192.0.2.7"],` +
		`"bans":{"strikes":20,"seconds":60,"maxSeconds":3600,"network":16},"peers":{"mode":"prefer","channel":"c",` +
		`"refreshSeconds":120,"maxShrinkPercent":20,"confirmSeconds":3600}}`
	path := filepath.Join(t.TempDir(), "agent.json")
	read := func(text string) error {
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		_, err := ReadConfig(path)
		return err
	}
	if err := read(good); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ old, text, want string }{
		{`"kernel"`, `"kernle"`, `unknown field "kernle"`},
		{`}}`, `}}{}`, "more than one object"},
		{`"/var/lib/a"`, `"a"`, `stateDir: "a" is no absolute path`},
		{`127.0.0.1:9471`, `0.0.0.0:9471`, `metrics: "0.0.0.0:9471"; wanted an address and port of the host itself`},
		{`"adminSocket":"/run/a.sock",`, ``, "kernel: needs adminSocket"},
		{`"strikes":20`, `"strikes":0`, "bans: strikes 0"},
		{`"maxSeconds":3600`, `"maxSeconds":3`, "bans.maxSeconds: is 3, and bans.seconds 60"},
		{`192.0.2.7`, `example`, `users[1]: "example" is no IPv4 network`},
		{`"peers"`, `"drain":{"announced":"a.example","ttlSeconds":-1,"waitSeconds":1},"peers"`, "drain.publicAddress"},
	} {
		err := read(strings.Replace(good, c.old, c.text, 1))
		if err == nil || !strings.Contains(err.Error(), c.want) || !strings.Contains(err.Error(), path) {
			t.Errorf("%s: %v; want the file and %q", c.text, err, c.want)
		}
	}
	if _, err := ReadConfig("/nowhere.json"); err == nil || !strings.Contains(err.Error(), "/nowhere.json") {
		t.Error(err)
	}
}

func FuzzConfig(f *testing.F) {
	f.Add([]byte(`{"kernel":true,"stateDir":"/a","controlSocket":"/b","metrics":"127.0.0.1:1","bans":{"strikes":1},"peers":{"mode":"off"}}`))
	f.Fuzz(func(t *testing.T, text []byte) {
		if c, err := parseConfig(text); err == nil && (!filepath.IsAbs(c.StateDir) || c.Kernel && c.AdminSocket == "") {
			t.Errorf("%+v was taken", c)
		}
	})
}

// stand is a HAProxy for the drain.
type stand struct {
	all   []proxy.Frontend
	shut  []string
	wrong error
}

func (s *stand) Frontends(context.Context) ([]proxy.Frontend, error) {
	return slices.Clone(s.all), s.wrong
}

func (s *stand) turn(name string, open bool) error {
	for i := range s.all {
		if s.all[i].Name == name {
			s.all[i].Open = open
		}
	}
	return s.wrong
}

func (s *stand) DisableFrontend(_ context.Context, name string) error { return s.turn(name, false) }
func (s *stand) EnableFrontend(_ context.Context, name string) error  { return s.turn(name, true) }

func (s *stand) ShutdownSessions(_ context.Context, names ...string) (int, error) {
	s.shut = append(s.shut, names...)
	return 3, s.wrong
}

func (s *stand) open() string {
	var all []string
	for _, f := range s.all {
		if f.Open {
			all = append(all, f.Name)
		}
	}
	return strings.Join(all, " ")
}

func TestDrainWaitsForTheNameThenForItsMemoryThenForSessions(t *testing.T) {
	path := filepath.Join(t.TempDir(), "drain.json")
	h := &stand{all: []proxy.Frontend{
		{Name: "p2p", Open: true, Sessions: 2}, {Name: "api", Open: true, Sessions: 1}, {Name: "relay0", Open: true},
	}}
	now := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	answer, failure := []netip.Addr{netip.MustParseAddr("203.0.113.7"), netip.MustParseAddr("203.0.113.8")}, error(nil)
	fresh := func(config *sentry.AgentDrain) *drain {
		d := newDrain(config, path, h, quiet())
		d.now = func() time.Time { return now }
		d.lookup = func(_ context.Context, name string) ([]netip.Addr, error) {
			if name != "sentry.example.org" {
				t.Errorf("%q was looked up", name)
			}
			return answer, failure
		}
		if err := d.resume(); err != nil {
			t.Fatal(err)
		}
		return d
	}
	config := &sentry.AgentDrain{Announced: "sentry.example.org:7100", PublicAddress: "203.0.113.7", TTLSeconds: 300, WaitSeconds: 900}
	d := fresh(config)
	step := func(want DrainStep, open, says string) {
		t.Helper()
		d.set(d.step(t.Context(), d.Status()))
		// It is the same after a restart of the agent.
		d = fresh(config)
		s := d.step(t.Context(), d.Status())
		d.set(s)
		if s.Step != want || h.open() != open || !strings.Contains(s.WaitsFor+s.Error, says) {
			t.Errorf("%+v with %q open; want %s, %q and %q", s, h.open(), want, open, says)
		}
	}
	step(DrainAnnounced, "p2p api relay0", "sentry.example.org to lead to others than 203.0.113.7")
	failure = errors.New("no such host")
	step(DrainAnnounced, "p2p api relay0", "is not looked up: no such host")
	answer, failure = nil, nil
	step(DrainAnnounced, "p2p api relay0", "")
	answer = []netip.Addr{netip.MustParseAddr("203.0.113.8")}
	step(DrainTTL, "p2p api relay0", "to forget it")
	now = now.Add(299 * time.Second)
	step(DrainTTL, "p2p api relay0", "")
	now = now.Add(time.Second)
	step(DrainClosing, "relay0", "sessions")
	// HAProxy was reloaded.
	h.all[0].Open = true
	step(DrainClosing, "relay0", "")
	h.wrong = errors.New("away")
	step(DrainClosing, "relay0", "away")
	h.wrong = nil
	now = now.Add(900 * time.Second)
	step(DrainDone, "relay0", "the sentry can go")
	if strings.Join(h.shut, " ") != "p2p api" || d.Status().Ended != 3 {
		t.Errorf("sessions of %q were ended, %d", h.shut, d.Status().Ended)
	}
	h.all[1].Open = true
	step(DrainDone, "relay0", "")
	d = fresh(nil)
	if d.Status().Step != DrainEnding {
		t.Errorf("%+v; want the drain to end", d.Status())
	}
	if err := d.run(t.Context()); err != nil || d.Status().Step != DrainOff || h.open() != "p2p api relay0" {
		t.Errorf("%v, %+v with %q open; want all open", err, d.Status(), h.open())
	}
	if _, err := os.Stat(path); !os.IsNotExist(err) {
		t.Errorf("%v; want nothing kept of a drain that is over", err)
	}
}

func TestSessionsThatEndByThemselvesAreNotWaitedFor(t *testing.T) {
	h := &stand{all: []proxy.Frontend{{Name: "p2p", Open: true}}}
	d := newDrain(&sentry.AgentDrain{WaitSeconds: 900}, filepath.Join(t.TempDir(), "drain.json"), h, quiet())
	d.every = time.Millisecond
	ctx, stop := context.WithTimeout(t.Context(), 5*time.Second)
	defer stop()
	go func() { _ = d.run(ctx) }()
	eventually(t, 4*time.Second, "the drain is done", func() bool { return d.Status().Step == DrainDone })
	if len(h.shut) != 0 {
		t.Error("sessions were ended where there were none")
	}
}

func TestMetricsFollowPrometheussRules(t *testing.T) {
	name := regexp.MustCompile(`^icon_sentry_[a-z0-9_]+$`)
	seen := map[string]bool{}
	for _, m := range Metrics() {
		if !name.MatchString(m.Name) || seen[m.Name] || m.Counter != strings.HasSuffix(m.Name, "_total") || !strings.HasSuffix(m.Help, ".") ||
			strings.ContainsAny(m.Help, "\n\\") {
			t.Errorf("%+v is not as it should be", m)
		}
		seen[m.Name] = true
	}
	got := render(func(put emit) {
		put("icon_sentry_limited_total", 12345678, "b")
		put("icon_sentry_limited_total", 0.5, "a\"\\\n")
		put("icon_sentry_agent_up", 1)
	})
	want := "# HELP icon_sentry_agent_up 1 while the agent runs.\n# TYPE icon_sentry_agent_up gauge\nicon_sentry_agent_up 1\n" +
		"# HELP icon_sentry_limited_total How often HAProxy has refused something, by limit.\n# TYPE icon_sentry_limited_total counter\n" +
		"icon_sentry_limited_total{limit=\"a\\\"\\\\\\n\"} 0.5\nicon_sentry_limited_total{limit=\"b\"} 1.2345678e+07\n"
	if got != want {
		t.Errorf("%s\nwant\n%s", got, want)
	}
}

func TestEveryMetricIsGivenAndNoOther(t *testing.T) {
	dir := t.TempDir()
	a, err := newAgent(sentry.AgentConfig{
		Kernel: true, AdminSocket: filepath.Join(dir, "a"), StateDir: dir, ControlSocket: filepath.Join(dir, "c"), Metrics: "127.0.0.1:9471",
		Bans:  sentry.AgentBans{Strikes: 20, Seconds: 60, MaxSeconds: 3600, Network: 16},
		Peers: sentry.AgentPeers{Mode: sentry.PeersPrefer},
		ACME:  &sentry.AgentACME{Names: []string{"api.example.org"}, Directory: "https://acme.example.org/directory", Listen: "10.0.0.1:9480"},
	}, quiet())
	if err != nil {
		t.Fatal(err)
	}
	a.seen.limits, a.seen.trackable = map[string]uint64{}, 1
	a.seen.frontends, a.seen.kernel = []proxy.Frontend{{Name: "p2p"}}, map[string]uint64{"banned": 1}
	given := map[string]bool{}
	a.collect(func(name string, _ float64, labels ...string) {
		i := slices.IndexFunc(Metrics(), func(m Metric) bool { return m.Name == name })
		if i < 0 || len(Metrics()[i].Labels) != len(labels) {
			t.Errorf("%s%v is not in the list of metrics", name, labels)
		}
		given[name] = true
	})
	for _, m := range Metrics() {
		// These two are absent until there is something to tell.
		if !given[m.Name] && m.Name != "icon_sentry_certificate_expiry_timestamp_seconds" && m.Name != "icon_sentry_peers_age_seconds" {
			t.Errorf("%s is never given", m.Name)
		}
	}
}

func TestSystemdIsToldWhenTheAgentAnswers(t *testing.T) {
	path := filepath.Join(t.TempDir(), "notify")
	l, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: path, Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	t.Setenv("NOTIFY_SOCKET", path)
	if err := notifyReady(); err != nil {
		t.Fatal(err)
	}
	text := make([]byte, 100)
	_ = l.SetReadDeadline(time.Now().Add(5 * time.Second))
	if n, err := l.Read(text); err != nil || string(text[:n]) != "READY=1" {
		t.Errorf("%q, %v", text[:n], err)
	}
}
