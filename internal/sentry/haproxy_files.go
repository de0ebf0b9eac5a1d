package sentry

import (
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
)

// keyName is what names of API keys are made of: they are words of HAProxy's files, and keys of its tables.
var keyName = regexp.MustCompile(`^[A-Za-z0-9._-]{1,63}$`)

// UsersList is UsersFile.
func UsersList(s Settings) string {
	var b strings.Builder
	for _, network := range s.Users {
		fmt.Fprintln(&b, network)
	}
	return b.String()
}

// KeysMap is KeysFile.
func KeysMap(s Settings) string {
	return keyLines(s, func(name string, k Key) string { return k.SHA256 + " " + name })
}

// QuotaMap is QuotaFile.
func QuotaMap(s Settings) string {
	return keyLines(s, func(name string, k Key) string { return fmt.Sprintf("%s %d", name, k.Requests) })
}

// ExpensiveMap is ExpensiveFile.
func ExpensiveMap(s Settings) string {
	return keyLines(s, func(name string, k Key) string { return fmt.Sprintf("%s %d", name, k.Expensive) })
}

func keyLines(s Settings, line func(string, Key) string) string {
	var b strings.Builder
	for _, name := range slices.Sorted(maps.Keys(s.Keys)) {
		fmt.Fprintln(&b, line(name, s.Keys[name]))
	}
	return b.String()
}
