package main

import (
	"regexp"
	"slices"
	"strings"
	"unicode"
)

var (
	sentenceEnd = regexp.MustCompile(`[.)]\s+`)
	keySentence = regexp.MustCompile(`^Key icon:\w+[,;]?\s*`)
	needs       = regexp.MustCompile(`^(Required|Default|Optional|[\w-]+ only\b)`)
	inText      = []*regexp.Regexp{
		regexp.MustCompile(`\brequired\b[^.;,()]*`),
		regexp.MustCompile(`, default ("[^"]*"|\d+)`),
	}
	defaultOf = regexp.MustCompile(`("[^"]*"|\w+) \(default[):]`)
)

// split takes a field's comment apart: what it is, and whether it is required or what its default is.
func split(doc string) (what, need string) {
	var texts, rules []string
	for _, s := range sentences(doc) {
		switch {
		case keySentence.MatchString(s):
			rules = append(rules, keySentence.ReplaceAllString(s, ""))
		case needs.MatchString(s):
			rules = append(rules, s)
		default:
			texts = append(texts, s)
			for _, r := range inText {
				rules = append(rules, r.FindAllString(s, -1)...)
			}
			for _, m := range defaultOf.FindAllStringSubmatch(s, -1) {
				rules = append(rules, "default "+m[1])
			}
		}
	}
	for i, r := range rules {
		rules[i] = lowerFirst(strings.Trim(r, " ,."))
	}
	rules = slices.DeleteFunc(rules, func(r string) bool { return r == "" })
	return strings.Join(texts, " "), strings.Join(slices.Compact(rules), "; ")
}

// sentences ends a sentence at a full stop that a capital letter, a number or a quotation follows.
func sentences(text string) []string {
	var all []string
	begin := 0
	for _, end := range sentenceEnd.FindAllStringIndex(text, -1) {
		next := []rune(text[end[1]:])
		if text[end[0]] == '.' && len(next) > 0 && (unicode.IsUpper(next[0]) || unicode.IsDigit(next[0]) || next[0] == '"' || next[0] == '`') {
			all = append(all, text[begin:end[0]+1])
			begin = end[1]
		}
	}
	if begin < len(text) {
		all = append(all, text[begin:])
	}
	return all
}

func lowerFirst(s string) string {
	if s == "" || strings.HasPrefix(s, "IPv4") {
		return s
	}
	return strings.ToLower(s[:1]) + s[1:]
}

// cell makes text safe for a cell of a table.
func cell(s string) string {
	return strings.NewReplacer("|", `\|`, "<", `\<`, "*", `\*`).Replace(s)
}

func table(head []string, rows [][]string) string {
	var b strings.Builder
	line := func(cells []string) { b.WriteString("| " + strings.Join(cells, " | ") + " |\n") }
	line(head)
	line(slices.Repeat([]string{"---"}, len(head)))
	for _, r := range rows {
		line(r)
	}
	return b.String()
}
