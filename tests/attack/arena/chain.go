package arena

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/insight-icon/pulumi-icon/internal/goloop"
	"github.com/insight-icon/pulumi-icon/sandbox/peers"
)

const (
	p2pPort = 7100
	apiPort = 9000
	// nodeData is the memory a node may take, in bytes: one that takes more ends, in place of the machine.
	nodeData = 4 << 30
)

// hardened is what the hardening of the hosts of our own nodes changes of how they lose a peer; other validators have the kernel's own.
const hardened = "net.ipv4.tcp_retries2 = 4\n"

// chain is the network's nodes: three validators of others, the P-Rep and a citizen.
type chain struct {
	mu      sync.Mutex
	network *peers.Network
	nodes   map[string]*node
	// outside asks a validator that nobody attacks.
	outside *http.Client
}

type node struct {
	*process
	namespace, key string
}

// startChain starts the nodes, each with an empty chain, and waits until the P-Rep takes part.
func (a *Arena) startChain(ctx context.Context, network *peers.Network, sessions int) error {
	a.chain = &chain{network: network, nodes: map[string]*node{}, outside: client(Honest)}
	for _, ours := range []string{PRep, Citizen} {
		if err := a.set(ctx, ours, hardened); err != nil {
			return err
		}
	}
	prepListens, prepAnnounces, citizenListens := privatePRep, Announced, privateCitizen
	var seeds []string
	for _, v := range validators {
		seeds = append(seeds, at(v, p2pPort))
	}
	prepSeeds, citizenSeeds := seeds, []string{at(privatePRep, p2pPort)}
	if a.direct {
		prepListens, citizenListens = openPRep, openCitizen
		citizenSeeds = []string{at(openPRep, p2pPort)}
	} else if !a.egress {
		prepSeeds = nil
		for _, sentry := range privateSentries {
			for _, port := range goloop.RelayPorts(len(seeds)) {
				prepSeeds = append(prepSeeds, at(sentry, port))
			}
		}
	}
	errs := make(chan error)
	launch := func(namespace, key string, listens netip.Addr, announces string, role int, seeds []string, cpu, sessions int) {
		go func() { errs <- a.startNode(ctx, namespace, key, listens, announces, role, seeds, cpu, sessions) }()
	}
	for i, v := range validators {
		launch(validator(i+1), fmt.Sprintf("validator-%d", i+2), v, v.String(), 3, seeds, worldCPU, 0)
	}
	launch(PRep, "prep", prepListens, prepAnnounces, 3, prepSeeds, systemCPU, 0)
	launch(Citizen, "seed", citizenListens, citizenListens.String(), 1, citizenSeeds, systemCPU, sessions)
	var all error
	for range len(validators) + 2 {
		all = errors.Join(all, <-errs)
	}
	if all != nil {
		return all
	}
	return a.awaitChain(ctx)
}

func at(address netip.Addr, port int) string {
	return netip.AddrPortFrom(address, uint16(port)).String()
}

func (a *Arena) startNode(
	ctx context.Context, namespace, key string, listens netip.Addr, announces string, role int, seeds []string, cpu, sessions int,
) error {
	dir := filepath.Join(a.dir, namespace)
	socket := filepath.Join(dir, "cli.sock")
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	secret := filepath.Join(a.opts.Network, key)
	p, err := a.start(namespace, namespace, dir, cpu, rankNode, "prlimit", fmt.Sprintf("--data=%d", nodeData),
		a.opts.Goloop, "server", "start", "--node_dir", dir, "--node_sock", socket,
		"--key_store", secret+".json", "--key_secret", secret+".password",
		"--p2p", fmt.Sprintf("%s:%d", announces, p2pPort), "--p2p_listen", at(listens, p2pPort), "--rpc_addr", at(listens, apiPort),
		"--engines", "none", "--log_level", "info", "--console_level", "info")
	if err != nil {
		return err
	}
	n := &node{process: p, namespace: namespace, key: key}
	err = await(ctx, namespace+": goloop's socket", 60*time.Second, func() error {
		if !p.alive() {
			return fmt.Errorf("%s ended: %s", namespace, p.tail())
		}
		_, err := a.goloop(ctx, "system", "info", "-s", socket)
		return err
	})
	if err == nil && sessions > 0 {
		_, err = a.goloop(ctx, "system", "config", "-s", socket, "wsMaxSession", fmt.Sprint(sessions))
	}
	if err == nil {
		_, err = a.goloop(ctx, "chain", "join", "-s", socket, "--genesis", a.chain.network.Genesis(),
			"--channel", peers.Channel, "--auto_start", "--role", fmt.Sprint(role), "--seed", strings.Join(seeds, ","))
	}
	if err == nil {
		_, err = a.goloop(ctx, "chain", "start", "-s", socket, a.chain.network.CID)
	}
	if err != nil {
		return fmt.Errorf("%s: %w", namespace, err)
	}
	a.chain.mu.Lock()
	defer a.chain.mu.Unlock()
	a.chain.nodes[namespace] = n
	return nil
}

