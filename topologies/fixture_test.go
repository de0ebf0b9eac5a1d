package topologies

import (
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"math/big"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"
	"golang.org/x/crypto/ssh"

	"github.com/insight-icon/pulumi-icon/components"
	"github.com/insight-icon/pulumi-icon/components/platform/hosts"
	"github.com/insight-icon/pulumi-icon/internal/remote"
	"github.com/insight-icon/pulumi-icon/stacks"
	"github.com/insight-icon/pulumi-icon/tests/graph"
)

// The secrets of the test stacks. None may be seen anywhere but in what is marked secret.
const (
	sshKey        = "-----BEGIN OPENSSH PRIVATE KEY-----\nnobody must see this line\n-----END OPENSSH PRIVATE KEY-----\n"
	sshPassphrase = "correct horse battery staple"
	keyPassword   = "password of the imported key"
	keyCipherText = "0a1b2c3d4e5f60718293a4b5c6d7e8f90a1b2c3d4e5f60718293a4b5c6d7e8f9"
	importedKey   = "hxefd74609e39b8accfbd82372ddb6e63cbb52c76c"
)

var allSecrets = []string{sshKey, sshPassphrase, keyPassword, keyCipherText}

// hostKey is a valid SSH public key, another one for each name.
func hostKey(name string) string {
	seed := sha256.Sum256([]byte(name))
	key, err := ssh.NewPublicKey(ed25519.NewKeyFromSeed(seed[:]).Public())
	if err != nil {
		panic(err)
	}
	return strings.TrimSpace(string(ssh.MarshalAuthorizedKey(key)))
}

// testKey is an SSH private key that opens nothing.
func testKey(tb testing.TB) string {
	tb.Helper()
	block, err := ssh.MarshalPrivateKey(ed25519.NewKeyFromSeed(make([]byte, ed25519.SeedSize)), "")
	if err != nil {
		tb.Fatal(err)
	}
	return string(pem.EncodeToMemory(block))
}

// publicKey is the public half of testKey.
func publicKey(tb testing.TB) string {
	tb.Helper()
	signer, err := ssh.ParsePrivateKey([]byte(testKey(tb)))
	if err != nil {
		tb.Fatal(err)
	}
	return strings.TrimSpace(string(ssh.MarshalAuthorizedKey(signer.PublicKey())))
}

// machines gives each host a private and a public address of its own.
func machines(names ...string) *stacks.Hosts {
	h := &stacks.Hosts{Machines: map[string]stacks.Machine{}}
	for i, name := range names {
		h.Machines[name] = stacks.Machine{
			Address: fmt.Sprintf("198.51.%d.%d", 100+i/250, 1+i%250), PrivateAddress: fmt.Sprintf("10.2.%d.%d", i/250, 1+i%250),
			HostKey: hostKey(name),
		}
	}
	return h
}

// binary has the nodes run the runtime "binary" on a network of the operator's own.
func binary(tb testing.TB, c *stacks.Config) {
	tb.Helper()
	dir := tb.TempDir()
	write(tb, filepath.Join(dir, "goloop"), "an executable")
	write(tb, filepath.Join(dir, "genesis.zip"), "PK\x03\x04 a genesis \x00\xff")
	c.Network = stacks.Network{
		Profile: "custom", Name: "lab", CID: "0x1ecbb6", NID: "0x1ecbb6", Genesis: filepath.Join(dir, "genesis.zip"),
		Seeds: []string{"10.9.0.1:7100", "seed.lab.example.org:7200"},
	}
	c.Node = stacks.Node{Runtime: "binary", Binary: &stacks.Binary{Path: filepath.Join(dir, "goloop")}}
}

// container has the nodes run the official image on MainNet.
func container(c *stacks.Config) {
	c.Network = stacks.Network{Profile: "mainnet", Seeds: []string{"seed-ctz.solidwallet.io:7100", "validator.example.net:7100"}}
	c.Node = stacks.Node{Container: &stacks.Container{
		Image: "docker.io/iconloop/icon2-node@sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef",
	}}
}

