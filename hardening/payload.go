package hardening

import (
	"embed"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
)

//go:embed scripts/engine/*.sh
var engineScripts embed.FS

// engine is what every program begins with: notes and messages, the want_ functions, trials, and the halves.
var engine = sync.OnceValue(func() string {
	var b strings.Builder
	for _, name := range []string{"base", "want", "trial", "halves"} {
		_, text, _ := strings.Cut(embedded(engineScripts, "scripts/engine/"+name+".sh"), engineLine)
		b.WriteString(text)
	}
	return b.String()
})

// engineLine begins each part of the engine, for shellcheck, which sees the part alone.
const engineLine = "# shellcheck shell=bash disable=SC2034,SC2154\n"

// scriptsOf are the controls' scripts by ID: a plan of many hosts writes each many times.
var scriptsOf = sync.OnceValue(func() map[string]string {
	scripts := map[string]string{}
	for i := range registry {
		// The line is for shellcheck, which sees the script alone.
		text := embedded(controlScripts, "scripts/controls/"+registry[i].ID+".sh")
		scripts[registry[i].ID] = strings.TrimPrefix(text, shellcheckLine)
	}
	return scripts
})

func embedded(files embed.FS, name string) string {
	text, err := files.ReadFile(name)
	if err != nil {
		panic(err) // a test holds that every control has its script
	}
	return string(text)
}

// Live is what is only known once the hosts exist.
type Live struct {
	// Administrators are the networks (CIDR) that SSH is answered to. Empty at the build of an image.
	Administrators []string
	// Firewall is the host's ruleset (Firewall.Render). Empty at the build of an image, which then has none.
	Firewall string
	// Packages of the host's role, installed along with those of the controls.
	Packages []string
}

// Program is the whole selection as one bash program that needs nothing else. It is run as root with one of these words:
//
//	apply CONNECTION  makes the host as the selection wants it. CONNECTION is the session's $SSH_CONNECTION: what could lock everybody out is
//	                  rolled back unless another login confirms it (ConfirmScript)
//	image             the same without trial, for the build of an image: nobody is logged in there
//	verify            compares, changes nothing, and writes the metric
//	rollback          takes back what a trial changed, if one is under way
//
// It writes its report to file descriptor 3, see ParseReport, and its log to standard output.
func (s *Selection) Program(live Live) (string, error) {
	var b strings.Builder
	b.Grow(192 << 10)
	b.WriteString("#!/usr/bin/env bash\n")
	b.WriteString(engine())
	vars := s.Facts.vars()
	vars["ADMINISTRATORS"] = strings.Join(live.Administrators, " ")
	vars["PROFILE"] = s.Profile
	vars["PACKAGES"], vars["PURGE"] = s.packages(live.Packages)
	for i := range s.Controls {
		c := &s.Controls[i]
		for _, p := range c.Params {
			vars[p.variable(c.ID)] = bash(s.Values[c.ID][p.Name])
		}
	}
	for _, name := range slices.Sorted(maps.Keys(vars)) {
		fmt.Fprintf(&b, "%s=%s\n", name, quote(vars[name]))
	}
	s.lists(&b)
	fmt.Fprintf(&b, "firewall_rules() {\ncat <<'%s'\n%s%s\n}\n", endOfFile, live.Firewall, endOfFile)
	if strings.Contains(live.Firewall, endOfFile) || live.Firewall != "" && !strings.HasSuffix(live.Firewall, "\n") {
		return "", fmt.Errorf("firewall rules: want whole lines, none of them %s", endOfFile)
	}
	for i := range s.Controls {
		b.WriteString(scriptsOf()[s.Controls[i].ID])
	}
	b.WriteString("main \"$@\" </dev/null\n")
	return b.String(), nil
}

const endOfFile = "ICON-END-OF-RULES"

// shellcheckLine begins each control's script: parameters and the engine's functions come from elsewhere.
const shellcheckLine = "# shellcheck shell=bash disable=SC2154\n"

// lists writes the controls, ordinary ones and those under trial, and those that are left out.
func (s *Selection) lists(b *strings.Builder) {
	var ordinary, access []string
	for _, c := range s.Controls {
		if c.Access {
			access = append(access, c.ID)
		} else {
			ordinary = append(ordinary, c.ID)
		}
	}
	fmt.Fprintf(b, "ORDINARY=(%s)\nACCESS=(%s)\n", strings.Join(ordinary, " "), strings.Join(access, " "))
	b.WriteString("declare -A LEFT_OUT=(\n")
	for _, id := range slices.Sorted(maps.Keys(s.LeftOut)) {
		fmt.Fprintf(b, "  [%s]=%s\n", id, quote(s.LeftOut[id]))
	}
	b.WriteString(")\n")
}

// packages are what is to be installed and what is to go; a package that one control needs is not purged for another.
func (s *Selection) packages(role []string) (install, purge string) {
	want, gone := map[string]bool{}, map[string]bool{}
	for _, p := range role {
		want[p] = true
	}
	for _, c := range s.Controls {
		for _, p := range c.Packages {
			want[p] = true
		}
		if c.PackagesFor == nil {
			continue
		}
		for _, p := range c.PackagesFor(s) {
			want[p] = true
		}
	}
	for _, c := range s.Controls {
		for _, p := range c.Purge {
			if !want[p] {
				gone[p] = true
			}
		}
	}
	return strings.Join(slices.Sorted(maps.Keys(want)), " "), strings.Join(slices.Sorted(maps.Keys(gone)), " ")
}

// Step wraps the program so that it can be given to `bash -s WORD …` on standard input: it needs to be a file on the host.
func Step(program string) string {
	const end = "ICON-END-OF-HARDENING"
	return fmt.Sprintf(`umask 077
dir=$(mktemp -d /run/icon-hardening.XXXXXX) || exit 1
trap 'rm -rf "$dir"' EXIT
cat >"$dir/hardening" <<'%[1]s'
%[2]s%[1]s
bash "$dir/hardening" "$@" </dev/null
`, end, program)
}

// quote makes s one word of a shell.
func quote(s string) string { return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'" }
