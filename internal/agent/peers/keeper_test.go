package peers

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/insight-icon/pulumi-icon/internal/sentry"
)

// node plays a node's API: it knows P-Reps, and sees peers.
type node struct {
	mu      sync.Mutex
	preps   []string
	friends []string
	behind  time.Duration
	asked   int
	gone    bool
}

func (n *node) set(change func()) {
	n.mu.Lock()
	defer n.mu.Unlock()
	change()
}

func (n *node) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.asked++
	body, _ := io.ReadAll(r.Body)
	list := func(format string, all []string) string {
		var items []string
		for _, e := range all {
			items = append(items, fmt.Sprintf(format, e))
		}
		return strings.Join(items, ",")
	}
	preps := list(`{"grade":"0x0","status":"0x0","p2pEndpoint":%q}`, n.preps)
	switch {
	case n.gone:
		http.Error(w, "gone", http.StatusBadGateway)
	case r.URL.Path == "/admin/chain/icon_dex" && r.URL.RawQuery == "informal=true":
		fmt.Fprintf(w, `{"module":{"network":{"p2p":{"friends":[%s]}}}}`, list(`{"addr":%q,"role":2}`, n.friends))
	case !strings.HasPrefix(r.URL.Path, "/api/v3"):
		http.NotFound(w, r)
	case strings.Contains(string(body), "icx_getLastBlock"):
		fmt.Fprintf(w, `{"jsonrpc":"2.0","id":1,"result":{"time_stamp":%d}}`, time.Now().Add(-n.behind).UnixMicro())
	case n.preps == nil:
		_, _ = w.Write([]byte(`{"jsonrpc":"2.0","error":{"code":-30003,"message":"SCOREError(-30003): E0003:MethodNotFound"},"id":1}`))
	case strings.Contains(string(body), `"startRanking":"0x1"`), strings.Contains(string(body), "getPRepTerm"):
		fmt.Fprintf(w, `{"jsonrpc":"2.0","id":1,"result":{"preps":[%s]}}`, preps)
	default:
		http.Error(w, "what?", http.StatusBadRequest)
	}
}

func serve(t *testing.T, handler http.Handler) string {
	t.Helper()
	s := httptest.NewServer(handler)
	t.Cleanup(s.Close)
	return s.URL
}

func ten(from int) []string {
	var all []string
	for _, a := range numbered(from, from+10) {
		all = append(all, a.String()+":7100")
	}
	return all
}

func keeper(t *testing.T, dir string, config sentry.AgentPeers) *Keeper {
	t.Helper()
	config.Channel = "icon_dex"
	k, err := New(config, dir, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	k.names.lookup = func(_ context.Context, name string) ([]netip.Addr, error) { return nil, errors.New("no such name") }
	return k
}

// run runs a keeper that refreshes all the time, until done says so.
func run(t *testing.T, k *Keeper, apply func(List) error, done func() bool) {
	t.Helper()
	k.config.RefreshSeconds = 0
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- k.Run(ctx, apply) }()
	for end := time.Now().Add(20 * time.Second); !done(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(end) {
			t.Errorf("not within 20 s; status %+v", k.Status())
			break
		}
	}
	cancel()
	if err := <-ended; !errors.Is(err, context.Canceled) {
		t.Errorf("it ended with %v", err)
	}
}

func read(t *testing.T, dir, name string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(dir, name))
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func TestFiftyRefreshesOfTheSameListAreAppliedOnce(t *testing.T) {
	n := &node{preps: ten(0), friends: ten(5)}
	dir := t.TempDir()
	k := keeper(t, dir, sentry.AgentPeers{Mode: sentry.PeersEnforce, Static: []string{"10.0.0.9"}, Own: []string{serve(t, n)}})
	var applied []string
	run(t, k, func(l List) error {
		// What HAProxy starts with is never behind what it was told.
		if kept := read(t, dir, "peers.lst"); kept != strings.Join(l.Lines(), "\n")+"\n" {
			t.Errorf("peers.lst is %q while %q is applied", kept, l.Lines())
		}
		applied = append(applied, fmt.Sprintf("%d %v", len(l.Entries), l.Enforce))
		return nil
	}, func() bool { return k.Status().Refreshes > 50 })
	if want := []string{"1 false", "16 true"}; !slices.Equal(applied, want) {
		t.Errorf("applied %q; wanted %q", applied, want)
	}
	s := k.Status()
	if s.Size != 16 || s.Added != 16 || s.Removed != 0 || !s.Applied || !s.Enforced || len(s.Errors) > 0 ||
		s.AgeSeconds < 0 || s.AgeSeconds > 5 || s.Sources[Chain] != 10 || s.Sources[Observed] != 10 || s.Sources[Static] != 1 {
		t.Errorf("status: %+v", s)
	}
	if read(t, dir, "enforce.lst") != "on\n" {
		t.Error("strangers are not refused")
	}
	// The next start needs nobody.
	again := keeper(t, dir, sentry.AgentPeers{Mode: sentry.PeersPrefer, Static: []string{"10.0.0.9"}, Own: []string{"http://127.0.0.1:1"}})
	run(t, again, func(List) error { return nil }, func() bool { return again.Status().Refreshes > 0 })
	if l := again.List(); len(l.Entries) != 16 || l.Enforce || read(t, dir, "enforce.lst") != "" {
		t.Errorf("after a restart without anybody: %+v", l)
	}
	if s := again.Status(); len(s.Errors) == 0 || s.Updated.IsZero() {
		t.Errorf("nobody answered, and the status says %+v", s)
	}
}

