package life

import (
	"context"
	"fmt"
	"net/netip"
	"os"
	"testing"

	"github.com/insight-icon/pulumi-icon/sandbox/lab"
)

const serve = "serve-packages"

// ServeIfAsked turns this process into a lab's package server if it was started as such. TestMain of packages that use Hosts calls it first.
func ServeIfAsked() {
	if len(os.Args) == 4 && os.Args[1] == serve {
		fmt.Fprintln(os.Stderr, lab.ServeRepo(context.Background(), os.Args[2], os.Args[3]))
		os.Exit(1)
	}
}

// Hosts boots fresh hosts of these names, on the private network 10.77.<network> above the lab's internet segment, for as long as the test
// runs. The administrator's machine is the first address, hosts begin with the tenth.
func Hosts(t *testing.T, name string, network byte, names ...string) *lab.Lab {
	t.Helper()
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	self, err := os.Executable()
	must(err)
	segment := func(n byte) netip.Prefix { return netip.PrefixFrom(netip.AddrFrom4([4]byte{10, 77, n, 0}), 24) }
	l, err := lab.Open(lab.Config{
		Dir: lab.DefaultDir("../../.."), Name: name, ServeArgv: []string{self, serve}, Progress: t.Logf,
		Internet: segment(network - 1), Private: segment(network),
	})
	must(err)
	down := func() {
		if err := l.Down(context.Background()); err != nil {
			t.Error(err)
		}
	}
	down() // what an interrupted run left
	t.Cleanup(down)
	must(l.Prepare(t.Context()))
	var specs []lab.HostSpec
	for i, host := range names {
		specs = append(specs, lab.HostSpec{Name: host, Private: netip.AddrFrom4([4]byte{10, 77, network, byte(10 + i)})})
	}
	must(l.Boot(t.Context(), specs...))
	return l
}
