package agent

import (
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/insight-icon/pulumi-icon/internal/agent/bans"
	"github.com/insight-icon/pulumi-icon/internal/sentry"
)

// Metric is one of the agent's, by Prometheus's rules.
type Metric struct {
	Name string
	// Counter tells that it only grows, until a restart.
	Counter bool
	Help    string
	Labels  []string
}

// Metrics lists what the agent tells on its Metrics address. Where a sentry's variant has no such thing, it tells nothing of it.
func Metrics() []Metric {
	return []Metric{
		{"icon_sentry_agent_up", false, "1 while the agent runs.", nil},
		{"icon_sentry_agent_start_timestamp_seconds", false, "When the agent started.", nil},
		{"icon_sentry_haproxy_up", false, "Whether HAProxy answers on its admin socket.", nil},
		{"icon_sentry_haproxy_uptime_seconds", false, "How long HAProxy's worker has run; a reload begins anew.", nil},
		{"icon_sentry_connections", false, "Open sessions of HAProxy, by frontend.", []string{"frontend"}},
		{"icon_sentry_connections_limit", false, "Greatest number of sessions of HAProxy, by frontend.", []string{"frontend"}},
		{"icon_sentry_connections_total", true, "Sessions of HAProxy since it started, by frontend.", []string{"frontend"}},
		{"icon_sentry_limited_total", true, "How often HAProxy has refused something, by limit.", []string{"limit"}},
		{"icon_sentry_bans", false, "Bans in force, by kind: address or network.", []string{"kind"}},
		{"icon_sentry_bans_total", true, "Bans since the agent started, by the limit that was met last, network or by-hand.", []string{"limit"}},
		{"icon_sentry_bans_without_room_total", true, "Bans that were not made because 100000 were in force.", nil},
		{"icon_sentry_kernel_up", false, "Whether the kernel's table is there and holds what it should.", nil},
		{"icon_sentry_kernel_fills_total", true, "How often the kernel's sets were written as a whole: the table was new, or changed.", nil},
		{"icon_sentry_kernel_packets_total", true, "Packets by the kernel's counter; all but syn_again were dropped.", []string{"counter"}},
		{"icon_sentry_proven", false, "Addresses that were served in the last 10 minutes.", nil},
		{"icon_sentry_conntrack_entries", false, "Connections that the kernel tracks; those to the public ports are none of them.", nil},
		{"icon_sentry_conntrack_limit", false, "How many connections the kernel tracks at most.", nil},
		{"icon_sentry_peers", false, "Addresses and networks on the list of peers.", nil},
		{"icon_sentry_peers_by_source", false, "Entries of the list that a source has named: static, chain or observed.", []string{"source"}},
		{"icon_sentry_peers_mode", false, "1 for the mode of the list of peers: prefer, enforce or off.", []string{"mode"}},
		{"icon_sentry_peers_enforced", false, "Whether strangers are refused on the P2P port now.", nil},
		{"icon_sentry_peers_age_seconds", false, "How long ago others than the operator were heard; absent: never.", nil},
		{"icon_sentry_peers_refreshes_total", true, "Refreshes of the list of peers.", nil},
		{"icon_sentry_peers_added_total", true, "Entries that came onto the list of peers.", nil},
		{"icon_sentry_peers_removed_total", true, "Entries that left the list of peers.", nil},
		{"icon_sentry_peers_refused", false, "Whether the last list was refused because it is so much smaller.", nil},
		{"icon_sentry_peers_applied", false, "Whether HAProxy and the kernel have the list of peers.", nil},
		{"icon_sentry_peers_errors", false, "Errors of the last refresh of the list of peers.", nil},
		{"icon_sentry_certificate_expiry_timestamp_seconds", false, "When the API's certificate ends.", nil},
		{"icon_sentry_certificate_failures", false, "How often in a row no certificate was got from the authority.", nil},
		{"icon_sentry_certificate_installed", false, "Whether HAProxy has the authority's certificate.", nil},
		{"icon_sentry_drain_state", false, "1 for where the drain stands: off, announced, ttl, closing, done or ending.", []string{"state"}},
	}
}

// emit gives one value. The name is one of Metrics; labels are the values of its Labels.
type emit func(name string, value float64, labels ...string)

func (a *Agent) metricsHandler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /metrics", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/plain; version=0.0.4; charset=utf-8")
		_, _ = io.WriteString(w, render(a.collect))
	})
	return mux
}

// render writes metrics in Prometheus's text format.
func render(collect func(emit)) string {
	lines := map[string][]string{}
	labels := map[string][]string{}
	for _, m := range Metrics() {
		labels[m.Name] = m.Labels
	}
	collect(func(name string, value float64, values ...string) {
		var pairs []string
		for i, v := range values {
			pairs = append(pairs, labels[name][i]+`="`+escape.Replace(v)+`"`)
		}
		line := name
		if len(pairs) > 0 {
			line += "{" + strings.Join(pairs, ",") + "}"
		}
		lines[name] = append(lines[name], line+" "+strconv.FormatFloat(value, 'g', -1, 64)+"\n")
	})
	var b strings.Builder
	for _, m := range Metrics() {
		if len(lines[m.Name]) == 0 {
			continue
		}
		kind := "gauge"
		if m.Counter {
			kind = "counter"
		}
		fmt.Fprintf(&b, "# HELP %s %s\n# TYPE %s %s\n", m.Name, m.Help, m.Name, kind)
		slices.Sort(lines[m.Name])
		b.WriteString(strings.Join(lines[m.Name], ""))
	}
	return b.String()
}

