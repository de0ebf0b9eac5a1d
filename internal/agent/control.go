package agent

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net"
	"net/http"
	"net/netip"
	"os"
	"time"

	"github.com/insight-icon/pulumi-icon/internal/agent/bans"
	"github.com/insight-icon/pulumi-icon/internal/agent/certs"
	"github.com/insight-icon/pulumi-icon/internal/agent/peers"
	"github.com/insight-icon/pulumi-icon/internal/sentry"
)

// Status of a sentry, as its agent sees it.
type Status struct {
	Started time.Time `json:"started"`
	// Parts are what the agent asks: HAProxy, the kernel's table, its own directory.
	Parts map[string]part `json:"parts"`
	// HAProxy is its version, empty while it is away.
	HAProxy string `json:"haproxy,omitempty"`
	// Connections by the frontend's name.
	Connections map[string]uint64 `json:"connections,omitempty"`
	// Bans in force. Proven is how many addresses were served in the last 10 minutes.
	Bans   int           `json:"bans"`
	Proven int           `json:"proven"`
	Peers  *peers.Status `json:"peers,omitempty"`
	// Certificate is nil where the agent gets none.
	Certificate *certs.Status `json:"certificate,omitempty"`
	Drain       *DrainStatus  `json:"drain,omitempty"`
}

// Peers is the list of known peers and how it came to be.
type Peers struct {
	Status  peers.Status  `json:"status"`
	Entries []peers.Entry `json:"entries"`
}

// NewBan is what an operator asks for.
type NewBan struct {
	// Source is an address or a network.
	Source string `json:"source"`
	Why    string `json:"why"`
	// Seconds it lasts.
	Seconds int `json:"seconds"`
}

// Banned is the answer to a question about bans.
type Banned struct {
	// Kernel is false where HAProxy alone refuses, so that none can be added.
	Kernel bool       `json:"kernel"`
	Bans   []bans.Ban `json:"bans"`
}

// problem is the body of an answer that is an error.
type problem struct {
	Error string `json:"error"`
}

// refusal is an error with the status that it is answered with.
type refusal struct {
	status int
	err    error
}

func (r *refusal) Error() string { return r.err.Error() }
func (r *refusal) Unwrap() error { return r.err }

// listenControl makes the control socket, for root and the agent's own user. One of an agent that is gone is taken over.
func listenControl(path string) (net.Listener, error) {
	var config net.ListenConfig
	l, err := config.Listen(context.Background(), "unix", path)
	if err != nil {
		if conn, wrong := net.DialTimeout("unix", path, time.Second); wrong == nil {
			_ = conn.Close()
			return nil, fmt.Errorf("control socket %s: another agent answers there; stop it first: systemctl stop icon-sentry-agent", path)
		}
		if wrong := os.Remove(path); wrong != nil {
			return nil, fmt.Errorf("control socket: %w", err)
		}
		if l, err = config.Listen(context.Background(), "unix", path); err != nil {
			return nil, fmt.Errorf("control socket: %w", err)
		}
	}
	// Until here nobody else could write to it either: what a umask takes away at the least.
	if err := os.Chmod(path, 0o600); err != nil {
		_ = l.Close()
		return nil, fmt.Errorf("control socket: %w", err)
	}
	return l, nil
}

// serve answers until ctx ends.
func serve(ctx context.Context, l net.Listener, h http.Handler) error {
	server := &http.Server{
		Handler: h, ReadTimeout: 10 * time.Second, WriteTimeout: 30 * time.Second, IdleTimeout: 30 * time.Second, MaxHeaderBytes: 16 << 10,
	}
	stop := context.AfterFunc(ctx, func() { _ = server.Close() })
	defer stop()
	err := server.Serve(l)
	if errors.Is(err, http.ErrServerClosed) {
		return nil
	}
	return err
}

func (a *Agent) controlHandler() http.Handler {
	mux := http.NewServeMux()
	get := func(path string, answer func(r *http.Request) (any, error)) {
		mux.HandleFunc(path, jsonHandler(answer))
	}
	get("GET /status", func(*http.Request) (any, error) { return a.status(), nil })
	get("GET /bans", func(*http.Request) (any, error) { return a.bans(false), nil })
	get("GET /bans/recent", func(*http.Request) (any, error) { return a.bans(true), nil })
	get("POST /bans", a.addBan)
	get("DELETE /bans/{source...}", a.removeBan)
	get("GET /peers", func(*http.Request) (any, error) {
		if a.peers == nil {
			return nil, &refusal{http.StatusConflict, errors.New("nginx keeps no list of peers")}
		}
		return Peers{a.peers.Status(), a.peers.List().Entries}, nil
	})
	get("GET /drain", func(*http.Request) (any, error) {
		if a.drain == nil {
			return DrainStatus{Step: DrainOff}, nil
		}
		return a.drain.Status(), nil
	})
	return mux
}

