package components

import (
	"cmp"
	"encoding/base64"
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"github.com/insight-icon/pulumi-icon/components/platform"
	"github.com/insight-icon/pulumi-icon/internal/goloop"
	"github.com/insight-icon/pulumi-icon/internal/remote"
)

// Chain is the goloop network that a node joins. Plain data.
type Chain struct {
	// CID and NID, hexadecimal ("0x…"). Required.
	CID, NID string
	// Service is the network's name in the official image's settings. For containers.
	Service string
	// Channel, default "icon_dex", and Platform, default "basic".
	Channel, Platform string
	// Genesis is the path of the genesis storage on this machine. Required for the runtime "binary"; the official image has its own way.
	Genesis string
}

// NodeArgs are the inputs that every node has.
type NodeArgs struct {
	// Host that it runs on. Required, with Spec.Data set.
	Host *platform.Host
	// Chain to join. Required.
	Chain Chain
	// Seeds are the addresses ("host:port") where the network is found. Required, at least one, unless Relays is set.
	Seeds pulumi.StringArrayInput
	// Relays are the private addresses of sentries that lead to the network's seeds (SentryLayer.Relays), and RelayedSeeds is the number
	// of those seeds, required with Relays. The node knows the sentries under one name: goloop loses its connection when it reaches one
	// seed by two addresses, and tries the addresses of one name in turn.
	Relays       pulumi.StringArrayInput
	RelayedSeeds int
	// Announce is the address ("host:port") that other nodes are told. Required.
	Announce pulumi.StringInput
	// Key is the host's software and key; if nil, it is made from Software, Import and Wipe.
	Key *NodeKey
	// Software, Import and Wipe: see NodeKeyArgs. Not with Key.
	Software Software
	Import   *ImportKey
	Wipe     bool
	// LogLevel of goloop. Default "info".
	LogLevel string
	// SyncTimeout is how long the deploy waits for the node to answer, join and rise. Default 5 minutes.
	SyncTimeout time.Duration
	// WebSockets is how many websockets the node has at once, of all users together. Default 10, which is goloop's own; behind sentries,
	// at least what they let through. Another number restarts the node.
	WebSockets int
}

func (a *NodeArgs) validate() error {
	if a == nil {
		return errors.New("args are required")
	}
	errs := []error{a.validateKey()}
	if a.Chain.CID == "" || a.Chain.NID == "" {
		errs = append(errs, errors.New("Chain.CID and Chain.NID are required"))
	}
	if (a.Seeds == nil) == (a.Relays == nil) {
		errs = append(errs, errors.New("Seeds, Relays: exactly one of them is required"))
	}
	if (a.Relays == nil) != (a.RelayedSeeds == 0) {
		errs = append(errs, errors.New("Relays, RelayedSeeds: both or none of them are required"))
	}
	if a.WebSockets < 0 {
		errs = append(errs, fmt.Errorf("WebSockets: %d, wanted 0 for the default, or how many the node has at once", a.WebSockets))
	}
	if a.Announce == nil {
		errs = append(errs, errors.New("Announce is required"))
	}
	software := a.Software
	if a.Key != nil {
		software = a.Key.args.Software
	}
	if software.Binary != "" && a.Chain.Genesis == "" {
		errs = append(errs, errors.New("Chain.Genesis is required for the runtime \"binary\""))
	}
	if software.Container != nil && a.Chain.Service == "" {
		errs = append(errs, errors.New("Chain.Service is required for the runtime \"container\""))
	}
	return errors.Join(errs...)
}

// validateKey judges where the node's software and key come from: Key, or what makes one.
func (a *NodeArgs) validateKey() error {
	if a.Key == nil {
		return (&NodeKeyArgs{Host: a.Host, Software: a.Software, Import: a.Import, Wipe: a.Wipe}).validate()
	}
	var errs []error
	if a.Software != (Software{}) || a.Import != nil || a.Wipe {
		errs = append(errs, errors.New("Key: not together with Software, Import or Wipe, which it already has"))
	}
	switch {
	case a.Host == nil:
		errs = append(errs, errors.New("Host is required"))
	case a.Host != a.Key.host:
		errs = append(errs, fmt.Errorf("Key: is of host %s, not of %s", a.Key.host.Spec.Name, a.Host.Spec.Name))
	}
	return errors.Join(errs...)
}

// settings are a node's settings but for those that are only known once hosts exist.
func (a *NodeArgs) settings(role goloop.Role, rpcListen string) goloop.Settings {
	s := goloop.Settings{
		Role: role, DataDir: a.Host.Spec.Data.Dir, RPCListen: rpcListen, CID: a.Chain.CID, NID: a.Chain.NID,
		Channel: a.Chain.Channel, Platform: a.Chain.Platform, LogLevel: a.LogLevel,
	}
	if s.Channel == "" {
		s.Channel = "icon_dex"
	}
	if s.LogLevel == "" {
		s.LogLevel = "info"
	}
	return s
}

