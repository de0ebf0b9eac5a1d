// Package wording holds how messages about a configuration name keys and values, so that all of them speak alike.
package wording

import (
	"fmt"
	"slices"
	"strings"
)

// Under is the path of a key of the object at path. Names that could be taken for a part of the path are quoted.
func Under(path, name string) string {
	for _, r := range name {
		plain := r == '-' || r == '_' || r >= '0' && r <= '9' || r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z'
		if !plain {
			return fmt.Sprintf("%s[%s]", path, Quote(name))
		}
	}
	if name == "" {
		return path + `[""]`
	}
	if path == "" {
		return name
	}
	return path + "." + name
}

// Item is the path of an item of the list at path.
func Item(path string, i int) string { return fmt.Sprintf("%s[%d]", path, i) }

// Quote shows text as an operator wrote it: on one line, not endlessly, and never a private key pasted in the wrong place.
func Quote(text string) string {
	const longest = 80
	if strings.Contains(text, "PRIVATE KEY") {
		return "a private key (not shown)"
	}
	if runes := []rune(text); len(runes) > longest {
		return fmt.Sprintf("%q", string(runes[:longest])+"…")
	}
	return fmt.Sprintf("%q", text)
}

// DidYouMean is a remark that leads from an unknown name to a known one: the nearest, or else the first of all.
func DidYouMean(name string, known []string) string {
	if len(known) == 0 {
		return "none is known here"
	}
	sorted := slices.Sorted(slices.Values(known))
	best, distance := "", len(name)
	for _, candidate := range sorted {
		if d := editDistance(strings.ToLower(name), strings.ToLower(candidate)); d < distance {
			best, distance = candidate, d
		}
	}
	if best != "" && distance <= max(1, len(best)/3) {
		return fmt.Sprintf("did you mean %q?", best)
	}
	const most = 20
	if len(sorted) > most {
		return fmt.Sprintf("known here: %s and %d more", strings.Join(sorted[:most], ", "), len(sorted)-most)
	}
	return "known here: " + strings.Join(sorted, ", ")
}

// editDistance counts the letters to insert, remove or change to get from a to b (Levenshtein).
func editDistance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			change := diagonal
			if a[i] != b[j] {
				change++
			}
			diagonal = row[j+1]
			row[j+1] = min(change, row[j]+1, row[j+1]+1)
		}
	}
	return row[len(b)]
}
