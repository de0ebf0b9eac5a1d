package sentry

import (
	"cmp"
	"fmt"
)

// Limits bound what one sentry lets through, so that a limit of one source is below that of all. Zero takes the default; where
// the numbers
// come from stands in docs/sentries.md.
type Limits struct {
	// P2PConnections is the greatest number of connections on 7100. Default 1000.
	P2PConnections int `json:"p2pConnections,omitempty"`
	// P2PReserved is how many of P2PConnections only known peers take. Default 200, or a fifth of a smaller P2PConnections.
	P2PReserved int `json:"p2pReserved,omitempty"`
	// P2PPerSource is the greatest number of connections on 7100 from one stranger's address. Default 20 (a validator needs one or
	// two; several
	// may share an address), or a tenth of a smaller P2PConnections.
	P2PPerSource int `json:"p2pPerSource,omitempty"`
	// P2PNewPerSource is the greatest number of new connections on 7100 from one stranger's address in 10 seconds. Default 30.
	P2PNewPerSource int `json:"p2pNewPerSource,omitempty"`
	// P2PNew is the greatest number of new connections on 7100 from all strangers in 1 second. The first two of an address in 10
	// seconds come
	// before others: up to ten times as many. Default 200.
	P2PNew int `json:"p2pNew,omitempty"`
	// APIConnections is the greatest number of connections to the API. Default 8000.
	APIConnections int `json:"apiConnections,omitempty"`
	// APIReserved is how many of APIConnections only known users take. Default 500, or a tenth of a smaller APIConnections.
	APIReserved int `json:"apiReserved,omitempty"`
	// APIPerSource is the greatest number of connections to the API from one stranger's address. Default 10, or a tenth of a smaller
	// APIConnections.
	APIPerSource int `json:"apiPerSource,omitempty"`
	// APINewPerSource is the greatest number of new connections to the API from one stranger's address in 10 seconds. Default 60.
	APINewPerSource int `json:"apiNewPerSource,omitempty"`
	// APINew is the greatest number of new connections to the API in 1 second from all strangers that have never finished a request.
	// The first two of an address in 10 seconds come before others: up to ten times as many. Default 500.
	APINew int `json:"apiNew,omitempty"`
	// APIRequestsPerSource is the greatest number of requests from one stranger's address in 10 seconds; each call of a batch is
	// one. Default
	// 300.
	APIRequestsPerSource int `json:"apiRequestsPerSource,omitempty"`
	// APIExpensivePerSource is how many of APIRequestsPerSource may be expensive: traces, estimates, batches, look-ups of events.
	// Default 20.
	APIExpensivePerSource int `json:"apiExpensivePerSource,omitempty"`
	// APIErrorsPerSource is the greatest number of answers in 10 seconds that are errors of the one who asks, from one stranger's address.
	// Default 50.
	APIErrorsPerSource int `json:"apiErrorsPerSource,omitempty"`
	// APIBodyKiB is a stranger's largest request body, in KiB. Known users may send 1024. Default 64.
	APIBodyKiB int `json:"apiBodyKiB,omitempty"`
	// APIBatch is the greatest number of calls in a batch. Default 10, which is goloop's own limit.
	APIBatch int `json:"apiBatch,omitempty"`
	// APIAtOnce is how many requests of strangers one citizen works on at once; more wait for up to 1 second. Known users have 64 of
	// their own.
	// Default 8.
	APIAtOnce int `json:"apiAtOnce,omitempty"`
	// APIExpensiveAtOnce is how many of APIAtOnce may be expensive. Default 2, or a quarter of a smaller APIAtOnce.
	APIExpensiveAtOnce int `json:"apiExpensiveAtOnce,omitempty"`
	// WebSockets is the greatest number of websockets. Default 200.
	WebSockets int `json:"webSockets,omitempty"`
	// WebSocketsReserved is how many of WebSockets only known users take. Default: 17 of each 20. A stranger may ask a citizen for
	// every block since the first, so that few of them keep it busy.
	WebSocketsReserved int `json:"webSocketsReserved,omitempty"`
	// WebSocketsPerSource is the greatest number of websockets from one stranger's address. Default 5, or a twentieth of a smaller WebSockets.
	WebSocketsPerSource int `json:"webSocketsPerSource,omitempty"`
	// SYNs is the greatest number of packets in 1 second that open a connection, from all strangers that were never served. What is
	// above has to come
	// again, as an honest one does by itself a second later. Default 20000 (8 % of a processor: 4 µs for each).
	SYNs int `json:"syns,omitempty"`
	// SYNsPerKnown is the same from one known address. Default 200.
	SYNsPerKnown int `json:"synsPerKnown,omitempty"`
	// SYNsPerProven is the same from one address that was served in the last 10 minutes. Default 50.
	SYNsPerProven int `json:"synsPerProven,omitempty"`
	// BanStrikes is how many limits a source may meet within a minute before it is banned. Default 20.
	BanStrikes int `json:"banStrikes,omitempty"`
	// BanSeconds is how long a first ban lasts, in seconds; each further one lasts four times as long. Default 60.
	BanSeconds int `json:"banSeconds,omitempty"`
	// BanMaxSeconds is how long a ban may last, in seconds. Default 3600.
	BanMaxSeconds int `json:"banMaxSeconds,omitempty"`
	// BanNetwork is how many addresses of one /24 have to be banned at the same time for all of it to be. Default 16.
	BanNetwork int `json:"banNetwork,omitempty"`
}

