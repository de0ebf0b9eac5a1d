package sandbox

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

func newReader(b []byte) io.Reader { return bytes.NewReader(b) }

// keyOf is a public key line without its comment.
func keyOf(line string) string {
	f := strings.Fields(line)
	return strings.Join(f[:min(2, len(f))], " ")
}

// SSH runs a command on a host of the private segment with the administrator's key, by the ssh program, as pulumi-command does by its
// own client.
func (s *Sandbox) SSH(ctx context.Context, address, stdin, command string) (string, error) {
	known := filepath.Join(s.state(), "known_hosts")
	status, err := s.Lab.Status(ctx)
	if err != nil {
		return "", err
	}
	var lines strings.Builder
	for _, h := range status.Hosts {
		fmt.Fprintf(&lines, "%s %s\n", h.Private, keyOf(h.HostKey))
	}
	if err := os.WriteFile(known, []byte(lines.String()), 0o600); err != nil {
		return "", err
	}
	cmd := exec.CommandContext(ctx, "ssh", "-F", "/dev/null", "-i", s.Lab.AdminKey(), "-o", "UserKnownHostsFile="+known, "-o", "BatchMode=yes",
		"-o", "StrictHostKeyChecking=yes", "-o", "IdentitiesOnly=yes", "root@"+address, command)
	cmd.Stdin = strings.NewReader(stdin)
	out, err := cmd.CombinedOutput()
	return string(out), err
}
