package honest

import (
	"context"
	"errors"
	"net/netip"
	"sync"
	"time"
)

// flatConnections are kept busy by Flat.
const flatConnections = 8

// Throughput is what registered users got who asked without a pause.
type Throughput struct {
	// PerSecond are answers in a second, P50 the median in milliseconds, Failed how many got none.
	PerSecond float64
	Took      []float64
	Failed    int
}

// Flat has registered users ask as fast as they are answered, on a few kept connections, for the load's seconds.
func Flat(ctx context.Context, c Config) (*Throughput, error) {
	if err := c.check(); err != nil {
		return nil, err
	}
	l := &load{config: c}
	defer l.close()
	// Connections first, so that none of it is measured.
	for n := range flatConnections {
		if err := l.call(ctx, nth(Users, 100+n), false); err != nil {
			return nil, err
		}
	}
	begin := time.Now()
	end := begin.Add(time.Duration(c.Seconds * float64(time.Second)))
	var t Throughput
	var mu sync.Mutex
	var wg sync.WaitGroup
	for n := range flatConnections {
		wg.Go(func() {
			took, failed := l.busy(ctx, nth(Users, 100+n), end)
			mu.Lock()
			defer mu.Unlock()
			t.Took = append(t.Took, took...)
			t.Failed += failed
		})
	}
	wg.Wait()
	if len(t.Took) == 0 {
		return nil, errors.New("no request was answered")
	}
	t.PerSecond = float64(len(t.Took)) / time.Since(begin).Seconds()
	return &t, nil
}

func (l *load) busy(ctx context.Context, from netip.Addr, end time.Time) (took []float64, failed int) {
	for time.Now().Before(end) && ctx.Err() == nil {
		due := time.Now()
		ctx, cancel := context.WithDeadline(ctx, due.Add(time.Second))
		err := l.call(ctx, from, false)
		cancel()
		if err != nil {
			failed++
			continue
		}
		took = append(took, float64(time.Since(due).Microseconds())/1000)
	}
	return took, failed
}
