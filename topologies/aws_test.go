package topologies

import (
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"github.com/insight-icon/pulumi-icon/components/platform/aws/front"
	"github.com/insight-icon/pulumi-icon/stacks"
	"github.com/insight-icon/pulumi-icon/tests/graph"
	"github.com/insight-icon/pulumi-icon/tests/policy"
	"github.com/insight-icon/pulumi-icon/tests/reach"
)

// Parts of stack files. What is in "<>" is put in its place by parsed.
const (
	mainnet = `
  icon:network: {profile: mainnet, seeds: ["seed-ctz.solidwallet.io:7100", "validator.example.net:7100"]}
  icon:node: {container: {image: "docker.io/iconloop/icon2-node@sha256:` +
		`0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"}}`
	ownNetwork = `
  icon:network: {profile: custom, name: lab, cid: "0x1ecbb6", nid: "0x1ecbb6", genesis: "<dir>/genesis.zip", seeds: ["198.51.100.9:7200"]}`
	armBinary = ownNetwork + `
  icon:node: {runtime: binary, binary: {path: "<dir>/goloop"}, arch: arm64}`
	ownImage = ownNetwork + `
  icon:node:
    arch: arm64
    container:
      image: "registry.example.org/icon/goloop@sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
      engine: docker
      configURL: https://config.example.org/node_info`

	alone    = "\n  icon:topology: single-node\n  icon:prep: {host: prep-1}"
	fronted  = "\n  icon:topology: sentry-fronted\n  icon:prep: {host: prep-1}"
	sentries = "\n  icon:sentries: {hosts: [sentry-1, sentry-2], announce: \"prep.example.org:7100\"}"
	acme     = "tls: {names: [api.example.org], acme: {}}"
	citizen  = "\n  icon:citizens: {hosts: [citizen-1]}"
	archive  = "\n  icon:topology: citizens\n  icon:citizens: {hosts: [citizen-1, citizen-2]}"

	inOneZone  = "\n  icon:aws:\n    region: eu-central-1\n    zones: [eu-central-1b]\n    administratorKeys: [<key>]"
	inTwoZones = "\n  icon:aws:\n    region: eu-central-1\n    zones: [eu-central-1a, eu-central-1b]\n    administratorKeys: [<key>]"
	machinesAB = "\n    machines: {prep-1: {zone: eu-central-1a}, sentry-1: {zone: eu-central-1a}, sentry-2: {zone: eu-central-1b}, " +
		"bastion: {zone: eu-central-1b}}"
	machinesABC = "\n    machines: {prep-1: {zone: eu-central-1a}, sentry-1: {zone: eu-central-1a}, sentry-2: {zone: eu-central-1b}, " +
		"citizen-1: {zone: eu-central-1b}, bastion: {zone: eu-central-1b}}"
	citizensAB = "\n    machines: {citizen-1: {zone: eu-central-1a}, citizen-2: {zone: eu-central-1b}, bastion: {zone: eu-central-1a}}"
	zone       = "hostedZone: Z0123456789EXAMPLE00"
	api        = "\n    api: {name: api.example.org, " + zone + "}"
	anARN      = "arn:aws:acm:eu-central-1:123456789012:certificate/01234567-89ab-cdef-0123-456789abcdef"
	existing   = "\n    vpc:\n      cidr: 10.9.0.0/16\n      existing:\n        id: vpc-0123456789abcdef0\n" +
		"        public: {eu-central-1a: subnet-000000000000000a1, eu-central-1b: subnet-000000000000000b1}\n" +
		"        private: {eu-central-1a: subnet-000000000000000a2, eu-central-1b: subnet-000000000000000b2}"
	balancers = "\n        balancer: {eu-central-1a: subnet-000000000000000a3, eu-central-1b: subnet-000000000000000b3}\n" +
		"        balancerCIDRs: [10.9.3.0/27, 10.9.3.32/27]"
)

// awsStack is one of the configurations that AWS stacks may have.
type awsStack struct {
	text string
	// breaks are the policies that it does not keep by its operator's choice, as "rule resource".
	breaks []string
	// made are names of resources that it has, missing of those that it must not have.
	made, missing []string
	// elsewhere says that reachability can't be told: the network is not in the graph.
	elsewhere bool
}

const (
	apiBySentries    = "ICON.7 network-group-sentry-in-tcp-9000-anywhere"
	apiInTheClear    = "EC2.18 network-group-sentry-in-tcp-9000-anywhere"
	apiInTheClearNLB = "EC2.18 network-group-nlb-in-tcp-9000-anywhere"
)

var (
	publicPRep = []string{"EC2.9 network-prep-1-instance", "ICON.14 network-prep-1-instance"}
	sentryAPI  = []string{apiBySentries, apiInTheClear}
)

