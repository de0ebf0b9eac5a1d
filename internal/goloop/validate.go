package goloop

import (
	"errors"
	"fmt"
	"regexp"
)

// word is what can stand unquoted in a systemd unit, an environment file and a proxy's configuration: no blank, no quote, no line end, and
// none of systemd's own signs.
var word = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._:/@-]*$`)

// path is an absolute path of such letters.
var path = regexp.MustCompile(`^(/[A-Za-z0-9._-]+)+$`)

// Word refuses a value that would change the meaning of the file it is written to.
func Word(field, value string) error {
	if !word.MatchString(value) {
		return fmt.Errorf("%s: %q: wanted letters, digits and . _ : / @ - only", field, value)
	}
	return nil
}

// Validate refuses settings that can't be written into the node's files; all problems at once. Stack files are checked more closely
// when they are loaded; this is for values that are only known when hosts exist, and for other programs.
func (s Settings) Validate() error {
	errs := []error{
		Word("Announce", s.Announce), Word("RPCListen", "0"+s.RPCListen), Word("CID", s.CID), Word("NID", s.NID), Word("LogLevel", s.LogLevel),
	}
	if !path.MatchString(s.DataDir) {
		errs = append(errs, fmt.Errorf("DataDir: %q: wanted an absolute path of letters, digits and . _ -", s.DataDir))
	}
	for _, seed := range s.SeedList() {
		errs = append(errs, Word("Seeds", seed))
	}
	for _, relay := range s.Relays {
		errs = append(errs, Word("Relays", relay))
	}
	return errors.Join(errs...)
}
