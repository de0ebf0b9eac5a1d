package agent

import (
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/insight-icon/pulumi-icon/internal/sentry"
	"github.com/insight-icon/pulumi-icon/tests/host"
)

// The tests run with a network and a /run of their own.
func TestMain(m *testing.M) {
	const inside = "ICON_TEST_ISOLATED"
	if os.Getenv(inside) != "" {
		os.Exit(m.Run())
	}
	cmd := host.Isolated(append([]string{"sh", "-c", `mount -t tmpfs tmpfs /run && ip link set lo up && exec "$0" "$@"`}, os.Args...)...)
	cmd.Env = append(os.Environ(), inside+"=1")
	cmd.Stdout, cmd.Stderr = os.Stdout, os.Stderr
	if err := cmd.Run(); err != nil {
		fmt.Fprintln(os.Stderr, "with a network of its own:", err)
		os.Exit(1)
	}
}

// place is a sentry with a real HAProxy, a real table and the real agent, and a network around it that others are in.
type place struct {
	dir, binary, socket string
	config              sentry.AgentConfig
	agent, proxy        *exec.Cmd
}

const (
	public   = "10.9.0.1:7100"
	attacker = "10.9.0.2"
	peer     = "10.9.0.3"
	stranger = "10.9.0.4"
	unwanted = "10.9.0.5"
)

// Everybody's garbage is counted here, known or not: that the agent bans no known one is its own promise.
const haproxyText = `global
	stats socket DIR/admin.sock mode 600 level admin
	maxconn 500
defaults
	mode tcp
	timeout connect 1s
	timeout client 30s
	timeout server 30s
backend st_bad
	stick-table type ip size 100k expire 60s store gpt0,gpc0,gpc0_rate(60s)
backend st_limits
	stick-table type string len 32 size 1k store gpc0
frontend p2p
	bind 10.9.0.1:7100
	acl known src -f DIR/peers.lst
	acl enforced str(on) -f DIR/enforce.lst
	tcp-request connection reject if enforced !known
	tcp-request inspect-delay 3s
	acl garbage req.payload(0,3) -m str bad
	tcp-request content track-sc0 src table st_bad if garbage
	tcp-request content sc-inc-gpc0(0) if garbage
	tcp-request content sc-set-gpt0(0) 3 if garbage
	tcp-request content track-sc1 str(p2p-garbage) table st_limits if garbage
	tcp-request content sc-inc-gpc0(1) if garbage
	tcp-request content reject if garbage
	tcp-request content accept if { req.len ge 3 }
	default_backend prep
backend prep
	server prep 127.0.0.1:7101
`

func sh(t *testing.T, script string) string {
	t.Helper()
	out, err := exec.Command("bash", "-ec", script).CombinedOutput()
	if err != nil {
		t.Fatalf("%s: %v\n%s", script, err, out)
	}
	return string(out)
}

func newPlace(t *testing.T) *place {
	t.Helper()
	p := &place{dir: t.TempDir()}
	sh(t, `ip netns add outside
ip link add inner type veth peer name outer netns outside
ip addr add 10.9.0.1/24 dev inner
ip link set inner up
ip -n outside link set lo up
ip -n outside link set outer up
for i in 2 3 4 5; do ip -n outside addr add 10.9.0.$i/24 dev outer; done`)
	t.Cleanup(func() { sh(t, "ip link del inner; ip netns del outside") })
	l, err := net.Listen("tcp", "127.0.0.1:7101")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go func() { _, _ = io.Copy(c, c); c.Close() }()
		}
	}()
	p.binary, p.socket = filepath.Join(p.dir, "icon-sentry"), filepath.Join(p.dir, "control.sock")
	build := exec.Command("go", "build", "-trimpath", "-o", p.binary, "../../cmd/icon-sentry")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	p.write(t, "peers.lst", "")
	p.write(t, "enforce.lst", "")
	p.write(t, "haproxy.cfg", strings.ReplaceAll(haproxyText, "DIR", p.dir))
	p.config = sentry.AgentConfig{
		Kernel: true, AdminSocket: filepath.Join(p.dir, "admin.sock"), StateDir: p.dir, ControlSocket: p.socket, Metrics: "127.0.0.1:9471",
		Bans:  sentry.AgentBans{Strikes: 20, Seconds: 2, MaxSeconds: 3600, Network: 16},
		Peers: sentry.AgentPeers{Mode: sentry.PeersPrefer, Static: []string{peer}},
	}
	p.configure(t)
	p.loadTable(t)
	p.proxy = p.run(t, "haproxy", "-db", "-f", filepath.Join(p.dir, "haproxy.cfg"))
	eventually(t, 10*time.Second, "HAProxy serves", func() bool { return send(stranger, "hello") })
	p.startAgent(t)
	eventually(t, 5*time.Second, "HAProxy answers the agent", func() bool { return strings.Contains(p.ask(t, 0, "status"), "well, 2.") })
	return p
}

