//go:build tools

// Package tools pins the Pulumi CLI for machines that don't have it.
package tools

import _ "github.com/pulumi/pulumi/pkg/v3/cmd/pulumi"
