package remote

import (
	"slices"
	"strings"
	"testing"

	p "github.com/pulumi/pulumi-go-provider"
	"github.com/pulumi/pulumi/sdk/v3/go/property"
)

func TestCheckFillsInTheDefaultsAndMarksTheSecrets(t *testing.T) {
	l := newLife(t, commandType)
	end := property.New(property.NewMap(values{"host": text("h"), "password": text("s")}))
	proxied := property.New(end.AsMap().Set("proxy", end))
	checked := l.check(values{"connection": proxied})
	connection := checked.Get("connection")
	if !connection.Secret() {
		t.Error("the connection is not secret")
	}
	for name, end := range map[string]property.Map{
		"connection": connection.AsMap(), "proxy": connection.AsMap().Get("proxy").AsMap(),
	} {
		want := values{
			"host": text("h"), "user": text("root"), "port": property.New(22.0),
			"dialErrorLimit": property.New(10.0), "perDialTimeout": property.New(15.0),
		}
		for field, value := range want {
			if got := end.Get(field); !got.Equals(value) {
				t.Errorf("%s.%s is %v, expected %v", name, field, got, value)
			}
		}
		if !end.Get("password").Secret() {
			t.Errorf("%s.password is not secret", name)
		}
	}
}

func TestCheckRefusesMissingAndUnknownInputs(t *testing.T) {
	l, server := newLife(t, commandType), startServer(t)
	for _, c := range []struct {
		inputs values
		want   []string
	}{
		{values{"create": text("true")}, []string{"connection"}},
		{values{"connection": property.New(property.NewMap(values{}))}, []string{"connection"}},
		{values{"connection": server.connectionValue(), "craete": text("x")}, []string{"craete"}},
	} {
		resp, err := l.engine.Check(p.CheckRequest{Urn: l.urn, Inputs: property.NewMap(c.inputs)})
		mustDo(t, err)
		var got []string
		for _, failure := range resp.Failures {
			got = append(got, failure.Property)
		}
		slices.Sort(got)
		if !slices.Equal(got, c.want) {
			t.Errorf("the refused inputs are %v, expected %v: %v", got, c.want, resp.Failures)
		}
	}
}

func TestCreateUpdateDeleteRunTheirCommandWithStdin(t *testing.T) {
	server := startServer(t)
	inputs := values{
		"connection": server.connectionValue(), "stdin": text("in1"),
		"create": text("echo create $(cat) >> log; echo out; echo; echo err >&2"),
		"delete": text("echo delete $(cat) >> log"),
	}
	l := newLife(t, commandType)
	mustDo(t, l.create(inputs))
	server.mustHold("log", "create in1\n")
	l.mustOutput("stdout", "out\n")
	l.mustOutput("stderr", "err")
	if !strings.HasPrefix(l.id, "name") || len(l.id) != len("name")+8 {
		t.Errorf("the id is %q", l.id)
	}

	inputs["stdin"] = text("in2")
	mustDo(t, l.update(inputs)) // there is no update command: create runs
	server.mustHold("log", "create in1\ncreate in2\n")

	inputs["update"] = text("echo update $(cat) >> log; echo new")
	mustDo(t, l.update(inputs))
	server.mustHold("log", "create in1\ncreate in2\nupdate in2\n")
	l.mustOutput("stdout", "new")
	l.mustOutput("stderr", "")

	mustDo(t, l.delete())
	server.mustHold("log", "create in1\ncreate in2\nupdate in2\ndelete in2\n")
	mustBeClosed(t, server)
}

func TestWithoutACommandNothingIsDialled(t *testing.T) {
	server := startServer(t)
	inputs := values{"connection": server.connectionValue()}
	l := newLife(t, commandType)
	mustDo(t, l.create(with(inputs, values{"create": text("echo kept")})))
	server.listener.Close()
	mustDo(t, l.update(inputs))
	l.mustOutput("stdout", "kept")
	mustDo(t, l.delete())
	mustDo(t, newLife(t, commandType).create(inputs))
}

