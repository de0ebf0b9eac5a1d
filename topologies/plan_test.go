package topologies

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"github.com/insight-icon/pulumi-icon/components"
	"github.com/insight-icon/pulumi-icon/components/platform"
	"github.com/insight-icon/pulumi-icon/hardening"
	"github.com/insight-icon/pulumi-icon/stacks"
	"github.com/insight-icon/pulumi-icon/tests/golden"
)

func TestPlansAreAsReviewed(t *testing.T) {
	for name, c := range stacksUnderTest(t) {
		t.Run(name, func(t *testing.T) { golden.Check(t, "plan-"+name+".txt", planOf(t, c).String()) })
	}
}

func TestAnUnknownTopologyIsRefusedByName(t *testing.T) {
	_, err := PlanOf(&stacks.Config{Topology: "ring"})
	const want = `icon:topology: "ring" is not known: choose one of citizens, sentry-fronted, single-node`
	if err == nil || err.Error() != want {
		t.Errorf("error %v, wanted %s", err, want)
	}
}

func TestAnUnknownPlatformIsRefusedByName(t *testing.T) {
	_, err := PlatformOf(&stacks.Config{Platform: "attic"})
	if err == nil || err.Error() != `icon:platform: "attic" is not known` {
		t.Errorf("error %v", err)
	}
}

// internet is any address outside the plan.
const internet = "the internet"

// world answers who reaches whom once every host has its firewall, which is made from the edges and nothing else.
type world struct {
	addresses map[string]string
	firewalls map[string]hardening.Firewall
}

func worldOf(t *testing.T, c *stacks.Config) world {
	t.Helper()
	p := planOf(t, c)
	w := world{addresses: map[string]string{internet: "8.8.8.8"}, firewalls: map[string]hardening.Firewall{}}
	for _, h := range p.Hosts {
		w.addresses[h.Name] = c.Hosts.Machines[h.Name].PrivateAddress
	}
	for _, h := range p.Hosts {
		w.firewalls[h.Name] = components.FirewallOf(h.Name, p.Edges, w.addresses)
		if _, err := w.firewalls[h.Name].Render(); err != nil {
			t.Fatalf("firewall of %s: %v", h.Name, err)
		}
	}
	return w
}

// leaves and enters ask the firewall of one side; reaches asks both. The internet has no firewall.
func (w world) leaves(from, to string, port int) bool {
	return from == internet || passes(w.firewalls[from].Out, w.addresses[to], port)
}

func (w world) enters(from, to string, port int) bool {
	return to == internet || passes(w.firewalls[to].In, w.addresses[from], port)
}

func (w world) reaches(from, to string, port int) bool {
	return w.leaves(from, to, port) && w.enters(from, to, port)
}

func passes(rules []hardening.Rule, peer string, port int) bool {
	for _, r := range rules {
		if r.Protocol != "tcp" || !slices.Contains(r.Ports, port) {
			continue
		}
		for _, n := range r.Networks {
			network, err := hardening.ParseNetwork(n)
			if err == nil && network.Contains(netip.MustParseAddr(peer)) {
				return true
			}
		}
	}
	return false
}

// open lists all that is open between the hosts and the internet, for all ports that any rule knows and some that none should.
func (w world) open() []string {
	ports := []int{22, 53, 80, 123, 443, 7100, 7101, 7200, 8080, 9000, 9001, 9480, 3142}
	var all []string
	for from := range w.addresses {
		for to := range w.addresses {
			for _, port := range ports {
				if from != to && w.reaches(from, to, port) {
					all = append(all, fmt.Sprintf("%s -> %s %d", from, to, port))
				}
			}
		}
	}
	slices.Sort(all)
	return all
}

func TestOnlyWhatIsReviewedIsReachable(t *testing.T) {
	for name, c := range stacksUnderTest(t) {
		t.Run(name, func(t *testing.T) {
			golden.Check(t, "reach-"+name+".txt", strings.Join(worldOf(t, c).open(), "\n")+"\n")
		})
	}
}

func TestBehindSentriesNobodyElseReachesThePRep(t *testing.T) {
	for name, c := range stacksUnderTest(t) {
		if c.Sentries == nil {
			continue
		}
		w := worldOf(t, c)
		for from := range w.addresses {
			isSentry := slices.Contains(c.Sentries.Hosts, from)
			for port := 1; port < 65536; port++ {
				if want := isSentry && port == 7100; from != "prep-1" && w.enters(from, "prep-1", port) != want {
					t.Errorf("%s: %s enters the P-Rep's port %d: %v", name, from, port, !want)
				}
			}
		}
	}
}

