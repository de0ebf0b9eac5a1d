package scan

import (
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
)

// Compliance is what OpenSCAP found of one profile.
type Compliance struct {
	// Profile is the profile's short name: "cis_level2_server".
	Profile string
	// Score is OpenSCAP's own, 0 to 100: rules weighted by their groups, those that don't apply left out.
	Score float64
	// Pass and Fail count rules that apply to the host; Fail includes those that OpenSCAP could not evaluate (error, unknown).
	Pass, Fail int
	// NotApplicable and NotChecked count the others: NotChecked rules have no automatic check.
	NotApplicable, NotChecked int
	// Open are the rules that fail.
	Open []Finding
}

// PassRate is the share of applicable rules that pass, in percent; 0 without any.
func (c *Compliance) PassRate() float64 { return rateOf(c.Pass, c.Fail) }

func rateOf(pass, fail int) float64 {
	if pass+fail == 0 {
		return 0
	}
	return 100 * float64(pass) / float64(pass+fail)
}

const (
	rulePrefix    = "xccdf_org.ssgproject.content_rule_"
	groupPrefix   = "xccdf_org.ssgproject.content_group_"
	profilePrefix = "xccdf_org.ssgproject.content_profile_"
)

// ParseOpenSCAP reads the result file of `oscap xccdf eval --results`, for findings of the scanner (CIS or ANSSI).
func ParseOpenSCAP(r io.Reader, scanner string) (*Compliance, error) {
	p := xccdf{decoder: xml.NewDecoder(r), scanner: scanner, rules: map[string]Finding{}}
	for {
		token, err := p.decoder.Token()
		if errors.Is(err, io.EOF) {
			break
		}
		if err == nil {
			err = p.token(token)
		}
		if err != nil {
			return nil, fmt.Errorf("OpenSCAP's results: %w", err)
		}
	}
	if p.result == nil {
		return nil, errors.New("OpenSCAP's results: there is no TestResult in it: want a file written with --results")
	}
	if p.result.Pass+p.result.Fail == 0 {
		return nil, fmt.Errorf("OpenSCAP's results: no rule of profile %q applies: want a host that the content is for", p.result.Profile)
	}
	sortFindings(p.result.Open)
	return p.result, nil
}

// xccdf goes through a file of 10 MB in one pass, keeping titles and areas of rules until their results come.
type xccdf struct {
	decoder *xml.Decoder
	scanner string
	groups  []string
	rules   map[string]Finding
	result  *Compliance
}

func (p *xccdf) token(token xml.Token) error {
	switch t := token.(type) {
	case xml.StartElement:
		return p.start(t)
	case xml.EndElement:
		if t.Name.Local == "Group" && len(p.groups) > 0 {
			p.groups = p.groups[:len(p.groups)-1]
		}
	}
	return nil
}

func (p *xccdf) start(e xml.StartElement) error {
	switch e.Name.Local {
	case "Group":
		p.groups = append(p.groups, strings.TrimPrefix(attribute(e, "id"), groupPrefix))
	case "Rule":
		var rule struct {
			Title string `xml:"title"`
		}
		if err := p.decoder.DecodeElement(&rule, &e); err != nil {
			return err
		}
		id := attribute(e, "id")
		p.rules[id] = Finding{
			Scanner: p.scanner, ID: strings.TrimPrefix(id, rulePrefix), Title: oneLine(rule.Title), Area: strings.Join(p.groups, "/"),
			Severity: attribute(e, "severity"),
		}
	case "TestResult":
		if p.result != nil {
			return errors.New("two TestResults in one file: want the results of one run")
		}
		p.result = &Compliance{}
	case "profile":
		if p.result != nil {
			p.result.Profile = strings.TrimPrefix(attribute(e, "idref"), profilePrefix)
		}
	case "rule-result":
		return p.ruleResult(e)
	case "score":
		return p.score(e)
	}
	return nil
}

func (p *xccdf) ruleResult(e xml.StartElement) error {
	var r struct {
		Result string `xml:"result"`
	}
	if err := p.decoder.DecodeElement(&r, &e); err != nil {
		return err
	}
	if p.result == nil {
		return errors.New("a rule-result outside of a TestResult")
	}
	id := attribute(e, "idref")
	switch r.Result {
	case "pass", "fixed":
		p.result.Pass++
	case "fail", "error", "unknown":
		p.result.Fail++
		finding, known := p.rules[id]
		if !known {
			finding = Finding{Scanner: p.scanner, ID: strings.TrimPrefix(id, rulePrefix)}
		}
		if severity := attribute(e, "severity"); severity != "" {
			finding.Severity = severity
		}
		if r.Result != "fail" {
			finding.Title += " (" + r.Result + ")"
		}
		p.result.Open = append(p.result.Open, finding)
	case "notapplicable":
		p.result.NotApplicable++
	case "notchecked", "informational":
		p.result.NotChecked++
	case "notselected":
	default:
		return fmt.Errorf("rule %s: result %q: want pass, fail or another word of XCCDF 1.2", id, r.Result)
	}
	return nil
}

func (p *xccdf) score(e xml.StartElement) error {
	var text string
	if err := p.decoder.DecodeElement(&text, &e); err != nil {
		return err
	}
	if p.result == nil || attribute(e, "system") != "urn:xccdf:scoring:default" {
		return nil
	}
	score, err := strconv.ParseFloat(strings.TrimSpace(text), 64)
	if err != nil || !(score >= 0 && score <= 100) {
		return fmt.Errorf("score %q: want a number from 0 to 100", text)
	}
	p.result.Score = score
	return nil
}

func attribute(e xml.StartElement, name string) string {
	for _, a := range e.Attr {
		if a.Name.Local == name {
			return a.Value
		}
	}
	return ""
}

func oneLine(text string) string { return strings.Join(strings.Fields(text), " ") }