// limit is one of them: its name as in the configuration, where it is, its default, and what it may be at most.
type limit struct {
	name      string
	value     *int
	or, least int
	most      int
}

func (l *Limits) all() []limit {
	sockets := cmp.Or(l.WebSockets, 200)
	return []limit{
		{"p2pConnections", &l.P2PConnections, 1000, 2, 100_000},
		{"p2pReserved", &l.P2PReserved, min(200, max(1, cmp.Or(l.P2PConnections, 1000)/5)), 1, 100_000},
		{"p2pPerSource", &l.P2PPerSource, min(20, max(1, cmp.Or(l.P2PConnections, 1000)/10)), 1, 100_000},
		{"p2pNewPerSource", &l.P2PNewPerSource, 30, 1, 100_000},
		{"p2pNew", &l.P2PNew, 200, 1, 100_000},
		{"apiConnections", &l.APIConnections, 8000, 2, 100_000},
		{"apiReserved", &l.APIReserved, min(500, max(1, cmp.Or(l.APIConnections, 8000)/10)), 1, 100_000},
		{"apiPerSource", &l.APIPerSource, min(10, max(1, cmp.Or(l.APIConnections, 8000)/10)), 1, 100_000},
		{"apiNewPerSource", &l.APINewPerSource, 60, 1, 100_000},
		{"apiNew", &l.APINew, 500, 1, 100_000},
		{"apiRequestsPerSource", &l.APIRequestsPerSource, 300, 1, 100_000},
		{"apiExpensivePerSource", &l.APIExpensivePerSource, min(20, cmp.Or(l.APIRequestsPerSource, 300)), 1, 100_000},
		{"apiErrorsPerSource", &l.APIErrorsPerSource, 50, 1, 100_000},
		{"apiBodyKiB", &l.APIBodyKiB, 64, 1, 1024},
		{"apiBatch", &l.APIBatch, 10, 1, 10},
		{"apiAtOnce", &l.APIAtOnce, 8, 2, 10_000},
		{"apiExpensiveAtOnce", &l.APIExpensiveAtOnce, min(2, max(1, cmp.Or(l.APIAtOnce, 8)/4)), 1, 10_000},
		{"webSockets", &l.WebSockets, 200, 3, 10_000},
		{"webSocketsReserved", &l.WebSocketsReserved, max(1, min(sockets*17/20, sockets-2)), 1, 10_000},
		{"webSocketsPerSource", &l.WebSocketsPerSource, min(5, max(1, sockets/20)), 1, 10_000},
		{"syns", &l.SYNs, 20_000, 100, 10_000_000},
		{"synsPerKnown", &l.SYNsPerKnown, 200, 1, 1_000_000},
		{"synsPerProven", &l.SYNsPerProven, 50, 1, 1_000_000},
		{"banStrikes", &l.BanStrikes, 20, 2, 100_000},
		{"banSeconds", &l.BanSeconds, 60, 10, 86_400},
		{"banMaxSeconds", &l.BanMaxSeconds, max(3600, l.BanSeconds), 10, 604_800},
		{"banNetwork", &l.BanNetwork, 16, 2, 256},
	}
}

