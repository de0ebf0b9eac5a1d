// Package peers plays the rest of an ICON network on one host of the lab: three validators and a seed, real goloop nodes, with a
// genesis that names the operator's P-Rep as the fourth validator.
package peers

import (
	"bytes"
	"context"
	"crypto/rand"
	_ "embed"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"github.com/insight-icon/pulumi-icon/sandbox/lab"
)

// BlockInterval of the sandbox's network, in milliseconds.
const BlockInterval = 1000

// Channel of the sandbox's network.
const Channel = "icon_dex"

// names of the nodes, in the order of their ports; the last is the seed.
var names = []string{"validator-2", "validator-3", "validator-4", "seed"}

// firstPort of the nodes on their host; the API of node i is on firstRPC+i, loopback only.
const (
	firstPort = 7100
	firstRPC  = 9000
)

// RPC is the API of the network's first validator, on its own host.
const RPC = "http://127.0.0.1:9000/api/v3/" + Channel

// Network is a network that was made: its keys and its genesis are in a directory.
type Network struct {
	dir, goloop string
	// CID is the chain id, "0x…"; the network id is the same.
	CID string
	// PRep is the address of the operator's P-Rep.
	PRep string
}

// Make makes the network's keys and genesis in dir, once; later calls read what is there. The P-Rep's key is made here too, because a
// genesis has to name its validators: Key has it, for the P-Rep's host.
func Make(ctx context.Context, dir, goloop string) (*Network, error) {
	n := &Network{dir: dir, goloop: goloop}
	if _, err := os.Stat(n.Genesis()); err != nil {
		if err := n.create(ctx); err != nil {
			return nil, fmt.Errorf("sandbox network: %w", err)
		}
	}
	cid, err := n.run(ctx, "gs", "info", "-c", n.Genesis())
	if err != nil {
		return nil, err
	}
	n.CID = strings.TrimSpace(cid)
	n.PRep, err = n.address(n.path("prep"))
	return n, err
}

// Genesis is the path of the genesis storage.
func (n *Network) Genesis() string { return filepath.Join(n.dir, "genesis.zip") }

func (n *Network) path(name string) string { return filepath.Join(n.dir, name+".json") }

func (n *Network) create(ctx context.Context) error {
	if err := os.RemoveAll(n.dir); err != nil {
		return err
	}
	if err := os.MkdirAll(n.dir, 0o700); err != nil {
		return err
	}
	for _, name := range append([]string{"prep"}, names...) {
		if err := n.MakeKey(ctx, name); err != nil {
			return err
		}
	}
	genesis := filepath.Join(n.dir, "genesis.json")
	args := []string{"gn", "gen", "-o", genesis, "-c", fmt.Sprintf("blockInterval=0x%x", BlockInterval), n.path("prep")}
	for _, name := range names[:len(names)-1] {
		args = append(args, n.path(name))
	}
	if _, err := n.run(ctx, args...); err != nil {
		return err
	}
	// Last, because Make takes it for the sign that all is there.
	_, err := n.run(ctx, "gs", "gen", "-i", genesis, "-o", n.Genesis())
	return err
}

// MakeKey makes a keystore and its password file under a name in the network's directory.
func (n *Network) MakeKey(ctx context.Context, name string) error {
	secret := make([]byte, 24)
	if _, err := rand.Read(secret); err != nil {
		return err
	}
	password := filepath.Join(n.dir, name+".password")
	if err := os.WriteFile(password, []byte(base64.StdEncoding.EncodeToString(secret)), 0o600); err != nil {
		return err
	}
	_, err := n.run(ctx, "ks", "gen", "-o", n.path(name), "-s", password)
	return err
}

// Key is a keystore's address, its text and its password.
func (n *Network) Key(name string) (address, keystore, password string, err error) {
	text, err := os.ReadFile(n.path(name))
	if err != nil {
		return "", "", "", err
	}
	pw, err := os.ReadFile(filepath.Join(n.dir, name+".password"))
	if err != nil {
		return "", "", "", err
	}
	address, err = n.address(n.path(name))
	return address, string(text), string(pw), err
}

