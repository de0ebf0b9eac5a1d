//go:build tools

// Package tools pins the linter. It is a module of its own so that its dependencies never reach the library's.
package tools

import _ "github.com/golangci/golangci-lint/v2/cmd/golangci-lint"