func TestDeleteRunsOnTheOldHost(t *testing.T) {
	before, after := startServer(t), startServer(t)
	inputs := values{"connection": before.connectionValue(), "delete": text("echo gone > log")}
	l := newLife(t, commandType)
	mustDo(t, l.create(inputs))
	inputs["connection"] = after.connectionValue()
	l.check(inputs) // a new wish alone changes nothing: the state counts
	mustDo(t, l.delete())
	before.mustHold("log", "gone\n")
}

func TestPreviewRunsNothingAndKnowsNoOutputs(t *testing.T) {
	server := startServer(t)
	inputs := values{"connection": server.connectionValue(), "create": text("echo old")}
	l := newLife(t, commandType)
	resp, err := l.engine.Create(p.CreateRequest{Urn: l.urn, Properties: l.check(inputs), DryRun: true})
	mustDo(t, err)
	if !resp.Properties.Get("stdout").IsComputed() || !resp.Properties.Get("stderr").IsComputed() {
		t.Errorf("a preview knows outputs: %v", resp.Properties)
	}
	if _, total, _ := server.counts(); total != 0 {
		t.Error("a preview has logged in")
	}
	mustDo(t, l.create(inputs))
	inputs["create"] = text("echo new")
	updated, err := l.engine.Update(p.UpdateRequest{
		ID: l.id, Urn: l.urn, State: l.state, OldInputs: l.inputs, Inputs: l.check(inputs), DryRun: true,
	})
	mustDo(t, err)
	if !updated.Properties.Get("stdout").IsComputed() {
		t.Errorf("a preview of an update knows outputs: %v", updated.Properties)
	}
	if _, total, _ := server.counts(); total != 1 {
		t.Error("a preview of an update has logged in")
	}
}

func TestOnlyTriggersReplace(t *testing.T) {
	server := startServer(t)
	inputs := values{"connection": server.connectionValue(), "create": text("true")}
	l := newLife(t, commandType)
	mustDo(t, l.create(inputs))
	if diff := l.diff(inputs); len(diff) != 0 {
		t.Errorf("equal inputs differ: %v", diff)
	}
	other := startServer(t)
	updates := values{
		"connection": other.connectionValue(), "create": text("false"), "update": text("true"),
		"delete": text("true"), "stdin": text("in"), "logging": text("none"),
		"environment":            property.New(property.NewMap(values{"A": text("b")})),
		"addPreviousOutputInEnv": property.New(false),
	}
	for name, value := range updates {
		for changed, diff := range l.diff(with(inputs, values{name: value})) {
			if diff.Kind != p.Update && diff.Kind != p.Add {
				t.Errorf("a change of %s is %s of %s, expected an update", name, diff.Kind, changed)
			}
		}
	}
	triggers := values{"triggers": property.New(property.NewArray([]property.Value{text("t")}))}
	if diff := l.diff(with(inputs, triggers)); diff["triggers"].Kind != p.AddReplace {
		t.Errorf("a change of triggers is %v, expected a replacement", diff)
	}
}

func TestFailureHasHostCommandAndOutputButNoSecretAndKeepsTheState(t *testing.T) {
	server := startServer(t)
	inputs := values{
		"connection": server.connectionValue(), "stdin": text("stdin-secret"), "create": text("echo fine"),
	}
	l := newLife(t, commandType)
	mustDo(t, l.create(inputs))
	inputs["create"] = text("cat > /dev/null; echo one; echo two >&2; exit 3")
	err := l.update(inputs)
	c := server.connection()
	mustSay(t, err, c.String(), "exited with status 3", "exit 3", "one\n", "two\n")
	mustNotLeak(t, err, c, "stdin-secret")
	l.mustOutput("stdout", "fine")
	mustSay(t, newLife(t, commandType).create(inputs), "exited with status 3")
	mustBeClosed(t, server)
}

