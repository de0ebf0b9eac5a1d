//go:build tools

// Package tools pins goloop for the sandbox and the tests. It is a module of its own so that goloop's dependencies never reach the
// library's.
package tools

import _ "github.com/icon-project/goloop/cmd/goloop"
