package policy

import (
	"encoding/json"
	"reflect"
	"strings"
	"testing"
)

func TestPoliciesAreReadAsAWSReadsThem(t *testing.T) {
	d, err := parseDocument(`{"Version":"2012-10-17","Id":"x","Statement":{"Sid":"A","Effect":"Allow","Action":"a:B","NotResource":["c"],
		"Principal":{"Service":["s2","s1"],"AWS":"*"},"Condition":{"Bool":{"k":true},"NumericEquals":{"n":[1,2]}}}}`)
	if err != nil {
		t.Fatal(err)
	}
	want := []statement{{
		sid: "A", effect: "Allow", actions: []string{"a:B"}, notResources: []string{"c"}, principals: []string{"*", "Service:s1", "Service:s2"},
		conditions: map[string]map[string][]string{"Bool": {"k": {"true"}}, "NumericEquals": {"n": {"1", "2"}}},
	}}
	if !reflect.DeepEqual(d.statements, want) {
		t.Errorf("got %+v, want %+v", d.statements, want)
	}
}

func TestWhatIsNoPolicyIsRefused(t *testing.T) {
	for text, want := range map[string]string{
		``:                                "is no JSON",
		`{"Statement":[`:                  "is no JSON",
		`[]`:                              "is no policy",
		`{"Statement":[]} {}`:             "text after its end",
		`{"Statement":[],"statement":[]}`: "twice",
		`{"Statements":[]}`:               "unknown field",
		`{"Statement":[{"Effect":"allow","Action":"a"}]}`:                              `"allow"`,
		`{"Statement":[{"Effect":"Allow"}]}`:                                           "neither Action",
		`{"Statement":[{"Effect":"Allow","Action":{"a":1}}]}`:                          "neither a text",
		`{"Statement":[{"Effect":"Allow","Action":"a","Principal":"root"}]}`:           `"root"`,
		`{"Statement":[{"Effect":"Allow","Action":"a","Principal":{"AWS":["*",{}]}}]}`: "neither a text",
		`{"Statement":[{"Effect":"Allow","Action":"a"},{"Effect":"Deny"}]}`:            "statement 2",
	} {
		if _, err := parseDocument(text); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", text, err, want)
		}
	}
}

func TestWildcardsOfActions(t *testing.T) {
	for _, c := range []struct {
		pattern, action string
		want            bool
	}{
		{"kms:Decrypt", "kms:decrypt", true},
		{"kms:*", "kms:Decrypt", true},
		{"*", "kms:Decrypt", true},
		{"kms:De?rypt", "kms:Decrypt", true},
		{"k*s:*crypt", "kms:Decrypt", true},
		{"kms:*cryp", "kms:Decrypt", false},
		{"kms:Decryp?t", "kms:Decrypt", false},
		{"", "kms:Decrypt", false},
		{"s3:*", "kms:Decrypt", false},
	} {
		if got := matchesAction(c.pattern, c.action); got != c.want {
			t.Errorf("%q fits %q: %t", c.pattern, c.action, got)
		}
	}
	for pattern, want := range map[string]bool{
		"*": true, "?*": true, "arn:aws:s3:::*": true, "arn:*:*:*:*:*": true, "arn:aws:s3:::logs/*": false, "123456789012": false, "": false,
		"arn:aws:logs:eu-central-1:123456789012:*": false,
	} {
		if got := allWildcard(pattern); got != want {
			t.Errorf("%q is everything: %t", pattern, got)
		}
	}
}

// A policy that can be read says Allow or Deny in each statement, and says it in a text that is JSON with every element once. Nothing that
// a rule asks of it panics.
func FuzzParseDocument(f *testing.F) {
	for _, e := range identityExamples() {
		s := compliant()
		e.change(s)
		for _, r := range s.resources {
			for _, one := range leaves(r) {
				if isPolicy(one) {
					f.Add(one.text())
				}
			}
		}
	}
	f.Fuzz(func(t *testing.T, text string) {
		d, err := parseDocument(text)
		if err != nil {
			return
		}
		if !json.Valid([]byte(text)) {
			t.Fatalf("%q is no JSON, and was read", text)
		}
		s := compliant()
		s.set("managed-policy", "policy", text)
		s.set("nlb-logs-policy", "policy", text)
		found := Check(s.graph(), append(identityRules(), bucketRules()...))
		for _, one := range d.statements {
			if one.effect != "Allow" && one.effect != "Deny" {
				t.Fatalf("%q has the effect %q", text, one.effect)
			}
			if one.allows() && len(one.actions) == 1 && one.actions[0] == "*" && len(one.resources) == 1 && one.resources[0] == "*" && found == nil {
				t.Fatalf("%q allows everything, and breaks no rule", text)
			}
		}
	})
}
