package arena

import (
	"bufio"
	"context"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/insight-icon/pulumi-icon/internal/sentry"
)

// Look is what one moment was like.
type Look struct {
	// At is the time since the watch began.
	At time.Duration
	// PRep and Citizen are the nodes'.
	PRep, Citizen NodeLook
	// Banned are the addresses that the kernel of sentry 1 drops.
	Banned []Range
}

// NodeLook is one node's connections to its public port, memory and open files, and how many connections its host has taken so far.
type NodeLook struct {
	Connections, MiB, Files, Accepted int
	// peers are the connections of the P2P protocol, to and from the node, by their two ends.
	peers map[string]bool
}

// Watched is what happened while a watch went on.
type Watched struct {
	Looks []Look
	// SentryCPU is what the programs on sentry 1 used, SoftCPU what the kernel used on packets on the installation's processor, both in
	// percent of one processor. ForeignCPU is what everything outside the arena used of all processors.
	SentryCPU, SoftCPU, ForeignCPU float64
	// PeersLost are connections of the P2P protocol at the P-Rep that were there before the mark and are not any more.
	PeersLost int
	// Blocks of the chain since the mark; PRep is how the P-Rep signs them.
	Blocks []Block
	PRep   string
	// Limits that sentry 1 enforced since the mark, by their names, how often.
	Limits map[string]int
	// Ended are nodes and proxies that ended meanwhile.
	Ended []string
}

// Watch observes the arena until it is stopped.
type Watch struct {
	arena  *Arena
	begin  time.Time
	cancel context.CancelFunc
	done   chan struct{}
	looks  []Look
	marked cpuTimes
	limits map[string]int
	height int64
	kept   map[string]bool
}

// watchEvery is the time between two looks.
const watchEvery = 250 * time.Millisecond

// Watch begins to observe.
func (a *Arena) Watch(ctx context.Context) *Watch {
	ctx, cancel := context.WithCancel(ctx)
	w := &Watch{arena: a, begin: time.Now(), cancel: cancel, done: make(chan struct{})}
	go func() {
		defer close(w.done)
		tick := time.NewTicker(watchEvery)
		defer tick.Stop()
		for {
			w.looks = append(w.looks, a.look(w.begin))
			select {
			case <-ctx.Done():
				return
			case <-tick.C:
			}
		}
	}()
	return w
}

// Mark is called when the attack begins: what is counted is counted from here.
func (w *Watch) Mark(ctx context.Context) error {
	before := w.arena.look(w.begin)
	time.Sleep(500 * time.Millisecond)
	w.kept = map[string]bool{}
	for end := range w.arena.look(w.begin).PRep.peers {
		if before.PRep.peers[end] {
			w.kept[end] = true
		}
	}
	w.marked = w.arena.times()
	w.limits = w.arena.limits()
	var err error
	w.height, err = w.arena.chain.last(ctx)
	return err
}

// Stop ends the watch. Others are processors' seconds of the arena's own processes that have ended already.
func (w *Watch) Stop(ctx context.Context, others float64) (*Watched, error) {
	now := w.arena.times()
	last := w.arena.look(w.begin)
	w.cancel()
	<-w.done
	r := &Watched{Looks: w.looks, PRep: w.arena.chain.network.PRep}
	for end := range w.kept {
		if !last.PRep.peers[end] {
			r.PeersLost++
		}
	}
	seconds := now.at.Sub(w.marked.at).Seconds()
	r.SentryCPU = 100 * (now.sentry - w.marked.sentry) / seconds
	r.SoftCPU = 100 * (now.soft - w.marked.soft) / seconds
	r.ForeignCPU = max(0, 100*(now.busy-w.marked.busy-(now.ours-w.marked.ours)-others)/seconds)
	r.Limits = w.arena.limits()
	for name, n := range w.limits {
		if r.Limits[name] -= n; r.Limits[name] <= 0 {
			delete(r.Limits, name)
		}
	}
	for _, n := range w.arena.chain.nodes {
		if !n.alive() {
			r.Ended = append(r.Ended, strings.TrimPrefix(n.name, Prefix))
		}
	}
	for _, f := range w.arena.fronts {
		if !f.proxy.alive() {
			r.Ended = append(r.Ended, f.proxy.name)
		}
		if f.agent != nil && !f.agent.alive() {
			r.Ended = append(r.Ended, f.agent.name)
		}
	}
	height, err := w.arena.chain.last(ctx)
	if err != nil {
		return r, fmt.Errorf("the chain, as others see it: %w", err)
	}
	r.Blocks, err = w.arena.chain.blocks(ctx, w.height+1, height)
	return r, err
}

