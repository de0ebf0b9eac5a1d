package main

import (
	"path/filepath"
	"strings"
	"testing"
)

func TestEveryShippedStackCanBePlannedWithoutItsSecrets(t *testing.T) {
	t.Chdir("../../..")
	files, err := filepath.Glob("stacks/Pulumi.*.yaml")
	if err != nil || len(files) < 4 {
		t.Fatalf("only %d stack files, %v", len(files), err)
	}
	for _, file := range files {
		name := strings.TrimSuffix(strings.TrimPrefix(filepath.Base(file), "Pulumi."), ".yaml")
		for _, word := range []string{name, file} {
			plan, err := planOf(word)
			if err != nil {
				t.Errorf("%s: %v", word, err)
			} else if !strings.Contains(plan, "connections that are open") {
				t.Errorf("%s: the plan says\n%s", word, plan)
			} else if asked := strings.Contains(plan, "\nto be replaced before pulumi up\n  icon:"); asked != (name != "hosts-example") {
				t.Errorf("%s: it says that something is to be replaced: %v\n%s", word, asked, plan)
			}
		}
	}
}

func TestAStackThatIsNotThereIsNamedAndThoseThatAre(t *testing.T) {
	_, err := planOf("nowhere")
	file := filepath.Join("stacks", "Pulumi.nowhere.yaml")
	if err == nil || !strings.Contains(err.Error(), file) || strings.Contains(err.Error(), "there are") {
		t.Errorf("error %v", err)
	}
	t.Chdir("../../..")
	_, err = planOf("nowhere")
	if err == nil || !strings.Contains(err.Error(), "; there are: citizen-archive, hosts-example, ") {
		t.Errorf("error %v", err)
	}
}
