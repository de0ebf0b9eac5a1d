package remote

import (
	"bytes"
	"crypto/ed25519"
	"crypto/rand"
	"encoding/binary"
	"encoding/pem"
	"errors"
	"io"
	"net"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"sync"
	"testing"

	"github.com/pkg/sftp"
	"golang.org/x/crypto/ssh"
)

// sshServer is a host on the loopback: commands run in sh in a directory of its
// own, SFTP serves the real file system.
type sshServer struct {
	t         *testing.T
	dir       string // where commands run
	hostKey   ssh.Signer
	login     ssh.Signer
	loginPEM  string
	password  string   // accepted if not empty
	asks      bool     // asks for the password by keyboard-interactive alone
	acceptEnv []string // names of variables that are accepted
	listener  net.Listener

	mu    sync.Mutex
	open  int // connections that are logged in
	total int // logins so far
	hops  int // connections forwarded so far
}

// startServer starts a host that accepts its own new key alone.
func startServer(t *testing.T, configure ...func(*sshServer)) *sshServer {
	t.Helper()
	t.Setenv("SSH_AUTH_SOCK", "") // the developer's agent has no part in a test
	s := &sshServer{t: t, dir: t.TempDir()}
	s.hostKey, _ = newKey(t, "")
	s.login, s.loginPEM = newKey(t, "")
	for _, f := range configure {
		f(s)
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s.listener = listener
	t.Cleanup(func() { listener.Close() })
	go s.serve()
	return s
}

// newKey makes a key pair, its private half encrypted if there is a passphrase.
func newKey(t *testing.T, passphrase string) (ssh.Signer, string) {
	t.Helper()
	_, private, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	signer, err := ssh.NewSignerFromKey(private)
	if err != nil {
		t.Fatal(err)
	}
	block, err := ssh.MarshalPrivateKey(private, "test")
	if passphrase != "" {
		block, err = ssh.MarshalPrivateKeyWithPassphrase(private, "test", []byte(passphrase))
	}
	if err != nil {
		t.Fatal(err)
	}
	return signer, string(pem.EncodeToMemory(block))
}

func authorized(key ssh.Signer) string { return string(ssh.MarshalAuthorizedKey(key.PublicKey())) }

func (s *sshServer) port() float64 { return float64(s.listener.Addr().(*net.TCPAddr).Port) }

// connection logs in to the server with its key, its host key pinned, and a
// single retry.
func (s *sshServer) connection() *Connection {
	return &Connection{endpoint: endpoint{
		Host: ptr("127.0.0.1"), Port: ptr(s.port()), HostKey: ptr(authorized(s.hostKey)),
		PrivateKey: ptr(s.loginPEM), DialErrorLimit: ptr(1),
	}}
}

func ptr[T any](v T) *T { return &v }

func (s *sshServer) counts() (open, total, hops int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.open, s.total, s.hops
}

func (s *sshServer) add(counter *int, n int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	*counter += n
}

func (s *sshServer) serve() {
	config := &ssh.ServerConfig{
		PublicKeyCallback: func(_ ssh.ConnMetadata, key ssh.PublicKey) (*ssh.Permissions, error) {
			if bytes.Equal(key.Marshal(), s.login.PublicKey().Marshal()) {
				return nil, nil
			}
			return nil, errors.New("unknown key")
		},
		PasswordCallback: func(_ ssh.ConnMetadata, password []byte) (*ssh.Permissions, error) {
			if s.password != "" && string(password) == s.password {
				return nil, nil
			}
			return nil, errors.New("wrong password")
		},
	}
	if s.asks {
		config.PasswordCallback = nil
		config.KeyboardInteractiveCallback = s.ask
	}
	config.AddHostKey(s.hostKey)
	for {
		conn, err := s.listener.Accept()
		if err != nil {
			return // closed at the end of the test
		}
		go s.handle(conn, config)
	}
}

func (s *sshServer) ask(_ ssh.ConnMetadata, ask ssh.KeyboardInteractiveChallenge) (*ssh.Permissions, error) {
	answers, err := ask("", "", []string{"Password: "}, []bool{false})
	if err != nil {
		return nil, err
	}
	if len(answers) != 1 || answers[0] != s.password {
		return nil, errors.New("wrong answer")
	}
	return nil, nil
}

func (s *sshServer) handle(raw net.Conn, config *ssh.ServerConfig) {
	conn, channels, requests, err := ssh.NewServerConn(raw, config)
	if err != nil {
		raw.Close() // a refused login is what some tests want
		return
	}
	s.add(&s.open, 1)
	s.add(&s.total, 1)
	defer s.add(&s.open, -1)
	defer conn.Close()
	go ssh.DiscardRequests(requests)
	for channel := range channels {
		switch channel.ChannelType() {
		case "session":
			go s.session(channel)
		case "direct-tcpip":
			go s.forward(channel)
		default:
			s.t.Errorf("unexpected channel %q", channel.ChannelType())
		}
	}
}

func (s *sshServer) session(offered ssh.NewChannel) {
	channel, requests, err := offered.Accept()
	if err != nil {
		return
	}
	env := []string{"PATH=" + os.Getenv("PATH")}
	for request := range requests {
		ok := true
		switch request.Type {
		case "env":
			var v struct{ Name, Value string }
			ok = ssh.Unmarshal(request.Payload, &v) == nil && slices.Contains(s.acceptEnv, v.Name)
			if ok {
				env = append(env, v.Name+"="+v.Value)
			}
		case "exec":
			command := string(request.Payload[4:])
			go s.exec(channel, command, env)
		case "subsystem":
			go s.sftp(channel)
		default:
			s.t.Errorf("unexpected request %q", request.Type)
		}
		if err := request.Reply(ok, nil); err != nil {
			return
		}
	}
}

func (s *sshServer) exec(channel ssh.Channel, command string, env []string) {
	defer channel.Close()
	cmd := exec.Command("sh", "-c", command)
	cmd.Dir, cmd.Env = s.dir, env
	cmd.Stdin, cmd.Stdout, cmd.Stderr = channel, channel, channel.Stderr()
	err := cmd.Run()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		s.t.Errorf("run %q: %v", command, err)
	}
	status := binary.BigEndian.AppendUint32(nil, uint32(cmd.ProcessState.ExitCode()))
	if _, err := channel.SendRequest("exit-status", false, status); err != nil {
		s.t.Errorf("send the exit status of %q: %v", command, err)
	}
}

