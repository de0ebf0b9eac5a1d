//go:build tools

// Package tools pins the Go language host, which the Pulumi CLI starts to run a Go program.
package tools

import _ "github.com/pulumi/pulumi/sdk/v3/go/pulumi-language-go"
