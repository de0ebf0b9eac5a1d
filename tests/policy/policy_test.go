package policy

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/pulumi/pulumi/sdk/v3/go/common/resource"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"github.com/insight-icon/pulumi-icon/tests/graph"
)

func TestACompliantStackBreaksNoRule(t *testing.T) { Holds(t, compliant().graph(), AWS()) }

func TestEachMistakeIsFoundWhereItIs(t *testing.T) {
	for _, e := range examples() {
		t.Run(e.rule+" "+e.name, func(t *testing.T) {
			found := Check(e.graph(), AWS())
			if !slices.ContainsFunc(found, func(f Finding) bool { return f.Rule == e.rule && strings.HasSuffix(f.URN, "::"+e.at) }) {
				t.Errorf("%s finds nothing at %s; found were %v", e.rule, e.at, found)
			}
		})
	}
}

func TestEveryRuleHasAnExampleThatBreaksIt(t *testing.T) {
	seen := map[string]bool{}
	for _, r := range AWS() {
		if seen[r.ID] {
			t.Errorf("two rules have the ID %s", r.ID)
		}
		seen[r.ID] = true
		if !slices.ContainsFunc(examples(), func(e example) bool { return e.rule == r.ID }) {
			t.Errorf("%s has no failing example", r.ID)
		}
		if r.Title == "" || r.Why == "" || r.Source == "" || r.Check == nil {
			t.Errorf("%s lacks something: %+v", r.ID, r)
		}
		if own := strings.HasPrefix(r.ID, "ICON."); !own && !strings.Contains(r.Source, strings.Replace(r.ID, "CIS.", "CIS AWS 3.0.0 ", 1)) {
			t.Errorf("%s does not name its control: %q", r.ID, r.Source)
		}
	}
	for _, e := range examples() {
		if !seen[e.rule] {
			t.Errorf("the example %q is for %s, which is no rule", e.name, e.rule)
		}
	}
	if len(seen) < 30 {
		t.Errorf("there are only %d rules", len(seen))
	}
}