func write(tb testing.TB, path, text string) {
	tb.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		tb.Fatal(err)
	}
}

func base(topology string, names ...string) *stacks.Config {
	c := &stacks.Config{
		Topology: topology, Platform: stacks.PlatformHosts, Administrators: []string{"203.0.113.0/24"},
		PRep: &stacks.PRep{Host: "prep-1"}, Hosts: machines(names...),
	}
	c.Secrets.SSHPrivateKey = pulumi.ToSecret(pulumi.StringPtr(sshKey)).(pulumi.StringPtrOutput)
	c.Secrets.SSHPrivateKeyPassphrase = pulumi.ToSecret(pulumi.StringPtr(sshPassphrase)).(pulumi.StringPtrOutput)
	return c
}

func singleNodeConfig(citizens ...string) *stacks.Config {
	c := base(stacks.TopologySingleNode, append([]string{"prep-1"}, citizens...)...)
	container(c)
	if len(citizens) > 0 {
		c.Citizens = &stacks.Citizens{Hosts: citizens, APIFrom: []string{"192.0.2.0/24"}}
	}
	return c
}

// sentryFrontedConfig has one citizen. The sentries are listed out of order, since the order in the configuration means nothing.
func sentryFrontedConfig(sentries ...string) *stacks.Config {
	c := base(stacks.TopologySentryFronted, append([]string{"prep-1", "citizen-1"}, sentries...)...)
	container(c)
	c.Citizens = &stacks.Citizens{Hosts: []string{"citizen-1"}}
	reversed := make([]string, len(sentries))
	for i, s := range sentries {
		reversed[len(sentries)-1-i] = s
	}
	c.Sentries = &stacks.Sentries{Hosts: reversed, Announce: "prep.example.org:7100"}
	return c
}

// citizensConfig has citizens alone.
func citizensConfig(names ...string) *stacks.Config {
	c := base(stacks.TopologyCitizens, names...)
	container(c)
	c.PRep = nil
	c.Citizens = &stacks.Citizens{Hosts: names, APIFrom: []string{"192.0.2.0/24"}}
	return c
}

// importing brings the P-Rep's key along.
func importing(tb testing.TB, c *stacks.Config) {
	tb.Helper()
	c.ImportedKeys = map[string]string{"prep-1": importedKey}
	text, err := json.Marshal(map[string]any{"prep-1": map[string]any{"password": keyPassword, "keystore": map[string]any{
		"address": importedKey, "version": 3, "id": "x", "coinType": "icx",
		"crypto": map[string]any{"cipher": "aes-128-ctr", "ciphertext": keyCipherText, "kdf": "scrypt", "mac": "00"},
	}}})
	if err != nil {
		tb.Fatal(err)
	}
	c.Secrets.Keystores = pulumi.ToSecret(pulumi.StringPtr(string(text))).(pulumi.StringPtrOutput)
}

// stacksUnderTest are the configurations that most tests go through, by name.
func stacksUnderTest(t *testing.T) map[string]*stacks.Config {
	t.Helper()
	all := map[string]*stacks.Config{
		"single-node":                 singleNodeConfig(),
		"single-node-citizen":         singleNodeConfig("citizen-1"),
		"single-node-binary":          singleNodeConfig("citizen-1"),
		"citizens":                    citizensConfig("citizen-1", "citizen-2"),
		"sentry-fronted":              sentryFrontedConfig("sentry-1", "sentry-2"),
		"sentry-fronted-3-sentries":   sentryFrontedConfig("sentry-1", "sentry-2", "sentry-3"),
		"sentry-fronted-routed":       sentryFrontedConfig("sentry-1", "sentry-2"),
		"sentry-fronted-no-citizens":  sentryFrontedConfig("sentry-1", "sentry-2"),
		"sentry-fronted-binary":       sentryFrontedConfig("sentry-1", "sentry-2"),
		"sentry-fronted-imported-key": sentryFrontedConfig("sentry-1", "sentry-2"),
		"sentry-fronted-bastion-sudo": sentryFrontedConfig("sentry-1", "sentry-2"),
		"sentry-fronted-everything":   sentryFrontedConfig("sentry-1", "sentry-2", "sentry-3"),
		"sentry-fronted-own-tls":      sentryFrontedConfig("sentry-1", "sentry-2"),
		"sentry-fronted-nginx":        sentryFrontedConfig("sentry-1", "sentry-2"),
	}
	everything(all["sentry-fronted-everything"])
	ownCertificate(t, all["sentry-fronted-own-tls"], "api.example.org")
	all["sentry-fronted-nginx"].Sentries.Variant = "nginx"
	binary(t, all["single-node-binary"])
	all["sentry-fronted-routed"].PRep.Egress = "routed"
	all["sentry-fronted-no-citizens"].Citizens = nil
	binary(t, all["sentry-fronted-binary"])
	importing(t, all["sentry-fronted-imported-key"])
	behind := all["sentry-fronted-bastion-sudo"].Hosts
	behind.User, behind.Port = "deploy", 2222
	behind.Bastion = &stacks.Bastion{Address: "203.0.113.7", User: "jump", HostKey: hostKey("bastion")}
	return all
}

