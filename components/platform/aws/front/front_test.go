package front_test

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/ec2"
	"github.com/pulumi/pulumi/sdk/v3/go/common/resource"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"github.com/insight-icon/pulumi-icon/components/platform/aws/front"
	"github.com/insight-icon/pulumi-icon/internal/awsplan"
	"github.com/insight-icon/pulumi-icon/tests/golden"
	"github.com/insight-icon/pulumi-icon/tests/graph"
)

var (
	dnsParts = []string{"front-sentry-1-check", "front-sentry-1-record", "front-sentry-2-check", "front-sentry-2-record"}
	nlbParts = []string{
		"front-nlb", "front-nlb-eu-central-1a-address", "front-nlb-eu-central-1b-address", "front-nlb-record",
		"front-nlb-7100", "front-nlb-7100-listener", "front-nlb-7100-sentry-1", "front-nlb-7100-sentry-2",
		"front-nlb-logs", "front-nlb-logs-private", "front-nlb-logs-encryption", "front-nlb-logs-owner", "front-nlb-logs-versions",
		"front-nlb-logs-expiry", "front-nlb-logs-policy",
	}
	nlbAPIParts = []string{
		"front-nlb-9000", "front-nlb-9000-listener", "front-nlb-9000-sentry-1", "front-nlb-9000-sentry-2",
	}
	certificateParts = []string{"front-certificate", "front-certificate-record", "front-certificate-valid"}
	albParts         = []string{
		"front-alb", "front-alb-https", "front-alb-api", "front-alb-9000", "front-alb-9000-citizen-1", "front-alb-9000-citizen-2",
		"front-alb-logs", "front-alb-logs-private", "front-alb-logs-encryption", "front-alb-logs-owner", "front-alb-logs-versions",
		"front-alb-logs-expiry", "front-alb-logs-policy",
	}
	wafParts = []string{"front-waf", "front-waf-alb", "front-waf-log", "front-waf-logging"}
)

