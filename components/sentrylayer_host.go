package components

import (
	"cmp"
	"context"
	"fmt"
	"net"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"github.com/insight-icon/pulumi-icon/components/platform"
	"github.com/insight-icon/pulumi-icon/internal/agentbuild"
	"github.com/insight-icon/pulumi-icon/internal/remote"
	"github.com/insight-icon/pulumi-icon/internal/sentry"
)

const (
	// confirmSeconds is how long a list that is much smaller has to be the same until it is taken.
	confirmSeconds = 3600
	// drainTTLSeconds is how long names are remembered elsewhere, drainWaitSeconds how long connections may go on after that.
	drainTTLSeconds, drainWaitSeconds = 300, 900
)

// agent is the sentries' agent for one architecture, on this machine.
type agent struct{ path, sum string }

// agents gives each host's.
func (a *SentryLayerArgs) agents(ctx context.Context) ([]agent, error) {
	known, all := map[string]agent{}, make([]agent, len(a.Hosts))
	for i, h := range a.Hosts {
		// A machine that exists anyway tells its architecture to the step only, which refuses an agent for another.
		arch := cmp.Or(h.Arch, h.Spec.Arch, "amd64")
		if _, ok := known[arch]; !ok {
			path, err := a.Agent, error(nil)
			if path == "" {
				path, err = agentbuild.Build(ctx, arch)
			}
			if err != nil {
				return nil, err
			}
			sum, err := sha256File(path)
			if err != nil {
				return nil, fmt.Errorf("Agent: %w", err)
			}
			known[arch] = agent{path, sum}
		}
		all[i] = known[arch]
	}
	return all, nil
}

// sentryValues are what is only known once hosts exist, the same for all sentries.
type sentryValues struct {
	prep                           string
	citizens, own, private, public []string
}

// values resolve to sentryValues.
func (a *SentryLayerArgs) values() pulumi.Output {
	list := func(in []pulumi.StringInput) pulumi.StringArrayOutput {
		all := pulumi.StringArray{}
		for _, s := range in {
			all = append(all, s)
		}
		return all.ToStringArrayOutput()
	}
	private, public := pulumi.StringArray{}, pulumi.StringArray{}
	for _, h := range a.Hosts {
		private, public = append(private, h.PrivateAddress), append(public, h.PublicAddress)
	}
	return pulumi.All(a.PRep, list(a.Citizens), list(a.Peers.Own), private.ToStringArrayOutput(), public.ToStringArrayOutput()).
		ApplyT(func(in []any) sentryValues {
			return sentryValues{
				prep: in[0].(string), citizens: in[1].([]string), own: in[2].([]string), private: in[3].([]string), public: in[4].([]string),
			}
		})
}

// sentryHost is one sentry that is set up.
type sentryHost struct {
	args   *SentryLayerArgs
	host   *platform.Host
	name   string
	agents agent
	values pulumi.Output
	parent *SentryLayer
}

func (h *sentryHost) run(ctx *pulumi.Context) error {
	staged := fmt.Sprintf("%s/icon-sentry-%s", uploads, h.agents.sum[:12])
	if err := h.host.Session.Copy(ctx, h.name+"-agent", h.agents.path, staged, pulumi.Parent(h.parent)); err != nil {
		return err
	}
	a := h.args
	rendered := pulumi.All(h.values, h.host.PrivateAddress, h.host.PublicAddress).ApplyT(func(in []any) (map[string]string, error) {
		v, private, public := in[0].(sentryValues), in[1].(string), in[2].(string)
		files, err := sentry.Files(a.settings(v, private), a.agentConfig(v, h.host.Spec.Name, private, public))
		if err != nil {
			return nil, fmt.Errorf("sentry on host %s: %w", h.host.Spec.Name, err)
		}
		return files, nil
	}).(pulumi.StringMapOutput)
	files := map[string]pulumi.StringInput{}
	for _, name := range sentry.FileNames(sentry.Variant(a.Variant)) {
		files[name] = rendered.MapIndex(pulumi.String(name))
	}
	vars := map[string]pulumi.StringInput{
		"VARIANT": pulumi.String(a.Variant), "ACME": pulumi.String("false"), "NAMES": pulumi.String(""),
		"AGENT_STAGED": pulumi.String(staged), "AGENT_SHA256": pulumi.String(h.agents.sum),
	}
	if t := a.TLS; t != nil {
		vars["NAMES"], vars["ACME"] = pulumi.String(strings.Join(t.Names, " ")), pulumi.String(strconv.FormatBool(t.ACME != nil))
		if t.Certificate != nil {
			files["certificate.pem"] = a.certificate()
		}
	}
	_, err := h.host.Session.Run(ctx, h.name+"-service", remote.Step{
		Name: "service", Script: sentry.ServiceScript, Remove: true, Vars: vars, Files: files,
	}, pulumi.Parent(h.parent))
	if err != nil {
		return err
	}
	return h.verify(ctx, files, vars)
}

// certificate is the operator's, looked at before any host gets it.
func (a *SentryLayerArgs) certificate() pulumi.StringOutput {
	names := a.TLS.Names
	return pulumi.ToSecret(a.TLS.Certificate).(pulumi.StringOutput).ApplyT(func(pem string) (string, error) {
		if err := sentry.CheckPair([]byte(pem), names, time.Now()); err != nil {
			return "", fmt.Errorf("TLS.Certificate: %w", err)
		}
		return strings.TrimRight(pem, "\n") + "\n", nil
	}).(pulumi.StringOutput)
}

