//go:build sandbox

// Package firstboot boots a machine as a cloud does: with Debian's own cloud-init and the user-data that a new machine is told, and runs
// the first steps over the login that comes of it. Needs root on a Debian 12 machine; takes about a minute.
package firstboot

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"encoding/pem"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"strings"
	"testing"
	"time"

	"golang.org/x/crypto/ssh"

	"github.com/insight-icon/pulumi-icon/internal/remote"
	"github.com/insight-icon/pulumi-icon/sandbox/lab"
)

const (
	machine = "prep-1"
	serve   = "serve-packages"
)

var address = netip.MustParseAddr("10.77.32.10")

func TestMain(m *testing.M) {
	if len(os.Args) == 4 && os.Args[1] == serve {
		fmt.Fprintln(os.Stderr, lab.ServeRepo(context.Background(), os.Args[2], os.Args[3]))
		os.Exit(1)
	}
	os.Exit(m.Run())
}

// must ends the test on an error.
func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// openLab is a lab whose hosts can install cloud-init: the image of the other labs is left without.
func openLab(t *testing.T) *lab.Lab {
	t.Helper()
	self, err := os.Executable()
	must(t, err)
	l, err := lab.Open(lab.Config{
		Dir: lab.DefaultDir("../../.."), Name: "first", Packages: []string{"cloud-init"}, ServeArgv: []string{self, serve}, Progress: t.Logf,
		Internet: netip.MustParsePrefix("10.77.31.0/24"), Private: netip.MustParsePrefix("10.77.32.0/24"),
	})
	must(t, err)
	down := func() {
		if err := l.Down(context.Background()); err != nil {
			t.Error(err)
		}
	}
	down() // what an interrupted run left
	t.Cleanup(down)
	return l
}

// key is a new key pair: private in OpenSSH's format, public as a line, and for logging in.
func key(t *testing.T) (private, public string, signer ssh.Signer) {
	t.Helper()
	_, secret, err := ed25519.GenerateKey(rand.Reader)
	must(t, err)
	block, err := ssh.MarshalPrivateKey(secret, "")
	must(t, err)
	signer, err = ssh.NewSignerFromKey(secret)
	must(t, err)
	return string(pem.EncodeToMemory(block)), strings.TrimSpace(string(ssh.MarshalAuthorizedKey(signer.PublicKey()))), signer
}

// dial logs in, and gives the host key that the machine showed in any case.
func dial(user string, how ssh.AuthMethod, algorithms ...string) (*ssh.Client, string, error) {
	shown := ""
	client, err := ssh.Dial("tcp", address.String()+":22", &ssh.ClientConfig{
		User: user, Auth: []ssh.AuthMethod{how}, HostKeyAlgorithms: algorithms, Timeout: 10 * time.Second,
		HostKeyCallback: func(_ string, _ net.Addr, k ssh.PublicKey) error {
			shown = strings.TrimSpace(string(ssh.MarshalAuthorizedKey(k)))
			return nil
		},
	})
	return client, shown, err
}

// session runs a command over a login; its standard output, and an error with its standard error.
func session(t *testing.T, client *ssh.Client, stdin, command string) (string, error) {
	t.Helper()
	s, err := client.NewSession()
	must(t, err)
	defer s.Close()
	var out, said bytes.Buffer
	s.Stdin, s.Stdout, s.Stderr = strings.NewReader(stdin), &out, &said
	if err := s.Run(command); err != nil {
		return out.String(), errors.Join(err, errors.New(said.String()))
	}
	return out.String(), nil
}

// step runs one half of a step as a deploy does.
func step(t *testing.T, client *ssh.Client, name, half, script string, vars map[string]string) (string, error) {
	t.Helper()
	text, err := remote.Program(script, vars, nil)
	must(t, err)
	return session(t, client, text,
		fmt.Sprintf(`sudo -n timeout -k 30 120 bash -s %s %s %s "$SSH_CONNECTION"`, half, machine, name))
}