func TestASealedPRepConnectsToSentriesAndForMaintenanceOnly(t *testing.T) {
	c := sentryFrontedConfig("sentry-1", "sentry-2")
	c.Maintenance = stacks.Maintenance{To: []string{"10.3.0.0/24"}, Ports: []int{3142}}
	p := planOf(t, c)
	w := worldOf(t, c)
	for port := 1; port < 65536; port++ {
		if w.leaves("prep-1", internet, port) || w.leaves("prep-1", "citizen-1", port) {
			t.Errorf("the sealed P-Rep may connect out to port %d", port)
		}
		if got := w.leaves("prep-1", "sentry-1", port); got != (port == 7101 || port == 7102) {
			t.Errorf("the sealed P-Rep may connect to port %d of a sentry: %v", port, got)
		}
	}
	for _, e := range p.Edges {
		if slices.Contains(e.From.Hosts, "prep-1") && len(e.To.Networks) > 0 && !slices.Equal(e.To.Networks, []string{"10.3.0.0/24"}) {
			t.Errorf("the sealed P-Rep has an edge to %v (%s)", e.To.Networks, e.Why)
		}
	}
}

func TestCitizensAnswerTheAPIToSentriesAndNamedNetworksOnly(t *testing.T) {
	c := sentryFrontedConfig("sentry-1", "sentry-2")
	c.Citizens.APIFrom = []string{"192.0.2.0/24"}
	w := worldOf(t, c)
	w.addresses["a user of the operator"] = "192.0.2.7"
	for from, want := range map[string]bool{
		internet: false, "prep-1": false, "sentry-1": true, "sentry-2": true, "a user of the operator": true,
	} {
		if got := w.enters(from, "citizen-1", 9000); got != want {
			t.Errorf("%s enters the citizen's API: %v, wanted %v", from, got, want)
		}
	}
}

func TestWithoutPublishedAPITheSentriesAreSilentOn9000(t *testing.T) {
	c := sentryFrontedConfig("sentry-1", "sentry-2")
	off := false
	c.Sentries.API = &off
	w, p := worldOf(t, c), planOf(t, c)
	if w.enters(internet, "sentry-1", 9000) {
		t.Error("port 9000 is open although the API is not published")
	}
	if !w.reaches("sentry-1", "citizen-1", 9000) {
		t.Error("a sentry can't ask the citizen for the peers that it knows")
	}
	c.Sentries.Peers.Mode = "off"
	if w := worldOf(t, c); w.leaves("sentry-1", "citizen-1", 9000) || w.enters("sentry-1", "citizen-1", 9000) {
		t.Error("the citizen's API is open to sentries that have nothing to ask")
	}
	if len(p.Sentries.Citizens) != 0 {
		t.Errorf("the sentries publish %v", p.Sentries.Citizens)
	}
	for _, h := range p.Hosts {
		if h.Role == platform.Sentry && slices.Contains(h.Ports, 9000) {
			t.Errorf("%s is said to listen on 9000", h.Name)
		}
	}
}

func TestEdgesNameOnlyHostsOfThePlanAndDocumentThemselves(t *testing.T) {
	for name, c := range stacksUnderTest(t) {
		p := planOf(t, c)
		for _, e := range p.Edges {
			for _, h := range slices.Concat(e.From.Hosts, e.To.Hosts) {
				if !slices.ContainsFunc(p.Hosts, func(s platform.HostSpec) bool { return s.Name == h }) {
					t.Errorf("%s: edge %q names %s, which is not in the plan", name, e.Why, h)
				}
			}
			if e.Why == "" || len(e.Ports) == 0 || (e.Protocol != "tcp" && e.Protocol != "udp") {
				t.Errorf("%s: incomplete edge %+v", name, e)
			}
			if len(e.From.Hosts) > 0 && len(e.From.Networks) > 0 || len(e.To.Hosts) > 0 && len(e.To.Networks) > 0 {
				t.Errorf("%s: a party of edge %q is both hosts and networks", name, e.Why)
			}
		}
	}
}

func TestBastionsAreAdministrators(t *testing.T) {
	c := stacksUnderTest(t)["sentry-fronted-bastion-sudo"]
	c.Hosts.Bastion.PrivateAddress = "10.2.0.250"
	m := c.Hosts.Machines["sentry-1"]
	m.Bastion = &stacks.Bastion{Address: "203.0.113.9", HostKey: hostKey("another bastion")}
	c.Hosts.Machines["sentry-1"] = m
	c.Administrators = []string{"203.0.113.0/24", "10.2.0.250/32", "192.0.2.0/24"}
	want := []string{"10.2.0.250/32", "192.0.2.0/24", "203.0.113.0/24", "203.0.113.9/32"}
	if got := planOf(t, c).Administrators; !slices.Equal(got, want) {
		t.Errorf("administrators %v, wanted %v", got, want)
	}
}

func TestAPlansOrderDoesNotDependOnTheConfigurationsOrder(t *testing.T) {
	a, b := sentryFrontedConfig("sentry-1", "sentry-2", "sentry-3"), sentryFrontedConfig("sentry-1", "sentry-2", "sentry-3")
	slices.Reverse(b.Sentries.Hosts)
	if planOf(t, a).String() != planOf(t, b).String() {
		t.Error("the plan changes with the order of sentries.hosts, and with it who waits for whom")
	}
}
