// Package life gives the end-to-end tests a sandbox of their own and takes it away afterwards.
package life

import (
	"context"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/insight-icon/pulumi-icon/sandbox"
)

// Run opens the sandbox name on 10.77.<net>.0/24 and the network above it, unless change says otherwise, hands it to the tests, and gives the
// exit code: that of the tests, or 1 if anything of the sandbox is left.
func Run(m *testing.M, name string, network byte, use func(*sandbox.Sandbox), change ...func(*sandbox.Options)) int {
	project, err := root()
	if err != nil {
		return fail(err)
	}
	begin := time.Now()
	options := sandbox.Options{
		Project: project, Stack: name, Lab: name,
		Internet: netip.PrefixFrom(netip.AddrFrom4([4]byte{10, 77, network, 0}), 24),
		Private:  netip.PrefixFrom(netip.AddrFrom4([4]byte{10, 77, network + 1, 0}), 24),
		Progress: func(format string, args ...any) {
			fmt.Printf("[%5.1f s] %s\n", time.Since(begin).Seconds(), fmt.Sprintf(format, args...))
		},
	}
	for _, f := range change {
		f(&options)
	}
	box, err := sandbox.Open(options)
	if err != nil {
		return fail(err)
	}
	// What an interrupted run left.
	if err := box.Down(context.Background()); err != nil {
		return fail(err)
	}
	use(box)
	code := m.Run()
	if err := box.Down(context.Background()); err != nil {
		return fail(err)
	}
	return code
}

// root is the nearest directory upwards that holds Pulumi.yaml.
func root() (string, error) {
	dir, err := os.Getwd()
	if err != nil {
		return "", err
	}
	for ; ; dir = filepath.Dir(dir) {
		if _, err := os.Stat(filepath.Join(dir, "Pulumi.yaml")); err == nil || dir == filepath.Dir(dir) {
			return dir, err
		}
	}
}

func fail(err error) int {
	fmt.Fprintln(os.Stderr, err)
	return 1
}