func awsStacks() map[string]awsStack {
	return map[string]awsStack{
		"single node, arm64 binary, one zone": {
			text: alone + armBinary + inOneZone, breaks: publicPRep, made: []string{"network-prep-1-address"}, missing: []string{"network-nat-b"},
		},
		"single node, docker, own image of an architecture": {text: alone + ownImage + inOneZone, breaks: publicPRep},
		"single node and a citizen in another zone": {
			text: alone + mainnet + citizen + inTwoZones + "\n    machines: {prep-1: {zone: eu-central-1b, dataGB: 3000, dataIOPS: 16000, " +
				"dataThroughput: 1000}, citizen-1: {zone: eu-central-1a}, bastion: {zone: eu-central-1a, instanceType: t3.micro}}",
			breaks: publicPRep, made: []string{"network-nat-a"}, missing: []string{"network-nat-b"},
		},
		"single node, keys of an agent": {text: alone + "\n  icon:sshAgent: true" + mainnet + inOneZone, breaks: publicPRep},
		"single node with a name of its own": {
			text: strings.Replace(alone, "prep-1}", "prep-1, announce: \"prep.example.org:7100\"}", 1) + mainnet + inOneZone, breaks: publicPRep,
		},
		"dns without a hosted zone": {
			text: fronted + mainnet + sentries + inTwoZones + machinesAB, made: []string{"network-sentry-1-address"},
			missing: []string{"front-sentry-1-check", "front-alb"},
		},
		"dns announced as an address": {
			text: fronted + mainnet + strings.Replace(sentries, "prep.example.org", "198.51.100.7", 1) + inTwoZones + machinesAB,
		},
		"dns under shield, and the API by sentries": {
			text:   fronted + mainnet + sentries + citizen + inTwoZones + machinesABC + "\n    front: {shieldAdvanced: true, " + zone + "}",
			breaks: sentryAPI, made: []string{"front-shield-sentry-1", "front-shield-Z0123456789EXAMPLE00", "front-sentry-2-record"},
		},
		"routed, by a NAT gateway in each zone": {
			text: strings.Replace(fronted, "prep-1}", "prep-1, egress: routed}", 1) + mainnet + sentries + citizen + inTwoZones + machinesABC +
				"\n    vpc: {nat: per-zone}\n    elasticIPQuota: 5",
			breaks: sentryAPI, made: []string{"network-nat-a", "network-nat-b"},
		},
		"nlb": {
			text:    fronted + armBinary + sentries + inTwoZones + machinesAB + "\n    front: {kind: nlb, " + zone + "}",
			made:    []string{"front-nlb-7100-sentry-2", "front-nlb-record", "network-nat-a"},
			missing: []string{"front-nlb-9000", "network-sentry-1-address"},
			breaks:  []string{"S3.17 front-nlb-logs-encryption"},
		},
		"nlb without a hosted zone, sentries publish no API": {
			text: fronted + mainnet + strings.Replace(sentries, "announce", "api: false, announce", 1) + citizen + inTwoZones + machinesABC +
				"\n    front: {kind: nlb, shieldAdvanced: true}",
			made: []string{"front-shield-nlb-eu-central-1a"}, missing: []string{"front-nlb-9000", "front-nlb-record"},
			breaks: []string{"S3.17 front-nlb-logs-encryption"},
		},
		"nlb with the sentries' API": {
			text: fronted + mainnet + strings.Replace(sentries, "announce", "api: true, announce", 1) + citizen + inTwoZones + machinesABC +
				"\n    front: {kind: nlb}",
			made:   []string{"front-nlb-9000-sentry-1"},
			breaks: []string{"S3.17 front-nlb-logs-encryption", "ELB.18 front-nlb-9000-listener", apiInTheClearNLB},
		},
		"dns with the sentries' API encrypted, one drains and one gets another address": {
			text: fronted + mainnet + strings.Replace(sentries, "announce", acme+", draining: [sentry-2], rotate: {sentry-1: 2}, announce", 1) +
				citizen + inTwoZones + machinesABC + "\n    front: {" + zone + "}",
			made:    []string{"network-group-sentry-in-tcp-9480-sentry", "front-sentry-1-record", "network-sentry-2-address"},
			missing: []string{"front-sentry-2-record", "front-sentry-2-check", "network-group-sentry-in-tcp-9000-anywhere"},
			// The certificate authority asks on port 80, and an address that is exchanged can't be protected.
			breaks: []string{"EC2.18 network-group-sentry-in-tcp-80-anywhere", "ICON.19 network-sentry-1-address"},
		},
		"nlb with the sentries' API encrypted, one drains": {
			text: fronted + mainnet + strings.Replace(sentries, "announce", acme+", draining: [sentry-2], announce", 1) + citizen + inTwoZones +
				machinesABC + "\n    front: {kind: nlb}",
			made:    []string{"front-nlb-443-sentry-1", "front-nlb-80-sentry-1", "front-nlb-7100-sentry-1"},
			missing: []string{"front-nlb-443-sentry-2", "front-nlb-7100-sentry-2", "front-nlb-9000"},
			breaks:  []string{"S3.17 front-nlb-logs-encryption", "ELB.18 front-nlb-443-listener", "ELB.18 front-nlb-80-listener"},
		},
		"nlb and api with a certificate": {
			text: fronted + mainnet + sentries + citizen + inTwoZones + machinesABC +
				"\n    front: {kind: nlb, shieldAdvanced: true, " + zone + "}" +
				"\n    api: {name: api.example.org, certificate: \"" + anARN + "\", requestsPerSource: 10}",
			made: []string{"front-waf", "front-shield-alb"}, missing: []string{"front-alb-record", "front-certificate", "front-nlb-9000"},
			breaks: []string{"S3.17 front-nlb-logs-encryption"},
		},
		"dns and api without a web firewall": {
			text: fronted + mainnet + sentries + citizen + inTwoZones + machinesABC +
				"\n    api: {name: api.example.org, withoutWAF: true, " + zone + "}",
			made: []string{"front-alb-record"}, missing: []string{"front-waf"}, breaks: []string{"ELB.16 front-alb"},
		},
		"citizens for named networks": {
			text: strings.Replace(archive, "citizen-2]", "citizen-2], apiFrom: [192.0.2.0/24, 10.8.0.0/16]", 1) + mainnet + inTwoZones + citizensAB,
			made: []string{"network-group-citizen-in-tcp-9000-192.0.2.0-24"}, missing: []string{"network-subnet-balancer-a", "front"},
		},
		"citizens' api in the narrowest network for it": {
			text: archive + mainnet + inTwoZones + citizensAB + "\n    vpc: {cidr: 192.168.248.0/21, peers: [10.0.0.0/8]}" + api,
			made: []string{"front-alb", "network-subnet-balancer-a"},
		},
		"a restored citizen, all that a machine can have": {
			text: archive + mainnet + inTwoZones + "\n    machines: {citizen-1: {zone: eu-central-1a, instanceType: r7i.4xlarge, " +
				"image: ami-0fedcba9876543210, rootGB: 100, dataGB: 65536, dataIOPS: 80000, dataThroughput: 1000, " +
				"restoreFrom: snap-0123456789abcdef0}, citizen-2: {zone: eu-central-1b}, bastion: {zone: eu-central-1a}}",
		},
		"unprotected, without snapshots, wiped, own key": {
			text: archive + strings.Replace(mainnet, "icon:node: {", "icon:node: {onDestroy: wipe, ", 1) + inTwoZones + citizensAB + api +
				"\n    protect: false\n    snapshots: {off: true}\n    logDays: 400\n    tags: {Cost Centre: nodes}\n" +
				"    kmsKey: arn:aws:kms:eu-central-1:123456789012:key/01234567-89ab-cdef-0123-456789abcdef",
			missing: []string{"network-key", "network-snapshots"},
			breaks: []string{
				"EC2.28 network-citizen-*-data", "ELB.6 front-alb", "ICON.19 network-citizen-*-data",
				"ICON.19 network-*-address", "ICON.19 front-alb-logs", "ICON.20 network-citizen-*-data",
			},
		},
		"existing VPC, dns": {
			text:    fronted + mainnet + sentries + inTwoZones + machinesAB + existing,
			missing: []string{"network-vpc", "network-nat-a"}, elsewhere: true,
		},
		"existing VPC, nlb and api": {
			text: fronted + mainnet + sentries + citizen + inTwoZones + machinesABC + existing + balancers + "\n    front: {kind: nlb}" + api,
			made: []string{"front-nlb", "front-alb"}, missing: []string{"network-vpc"}, elsewhere: true,
			breaks: []string{"S3.17 front-nlb-logs-encryption"},
		},
		"six zones": {
			text: archive + mainnet + "\n  icon:aws:\n    region: us-east-1\n" +
				"    zones: [us-east-1f, us-east-1e, us-east-1d, us-east-1c, us-east-1b, us-east-1a]\n    administratorKeys: [<key>]\n" +
				"    machines: {citizen-1: {zone: us-east-1a}, citizen-2: {zone: us-east-1b}, bastion: {zone: us-east-1f}}" + api,
			made: []string{"network-subnet-private-f", "network-nat-f"}, missing: []string{"network-nat-a"},
		},
		"upkeep through a proxy": {
			text: archive + "\n  icon:maintenance: {to: [192.0.2.0/25, 192.0.2.128/25], ports: [443, 3128]}" + mainnet + inTwoZones + citizensAB,
		},
	}
}