// runNode adds the steps "service" and "verify" of a node, which belong to parent.
func runNode(ctx *pulumi.Context, name string, a *NodeArgs, role goloop.Role, rpcListen string, parent pulumi.Resource) (*NodeKey, error) {
	key := a.Key
	if key == nil {
		var err error
		key, err = NewNodeKey(ctx, name, &NodeKeyArgs{Host: a.Host, Software: a.Software, Import: a.Import, Wipe: a.Wipe})
		if err != nil {
			return nil, err
		}
	}
	timeout := a.SyncTimeout
	if timeout == 0 {
		timeout = 5 * time.Minute
	}
	rendered := pulumi.All(a.Announce, orNone(a.Seeds), orNone(a.Relays)).ApplyT(func(in []any) (map[string]string, error) {
		s := a.settings(role, rpcListen)
		s.Announce, s.Seeds, s.Relays = in[0].(string), in[1].([]string), in[2].([]string)
		s.RelayedSeeds = a.RelayedSeeds
		return render(key, s, a.Chain)
	}).(pulumi.StringMapOutput)
	value := func(key string) pulumi.StringOutput { return rendered.MapIndex(pulumi.String(key)) }
	seconds := pulumi.String(strconv.Itoa(int(timeout.Seconds())))
	service := remote.Step{
		Name: "service", Script: goloop.ServiceScript, Timeout: timeout + 2*time.Minute, Remove: true,
		// Two validators with one key sign twice: the old machine's has to stop before the new one's starts.
		Fenced: role == goloop.Validator,
		Vars: map[string]pulumi.StringInput{
			"DATA_DIR": pulumi.String(a.Host.Spec.Data.Dir), "RUNTIME": pulumi.String(key.runtime()), "CID": pulumi.String(a.Chain.CID),
			"SOFTWARE": key.software, "KEY": key.keySum,
			"JOIN": value("join"), "SEEDS": value("seeds"), "ROLE": pulumi.String(strconv.Itoa(int(role))), "TIMEOUT": seconds,
			"WEBSOCKETS": pulumi.String(strconv.Itoa(cmp.Or(a.WebSockets, goloop.WebSockets))),
		},
		Files: map[string]pulumi.StringInput{"icon-node.service": value("unit"), "hosts": value("hosts")},
	}
	if c := key.args.Software.Container; c != nil {
		service.Files["node.env"] = value("env")
		service.Vars["ENGINE"], service.Vars["IMAGE"] = pulumi.String(c.engine()), pulumi.String(c.Image)
	} else {
		service.Files["genesis.b64"] = value("genesis")
	}
	if _, err := a.Host.Session.Run(ctx, name+"-service", service, pulumi.Parent(parent)); err != nil {
		return nil, err
	}
	_, err := a.Host.Session.Run(ctx, name+"-verify", remote.Step{
		Name: "verify", Script: goloop.VerifyScript, Timeout: timeout + time.Minute,
		Vars: map[string]pulumi.StringInput{
			"CID": pulumi.String(a.Chain.CID), "SEEDS": value("seeds"), "TIMEOUT": seconds,
			"DATA_DIR": pulumi.String(a.Host.Spec.Data.Dir), "RUNTIME": pulumi.String(key.runtime()),
			// Verified anew whenever these change.
			"UNIT": value("unit"), "HOSTS": value("hosts"),
		},
	}, pulumi.Parent(parent), pulumi.Protect(a.Host.Protected))
	return key, err
}

func orNone(list pulumi.StringArrayInput) pulumi.StringArrayInput {
	if list == nil {
		return pulumi.StringArray{}
	}
	return list
}

func render(key *NodeKey, s goloop.Settings, chain Chain) (map[string]string, error) {
	if err := s.Validate(); err != nil {
		return nil, fmt.Errorf("node on host %s: %w", key.host.Spec.Name, err)
	}
	if len(s.SeedList()) == 0 {
		return nil, errors.New("Seeds: empty: at least one address is required")
	}
	out := map[string]string{"seeds": strings.Join(s.SeedList(), ","), "join": goloop.JoinArgs(s), "hosts": goloop.HostsFile(s)}
	if c := key.args.Software.Container; c != nil {
		img := goloop.Image{Reference: c.Image, Engine: c.engine(), Service: chain.Service, ConfigURL: c.ConfigURL}
		out["unit"], out["env"] = goloop.ContainerUnit(s, img), goloop.ContainerEnv(s, img)
		return out, nil
	}
	genesis, err := os.ReadFile(chain.Genesis)
	if err != nil {
		return nil, fmt.Errorf("genesis storage: %w", err)
	}
	out["unit"], out["genesis"] = goloop.BinaryUnit(s), base64.StdEncoding.EncodeToString(genesis)+"\n"
	return out, nil
}
