package certs

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"time"
)

// challengePath is where an authority asks, followed by a token.
const challengePath = "/.well-known/acme-challenge/"

// listenRetry is how long after a failure it is tried again to listen: the private address may come later than the agent.
const listenRetry = 2 * time.Second

// tokens are the challenges that are open, and their answers. Both are no secret.
type tokens struct {
	mu  sync.Mutex
	all map[string]string
}

func (t *tokens) put(token, answer string) (remove func()) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.all == nil {
		t.all = map[string]string{}
	}
	t.all[token] = answer
	return func() {
		t.mu.Lock()
		defer t.mu.Unlock()
		delete(t.all, token)
	}
}

// ServeHTTP answers for a token that is known, and says 404 of all else, on which a proxy asks the next sentry.
func (t *tokens) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	t.mu.Lock()
	answer, known := t.all[strings.TrimPrefix(r.URL.Path, challengePath)]
	t.mu.Unlock()
	if !known || !strings.HasPrefix(r.URL.Path, challengePath) || r.Method != http.MethodGet {
		http.NotFound(w, r)
		return
	}
	w.Header().Set("Content-Type", "application/octet-stream")
	_, _ = io.WriteString(w, answer)
}

// answer serves challenges until ctx ends.
func (k *Keeper) answer(ctx context.Context) {
	said := false
	for ctx.Err() == nil {
		listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp", k.config.Listen)
		if err == nil {
			k.setListening(true)
			err = serve(ctx, listener, &k.tokens)
			k.setListening(false)
		}
		if ctx.Err() != nil {
			return
		}
		if !said {
			k.log.Warn("challenges can't be answered; it is tried again", "address", k.config.Listen, "error", err)
		}
		said = true
		select {
		case <-ctx.Done():
		case <-time.After(listenRetry):
		}
	}
}

func serve(ctx context.Context, listener net.Listener, handler http.Handler) error {
	server := &http.Server{
		Handler: handler, MaxHeaderBytes: 16 << 10,
		ReadTimeout: 5 * time.Second, WriteTimeout: 5 * time.Second, IdleTimeout: 30 * time.Second,
	}
	stop := context.AfterFunc(ctx, func() { _ = server.Close() })
	defer stop()
	err := server.Serve(listener)
	if errors.Is(err, http.ErrServerClosed) {
		return nil
	}
	return err
}

func (k *Keeper) setListening(on bool) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.status.Listening = on
}