func TestLongLineNeitherHangsNorIsCut(t *testing.T) {
	server := startServer(t)
	for _, logging := range []Logging{LogBoth, LogStdout, LogStderr, LogNone} {
		l := newLife(t, commandType)
		mustDo(t, l.create(values{
			"connection": server.connectionValue(), "logging": text(string(logging)),
			"create": text("head -c 200000 /dev/zero | tr '\\0' x; echo; echo end"),
		}))
		l.mustOutput("stdout", strings.Repeat("x", 200000)+"\nend")
	}
}

func TestLoggingShowsTheChosenStreamsLineByLine(t *testing.T) {
	var lines []string
	s := &stream{all: &output{}, shown: true, log: func(line string) { lines = append(lines, line) }}
	for _, chunk := range []string{"a\nb", "c\r\n", "\n", strings.Repeat("x", maxLogLine+1), "y\nz\xff"} {
		if n, err := s.Write([]byte(chunk)); n != len(chunk) || err != nil {
			t.Fatalf("wrote %d, %v", n, err)
		}
	}
	s.flush()
	want := []string{"a", "bc", "", strings.Repeat("x", maxLogLine+1), "y", "z\uFFFD"}
	if strings.Join(lines, "|") != strings.Join(want, "|") {
		t.Errorf("the log is %.80q, expected %.80q", lines, want)
	}
	lines = nil
	s.shown = false
	if _, err := s.Write([]byte("hidden\n")); err != nil || lines != nil {
		t.Errorf("a stream that is not shown has logged %q", lines)
	}
}

func TestEnvironmentReachesTheCommandOrIsAnError(t *testing.T) {
	server := startServer(t, func(s *sshServer) { s.acceptEnv = []string{"GOOD"} })
	inputs := values{
		"connection": server.connectionValue(), "create": text("echo $GOOD"),
		"environment": property.New(property.NewMap(values{"GOOD": text("value")})),
	}
	l := newLife(t, commandType)
	mustDo(t, l.create(inputs))
	l.mustOutput("stdout", "value")
	inputs["environment"] = property.New(property.NewMap(values{"BAD": text("env-secret")}))
	err := l.update(inputs)
	mustSay(t, err, "root@127.0.0.1:", `"BAD"`, "AcceptEnv")
	mustNotLeak(t, err, server.connection(), "env-secret")
}

func TestPreviousOutputIsPassedUnlessRefusedOrUnwanted(t *testing.T) {
	accept := func(s *sshServer) { s.acceptEnv = []string{"PULUMI_COMMAND_STDOUT", "PULUMI_COMMAND_STDERR"} }
	for name, c := range map[string]struct {
		server *sshServer
		wanted property.Value
		want   string
	}{
		"by default": {startServer(t, accept), property.Value{}, "one two"},
		"wanted":     {startServer(t, accept), property.New(true), "one two"},
		"unwanted":   {startServer(t, accept), property.New(false), "none none"},
		"refused":    {startServer(t), property.Value{}, "none none"},
	} {
		inputs := with(values{
			"connection": c.server.connectionValue(), "create": text("echo one; echo two >&2"),
			"update": text("echo ${PULUMI_COMMAND_STDOUT-none} ${PULUMI_COMMAND_STDERR-none}"),
		}, values{"addPreviousOutputInEnv": c.wanted})
		l := newLife(t, commandType)
		mustDo(t, l.create(inputs))
		mustDo(t, l.update(inputs))
		if got := l.state.Get("stdout"); !got.Equals(text(c.want)) {
			t.Errorf("%s: the command saw %v, expected %q", name, got, c.want)
		}
	}
}

func TestOtherResourcesAreRefusedByName(t *testing.T) {
	l := newLife(t, "command:local:Command")
	_, err := l.engine.Check(p.CheckRequest{Urn: l.urn})
	mustSay(t, err, "command:local:Command", "stand-in", commandType, copyType)
}