func TestAnApplyThatFailsIsRepeatedAndNothingElseIsLost(t *testing.T) {
	n := &node{preps: ten(0)}
	k := keeper(t, t.TempDir(), sentry.AgentPeers{Endpoints: []string{serve(t, n) + "/api/v3"}})
	var size atomic.Int64
	tries := 0
	run(t, k, func(l List) error {
		if s := k.Status(); tries > 0 && (s.Applied || !strings.Contains(strings.Join(s.Errors, " "), "HAProxy is away")) {
			t.Errorf("status: %+v", s)
		}
		if tries++; tries < 5 {
			return errors.New("HAProxy is away")
		}
		size.Store(int64(len(l.Entries)))
		return nil
	}, func() bool { return size.Load() == 10 && k.Status().Applied })
	if s := k.Status(); len(s.Errors) != 0 {
		t.Errorf("status: %+v", s)
	}
}

func TestTheListIsFetchedFromOwnNodesWhenEndpointsAreGoneOrHostile(t *testing.T) {
	elsewhere := serve(t, &node{preps: ten(100)})
	hostile := map[string]http.HandlerFunc{
		"leads elsewhere": func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, elsewhere+"/api/v3", http.StatusTemporaryRedirect)
		},
		"endless": func(w http.ResponseWriter, _ *http.Request) {
			for range 9 << 4 {
				if _, err := w.Write(make([]byte, 64<<10)); err != nil {
					return
				}
			}
		},
		"silent": func(_ http.ResponseWriter, r *http.Request) {
			_, _ = io.Copy(io.Discard, r.Body)
			<-r.Context().Done()
		},
		"garbage": func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte("<html>")) },
		"empty": func(w http.ResponseWriter, _ *http.Request) {
			_, _ = fmt.Fprintf(w, `{"result":{"preps":[],"time_stamp":%d}}`, time.Now().UnixMicro())
		},
	}
	own := &node{preps: ten(0)}
	for name, handler := range hostile {
		t.Run(name, func(t *testing.T) {
			k := keeper(t, t.TempDir(), sentry.AgentPeers{
				Endpoints: []string{"http://127.0.0.1:1/api/v3", serve(t, handler) + "/api/v3"}, Own: []string{serve(t, own)},
			})
			k.client.Timeout = 500 * time.Millisecond
			got, _ := k.fetch(t.Context())
			if len(got.Chain) != 10 || !got.Heard {
				t.Errorf("%+v", got)
			}
		})
	}
	// One that is only behind is passed over, too.
	late := &node{preps: ten(50), behind: time.Hour}
	k := keeper(t, t.TempDir(), sentry.AgentPeers{Endpoints: []string{serve(t, late) + "/api/v3"}, Own: []string{serve(t, own)}})
	if got, problems := k.fetch(t.Context()); len(got.Chain) != 10 || got.Chain[0] != numbered(0, 1)[0] || len(problems) != 0 {
		t.Errorf("%+v, %v", got, problems)
	}
	// All are gone: the list stays.
	k.refresh(t.Context())
	own.set(func() { own.gone = true })
	k.refresh(t.Context())
	if s := k.Status(); s.Size != 10 || len(s.Errors) == 0 || s.Removed != 0 {
		t.Errorf("status: %+v", s)
	}
}

func TestAChainWithoutPRepsIsNoErrorButOneThatLostThemIs(t *testing.T) {
	n := &node{friends: ten(0)}
	k := keeper(t, t.TempDir(), sentry.AgentPeers{Own: []string{serve(t, n)}})
	k.refresh(t.Context())
	if s := k.Status(); s.Sources[Observed] != 10 || len(s.Errors) != 0 {
		t.Errorf("status: %+v", s)
	}
	n.set(func() { n.preps = ten(20) })
	k.refresh(t.Context())
	n.set(func() { n.preps = nil })
	k.refresh(t.Context())
	if s := k.Status(); s.Sources[Chain] != 10 || len(s.Errors) != 1 {
		t.Errorf("status: %+v", s)
	}
}

