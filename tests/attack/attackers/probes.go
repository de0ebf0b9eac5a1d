package attackers

import (
	"fmt"
	"slices"
	"strings"
)

// counters is what only a node's counters have in them.
const counters = "# HELP"

func (s *scene) probes() []probe {
	return slices.Concat(s.pathProbes(), s.headerProbes(), s.framingProbes(), s.bodyProbes())
}

// pathProbes ask for what is not published: by its path, and by paths that something on the way may take for another.
func (s *scene) pathProbes() []probe {
	var all []probe
	add := func(method, path string, headers ...string) {
		body := ""
		if method == "POST" {
			body = callBody("icx_getLastBlock", "")
		}
		name := strings.TrimSpace(method + " " + path + " " + strings.Join(headers, " "))
		all = append(all, probe{name: name, bytes: s.request(method, path, body, headers...), never: counters})
	}
	for _, path := range []string{
		"/metrics", "/metrics/", "//metrics", "/./metrics", "/%6detrics", "/metrics?/api/v3", "/metrics;/api/v3", "/metrics#/api/v3",
		"/api/../metrics", "/api/v3/../../metrics", "/api/v3/%2e%2e/%2e%2e/metrics", "/api/v3/..%2f..%2fmetrics", "/api/v3/..\\..\\metrics",
		"/api/v3/" + s.Channel + "/block/../../../../metrics", "http://localhost/metrics", "http://" + s.API.String() + "/metrics?/api/v3",
		"/admin", "/admin/system", "/admin/chain", "/admin/chain/" + s.CID, "/api/v3/../../admin/system", "//admin/chain", "/%61dmin/system",
		"/", "/api", "/api/v3x", "/debug/pprof/", "*",
	} {
		add("GET", path)
	}
	for _, path := range []string{
		"/api/v3d", "/api/v3d/" + s.Channel, "/api/v3%64", "/api/v3/../v3d", "/api/v3/%2e%2e/v3d/" + s.Channel, "/api//v3d", "/api/v3d?/api/v3",
		"/api/rosetta", "/api/v3/../rosetta", "/admin/chain", "/api/v3/" + s.Channel + "/../../v3d/" + s.Channel, "/api/v3/" + s.Channel + "%00",
	} {
		add("POST", path)
	}
	for _, method := range []string{"HEAD", "OPTIONS", "PUT", "DELETE", "PATCH", "TRACE", "metrics", "get"} {
		add(method, "/metrics")
	}
	return all
}

// headerProbes have headers that name another path, method or protocol.
func (s *scene) headerProbes() []probe {
	var all []probe
	add := func(name string, bytes []byte, answers int, never string) {
		all = append(all, probe{name, bytes, answers, never})
	}
	for _, header := range []string{
		"X-Original-URL: /metrics", "X-Rewrite-URL: /metrics", "X-Forwarded-Path: /metrics", "X-HTTP-Method-Override: GET",
	} {
		add("allowed, "+header, s.request("POST", s.path(""), callBody("icx_getLastBlock", ""), header), 1, counters)
		add("/metrics, "+header, s.request("GET", "/metrics", "", header), 0, counters)
	}
	known := []string{"127.0.0.1", "10.0.0.1"}
	for _, header := range []string{"X-Forwarded-For", "X-Real-IP", "Forwarded", "True-Client-IP"} {
		add("/metrics, "+header+" of the node itself", s.request("GET", "/metrics", "", header+": "+strings.Join(known, ", ")), 0, counters)
	}
	for _, path := range []string{
		"/metrics", "/admin/chain", "/api/v3d/" + s.Channel, s.path(""), s.path("/blocks"), s.path("/block/../../../../metrics"),
	} {
		add("websocket to "+path, s.upgrade(path), 0, counters)
	}
	settings := []string{"Connection: Upgrade, HTTP2-Settings", "Upgrade: h2c", "HTTP2-Settings: AAMAAABkAAQAoAAAAAIAAAAA"}
	add("h2c to an allowed path", s.request("POST", s.path(""), callBody("icx_getLastBlock", ""), settings...), 1, "101 Switching")
	add("h2c to /metrics", s.request("GET", "/metrics", "", settings...), 0, counters)
	add("HTTP/2 without asking", []byte("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\x00\x00\x00\x04\x00\x00\x00\x00\x00"), 0, counters)
	add("HTTP/1.0 for /metrics", []byte("GET /metrics HTTP/1.0\r\n\r\n"), 0, counters)
	add("HTTP/0.9 for /metrics", []byte("GET /metrics\r\n\r\n"), 0, counters)
	add("a line feed alone", []byte("GET /metrics HTTP/1.1\nHost: x\n\n"), 0, counters)
	add("a blank before the method", append([]byte(" "), s.request("GET", "/metrics", "")...), 0, counters)
	add("two hosts", s.request("GET", "/metrics", "", "Host: other"), 0, counters)
	return all
}

