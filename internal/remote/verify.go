package remote

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"github.com/insight-icon/pulumi-icon/hardening"
	"github.com/insight-icon/pulumi-icon/internal/verify"
)

// hardened is what a host was hardened by.
type hardened struct {
	program  pulumi.StringOutput
	controls int
	timeout  time.Duration
}

// Verify asks all hosts of the sessions that have a step with controls, once all steps of all sessions are done, whether they are as
// wanted: from this process, several at once, and not in a preview. It exports a line like "8 hosts, 413 controls: as wanted" under the
// name, and the program fails, with all differences and all hosts that could not be asked, if that is not so. It is exported here because
// Pulumi's SDK drops the error of an output that nobody waits for. Call it last: steps that are added to a session later are not waited
// for.
//
// No resource is made for it. An unchanged stack stays unchanged, and is verified all the same.
func Verify(ctx *pulumi.Context, export string, sessions ...*Session) {
	var asked []*Session
	var steps []pulumi.Resource
	values, controls := pulumi.Array{}, 0
	for _, s := range sessions {
		steps = append(steps, s.last...)
		if s.hardened == nil {
			continue
		}
		asked = append(asked, s)
		values = append(values, pulumi.All(s.reach(), s.hardened.program))
		controls += s.hardened.controls
	}
	wanted := hardening.AsWanted(len(asked), controls)
	if !connects(ctx) || len(asked) == 0 {
		ctx.Export(export, pulumi.String(wanted))
		return
	}
	// A host's key makes all that is derived from it secret. What a verification says of the hosts is for everybody to read.
	ctx.Export(export, pulumi.Unsecret(pulumi.All(values, done(steps)).ApplyTWithContext(ctx.Context(),
		func(c context.Context, in []any) (string, error) {
			return wanted, compare(c, asked, in[0].([]any))
		})))
}

// compare asks the hosts, whose logins and programs are values.
func compare(ctx context.Context, sessions []*Session, values []any) error {
	hosts := make([]verify.Host, len(sessions))
	for i, s := range sessions {
		value := values[i].([]any)
		target, key := s.target(value[0].([]any))
		hosts[i] = verify.Host{Target: target, Key: key, Program: value[1].(string), Timeout: s.hardened.timeout}
	}
	reports := verify.Ask(ctx, hosts)
	var errs []error
	for i, r := range reports {
		if r.Report != nil && r.Report.Failure == "" && r.Report.Ran() != sessions[i].hardened.controls {
			errs = append(errs, fmt.Errorf("host %s: its verification tells of %d controls, expected %d",
				r.Host, r.Report.Ran(), sessions[i].hardened.controls))
		}
	}
	if reports.ExitCode() != hardening.ExitAsWanted {
		errs = append(errs, fmt.Errorf("hosts are not as wanted (%s)\n%s\n`make repair STACK=…` has hosts that differ as wanted again, "+
			"`make verify STACK=…` shows all controls", reports.Summary(), reports.Problems()))
	}
	return errors.Join(errs...)
}
