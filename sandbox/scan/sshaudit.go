package scan

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
)

// SSHAudit is what ssh-audit holds against a server's algorithms: one finding for each of its notes.
type SSHAudit struct {
	// Software of the server, "OpenSSH_9.2p1".
	Software string
	// Open are its notes of severity "fail" and "warn".
	Open []Finding
}

// Count of the findings of a severity, "fail" or "warn".
func (s *SSHAudit) Count(severity string) int { return count(s.Open, severity) }

// sshKinds are the kinds of algorithms in ssh-audit's output, with the words for a reader.
var sshKinds = []struct{ key, what string }{
	{"kex", "key exchange"}, {"key", "host key"}, {"enc", "cipher"}, {"mac", "message authentication"},
}

// ParseSSHAudit reads the output of `ssh-audit --json`.
func ParseSSHAudit(r io.Reader) (*SSHAudit, error) {
	var raw map[string]json.RawMessage
	if err := json.NewDecoder(r).Decode(&raw); err != nil {
		return nil, fmt.Errorf("ssh-audit's output: %w", err)
	}
	var banner struct{ Software string }
	if text, found := raw["banner"]; found {
		if err := json.Unmarshal(text, &banner); err != nil {
			return nil, fmt.Errorf("ssh-audit's output: banner: %w", err)
		}
	}
	s := &SSHAudit{Software: banner.Software}
	algorithms := 0
	for _, kind := range sshKinds {
		var list []struct {
			Algorithm string
			Notes     map[string][]string
		}
		if text, found := raw[kind.key]; found {
			if err := json.Unmarshal(text, &list); err != nil {
				return nil, fmt.Errorf("ssh-audit's output: %s: %w", kind.key, err)
			}
		}
		algorithms += len(list)
		for _, a := range list {
			for _, severity := range []string{"fail", "warn"} {
				for _, note := range a.Notes[severity] {
					s.Open = append(s.Open, Finding{Scanner: SSHAuditName, ID: a.Algorithm, Title: kind.what + ": " + note, Severity: severity})
				}
			}
		}
	}
	if algorithms == 0 {
		return nil, errors.New("ssh-audit's output: no algorithms in it: want the audit of a server that answered")
	}
	sortFindings(s.Open)
	return s, nil
}
