package topologies

import (
	"fmt"
	"runtime"
	"testing"
	"time"

	"github.com/insight-icon/pulumi-icon/stacks"
	"github.com/insight-icon/pulumi-icon/tests/graph"
)

// manyHosts is a sentry-fronted stack of n hosts: a P-Rep, two sentries and citizens, of the runtime "binary", which is the one with the
// larger programs.
func manyHosts(tb testing.TB, n int) *stacks.Config {
	tb.Helper()
	names := []string{"prep-1", "sentry-1", "sentry-2"}
	var citizens []string
	for i := range n - len(names) {
		citizens = append(citizens, fmt.Sprintf("citizen-%d", i+1))
	}
	c := base(stacks.TopologySentryFronted, append(names, citizens...)...)
	binary(tb, c)
	c.Citizens = &stacks.Citizens{Hosts: citizens}
	c.Sentries = &stacks.Sentries{Hosts: names[1:3], Announce: "prep.example.org:7100"}
	return c
}

func BenchmarkPlanAndDeploy(b *testing.B) {
	for _, n := range []int{10, 100, 1000} {
		b.Run(fmt.Sprintf("hosts=%d", n), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				c := manyHosts(b, n)
				graph.Record(b, graph.Options{}, program(b, c))
			}
			b.ReportMetric(float64(b.Elapsed().Microseconds())/float64(b.N*n), "µs/host")
		})
	}
}

// spent is what a plan and its deploy take under mocks: the least time of several runs, and the bytes allocated.
func spent(t *testing.T, hosts, runs int) (time.Duration, uint64) {
	t.Helper()
	least, bytes := time.Hour, uint64(0)
	for range runs {
		var before, after runtime.MemStats
		runtime.GC()
		runtime.ReadMemStats(&before)
		start := time.Now()
		record(t, manyHosts(t, hosts))
		least = min(least, time.Since(start))
		runtime.ReadMemStats(&after)
		bytes = after.TotalAlloc - before.TotalAlloc
	}
	return least, bytes
}

// Ten times the hosts may cost ten times as much; a hundred times would be quadratic growth.
func TestAThousandHostsCostLinearlyMore(t *testing.T) {
	time100, bytes100 := spent(t, 100, 3)
	time1000, bytes1000 := spent(t, 1000, 1)
	t.Logf("100 hosts: %s, %d MB; 1000 hosts: %s, %d MB", time100, bytes100>>20, time1000, bytes1000>>20)
	if time1000 > 25*time100 {
		t.Errorf("1000 hosts take %s, more than 25 times the %s of 100 hosts", time1000, time100)
	}
	if bytes1000 > 15*bytes100 {
		t.Errorf("1000 hosts allocate %d bytes, more than 15 times the %d of 100 hosts", bytes1000, bytes100)
	}
}
