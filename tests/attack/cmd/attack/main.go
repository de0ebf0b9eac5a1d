// Attack measures sentries under attack: `make attack`. It needs root on a Debian 12 machine with Go.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"

	"github.com/insight-icon/pulumi-icon/tests/attack"
	"github.com/insight-icon/pulumi-icon/tests/attack/arena"
)

func main() {
	attack.PlayIfAsked()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(ctx context.Context) error {
	var w attack.Work
	variants := flag.String("variants", "", "variants, separated by commas; default: all")
	attacks := flag.String("attacks", "", "attacks, separated by commas; default: all")
	flag.IntVar(&w.Runs, "runs", 3, "runs of the default variant, of which the worst is kept; the others have one")
	flag.IntVar(&w.Seconds, "seconds", 8, "seconds that each attack lasts, 2 to 60")
	flag.BoolVar(&w.Only, "only-cells", false, "leave out the loss of a sentry and the cost without an attack")
	sweep := flag.Bool("sweep", false, "remove what an interrupted run left, and end")
	render := flag.Bool("render", false, "write the report again from the results of the last run")
	flag.StringVar(&w.Results, "results", "", "where results are kept; default: docs/attack-results.json, and the report beside it")
	flag.Parse()
	if flag.NArg() > 0 {
		return fmt.Errorf("%q: only flags are known; -h lists them", flag.Args())
	}
	w.Variants, w.Attacks = words(*variants), words(*attacks)
	if *render {
		return attack.Render(w.Results)
	}
	if *sweep {
		return arena.Sweep(ctx)
	}
	if os.Geteuid() != 0 {
		return errors.New("attacks need network namespaces of their own: they need root (sudo make attack)")
	}
	w.Progress = progress
	return attack.Measure(ctx, w)
}

func words(list string) []string {
	return strings.FieldsFunc(list, func(r rune) bool { return r == ',' || r == ' ' })
}

var begin = time.Now()

func progress(format string, args ...any) {
	fmt.Printf("[%6.1f s] %s\n", time.Since(begin).Seconds(), fmt.Sprintf(format, args...))
}
