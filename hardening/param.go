package hardening

import (
	"fmt"
	"math"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/insight-icon/pulumi-icon/internal/wording"
)

// Kind is the type of a parameter.
type Kind string

// The kinds of parameters, and what they are in Go and in bash.
const (
	// Int is a whole number: int.
	Int Kind = "whole number"
	// Bool is true or false: bool; "true" or "false" in bash.
	Bool Kind = "true or false"
	// Word is a short text: string.
	Word Kind = "text"
	// Words is a list of words: []string; joined by spaces in bash, so that no word holds a space.
	Words Kind = "list of words"
	// Text may hold several lines: string.
	Text Kind = "text of several lines"
)

// Param is a parameter of a control.
type Param struct {
	Name string
	Kind Kind
	// What it means, with its unit.
	What string
	// Default: an int, bool, string or []string.
	Default any
	// Min and Max bound an Int, both included. Required for that kind.
	Min, Max int
	// Choices are the only values of a Word; Form is what each word has to match, and FormIs says that in words. Texts need neither.
	Choices []string
	Form    *regexp.Regexp
	FormIs  string
}

// Params are values of parameters by name.
type Params map[string]any

// variable is the parameter's name in the control's script: SSH_SERVER_MAX_STARTUPS is maxStartups of ssh-server.
func (p *Param) variable(control string) string {
	var b strings.Builder
	b.WriteString(strings.ToUpper(strings.ReplaceAll(control, "-", "_")))
	b.WriteByte('_')
	for i, r := range p.Name {
		if r >= 'A' && r <= 'Z' && i > 0 {
			b.WriteByte('_')
		}
		b.WriteRune(r)
	}
	return strings.ToUpper(b.String())
}

// bash is the value as its script sees it.
func bash(value any) string {
	switch v := value.(type) {
	case int:
		return strconv.Itoa(v)
	case bool:
		return strconv.FormatBool(v)
	case []string:
		return strings.Join(v, " ")
	default:
		return fmt.Sprint(v)
	}
}

// read takes a value as a configuration holds it. The message of what is wrong begins with a verb.
func (p *Param) read(value any) (any, string) {
	switch p.Kind {
	case Int:
		return p.readInt(value)
	case Bool:
		if b, ok := value.(bool); ok {
			return b, ""
		}
	case Word, Text:
		if s, ok := value.(string); ok {
			return s, p.badWord(s)
		}
	case Words:
		return p.readWords(value)
	}
	return nil, p.wrongKind(value)
}

func (p *Param) wrongKind(value any) string {
	return fmt.Sprintf("is %s; wanted: %s", wording.Quote(fmt.Sprint(value)), p.Wanted())
}

func (p *Param) readInt(value any) (any, string) {
	n := 0
	switch v := value.(type) {
	case int:
		n = v
	case float64:
		if v != math.Trunc(v) || math.Abs(v) > 1<<53 {
			return nil, p.wrongKind(value)
		}
		n = int(v)
	default:
		return nil, p.wrongKind(value)
	}
	if n < p.Min || n > p.Max {
		return nil, fmt.Sprintf("is %d; wanted: %s", n, p.Wanted())
	}
	return n, ""
}

func (p *Param) readWords(value any) (any, string) {
	var list []string
	switch v := value.(type) {
	case []string:
		list = slices.Clone(v)
	case []any:
		for _, item := range v {
			s, ok := item.(string)
			if !ok {
				return nil, p.wrongKind(value)
			}
			list = append(list, s)
		}
	default:
		return nil, p.wrongKind(value)
	}
	for _, s := range list {
		if problem := p.badWord(s); problem != "" {
			return nil, "holds an item that " + problem
		}
	}
	return list, ""
}

func (p *Param) badWord(s string) string {
	bad := fmt.Sprintf("is %s; wanted: %s", wording.Quote(s), p.Wanted())
	control := func(r rune) bool { return r < ' ' && (p.Kind != Text || r != '\n') || r == 0x7f }
	switch {
	case strings.ContainsFunc(s, control), p.Kind == Words && (s == "" || strings.Contains(s, " ")):
		return bad
	case len(p.Choices) > 0 && !slices.Contains(p.Choices, s):
		return bad
	case p.Form != nil && !p.Form.MatchString(s):
		return bad
	}
	return ""
}

// Wanted says in words which values the parameter takes.
func (p *Param) Wanted() string {
	switch {
	case p.Kind == Int:
		return fmt.Sprintf("a %s from %d to %d", p.Kind, p.Min, p.Max)
	case p.Kind == Words && len(p.Choices) > 0:
		return "a list of any of " + strings.Join(p.Choices, ", ")
	case p.Kind == Words && p.Form != nil:
		return "a list, each " + p.FormIs
	case p.Kind == Words:
		return "a " + string(p.Kind)
	case len(p.Choices) > 0:
		return "one of " + strings.Join(p.Choices, ", ")
	case p.Form != nil:
		return p.FormIs
	default:
		return string(p.Kind)
	}
}
