package sentry_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/insight-icon/pulumi-icon/internal/sentry"
	"github.com/insight-icon/pulumi-icon/tests/golden"
	"github.com/insight-icon/pulumi-icon/tests/host"
)

func kernel(tb testing.TB, s sentry.Settings) string {
	tb.Helper()
	text, err := sentry.Kernel(s)
	if err != nil {
		tb.Fatal(err)
	}
	return text
}

func TestKernelTablesAreAsReviewedAndTakenByNftables(t *testing.T) {
	full := settings()
	full.Citizens, full.TLS = []string{"10.2.0.12:9000"}, &sentry.TLS{Names: []string{"api.example.org"}, ACME: true}
	full.Users = []string{"203.0.113.0/24", "203.0.113.7", "198.51.100.1/32", "198.51.100.0/25", "198.51.100.200"}
	full.Limits.SYNs, full.Limits.SYNsPerKnown, full.Limits.SYNsPerProven = 123, 45, 6
	plain := settings()
	plain.Citizens = full.Citizens
	own := full
	own.TLS, own.Users = &sentry.TLS{Names: full.TLS.Names}, nil
	for name, s := range map[string]sentry.Settings{"kernel-p2p": settings(), "kernel-api": plain, "kernel-acme": full, "kernel-tls": own} {
		t.Run(name, func(t *testing.T) {
			text := kernel(t, s)
			golden.Check(t, name+".nft", text)
			path := filepath.Join(t.TempDir(), "kernel.nft")
			if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
			host.Accepted(t, host.Isolated("nft", "-c", "-f", path))
			// Loaded twice, as a reload does: one transaction, no duplicates.
			host.Accepted(t, host.Isolated("bash", "-c",
				`set -e; nft -f "$1"; a=$(nft list ruleset); nft -f "$1"; [[ $a == "$(nft list ruleset)" ]]`, "reload", path))
		})
	}
}
