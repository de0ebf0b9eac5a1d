package topologies

import (
	"fmt"
	"os"
	"runtime"
	"runtime/debug"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"github.com/insight-icon/pulumi-icon/internal/awsplan"
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

// manyHostsOnAWS is a stack of n machines on AWS: citizens of a network of one's own, in two zones, and the bastion.
func manyHostsOnAWS(tb testing.TB, n int) *stacks.Config {
	tb.Helper()
	c := citizensConfig()
	binary(tb, c)
	machines := map[string]awsplan.Machine{awsplan.Bastion: {Zone: "eu-central-1a"}}
	for i := range n - 1 {
		name := fmt.Sprintf("citizen-%d", i+1)
		c.Citizens.Hosts = append(c.Citizens.Hosts, name)
		machines[name] = awsplan.Machine{Zone: []string{"eu-central-1a", "eu-central-1b"}[i%2]}
	}
	c.Platform, c.Hosts = stacks.PlatformAWS, nil
	c.AWS = &awsplan.Settings{
		Region: "eu-central-1", Zones: []string{"eu-central-1a", "eu-central-1b"}, Machines: machines, AdministratorKeys: []string{publicKey(tb)},
	}
	c.Secrets.SSHPrivateKey = pulumi.ToSecret(pulumi.StringPtr(testKey(tb))).(pulumi.StringPtrOutput)
	c.Secrets.SSHPrivateKeyPassphrase = nil
	return c
}

func BenchmarkPlanAndDeployOnAWS(b *testing.B) {
	for _, n := range []int{10, 100, 1000} {
		b.Run(fmt.Sprintf("hosts=%d", n), func(b *testing.B) {
			b.ReportAllocs()
			forgetPeak(b)
			for b.Loop() {
				graph.Record(b, graph.Options{}, awsProgram(b, manyHostsOnAWS(b, n)))
			}
			b.ReportMetric(float64(b.Elapsed().Microseconds())/float64(b.N*n), "µs/host")
			b.ReportMetric(peak(b), "MB-peak")
		})
	}
}

// forgetPeak has Linux begin anew with the greatest memory that this process has had (proc(5), clear_refs). Memory that Go keeps from
// before is given back first, or it would count.
func forgetPeak(b *testing.B) {
	b.Helper()
	debug.FreeOSMemory()
	if err := os.WriteFile("/proc/self/clear_refs", []byte("5"), 0); err != nil {
		b.Logf("the peak of memory is that of the whole process: %v", err)
	}
}

// peak is the greatest memory, in 10^6 bytes, that this process has had, the program itself and the recorder included; 0 where the kernel
// does not tell.
func peak(b *testing.B) float64 {
	b.Helper()
	status, err := os.ReadFile("/proc/self/status")
	if err != nil {
		return 0
	}
	var kib float64
	if _, rest, found := strings.Cut(string(status), "VmHWM:"); found {
		if _, err := fmt.Sscan(rest, &kib); err != nil {
			b.Fatal(err)
		}
	}
	return kib * 1024 / 1e6
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

// spent is what a program takes under mocks: for how long it keeps processors busy, at the least of several runs, and the bytes allocated.
// The clock would tell of other programs on the machine, too; the processors' time does not.
func spent(t *testing.T, runs int, program func()) (time.Duration, uint64) {
	t.Helper()
	least, bytes := time.Hour, uint64(0)
	for range runs {
		var before, after runtime.MemStats
		// Buffers that gRPC keeps from one run to the next are given up at the second collection. With them, a program would seem to need less
		// than it does, and a small one by more than a large one.
		runtime.GC()
		runtime.GC()
		runtime.ReadMemStats(&before)
		start := worked(t)
		program()
		least = min(least, worked(t)-start)
		runtime.ReadMemStats(&after)
		bytes = after.TotalAlloc - before.TotalAlloc
	}
	return least, bytes
}

// Ten times the hosts may cost ten times as much; a hundred times would be quadratic growth.
func TestAThousandHostsCostLinearlyMore(t *testing.T) {
	linearlyMore(t, func(hosts int) { record(t, manyHosts(t, hosts)) })
}

// The same on AWS, where a thousand hosts are to take less than ten seconds of a machine that has nothing else to do. The program keeps two
// processors busy; no more can be counted on.
func TestAThousandHostsOnAWSCostLinearlyMore(t *testing.T) {
	const most = 10 * time.Second
	busy := linearlyMore(t, func(hosts int) { graph.Record(t, graph.Options{}, awsProgram(t, manyHostsOnAWS(t, hosts))) })
	if alone := busy / time.Duration(min(2, runtime.GOMAXPROCS(0))); alone > most {
		t.Errorf("1000 hosts would take %s on a machine of their own, more than %s", alone, most)
	}
}

// linearlyMore runs a program for 100 and for 1000 hosts, and gives the processors' time of the latter.
func linearlyMore(t *testing.T, program func(hosts int)) time.Duration {
	t.Helper()
	time100, bytes100 := spent(t, 3, func() { program(100) })
	time1000, bytes1000 := spent(t, 1, func() { program(1000) })
	t.Logf("of processors, 100 hosts: %s, %d MB; 1000 hosts: %s, %d MB", time100, bytes100>>20, time1000, bytes1000>>20)
	if time1000 > 25*time100 {
		t.Errorf("1000 hosts take %s, more than 25 times the %s of 100 hosts", time1000, time100)
	}
	if bytes1000 > 15*bytes100 {
		t.Errorf("1000 hosts allocate %d bytes, more than 15 times the %d of 100 hosts", bytes1000, bytes100)
	}
	return time1000
}

// worked is for how long this process has kept processors busy.
func worked(t *testing.T) time.Duration {
	t.Helper()
	var usage syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &usage); err != nil {
		t.Fatal(err)
	}
	return time.Duration(usage.Utime.Nano() + usage.Stime.Nano())
}
