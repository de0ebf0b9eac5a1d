package remote

import (
	"fmt"
	"maps"
	"time"

	"github.com/pulumi/pulumi-command/sdk/go/command/remote"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"github.com/insight-icon/pulumi-icon/internal/verify"
)

// Step is an idempotent script with its inputs.
type Step struct {
	// Name of the step: ready, harden, key, service, verify. It names the log on the host, /var/log/icon/<name>.log.
	Name string
	// Script defines the bash functions apply and remove; lib.sh says what they can use.
	Script string
	// Vars are the script's variables.
	Vars map[string]pulumi.StringInput
	// Files are laid into the step's own directory on the host, mode 0600, under these names.
	Files map[string]pulumi.StringInput
	// Timeout bounds the step on the host itself. Default 10 minutes.
	Timeout time.Duration
	// Remove runs the script's remove half when the step is no longer wanted.
	Remove bool
	// Fenced is for what must never run on two machines: when the step moves to another machine, its remove half ends on the old one
	// before its apply half begins on the new one. If the old machine cannot be reached, the move fails. Where the platform makes the
	// machines (SessionArgs.DeletedWith) that is so for a move to another host. A host's machine that is made anew needs no fence: the old
	// one is gone before there is a new one, and a half that must run on it would keep a lost one from ever being made anew.
	Fenced bool
	// Trial says that the step may change the access to the host, and rolls that back unless a new login confirms it: this process makes that
	// login while the step runs. See hardening.Control.Access.
	Trial bool
	// Controls is how many controls the script's half "verify" looks at, see Verify. 0: it has no such half.
	Controls int
}

// Result is an applied step.
type Result struct {
	// Resource, for others to wait for.
	Resource pulumi.Resource
	// Summary holds the lines that the step printed, "key=value" each.
	Summary pulumi.StringOutput
}

// Value is one value of the summary, empty if the step printed no such key.
func (r *Result) Value(key string) pulumi.StringOutput {
	return r.Summary.ApplyT(func(s string) string { return summaryValue(s, key) }).(pulumi.StringOutput)
}

// Run adds a step to the host's chain: it runs after all earlier steps of that host.
func (s *Session) Run(ctx *pulumi.Context, name string, step Step, opts ...pulumi.ResourceOption) (*Result, error) {
	timeout := step.Timeout
	if timeout == 0 {
		timeout = 10 * time.Minute
	}
	command := func(half string) string { return verify.Command(half, s.host, step.Name, timeout, s.login.User) }
	program, before := s.program(step), s.last
	args := &remote.CommandArgs{
		Connection: s.connection,
		Create:     pulumi.String(command("apply")),
		Stdin:      program.ToStringPtrOutput(),
		// The step logs on the host; a line of more than 64 KiB would hang pulumi-command's own log.
		Logging:                remote.LoggingNone,
		AddPreviousOutputInEnv: pulumi.Bool(false),
	}
	if step.Remove {
		args.Delete = pulumi.String(command("remove"))
	}
	if step.Fenced {
		args.Triggers = pulumi.Array{s.address}
		if s.deleted != nil {
			args.Triggers = pulumi.Array{pulumi.String(s.host)}
		}
		opts = append(opts, pulumi.DeleteBeforeReplace(true))
	}
	// No triggers otherwise: a trigger replaces the resource, and a replacement runs the old remove half after the new apply half. The whole
	// program is in Stdin and the host's identity in Connection, so that a change of either applies the step again in place.
	cmd, err := remote.NewCommand(ctx, name, args, s.options(opts)...)
	if err != nil {
		return nil, fmt.Errorf("host %s, step %s: %w", s.host, step.Name, err)
	}
	s.last = []pulumi.Resource{cmd}
	if step.Trial {
		s.confirm(ctx, program, before, cmd, timeout)
	}
	if step.Controls > 0 {
		s.hardened = &hardened{program, step.Controls, timeout}
	}
	return &Result{Resource: cmd, Summary: cmd.Stdout}, nil
}

// Copy adds the copying of a local file to the host's chain. It is copied again when its content, its path on the host or the host
// changes.
func (s *Session) Copy(ctx *pulumi.Context, name, local, onHost string, opts ...pulumi.ResourceOption) error {
	cp, err := remote.NewCopyToRemote(ctx, name, &remote.CopyToRemoteArgs{
		Connection: s.connection,
		Source:     pulumi.NewFileAsset(local),
		RemotePath: pulumi.String(onHost),
		// Another machine behind the same name is no reason for CopyToRemote to copy again, so its identity is a trigger. There is
		// no remove half that a replacement could run.
		Triggers: pulumi.Array{s.identity},
	}, s.options(opts)...)
	if err != nil {
		return fmt.Errorf("host %s, copy of %s: %w", s.host, local, err)
	}
	s.last = []pulumi.Resource{cp}
	return nil
}

func (s *Session) options(opts []pulumi.ResourceOption) []pulumi.ResourceOption {
	all := append([]pulumi.ResourceOption{pulumi.DependsOn(s.last)}, opts...)
	if s.deleted != nil {
		all = append(all, pulumi.DeletedWith(s.deleted))
	}
	return all
}

// program is the step's whole bash program. It is a secret as soon as one of its inputs is.
func (s *Session) program(step Step) pulumi.StringOutput {
	in := map[string]pulumi.StringInput{}
	maps.Copy(in, step.Vars)
	// No step reads these; the program for another machine, or another disk, is another one.
	if s.machine != nil {
		in["MACHINE"] = s.machine
	}
	if s.holds != nil {
		in["MACHINE_HOLDS"] = s.holds
	}
	vars, files := stringMap(in), stringMap(step.Files)
	return pulumi.All(vars, files).ApplyT(func(in []any) (string, error) {
		return Program(step.Script, in[0].(map[string]string), in[1].(map[string]string))
	}).(pulumi.StringOutput)
}

func stringMap(in map[string]pulumi.StringInput) pulumi.StringMapOutput {
	m := pulumi.StringMap{}
	for k, v := range in {
		m[k] = v
	}
	return m.ToStringMapOutput()
}
