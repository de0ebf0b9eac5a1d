package sandbox

import (
	"context"
	"fmt"
	"io"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Figures are what a deployment costs.
type Figures struct {
	// Up is from booted hosts to the end of `pulumi up`, Producing from booted hosts to the first block that our P-Rep proposed, NoChange
	// the time of an up without a change.
	Up, Producing, NoChange time.Duration
	// Hosts of the stack.
	Hosts []HostFigures
	// Shared are the resources that belong to no host.
	Shared int
}

// HostFigures are those of one host.
type HostFigures struct {
	Name string
	// Connections is the number of SSH logins during the first up.
	Connections int
	// Resources of the stack that belong to this host.
	Resources int
	// Steps by name, as measured on the host.
	Steps map[string]time.Duration
}

// stepNames in the order in which they run.
var stepNames = []string{"ready", "harden", "key", "guard", "service", "verify"}

// Measure deploys on freshly booted hosts and takes the figures. Tools and images must have been prepared.
func (s *Sandbox) Measure(ctx context.Context) (*Figures, error) {
	if err := s.Boot(ctx); err != nil {
		return nil, err
	}
	if err := s.Configure(ctx); err != nil {
		return nil, err
	}
	if err := s.SetKey(ctx); err != nil {
		return nil, err
	}
	f := &Figures{}
	booted := time.Now()
	result, err := s.Engine.Up(ctx)
	if err != nil {
		return nil, err
	}
	f.Up = time.Since(booted)
	if err := s.waitProposed(ctx); err != nil {
		return nil, err
	}
	f.Producing = time.Since(booted)
	var names []string
	for _, step := range result.Steps {
		names = append(names, step.Name)
	}
	f.Shared = len(names)
	for _, host := range slices.Concat([]string{PRepHost}, s.Layout.Sentries, s.Layout.Citizens) {
		h, err := s.measureHost(ctx, host, names)
		if err != nil {
			return nil, err
		}
		f.Hosts = append(f.Hosts, *h)
		f.Shared -= h.Resources
	}
	again := time.Now()
	if _, err := s.Engine.Up(ctx); err != nil {
		return nil, err
	}
	f.NoChange = time.Since(again)
	return f, nil
}

// waitProposed waits until the network holds a block of our P-Rep.
func (s *Sandbox) waitProposed(ctx context.Context) error {
	for deadline := time.Now().Add(3 * time.Minute); time.Now().Before(deadline); time.Sleep(200 * time.Millisecond) {
		b, err := s.Block(ctx, PeerHost, 0)
		if err != nil {
			return err
		}
		if b.Proposer == s.Peers.PRep {
			return nil
		}
	}
	return fmt.Errorf("the P-Rep %s proposed no block within 3 minutes", s.Peers.PRep)
}

var stepDone = regexp.MustCompile(`(?m)^=== done, \d+ changed, (\d+) ms$`)

func (s *Sandbox) measureHost(ctx context.Context, host string, resources []string) (*HostFigures, error) {
	h := &HostFigures{Name: host, Steps: map[string]time.Duration{}}
	for _, r := range resources {
		// The P-Rep's own resources keep their name when it moves.
		ofPRep := host == PRepHost && (r == "prep" || r == "prep-service" || r == "prep-verify")
		if ofPRep || r == host || strings.HasPrefix(r, host+"-") || strings.Contains(r, "-"+host) {
			h.Resources++
		}
	}
	logins, err := s.Lab.Exec(ctx, host, nil, "bash", "-c", "journalctl -u ssh --no-pager -o cat | grep -c 'Accepted publickey'")
	if err != nil {
		return nil, err
	}
	if h.Connections, err = strconv.Atoi(strings.TrimSpace(logins)); err != nil {
		return nil, err
	}
	for _, step := range stepNames {
		log, err := s.Lab.Exec(ctx, host, nil, "bash", "-c", "cat /var/log/icon/"+step+".log 2>/dev/null || true")
		if err != nil {
			return nil, err
		}
		if m := stepDone.FindStringSubmatch(log); m != nil {
			ms, err := strconv.Atoi(m[1])
			if err != nil {
				return nil, err
			}
			h.Steps[step] = time.Duration(ms) * time.Millisecond
		}
	}
	return h, nil
}

// Write prints the figures as a table.
func (f *Figures) Write(w io.Writer) {
	fmt.Fprintf(w, "\npulumi up on %d booted hosts        %6.1f s\n", len(f.Hosts), f.Up.Seconds())
	fmt.Fprintf(w, "booted hosts to our first block   %6.1f s\n", f.Producing.Seconds())
	fmt.Fprintf(w, "pulumi up without a change        %6.1f s\n\n", f.NoChange.Seconds())
	fmt.Fprintf(w, "%-12s %9s %11s", "host", "resources", "connections")
	for _, step := range stepNames {
		fmt.Fprintf(w, " %8s", step)
	}
	fmt.Fprintln(w)
	for _, h := range f.Hosts {
		fmt.Fprintf(w, "%-12s %9d %11d", h.Name, h.Resources, h.Connections)
		for _, step := range stepNames {
			if d, ok := h.Steps[step]; ok {
				fmt.Fprintf(w, " %6.1f s", d.Seconds())
			} else {
				fmt.Fprintf(w, " %8s", "-")
			}
		}
		fmt.Fprintln(w)
	}
	fmt.Fprintf(w, "resources that belong to no host: %d\n", f.Shared)
}