func (a *Arena) goloop(ctx context.Context, args ...string) (string, error) {
	out, err := exec.CommandContext(ctx, a.opts.Goloop, args...).CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("goloop %s: %w: %s", strings.Join(args[:2], " "), err, out)
	}
	return string(out), nil
}

// awaitChain waits until the P-Rep has proposed twice and the citizen follows.
func (a *Arena) awaitChain(ctx context.Context) error {
	citizen := privateCitizen
	if a.direct {
		citizen = openCitizen
	}
	near := client(Citizen)
	return await(ctx, "a chain to which the P-Rep contributes", 60*time.Second, func() error {
		last, err := a.chain.last(ctx)
		if err != nil {
			return err
		}
		blocks, err := a.chain.blocks(ctx, max(1, last-8), last)
		if err != nil {
			return err
		}
		proposed := 0
		for _, b := range blocks {
			if b.Proposer == a.chain.network.PRep {
				proposed++
			}
		}
		if proposed < 2 {
			return fmt.Errorf("height %d, the P-Rep proposed %d of the last %d", last, proposed, len(blocks))
		}
		var behind struct{ Height int64 }
		if err := ask(ctx, near, at(citizen, apiPort), "icx_getLastBlock", nil, &behind); err != nil {
			return err
		}
		if behind.Height < last-3 {
			return fmt.Errorf("the citizen is at height %d, the chain at %d", behind.Height, last)
		}
		return nil
	})
}

// Block is one of the chain, as far as it tells who took part.
type Block struct {
	Height   int64  `json:"height"`
	Proposer string `json:"peer_id"`
	// Micros is the block's own time.
	Micros int64 `json:"time_stamp"`
}

func (c *chain) last(ctx context.Context) (int64, error) {
	var b Block
	err := ask(ctx, c.outside, at(validators[1], apiPort), "icx_getLastBlock", nil, &b)
	return b.Height, err
}

func (c *chain) blocks(ctx context.Context, from, to int64) ([]Block, error) {
	var all []Block
	for h := from; h <= to; h++ {
		var b Block
		height := map[string]string{"height": fmt.Sprintf("0x%x", h)}
		if err := ask(ctx, c.outside, at(validators[1], apiPort), "icx_getBlockByHeight", height, &b); err != nil {
			return nil, err
		}
		all = append(all, b)
	}
	return all, nil
}

// client asks from within a namespace.
func client(namespace string) *http.Client {
	dial := func(ctx context.Context, network, address string) (conn net.Conn, err error) {
		inner := inside(namespace, func() error {
			conn, err = (&net.Dialer{}).DialContext(ctx, network, address)
			return err
		})
		return conn, inner
	}
	return &http.Client{Timeout: 5 * time.Second, Transport: &http.Transport{DialContext: dial, IdleConnTimeout: 30 * time.Second}}
}

func ask(ctx context.Context, from *http.Client, where, method string, params, result any) error {
	question := map[string]any{"jsonrpc": "2.0", "id": 1, "method": method}
	if params != nil {
		question["params"] = params
	}
	text, err := json.Marshal(question)
	if err != nil {
		return err
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://"+where+"/api/v3/"+peers.Channel, bytes.NewReader(text))
	if err != nil {
		return err
	}
	request.Header.Set("Content-Type", "application/json")
	response, err := from.Do(request)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	body, err := io.ReadAll(io.LimitReader(response.Body, 1<<20))
	if err != nil {
		return err
	}
	var answer struct {
		Result json.RawMessage
		Error  *struct{ Message string }
	}
	if err := json.Unmarshal(body, &answer); err != nil {
		return fmt.Errorf("%s: %s: %w", method, response.Status, err)
	}
	if answer.Error != nil {
		return fmt.Errorf("%s: %s", method, answer.Error.Message)
	}
	return json.Unmarshal(answer.Result, result)
}