func (h *sentryHost) verify(ctx *pulumi.Context, files, service map[string]pulumi.StringInput) error {
	a, tls, ports := h.args, "", []string{}
	// The agent closes the public ports of a sentry that drains, at some time: neither open nor closed is wrong then.
	closing := slices.Contains(a.Draining, h.host.Spec.Name) && a.Variant != string(sentry.Nginx)
	if a.TLS != nil {
		tls = a.TLS.Names[0]
	}
	for _, port := range sentry.PublicPorts(a.settings(sentryValues{citizens: make([]string, len(a.Citizens))}, "")) {
		if !closing {
			ports = append(ports, strconv.Itoa(port))
		}
	}
	relays := h.host.PrivateAddress.ApplyT(func(address string) string {
		var all []string
		for _, port := range a.relayPorts() {
			all = append(all, net.JoinHostPort(address, strconv.Itoa(port)))
		}
		return strings.Join(all, " ")
	}).(pulumi.StringOutput)
	vars := map[string]pulumi.StringInput{
		"VARIANT": pulumi.String(a.Variant), "API": pulumi.String(strconv.FormatBool(len(a.Citizens) > 0 && !closing)), "TLS": pulumi.String(tls),
		"PORTS": pulumi.String(strings.Join(ports, " ")), "RELAYS": relays,
		// Verified anew whenever these, or the files below, change.
		"AGENT_SHA256": service["AGENT_SHA256"],
	}
	looked := map[string]pulumi.StringInput{}
	for name, text := range files {
		if name != "certificate.pem" {
			looked[name] = text
		}
	}
	_, err := h.host.Session.Run(ctx, h.name+"-verify", remote.Step{
		Name: "verify", Script: sentry.VerifyScript, Timeout: 2 * time.Minute, Vars: vars, Files: looked,
	}, pulumi.Parent(h.parent), pulumi.Protect(h.host.Protected))
	return err
}

// settings of the sentry with a private address.
func (a *SentryLayerArgs) settings(v sentryValues, private string) sentry.Settings {
	s := sentry.Settings{
		Variant: sentry.Variant(a.Variant), PRep: v.prep, Citizens: v.citizens, CID: a.CID, Users: a.Users, CORS: a.CORS,
		Keys: a.Keys, KeysOnly: a.KeysOnly, Limits: a.Limits,
	}
	if a.Relay {
		s.Relay, s.PrivateAddress, s.Seeds = true, private, a.Seeds
	}
	if a.TLS != nil {
		s.TLS = &sentry.TLS{Names: a.TLS.Names, ACME: a.TLS.ACME != nil}
		if s.TLS.ACME {
			s.PrivateAddress, s.Sentries = private, v.private
		}
	}
	return s
}

// agentConfig of the host of that name.
func (a *SentryLayerArgs) agentConfig(v sentryValues, name, private, public string) sentry.AgentConfig {
	l, nginx := a.Limits, a.Variant == string(sentry.Nginx)
	c := sentry.AgentConfig{
		Kernel: sentry.Variant(a.Variant).HasKernel(), StateDir: sentry.StateDir, ControlSocket: sentry.ControlSocket,
		Metrics: sentry.AgentMetrics, Users: a.Users,
		Bans: sentry.AgentBans{Strikes: l.BanStrikes, Seconds: l.BanSeconds, MaxSeconds: l.BanMaxSeconds, Network: l.BanNetwork},
		Peers: sentry.AgentPeers{
			Mode: a.Peers.Mode, Static: a.staticPeers(v), Endpoints: a.Peers.Endpoints, Channel: a.Channel,
			RefreshSeconds: a.Peers.RefreshSeconds, MaxShrinkPercent: a.Peers.MaxShrinkPercent, ConfirmSeconds: confirmSeconds,
		},
	}
	for _, address := range v.own {
		c.Peers.Own = append(c.Peers.Own, "http://"+address)
	}
	if a.TLS != nil && a.TLS.ACME != nil {
		c.ACME = &sentry.AgentACME{
			Names: a.TLS.Names, Directory: a.TLS.ACME.Directory, Email: a.TLS.ACME.Email,
			Listen: net.JoinHostPort(private, strconv.Itoa(sentry.ChallengePort)),
		}
	}
	if nginx {
		// It keeps no list, and is not drained but stopped once nobody is led to it.
		c.Peers.Mode = sentry.PeersOff
		return c
	}
	c.AdminSocket = sentry.AdminSocket
	if slices.Contains(a.Draining, name) {
		c.Drain = &sentry.AgentDrain{PublicAddress: public, TTLSeconds: drainTTLSeconds, WaitSeconds: drainWaitSeconds}
		if announced := hostOf(a.Announce); !isAddress(announced) {
			c.Drain.Announced = announced
		}
	}
	return c
}

// staticPeers are those of the configuration, the seeds and the sentries.
func (a *SentryLayerArgs) staticPeers(v sentryValues) []string {
	all := slices.Clone(a.Peers.Static)
	for _, seed := range a.Seeds {
		all = append(all, hostOf(seed))
	}
	for _, address := range v.public {
		if isAddress(address) {
			all = append(all, address)
		}
	}
	slices.Sort(all)
	return slices.Compact(all)
}

// hostOf takes a port off.
func hostOf(address string) string {
	if host, _, err := net.SplitHostPort(address); err == nil {
		return host
	}
	return address
}