// framingProbes have two opinions of where a request ends, with a forbidden one where the second begins.
func (s *scene) framingProbes() []probe {
	hidden := string(s.request("GET", "/metrics", ""))
	body := callBody("icx_getLastBlock", "")
	chunked := fmt.Sprintf("%x\r\n%s\r\n0\r\n\r\n", len(body), body)
	post := func(rest string, headers ...string) []byte {
		return append(s.request("POST", s.path(""), "", append([]string{"Content-Type: application/json"}, headers...)...), rest...)
	}
	length := func(n int) string { return fmt.Sprintf("Content-Length: %d", n) }
	both := length(len(chunked) + len(hidden))
	futureSocket := s.request("GET", s.path("/block"), "", "Connection: Upgrade", "Upgrade: websocket", "Sec-WebSocket-Version: 777",
		"Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==")
	all := []probe{
		{"a forbidden request after an allowed one", append(s.lastBlock(), hidden...), 1, counters},
		{"chunked, from a stranger", post(chunked, "Transfer-Encoding: chunked"), 0, counters},
		{"two different lengths", post(body+hidden, length(len(body)), length(len(body+hidden))), 0, counters},
		{"a length of 0 and another", post(body+hidden, length(0), length(len(body))), 0, counters},
		{"a length with a sign", post(body, "Content-Length: +"+fmt.Sprint(len(body))), 0, counters},
		{"a negative length", post(hidden, "Content-Length: -1"), 0, counters},
		{"a length in hexadecimal", post(body, "Content-Length: 0x"+fmt.Sprintf("%x", len(body))), 0, counters},
		{"a length before a folded line", post(body+hidden, "X-Fold: a\r\n "+length(0), length(len(body))), 1, counters},
		{"a websocket of a version that there is not, and then another request", append(futureSocket, hidden...), 0, counters},
	}
	for _, encoding := range []string{
		"Transfer-Encoding: chunked", "Transfer-Encoding : chunked", "Transfer-Encoding:\tchunked", "transfer-encoding: Chunked",
		"Transfer-Encoding: xchunked", "Transfer-Encoding: chunked, identity", "Transfer-Encoding: identity, chunked",
		"Transfer-Encoding: gzip, chunked", "Transfer-Encoding: \"chunked\"",
		"X: y\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: identity", "Transfer-Encoding:\r\n chunked",
	} {
		all = append(all, probe{fmt.Sprintf("a length and %q", encoding), post(chunked+hidden, both, encoding), 0, counters})
	}
	return all
}

// bodyProbes are JSON that has more than one reading, or more calls than one request may have.
func (s *scene) bodyProbes() []probe {
	call := callBody("icx_getLastBlock", "")
	batch := func(n int) string { return "[" + strings.Repeat(call+",", n-1) + call + "]" }
	one := `{"jsonrpc":"2.0","id":1,"method":"icx_getBlockByHeight","params":{"height":"0x0"}`
	deep := strings.Repeat("[", 20_000) + strings.Repeat("]", 20_000)
	var all []probe
	for _, b := range []struct{ name, body string }{
		{"two methods", `{"jsonrpc":"2.0","id":1,"method":"icx_getTotalSupply","method":"icx_getLastBlock"}`},
		{"two methods, one in capitals", `{"jsonrpc":"2.0","id":1,"method":"icx_getTotalSupply","Method":"icx_getLastBlock"}`},
		{"two methods, one escaped", `{"jsonrpc":"2.0","id":1,"method":"icx_getTotalSupply","m\u0065thod":"icx_getLastBlock"}`},
		{"two methods, one in capitals and escaped", `{"jsonrpc":"2.0","id":1,"method":"icx_getTotalSupply","\u004dETHOD":"icx_getLastBlock"}`},
		{"a method in capitals", `{"jsonrpc":"2.0","id":1,"METHOD":"icx_getLastBlock"}`},
		{"two parameters", one + `,"params":{"height":"0x1"}}`},
		{"two parameters, one with a long s", one + `,"paramſ":{"height":"0x1"}}`},
		{"two ids", `{"jsonrpc":"2.0","id":1,"id":2,"method":"icx_getLastBlock"}`},
		{"a second value", call + call},
		{"something after the value", call + " x"},
		{"a batch of 11", batch(11)},
		{"a batch of 1,000", batch(1000)},
		{"a batch of 11 behind blanks", strings.Repeat(" \n", 5000) + batch(11)},
		{"a batch of 11 behind a byte order mark", "\ufeff" + batch(11)},
		{"a batch in a batch", "[" + batch(10) + "," + batch(10) + "]"},
		{"a body of 70 KiB", call + strings.Repeat(" ", 70<<10)},
		{"a body of 900 KiB", strings.Repeat(" ", 900<<10) + call},
		{"nested 20,000 deep", `{"jsonrpc":"2.0","id":1,"method":"icx_getLastBlock","x":` + deep + `}`},
		{"no JSON", "method=icx_getLastBlock"},
	} {
		all = append(all, probe{name: b.name, bytes: s.request("POST", s.path(""), b.body)})
	}
	return all
}
