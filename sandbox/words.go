package sandbox

import (
	"bytes"
	"io"
	"strings"
)

func newReader(b []byte) io.Reader { return bytes.NewReader(b) }

// keyOf is a public key line without its comment.
func keyOf(line string) string {
	f := strings.Fields(line)
	return strings.Join(f[:min(2, len(f))], " ")
}
