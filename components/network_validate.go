package components

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/insight-icon/pulumi-icon/components/platform"
	"github.com/insight-icon/pulumi-icon/hardening"
	"github.com/insight-icon/pulumi-icon/internal/goloop"
)

func (a *NetworkArgs) validate() error {
	if a == nil {
		return errors.New("args are required")
	}
	var errs []error
	if a.Platform == nil {
		errs = append(errs, errors.New("Platform is required"))
	}
	if len(a.Hosts) == 0 {
		errs = append(errs, errors.New("Hosts: at least one is required"))
	}
	if len(a.Administrators) == 0 {
		errs = append(errs, errors.New("Administrators: at least one network is required, or nobody could log in"))
	}
	for _, n := range a.Administrators {
		p, err := hardening.ParseNetwork(n)
		switch {
		case err != nil:
			errs = append(errs, fmt.Errorf("Administrators: %w", err))
		case p.Bits() == 0:
			errs = append(errs, errors.New("Administrators: 0.0.0.0/0 would open SSH to the whole internet: name the administrators' networks"))
		}
	}
	names := map[string]bool{}
	for _, h := range a.Hosts {
		if names[h.Name] {
			errs = append(errs, fmt.Errorf("Hosts: %q is there twice", h.Name))
		}
		names[h.Name] = true
		if h.Hardening == nil && a.Platform != nil {
			errs = append(errs, fmt.Errorf("Hosts: %q has the role %q, which has no hardening profile: set Hardening", h.Name, h.Role))
		}
	}
	for _, h := range a.Hosts {
		if h.Behind != "" && !slices.ContainsFunc(a.Hosts, func(b platform.HostSpec) bool { return b.Name == h.Behind && b.Behind == "" }) {
			errs = append(errs, fmt.Errorf("Hosts: %q is behind %q, which is no host that administrators reach", h.Name, h.Behind))
		}
	}
	errs = append(errs, a.passable()...)
	errs = append(errs, a.exposed()...)
	for i, e := range a.Edges {
		for _, h := range slices.Concat(e.From.Hosts, e.To.Hosts) {
			if !names[h] {
				errs = append(errs, fmt.Errorf("Edges[%d] (%s): there is no host %q", i, e.Why, h))
			}
		}
	}
	if len(errs) == 0 {
		errs = append(errs, a.Platform.Validate(a.spec()))
	}
	return errors.Join(errs...)
}

// passable finds bastions whose hardening would not pass on SSH to a host behind them. A new login to the bastion itself, by which it keeps
// the hardening, would not show that.
func (a *NetworkArgs) passable() []error {
	var errs []error
	for _, h := range a.Hosts {
		i := slices.IndexFunc(a.Hosts, func(b platform.HostSpec) bool { return h.Behind != "" && b.Name == h.Behind })
		if i < 0 {
			continue
		}
		s := a.Hosts[i].Hardening
		if s == nil || !s.Has("ssh-server") {
			continue
		}
		if !s.Bool("ssh-server", "forwarding") {
			errs = append(errs, fmt.Errorf("Hosts: the hardening of %q has ssh-server.forwarding false, and %q is behind it: "+
				"nobody could log in there. Set it to true for %[1]q", h.Behind, h.Name))
			continue
		}
		for _, port := range sshPorts(h) {
			to := s.Words("ssh-server", "forwardTo")
			if !slices.ContainsFunc(to, func(t string) bool { return strings.HasSuffix(t, ":"+strconv.Itoa(port)) }) {
				errs = append(errs, fmt.Errorf("Hosts: the hardening of %q passes SSH on to %s (ssh-server.forwardTo), and %q, which is behind it, "+
					"answers on port %d: nobody could log in there. Add \"*:%[4]d\"", h.Behind, strings.Join(to, " "), h.Name, port))
			}
		}
	}
	return errs
}

// exposed finds edges that lead the internet around the sentries.
func (a *NetworkArgs) exposed() []error {
	if !slices.ContainsFunc(a.Hosts, func(h platform.HostSpec) bool { return h.Role == platform.Sentry }) {
		return nil
	}
	var errs []error
	for i, e := range a.Edges {
		wide := slices.ContainsFunc(e.From.Networks, func(n string) bool {
			p, err := hardening.ParseNetwork(n)
			return err == nil && p.Bits() < 8
		})
		if !wide || !slices.Contains(e.Ports, goloop.P2PPort) {
			continue
		}
		for _, h := range a.Hosts {
			if h.Role == platform.PRep && slices.Contains(e.To.Hosts, h.Name) {
				errs = append(errs, fmt.Errorf("Edges[%d] (%s): the P-Rep %q is also open to the internet on port %d, past the sentries: "+
					"name the networks that need it, or leave the edge out", i, e.Why, h.Name, goloop.P2PPort))
			}
		}
	}
	return errs
}
