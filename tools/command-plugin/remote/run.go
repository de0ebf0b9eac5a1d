package remote

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"sync"

	p "github.com/pulumi/pulumi-go-provider"
	"golang.org/x/crypto/ssh"
)

// maxLogLine is where an output line without end is cut for the log.
const maxLogLine = 16 << 10

// run executes the command on the host and keeps its outputs; a nil command does
// nothing. It waits for the command's end even if ctx ends before: nothing could
// tell what a command that was cut off has done.
func (s *CommandOutputs) run(ctx context.Context, command *string) (err error) {
	if command == nil {
		return nil
	}
	conn, err := s.Connection.dial(ctx)
	if err != nil {
		return err
	}
	// The connection's own end tells nothing about the command's success.
	defer conn.Close()
	session, err := conn.NewSession()
	if err != nil {
		return fmt.Errorf("open a session on %s: %w", s.Connection, err)
	}
	defer session.Close()
	if err := s.setEnvironment(ctx, session); err != nil {
		return fmt.Errorf("%s: %w", s.Connection, err)
	}
	if s.Stdin != nil && *s.Stdin != "" {
		session.Stdin = strings.NewReader(*s.Stdin)
	}
	logging := orDefault(s.Logging, LogBoth)
	log := p.GetLogger(ctx).InfoStatus
	out := &output{}
	stdout := &stream{all: out, log: log, shown: logging == LogStdout || logging == LogBoth}
	stderr := &stream{all: out, log: log, shown: logging == LogStderr || logging == LogBoth}
	session.Stdout, session.Stderr = stdout, stderr
	err = session.Run(*command)
	stdout.flush()
	stderr.flush()
	if err != nil {
		return fmt.Errorf("%s: %w: running %q:\n%s", s.Connection, err, *command, out.text.String())
	}
	s.Stdout = strings.TrimSuffix(stdout.text.String(), "\n")
	s.Stderr = strings.TrimSuffix(stderr.text.String(), "\n")
	return nil
}

// setEnvironment passes the variables that were asked for, which must be
// accepted, and the previous outputs, which need not be.
func (s *CommandOutputs) setEnvironment(ctx context.Context, session *ssh.Session) error {
	const hint = "the SSH server accepts only the variables its AcceptEnv names; " +
		"where a shell runs the command, write NAME=value before it instead"
	for _, name := range slices.Sorted(maps.Keys(s.Environment)) {
		if err := session.Setenv(name, s.Environment[name]); err != nil {
			return fmt.Errorf("set environment variable %q: %w: %s", name, err, hint)
		}
	}
	if !orDefault(s.AddPreviousOutputInEnv, true) {
		return nil
	}
	previous := []struct{ name, value string }{
		{"PULUMI_COMMAND_STDOUT", s.Stdout},
		{"PULUMI_COMMAND_STDERR", s.Stderr},
	}
	for _, v := range previous {
		if v.value == "" {
			continue
		}
		if err := session.Setenv(v.name, v.value); err != nil {
			p.GetLogger(ctx).Warningf("%s: set environment variable %q: %v: %s", s.Connection, v.name, err, hint)
		}
	}
	return nil
}

// output collects what both streams write, in the order in which it arrives.
type output struct {
	mu   sync.Mutex
	text bytes.Buffer
}

// stream keeps what one stream writes and shows it line by line.
type stream struct {
	all   *output
	text  bytes.Buffer
	line  []byte
	shown bool
	log   func(string)
}

var _ io.Writer = (*stream)(nil)

// Write never fails: a reader that stops would block the command for ever.
func (s *stream) Write(data []byte) (int, error) {
	s.all.mu.Lock()
	s.all.text.Write(data)
	s.all.mu.Unlock()
	s.text.Write(data)
	if s.shown {
		s.show(data)
	}
	return len(data), nil
}

func (s *stream) show(data []byte) {
	s.line = append(s.line, data...)
	for {
		end := bytes.IndexByte(s.line, '\n')
		switch {
		case end >= 0:
			s.print(s.line[:end])
			s.line = s.line[end+1:]
		case len(s.line) >= maxLogLine:
			s.flush()
		default:
			return
		}
	}
}

// flush shows what has arrived of an unfinished line.
func (s *stream) flush() {
	if len(s.line) > 0 {
		s.print(s.line)
		s.line = nil
	}
}

// print makes valid text of the line: the engine's log takes nothing else.
func (s *stream) print(line []byte) {
	s.log(strings.ToValidUTF8(strings.TrimSuffix(string(line), "\r"), "\uFFFD"))
}