var escape = strings.NewReplacer(`\`, `\\`, "\n", `\n`, `"`, `\"`)

// collect gives all metrics as they are now.
func (a *Agent) collect(put emit) {
	put("icon_sentry_agent_up", 1)
	put("icon_sentry_agent_start_timestamp_seconds", seconds(a.started))
	a.mu.Lock()
	a.collectProxy(put)
	a.collectKernel(put)
	a.mu.Unlock()
	a.collectPeers(put)
	a.collectCertificate(put)
	if a.drain != nil {
		now := a.drain.Status().Step
		for _, step := range DrainSteps() {
			put("icon_sentry_drain_state", truth(step == now), string(step))
		}
	}
}

func truth(is bool) float64 {
	if is {
		return 1
	}
	return 0
}

func seconds(t time.Time) float64 { return float64(t.UnixMilli()) / 1000 }

func (a *Agent) collectProxy(put emit) {
	if a.proxy == nil {
		return
	}
	put("icon_sentry_haproxy_up", truth(a.state[partProxy].OK))
	// One that is away has no connections; what it counted is gone with it.
	if a.seen.limits == nil {
		return
	}
	put("icon_sentry_haproxy_uptime_seconds", a.seen.info.Uptime.Seconds())
	for _, f := range a.seen.frontends {
		put("icon_sentry_connections", float64(f.Sessions), f.Name)
		put("icon_sentry_connections_limit", float64(f.MaxSessions), f.Name)
		put("icon_sentry_connections_total", float64(f.Total), f.Name)
	}
	// Each limit is told of from the start, so that its first refusal is an increase.
	for _, v := range sentry.Verdicts() {
		put("icon_sentry_limited_total", float64(a.seen.limits[v.Name]), v.Name)
	}
}

func (a *Agent) collectKernel(put emit) {
	if a.proxy != nil {
		kinds := map[bool]float64{}
		for _, b := range a.active() {
			kinds[b.Source.IsSingleIP()]++
		}
		put("icon_sentry_bans", kinds[true], "address")
		put("icon_sentry_bans", kinds[false], "network")
	}
	if a.seen.trackable > 0 {
		put("icon_sentry_conntrack_entries", float64(a.seen.tracked))
		put("icon_sentry_conntrack_limit", float64(a.seen.trackable))
	}
	if a.table == nil {
		return
	}
	made := a.book.Made()
	for _, v := range sentry.Verdicts() {
		put("icon_sentry_bans_total", float64(made[v.Name]), v.Name)
	}
	put("icon_sentry_bans_total", float64(made[bans.Network]), bans.Network)
	put("icon_sentry_bans_total", float64(made[bans.ByHand]), bans.ByHand)
	put("icon_sentry_bans_without_room_total", float64(a.book.Refused()))
	put("icon_sentry_kernel_up", truth(a.state[partKernel].OK))
	put("icon_sentry_kernel_fills_total", float64(a.seen.fills))
	put("icon_sentry_proven", float64(a.seen.proven))
	for name, packets := range a.seen.kernel {
		put("icon_sentry_kernel_packets_total", float64(packets), name)
	}
}

func (a *Agent) collectPeers(put emit) {
	if a.peers == nil {
		return
	}
	s := a.peers.Status()
	put("icon_sentry_peers", float64(s.Size))
	for source, n := range s.Sources {
		put("icon_sentry_peers_by_source", float64(n), string(source))
	}
	for _, mode := range []string{sentry.PeersPrefer, sentry.PeersEnforce, sentry.PeersOff} {
		put("icon_sentry_peers_mode", truth(mode == s.Mode), mode)
	}
	put("icon_sentry_peers_enforced", truth(s.Enforced))
	if s.AgeSeconds >= 0 {
		put("icon_sentry_peers_age_seconds", s.AgeSeconds)
	}
	put("icon_sentry_peers_refreshes_total", float64(s.Refreshes))
	put("icon_sentry_peers_added_total", float64(s.Added))
	put("icon_sentry_peers_removed_total", float64(s.Removed))
	put("icon_sentry_peers_refused", truth(s.Refused != ""))
	put("icon_sentry_peers_applied", truth(s.Applied))
	put("icon_sentry_peers_errors", float64(len(s.Errors)))
}

func (a *Agent) collectCertificate(put emit) {
	if end, is := certificateEnd(filepath.Join(a.config.StateDir, filepath.Base(sentry.CertificatePath))); is {
		put("icon_sentry_certificate_expiry_timestamp_seconds", seconds(end))
	}
	if a.certs != nil {
		s := a.certs.Status()
		put("icon_sentry_certificate_failures", float64(s.Failures))
		put("icon_sentry_certificate_installed", truth(s.Installed))
	}
}

// certificateEnd is when the certificate in a file ends, whoever gave it: the first one in it is the API's own.
func certificateEnd(path string) (time.Time, bool) {
	text, err := os.ReadFile(path)
	if err != nil {
		return time.Time{}, false
	}
	for {
		var block *pem.Block
		if block, text = pem.Decode(text); block == nil {
			return time.Time{}, false
		}
		if block.Type != "CERTIFICATE" {
			continue
		}
		certificate, err := x509.ParseCertificate(block.Bytes)
		if err != nil {
			return time.Time{}, false
		}
		return certificate.NotAfter, true
	}
}
