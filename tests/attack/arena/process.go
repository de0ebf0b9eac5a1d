package arena

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// process runs in a namespace until it is stopped or ends.
type process struct {
	name string
	cmd  *exec.Cmd
	log  string
	done chan struct{}
	err  error
}

// placed is a command's arguments, for a namespace and a processor. rank is its rank in real time; 0 is that of all others on the
// machine.
func (a *Arena) placed(namespace string, cpu, rank int, argv ...string) []string {
	line := []string{"ip", "netns", "exec", namespace, "taskset", "-c", strconv.Itoa(cpu)}
	if a.realtime && rank > 0 {
		line = append(line, "chrt", "-r", strconv.Itoa(rank))
	}
	return append(line, argv...)
}

// start runs a program in a directory, with its output in a file of the arena's.
func (a *Arena) start(namespace, name, dir string, cpu, rank int, argv ...string) (*process, error) {
	line := a.placed(namespace, cpu, rank, argv...)
	p := &process{name: name, log: filepath.Join(a.dir, name+".log"), done: make(chan struct{})}
	file, err := os.OpenFile(p.log, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o644)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	p.cmd = exec.Command(line[0], line[1:]...)
	p.cmd.Dir = dir
	p.cmd.Stdout, p.cmd.Stderr = file, file
	// Apart from the terminal's signals; and gone when this process is.
	p.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
	if err := launch(p.cmd); err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	go func() {
		p.err = p.cmd.Wait()
		close(p.done)
	}()
	return p, nil
}

// launches are made on one thread that lives as long as this process: the kernel ends a process whose Pdeathsig is set with the
// thread that started it.
var launches = sync.OnceValue(func() chan<- func() {
	starts := make(chan func())
	go func() {
		runtime.LockOSThread()
		for start := range starts {
			start()
		}
	}()
	return starts
})

func launch(cmd *exec.Cmd) error {
	started := make(chan error)
	launches() <- func() { started <- cmd.Start() }
	return <-started
}

func (p *process) pid() int { return p.cmd.Process.Pid }

func (p *process) alive() bool {
	select {
	case <-p.done:
		return false
	default:
		return true
	}
}

// kill ends it at once, with what it started.
func (p *process) kill() {
	_ = syscall.Kill(-p.pid(), syscall.SIGKILL)
	<-p.done
}

// tail is the end of what it printed.
func (p *process) tail() string {
	text, err := os.ReadFile(p.log)
	if err != nil {
		return err.Error()
	}
	return string(text[max(0, len(text)-1500):])
}

// RoleVariable has a program that calls PlayIfAsked play a role in the arena, in place of what it else does.
const RoleVariable = "ICON_ATTACK_ROLE"

// Role is played in a process of its own: it reads its wishes and gives what came of it.
type Role func(ctx context.Context, wishes []byte) (any, error)

// PlayIfAsked is the first thing a program or test binary calls that has others of itself run in the arena's namespaces. It returns
// at once where no role is asked for.
func PlayIfAsked(roles map[string]Role) {
	name := os.Getenv(RoleVariable)
	if name == "" {
		return
	}
	if err := play(roles[name], name); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	os.Exit(0)
}

func play(role Role, name string) error {
	if role == nil {
		return fmt.Errorf("%s=%q: there is no such role", RoleVariable, name)
	}
	wishes, err := io.ReadAll(os.Stdin)
	if err != nil {
		return err
	}
	result, err := role(context.Background(), wishes)
	if err != nil {
		return err
	}
	return json.NewEncoder(os.Stdout).Encode(result)
}

// Place is where a role is played.
type Place struct {
	Namespace string
	CPU, Rank int
}

// Where the roles of the world are played.
var (
	AttackersPlace = Place{Attackers, worldCPU, 0}
	HonestPlace    = Place{Honest, worldCPU, rankHonest}
)

// Play has this very program play a role in a namespace, and gives what came of it and the processor's seconds it took. It ends with
// the context.
func (a *Arena) Play(ctx context.Context, at Place, role string, wishes, result any) (float64, error) {
	in, err := json.Marshal(wishes)
	if err != nil {
		return 0, err
	}
	self, err := os.Executable()
	if err != nil {
		return 0, err
	}
	line := a.placed(at.Namespace, at.CPU, at.Rank, self)
	cmd := exec.CommandContext(ctx, line[0], line[1:]...)
	cmd.Env = append(os.Environ(), RoleVariable+"="+role)
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
	var out, problem bytes.Buffer
	cmd.Stdin, cmd.Stdout, cmd.Stderr = bytes.NewReader(in), &out, &problem
	cmd.WaitDelay = time.Second
	err = launch(cmd)
	if err == nil {
		err = cmd.Wait()
	}
	if err != nil {
		return 0, fmt.Errorf("role %s: %w: %s", role, err, strings.TrimSpace(problem.String()))
	}
	took := cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime()
	return took.Seconds(), json.Unmarshal(out.Bytes(), result)
}

// inside runs f on a thread that is in the namespace. Sockets that f makes on its own goroutine stay there. The thread ends with f.
func inside(namespace string, f func() error) error {
	result := make(chan error, 1)
	go func() {
		runtime.LockOSThread() // and no unlock: the runtime then discards the thread
		if unix.Gettid() == os.Getpid() {
			// But not the first one, which stands for the whole process: while this holds it, it is another's turn.
			result <- inside(namespace, f)
			runtime.UnlockOSThread()
			return
		}
		result <- func() error {
			handle, err := os.Open("/run/netns/" + namespace)
			if err != nil {
				return err
			}
			defer handle.Close()
			if err := unix.Setns(int(handle.Fd()), unix.CLONE_NEWNET); err != nil {
				return fmt.Errorf("enter network namespace %s: %w", namespace, err)
			}
			return f()
		}()
	}()
	return <-result
}

// pidsIn lists the processes of a namespace.
func pidsIn(path string) ([]int, error) {
	var want unix.Stat_t
	if err := unix.Stat(path, &want); err != nil {
		return nil, err
	}
	entries, err := os.ReadDir("/proc")
	if err != nil {
		return nil, err
	}
	var pids []int
	for _, entry := range entries {
		pid, err := strconv.Atoi(entry.Name())
		if err != nil {
			continue
		}
		var has unix.Stat_t
		// A process that has just ended has none.
		if unix.Stat("/proc/"+entry.Name()+"/ns/net", &has) == nil && has.Ino == want.Ino && has.Dev == want.Dev {
			pids = append(pids, pid)
		}
	}
	return pids, nil
}

// await asks until it is so.
func await(ctx context.Context, what string, limit time.Duration, so func() error) error {
	var last error
	for end := time.Now().Add(limit); time.Now().Before(end); time.Sleep(50 * time.Millisecond) {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if last = so(); last == nil {
			return nil
		}
	}
	return errors.Join(fmt.Errorf("%s: not within %s", what, limit), last)
}