// cases are the fronts that a stack can have, with the exact list of their resources and of the ports that they listen on.
var cases = []struct {
	name     string
	settings func() awsplan.Settings
	change   func(*front.Args)
	parts    []string
	ports    []string
}{
	{name: "none", settings: func() awsplan.Settings { return settings("") }},
	{name: "dns", settings: func() awsplan.Settings { return settings("dns") }, parts: dnsParts},
	{name: "dns without a hosted zone", settings: func() awsplan.Settings {
		s := settings("dns")
		s.Front.HostedZone = ""
		return s
	}},
	{
		name: "dns where sentries publish the API", settings: func() awsplan.Settings { return settings("dns") },
		change: func(a *front.Args) { a.APIPorts = []int{9000} }, parts: dnsParts,
	},
	{name: "nlb", settings: func() awsplan.Settings { return settings("nlb") }, parts: nlbParts, ports: []string{"front-nlb TCP 7100"}},
	{
		name: "nlb without a hosted zone", settings: func() awsplan.Settings {
			s := settings("nlb")
			s.Front.HostedZone = ""
			return s
		},
		parts: slices.DeleteFunc(slices.Clone(nlbParts), func(n string) bool { return n == "front-nlb-record" }),
		ports: []string{"front-nlb TCP 7100"},
	},
	{
		name: "nlb where sentries publish the API", settings: func() awsplan.Settings { return settings("nlb") },
		change: func(a *front.Args) { a.APIPorts = []int{9000} }, parts: slices.Concat(nlbParts, nlbAPIParts),
		ports: []string{"front-nlb TCP 7100", "front-nlb TCP 9000"},
	},
	{
		name: "nlb where sentries publish the API with TLS", settings: func() awsplan.Settings { return settings("nlb") },
		change: func(a *front.Args) { a.APIPorts = []int{80, 443} },
		parts: slices.Concat(nlbParts, []string{
			"front-nlb-80", "front-nlb-80-listener", "front-nlb-80-sentry-1", "front-nlb-80-sentry-2",
			"front-nlb-443", "front-nlb-443-listener", "front-nlb-443-sentry-1", "front-nlb-443-sentry-2",
		}),
		ports: []string{"front-nlb TCP 7100", "front-nlb TCP 443", "front-nlb TCP 80"},
	},
	{
		name: "dns without a sentry that drains", settings: func() awsplan.Settings { return settings("dns") },
		change: func(a *front.Args) { a.Draining = []string{"sentry-1"} }, parts: []string{"front-sentry-2-check", "front-sentry-2-record"},
	},
	{
		name: "nlb without a sentry that drains", settings: func() awsplan.Settings { return settings("nlb") },
		change: func(a *front.Args) { a.Draining = []string{"sentry-2"} },
		parts:  slices.DeleteFunc(slices.Clone(nlbParts), func(n string) bool { return n == "front-nlb-7100-sentry-2" }),
		ports:  []string{"front-nlb TCP 7100"},
	},
	{
		name: "api", settings: func() awsplan.Settings { return withAPI(settings("")) },
		parts: slices.Concat(albParts, certificateParts, wafParts, []string{"front-alb-record"}),
		ports: []string{"front-alb HTTPS 443"},
	},
	{
		name: "api with a certificate and no hosted zone", settings: func() awsplan.Settings {
			s := withAPI(settings(""))
			s.API.HostedZone, s.API.Certificate = "", "arn:aws:acm:eu-central-1:123456789012:certificate/c"
			return s
		},
		parts: slices.Concat(albParts, wafParts), ports: []string{"front-alb HTTPS 443"},
	},
	{
		name: "nlb and api without waf", settings: func() awsplan.Settings {
			s := withAPI(settings("nlb"))
			s.API.WithoutWAF = true
			return s
		},
		parts: slices.Concat(nlbParts, albParts, certificateParts, []string{"front-alb-record"}),
		ports: []string{"front-nlb TCP 7100", "front-alb HTTPS 443"},
	},
	{
		name: "dns and api under shield", settings: func() awsplan.Settings {
			s := withAPI(settings("dns"))
			s.Front.ShieldAdvanced = true
			return s
		},
		parts: slices.Concat(dnsParts, albParts, certificateParts, wafParts, []string{
			"front-alb-record", "front-shield-sentry-1", "front-shield-sentry-2", "front-shield-alb", "front-shield-ZSENTRIES", "front-shield-ZAPI",
		}),
		ports: []string{"front-alb HTTPS 443"},
	},
	{
		name: "nlb and api of one zone under shield", settings: func() awsplan.Settings {
			s := withAPI(settings("nlb"))
			s.Front.ShieldAdvanced, s.API.HostedZone = true, s.Front.HostedZone
			return s
		},
		parts: slices.Concat(nlbParts, albParts, certificateParts, wafParts, []string{
			"front-alb-record", "front-shield-nlb-eu-central-1a", "front-shield-nlb-eu-central-1b", "front-shield-alb", "front-shield-ZSENTRIES",
		}),
		ports: []string{"front-nlb TCP 7100", "front-alb HTTPS 443"},
	},
}

func TestAFrontIsTheseResourcesAndListensOnThesePorts(t *testing.T) {
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			graph.InBothModes(t, program(c.settings(), c.change, nil), func(t *testing.T, g *graph.Graph) {
				t.Helper()
				same(t, "resources", names(below(g)), c.parts)
				graph.UniqueURNs(t, g)
				graph.ProvidersGiven(t, g)
				var ports []string
				for _, l := range g.OfType("aws:lb/listener:Listener") {
					balancer := ""
					for _, d := range l.Dependencies {
						if r := g.Get(d); r.Type == "aws:lb/loadBalancer:LoadBalancer" {
							balancer = r.Name
						}
					}
					ports = append(ports, fmt.Sprintf("%s %s %v", balancer, l.Inputs["protocol"].StringValue(), l.Inputs["port"].NumberValue()))
				}
				same(t, "listeners", ports, c.ports)
			})
		})
	}
}

