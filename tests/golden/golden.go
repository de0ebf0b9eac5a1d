// Package golden compares what a test has made with a file that a reviewer has read. `go test -update` writes the files anew.
package golden

import (
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "write the golden files anew from what the tests make")

// Check compares got with testdata/<name>.
func Check(tb testing.TB, name, got string) {
	tb.Helper()
	if want := Wanted(tb, name, got); got != want {
		tb.Errorf("%s differs (run with -update if that is meant):\n%s", filepath.Join("testdata", name), firstDifference(want, got))
	}
}

// Wanted is the text of testdata/<name>, for a test that can say more of a difference than where it is. With -update that is got.
func Wanted(tb testing.TB, name, got string) string {
	tb.Helper()
	path := filepath.Join("testdata", name)
	if *update {
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			tb.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			tb.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		tb.Fatalf("%v: run the test with -update, and read what it writes", err)
	}
	return string(want)
}

// firstDifference shows where two texts part.
func firstDifference(want, got string) string {
	w, g := strings.Split(want, "\n"), strings.Split(got, "\n")
	i := 0
	for i < len(w) && i < len(g) && w[i] == g[i] {
		i++
	}
	excerpt := func(lines []string) string {
		return strings.Join(lines[min(max(i-2, 0), len(lines)):min(i+6, len(lines))], "\n")
	}
	return "--- wanted\n" + excerpt(w) + "\n--- got\n" + excerpt(g)
}
