package main

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/insight-icon/pulumi-icon/internal/agent/bans"
	"github.com/insight-icon/pulumi-icon/internal/sentry"
	"github.com/insight-icon/pulumi-icon/internal/sshrun"
	"github.com/insight-icon/pulumi-icon/internal/verify"
)

// answer is what one sentry says.
type answer struct {
	Host string `json:"host"`
	// Problem is why it has not done what was asked; empty: it has.
	Problem string `json:"problem,omitempty"`
	// Kernel is false where nothing is banned in the kernel: the proxy alone refuses.
	Kernel bool       `json:"kernel"`
	Bans   []bans.Ban `json:"bans"`
	// code is the exit code that it asks for.
	code int
}

type answers []answer

// reached is how long a sentry may take to answer.
const reached = 15 * time.Second

// ask runs "icon-sentry bans" on all sentries at once, and gives their answers in the order of hosts.
func ask(ctx context.Context, hosts []verify.Host, args []string) answers {
	all := make(answers, len(hosts))
	verify.Each(hosts, func(i int, h verify.Host) {
		all[i] = one(ctx, h, args)
		all[i].Host = h.Target.Name
	})
	return all
}

func one(ctx context.Context, h verify.Host, args []string) answer {
	ctx, cancel := context.WithTimeout(ctx, 2*time.Minute)
	defer cancel()
	client, err := sshrun.Dial(ctx, h.Target, h.Key, reached)
	if err != nil {
		return answer{Problem: err.Error(), code: exitNotAsked}
	}
	defer client.Close()
	out, err := client.Run(ctx, command(h.Target.User, args), strings.NewReader(""))
	var ended *sshrun.ExitError
	switch {
	case errors.As(err, &ended) && (ended.Status == 1 || ended.Status == 2):
		return answer{Problem: strings.TrimPrefix(ended.Said, "icon-sentry: "), code: exitRefused}
	case errors.As(err, &ended) && ended.Status == 127:
		return answer{Problem: "has no " + sentry.AgentPath + ": its last deploy did not get so far. Run pulumi up", code: exitNotAsked}
	case err != nil:
		return answer{Problem: err.Error(), code: exitNotAsked}
	}
	a := answer{}
	if err := json.Unmarshal([]byte(out), &a); err != nil {
		return answer{Problem: fmt.Sprintf("answered with what is no list of bans: %v", err), code: exitNotAsked}
	}
	return a
}

// command is the one on the host, for its user's shell.
func command(user string, args []string) string {
	words := []string{sentry.AgentPath, "bans", "--json"}
	if user != "root" {
		words = append([]string{"sudo", "-n"}, words...)
	}
	for _, a := range args {
		words = append(words, "'"+strings.ReplaceAll(a, "'", `'\''`)+"'")
	}
	return strings.Join(words, " ")
}

func (all answers) exitCode() int {
	code := exitDone
	for _, a := range all {
		code = max(code, a.code)
	}
	return code
}

func (all answers) json() string {
	for i := range all {
		if all[i].Bans == nil {
			all[i].Bans = []bans.Ban{}
		}
	}
	text, err := json.MarshalIndent(map[string]any{"exitCode": all.exitCode(), "sentries": all}, "", "  ")
	if err != nil {
		return fmt.Sprintf("{\"exitCode\": %d}\n", exitNotAsked) // which nothing in it can cause
	}
	return string(text) + "\n"
}

// table has a line for each ban on each sentry. Text that a sentry sends can't move the terminal: control characters are replaced.
func (all answers) table() string {
	var b strings.Builder
	w := tabwriter.NewWriter(&b, 0, 8, 2, ' ', 0)
	fmt.Fprintln(w, "SENTRY\tSOURCE\tRULE\tSTRIKES\tTIMES\tSINCE (UTC)\tENDS (UTC)\tWHY")
	for _, a := range all {
		sorted := slices.Clone(a.Bans)
		slices.SortFunc(sorted, func(x, y bans.Ban) int {
			return cmp.Or(x.Source.Addr().Compare(y.Source.Addr()), cmp.Compare(x.Source.Bits(), y.Source.Bits()))
		})
		for _, ban := range sorted {
			fmt.Fprintf(w, "%s\t%s\t%s\t%d\t%d\t%s\t%s\t%s\n", a.Host, ban.Name(), plain(ban.Rule), ban.Strikes, ban.Times,
				ban.Since.UTC().Format(time.DateTime), ban.Ends.UTC().Format(time.DateTime), plain(ban.Why))
		}
		switch {
		case a.Problem != "":
			fmt.Fprintf(w, "%s\t(not asked, or refused: see below)\t\t\t\t\t\t\n", a.Host)
		case len(a.Bans) == 0 && !a.Kernel:
			fmt.Fprintf(w, "%s\t(none: nothing is banned in the kernel of this variant)\t\t\t\t\t\t\n", a.Host)
		case len(a.Bans) == 0:
			fmt.Fprintf(w, "%s\t(none)\t\t\t\t\t\t\n", a.Host)
		}
	}
	_ = w.Flush() // a strings.Builder takes everything
	return b.String()
}

func plain(text string) string {
	return strings.Map(func(r rune) rune {
		if r < ' ' || r >= 0x7f && r < 0xa0 {
			return '?'
		}
		return r
	}, text)
}
