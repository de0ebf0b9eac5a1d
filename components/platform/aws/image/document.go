package image

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"strings"
)

// Image Builder takes a component's document of 16,000 characters at most (CreateComponent, data), and 20 components in a recipe (its
// quotas). The program is longer, and so comes in parts, compressed: this way it needs no bucket, and the machine that builds no right to
// read one. Base64 has no braces, which Image Builder would take for its own variables.
const (
	mostDocument  = 16000
	mostDocuments = 20
	// lineLength of the text of a part, and linesPerPart: 14,400 characters, and as many as there are lines for their indentation.
	lineLength   = 1200
	linesPerPart = 12
)

// workDirectory is where the program lies while the image is built. It is in memory: nothing of it is left in the image.
const workDirectory = "/run/icon-image"

// part lays a part of the program. Its figures: number, text.
const part = `name: Program
description: Lays a part of the hardening program
schemaVersion: 1.0
phases:
  - name: build
    steps:
      - name: Lay
        action: ExecuteBash
        onFailure: Abort
        inputs:
          commands:
            - |
              set -eu
              umask 077
              mkdir -p ` + workDirectory + `
              cat >` + workDirectory + `/part-%02d <<'END'
%s
              END
`

// last runs the program, and compares: on the machine that builds, and on one that was made from the image. Its figure: the program's
// SHA-256.
const last = `name: Harden
description: Runs the hardening program, and verifies it, in the build and on a machine made from the image
schemaVersion: 1.0
phases:
  - name: build
    steps:
      - name: Apply
        action: ExecuteBash
        onFailure: Abort
        timeoutSeconds: 1800
        inputs:
          commands:
            - |
              set -eu
              cd ` + workDirectory + `
              cat part-* | base64 -d | gunzip >hardening
              echo "%s  hardening" | sha256sum -c -
              bash hardening image
              rm -rf ` + workDirectory + `
  - name: validate
    steps:
      - name: Verify
        action: ExecuteBash
        onFailure: Abort
        timeoutSeconds: 600
        inputs:
          commands:
            - |
              %s
  - name: test
    steps:
      - name: Verify
        action: ExecuteBash
        onFailure: Abort
        timeoutSeconds: 600
        inputs:
          commands:
            - |
              %s
`

// verify fails where a control has drifted; the program's report is on standard output.
var verify = strings.Join([]string{
	"set -eu",
	"report=$(bash /usr/local/lib/icon/hardening verify)",
	`printf '%s\n' "$report"`,
	`! grep -qE '^control.[a-z0-9-]+.drift' <<<"$report"`,
}, "\n              ")

// documentsOf are the documents of the components that lay, run and verify a program, in this order.
func documentsOf(program string) ([]string, error) {
	var packed bytes.Buffer
	w, err := gzip.NewWriterLevel(&packed, gzip.BestCompression)
	if err != nil {
		return nil, err
	}
	if _, err := w.Write([]byte(program)); err != nil {
		return nil, err
	}
	if err := w.Close(); err != nil {
		return nil, err
	}
	text := base64.StdEncoding.EncodeToString(packed.Bytes())
	var documents, lines []string
	flush := func() {
		if len(lines) > 0 {
			documents = append(documents, fmt.Sprintf(part, len(documents)+1, strings.Join(lines, "\n")))
			lines = nil
		}
	}
	for len(text) > 0 {
		n := min(lineLength, len(text))
		lines, text = append(lines, "              "+text[:n]), text[n:]
		if len(lines) == linesPerPart {
			flush()
		}
	}
	flush()
	sum := sha256.Sum256([]byte(program))
	documents = append(documents, fmt.Sprintf(last, fmt.Sprintf("%x", sum), verify, verify))
	if len(documents) > mostDocuments {
		return nil, fmt.Errorf("the hardening program needs %d components; Image Builder takes %d in a recipe", len(documents), mostDocuments)
	}
	return documents, nil
}

// agent installs what Image Builder talks to, which Debian's images do not have and which Image Builder itself does not install on Debian.
// Python is there, since cloud-init needs it; a program to download may not be.
const agent = `#!/bin/bash
set -eu
arch=$(dpkg --print-architecture)
url=https://s3.%[1]s.amazonaws.com/amazon-ssm-%[1]s/latest/debian_$arch/amazon-ssm-agent.deb
python3 -c 'import sys, urllib.request; urllib.request.urlretrieve(sys.argv[1], sys.argv[2])' "$url" /run/amazon-ssm-agent.deb
dpkg -i /run/amazon-ssm-agent.deb
rm /run/amazon-ssm-agent.deb
systemctl enable --now amazon-ssm-agent
`

// userData is what the machines run first that build and test an image.
func userData(region string) string {
	return base64.StdEncoding.EncodeToString([]byte(fmt.Sprintf(agent, region)))
}
