package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/insight-icon/pulumi-icon/internal/agent"
	"github.com/insight-icon/pulumi-icon/internal/agent/bans"
	"github.com/insight-icon/pulumi-icon/internal/agent/peers"
)

func writeJSON(out io.Writer, value any) error {
	encoder := json.NewEncoder(out)
	encoder.SetIndent("", "  ")
	return encoder.Encode(value)
}

// table writes lines whose cells are separated by tabs.
func table(out io.Writer, lines []string) error {
	w := tabwriter.NewWriter(out, 0, 8, 2, ' ', 0)
	for _, l := range lines {
		if _, err := io.WriteString(w, l+"\n"); err != nil {
			return err
		}
	}
	return w.Flush()
}

// in is how long until t, in whole seconds.
func in(t time.Time) string {
	if left := time.Until(t); left > 0 {
		return left.Round(time.Second).String()
	}
	return "ended " + time.Since(t).Round(time.Second).String() + " ago"
}

func status(ctx context.Context, args []string, out io.Writer) error {
	o := newOptions("status")
	client, err := o.only(args)
	if err != nil {
		return err
	}
	s, err := client.Status(ctx)
	if err != nil {
		return err
	}
	if *o.json {
		return writeJSON(out, s)
	}
	lines := []string{"agent\tup for " + time.Since(s.Started).Round(time.Second).String()}
	for _, name := range slices.Sorted(maps.Keys(s.Parts)) {
		p := s.Parts[name]
		text := "well"
		if name == "haproxy" && p.OK {
			text += ", " + s.HAProxy
		}
		if !p.OK {
			text = "AWAY for " + time.Since(p.Since).Round(time.Second).String() + ": " + p.Error
		}
		lines = append(lines, name+"\t"+text)
	}
	for _, name := range slices.Sorted(maps.Keys(s.Connections)) {
		lines = append(lines, fmt.Sprintf("frontend %s\t%d connections", name, s.Connections[name]))
	}
	lines = append(lines, fmt.Sprintf("bans\t%d", s.Bans), fmt.Sprintf("proven\t%d addresses", s.Proven))
	if s.Peers != nil {
		lines = append(lines, peersLines(*s.Peers)...)
	}
	if c := s.Certificate; c != nil {
		text := string(c.State)
		if c.NotAfter != nil {
			text += ", ends " + c.NotAfter.UTC().Format(time.DateTime) + " UTC"
		}
		if c.LastError != "" {
			text += "; last error: " + c.LastError
		}
		lines = append(lines, "certificate\t"+text)
	}
	if s.Drain != nil {
		lines = append(lines, "drain\t"+drainLine(*s.Drain))
	}
	return table(out, lines)
}

func peersLines(s peers.Status) []string {
	text := fmt.Sprintf("%d, mode %s", s.Size, s.Mode)
	if s.Enforced {
		text += ": strangers are refused"
	}
	if s.AgeSeconds >= 0 {
		text += fmt.Sprintf(", heard %s ago", (time.Duration(s.AgeSeconds) * time.Second).String())
	}
	lines := []string{"peers\t" + text}
	if s.Refused != "" {
		lines = append(lines, "peers refused\t"+s.Refused)
	}
	for _, e := range s.Errors {
		lines = append(lines, "peers error\t"+e)
	}
	return lines
}

func peersCommand(ctx context.Context, args []string, out io.Writer) error {
	o := newOptions("peers")
	client, err := o.only(args)
	if err != nil {
		return err
	}
	p, err := client.Peers(ctx)
	if err != nil {
		return err
	}
	if *o.json {
		return writeJSON(out, p)
	}
	lines := peersLines(p.Status)
	for _, e := range p.Entries {
		var sources []string
		for _, s := range slices.Sorted(maps.Keys(e.Seen)) {
			sources = append(sources, string(s))
		}
		lines = append(lines, bans.Name(e.Prefix)+"\t"+strings.Join(sources, ", "))
	}
	return table(out, lines)
}

