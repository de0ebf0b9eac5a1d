package remote

import (
	"errors"
	"fmt"
	"net"
	"os"
	"strconv"
	"time"

	"github.com/pulumi/pulumi-go-provider/infer"
	"golang.org/x/crypto/ssh"
	"golang.org/x/crypto/ssh/agent"
)

const (
	defaultUser           = "root"
	defaultPort           = 22.0
	defaultDialErrorLimit = 10
	defaultPerDialTimeout = 15
)

// endpoint is one SSH server and how to log in to it.
type endpoint struct {
	// User to log in as. Default root.
	User *string `pulumi:"user,optional"`
	// Password, also used to answer keyboard-interactive questions.
	Password *string `pulumi:"password,optional" provider:"secret"`
	// Host name or address. Required.
	Host *string `pulumi:"host"`
	// Port of the SSH server. Default 22.
	Port *float64 `pulumi:"port,optional"`
	// PrivateKey is the text of the key; tried before the password.
	PrivateKey *string `pulumi:"privateKey,optional" provider:"secret"`
	// PrivateKeyPassword decrypts PrivateKey.
	PrivateKeyPassword *string `pulumi:"privateKeyPassword,optional" provider:"secret"`
	// AgentSocketPath of an SSH agent. Default $SSH_AUTH_SOCK. A socket that does
	// not answer is an error, whatever other credentials there are.
	AgentSocketPath *string `pulumi:"agentSocketPath,optional"`
	// DialErrorLimit is how many failed attempts are retried; negative is no
	// limit. Default 10.
	DialErrorLimit *int `pulumi:"dialErrorLimit,optional"`
	// PerDialTimeout in seconds for establishing a TCP connection; 0 is no limit.
	// Default 15.
	PerDialTimeout *int `pulumi:"perDialTimeout,optional"`
	// HostKey that the server must present, in authorized_keys form. Unset
	// is refused (the real plugin would accept any key).
	HostKey *string `pulumi:"hostKey,optional"`
}

// Connection says how to reach and log in to a host.
type Connection struct {
	endpoint
	// Proxy is a bastion to go through.
	Proxy *ProxyConnection `pulumi:"proxy,optional"`
}

// ProxyConnection says how to reach and log in to a bastion.
type ProxyConnection struct{ endpoint }

// Annotate sets the defaults of a Connection.
func (c *Connection) Annotate(a infer.Annotator) { c.annotate(a) }

// Annotate sets the defaults of a ProxyConnection.
func (c *ProxyConnection) Annotate(a infer.Annotator) { c.annotate(a) }

func (e *endpoint) annotate(a infer.Annotator) {
	a.SetDefault(&e.User, defaultUser)
	a.SetDefault(&e.Port, defaultPort)
	a.SetDefault(&e.DialErrorLimit, defaultDialErrorLimit)
	a.SetDefault(&e.PerDialTimeout, defaultPerDialTimeout)
}

func orDefault[T any](value *T, otherwise T) T {
	if value == nil {
		return otherwise
	}
	return *value
}

func (e *endpoint) address() string {
	return net.JoinHostPort(orDefault(e.Host, ""), strconv.Itoa(int(orDefault(e.Port, defaultPort))))
}

// String names the endpoint in errors: the login and the address, no secret.
func (e *endpoint) String() string {
	return orDefault(e.User, defaultUser) + "@" + e.address()
}

func (e *endpoint) dialTimeout() time.Duration {
	return time.Duration(orDefault(e.PerDialTimeout, defaultPerDialTimeout)) * time.Second
}

// clientConfig turns the endpoint into the settings of an SSH client. The
// returned function releases the agent and is never nil when err is.
func (e *endpoint) clientConfig() (config *ssh.ClientConfig, release func(), err error) {
	config = &ssh.ClientConfig{User: orDefault(e.User, defaultUser)}
	if err := e.pinHostKey(config); err != nil {
		return nil, nil, err
	}
	if e.PrivateKey != nil {
		signer, err := e.signer()
		if err != nil {
			return nil, nil, fmt.Errorf("privateKey: %w", err)
		}
		config.Auth = append(config.Auth, ssh.PublicKeys(signer))
	}
	if e.Password != nil {
		config.Auth = append(config.Auth, ssh.Password(*e.Password), ssh.KeyboardInteractive(e.answer))
	}
	socket := orDefault(e.AgentSocketPath, os.Getenv("SSH_AUTH_SOCK"))
	if socket == "" && e.AgentSocketPath == nil {
		return config, func() {}, nil
	}
	conn, err := net.Dial("unix", socket)
	if err != nil {
		return nil, nil, fmt.Errorf("SSH agent (agentSocketPath or $SSH_AUTH_SOCK): %w", err)
	}
	config.Auth = append(config.Auth, ssh.PublicKeysCallback(agent.NewClient(conn).Signers))
	return config, func() { conn.Close() }, nil
}

func (e *endpoint) signer() (ssh.Signer, error) {
	if e.PrivateKeyPassword != nil {
		return ssh.ParsePrivateKeyWithPassphrase([]byte(*e.PrivateKey), []byte(*e.PrivateKeyPassword))
	}
	return ssh.ParsePrivateKey([]byte(*e.PrivateKey))
}

func (e *endpoint) answer(_, _ string, questions []string, _ []bool) ([]string, error) {
	answers := make([]string, len(questions))
	for i := range answers {
		answers[i] = *e.Password
	}
	return answers, nil
}

// pinHostKey accepts HostKey alone. The algorithm is pinned with it: a server
// with several keys must not choose to present another one. A connection
// without one, which the real plugin lets trust any server, is refused.
func (e *endpoint) pinHostKey(config *ssh.ClientConfig) error {
	if e.HostKey == nil {
		return errors.New("connection without hostKey: this stand-in trusts no server on first sight; set it, or install the real pulumi-command plugin")
	}
	want, _, _, _, err := ssh.ParseAuthorizedKey([]byte(*e.HostKey))
	if err != nil {
		return fmt.Errorf("hostKey %q is not a public key in authorized_keys form: %w", *e.HostKey, err)
	}
	fixed := ssh.FixedHostKey(want)
	config.HostKeyAlgorithms = []string{want.Type()}
	config.HostKeyCallback = func(name string, addr net.Addr, got ssh.PublicKey) error {
		if err := fixed(name, addr, got); err != nil {
			return fmt.Errorf("%w: expected %s %s, the server offered %s %s", err,
				want.Type(), ssh.FingerprintSHA256(want), got.Type(), ssh.FingerprintSHA256(got))
		}
		return nil
	}
	return nil
}
