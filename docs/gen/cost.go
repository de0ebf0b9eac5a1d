package main

import (
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"strings"

	"github.com/insight-icon/pulumi-icon/stacks"
	"github.com/insight-icon/pulumi-icon/topologies"
)

// priced are the regions that the price table has, with the letters of three zones there.
var priced = []struct{ region, letters string }{{"us-east-1", "abc"}, {"eu-central-1", "abc"}, {"ap-northeast-2", "abc"}}

// costs is a page with its costs filled in: what stands between the marks is made from the stack file that the first one names.
func costs(root, page string) (string, error) {
	text, err := os.ReadFile(filepath.Join(root, page))
	if err != nil {
		return "", err
	}
	marked := regexp.MustCompile(`(?s)<!-- cost: ([a-z-]+) -->\n.*?<!-- end of cost -->\n`)
	var failed error
	filled := marked.ReplaceAllStringFunc(string(text), func(block string) string {
		stack := marked.FindStringSubmatch(block)[1]
		made, err := costOf(root, stack)
		if err != nil {
			failed = fmt.Errorf("%s: cost of %s: %w", page, stack, err)
		}
		return fmt.Sprintf("<!-- cost: %s -->\n%s<!-- end of cost -->\n", stack, made)
	})
	return filled, failed
}

// costOf is the cost of a shipped stack where it stands, and its sum in the other regions.
func costOf(root, stack string) (string, error) {
	c, err := topologies.ReadStack(filepath.Join(root, "stacks", "Pulumi."+stack+".yaml"))
	if err != nil {
		return "", err
	}
	plan, err := topologies.PlanOf(c)
	if err != nil {
		return "", err
	}
	var rows [][]string
	for _, p := range priced {
		there, err := topologies.PlanOf(moved(c, p.region, p.letters))
		if err != nil {
			return "", err
		}
		rows = append(rows, []string{p.region, fmt.Sprintf("%.0f", there.Cost.Total())})
	}
	return fmt.Sprintf("```text\n%s```\n\n%s", plan.Cost, table([]string{"the same in", "USD a month"}, rows)), nil
}

// moved is the stack in another region, zone for zone.
func moved(c *stacks.Config, region, letters string) *stacks.Config {
	copied, cloud := *c, *c.AWS
	in := map[string]string{}
	cloud.Zones = nil
	for i, zone := range c.AWS.Zones {
		in[zone] = region + letters[i:i+1]
		cloud.Zones = append(cloud.Zones, in[zone])
	}
	cloud.Machines = maps.Clone(cloud.Machines)
	for name, m := range cloud.Machines {
		m.Zone = in[m.Zone]
		cloud.Machines[name] = m
	}
	cloud.Region = region
	copied.AWS = &cloud
	return &copied
}

// costPages are the pages that show costs.
func costPages(root string) ([]string, error) {
	pages, err := filepath.Glob(filepath.Join(root, "docs", "topologies", "*.md"))
	for i, p := range pages {
		pages[i] = filepath.ToSlash(strings.TrimPrefix(p, filepath.Clean(root)+string(filepath.Separator)))
	}
	return pages, err
}