// PRepFiles put the P-Rep's key on its host, where a deploy finds and keeps it.
func (n *Network) PRepFiles(dataDir string) map[string]lab.File {
	return map[string]lab.File{
		dataDir + "/key/keystore.json": {Source: n.path("prep"), Mode: 0o400},
		dataDir + "/key/password":      {Source: filepath.Join(n.dir, "prep.password"), Mode: 0o400},
	}
}

//go:embed peer.service
var unit string

//go:embed peer-join.sh
var joinScript string

// Host is the host that plays the network. announced maps the announced name to its addresses, as DNS would.
func (n *Network) Host(name string, address netip.Addr, announced string, sentries []netip.Addr) lab.HostSpec {
	files := map[string]lab.File{
		"/usr/local/bin/goloop":                              {Source: n.goloop, Mode: 0o755},
		"/usr/local/bin/peer-join":                           {Content: []byte(joinScript), Mode: 0o755},
		"/etc/systemd/system/peer@.service":                  {Content: []byte(unit)},
		"/etc/peer/genesis.zip":                              {Source: n.Genesis()},
		"/etc/hosts":                                         {Content: Hosts(name, announced, sentries)},
		"/etc/systemd/system/multi-user.target.d/peers.conf": {Content: []byte(wants())},
	}
	for i, node := range names {
		role, seeds := 3, []string{}
		if node == "seed" {
			role = 1
		}
		for j := range names {
			if j != i {
				seeds = append(seeds, fmt.Sprintf("%s:%d", address, firstPort+j))
			}
		}
		files["/etc/peer/"+node+".json"] = lab.File{Source: n.path(node), Mode: 0o400}
		files["/etc/peer/"+node+".password"] = lab.File{Source: filepath.Join(n.dir, node+".password"), Mode: 0o400}
		env := fmt.Appendf(nil, "P2P=%s:%d\nRPC=127.0.0.1:%d\nROLE=%d\nSEEDS=%s\nCID=%s\nCHANNEL=%s\n",
			address, firstPort+i, firstRPC+i, role, strings.Join(seeds, ","), n.CID, Channel)
		files["/etc/peer/"+node+".env"] = lab.File{Content: env}
	}
	return lab.HostSpec{Name: name, Internet: address, Files: files}
}

// Seeds are where the network is found on the host with this address: its seed and one of its validators. Citizens need a seed,
// because validators refuse them; a P-Rep needs a validator, because those do not ask the seeds that hang on them for other validators.
func Seeds(address netip.Addr) []string {
	return []string{fmt.Sprintf("%s:%d", address, firstPort+len(names)-1), fmt.Sprintf("%s:%d", address, firstPort)}
}

// Hosts is the host's /etc/hosts: the announced name has one address per sentry, as it would have in DNS.
func Hosts(name, announced string, sentries []netip.Addr) []byte {
	var b bytes.Buffer
	fmt.Fprintf(&b, "127.0.0.1 localhost\n127.0.1.1 %s\n", name)
	for _, s := range sentries {
		fmt.Fprintf(&b, "%s %s\n", s, announced)
	}
	return b.Bytes()
}

// wants has the nodes started at boot.
func wants() string {
	units := make([]string, len(names))
	for i, n := range names {
		units[i] = "peer@" + n + ".service"
	}
	return "[Unit]\nWants=" + strings.Join(units, " ") + "\n"
}

func (n *Network) run(ctx context.Context, args ...string) (string, error) {
	var out, problem bytes.Buffer
	cmd := exec.CommandContext(ctx, n.goloop, args...)
	cmd.Stdout, cmd.Stderr = &out, &problem
	if err := cmd.Run(); err != nil {
		return "", fmt.Errorf("goloop %s: %w: %s", strings.Join(args[:2], " "), err, problem.String())
	}
	return out.String(), nil
}

func (n *Network) address(keystore string) (string, error) {
	text, err := os.ReadFile(keystore)
	if err != nil {
		return "", err
	}
	var k struct {
		Address string `json:"address"`
	}
	if err := json.Unmarshal(text, &k); err != nil || k.Address == "" {
		return "", fmt.Errorf("%s: no keystore: %w", keystore, err)
	}
	return k.Address, nil
}
