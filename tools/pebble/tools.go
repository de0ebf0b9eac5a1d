//go:build tools

// Package tools pins Pebble, a certificate authority for tests. It is a module of its own so that its dependencies never reach the library's.
package tools

import _ "github.com/letsencrypt/pebble/v2/cmd/pebble"
