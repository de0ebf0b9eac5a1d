package awsplan

import (
	"fmt"
	"slices"
	"strings"

	"github.com/insight-icon/pulumi-icon/internal/cost"
)

const (
	// hoursPerMonth is how AWS reckons a month.
	hoursPerMonth = 730
	// detailedMetrics are those that an instance sends with detailed monitoring.
	detailedMetrics = 7
	// wafRules are those of the API's web firewall: requests of one address, and three of AWS's own groups (components/platform/aws/front).
	wafRules = 4
)

// bill gathers the lines of a cost.
type bill struct {
	lines  []cost.Line
	prices *prices
}

// add adds count units of an item; none adds nothing.
func (b *bill) add(kind, item string, count float64) {
	if count <= 0 {
		return
	}
	p := b.prices.of(item, kind)
	unit := p.unit
	if unit == "" {
		unit = "hours"
	}
	b.lines = append(b.lines, cost.Line{Kind: kind, Count: count, Unit: unit, USD: count * p.usd})
}

// Cost is what the design costs a month at list prices, from the table in prices.csv: what runs all the time. What depends on traffic is in
// its note, with its price. A region without prices gets those of us-east-1.
func (d *Design) Cost() cost.Cost {
	table, region := pricesOf(d.Settings.Region)
	b := &bill{prices: table}
	d.machineCosts(b)
	d.volumeCosts(b)
	d.networkCosts(b)
	d.frontCosts(b)
	b.add("CloudWatch metrics (detailed monitoring)", "metric", float64(detailedMetrics*len(d.Hosts)))
	b.add("CloudWatch alarms (recovery of machines)", "alarm", float64(len(d.Hosts)))
	if d.Settings.KMSKey == "" {
		b.add("KMS key", "key", 1)
	}
	return cost.Cost{Region: region, AsOf: pricesAsOf, Lines: b.lines, Note: d.notes(b.prices, region)}
}

// machineCosts has a line for each instance type.
func (d *Design) machineCosts(b *bill) {
	var types []string
	hosts := map[string][]string{}
	for _, h := range d.Hosts {
		if !slices.Contains(types, h.InstanceType) {
			types = append(types, h.InstanceType)
		}
		hosts[h.InstanceType] = append(hosts[h.InstanceType], h.Name)
	}
	for _, t := range types {
		b.add(fmt.Sprintf("EC2 %s (%s)", t, strings.Join(hosts[t], ", ")), t, float64(hoursPerMonth*len(hosts[t])))
	}
}

func (d *Design) volumeCosts(b *bill) {
	root, data, iops, throughput := 0, 0, 0, 0
	for _, h := range d.Hosts {
		root += h.RootGB
		if h.Data != nil {
			data += h.Data.GB
			iops += h.Data.IOPS - leastIOPS
			throughput += h.Data.Throughput - leastThroughput
		}
	}
	b.add("EBS gp3, chain data", "gp3", float64(data))
	b.add("EBS gp3, root volumes", "gp3", float64(root))
	b.add("EBS gp3, IOPS above 3000", "gp3-iops", float64(iops))
	b.add("EBS gp3, throughput above 125 MiB/s", "gp3-throughput", float64(throughput))
	if !d.Settings.Snapshots.Off {
		b.add("EBS snapshots, one copy of full volumes", "snapshot", float64(data))
	}
}

func (d *Design) networkCosts(b *bill) {
	b.add("NAT gateways", "nat", float64(hoursPerMonth*len(d.NATZones)))
	addresses := len(d.ElasticIPs)
	if d.Settings.API != nil {
		addresses += len(d.Settings.Zones)
	}
	b.add("public IPv4 addresses", "ipv4", float64(hoursPerMonth*addresses))
}

func (d *Design) frontCosts(b *bill) {
	f, sentries := d.Settings.Front, 0
	for _, h := range d.Hosts {
		if h.Role == Sentry {
			sentries++
		}
	}
	if f.Kind == FrontNLB {
		b.add("network load balancer", "nlb", hoursPerMonth)
	}
	if f.Kind == FrontDNS && f.HostedZone != "" {
		b.add("Route 53 health checks", "dns-check", float64(sentries))
	}
	if a := d.Settings.API; a != nil {
		b.add("application load balancer", "alb", hoursPerMonth)
		if !a.WithoutWAF {
			b.add("WAF web ACL", "waf", 1)
			b.add("WAF rules", "waf-rule", wafRules)
		}
	}
	if f.ShieldAdvanced {
		b.add("Shield Advanced, once for all accounts", "shield", 1)
	}
}

// notes are what a reader must know of the sum.
func (d *Design) notes(p *prices, region string) string {
	var notes []string
	if wanted := d.Settings.Region; wanted != region {
		notes = append(notes, fmt.Sprintf("No prices of %s are in the table: these are those of %s.", wanted, region))
	}
	if len(p.missing) > 0 {
		notes = append(notes, "Not in the table, and counted as 0: "+strings.Join(p.missing, ", ")+".")
	}
	if len(p.unread) > 0 {
		notes = append(notes, "Prices for which no source was found: "+strings.Join(p.unread, ", ")+".")
	}
	notes = append(notes, "Besides: "+strings.Join(d.besides(p), ", ")+". Free tiers are not deducted.")
	return strings.Join(notes, "\n")
}

// besides are what depends on use, or is the operator's already, with its price.
func (d *Design) besides(p *prices) []string {
	besides := []string{"traffic to the internet and between zones"}
	if len(d.NATZones) > 0 {
		besides = append(besides, "what NAT gateways carry ("+p.text("nat-traffic")+")")
	}
	if d.Settings.Front.Kind == FrontNLB {
		besides = append(besides, "load of the network load balancer ("+p.text("nlb-capacity")+")")
	}
	if a := d.Settings.API; a != nil {
		besides = append(besides, "load of the application load balancer ("+p.text("alb-capacity")+")")
		if !a.WithoutWAF {
			besides = append(besides, "requests that the WAF sees ("+p.text("waf-requests")+")", "its log of what it blocks ("+p.text("logs")+")")
		}
	}
	if d.Settings.Front.HostedZone != "" || d.Settings.API != nil && d.Settings.API.HostedZone != "" {
		besides = append(besides, "the hosted zone ("+p.text("dns-zone")+")")
	}
	if d.Settings.VPC.Existing == nil {
		besides = append(besides, "flow logs ("+p.text("logs")+", and "+p.text("log-storage")+")")
	}
	if d.Settings.API != nil { // a network load balancer's are empty without TLS
		besides = append(besides, "access logs ("+p.text("s3")+")")
	}
	if !d.Settings.Snapshots.Off {
		besides = append(besides, "what changes between snapshots ("+p.text("snapshot")+")")
	}
	return besides
}