func jsonHandler(answer func(r *http.Request) (any, error)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		r.Body = http.MaxBytesReader(w, r.Body, 16<<10)
		body, err := answer(r)
		status := http.StatusOK
		if err != nil {
			status = http.StatusInternalServerError
			var known *refusal
			if errors.As(err, &known) {
				status = known.status
			}
			body = problem{err.Error()}
		}
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(status)
		_ = json.NewEncoder(w).Encode(body)
	}
}

func (a *Agent) status() Status {
	a.mu.Lock()
	defer a.mu.Unlock()
	s := Status{
		Started: a.started, Parts: maps.Clone(a.state), HAProxy: a.seen.info.Version, Proven: a.seen.proven, Connections: map[string]uint64{},
	}
	for _, f := range a.seen.frontends {
		s.Connections[f.Name] = f.Sessions
	}
	s.Bans = len(a.active())
	if a.peers != nil {
		status := a.peers.Status()
		s.Peers = &status
	}
	if a.certs != nil {
		status := a.certs.Status()
		s.Certificate = &status
	}
	if a.drain != nil {
		status := a.drain.Status()
		s.Drain = &status
	}
	return s
}

// active are the bans in force. Its caller holds mu.
func (a *Agent) active() []bans.Ban {
	if a.table == nil {
		return a.seen.offenders
	}
	return a.book.Active(time.Now())
}

// bans in force, or those of the last day, too.
func (a *Agent) bans(recent bool) Banned {
	a.mu.Lock()
	defer a.mu.Unlock()
	if recent && a.table != nil {
		return Banned{true, a.book.Recent(time.Now())}
	}
	return Banned{a.table != nil, a.active()}
}

func (a *Agent) addBan(r *http.Request) (any, error) {
	var wish NewBan
	decoder := json.NewDecoder(r.Body)
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&wish); err != nil {
		return nil, &refusal{http.StatusBadRequest, err}
	}
	source, err := bans.Parse(wish.Source)
	if err != nil {
		return nil, &refusal{http.StatusBadRequest, err}
	}
	if a.table == nil {
		return nil, &refusal{http.StatusConflict, errors.New("this sentry has no table in the kernel, which is where bans by hand are: " +
			"refuse the address in the cloud's firewall, or take the variant haproxy+nftables")}
	}
	a.work.Lock()
	defer a.work.Unlock()
	now := time.Now()
	a.mu.Lock()
	// Bounded, so that no length overflows; the book says which are right.
	ban, err := a.book.Add(source, wish.Why, time.Duration(max(-1, min(wish.Seconds, 1<<30)))*time.Second, now)
	a.mu.Unlock()
	if err != nil {
		return nil, &refusal{http.StatusBadRequest, err}
	}
	a.log.Info("banned by hand", "source", bans.Name(source), "why", wish.Why, "until", ban.Ends)
	if err := a.feedKernel(now); err != nil {
		return nil, fmt.Errorf("%s will be banned as soon as the kernel takes it: %w", bans.Name(source), err)
	}
	a.save()
	return Banned{true, []bans.Ban{ban}}, nil
}

func (a *Agent) removeBan(r *http.Request) (any, error) {
	source, err := bans.Parse(r.PathValue("source"))
	if err != nil {
		return nil, &refusal{http.StatusBadRequest, err}
	}
	a.work.Lock()
	defer a.work.Unlock()
	if a.table == nil {
		return a.forgive(r.Context(), source)
	}
	now := time.Now()
	a.mu.Lock()
	lifted, err := a.book.Remove(source, now)
	a.mu.Unlock()
	if err != nil {
		return nil, &refusal{http.StatusNotFound, err}
	}
	a.log.Info("ban lifted by hand", "source", bans.Name(source), "bans", len(lifted))
	// HAProxy forgets first: who comes through the kernel before that would be banned again.
	err = a.settle(r.Context())
	if err = errors.Join(err, a.feedKernel(now)); err != nil {
		return nil, fmt.Errorf("%s will be let in as soon as HAProxy and the kernel take it: %w", bans.Name(source), err)
	}
	a.save()
	return Banned{true, lifted}, nil
}

// forgive has HAProxy let in again whom it refuses by itself.
func (a *Agent) forgive(ctx context.Context, source netip.Prefix) (any, error) {
	a.mu.Lock()
	var found []bans.Ban
	var addresses []netip.Addr
	for _, b := range a.seen.offenders {
		if source.Contains(b.Source.Addr()) {
			found, addresses = append(found, b), append(addresses, b.Source.Addr())
		}
	}
	a.mu.Unlock()
	if len(found) == 0 {
		return nil, &refusal{http.StatusNotFound, fmt.Errorf("%s %w", bans.Name(source), bans.ErrNotBanned)}
	}
	if a.proxy == nil {
		return nil, &refusal{http.StatusConflict, errors.New("nginx bans nobody")}
	}
	if err := a.proxy.ForgetStrikes(ctx, sentry.BadTable, addresses); err != nil {
		return nil, err
	}
	return Banned{false, found}, nil
}
