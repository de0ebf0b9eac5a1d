// Program prints the hardening of a profile as one bash program, for the build of images: run it there as root with the word "image".
package main

import (
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"os"

	"github.com/insight-icon/pulumi-icon/hardening"
)

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run() error {
	profile := flag.String("profile", hardening.Baseline, "profile of the host: baseline, prep, citizen, sentry, bastion or monitor")
	user := flag.String("user", "root", "who logs in to deploy")
	runtime := flag.String("runtime", "", "runtime of the host's node: binary, podman or docker; empty without a node")
	packages := flag.String("packages", "", "further packages of the role, such as haproxy")
	overrides := flag.String("overrides", "", "what differs from the profile, JSON: "+
		`{"parameters": {"CONTROL": {"NAME": VALUE}}, "leaveOut": {"CONTROL": "reason"}}`)
	flag.Parse()
	var o hardening.Overrides
	if *overrides != "" {
		if err := json.Unmarshal([]byte(*overrides), &o); err != nil {
			return fmt.Errorf("-overrides: %w", err)
		}
	}
	facts := hardening.Facts{Role: *profile, LoginUser: *user, Runtime: *runtime}
	selection, problems := hardening.Resolve(*profile, facts, o)
	var errs []error
	for _, list := range problems {
		for _, p := range list {
			errs = append(errs, fmt.Errorf("%s %s", p.Path, p.Text))
		}
	}
	if selection == nil {
		return errors.Join(errs...)
	}
	live := hardening.Live{}
	if *packages != "" {
		live.Packages = []string{*packages}
	}
	program, err := selection.Program(live)
	if err != nil {
		return err
	}
	_, err = os.Stdout.WriteString(hardening.Step(program))
	return err
}