func (a *Arena) look(begin time.Time) Look {
	l := Look{At: time.Since(begin)}
	l.PRep = lookAt(a.chain.nodes[PRep], p2pPort)
	l.Citizen = lookAt(a.chain.nodes[Citizen], apiPort)
	if len(a.fronts) > 0 && a.fronts[0].spec.Kernel != "" {
		for _, set := range []string{sentry.SetBanned, sentry.SetBannedNets} {
			// A table that is being replaced is not there for a moment.
			if found, err := setElements(Sentry(1), set); err == nil {
				l.Banned = append(l.Banned, found...)
			}
		}
	}
	return l
}

func lookAt(n *node, port int) NodeLook {
	l := NodeLook{peers: map[string]bool{}}
	if n == nil || !n.alive() {
		return l
	}
	proc := filepath.Join("/proc", strconv.Itoa(n.pid()))
	if file, err := os.Open(filepath.Join(proc, "net/tcp")); err == nil {
		defer file.Close()
		lines := bufio.NewScanner(file)
		for lines.Scan() {
			fields := strings.Fields(lines.Text())
			if len(fields) < 4 || fields[3] != "01" {
				continue
			}
			local := strings.HasSuffix(fields[1], fmt.Sprintf(":%04X", port))
			if local {
				l.Connections++
			}
			if port == p2pPort && !strings.HasSuffix(fields[1], fmt.Sprintf(":%04X", apiPort)) {
				l.peers[fields[1]+"-"+fields[2]] = true
			}
		}
	}
	l.Accepted = passiveOpens(filepath.Join(proc, "net/snmp"))
	if text, err := os.ReadFile(filepath.Join(proc, "statm")); err == nil {
		if fields := strings.Fields(string(text)); len(fields) > 1 {
			pages, _ := strconv.Atoi(fields[1])
			l.MiB = pages * os.Getpagesize() >> 20
		}
	}
	if files, err := os.ReadDir(filepath.Join(proc, "fd")); err == nil {
		l.Files = len(files)
	}
	return l
}

// passiveOpens is the kernel's count of connections that were accepted in a namespace.
func passiveOpens(path string) int {
	text, err := os.ReadFile(path)
	if err != nil {
		return 0
	}
	for line := range strings.Lines(string(text)) {
		// The names come first, on a line that begins alike.
		fields := strings.Fields(line)
		if len(fields) > 6 && fields[0] == "Tcp:" {
			if n, err := strconv.Atoi(fields[6]); err == nil {
				return n
			}
		}
	}
	return 0
}

// cpuTimes are processors' seconds.
type cpuTimes struct {
	at                       time.Time
	sentry, soft, busy, ours float64
}

const ticks = 100 // in a second, on every Linux

func (a *Arena) times() cpuTimes {
	t := cpuTimes{at: time.Now(), ours: used(os.Getpid())}
	found, _ := filepath.Glob("/run/netns/" + Prefix + "*")
	for _, path := range found {
		pids, _ := pidsIn(path)
		for _, pid := range pids {
			u := used(pid)
			t.ours += u
			if filepath.Base(path) == Sentry(1) {
				t.sentry += u
			}
		}
	}
	text, _ := os.ReadFile("/proc/stat")
	for line := range strings.Lines(string(text)) {
		fields := strings.Fields(line)
		if len(fields) < 8 || !strings.HasPrefix(fields[0], "cpu") {
			continue
		}
		n := func(i int) float64 {
			v, _ := strconv.ParseFloat(fields[i], 64)
			return v / ticks
		}
		switch fields[0] {
		case "cpu":
			// User, nice, system and stolen; interrupts belong to nobody.
			t.busy = n(1) + n(2) + n(3) + n(8)
		case fmt.Sprintf("cpu%d", systemCPU):
			t.soft = n(7)
		}
	}
	return t
}

// used is what a process has used so far, in seconds.
func used(pid int) float64 {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return 0
	}
	// The name, in parentheses, may hold anything.
	fields := strings.Fields(string(text[strings.LastIndexByte(string(text), ')')+1:]))
	if len(fields) < 13 {
		return 0
	}
	user, _ := strconv.ParseFloat(fields[11], 64)
	system, _ := strconv.ParseFloat(fields[12], 64)
	return (user + system) / ticks
}

// Contained says whether any of the ranges has the address.
func Contained(ranges []Range, address netip.Addr) bool {
	for _, r := range ranges {
		if r.Contains(address) {
			return true
		}
	}
	return false
}
