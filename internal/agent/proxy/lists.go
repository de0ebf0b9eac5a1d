package proxy

import (
	"context"
	"fmt"
	"regexp"
	"strings"
)

var newVersion = regexp.MustCompile(`New version created: (\d+)`)

// ReplaceACL puts new entries in the place of all that an acl's file had, at once: no connection is ever judged by half a list. It changes
// what HAProxy has in memory; the file is what HAProxy starts with.
func (c *Client) ReplaceACL(ctx context.Context, file string, entries []string) error {
	if err := words(append([]string{file}, entries...)...); err != nil {
		return err
	}
	command := "prepare acl " + file
	said, err := c.ask(ctx, command)
	if err != nil {
		return err
	}
	match := newVersion.FindStringSubmatch(said)
	if match == nil {
		return &Refusal{command, said}
	}
	commands := make([]string, 0, len(entries))
	for _, e := range entries {
		commands = append(commands, fmt.Sprintf("add acl @%s %s %s", match[1], file, e))
	}
	if err := c.silent(ctx, commands); err != nil {
		return err
	}
	return c.silent(ctx, []string{fmt.Sprintf("commit acl @%s %s", match[1], file)})
}

// ACL gives the entries that an acl's file has in HAProxy's memory.
func (c *Client) ACL(ctx context.Context, file string) ([]string, error) {
	if err := words(file); err != nil {
		return nil, err
	}
	command := "show acl " + file
	said, err := c.ask(ctx, command)
	if err != nil {
		return nil, err
	}
	var all []string
	for line := range strings.Lines(said) {
		fields := strings.Fields(line)
		if len(fields) == 0 {
			continue
		}
		// An entry is "0x5581ab 192.0.2.7": anything else is HAProxy's reason to give none.
		if len(fields) != 2 || !strings.HasPrefix(fields[0], "0x") {
			return nil, &Refusal{command, said}
		}
		all = append(all, fields[1])
	}
	return all, nil
}

// mostPayload is the largest payload of a command that HAProxy takes with its default buffer.
const mostPayload = 15 << 10

// SetCertificate puts a chain and its key, PEM, in the place of what HAProxy has loaded from this file. New connections have it at once,
// and those that are open go on.
func (c *Client) SetCertificate(ctx context.Context, file string, pem []byte) error {
	if err := words(file); err != nil {
		return err
	}
	// An empty line would end the payload.
	var lines []string
	for line := range strings.Lines(string(pem)) {
		if line = strings.TrimSpace(line); line != "" {
			lines = append(lines, line)
		}
	}
	payload := strings.Join(lines, "\n")
	if len(payload) > mostPayload {
		return fmt.Errorf("%s: %d bytes; HAProxy takes %d at run time: leave out certificates that are not of its chain",
			file, len(payload), mostPayload)
	}
	command := "set ssl cert " + file
	said, err := c.ask(ctx, command+" <<\n"+payload+"\n")
	if err != nil {
		return err
	}
	if !strings.Contains(said, "Transaction created") && !strings.Contains(said, "Transaction updated") {
		_, _ = c.ask(ctx, "abort ssl cert "+file)
		return &Refusal{command, said}
	}
	command = "commit ssl cert " + file
	said, err = c.ask(ctx, command)
	if err == nil && !strings.Contains(said, "Success!") {
		err = &Refusal{command, said}
	}
	if err != nil {
		_, _ = c.ask(ctx, "abort ssl cert "+file)
	}
	return err
}