// WithDefaults is a copy in which every limit that was left out has its default, which follows its total where that is small.
func (l Limits) WithDefaults() Limits {
	for _, x := range l.all() {
		if *x.value == 0 {
			*x.value = x.or
		}
	}
	return l
}

// Problem is a limit that cannot be.
type Problem struct {
	// Limit by its name in the configuration.
	Limit string
	// Text is what it is, and what was wanted.
	Text string
}

// Problems of the limits, once they have their defaults: each one's range, and what contradicts itself.
func (l Limits) Problems() []Problem {
	var all []Problem
	for _, x := range l.all() {
		if *x.value < x.least || *x.value > x.most {
			all = append(all, Problem{x.name, fmt.Sprintf("is %d; wanted %d to %d", *x.value, x.least, x.most)})
		}
	}
	below := func(name string, value int, total string, of int, why string) {
		if value >= of {
			all = append(all, Problem{name, fmt.Sprintf("is %d, and %s %d: %s; wanted less", value, total, of, why)})
		}
	}
	const allTaken = "one address could take all that strangers have"
	below("p2pReserved", l.P2PReserved, "p2pConnections", l.P2PConnections, "no new peer could ever come")
	below("p2pPerSource", l.P2PPerSource, "p2pConnections - p2pReserved", l.P2PConnections-l.P2PReserved, allTaken)
	below("apiReserved", l.APIReserved, "apiConnections", l.APIConnections, "no new user could ever come")
	below("apiPerSource", l.APIPerSource, "apiConnections - apiReserved", l.APIConnections-l.APIReserved, allTaken)
	below("webSocketsReserved", l.WebSocketsReserved, "webSockets", l.WebSockets, "no new user could ever have one")
	below("webSocketsPerSource", l.WebSocketsPerSource, "webSockets - webSocketsReserved", l.WebSockets-l.WebSocketsReserved, allTaken)
	below("apiExpensiveAtOnce", l.APIExpensiveAtOnce, "apiAtOnce", l.APIAtOnce, "expensive requests could take every place")
	if l.APIExpensivePerSource > l.APIRequestsPerSource {
		all = append(all, Problem{"apiExpensivePerSource", fmt.Sprintf("is %d, and apiRequestsPerSource %d, which it is a part of; "+
			"wanted at most that", l.APIExpensivePerSource, l.APIRequestsPerSource)})
	}
	if l.BanMaxSeconds < l.BanSeconds {
		all = append(all, Problem{"banMaxSeconds", fmt.Sprintf("is %d, and banSeconds %d; wanted at least that", l.BanMaxSeconds, l.BanSeconds)})
	}
	if l.SYNsPerKnown > l.SYNs || l.SYNsPerProven > l.SYNs {
		all = append(all, Problem{"syns", fmt.Sprintf("is %d for all strangers, and one source has more (synsPerKnown %d, synsPerProven %d); "+
			"wanted more", l.SYNs, l.SYNsPerKnown, l.SYNsPerProven)})
	}
	return all
}
