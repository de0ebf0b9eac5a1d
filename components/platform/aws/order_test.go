package aws_test

import (
	"strings"
	"testing"

	"github.com/insight-icon/pulumi-icon/tests/graph"
)

// What AWS needs in order and the engine cannot see: each of these would fail, or run into a timeout, if it came first.
func TestWhatMustComeFirstDoes(t *testing.T) {
	graph.InBothModes(t, newSmall().program(nil), func(t *testing.T, g *graph.Graph) {
		t.Helper()
		for _, c := range []struct{ later, earlier string }{
			{"nat-a", "internet-gateway"},
			{"nat-a-address", "internet-gateway"},
			{"sentry-1-address-association", "routes-public-out"},
			{"flow-logs-vpc", "flow-logs-policy"},
			{"snapshots", "snapshots-policy"},
			// Steps: over the bastion, to a machine with its volume, its rules and its way out.
			{"prep-1-disk", "prep-1-data-attachment"},
			// A machine that was stopped for another volume is started again, after it is attached.
			{"prep-1-data-running", "prep-1-data-attachment"},
			{"prep-1-disk", "prep-1-data-running"},
			{"prep-1-disk", "routes-private-b-out"},
			{"prep-1-disk", "subnet-private-b-routes"},
			{"prep-1-disk", "subnet-private-b-acl"},
			{"prep-1-disk", "bastion-address-association"},
			{"prep-1-disk", "group-prep-in-tcp-22-bastion"},
			{"prep-1-disk", "group-prep-out-tcp-443-anywhere"},
			{"prep-1-disk", "group-bastion-in-tcp-22-203.0.113.0-24"},
			{"sentry-1-ready", "sentry-1-address-association"},
			{"sentry-1-ready", "routes-public-out"},
			{"sentry-1-ready", "bastion-address-association"},
			{"bastion-ready", "bastion-address-association"},
		} {
			if !g.Waits(one(t, g, c.later), one(t, g, c.earlier)) {
				t.Errorf("%s does not wait for %s", c.later, c.earlier)
			}
		}
	})
}

func TestStepsGoOverTheBastionWithPinnedKeysAndPatience(t *testing.T) {
	small := newSmall()
	g := small.record(t)
	bastion := input(one(t, g, "bastion-ready"), "connection").ObjectValue()
	address := bastion["host"].StringValue()
	if !strings.HasPrefix(address, "198.51.") || bastion["proxy"].V != nil {
		t.Errorf("the bastion is reached at %s through %v", address, bastion["proxy"])
	}
	keys := map[string]bool{bare(bastion["hostKey"]).StringValue(): true}
	for _, host := range []string{"prep-1", "sentry-1"} {
		c := input(one(t, g, host+"-ready"), "connection").ObjectValue()
		proxy := bare(c["proxy"]).ObjectValue()
		if !strings.HasPrefix(c["host"].StringValue(), "10.20.") || proxy["host"].V != address || proxy["hostKey"].V != bastion["hostKey"].V {
			t.Errorf("%s is reached at %v through %v", host, c["host"], proxy)
		}
		key := bare(c["hostKey"]).StringValue()
		if !strings.HasPrefix(key, "ssh-ed25519 ") || strings.HasSuffix(key, "\n") || keys[key] {
			t.Errorf("%s has the host key %q", host, key)
		}
		keys[key] = true
		if c["user"].V != "admin" || c["dialErrorLimit"].V != 60.0 || bare(c["privateKey"]).V != small.private {
			t.Errorf("%s: user %v, %v tries, or another key", host, c["user"].V, c["dialErrorLimit"].V)
		}
	}
	for _, r := range g.OfType(graph.CommandType) {
		if want := one(t, g, r.Host()+"-instance").URN; r.DeletedWith != want {
			t.Errorf("%s goes with %q", r.Name, r.DeletedWith)
		}
	}
}
