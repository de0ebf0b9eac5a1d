package verify

import (
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/insight-icon/pulumi-icon/internal/sshrun"
)

const (
	// commandType is pulumi-command's remote command.
	commandType = "command:remote:Command"
	// sentryType is in the URNs of what belongs to the component of the sentries.
	sentryType = "icon:components:SentryLayer$"
)

// sealKey marks a secret in a state, by its value sealMark; see pulumi's resource.SigKey and resource.SecretSig.
const (
	sealKey  = "4dabf18193072939515e22adb298388d"
	sealMark = "1b47061264138c4ac30d75fd1eb44270"
)

// ErrNoHosts says that nothing is deployed that could be asked.
var ErrNoHosts = errors.New("the stack has no hardened host: deploy it first (pulumi up)")

// export is what is read of `pulumi stack export --show-secrets`.
type export struct {
	Deployment struct {
		Resources []struct {
			Type   string          `json:"type"`
			URN    string          `json:"urn"`
			Delete bool            `json:"delete"`
			Inputs json.RawMessage `json:"inputs"`
		} `json:"resources"`
	} `json:"deployment"`
}

// command are the inputs of a step.
type command struct {
	Create     string
	Stdin      string
	Connection connection
}

// connection is a login as pulumi-command has it.
type connection struct {
	Host, User, HostKey            string
	Port                           float64
	PrivateKey, PrivateKeyPassword string
	Proxy                          *connection
}

// Hosts finds, in the text that `pulumi stack export --show-secrets` prints, the hosts of the stack, by name. One that no deploy has
// hardened, because the first one failed, has no Program. No error repeats a value of the state.
func Hosts(text []byte) ([]Host, error) {
	var e export
	if err := json.Unmarshal(text, &e); err != nil {
		return nil, fmt.Errorf("the stack's export is no JSON of pulumi's: %w", describe(err))
	}
	var hosts []Host
	var errs []error
	for _, r := range e.Deployment.Resources {
		if r.Type != commandType || r.Delete {
			continue
		}
		h, err := hostOf(r.Inputs)
		if err != nil {
			errs = append(errs, fmt.Errorf("%s: %w", r.URN, err))
		}
		if h == nil {
			continue
		}
		h.Sentry = strings.Contains(r.URN, sentryType)
		at := slices.IndexFunc(hosts, func(other Host) bool { return other.Target.Name == h.Target.Name })
		switch {
		case at < 0:
			hosts = append(hosts, *h)
		case h.Program == "":
			hosts[at].Sentry = hosts[at].Sentry || h.Sentry
		case hosts[at].Program == "":
			h.Sentry = h.Sentry || hosts[at].Sentry
			hosts[at] = *h
		default:
			errs = append(errs, fmt.Errorf("%s: a second step %s of host %s", r.URN, Step, h.Target.Name))
		}
	}
	if len(errs) > 0 {
		return nil, errors.Join(errs...)
	}
	if !slices.ContainsFunc(hosts, func(h Host) bool { return h.Program != "" }) {
		return nil, ErrNoHosts
	}
	slices.SortFunc(hosts, func(a, b Host) int { return strings.Compare(a.Target.Name, b.Target.Name) })
	return hosts, nil
}

// describe leaves out what a JSON error repeats of its input.
func describe(err error) error {
	var kind *json.UnmarshalTypeError
	if errors.As(err, &kind) {
		return fmt.Errorf("%s is a %s; expected %s", kind.Field, strings.Fields(kind.Value + " ?")[0], kind.Type)
	}
	return err
}

// form is what Command makes of the half "apply".
var form = regexp.MustCompile(`^(sudo -n )?timeout -k \d+ (\d+) bash -s apply (\S+) (\S+) "\$SSH_CONNECTION"$`)

// hostOf is the host of a step, without a program if that is another than "harden"; nil for what is no step.
func hostOf(inputs json.RawMessage) (*Host, error) {
	var raw any
	if err := json.Unmarshal(inputs, &raw); err != nil {
		return nil, errors.New("has no inputs")
	}
	plain, err := reveal(raw)
	if err != nil {
		return nil, err
	}
	again, err := json.Marshal(plain)
	if err != nil {
		return nil, err
	}
	var c command
	if err := json.Unmarshal(again, &c); err != nil {
		return nil, fmt.Errorf("inputs: %w", describe(err))
	}
	found := form.FindStringSubmatch(c.Create)
	if found == nil {
		return nil, nil //nolint:nilnil // what is no step is no error
	}
	if found[4] != Step {
		return &Host{Target: sshrun.Target{Name: found[3]}}, nil
	}
	seconds, err := strconv.Atoi(found[2])
	if err != nil || seconds > 24*60*60 {
		return nil, errors.New("inputs.create: has a time limit of more than a day")
	}
	// Programs of before had another library.
	if !strings.Contains(c.Stdin, "\nrun_verify() {") {
		return nil, errors.New("was deployed by a version of this program that could not verify: run pulumi up first")
	}
	target, err := c.Connection.target(found[3])
	if err != nil {
		return nil, err
	}
	if p := c.Connection.Proxy; p != nil {
		via, err := p.target("bastion of " + found[3])
		if err != nil {
			return nil, fmt.Errorf("proxy: %w", err)
		}
		target.Via = &via
	}
	return &Host{
		Target: target, Key: sshrun.Key{PrivateKey: c.Connection.PrivateKey, Passphrase: c.Connection.PrivateKeyPassword},
		Program: c.Stdin, Timeout: time.Duration(seconds) * time.Second,
	}, nil
}

func (c connection) target(name string) (sshrun.Target, error) {
	t := sshrun.Target{Name: name, Where: "as deployed", Address: c.Host, Port: int(c.Port), User: c.User, HostKey: c.HostKey}
	if t.Port == 0 {
		t.Port = 22
	}
	if t.User == "" {
		t.User = "root"
	}
	if t.Address == "" || t.HostKey == "" || t.Port < 1 || t.Port > 65535 {
		return t, errors.New("inputs.connection: expected a host, its hostKey and a port")
	}
	return t, nil
}

// reveal replaces secrets by what they hold.
func reveal(value any) (any, error) {
	switch v := value.(type) {
	case []any:
		for i := range v {
			plain, err := reveal(v[i])
			if err != nil {
				return nil, err
			}
			v[i] = plain
		}
	case map[string]any:
		if v[sealKey] == sealMark {
			text, ok := v["plaintext"].(string)
			if !ok {
				return nil, errors.New("its secrets are encrypted: export the stack with --show-secrets")
			}
			var inner any
			if err := json.Unmarshal([]byte(text), &inner); err != nil {
				return nil, errors.New("holds a secret that is no JSON")
			}
			return reveal(inner)
		}
		for k := range v {
			plain, err := reveal(v[k])
			if err != nil {
				return nil, err
			}
			v[k] = plain
		}
	}
	return value, nil
}
