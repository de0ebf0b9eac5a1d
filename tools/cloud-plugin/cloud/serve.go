// Package cloud stands in for AWS where there is none, below the real Pulumi engine: it takes the resources that this project makes,
// refuses what AWS would refuse, and keeps what there is in a file that tests can look at. Machines, volumes and addresses are carried out
// by a process that has them, which is asked through a socket; without one they exist on paper.
//
// It is no emulator. A type of resource that is not in its tables is an error, as is an input that AWS requires and that is not there.
package cloud

import (
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"github.com/pulumi/pulumi/sdk/v3/go/common/util/rpcutil"
	pulumirpc "github.com/pulumi/pulumi/sdk/v3/proto/go"
	"google.golang.org/grpc"
)

// DirVariable names the environment variable with the directory in which the cloud is kept, MachinesVariable that with the socket of the
// process that has machines.
const (
	DirVariable      = "ICON_CLOUD_DIR"
	MachinesVariable = "ICON_CLOUD_MACHINES"
)

// Serve answers the engine until it is told to end: it prints its port, as plugins do.
func Serve(name, version string, kinds Kinds) error {
	cancel := make(chan bool)
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM)
	go func() {
		<-signals
		close(cancel)
	}()
	p := &provider{
		name: name, version: version, kinds: kinds,
		store: store{dir: os.Getenv(DirVariable)}, machines: machines{socket: os.Getenv(MachinesVariable)},
	}
	handle, err := rpcutil.ServeWithOptions(rpcutil.ServeOptions{
		Cancel: cancel,
		Init: func(s *grpc.Server) error {
			pulumirpc.RegisterResourceProviderServer(s, p)
			return nil
		},
	})
	if err != nil {
		return err
	}
	fmt.Fprintln(os.Stdout, handle.Port)
	return <-handle.Done
}
