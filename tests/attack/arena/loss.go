package arena

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// Kill ends everything on a sentry at once, as a crash would.
func (a *Arena) Kill(n int) error {
	f := a.fronts[n-1]
	if f.agent != nil {
		f.agent.kill()
	}
	f.proxy.kill()
	return nil
}

// Cut lets no packet through to or from a sentry any more, without telling anybody: on the internet's side, or on both.
func (a *Arena) Cut(ctx context.Context, n int, both bool) error {
	rule := `iifname "inet" drop`
	if both {
		rule = `iifname != "lo" drop`
	}
	// What goes out is lost, too: an answer would tell.
	out := strings.Replace(rule, "iifname", "oifname", 1)
	return a.load(ctx, Sentry(n), fmt.Sprintf(`table inet cut {
	chain in { type filter hook prerouting priority -500; %s; }
	chain out { type filter hook postrouting priority 500; %s; }
}`, rule, out))
}

// Peers of the P-Rep among the other validators.
type Peers struct {
	// All have a connection with it; Elsewhere are those that have one which does not lead over a certain sentry.
	All, Elsewhere int
}

// Validators counts the other validators that have a connection with the P-Rep, as their own hosts see it. Those over sentry n don't
// count as elsewhere.
func (a *Arena) Validators(_ context.Context, n int) (Peers, error) {
	var p Peers
	for i := range validators {
		ends, err := sentriesOf(a.chain.nodes[validator(i+1)])
		if err != nil {
			return p, err
		}
		if len(ends) > 0 {
			p.All++
		}
		for sentry := range ends {
			if sentry != n {
				p.Elsewhere++
				break
			}
		}
	}
	return p, nil
}

// sentriesOf are the sentries, from 1, with which a validator has a P2P connection that carries data.
func sentriesOf(n *node) (map[int]bool, error) {
	file, err := os.Open(filepath.Join("/proc", strconv.Itoa(n.pid()), "net/tcp"))
	if err != nil {
		return nil, err
	}
	defer file.Close()
	ends := map[int]bool{}
	lines := bufio.NewScanner(file)
	for lines.Scan() {
		fields := strings.Fields(lines.Text())
		if len(fields) < 4 || fields[3] != "01" {
			continue
		}
		for i, address := range sentriesAt {
			b := address.As4()
			if strings.HasPrefix(fields[2], fmt.Sprintf("%02X%02X%02X%02X:", b[3], b[2], b[1], b[0])) {
				ends[i+1] = true
			}
		}
	}
	return ends, lines.Err()
}

// Height is the chain's, as a validator sees it that nobody attacks.
func (a *Arena) Height(ctx context.Context) (int64, error) { return a.chain.last(ctx) }

// Blocks are the chain's from a height on, and how the P-Rep signs them.
func (a *Arena) Blocks(ctx context.Context, from int64) ([]Block, string, error) {
	last, err := a.chain.last(ctx)
	if err != nil {
		return nil, "", err
	}
	blocks, err := a.chain.blocks(ctx, from, last)
	return blocks, a.chain.network.PRep, err
}