// What is right in another way than in the compliant stack.
func TestOtherWaysAreAllowed(t *testing.T) {
	preview := func(resource, path, waitsFor string) func(*stack) {
		return func(s *stack) {
			s.set(resource, path, unknown())
			s.get(resource).Dependencies = []string{s.get(waitsFor).URN}
		}
	}
	for name, change := range map[string]func(*stack){
		"metadata are off":               set("prep-1", "metadataOptions", inputs{"httpEndpoint": "disabled", "httpPutResponseHopLimit": 1}),
		"an address goes to the bastion": func(s *stack) { s.drop("bastion-association"); s.set("bastion-address", "instance", "bastion_id") },
		"an existing subnet": func(s *stack) {
			s.set("prep-1", "subnetId", "subnet-1")
			s.set("prep-1", "associatePublicIpAddress", false)
		},
		"an image that was named":     func(s *stack) { s.set("prep-1", "ami", "ami-1"); pin(s, "userData") },
		"user data without a secret":  set("prep-1", "userData", "#cloud-config"),
		"what is not known is marked": set("prep-1", "userData", resource.MakeSecret(unknown())),
		"the operator's own key":      set("prep-1-data", "kmsKeyId", "arn:aws:kms:eu-central-1:1:key/1234"),
		"a key for signing": func(s *stack) {
			s.set("key", "customerMasterKeySpec", "ECC_NIST_P256")
			s.set("key", "enableKeyRotation", false)
		},
		"an internal balancer": func(s *stack) { s.drop("before-alb"); s.set("alb", "internal", true) },
		"a private zone":       func(s *stack) { s.drop("questions"); s.set("zone", "vpcs", []any{inputs{"vpcId": "vpc_id"}}) },
		"a named account": set("key", "policy", policyOf(`{"Effect":"Allow","Principal":"*","Action":"kms:Decrypt","Resource":"*",`+
			`"Condition":{"StringEquals":{"KMS:calleraccount":"1"}}}`)),
		"anybody is denied": set("role-policy", "policy", policyOf(`{"Effect":"Deny","NotAction":"ec2:RunInstances","Resource":"*"}`)),
		"volume tags": func(s *stack) {
			s.set("prep-1", "rootBlockDevice.tags", nil)
			s.set("prep-1", "volumeTags", tags("prep-1", "Role", "prep", "Host", "prep-1"))
		},
		"without sentries a P-Rep serves all":  func(s *stack) { s.set("sentry-1", "tags.Role", "citizen"); fromAnywhere("prep", 7100)(s) },
		"a preview knows no key":               preview("prep-1-data", "kmsKeyId", "key"),
		"a preview knows no balancer":          preview("before-alb", "resourceArn", "alb"),
		"a preview knows no log destination":   preview("firewall-logging", "resourceArn", "firewall"),
		"a preview knows no policy":            preview("nlb-logs-policy", "policy", "nlb-logs"),
		"a preview knows no policy of a role":  preview("role-policy", "policy", "key"),
		"a preview knows no bucket":            preview("nlb-logs-block", "bucket", "nlb-logs"),
		"a preview knows no instance":          preview("prep-1-alarm", "dimensions.InstanceId", "prep-1"),
		"a preview knows no group of a source": preview("p2p-prep", "referencedSecurityGroupId", "group-sentry"),
	} {
		t.Run(name, func(t *testing.T) {
			s := compliant()
			change(s)
			skip := []string{"EC2.9"} // a machine of the public tier becomes a citizen above
			if !strings.HasPrefix(name, "without sentries") {
				skip = nil
			}
			for _, f := range Check(s.graph(), AWS()) {
				if skip == nil || !slices.Contains(append(skip, "ICON.3", "ICON.5", "ICON.15"), f.Rule) {
					t.Error(f)
				}
			}
		})
	}
}

func pin(s *stack, inputs ...string) { s.get("prep-1").IgnoreChanges = inputs }

// Whatever an input is, a rule gives an answer. What is not known anywhere is never taken for right where a plain value decides.
func TestNoInputMakesARulePanic(t *testing.T) {
	odd := []resource.PropertyValue{
		unknown(), resource.NewProperty(resource.Output{}), resource.MakeSecret(unknown()), resource.NewNullProperty(),
		resource.NewProperty(true), resource.NewProperty(-1.5), resource.NewProperty("{"), resource.NewProperty("::/0"),
		resource.NewProperty([]resource.PropertyValue{unknown(), resource.NewNullProperty()}),
		resource.NewProperty(resource.PropertyMap{"*": unknown()}),
		resource.NewProperty(resource.ResourceReference{}),
	}
	// One input of each resource at a time, of all resources at once; it, or what it is part of, is each of these once.
	for nth, more := 0, true; more; nth++ {
		more = false
		for round := range odd {
			s := compliant()
			for i, r := range compliant().resources {
				if all := leaves(r); nth < len(all) {
					more = true
					path := all[nth].path
					s.set(r.Name, strings.Join(path[:1+round%len(path)], "."), odd[(i+round)%len(odd)])
				}
			}
			Check(s.graph(), AWS())
		}
	}
}

