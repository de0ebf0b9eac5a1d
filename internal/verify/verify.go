// Package verify asks hosts, from this very process, whether they are still hardened as their last deploy wanted, applies that again where
// they are not, and gives the new login that a change of access waits for. It knows no Pulumi; Hosts reads a stack's exported state.
package verify

import (
	"context"
	"fmt"
	"io"
	"strings"
	"sync"
	"time"

	"github.com/insight-icon/pulumi-icon/hardening"
	"github.com/insight-icon/pulumi-icon/internal/sshrun"
)

// Step is the name of the step that hardens a host.
const Step = "harden"

// Host is a host that can be asked.
type Host struct {
	// Target says how to reach it; its Name is the host's.
	Target sshrun.Target
	Key    sshrun.Key
	// Sentry says that it is a reverse proxy in front of a P-Rep.
	Sentry bool
	// Program is the bash program of its step "harden", and Timeout how long that may take to apply. Empty for a host that was never hardened.
	Program string
	Timeout time.Duration
}

const (
	// reached is how long a host may take to answer.
	reached = 15 * time.Second
	// verified is how long a verification may take on the host; a step that is running is waited for as long.
	verified = 2 * time.Minute
	// atOnce bounds hosts that are asked at the same time: sshd refuses some of more than ten (MaxStartups) that log in through one bastion
	// at once, and those are tried again.
	atOnce = 16
)

// Ask runs the verifications of all hosts, several at once, and gives a report for each in their order. Nothing is changed. It returns
// when all have answered or were given up.
func Ask(ctx context.Context, hosts []Host) hardening.Reports {
	reports := make(hardening.Reports, len(hosts))
	Each(hosts, func(i int, h Host) {
		report, err := h.ask(ctx)
		reports[i] = hardening.HostReport{Host: h.Target.Name, Report: report}
		if err != nil {
			reports[i] = hardening.HostReport{Host: h.Target.Name, Problem: err.Error()}
		}
	})
	return reports
}

// Repair applies the hosts' programs again, several at once, each with the new login that changes of access wait for. It returns an error
// for each host by its place, nil where all went well, and all nil if none failed.
func Repair(ctx context.Context, hosts []Host) []error {
	errs := make([]error, len(hosts))
	Each(hosts, func(i int, h Host) { errs[i] = h.Apply(ctx) })
	return errs
}

// Each does something with every host, several at once, and returns when all is done.
func Each(hosts []Host, do func(int, Host)) {
	slots := make(chan struct{}, atOnce)
	var wg sync.WaitGroup
	for i, h := range hosts {
		wg.Go(func() {
			slots <- struct{}{}
			defer func() { <-slots }()
			do(i, h)
		})
	}
	wg.Wait()
}

func (h Host) ask(ctx context.Context) (*hardening.Report, error) {
	if h.Program == "" {
		return nil, fmt.Errorf("host %s: was never hardened: its last deploy did not get so far. Run pulumi up", h.Target.Name)
	}
	out, err := h.run(ctx, "verify", verified)
	if err != nil {
		return nil, err
	}
	report, err := hardening.ParseReport(out)
	if err != nil {
		return nil, fmt.Errorf("host %s: %w", h.Target.Name, err)
	}
	return report, nil
}

// Apply applies the host's program, with the new login that changes of access wait for.
func (h Host) Apply(ctx context.Context) error {
	confirming, done := context.WithCancel(ctx)
	var confirmed error
	var wg sync.WaitGroup
	wg.Go(func() { confirmed = Confirm(confirming, h.Target, h.Key) })
	_, err := h.run(ctx, "apply", h.Timeout)
	done()
	wg.Wait()
	if err != nil && confirmed != nil {
		return fmt.Errorf("%w\n%w", err, confirmed)
	}
	return err
}

