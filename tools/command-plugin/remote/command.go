package remote

import (
	"context"

	"github.com/pulumi/pulumi-go-provider/infer"
	"github.com/pulumi/pulumi/sdk/v3/go/common/resource"
)

// Command runs shell commands on a host as the resource is created, updated and
// deleted.
type Command struct{}

// CommandInputs say what to run, and where. A change of Triggers replaces the
// resource; any other change updates it.
type CommandInputs struct {
	// Connection to the host. Required, and secret as a whole.
	Connection *Connection `pulumi:"connection" provider:"secret"`
	// Create runs on creation, and on an update if Update is unset.
	Create *string `pulumi:"create,optional"`
	// Update runs when an input has changed.
	Update *string `pulumi:"update,optional"`
	// Delete runs on deletion and replacement, with the inputs and outputs of the
	// last successful run.
	Delete *string `pulumi:"delete,optional"`
	// Stdin is given to the command, whichever of the three it is.
	Stdin *string `pulumi:"stdin,optional"`
	// Environment variables; an error if the server does not accept them all.
	Environment map[string]string `pulumi:"environment,optional"`
	// Logging chooses what is shown while the command runs. Default both streams.
	Logging *Logging `pulumi:"logging,optional"`
	// AddPreviousOutputInEnv gives the command the outputs of the previous run as
	// PULUMI_COMMAND_STDOUT and PULUMI_COMMAND_STDERR, with a warning if the
	// server does not accept them. Default true.
	AddPreviousOutputInEnv *bool `pulumi:"addPreviousOutputInEnv,optional"`
	// Triggers are values of any type.
	Triggers *[]any `pulumi:"triggers,optional" provider:"replaceOnChanges"`
}

// CommandOutputs are the inputs and what the last command has written, each
// without its last newline.
type CommandOutputs struct {
	CommandInputs
	Stdout string `pulumi:"stdout"`
	Stderr string `pulumi:"stderr"`
}

// Logging chooses the streams that are shown while a command runs. It does not
// change the outputs.
type Logging string

// The values of Logging.
const (
	LogStdout Logging = "stdout"
	LogStderr Logging = "stderr"
	LogBoth   Logging = "stdoutAndStderr"
	LogNone   Logging = "none"
)

// Values lists every value of Logging.
func (Logging) Values() []infer.EnumValue[Logging] {
	return []infer.EnumValue[Logging]{
		{Name: string(LogStdout), Value: LogStdout},
		{Name: string(LogStderr), Value: LogStderr},
		{Name: string(LogBoth), Value: LogBoth},
		{Name: string(LogNone), Value: LogNone},
	}
}

// Create runs the create command, if there is one.
func (*Command) Create(
	ctx context.Context, req infer.CreateRequest[CommandInputs],
) (infer.CreateResponse[CommandOutputs], error) {
	state := CommandOutputs{CommandInputs: req.Inputs}
	id, err := resource.NewUniqueHex(req.Name, 8, 0)
	if err == nil && !req.DryRun {
		err = state.run(ctx, req.Inputs.Create)
	}
	return infer.CreateResponse[CommandOutputs]{ID: id, Output: state}, err
}

// Update runs the update command, or else the create command. If there is
// neither, the outputs stay as they were.
func (*Command) Update(
	ctx context.Context, req infer.UpdateRequest[CommandInputs, CommandOutputs],
) (infer.UpdateResponse[CommandOutputs], error) {
	state := CommandOutputs{CommandInputs: req.Inputs, Stdout: req.State.Stdout, Stderr: req.State.Stderr}
	command := req.Inputs.Update
	if command == nil {
		command = req.Inputs.Create
	}
	var err error
	if !req.DryRun {
		err = state.run(ctx, command)
	}
	return infer.UpdateResponse[CommandOutputs]{Output: state}, err
}

// Delete runs the delete command of the last state, if there is one.
func (*Command) Delete(
	ctx context.Context, req infer.DeleteRequest[CommandOutputs],
) (infer.DeleteResponse, error) {
	return infer.DeleteResponse{}, req.State.run(ctx, req.State.Delete)
}
