package proxy

import (
	"strconv"
	"strings"
	"testing"
)

func FuzzTable(f *testing.F) {
	f.Add("# table: st_bad, type: ip, size:102400, used:1\n0x55d: key=192.0.2.7 use=0 exp=59870 gpt0=3 gpc0=21 gpc0_rate(60000)=20\n\n")
	f.Add("0x55d: key=::1 use=0 exp=1 gpc0=18446744073709551615")
	f.Add("0x: key= gpc0=1\nkey=a gpc0=")
	f.Fuzz(func(t *testing.T, said string) {
		all, err := parseTable(said)
		if err != nil {
			return
		}
		for _, e := range all {
			if e.Key == "" || !strings.Contains(said, "key="+e.Key) || !strings.Contains(said, "gpc0=") {
				t.Errorf("%+v is not in %q", e, said)
			}
			if e.Expires < 0 {
				t.Errorf("%+v ends before now", e)
			}
		}
	})
}

func FuzzFrontends(f *testing.F) {
	f.Add("# pxname,svname,status,scur,slim,stot\np2p,FRONTEND,OPEN,1,2,3\n")
	f.Add("# pxname,svname,status,scur,slim,stot\np2p,FRONTEND\n\"")
	f.Fuzz(func(t *testing.T, said string) {
		all, err := parseFrontends(said)
		if err == nil && len(all) > strings.Count(said, "FRONTEND") {
			t.Errorf("%d frontends in %q", len(all), said)
		}
	})
}

func FuzzSessions(f *testing.F) {
	f.Add("0x55d4: proto=tcpv4 src=192.0.2.7:4 fe=p2p be=prep")
	f.Add("0x; shutdown: fe=p2p")
	f.Fuzz(func(t *testing.T, said string) {
		for _, id := range parseSessions(said, []string{"p2p"}) {
			if strings.ContainsAny(id, "; \n") {
				t.Errorf("%q would be read as more than one word", id)
			}
		}
	})
}

func BenchmarkTable(b *testing.B) {
	var said strings.Builder
	for i := range 10_000 {
		said.WriteString("0x55d4: key=10.0." + strconv.Itoa(i/256) + "." + strconv.Itoa(i%256) + " use=0 exp=59870 shard=0 gpt0=3 gpc0=21\n")
	}
	for b.Loop() {
		if all, err := parseTable(said.String()); err != nil || len(all) != 10_000 {
			b.Fatal(len(all), err)
		}
	}
}