func TestExceptionsNeedAReasonAndSomethingToExcept(t *testing.T) {
	broken := example{change: set("prep-1", "monitoring", false)}
	for name, c := range map[string]struct {
		exceptions []Exception
		want       []string
	}{
		"none":            {nil, []string{"ICON.12: urn"}},
		"by name":         {[]Exception{{"ICON.12", "prep-1", "a test"}}, nil},
		"by URN":          {[]Exception{{"ICON.12", "urn:*Instance::prep-1", "a test"}}, nil},
		"by pattern":      {[]Exception{{"ICON.12", "prep-*", "a test"}}, nil},
		"without reason":  {[]Exception{{"ICON.12", "prep-1", " "}}, []string{"ICON.12: urn", "has no reason"}},
		"for no rule":     {[]Exception{{"ICON.999", "prep-1", "a test"}}, []string{"ICON.12: urn", "names no rule"}},
		"for nothing":     {[]Exception{{"ICON.12", "prep-2", "a test"}}, []string{"ICON.12: urn", "matches nothing"}},
		"part of a name":  {[]Exception{{"ICON.12", "prep", "a test"}}, []string{"ICON.12: urn", "matches nothing"}},
		"for other rules": {[]Exception{{"EC2.8", "*", "a test"}}, []string{"ICON.12: urn", "matches nothing"}},
	} {
		t.Run(name, func(t *testing.T) {
			found := Check(broken.graph(), AWS(), c.exceptions...)
			if len(found) != len(c.want) {
				t.Fatalf("found %v, want %v", found, c.want)
			}
			for i, want := range c.want {
				if !strings.Contains(found[i].String(), want) {
					t.Errorf("found %s, want %s", found[i], want)
				}
			}
		})
	}
}

// recorded counts what Holds says of a graph, in place of a test.
type recorded struct {
	testing.TB
	said []string
}

func (r *recorded) Helper()           {}
func (r *recorded) Error(args ...any) { r.said = append(r.said, fmt.Sprint(args...)) }

func TestHoldsFailsATestWithEachFinding(t *testing.T) {
	tb := &recorded{TB: t}
	Holds(tb, example{change: set("key", "isEnabled", false)}.graph(), AWS())
	if len(tb.said) != 1 || !strings.Contains(tb.said[0], "KMS.3: urn") || !strings.Contains(tb.said[0], "isEnabled is false") {
		t.Errorf("it said %q", tb.said)
	}
	if found := Check(compliant().graph(), nil); found != nil {
		t.Errorf("no rules found %v", found)
	}
}

// A recorded program has the same forms as the graphs above.
func TestARecordedProgramIsJudged(t *testing.T) {
	program := func(ctx *pulumi.Context) error {
		var vpc, subnet pulumi.CustomResourceState
		if err := ctx.RegisterResource(typeVPC, "vpc", pulumi.Map{"cidrBlock": pulumi.String("10.0.0.0/16")}, &vpc); err != nil {
			return err
		}
		return ctx.RegisterResource(typeSubnet, "subnet", pulumi.Map{
			"vpcId": vpc.ID(), "mapPublicIpOnLaunch": pulumi.Bool(true), "tags": pulumi.StringMap{"Name": pulumi.String("subnet")},
		}, &subnet, pulumi.Protect(true))
	}
	graph.InBothModes(t, program, func(t *testing.T, g *graph.Graph) {
		t.Helper()
		var rules []string
		for _, f := range Check(g, AWS()) {
			rules = append(rules, f.Rule+" "+f.URN[strings.LastIndex(f.URN, ":")+1:])
		}
		want := []string{
			"EC2.2 vpc", "EC2.6 vpc", "EC2.15 subnet", "ICON.1 subnet", "ICON.28 subnet", "ICON.28 vpc", "ICON.31 subnet", "ICON.31 vpc",
		}
		if !slices.Equal(rules, want) {
			t.Errorf("found %v, want %v", rules, want)
		}
	})
}

func TestTheTableHasARowForEachRule(t *testing.T) {
	rows := strings.Split(strings.TrimSpace(Table()), "\n")[2:]
	if len(rows) != len(AWS()) {
		t.Fatalf("%d rows for %d rules", len(rows), len(AWS()))
	}
	for i, r := range AWS() {
		if !strings.HasPrefix(rows[i], "| "+r.ID+" | "+r.Source+" | ") || strings.Count(rows[i], " | ") != 3 {
			t.Errorf("row %d is %q", i, rows[i])
		}
	}
}
