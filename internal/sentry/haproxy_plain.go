package sentry

import (
	"regexp"
	"strings"
)

// plainBytes is the greatest length of a body that may be judged by plainCall alone.
const plainBytes = 1024

// cheapMethods are the inspector's.
func cheapMethods() []string {
	var all []string
	for _, m := range regexp.MustCompile(`(?m)^\t(\w+) = "cheap",$`).FindAllStringSubmatch(LuaText, -1) {
		all = append(all, m[1])
	}
	return all
}

// plainCall is an expression (PCRE) that only such bodies match whole which the inspector would find to be one cheap call, by a fraction of
// its work: what nearly everybody sends. It has JSON's own blanks, JSON-RPC's names once each in one of the usual orders, nothing
// escaped, nothing but ASCII, an id that can be repeated as it is (the first group that matches), and for params objects of texts in
// objects, three deep. What does not match is read by the inspector; nothing is refused for it. Quotes are written in hexadecimal:
// HAProxy's configuration has its own use for them.
func plainCall() string {
	const blank = `[ \t\r\n]*+`
	named := func(name, value string) string { return `\x22` + name + `\x22` + blank + `:` + blank + value }
	comma := blank + `,` + blank
	object := func(value string) string {
		pair := `(?&t)` + blank + `:` + blank + value
		return `\{` + blank + `(?:` + pair + `(?:` + comma + pair + `)*+)?` + blank + `\}`
	}
	define := `(?(DEFINE)` +
		`(?<t>\x22[ !#-\[\]-~]*+\x22)` +
		`(?<o>` + object(`(?&t)`) + `)` +
		`(?<q>` + object(`(?:(?&t)|(?&o))`) + `)` +
		`(?<v>` + named("jsonrpc", `\x222\.0\x22`) + `)` +
		`(?<m>` + named("method", `\x22(?:`+strings.Join(cheapMethods(), "|")+`)\x22`) + `)` +
		`(?<p>` + named("params", object(`(?:(?&t)|(?&q))`)) + `))`
	id := named("id", `(\x22[ !#-\[\]-~]{0,78}+\x22|-?(?:0|[1-9][0-9]{0,30}+)|null)`)
	version, method, params := `(?&v)`, `(?&m)`, `(?&p)`
	orders := []string{
		version + comma + id + comma + method + `(?:` + comma + params + `)?`,
		version + comma + method + comma + id + `(?:` + comma + params + `)?`,
		version + comma + method + comma + params + comma + id,
		id + comma + version + comma + method + `(?:` + comma + params + `)?`,
	}
	// All orders have the id in the same group.
	return define + `^` + blank + `\{` + blank + `(?|` + strings.Join(orders, "|") + `)` + blank + `\}` + blank + `\z`
}
