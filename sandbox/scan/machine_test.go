package scan

import (
	"errors"
	"strings"
	"testing"

	"github.com/insight-icon/pulumi-icon/sandbox/vm"
)

const verified = "some text of the log\n" +
	"control\tssh-server\tok\t\t12\n" +
	"drift\taudit\trules in force, by key\tas in the file\t12 modules\n" +
	"control\taudit\tdrift\t1\t12\n" +
	"control\tboot-loader\tn/a\tin force after the next boot: audit=1\t12\n" +
	"control\tusb-devices\tn/a\tno USB here\t12\n" +
	"control\tkernel-modules\tn/a\ta container has no modules of its own\t12\n"

func TestAMachineIsHeldToWhatAContainerMayLeaveOut(t *testing.T) {
	for booted, want := range map[bool]string{
		false: "audit: rules in force, by key: expected as in the file, found 12 modules\n" +
			"kernel-modules is not in force: a container has no modules of its own",
		true: "audit: rules in force, by key: expected as in the file, found 12 modules\n" +
			"boot-loader is not in force: in force after the next boot: audit=1\n" +
			"kernel-modules is not in force: a container has no modules of its own",
	} {
		if got := errors.Join(unwanted(verified, booted)...); got == nil || got.Error() != want {
			t.Errorf("booted again: %v: got\n%v\nwant\n%s", booted, got, want)
		}
	}
	if errs := unwanted("control\tusb-devices\tn/a\tno USB here\t12\n", true); len(errs) > 0 {
		t.Errorf("got %v, want nothing for what the machine does not have", errs)
	}
}

func TestASlowMachineHasMoreTimeToChangeItsAccess(t *testing.T) {
	role, err := findRole("prep")
	if err != nil {
		t.Fatal(err)
	}
	program, err := role.programFor(vm.Gateway)
	if err != nil {
		t.Fatal(err)
	}
	slow, err := patient(program)
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(slow, "\nTRIAL_SECONDS=600 ") || strings.Contains(program, "\nTRIAL_SECONDS=600 ") {
		t.Error("the program's TRIAL_SECONDS is not 600, or was so before")
	}
	if !strings.Contains(slow, vm.Gateway+"/32") || strings.Contains(slow, admin+"/32") {
		t.Errorf("the program does not answer SSH to %s alone", vm.Gateway)
	}
	if _, err := patient("nothing of the kind"); err == nil || !strings.Contains(err.Error(), "TRIAL_SECONDS") {
		t.Errorf("got %v, want an error that names TRIAL_SECONDS", err)
	}
}
