package peers

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/insight-icon/pulumi-icon/internal/agent/files"
	"github.com/insight-icon/pulumi-icon/internal/sentry"
)

// Source is who says that an address is a peer's.
type Source string

// The sources.
const (
	// Static is the operator, who is always right.
	Static Source = "static"
	// Chain is the list of P-Reps.
	Chain Source = "chain"
	// Observed is an own node, which is connected to a validator there.
	Observed Source = "observed"
)

// Entry of the list.
type Entry struct {
	Prefix netip.Prefix `json:"prefix"`
	// Seen is when each source named it last. An entry has one at least.
	Seen map[Source]time.Time `json:"seen"`
}

// Pending is a list that was refused because it is so much smaller than the one before.
type Pending struct {
	// Since is when it came first.
	Since time.Time `json:"since"`
	// Learned are its addresses.
	Learned []netip.Prefix `json:"learned"`
	// Lost is how many of the list in force are not in it.
	Lost int `json:"lost"`
}

// List of the known peers. The zero List is empty.
type List struct {
	// Entries by their prefix, which no two share.
	Entries []Entry `json:"entries"`
	// Enforce says that nobody else is let in.
	Enforce bool `json:"enforce"`
	// Updated is when a source other than the operator was heard last.
	Updated time.Time `json:"updated"`
	// Pending is nil unless a list was refused.
	Pending *Pending `json:"pending,omitempty"`
	// Base is what the bound on shrinking is measured by, so that a list does not melt away a little at a time.
	Base *Base `json:"base,omitempty"`
}

// Base is what others than the operator said at a time not long ago.
type Base struct {
	Since   time.Time      `json:"since"`
	Learned []netip.Prefix `json:"learned"`
}

// Prefixes of the list, sorted, none inside another: what sets of the kernel take.
func (l List) Prefixes() []netip.Prefix {
	all := make([]netip.Prefix, len(l.Entries))
	for i, e := range l.Entries {
		all[i] = e.Prefix
	}
	return distinct(all)
}

// Contains tells whether an address is on the list.
func (l List) Contains(a netip.Addr) bool {
	return slices.ContainsFunc(l.Entries, func(e Entry) bool { return e.Prefix.Contains(a) })
}

// Lines are Prefixes as HAProxy reads them, one a line, addresses without a length.
func (l List) Lines() []string {
	var lines []string
	for _, p := range l.Prefixes() {
		lines = append(lines, text(p))
	}
	return lines
}

// Same tells whether applying the other list would change nothing.
func (l List) Same(other List) bool {
	return l.Enforce == other.Enforce && slices.Equal(l.Prefixes(), other.Prefixes())
}

// Count is how many entries a source has named.
func (l List) Count(s Source) int { return len(l.of(s)) }

func (l List) of(s Source) []netip.Prefix {
	var all []netip.Prefix
	for _, e := range l.Entries {
		if _, named := e.Seen[s]; named {
			all = append(all, e.Prefix)
		}
	}
	return all
}

// learned are what others than the operator said.
func (l List) learned() []netip.Prefix {
	var all []netip.Prefix
	for _, e := range l.Entries {
		if _, static := e.Seen[Static]; !static || len(e.Seen) > 1 {
			all = append(all, e.Prefix)
		}
	}
	return all
}

// Names of the state's files, in the agent's directory.
const listFile = "list.json"

var (
	peersFile   = filepath.Base(sentry.PeersFile)
	enforceFile = filepath.Base(sentry.EnforceFile)
)

// state is what listFile holds.
type state struct {
	List  List                                `json:"list"`
	Names map[string]map[netip.Addr]time.Time `json:"names,omitempty"`
}

// load reads what was kept. If that can't be read, what HAProxy started with is taken for what the chain said last: it is better than none.
func load(dir string) (state, error) {
	path := filepath.Join(dir, listFile)
	kept, err := os.ReadFile(path)
	if err == nil {
		var s state
		if s, err = decodeState(kept); err == nil {
			return s, nil
		}
	}
	if errors.Is(err, os.ErrNotExist) {
		err = nil
	}
	if err != nil {
		err = fmt.Errorf("%s: %w; %s is used instead, until the list is fetched", path, err, peersFile)
	}
	lines, fallback := os.ReadFile(filepath.Join(dir, peersFile))
	if fallback != nil && !errors.Is(fallback, os.ErrNotExist) {
		err = errors.Join(err, fallback)
	}
	return state{List: decodeLines(lines)}, err
}

func decodeState(kept []byte) (state, error) {
	var s state
	decoder := json.NewDecoder(bytes.NewReader(kept))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&s); err != nil {
		return state{}, err
	}
	seen := map[netip.Prefix]bool{}
	for _, e := range s.List.Entries {
		if err := checkEntry(e); err != nil {
			return state{}, err
		}
		if seen[e.Prefix] {
			return state{}, fmt.Errorf("entry %s is there twice", e.Prefix)
		}
		seen[e.Prefix] = true
	}
	return s, nil
}

func checkEntry(e Entry) error {
	if !e.Prefix.IsValid() || e.Prefix != e.Prefix.Masked() || !e.Prefix.Addr().Is4() || e.Prefix.Bits() < widest {
		return fmt.Errorf("entry %s is no network of peers", e.Prefix)
	}
	if len(e.Seen) == 0 {
		return fmt.Errorf("entry %s has no source", e.Prefix)
	}
	for s := range e.Seen {
		if s != Static && s != Chain && s != Observed {
			return fmt.Errorf("entry %s: %q is no source", e.Prefix, s)
		}
	}
	if _, static := e.Seen[Static]; !static && !e.Prefix.IsSingleIP() {
		return fmt.Errorf("entry %s is a network, which only an operator may name", e.Prefix)
	}
	return nil
}

// decodeLines reads HAProxy's file; lines that are no addresses are left out, networks too.
func decodeLines(content []byte) List {
	var l List
	for line := range strings.Lines(string(content)) {
		a, err := netip.ParseAddr(strings.TrimSpace(line))
		if ok, _ := usable(a); err != nil || !ok || l.Contains(a) || len(l.Entries) == most {
			continue
		}
		l.Entries = append(l.Entries, Entry{netip.PrefixFrom(a, 32), map[Source]time.Time{Chain: {}}})
	}
	sortEntries(l.Entries)
	return l
}

// save keeps the list for the next start of the agent.
func save(dir string, s state) error {
	text, err := json.MarshalIndent(s, "", " ")
	if err != nil {
		return err
	}
	return files.Write(filepath.Join(dir, listFile), append(text, '\n'), 0o640)
}

// publish writes what HAProxy starts with.
func publish(dir string, l List) error {
	var b strings.Builder
	for _, line := range l.Lines() {
		b.WriteString(line + "\n")
	}
	enforce := ""
	if l.Enforce {
		enforce = "on\n"
	}
	for _, f := range []struct{ name, text string }{{peersFile, b.String()}, {enforceFile, enforce}} {
		path := filepath.Join(dir, f.name)
		if old, err := os.ReadFile(path); err == nil && string(old) == f.text {
			continue
		}
		// HAProxy runs as another user; addresses of peers are no secret.
		if err := files.Write(path, []byte(f.text), 0o644); err != nil {
			return err
		}
	}
	return nil
}

func sortEntries(all []Entry) {
	slices.SortFunc(all, func(a, b Entry) int {
		if c := a.Prefix.Addr().Compare(b.Prefix.Addr()); c != 0 {
			return c
		}
		return a.Prefix.Bits() - b.Prefix.Bits()
	})
}

func (e Entry) clone() Entry { return Entry{e.Prefix, maps.Clone(e.Seen)} }
