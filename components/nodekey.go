package components

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"

	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"github.com/insight-icon/pulumi-icon/components/platform"
	"github.com/insight-icon/pulumi-icon/internal/goloop"
	"github.com/insight-icon/pulumi-icon/internal/remote"
)

// Software is how goloop runs on a host: exactly one of Binary and Container.
type Software struct {
	// Binary is the path of a goloop executable on this machine, which is copied to the host and supervised by systemd. For private
	// networks of the basic platform: it executes no contracts.
	Binary string
	// Container is the official image.
	Container *Container
}

// Container is the official image under Debian's podman or docker, supervised by systemd.
type Container struct {
	// Image pinned by digest, "name@sha256:…". Required.
	Image string
	// Engine is "podman" (default) or "docker".
	Engine string
	// ConfigURL is where the image finds the network's settings and genesis. Empty: the image's default.
	ConfigURL string
	// Archive is the path of an image archive on this machine, for hosts that reach no registry. Empty: the image is pulled.
	// With podman only: docker knows no digest of an image that it has loaded.
	//
	// An OCI archive keeps the digest of what is in it, and Image must be that digest with the archive's own name in front:
	//
	//	skopeo copy docker://docker.io/iconloop/icon2-node@sha256:… oci-archive:icon2-node.tar:docker.io/iconloop/icon2-node:v1.4.4
	//	skopeo inspect --format 'docker.io/iconloop/icon2-node@{{.Digest}}' oci-archive:icon2-node.tar
	//
	// The digest may differ from the registry's, which skopeo has verified by then: the archive holds the same layers under a manifest
	// in OCI's format.
	Archive string
}

// ImportKey is a node key that is brought along. Without one, the key is born on the host and never leaves it.
type ImportKey struct {
	// Address of the key, "hx…". Required; the keystore must be of this address.
	Address string
	// Keystore is the keystore's JSON text, Password opens it. Both must be secrets.
	Keystore, Password pulumi.StringInput
}

// NodeKeyArgs are the inputs of NewNodeKey.
type NodeKeyArgs struct {
	// Host with Spec.Data set. Required.
	Host *platform.Host
	// Software that the node runs with; it makes the key. Required.
	Software Software
	// Import brings a key along. Nil: the key is born on the host.
	Import *ImportKey
	// Wipe destroys chain data and key when the node is removed. Default: they are kept on the host.
	Wipe bool
}

// NodeKey is a host with the node's software and its key, before anything runs.
type NodeKey struct {
	// Address of the key, "hx…". The key itself stays on the host.
	Address pulumi.StringOutput
	// software and keySum tell the service step what there is to be taken into use.
	software, keySum pulumi.StringOutput

	host *platform.Host
	args NodeKeyArgs
}

func (a *NodeKeyArgs) validate() error {
	if a == nil {
		return errors.New("args are required")
	}
	var errs []error
	switch {
	case a.Host == nil:
		errs = append(errs, errors.New("Host is required"))
	case a.Host.Spec.Data == nil:
		errs = append(errs, fmt.Errorf("Host %q: its spec needs Data, the node's directory", a.Host.Spec.Name))
	}
	if (a.Software.Binary == "") == (a.Software.Container == nil) {
		errs = append(errs, errors.New("Software: exactly one of Binary and Container is required"))
	}
	if c := a.Software.Container; c != nil && c.Image == "" {
		errs = append(errs, errors.New("Software.Container.Image is required, pinned by digest"))
	}
	if c := a.Software.Container; c != nil && c.Archive != "" && c.engine() == "docker" {
		errs = append(errs, errors.New("Software.Container.Archive: docker keeps no digest of an image that it loads from an archive, "+
			"so it can't be told whether it is Image: use podman, or a registry"))
	}
	if i := a.Import; i != nil && (i.Address == "" || i.Keystore == nil || i.Password == nil) {
		errs = append(errs, errors.New("Import: Address, Keystore and Password are required"))
	}
	return errors.Join(errs...)
}

func (c *Container) engine() string {
	if c.Engine == "" {
		return "podman"
	}
	return c.Engine
}

// uploads is where files are staged on a host before a step takes them to their place.
const uploads = "/var/tmp/icon-upload"

