package sandbox

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/insight-icon/pulumi-icon/sandbox/lab"
	"github.com/insight-icon/pulumi-icon/sandbox/peers"
)

// Report is what came of a deployment, asked of the nodes and the network themselves.
type Report struct {
	// Heights by host; the network's is under PeerHost.
	Heights map[string]int64
	// Window is the number of latest blocks that were looked at, Proposed those of them that our P-Rep proposed.
	Window, Proposed int64
	// Address of the P-Rep's node key.
	Address string
	// PeersOfPRep are the addresses that the P-Rep has P2P connections with.
	PeersOfPRep []string
	// Scans of the P-Rep's address from the internet segment.
	Scans []Scan
	// Problems are what should not be so. Empty when all is well.
	Problems []string
}

// Scan is one look at the P-Rep from the internet segment.
type Scan struct {
	// From which host, and Via which gateway (as an attacker would try), "" for the host's own routes.
	From, Via string
	Result    lab.ScanResult
}

// goloopOf is where the goloop tool is on a host.
func goloopOf(host string) string {
	if host == PeerHost {
		return "/usr/local/bin/goloop"
	}
	return "/usr/local/lib/icon/goloop"
}

type block struct {
	Height   int64  `json:"height"`
	Proposer string `json:"peer_id"`
}

// Block asks a host's node for a block; height 0 is the last.
func (s *Sandbox) Block(ctx context.Context, host string, height int64) (block, error) {
	var b block
	args := []string{goloopOf(host), "rpc", "--uri", peers.RPC, "lastblock"}
	if height > 0 {
		args = []string{goloopOf(host), "rpc", "--uri", peers.RPC, "blockbyheight", fmt.Sprintf("0x%x", height)}
	}
	out, err := s.Lab.Exec(ctx, host, nil, args...)
	if err != nil {
		return b, err
	}
	return b, json.Unmarshal([]byte(out), &b)
}

// WaitHeight waits until the network has reached a height.
func (s *Sandbox) WaitHeight(ctx context.Context, host string, height int64, wait time.Duration) error {
	deadline := time.Now().Add(wait)
	for {
		b, err := s.Block(ctx, host, 0)
		if err == nil && b.Height >= height {
			return nil
		}
		if time.Now().After(deadline) {
			return fmt.Errorf("host %s: height %d not reached within %s: at %d (%w)", host, height, wait, b.Height, err)
		}
		time.Sleep(500 * time.Millisecond)
	}
}

// Proposed counts how many of the latest blocks our P-Rep proposed.
func (s *Sandbox) Proposed(ctx context.Context, window int64) (proposed int64, err error) {
	last, err := s.Block(ctx, PeerHost, 0)
	if err != nil {
		return 0, err
	}
	for h := last.Height - window + 1; h <= last.Height; h++ {
		b, err := s.Block(ctx, PeerHost, h)
		if err != nil {
			return 0, err
		}
		if b.Proposer == s.Peers.PRep {
			proposed++
		}
	}
	return proposed, nil
}

// Look makes the report. It waits for a window of blocks that were made after the P-Rep had joined. The scans of the P-Rep's address
// take about 20 s for each way that leads nowhere; without them, the rest is looked at.
func (s *Sandbox) Look(ctx context.Context, window int64, scans bool) (*Report, error) {
	r := &Report{Heights: map[string]int64{}, Window: window, Address: s.Peers.PRep}
	first, err := s.Block(ctx, PeerHost, 0)
	if err != nil {
		return nil, err
	}
	s.opts.Progress("waiting for the P-Rep to reach the network's height %d", first.Height)
	if err := s.WaitHeight(ctx, PRepHost, first.Height, 5*time.Minute); err != nil {
		return nil, err
	}
	s.opts.Progress("waiting for %d more blocks", window)
	first, err = s.Block(ctx, PeerHost, 0)
	if err != nil {
		return nil, err
	}
	if err := s.WaitHeight(ctx, PeerHost, first.Height+window, time.Duration(window)*3*time.Second); err != nil {
		return nil, err
	}
	if r.Proposed, err = s.Proposed(ctx, window); err != nil {
		return nil, err
	}
	for _, host := range append([]string{PeerHost, PRepHost}, s.Layout.Citizens...) {
		b, err := s.Block(ctx, host, 0)
		if err != nil {
			return nil, err
		}
		r.Heights[host] = b.Height
	}
	if err := s.peersOfPRep(ctx, r); err != nil {
		return nil, err
	}
	if scans {
		if err := s.scanPRep(ctx, r); err != nil {
			return nil, err
		}
	}
	r.judge()
	return r, nil
}