// parsed reads the text of a stack file as `make plan` does, and puts files and keys in their places.
func parsed(tb testing.TB, text string) *stacks.Config {
	tb.Helper()
	dir := tb.TempDir()
	write(tb, filepath.Join(dir, "goloop"), "an executable")
	write(tb, filepath.Join(dir, "genesis.zip"), "PK\x03\x04 a genesis \x00\xff")
	text = "config:\n  icon:platform: aws\n  icon:administrators: [203.0.113.0/24]" +
		strings.NewReplacer("<dir>", dir, "<key>", publicKey(tb)).Replace(text) + "\n"
	var secrets stacks.Secrets
	if !strings.Contains(text, "icon:sshAgent: true") {
		secrets.SSHPrivateKey = pulumi.ToSecret(pulumi.StringPtr(testKey(tb))).(pulumi.StringPtrOutput)
	}
	c, err := stacks.Parse([]byte(text), secrets)
	if err != nil {
		tb.Fatalf("%v\nof\n%s", err, text)
	}
	return c
}

func TestWhatIsValidOnAWSCanBeMadeAndKeepsThePolicies(t *testing.T) {
	for name, s := range awsStacks() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var exceptions []policy.Exception
			for _, b := range s.breaks {
				rule, resource, _ := strings.Cut(b, " ")
				exceptions = append(exceptions, policy.Exception{Rule: rule, Resource: resource, Reason: "the operator's choice"})
			}
			graph.InBothModes(t, awsProgram(t, parsed(t, s.text)), func(t *testing.T, g *graph.Graph) {
				t.Helper()
				graph.UniqueURNs(t, g)
				graph.EveryChildBelow(t, g, append(componentTypes, front.Type)...)
				graph.ProvidersGiven(t, g)
				graph.SecretsMarked(t, g, testKey(t))
				graph.OneAtATime(t, g)
				policy.Holds(t, g, policy.AWS(), exceptions...)
				names := map[string]bool{}
				for _, r := range g.Resources {
					names[r.Name] = true
				}
				for _, want := range s.made {
					if !names[want] {
						t.Errorf("there is no %s", want)
					}
				}
				for _, want := range s.missing {
					if names[want] {
						t.Errorf("there is a %s", want)
					}
				}
			})
		})
	}
}