// untagged are the types that AWS gives no tags.
var untagged = []string{
	"aws:route53/record:Record", "aws:acm/certificateValidation:CertificateValidation", "aws:lb/targetGroupAttachment:TargetGroupAttachment",
	"aws:wafv2/webAclAssociation:WebAclAssociation", "aws:wafv2/webAclLoggingConfiguration:WebAclLoggingConfiguration",
	"aws:s3/bucketPublicAccessBlock:BucketPublicAccessBlock", "aws:s3/bucketOwnershipControls:BucketOwnershipControls",
	"aws:s3/bucketServerSideEncryptionConfigurationV2:BucketServerSideEncryptionConfigurationV2",
	"aws:s3/bucketVersioningV2:BucketVersioningV2", "aws:s3/bucketPolicy:BucketPolicy",
	"aws:s3/bucketLifecycleConfigurationV2:BucketLifecycleConfigurationV2",
}

func TestEverythingThatTakesTagsHasThemAndItsOwnName(t *testing.T) {
	for _, c := range cases {
		for _, r := range below(graph.Record(t, graph.Options{}, program(c.settings(), c.change, nil))) {
			if slices.Contains(untagged, r.Type) {
				continue
			}
			tags := r.Inputs["tags"]
			if !tags.IsObject() || tags.ObjectValue()["Name"].V != r.Name || tags.ObjectValue()["Project"].V != "icon" {
				t.Errorf("%s: %s has the tags %v", c.name, r.Name, tags)
			}
		}
	}
}

func TestProtectKeepsWhatCannotBeMadeAgain(t *testing.T) {
	kept := []string{
		"front-nlb", "front-nlb-eu-central-1a-address", "front-nlb-eu-central-1b-address", "front-alb",
		"front-nlb-logs", "front-alb-logs",
	}
	for _, protect := range []bool{true, false} {
		s := withAPI(settings("nlb"))
		s.Protect = &protect
		g := graph.Record(t, graph.Options{}, program(s, nil, nil))
		var got []string
		for _, r := range below(g) {
			if r.Protect {
				got = append(got, r.Name)
			}
		}
		want := kept
		if !protect {
			want = nil
		}
		same(t, fmt.Sprintf("protected with protect %v", protect), got, want)
		for _, balancer := range g.OfType("aws:lb/loadBalancer:LoadBalancer") {
			if balancer.Inputs["enableDeletionProtection"].BoolValue() != protect {
				t.Errorf("protect %v: deletion protection of %s is not", protect, balancer.Name)
			}
		}
		for _, bucket := range g.OfType("aws:s3/bucketV2:BucketV2") {
			if bucket.Inputs["forceDestroy"].BoolValue() == protect {
				t.Errorf("protect %v: %s can be deleted with its logs: %v", protect, bucket.Name, !protect)
			}
		}
	}
}

func TestOnlyTheAPIOfItsOwnNameIsForwarded(t *testing.T) {
	graph.InBothModes(t, program(withAPI(settings("dns")), nil, nil), func(t *testing.T, g *graph.Graph) {
		t.Helper()
		listener := g.Named("front-alb-https")[0].Inputs["defaultActions"].ArrayValue()
		if len(listener) != 1 || listener[0].ObjectValue()["type"].V != "fixed-response" ||
			listener[0].ObjectValue()["fixedResponse"].ObjectValue()["statusCode"].V != "404" {
			t.Errorf("what no rule names is answered by %v", listener)
		}
		rules := g.OfType("aws:lb/listenerRule:ListenerRule")
		if len(rules) != 1 {
			t.Fatalf("%d rules", len(rules))
		}
		conditions := fmt.Sprint(rules[0].Inputs["conditions"].Mappable())
		const want = "[map[hostHeader:map[values:[api.example.org]]] map[pathPattern:map[values:[/api/v3 /api/v3/*]]]]"
		if conditions != want {
			t.Errorf("conditions %s, wanted %s", conditions, want)
		}
		if actions := rules[0].Inputs["actions"].ArrayValue(); len(actions) != 1 || actions[0].ObjectValue()["type"].V != "forward" {
			t.Errorf("actions %v", actions)
		}
	})
}

