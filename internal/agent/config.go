package agent

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"os"
	"path/filepath"

	"github.com/insight-icon/pulumi-icon/internal/sentry"
)

// ReadConfig reads and checks the agent's configuration. An error names the file and all that is wrong.
func ReadConfig(path string) (sentry.AgentConfig, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return sentry.AgentConfig{}, fmt.Errorf("the agent's configuration: %w", err)
	}
	config, err := parseConfig(text)
	if err != nil {
		return sentry.AgentConfig{}, fmt.Errorf("%s: %w", path, err)
	}
	return config, nil
}

func parseConfig(text []byte) (sentry.AgentConfig, error) {
	var config sentry.AgentConfig
	decoder := json.NewDecoder(bytes.NewReader(text))
	// A field that is not understood is a limit that is not kept.
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&config); err != nil {
		return config, err
	}
	if _, err := decoder.Token(); !errors.Is(err, io.EOF) {
		return config, errors.New("there is more than one object; wanted one")
	}
	return config, checkConfig(config)
}

func checkConfig(c sentry.AgentConfig) error {
	var all []error
	wrong := func(is bool, format string, values ...any) {
		if is {
			all = append(all, fmt.Errorf(format, values...))
		}
	}
	for _, p := range []struct{ name, path string }{{"stateDir", c.StateDir}, {"controlSocket", c.ControlSocket}} {
		wrong(!filepath.IsAbs(p.path), "%s: %q is no absolute path", p.name, p.path)
	}
	wrong(c.AdminSocket != "" && !filepath.IsAbs(c.AdminSocket), "adminSocket: %q is no absolute path", c.AdminSocket)
	metrics, err := netip.ParseAddrPort(c.Metrics)
	wrong(err != nil || !metrics.Addr().IsLoopback(), "metrics: %q; wanted an address and port of the host itself, as %s",
		c.Metrics, sentry.AgentMetrics)
	wrong(c.Kernel && c.AdminSocket == "", "kernel: needs adminSocket, which tells who is to be banned")
	if c.AdminSocket != "" {
		b := c.Bans
		wrong(b.Strikes < 1 || b.Seconds < 1 || b.Network < 2, "bans: strikes %d, seconds %d, network %d; wanted at least 1, 1 and 2",
			b.Strikes, b.Seconds, b.Network)
		wrong(b.MaxSeconds < b.Seconds, "bans.maxSeconds: is %d, and bans.seconds %d; wanted at least that", b.MaxSeconds, b.Seconds)
	}
	if _, err := parseUsers(c.Users); err != nil {
		all = append(all, err)
	}
	if d := c.Drain; d != nil {
		_, err := netip.ParseAddr(d.PublicAddress)
		wrong(d.Announced != "" && err != nil, "drain.publicAddress: %q is no address; it is waited for until drain.announced no longer names it",
			d.PublicAddress)
		wrong(d.TTLSeconds < 0 || d.WaitSeconds < 0, "drain: ttlSeconds %d, waitSeconds %d; wanted at least 0", d.TTLSeconds, d.WaitSeconds)
		wrong(c.AdminSocket == "", "drain: needs adminSocket: nginx is not drained, but stopped once nothing leads to it")
	}
	return errors.Join(all...)
}

func parseUsers(users []string) ([]netip.Prefix, error) {
	var all []netip.Prefix
	for i, u := range users {
		p, err := netip.ParsePrefix(u)
		if a, single := netip.ParseAddr(u); single == nil {
			p, err = netip.PrefixFrom(a, a.BitLen()), nil
		}
		if err != nil || !p.Addr().Is4() {
			return nil, fmt.Errorf("users[%d]: %q is no IPv4 network (CIDR)", i, u)
		}
		all = append(all, p.Masked())
	}
	return all, nil
}
