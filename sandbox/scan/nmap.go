package scan

import (
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"slices"
)

// Ports is what nmap saw of one host from one place.
type Ports struct {
	// Open answered; Closed were refused by the host's kernel, so no firewall stood in between. "tcp/22", sorted.
	Open, Closed []string
}

// Reached are the ports that a packet got through to, open or not.
func (p *Ports) Reached() []string {
	all := slices.Concat(p.Open, p.Closed)
	slices.Sort(all)
	return all
}

// Beyond lists the ports that were reached and that the plan's edges don't allow from there.
func (p *Ports) Beyond(allowed []string) []string {
	return slices.DeleteFunc(p.Reached(), func(port string) bool { return slices.Contains(allowed, port) })
}

// ParseNmap reads `nmap -oX -` of one host. Ports that nmap sums up as closed in great number are an error: a packet filter that says
// nothing has none.
func ParseNmap(r io.Reader) (*Ports, error) {
	var doc struct {
		XMLName xml.Name `xml:"nmaprun"`
		Hosts   []struct {
			TimedOut bool `xml:"timedout,attr"`
			Ports    struct {
				Extra []struct {
					State string `xml:"state,attr"`
					Count int    `xml:"count,attr"`
				} `xml:"extraports"`
				Port []struct {
					Protocol string `xml:"protocol,attr"`
					ID       int    `xml:"portid,attr"`
					State    struct {
						State string `xml:"state,attr"`
					} `xml:"state"`
				} `xml:"port"`
			} `xml:"ports"`
		} `xml:"host"`
		Finished *struct {
			Exit string `xml:"exit,attr"`
		} `xml:"runstats>finished"`
	}
	if err := xml.NewDecoder(r).Decode(&doc); err != nil {
		return nil, fmt.Errorf("nmap's output: %w", err)
	}
	if doc.Finished == nil || doc.Finished.Exit != "success" || len(doc.Hosts) != 1 || doc.Hosts[0].TimedOut {
		return nil, errors.New("nmap's output: the scan did not come to its end: want one host and exit=\"success\"")
	}
	p := &Ports{}
	for _, port := range doc.Hosts[0].Ports.Port {
		name := fmt.Sprintf("%s/%d", port.Protocol, port.ID)
		switch port.State.State {
		case "open":
			p.Open = append(p.Open, name)
		case "closed":
			p.Closed = append(p.Closed, name)
		}
	}
	for _, extra := range doc.Hosts[0].Ports.Extra {
		if extra.State == "closed" && extra.Count > 0 {
			p.Closed = append(p.Closed, fmt.Sprintf("%d others", extra.Count))
		}
	}
	slices.Sort(p.Open)
	slices.Sort(p.Closed)
	return p, nil
}