func TestBucketsOfLogsArePrivateEncryptedAndOnlyForTLS(t *testing.T) {
	g := graph.Record(t, graph.Options{}, program(withAPI(settings("nlb")), nil, nil))
	const (
		root     = "arn:aws:s3:eu-central-1:123456789012:front-%[1]s-logs"
		noTLS    = "Deny * s3:* [" + root + " " + root + "/*] map[Bool:map[aws:SecureTransport:false]]"
		byS3     = "map[applyServerSideEncryptionByDefault:map[sseAlgorithm:AES256] bucketKeyEnabled:false]"
		delivery = "Allow map[Service:delivery.logs.amazonaws.com] "
		source   = "map[ArnLike:map[aws:SourceArn:arn:aws:logs:eu-central-1:123456789012:*] StringEquals:map[aws:SourceAccount:123456789012"
	)
	for balancer, want := range map[string][]string{
		"alb": {
			noTLS, "Allow map[Service:logdelivery.elasticloadbalancing.amazonaws.com] s3:PutObject " + root + "/AWSLogs/123456789012/* map[]",
		},
		"nlb": {
			noTLS, delivery + "s3:GetBucketAcl " + root + " " + source + "]]",
			delivery + "s3:PutObject " + root + "/AWSLogs/123456789012/* " + source + " s3:x-amz-acl:bucket-owner-full-control]]",
		},
	} {
		bucket := "front-" + balancer + "-logs"
		for _, block := range []string{"blockPublicAcls", "blockPublicPolicy", "ignorePublicAcls", "restrictPublicBuckets"} {
			if !g.Named(bucket + "-private")[0].Inputs[resource.PropertyKey(block)].BoolValue() {
				t.Errorf("%s: %s is off", bucket, block)
			}
		}
		if rules := fmt.Sprint(g.Named(bucket + "-encryption")[0].Inputs["rules"].Mappable()); rules != "["+byS3+"]" {
			t.Errorf("%s: encryption %s", bucket, rules)
		}
		if rules := fmt.Sprint(g.Named(bucket + "-expiry")[0].Inputs["rules"].Mappable()); !strings.Contains(rules, "expiration:map[days:365]") {
			t.Errorf("%s: expiry %s", bucket, rules)
		}
		var policy struct {
			Statement []struct {
				Effect, Action      string
				Principal, Resource any
				Condition           map[string]any
			}
		}
		if err := json.Unmarshal([]byte(g.Named(bucket + "-policy")[0].Inputs["policy"].StringValue()), &policy); err != nil {
			t.Fatal(err)
		}
		var got, wanted []string
		for _, s := range policy.Statement {
			got = append(got, fmt.Sprint(s.Effect, " ", s.Principal, " ", s.Action, " ", s.Resource, " ", s.Condition))
		}
		for _, w := range want {
			wanted = append(wanted, fmt.Sprintf(w, balancer))
		}
		same(t, bucket+": policy", got, wanted)
	}
}

func TestLoadBalancersWaitForTheInternetGatewayAndTheRightToLog(t *testing.T) {
	g := graph.Record(t, graph.Options{}, program(withAPI(settings("nlb")), nil, nil))
	for balancer, others := range map[string][]string{
		"front-nlb": {"net-out", "front-nlb-logs-policy"}, "front-alb": {"net-out", "front-alb-logs-policy"},
	} {
		for _, other := range others {
			if !g.Waits(g.Named(balancer)[0], g.Named(other)[0]) {
				t.Errorf("%s does not wait for %s", balancer, other)
			}
		}
	}
}

func TestTheFirewallLimitsEachSourceAndCountsWhatJSONRPCTrips(t *testing.T) {
	s := withAPI(settings(""))
	s.API.RequestsPerSource = 77
	g := graph.Record(t, graph.Options{}, program(s, nil, nil))
	rules := g.Named("front-waf")[0].Inputs["rules"].ArrayValue()
	var got []string
	for i, r := range rules {
		rule := r.ObjectValue()
		if rule["priority"].NumberValue() != float64(i) {
			t.Errorf("rule %d has the priority %v", i, rule["priority"])
		}
		got = append(got, fmt.Sprint(rule["statement"].Mappable()))
	}
	count := func(rule string) string { return "map[actionToUse:map[count:map[]] name:" + rule + "]" }
	want := []string{
		"map[rateBasedStatement:map[aggregateKeyType:IP evaluationWindowSec:300 limit:77]]",
		"map[managedRuleGroupStatement:map[name:AWSManagedRulesAmazonIpReputationList vendorName:AWS]]",
		"map[managedRuleGroupStatement:map[name:AWSManagedRulesKnownBadInputsRuleSet vendorName:AWS]]",
		"map[managedRuleGroupStatement:map[name:AWSManagedRulesCommonRuleSet ruleActionOverrides:[" + strings.Join([]string{
			count("SizeRestrictions_BODY"), count("GenericRFI_BODY"), count("EC2MetaDataSSRF_BODY"), count("GenericLFI_BODY"),
			count("CrossSiteScripting_BODY"), count("NoUserAgent_HEADER"),
		}, " ") + "] vendorName:AWS]]",
	}
	same(t, "rules", got, want)
	if log := g.Named("front-waf-log")[0].Inputs; log["name"].V != "aws-waf-logs-icon-test-net-front" ||
		log["kmsKeyId"].V != "arn:aws:kms:eu-central-1:123456789012:key/k" || log["retentionInDays"].NumberValue() != 365 {
		t.Errorf("the firewall's log: %v", log)
	}
}