func (s *sshServer) sftp(channel ssh.Channel) {
	defer channel.Close()
	server, err := sftp.NewServer(channel)
	if err != nil {
		s.t.Error(err)
		return
	}
	if err := server.Serve(); err != nil && !errors.Is(err, io.EOF) {
		s.t.Error(err)
	}
}

// forward makes the server a bastion.
func (s *sshServer) forward(offered ssh.NewChannel) {
	var to struct {
		Host       string
		Port       uint32
		OriginHost string
		OriginPort uint32
	}
	if err := ssh.Unmarshal(offered.ExtraData(), &to); err != nil {
		s.t.Error(err)
		return
	}
	conn, err := net.Dial("tcp", net.JoinHostPort(to.Host, strconv.Itoa(int(to.Port))))
	if err != nil {
		if err := offered.Reject(ssh.ConnectionFailed, err.Error()); err != nil {
			s.t.Error(err)
		}
		return
	}
	channel, requests, err := offered.Accept()
	if err != nil {
		s.t.Error(err)
		return
	}
	s.add(&s.hops, 1)
	go ssh.DiscardRequests(requests)
	go func() {
		defer conn.Close()
		// Either end may cut the stream: that is how a connection ends.
		_, _ = io.Copy(conn, channel)
	}()
	defer channel.Close()
	_, _ = io.Copy(channel, conn)
}
