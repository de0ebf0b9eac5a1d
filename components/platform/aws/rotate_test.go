package aws_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/insight-icon/pulumi-icon/components/platform/aws"
	"github.com/insight-icon/pulumi-icon/tests/graph"
)

// rotated is the small stack with a sentry's address of that generation.
func rotated(t *testing.T, generation int) *graph.Graph {
	t.Helper()
	s := newSmall()
	s.spec.Hosts[1].Generation = generation
	return s.record(t)
}

func only(t *testing.T, g *graph.Graph, name string) *graph.Resource {
	t.Helper()
	found := g.Named(name)
	if len(found) != 1 {
		t.Fatalf("%d resources %s, wanted one", len(found), name)
	}
	return found[0]
}

func TestAnotherGenerationExchangesOneAddressAndNothingElse(t *testing.T) {
	before, after := rotated(t, 0), rotated(t, 2)
	gone, altered, added := changed(before, after)
	// What is told of it is that it is no longer protected.
	altered = slices.DeleteFunc(altered, func(urn string) bool { return strings.HasSuffix(urn, "::network-sentry-1-address") })
	if len(gone)+len(altered)+len(added) > 0 {
		t.Errorf("gone: %v\naltered: %v\nadded: %v", gone, altered, added)
	}
	var exchanged []string
	for _, r := range after.Resources {
		was := before.Get(r.URN)
		// The first generation is told from the start: the engine replaces nothing for a trigger that was not there before.
		if !was.ReplacementTrigger.DeepEquals(r.ReplacementTrigger) {
			exchanged = append(exchanged, r.Name)
			if was.ReplacementTrigger.IsNull() || r.ReplacementTrigger.IsNull() {
				t.Errorf("%s: the engine would not replace it", r.Name)
			}
		}
		if was.Protect != r.Protect && r.Name != "network-sentry-1-address" {
			t.Errorf("%s: protected %v, was %v", r.Name, r.Protect, was.Protect)
		}
	}
	if !slices.Equal(exchanged, []string{"network-sentry-1-address"}) {
		t.Errorf("exchanged: %v, wanted the address of sentry-1", exchanged)
	}
}

func TestTheNewAddressIsInUseBeforeTheOldOneIsGivenUp(t *testing.T) {
	g := rotated(t, 2)
	address, association := only(t, g, "network-sentry-1-address"), only(t, g, "network-sentry-1-address-association")
	if address.Protect || address.DeleteBeforeReplace || address.RetainOnDelete {
		t.Errorf("the address is protected (%v), deleted before the new one is made (%v) or kept and paid for (%v)", address.Protect,
			address.DeleteBeforeReplace, address.RetainOnDelete)
	}
	// A machine's interface has one elastic address.
	if !association.DeleteBeforeReplace || !slices.Contains(association.PropertyDependencies["allocationId"], address.URN) {
		t.Error("the association is not made anew for the new address, after the old one was taken away")
	}
	if other := only(t, g, "network-sentry-2-address"); !other.Protect {
		t.Error("the address of the other sentry is no longer protected")
	}
}

func TestAnExchangeWantsASpareAddress(t *testing.T) {
	s := newSmall()
	s.spec.Hosts[1].Generation = 1
	s.args.Settings.ElasticIPQuota = 4 // sentries, bastion, NAT gateway
	err := aws.New(s.args).Validate(s.spec)
	want := "icon:aws.elasticIPQuota: is 4, and as many elastic addresses are needed: that of sentry-1 could not be exchanged"
	if err == nil || !strings.Contains(err.Error(), want) {
		t.Errorf("error %v, wanted %s", err, want)
	}
	s.args.Settings.ElasticIPQuota = 5
	if err := aws.New(s.args).Validate(s.spec); err != nil {
		t.Errorf("with a spare address: %v", err)
	}
}
