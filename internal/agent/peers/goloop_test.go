package peers

import (
	"context"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/insight-icon/pulumi-icon/internal/sentry"
	"github.com/insight-icon/pulumi-icon/sandbox/lab"
	"github.com/insight-icon/pulumi-icon/sandbox/tools"
	"github.com/insight-icon/pulumi-icon/tests/host"
)

// network starts two validators of a chain without P-Reps, on addresses of their own.
const network = `set -euo pipefail
cd "$1"
goloop=$2
ip link set lo up
ip address add 10.77.0.1/32 dev lo
ip address add 10.77.0.2/32 dev lo
for n in 1 2; do "$goloop" ks gen -o $n.json -p test >/dev/null; done
"$goloop" gn gen -o genesis.json -c blockInterval=0x1f4 1.json 2.json >/dev/null
"$goloop" gs gen -o genesis.zip -i genesis.json >/dev/null
cid=$("$goloop" gs info -c genesis.zip)
for n in 1 2; do
  "$goloop" server start --node_dir $n --node_sock $n/cli.sock --key_store $n.json --key_password test --p2p 10.77.0.$n:7100 \
    --p2p_listen 10.77.0.$n:7100 --rpc_addr 10.77.0.$n:9000 --engines none --console_level error --log_level error >$n.log 2>&1 &
done
for n in 1 2; do
  until "$goloop" system info -s $n/cli.sock >/dev/null 2>&1; do sleep 0.1; done
  "$goloop" chain join -s $n/cli.sock --genesis genesis.zip --channel icon_dex --auto_start --role 3 --seed 10.77.0.1:7100 >/dev/null
  "$goloop" chain start -s $n/cli.sock "$cid" >/dev/null
done
"$3" -test.run '^TestTheValidatorsThatARealNodeSeesAreOnTheList$'
`

func TestTheValidatorsThatARealNodeSeesAreOnTheList(t *testing.T) {
	if os.Getenv("ICON_PEERS_INSIDE") != "" {
		insideTheNetwork(t)
		return
	}
	goloop, err := tools.One(t.Context(), filepath.Join(lab.DefaultDir("../../.."), "tools"), "goloop", t.Logf)
	if err != nil {
		t.Fatal(err)
	}
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := host.Isolated("timeout", "90", "bash", "-c", network, "bash", t.TempDir(), goloop, self)
	cmd.Env = append(os.Environ(), "ICON_PEERS_INSIDE=1")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
}

// insideTheNetwork is the half of the test above that runs beside the nodes.
func insideTheNetwork(t *testing.T) {
	t.Helper()
	k, err := New(sentry.AgentPeers{
		Mode: sentry.PeersEnforce, Own: []string{"http://10.77.0.1:9000"}, Channel: "icon_dex", RefreshSeconds: 1,
	}, t.TempDir(), slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 60*time.Second)
	defer cancel()
	_ = k.Run(ctx, func(l List) error {
		if slices.Equal(l.Lines(), []string{"10.77.0.2"}) && l.Enforce {
			cancel()
		}
		return nil
	})
	if s := k.Status(); s.Sources[Observed] != 1 || s.Sources[Chain] != 0 || !s.Enforced {
		t.Errorf("status: %+v", s)
	}
	// The first block has no time. From the next on, the node is believed, and says that there are no P-Reps.
	var got Fetched
	var problems []error
	for range 100 {
		if got, problems = k.fetch(t.Context()); len(problems) == 0 {
			break
		}
		time.Sleep(100 * time.Millisecond)
	}
	if len(problems) != 0 || !got.Heard || len(got.Observed) != 1 || got.Chain != nil {
		t.Errorf("%+v, %v", got, problems)
	}
}