// everything sets all that a stack can say of sentries, but for what contradicts it.
func everything(c *stacks.Config) {
	s := c.Sentries
	s.Users, s.CORS, s.Draining = []string{"203.0.113.128/25", "192.0.2.0/24"}, []string{"https://app.example.org"}, []string{"sentry-2"}
	s.Peers = stacks.Peers{
		Mode: "enforce", Static: []string{"198.51.100.77", "validator.example.net"}, RefreshSeconds: 60,
		Endpoints: []string{"https://api.example.org/api/v3", "http://10.2.9.9:9000/api/v3"},
	}
	s.TLS = &stacks.TLS{Names: []string{"api.example.org"}, ACME: &stacks.ACME{Email: "admin@example.org"}}
	s.APIKeys, s.APIKeysOnly = map[string]stacks.APIKey{"shop": {SHA256: strings.Repeat("5e", 32)}}, true
}

// ownCertificate has the sentries' API encrypted by a certificate for a name, which is made here and now.
func ownCertificate(tb testing.TB, c *stacks.Config, name string) {
	tb.Helper()
	c.Sentries.TLS = &stacks.TLS{Names: []string{"api.example.org"}}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		tb.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), DNSNames: []string{name},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(90 * 24 * time.Hour),
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}, BasicConstraintsValid: true,
	}
	certificate, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		tb.Fatal(err)
	}
	private, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		tb.Fatal(err)
	}
	text := string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: certificate})) +
		string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: private}))
	c.Secrets.SentryCertificate = pulumi.ToSecret(pulumi.StringPtr(text)).(pulumi.StringPtrOutput)
}

func planOf(tb testing.TB, c *stacks.Config) *Plan {
	tb.Helper()
	full, err := c.Complete()
	if err != nil {
		tb.Fatal(err)
	}
	p, err := PlanOf(full)
	if err != nil {
		tb.Fatal(err)
	}
	return p
}

// program deploys a configuration as Run does, but for the login to the machines, which do not exist.
func program(tb testing.TB, c *stacks.Config) pulumi.RunFunc {
	tb.Helper()
	full, err := c.Complete()
	if err != nil {
		tb.Fatal(err)
	}
	return func(ctx *pulumi.Context) error {
		_, err := deploy(ctx, full)
		return err
	}
}

func deploy(ctx *pulumi.Context, c *stacks.Config) (*Outputs, error) {
	p, err := PlanOf(c)
	if err != nil {
		return nil, err
	}
	args := hostsArgs(c)
	args.WithoutLoginCheck = true
	provider, err := remote.NewProvider(ctx, "ssh")
	if err != nil {
		return nil, err
	}
	return Deploy(ctx, p, hosts.New(args), SecretsOf(c), pulumi.Providers(provider))
}

func record(tb testing.TB, c *stacks.Config) *graph.Graph {
	tb.Helper()
	return graph.Record(tb, graph.Options{}, program(tb, c))
}

var componentTypes = []string{components.NetworkType, components.SentryLayerType, components.PRepNodeType, components.CitizenNodeType}