func drainCommand(ctx context.Context, args []string, out io.Writer) error {
	o := newOptions("drain")
	client, err := o.only(args, "status")
	if err != nil {
		return err
	}
	d, err := client.Drain(ctx)
	if err != nil {
		return err
	}
	if *o.json {
		return writeJSON(out, d)
	}
	_, err = io.WriteString(out, drainLine(d)+"\n")
	return err
}

func drainLine(d agent.DrainStatus) string {
	if d.Step == agent.DrainOff {
		return "off: the sentry serves"
	}
	text := fmt.Sprintf("%s since %s UTC", d.Step, d.Since.UTC().Format(time.DateTime))
	if d.WaitsFor != "" {
		text += "; waits for " + d.WaitsFor
	}
	if !d.Until.IsZero() {
		text += ", " + max(0, time.Until(d.Until)).Round(time.Second).String() + " at most"
	}
	if d.Step == agent.DrainClosing {
		text += fmt.Sprintf("; %d sessions", d.Sessions)
	}
	if d.Error != "" {
		text += "; does not go on: " + d.Error
	}
	return text
}

func bansCommand(ctx context.Context, args []string, out io.Writer) error {
	o := newOptions("bans")
	why := o.String("why", "", "the reason")
	all := o.Bool("all", false, "those of the last day, too")
	length := o.Duration("for", time.Hour, "how long")
	rest, err := o.parse(args)
	if err != nil {
		return err
	}
	client := agent.NewClient(*o.socket)
	if len(rest) == 0 {
		rest = []string{"list"}
	}
	if rest[0] == "list" && len(rest) == 1 {
		ask := client.Bans
		if *all {
			ask = client.Recent
		}
		b, err := ask(ctx)
		if err != nil {
			return err
		}
		return showBans(out, *o.json, b, "nobody is banned")
	}
	if rest[0] != "add" && rest[0] != "remove" || len(rest) != 2 {
		return &usageError{fmt.Sprintf("bans: %q is not understood", strings.Join(rest, " "))}
	}
	source, err := bans.Parse(rest[1])
	if err != nil {
		return &usageError{err.Error()}
	}
	var b agent.Banned
	if rest[0] == "remove" {
		b, err = client.Unban(ctx, source)
	} else {
		if *why == "" {
			return &usageError{"bans add: --why is missing: who finds the ban later has to know what it is for"}
		}
		b, err = client.Ban(ctx, agent.NewBan{Source: bans.Name(source), Why: *why, Seconds: int(length.Seconds())})
	}
	if err != nil {
		return err
	}
	if rest[0] == "remove" && !*o.json {
		for _, x := range b.Bans {
			if _, err := fmt.Fprintf(out, "%s is let in again\n", x.Name()); err != nil {
				return err
			}
		}
		return nil
	}
	return showBans(out, *o.json, b, "")
}

func showBans(out io.Writer, asJSON bool, b agent.Banned, none string) error {
	if b.Bans == nil {
		b.Bans = []bans.Ban{}
	}
	if asJSON {
		// With whether there is a kernel to ban in: who asks all sentries shows that, too.
		return writeJSON(out, b)
	}
	if len(b.Bans) == 0 {
		_, err := io.WriteString(out, none+"\n")
		return err
	}
	lines := []string{"SOURCE\tENDS\tRULE\tCOUNT\tTIMES\tSEEN (UTC)\tWHY"}
	for _, x := range b.Bans {
		seen := x.LastSeen.UTC().Format(time.DateTime)
		if !x.FirstSeen.IsZero() && x.LastSeen.Sub(x.FirstSeen) >= time.Second {
			seen = x.FirstSeen.UTC().Format(time.DateTime) + " to " + seen
		}
		lines = append(lines, fmt.Sprintf("%s\t%s\t%s\t%d\t%d\t%s\t%s", x.Name(), in(x.Ends), x.Rule, x.Strikes, x.Times, seen, x.Why))
	}
	return table(out, lines)
}