// NewNodeKey puts the node's software on the host and makes sure that there is a node key: born there, or imported. An existing key is
// never overwritten. PRepNode and CitizenNode do it themselves unless they are given one; plans of several nodes do it first, so that
// GuardKeys can compare all keys before any node starts.
func NewNodeKey(ctx *pulumi.Context, name string, args *NodeKeyArgs) (*NodeKey, error) {
	if err := args.validate(); err != nil {
		return nil, fmt.Errorf("node key %q: %w", name, err)
	}
	k := &NodeKey{host: args.Host, args: *args}
	vars, err := k.stage(ctx, name)
	if err != nil {
		return nil, fmt.Errorf("node key %q: %w", name, err)
	}
	files := map[string]pulumi.StringInput{}
	vars["IMPORT_ADDRESS"] = pulumi.String("")
	if i := args.Import; i != nil {
		vars["IMPORT_ADDRESS"] = pulumi.String(i.Address)
		files["keystore.json"] = pulumi.ToSecret(i.Keystore).(pulumi.StringOutput)
		files["password"] = pulumi.ToSecret(i.Password).(pulumi.StringOutput)
	}
	res, err := args.Host.Session.Run(ctx, name+"-key", remote.Step{
		// Pulling the image may take long.
		Name: "key", Script: goloop.KeyScript, Vars: vars, Files: files, Timeout: 30 * time.Minute, Remove: true,
	}, pulumi.Parent(args.Host))
	if err != nil {
		return nil, err
	}
	k.Address, k.software, k.keySum = res.Value("address"), res.Value("software"), res.Value("key")
	return k, nil
}

// stage copies what the host cannot get by itself and says where it is.
func (k *NodeKey) stage(ctx *pulumi.Context, name string) (map[string]pulumi.StringInput, error) {
	vars := map[string]string{
		"DATA_DIR": k.host.Spec.Data.Dir, "RUNTIME": k.runtime(), "ON_DESTROY": "keep",
		"ENGINE": "", "IMAGE": "", "ARCHIVE": "", "BINARY_STAGED": "", "BINARY_SHA256": "",
	}
	if k.args.Wipe {
		vars["ON_DESTROY"] = "wipe"
	}
	local, staged := k.args.Software.Binary, ""
	if c := k.args.Software.Container; c != nil {
		vars["ENGINE"], vars["IMAGE"] = c.engine(), c.Image
		local = c.Archive
	}
	if local != "" {
		sum, err := sha256File(local)
		if err != nil {
			return nil, err
		}
		staged = fmt.Sprintf("%s/%s-%s", uploads, filepath.Base(local), sum[:12])
		if k.args.Software.Binary != "" {
			vars["BINARY_STAGED"], vars["BINARY_SHA256"] = staged, sum
		} else {
			vars["ARCHIVE"] = staged
		}
		if err := k.host.Session.Copy(ctx, name+"-copy", local, staged, pulumi.Parent(k.host)); err != nil {
			return nil, err
		}
	}
	inputs := map[string]pulumi.StringInput{}
	for n, v := range vars {
		inputs[n] = pulumi.String(v)
	}
	return inputs, nil
}

func (k *NodeKey) runtime() string {
	if k.args.Software.Container != nil {
		return "container"
	}
	return "binary"
}

func sha256File(path string) (string, error) {
	f, err := os.Open(path)
	if err != nil {
		return "", fmt.Errorf("cannot be read: %w", err)
	}
	defer f.Close()
	h := sha256.New()
	if _, err := io.Copy(h, f); err != nil {
		return "", fmt.Errorf("%s cannot be read: %w", path, err)
	}
	return hex.EncodeToString(h.Sum(nil)), nil
}

// GuardKeys compares the node keys of a plan before any node starts, and refuses a key that is on two hosts: both nodes would sign, and
// double signing is punished on chain. Nodes made after it wait for it.
func GuardKeys(ctx *pulumi.Context, name string, keys []*NodeKey, opts ...pulumi.ResourceOption) error {
	if len(keys) < 2 {
		return nil
	}
	lines := pulumi.StringArray{}
	for _, k := range keys {
		lines = append(lines, pulumi.Sprintf("%s %s\n", k.host.Spec.Name, k.Address))
	}
	first := keys[0].host.Session
	for _, k := range keys[1:] {
		first.After(k.host.Session.Last()...)
	}
	text := lines.ToStringArrayOutput().ApplyT(func(l []string) string {
		var all string
		for _, line := range l {
			all += line
		}
		return all
	}).(pulumi.StringOutput)
	res, err := first.Run(ctx, name, remote.Step{
		Name: "guard", Script: goloop.GuardScript, Files: map[string]pulumi.StringInput{"keys": text}, Timeout: time.Minute,
	}, opts...)
	if err != nil {
		return err
	}
	for _, k := range keys[1:] {
		k.host.Session.After(res.Resource)
	}
	return nil
}
