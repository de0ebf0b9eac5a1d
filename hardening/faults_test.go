package hardening

import (
	"regexp"
	"slices"
	"strings"
	"testing"
)

func TestAMachineWhoseKernelHasMetAFaultIsNotMadeToRestartAtEachOfThem(t *testing.T) {
	facts := Facts{Role: "prep"}
	if out := says(t, facts, nil, "kernel_settings_faults 160"); !strings.Contains(out, "with kernel.panic_on_oops") {
		t.Errorf("got %q, want a reason to leave the machine as it is", out)
	}
	if out := says(t, facts, nil, "kernel_settings_faults 32"); out != "" {
		t.Errorf("got %q, want nothing of flags that are no fault", out)
	}
	way := "kernel_settings_faults() { echo asked; }; SESSION=''; "
	if out := says(t, facts, nil, way+"CONTAINER=systemd-nspawn; kernel_settings_before"); out != "" {
		t.Errorf("got %q, want a container's machine to be left out of it", out)
	}
}

// augenrules puts the files of rules.d together in the order of their names, and auditctl stops at a rule that it cannot load unless it has
// read -i before.
func TestARuleThatTheMachineCannotHaveKeepsNoOtherOutOfTheAudit(t *testing.T) {
	text, err := controlScripts.ReadFile("scripts/controls/audit.sh")
	if err != nil {
		t.Fatal(err)
	}
	names := regexp.MustCompile(`/etc/audit/rules\.d/(\S+\.rules)`).FindAllStringSubmatch(string(text), -1)
	first := slices.MinFunc(names, func(a, b []string) int { return strings.Compare(a[1], b[1]) })[1]
	_, content, _ := strings.Cut(string(text), first+" <<'RULES'\n")
	content, _, _ = strings.Cut(content, "\nRULES\n")
	if len(names) < 4 || !slices.Contains(strings.Split(content, "\n"), "-i") {
		t.Errorf("the first of %d files is %s, want -i in it:\n%s", len(names), first, content)
	}
}

func TestTheJournalLeavesTheAuditAsItIs(t *testing.T) {
	if out := says(t, Facts{Role: "prep"}, nil, "logs_journal"); !strings.Contains(out, "\nAudit=\n") {
		t.Errorf("got %s, want Audit= without a value: Debian's default turns the audit off", out)
	}
}
