package certs

import (
	"bytes"
	"crypto/sha256"
	"crypto/x509"
	"encoding/hex"
	"encoding/json"
	"encoding/pem"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/insight-icon/pulumi-icon/internal/agent/files"
	"github.com/insight-icon/pulumi-icon/internal/sentry"
)

// record outlives the agent, so that a restart neither forgets a failure nor takes a test authority's certificate for a real one.
type record struct {
	// Attempts were for this wish; another one starts anew.
	Attempts attempts `json:"attempts"`
	// Leaf is the SHA-256 of the last certificate that was given, By the authority's directory.
	Leaf string `json:"leaf,omitempty"`
	By   string `json:"by,omitempty"`
}

type attempts struct {
	Directory string    `json:"directory"`
	Names     []string  `json:"names"`
	Failures  int       `json:"failures"`
	RetryAt   time.Time `json:"retryAt,omitzero"`
	LastError string    `json:"lastError,omitempty"`
}

// renewFile in the account's directory asks for a new certificate.
const renewFile = "renew"

func (k *Keeper) recordPath() string { return filepath.Join(k.dir, "record.json") }

func (k *Keeper) load() error {
	kept, err := os.ReadFile(k.recordPath())
	switch {
	case errors.Is(err, os.ErrNotExist):
	case err != nil:
		return err
	case json.Unmarshal(kept, &k.record) != nil:
		k.record = record{}
		k.log.Warn("what was kept of earlier attempts can't be read, and is left out", "file", k.recordPath())
	}
	if a := k.record.Attempts; a.Directory != k.config.Directory || !slices.Equal(a.Names, k.config.Names) {
		k.record.Attempts = attempts{Directory: k.config.Directory, Names: k.config.Names}
	}
	k.status.Failures, k.status.LastError = k.record.Attempts.Failures, k.record.Attempts.LastError
	return nil
}

// save is called with the lock held.
func (k *Keeper) save() {
	text, err := json.MarshalIndent(k.record, "", " ")
	if err == nil {
		err = files.Write(k.recordPath(), append(text, '\n'), 0o600)
	}
	if err != nil {
		k.log.Warn("what is known of attempts can't be kept for the next start", "error", err)
	}
}

// look reads the certificate in use and tells when a new one is due. There is no pair to install if there is none but a placeholder.
func (k *Keeper) look() ([]byte, time.Time) {
	k.mu.Lock()
	defer k.mu.Unlock()
	now := k.now()
	pair, leaf := k.current(now)
	k.status.NotAfter, k.status.RenewAt, k.status.Issuer = nil, nil, ""
	due := now
	if leaf != nil {
		life := leaf.NotAfter.Sub(leaf.NotBefore)
		ahead := min(renewAhead, life/3)
		at := leaf.NotAfter.Add(-ahead - time.Duration(float64(ahead)*k.early))
		k.status.NotAfter, k.status.RenewAt, k.status.Issuer = &leaf.NotAfter, &at, leaf.Issuer.CommonName
		due = at
		// What the operator put there is of no authority that is known here, and serves until it is due.
		if by := k.record.By; k.record.Leaf == fingerprint(leaf) && by != k.config.Directory {
			due = now
		}
		if k.wished() {
			due, k.status.RenewAt = now, &now
		}
	}
	k.status.State, k.status.RetryAt = Good, nil
	if !due.After(now) {
		k.status.State = Asking
		if k.record.Attempts.RetryAt.After(now) {
			// A clock that was set back must not put the next attempt off for ever.
			due = earlier(k.record.Attempts.RetryAt, now.Add(backoff[len(backoff)-1]*2))
			k.status.State, k.status.RetryAt = Failing, &due
		}
	}
	return pair, due
}

// wished tells whether the operator wants another certificate than the one in use, whose key others may have: a file of that name that is
// younger. A new certificate is younger again, so that nothing has to be removed.
func (k *Keeper) wished() bool {
	wish, err := os.Stat(filepath.Join(k.dir, renewFile))
	if err != nil {
		return false
	}
	pair, err := os.Stat(k.path)
	return err == nil && wish.ModTime().After(pair.ModTime())
}

func earlier(a, b time.Time) time.Time {
	if a.Before(b) {
		return a
	}
	return b
}

// current is the pair in use and its certificate, if they serve for the names now and are more than the placeholder that a deploy makes.
func (k *Keeper) current(now time.Time) ([]byte, *x509.Certificate) {
	pair, err := os.ReadFile(k.path)
	if err != nil || sentry.CheckPair(pair, k.config.Names, now) != nil {
		return nil, nil
	}
	leaf := firstCertificate(pair)
	if leaf == nil || bytes.Equal(leaf.RawIssuer, leaf.RawSubject) {
		return nil, nil
	}
	return pair, leaf
}

func firstCertificate(pair []byte) *x509.Certificate {
	for block, rest := pem.Decode(pair); block != nil; block, rest = pem.Decode(rest) {
		if block.Type == "CERTIFICATE" {
			c, err := x509.ParseCertificate(block.Bytes)
			if err != nil {
				return nil
			}
			return c
		}
	}
	return nil
}

func fingerprint(c *x509.Certificate) string {
	sum := sha256.Sum256(c.Raw)
	return hex.EncodeToString(sum[:])
}