func TestANameKeepsItsAddressesWhileItIsNotAnswered(t *testing.T) {
	dir := t.TempDir()
	n := &node{preps: []string{"a.example.org:7100", "198.51.100.7:7100", "dead.example.org:7100", "bad name:7100"}}
	config := sentry.AgentPeers{Static: []string{"sentry-2"}, Own: []string{serve(t, n)}}
	k := keeper(t, dir, config)
	answers := map[string][]netip.Addr{
		"a.example.org.": numbered(0, 2), "sentry-2": {netip.MustParseAddr("10.0.0.2"), netip.MustParseAddr("127.0.1.1")},
	}
	k.names.lookup = func(_ context.Context, name string) ([]netip.Addr, error) {
		if all := answers[name]; all != nil {
			return all, nil
		}
		return nil, errors.New("no such name")
	}
	k.refresh(t.Context())
	want := []string{"10.0.0.2", "198.51.0.1", "198.51.0.2", "198.51.100.7"}
	if got := k.List().Lines(); !slices.Equal(got, want) {
		t.Fatalf("%q", got)
	}
	if s := k.Status(); len(s.Errors) != 2 || !strings.Contains(strings.Join(s.Errors, " "), "dead.example.org") {
		t.Errorf("errors: %q", s.Errors)
	}
	clear(answers)
	k.refresh(t.Context())
	if got := k.List().Lines(); !slices.Equal(got, want) {
		t.Errorf("without answers: %q", got)
	}
	again := keeper(t, dir, config)
	run(t, again, func(List) error { return nil }, func() bool { return again.Status().Applied })
	if got := again.List().Lines(); !slices.Equal(got, want) {
		t.Errorf("after a restart: %q", got)
	}
}

func TestNamesWhoseAnswersTakeTurnsKeepAllAndNotMoreThanTheyMay(t *testing.T) {
	at := 0
	n := names{lookup: func(context.Context, string) ([]netip.Addr, error) { at++; return numbered(at%3, at%3+1), nil }}
	var got map[string][]netip.Addr
	for i := range 6 {
		got, _ = n.resolve(t.Context(), []string{"a.example.org"}, dawn.Add(time.Duration(i)*time.Minute))
	}
	if len(got["a.example.org"]) != 3 {
		t.Errorf("%v", got)
	}
	n.lookup = func(context.Context, string) ([]netip.Addr, error) { return numbered(50, 500), nil }
	got, _ = n.resolve(t.Context(), []string{"a.example.org"}, dawn)
	if len(got["a.example.org"]) != perName {
		t.Errorf("%d addresses", len(got["a.example.org"]))
	}
	if n.resolve(t.Context(), nil, dawn); len(n.known) != 0 {
		t.Error("a name that nobody asks for is kept")
	}
}

func TestAListThatCanNotBeReadIsReplacedByWhatHAProxyHas(t *testing.T) {
	dir := t.TempDir()
	for name, text := range map[string]string{
		"list.json": `{"list":`, "peers.lst": "198.51.100.7\n0.0.0.0/0\nx\n10.0.0.0/24\n198.51.100.8\n",
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	var log strings.Builder
	k, err := New(sentry.AgentPeers{}, dir, slog.New(slog.NewTextHandler(&log, nil)))
	if err != nil {
		t.Fatal(err)
	}
	if got := k.List().Lines(); !slices.Equal(got, []string{"198.51.100.7", "198.51.100.8"}) || !strings.Contains(log.String(), "list.json") {
		t.Errorf("%q\n%s", got, log.String())
	}
}

func TestModeOffAsksNobody(t *testing.T) {
	n := &node{preps: ten(0)}
	k := keeper(t, t.TempDir(), sentry.AgentPeers{Mode: sentry.PeersOff, Static: []string{"10.0.0.0/24"}, Own: []string{serve(t, n)}})
	k.refresh(t.Context())
	if got := k.List().Lines(); !slices.Equal(got, []string{"10.0.0.0/24"}) || n.asked != 0 {
		t.Errorf("%q, asked %d times", got, n.asked)
	}
}

func TestEveryProblemOfTheConfigurationIsNamed(t *testing.T) {
	_, err := New(sentry.AgentPeers{
		Mode: "sometimes", Static: []string{"10.0.0.1", "0.0.0.0/0", "a b"},
		Endpoints: []string{"api.example.org"}, Own: []string{"https://user:pw@host"}, RefreshSeconds: -1,
	}, t.TempDir(), slog.New(slog.DiscardHandler))
	for _, want := range []string{
		"peers.mode", "peers.static[1]", "peers.static[2]", "peers.endpoints[0]", "peers.own[0]", "refreshSeconds", "peers.channel",
	} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v; wanted %s", err, want)
		}
	}
	if strings.Contains(err.Error(), "pw") {
		t.Errorf("a password is in the error: %v", err)
	}
}