// peersOfPRep lists the other ends of the P-Rep's P2P connections and names those that are no sentry.
func (s *Sandbox) peersOfPRep(ctx context.Context, r *Report) error {
	const p2p = "( sport = :7100 or ( dport >= :7100 and dport <= :7132 ) )"
	out, err := s.Lab.Exec(ctx, PRepHost, nil, "ss", "-Htn", "state", "established", p2p)
	if err != nil {
		return err
	}
	var allowed []string
	for _, name := range s.Layout.Sentries {
		allowed = append(allowed, s.spec(name).Private.String())
	}
	for _, line := range strings.Split(strings.TrimSpace(out), "\n") {
		f := strings.Fields(line)
		if len(f) < 4 {
			continue
		}
		peer := strings.TrimPrefix(f[3][:strings.LastIndex(f[3], ":")], "::ffff:")
		peer = strings.Trim(strings.TrimPrefix(peer, "[::ffff:"), "[]")
		r.PeersOfPRep = append(r.PeersOfPRep, peer)
		if !slices.Contains(allowed, peer) {
			r.Problems = append(r.Problems, fmt.Sprintf("the P-Rep has a P2P connection with %s, which is no sentry", peer))
		}
	}
	slices.Sort(r.PeersOfPRep)
	return nil
}

// scanPRep tries every TCP port of the P-Rep from the internet segment: by the attacker's own routes, and with each sentry as gateway.
func (s *Sandbox) scanPRep(ctx context.Context, r *Report) error {
	prep := s.spec(PRepHost).Private
	gateways := []string{""}
	for _, name := range s.Layout.Sentries {
		gateways = append(gateways, s.spec(name).Internet.String())
	}
	for _, gateway := range gateways {
		s.opts.Progress("scanning all ports of the P-Rep from the internet segment %s", via(gateway))
		if gateway != "" {
			if _, err := s.Lab.Exec(ctx, PeerHost, nil, "ip", "route", "replace", prep.String()+"/32", "via", gateway); err != nil {
				return err
			}
		}
		result, err := s.Lab.ScanPorts(ctx, PeerHost, prep, 1, 65535)
		if gateway != "" {
			if _, err := s.Lab.Exec(ctx, PeerHost, nil, "ip", "route", "del", prep.String()+"/32"); err != nil {
				return err
			}
		}
		if err != nil {
			return err
		}
		r.Scans = append(r.Scans, Scan{From: PeerHost, Via: gateway, Result: result})
	}
	return nil
}

func (r *Report) judge() {
	for _, s := range r.Scans {
		if len(s.Result.Open)+s.Result.Refused > 0 {
			r.Problems = append(r.Problems, fmt.Sprintf("the P-Rep answers %s %s: open %v, refused %d",
				s.From, via(s.Via), s.Result.Open, s.Result.Refused))
		}
	}
	if r.Proposed == 0 {
		r.Problems = append(r.Problems, fmt.Sprintf("the P-Rep proposed none of the last %d blocks", r.Window))
	}
	network := r.Heights[PeerHost]
	for host, h := range r.Heights {
		if h < network-5 || h > network+5 {
			r.Problems = append(r.Problems, fmt.Sprintf("%s is at height %d, the network at %d", host, h, network))
		}
	}
	slices.Sort(r.Problems)
}

func via(gateway string) string {
	if gateway == "" {
		return "directly"
	}
	return "by way of the sentry " + gateway
}

// Write prints the report for a person.
func (r *Report) Write(w io.Writer) {
	fmt.Fprintf(w, "\nheights\n")
	hosts := make([]string, 0, len(r.Heights))
	for h := range r.Heights {
		hosts = append(hosts, h)
	}
	slices.Sort(hosts)
	for _, h := range hosts {
		fmt.Fprintf(w, "  %-12s %d\n", h, r.Heights[h])
	}
	fmt.Fprintf(w, "\nblocks\n  our P-Rep %s proposed %d of the last %d blocks, through the sentries\n", r.Address, r.Proposed, r.Window)
	fmt.Fprintf(w, "  its P2P connections are with %s: sentries only\n", strings.Join(slices.Compact(slices.Clone(r.PeersOfPRep)), ", "))
	fmt.Fprintf(w, "\nthe P-Rep's address, seen from the internet segment, all 65535 TCP ports\n")
	for _, s := range r.Scans {
		fmt.Fprintf(w, "  from %s %s: %d open, %d refused, %d unreachable, %d silent\n", s.From, via(s.Via),
			len(s.Result.Open), s.Result.Refused, s.Result.Unreachable, s.Result.Silent)
	}
	if len(r.Problems) == 0 {
		fmt.Fprintf(w, "\nall is well\n")
		return
	}
	fmt.Fprintf(w, "\nproblems\n")
	for _, p := range r.Problems {
		fmt.Fprintf(w, "  %s\n", p)
	}
}
