package sentry_test

import (
	"fmt"
	"strings"
	"sync"
	"testing"

	"github.com/insight-icon/pulumi-icon/internal/sentry"
)

func TestBodiesThatAreReadAtTheSameTimeAreJudgedEachByItself(t *testing.T) {
	if !inIsolation(t) {
		return
	}
	s := apiSettings()
	s.Limits = sentry.Limits{APIRequestsPerSource: 100_000, APINewPerSource: 1000, APIPerSource: 100}.WithDefaults()
	// One thread, so that all are read by the same.
	c := &citizen{hold: make(chan struct{})}
	defer close(c.hold)
	p := startHAProxy(t, s, c, echo, func(text string) string {
		text = replaced(t, text, "hdr content-type application/json body", "body")
		return replaced(t, text, "tune.maxaccept 8", "tune.maxaccept 8\n\tnbthread 1")
	})
	values := func(n int) string {
		return call("/api/v3", strings.Replace(lastBlock, "}", `,"params":[`+strings.Repeat("1,", n)+`1]}`, 1))
	}
	var wg sync.WaitGroup
	for i := range 8 {
		wg.Go(func() {
			for range 60 {
				_ = send(t, fmt.Sprintf("127.0.5.%d", i+1), values(980))
			}
		})
	}
	wrong := 0
	for range 60 {
		if a := send(t, "127.0.0.5", values(400)); a.status != 200 && a.status != 503 {
			wrong++
		}
	}
	wg.Wait()
	if wrong > 0 || p.entry(sentry.BadTable, "127.0.0.5", "gpc0") != 0 {
		t.Errorf("%d of 60 bodies of 400 values were refused while others were read, which have nearly 1000", wrong)
	}
}