// run runs a half of the step on the host, within timeout there, and gives what it reports.
func (h Host) run(ctx context.Context, half string, timeout time.Duration) (string, error) {
	// The host itself keeps the time; this is for one that does not answer any more.
	ctx, cancel := context.WithTimeout(ctx, reached+timeout+time.Minute)
	defer cancel()
	client, err := sshrun.Dial(ctx, h.Target, h.Key, reached)
	if err != nil {
		return "", err
	}
	defer client.Close()
	out, err := client.Run(ctx, Command(half, h.Target.Name, Step, timeout, h.Target.User), strings.NewReader(h.Program))
	if err != nil {
		// What the step says of itself begins with host and step.
		return "", fmt.Errorf("host %s, step %s, half %s: %w", h.Target.Name, Step, half, err)
	}
	return out, nil
}

// Command is what runs a half of a step as user: bash, within the time limit, with the program on standard input. It says which host and
// step it is, because pulumi-command repeats it when it fails, and holds nothing of the step's inputs.
func Command(half, host, step string, timeout time.Duration, user string) string {
	return asRoot(user) + fmt.Sprintf(`timeout -k 30 %d bash -s %s %s %s "$SSH_CONNECTION"`, int(timeout.Seconds()), half, host, step)
}

func asRoot(user string) string {
	if user == "root" {
		return ""
	}
	return "sudo -n "
}

const (
	// retryEvery is the pause between tries to confirm.
	retryEvery = 2 * time.Second
	// confirmFor is how long a host waits for a confirmation (TRIAL_SECONDS of the hardening).
	confirmFor = 45 * time.Second
	// waitWords is the loop that a login waits in, on the host, for a change of access to be tried. It takes no lock, starts no process, and
	// ends with its connection: its standard input is read in place of a sleep, and is at its end then.
	waitWords = `bash -c 'until [ -e /run/icon/hardening/awaiting ]; do code=0; read -r -t 0.3 || code=$?; ` +
		`[ $code -gt 128 ] || exit 1; done; echo awaiting'`
)

// logins bounds the logins of all confirmations at the same time, see atOnce.
var logins = make(chan struct{}, atOnce)

// Confirm waits on the host until it tries a change of access (Control.Access), and then logs in anew, through a new connection to its
// bastion as well, to confirm that this still works. It waits again after that, since the change may have been another deploy's, and
// returns nil when ctx is over. An error says why no new login was possible while the host waited for one; it has taken the change back by
// then.
func Confirm(ctx context.Context, t sshrun.Target, key sshrun.Key) error {
	for ctx.Err() == nil {
		if said, err := over(ctx, t, key, asRoot(t.User)+waitWords, nil); err == nil && said == "awaiting" {
			if err := confirm(ctx, t, key); err != nil {
				return err
			}
		}
		pause(ctx)
	}
	return nil
}

func confirm(ctx context.Context, t sshrun.Target, key sshrun.Key) error {
	var last error
	for end := time.Now().Add(confirmFor); time.Now().Before(end) && ctx.Err() == nil; pause(ctx) {
		said, err := over(ctx, t, key, asRoot(t.User)+`bash -s "$SSH_CONNECTION"`, strings.NewReader(hardening.ConfirmScript))
		if err == nil && (said == "confirmed" || said == "no trial") {
			return nil
		}
		if err == nil {
			err = fmt.Errorf("the login says %q, expected \"confirmed\"", said)
		}
		if ctx.Err() == nil {
			last = err
		}
	}
	if last == nil {
		return nil
	}
	return fmt.Errorf("host %s: no new login could confirm the changes of access, so that the host takes them back: %w", t.Name, last)
}

// over runs a command by a new login and gives the first line that it wrote.
func over(ctx context.Context, t sshrun.Target, key sshrun.Key, command string, stdin io.Reader) (string, error) {
	select {
	case logins <- struct{}{}:
	case <-ctx.Done():
		return "", ctx.Err()
	}
	client, err := sshrun.Dial(ctx, t, key, 5*time.Second)
	<-logins
	if err != nil {
		return "", err
	}
	defer client.Close()
	out, err := client.Run(ctx, command, stdin)
	line, _, _ := strings.Cut(out, "\n")
	return line, err
}

func pause(ctx context.Context) {
	select {
	case <-ctx.Done():
	case <-time.After(retryEvery):
	}
}