func (p *place) write(t *testing.T, name, text string) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(p.dir, name), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

func (p *place) configure(t *testing.T) {
	t.Helper()
	text, err := json.Marshal(p.config)
	if err != nil {
		t.Fatal(err)
	}
	p.write(t, "agent.json", string(text))
}

func (p *place) loadTable(t *testing.T) {
	t.Helper()
	text, err := sentry.Kernel(sentry.Settings{PRep: "10.0.0.2:7100", CID: "0x1"})
	if err != nil {
		t.Fatal(err)
	}
	p.write(t, "kernel.nft", text)
	sh(t, "nft -f "+filepath.Join(p.dir, "kernel.nft"))
}

func (p *place) run(t *testing.T, argv ...string) *exec.Cmd {
	t.Helper()
	cmd := exec.Command(argv[0], argv[1:]...)
	cmd.Stdout, cmd.Stderr = os.Stdout, os.Stderr
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = cmd.Process.Kill(); _ = cmd.Wait() })
	return cmd
}

func (p *place) startAgent(t *testing.T) {
	t.Helper()
	p.agent = p.run(t, p.binary, "agent", "-config", filepath.Join(p.dir, "agent.json"))
	eventually(t, 5*time.Second, "the agent has the list in the kernel", func() bool {
		return strings.Contains(set(t, sentry.SetPeers), peer)
	})
}

// ask runs the command as an operator does.
func (p *place) ask(t *testing.T, want int, args ...string) string {
	t.Helper()
	cmd := exec.Command(p.binary, append(args, "--socket", p.socket)...)
	out, _ := cmd.CombinedOutput()
	if got := cmd.ProcessState.ExitCode(); got != want {
		t.Errorf("icon-sentry %s: exit code %d; want %d\n%s", strings.Join(args, " "), got, want, out)
	}
	return string(out)
}

func set(t *testing.T, name string) string {
	t.Helper()
	_, elements, _ := strings.Cut(sh(t, "nft list set inet icon_sentry "+name), "elements")
	return elements
}

func eventually(t *testing.T, within time.Duration, what string, is func() bool) time.Duration {
	t.Helper()
	begin := time.Now()
	for time.Since(begin) < within {
		if is() {
			return time.Since(begin)
		}
		time.Sleep(10 * time.Millisecond)
	}
	t.Fatalf("not within %s: %s", within, what)
	return 0
}

// send opens a connection from an address outside, and tells whether its bytes came back.
func send(source, text string) bool {
	answer := make(chan bool)
	go func() {
		// The thread that is in the other namespace ends with this function.
		runtime.LockOSThread()
		answer <- sendHere(source, text)
	}()
	return <-answer
}

func sendHere(source, text string) bool {
	ns, err := os.Open("/run/netns/outside")
	if err != nil || unix.Setns(int(ns.Fd()), unix.CLONE_NEWNET) != nil {
		panic("no way outside")
	}
	defer ns.Close()
	dialer := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.ParseIP(source)}, Timeout: 700 * time.Millisecond, FallbackDelay: -1}
	c, err := dialer.Dial("tcp4", public)
	if err != nil {
		return false
	}
	defer c.Close()
	_ = c.SetDeadline(time.Now().Add(700 * time.Millisecond))
	if _, err := io.WriteString(c, text); err != nil {
		return false
	}
	_, err = io.ReadFull(c, make([]byte, len(text)))
	return err == nil
}

func attack(source string) {
	for range 20 {
		send(source, "bad")
	}
}

func isBanned(t *testing.T, address string) bool {
	t.Helper()
	return strings.Contains(set(t, sentry.SetBanned), address+" timeout")
}

func checkMetrics(t *testing.T, want ...string) {
	t.Helper()
	var text string
	// Counters are read once a second.
	for range 30 {
		response, err := http.Get("http://127.0.0.1:9471/metrics")
		if err != nil {
			t.Fatal(err)
		}
		body, _ := io.ReadAll(response.Body)
		response.Body.Close()
		text = string(body)
		if !slices.ContainsFunc(want, func(w string) bool { return !strings.Contains(text, w) }) {
			return
		}
		time.Sleep(100 * time.Millisecond)
	}
	for _, w := range want {
		if !strings.Contains(text, w) {
			t.Errorf("metrics lack %q", w)
		}
	}
	t.Log(text)
}