func TestOutputsSayWhatTheNameMustLeadToAndWhereTheAPIIs(t *testing.T) {
	for kind, pick := range map[string]func(*front.Args, *front.Front) []*ec2.Eip{
		"": func(*front.Args, *front.Front) []*ec2.Eip { return nil },
		"dns": func(a *front.Args, _ *front.Front) []*ec2.Eip {
			return []*ec2.Eip{a.Made.Addresses["sentry-1"], a.Made.Addresses["sentry-2"]}
		},
		"nlb": func(_ *front.Args, f *front.Front) []*ec2.Eip {
			return []*ec2.Eip{f.NLBAddresses["eu-central-1a"], f.NLBAddresses["eu-central-1b"]}
		},
	} {
		var given *front.Args
		looked := make(chan bool, 1)
		graph.Record(t, graph.Options{}, program(withAPI(settings(kind)), func(a *front.Args) { given = a }, func(f *front.Front) {
			want := pulumi.StringArray{}
			for _, address := range pick(given, f) {
				want = append(want, address.PublicIp)
			}
			pulumi.All(f.Addresses, want.ToStringArrayOutput(), f.API).ApplyT(func(v []any) error {
				got, want := v[0].([]string), v[1].([]string)
				if !slices.Equal(got, want) || slices.Contains(got, "") || (kind != "") != (len(got) == 2) {
					t.Errorf("kind %q: addresses %v, wanted %v", kind, got, want)
				}
				if v[2] != "https://api.example.org/api/v3" {
					t.Errorf("kind %q: API %v", kind, v[2])
				}
				looked <- true
				return nil
			})
		}))
		<-looked
	}
}

func TestShieldIsToldOfAddressesInItsOwnWords(t *testing.T) {
	s := settings("nlb")
	s.Front.ShieldAdvanced = true
	g := graph.Record(t, graph.Options{}, program(s, nil, nil))
	if n := len(g.OfType("aws:shield/subscription:Subscription")); n != 0 {
		t.Errorf("%d subscriptions", n)
	}
	for name, want := range map[string]string{
		"front-shield-nlb-eu-central-1a": "arn:aws:ec2:eu-central-1:123456789012:eip-allocation/front-nlb-eu-central-1a-address_id",
		"front-shield-ZSENTRIES":         "arn:aws:route53:::hostedzone/ZSENTRIES",
	} {
		if got := g.Named(name)[0].Inputs["resourceArn"].V; got != want {
			t.Errorf("%s protects %v, wanted %s", name, got, want)
		}
	}
}

func TestADesignOfEachKindIsAsReviewed(t *testing.T) {
	for name, s := range map[string]awsplan.Settings{"dns": settings("dns"), "nlb": settings("nlb"), "api": withAPI(settings(""))} {
		g := graph.Record(t, graph.Options{}, program(s, nil, nil))
		var b strings.Builder
		for _, part := range strings.SplitAfter(g.Detail(), "\nurn:") {
			if strings.Contains(part, front.Type) {
				b.WriteString("urn:" + strings.TrimSuffix(strings.TrimPrefix(part, "urn:"), "urn:"))
			}
		}
		golden.Check(t, name+".txt", b.String())
	}
}
