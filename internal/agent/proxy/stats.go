package proxy

import (
	"context"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Info is what HAProxy says of itself.
type Info struct {
	Version string
	// Process is its worker's number: another after a reload.
	Process string
	// Uptime of the worker: a reload begins anew.
	Uptime time.Duration
	// Connections are open now, of MaxConnections.
	Connections, MaxConnections uint64
}

// Info asks HAProxy for its version, uptime and connections.
func (c *Client) Info(ctx context.Context) (Info, error) {
	said, err := c.ask(ctx, "show info")
	if err != nil {
		return Info{}, err
	}
	if !strings.HasPrefix(said, "Name: ") {
		return Info{}, &Refusal{"show info", said}
	}
	var info Info
	for line := range strings.Lines(said) {
		name, value, _ := strings.Cut(strings.TrimSpace(line), ": ")
		number, _ := strconv.ParseUint(value, 10, 32)
		switch name {
		case "Version":
			info.Version = value
		case "Pid":
			info.Process = value
		case "Uptime_sec":
			info.Uptime = time.Duration(number) * time.Second
		case "CurrConns":
			info.Connections = number
		case "Maxconn":
			info.MaxConnections = number
		}
	}
	return info, nil
}

// Frontend is what HAProxy counts of one.
type Frontend struct {
	Name string
	// Open is false for one that takes no connections.
	Open bool
	// Sessions are open now, of MaxSessions. Total is how many there were since HAProxy started.
	Sessions, MaxSessions, Total uint64
}

// Frontends asks for the counters of all frontends, in the order of the configuration.
func (c *Client) Frontends(ctx context.Context) ([]Frontend, error) {
	// "-1 1 -1": of all proxies, what is a frontend, any.
	const command = "show stat -1 1 -1"
	said, err := c.ask(ctx, command)
	if err != nil {
		return nil, err
	}
	if !strings.HasPrefix(said, "# pxname,") {
		return nil, &Refusal{command, said}
	}
	return parseFrontends(said)
}

func parseFrontends(said string) ([]Frontend, error) {
	reader := csv.NewReader(strings.NewReader(strings.TrimPrefix(said, "# ")))
	reader.FieldsPerRecord = -1
	reader.LazyQuotes = true
	header, err := reader.Read()
	if err != nil {
		return nil, fmt.Errorf("HAProxy's statistics: %w", err)
	}
	at := map[string]int{}
	for _, name := range []string{"pxname", "svname", "status", "scur", "slim", "stot"} {
		if at[name] = slices.Index(header, name); at[name] < 0 {
			return nil, fmt.Errorf("HAProxy's statistics have no column %q", name)
		}
	}
	var all []Frontend
	for {
		row, err := reader.Read()
		if errors.Is(err, io.EOF) {
			return all, nil
		}
		if err != nil {
			return nil, fmt.Errorf("HAProxy's statistics: %w", err)
		}
		if len(row) <= slices.Max([]int{at["svname"], at["status"], at["scur"], at["slim"], at["stot"]}) || row[at["svname"]] != "FRONTEND" {
			continue
		}
		number := func(name string) uint64 {
			n, _ := strconv.ParseUint(row[at[name]], 10, 64)
			return n
		}
		all = append(all, Frontend{row[at["pxname"]], row[at["status"]] == "OPEN", number("scur"), number("slim"), number("stot")})
	}
}

// DisableFrontend has a frontend take no connection any more: they are refused, so that who dials goes to another sentry at once. Open ones
// go on. One that is disabled already stays so. A HAProxy that is reloaded or restarted opens it again.
func (c *Client) DisableFrontend(ctx context.Context, name string) error {
	return c.switchFrontend(ctx, "disable", name)
}

// EnableFrontend has it take connections again.
func (c *Client) EnableFrontend(ctx context.Context, name string) error {
	return c.switchFrontend(ctx, "enable", name)
}

func (c *Client) switchFrontend(ctx context.Context, to, name string) error {
	if err := words(name); err != nil {
		return err
	}
	command := to + " frontend " + name
	said, err := c.ask(ctx, command)
	if err != nil {
		return err
	}
	if said = strings.TrimSpace(said); said != "" && said != "All sockets are already "+to+"d." {
		return &Refusal{command, said}
	}
	return nil
}

// ShutdownSessions ends all sessions of some frontends, and says how many there were.
func (c *Client) ShutdownSessions(ctx context.Context, frontends ...string) (int, error) {
	said, err := c.ask(ctx, "show sess")
	if err != nil {
		return 0, err
	}
	ended := 0
	for _, id := range parseSessions(said, frontends) {
		// One that has ended by itself in between is none to complain about.
		said, err := c.ask(ctx, "shutdown session "+id)
		if err != nil {
			return ended, err
		}
		if strings.TrimSpace(said) == "" {
			ended++
		}
	}
	return ended, nil
}

// parseSessions finds the sessions of some frontends in lines like "0x55d4: proto=tcpv4 src=192.0.2.7:4 fe=p2p be=prep …".
func parseSessions(said string, frontends []string) []string {
	var all []string
	for line := range strings.Lines(said) {
		fields := strings.Fields(line)
		if len(fields) == 0 || !strings.HasPrefix(fields[0], "0x") || !strings.HasSuffix(fields[0], ":") {
			continue
		}
		id := strings.TrimSuffix(fields[0], ":")
		if words(id) == nil && slices.ContainsFunc(frontends, func(f string) bool { return slices.Contains(fields, "fe="+f) }) {
			all = append(all, id)
		}
	}
	return all
}
