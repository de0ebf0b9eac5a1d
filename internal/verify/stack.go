package verify

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os/exec"
	"regexp"
	"slices"
	"strings"
)

// StackName is the form of pulumi's names of stacks, with organization and project or without.
var StackName = regexp.MustCompile(`^[A-Za-z0-9._-]+(/[A-Za-z0-9._-]+){0,2}$`)

// Deployed are the hosts that a stack's state knows, or those of them that are asked for by name. The state is read by pulumi, with its
// secrets, through a pipe.
func Deployed(ctx context.Context, stack string, only []string) ([]Host, error) {
	text, err := exported(ctx, stack)
	if err != nil {
		return nil, err
	}
	hosts, err := Hosts(text)
	if err != nil {
		return nil, fmt.Errorf("stack %s: %w", stack, err)
	}
	if len(only) == 0 {
		return hosts, nil
	}
	names := make([]string, len(hosts))
	for i, h := range hosts {
		names[i] = h.Target.Name
	}
	var errs []error
	for _, name := range only {
		if !slices.Contains(names, name) {
			errs = append(errs, fmt.Errorf("-host %s: the stack %s has no such host, but %s", name, stack, strings.Join(names, ", ")))
		}
	}
	hosts = slices.DeleteFunc(hosts, func(h Host) bool { return !slices.Contains(only, h.Target.Name) })
	return hosts, errors.Join(errs...)
}

// exported is what pulumi says of the stack, with its secrets: it never leaves this process's memory.
func exported(ctx context.Context, stack string) ([]byte, error) {
	cmd := exec.CommandContext(ctx, "pulumi", "stack", "export", "--show-secrets", "--non-interactive", "--stack="+stack)
	cmd.Stdin = nil
	var out, said bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &said
	err := cmd.Run()
	switch text := strings.TrimSpace(said.String()); {
	case errors.Is(err, exec.ErrNotFound):
		return nil, errors.New("there is no pulumi on this machine's PATH: install it, the stack's state is read through it")
	case err != nil:
		return nil, fmt.Errorf("pulumi stack export --stack=%s: %w\n%s%s", stack, err, text, hint(text))
	}
	return out.Bytes(), nil
}

// hint says what to do about what pulumi says.
func hint(said string) string {
	switch said = strings.ToLower(said); {
	case strings.Contains(said, "passphrase"):
		return "\nSet PULUMI_CONFIG_PASSPHRASE, or PULUMI_CONFIG_PASSPHRASE_FILE, as for pulumi up."
	case strings.Contains(said, "no stack named"), strings.Contains(said, "not found"):
		return "\n`pulumi stack ls` lists the stacks of this backend (PULUMI_BACKEND_URL)."
	case strings.Contains(said, "login"), strings.Contains(said, "credentials"), strings.Contains(said, "access token"):
		return "\nRun pulumi login, or set PULUMI_BACKEND_URL, as for pulumi up."
	}
	return ""
}