// Nobody but the administrators reaches SSH, and nobody outside reaches a citizen or a P-Rep behind sentries at all, whatever the stack.
func TestNoStackOnAWSLeadsTheInternetFurtherThanItSays(t *testing.T) {
	for name, s := range awsStacks() {
		if s.elsewhere {
			continue
		}
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := parsed(t, s.text)
			r, err := reach.Analyse(graph.Record(t, graph.Options{}, awsProgram(t, c)))
			if err != nil {
				t.Fatal(err)
			}
			got := map[string]bool{}
			for _, conn := range r.Connections() {
				if strings.HasPrefix(conn.From, "internet") {
					got[strings.TrimSpace(fmt.Sprintf("%s %s %v %s", conn.To, conn.Protocol, conn.Ports, conn.Condition))] = true
				}
			}
			want := fromTheInternet(c)
			if got := slices.Sorted(maps.Keys(got)); !slices.Equal(got, want) {
				t.Errorf("the internet reaches %v\nwanted %v", got, want)
			}
		})
	}
}

// fromTheInternet is what a stack says that the internet reaches.
func fromTheInternet(c *stacks.Config) []string {
	var all []string
	if c.Topology == stacks.TopologySingleNode {
		all = append(all, "prep-1 tcp 7100")
	}
	if c.Sentries != nil {
		ports := []string{"7100"}
		switch {
		case c.Sentries.TLS != nil:
			ports = append(ports, "443", "80")
		case *c.Sentries.API:
			ports = append(ports, "9000")
		}
		for _, port := range ports {
			through, hosts := "", c.Sentries.Hosts
			if c.AWS.Front.Kind == "nlb" {
				all, through = append(all, "front-nlb tcp "+port), " through front-nlb "+port
				hosts = slices.DeleteFunc(slices.Clone(hosts), func(h string) bool { return slices.Contains(c.Sentries.Draining, h) })
			}
			for _, host := range hosts {
				all = append(all, host+" tcp "+port+through)
			}
		}
	}
	if c.AWS.API != nil {
		all = append(all, "front-alb tcp 443")
	}
	return sorted(all)
}
